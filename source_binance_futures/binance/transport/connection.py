"""One WebSocket connection: the handshake and the answers by websocket-client, the frames in bulk by ours."""

from __future__ import annotations

import contextlib
import email.utils
import select
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import websocket

from ..endpoints import host_of
from ..errors import (
    DEFAULT_PAUSE,
    PASSING_STATUSES,
    RATE_LIMIT_STATUSES,
    AddressRefused,
    ClosedByExchange,
    ConnectFailed,
    ConnectionLost,
    HandshakeFailed,
    HandshakeRefused,
    LocationRefused,
    RateLimited,
)
from .framing import CLOSE, PING, ControlFrame, FrameCutter
from .route import Route

READ_BYTES = 256 * 1024
MAX_HANDSHAKE_BYTES = 64 * 1024
SEND_TIMEOUT = 5.0  # seconds; our frames are tiny, so only a dead peer makes them wait
NORMAL_CLOSURE, NO_STATUS = 1000, 1005
USER_AGENT = "source-binance-futures"
LOCATION_REFUSED = 451


class Received(NamedTuple):
    """What one `Connection.receive` brought.

    `heard`: anything at all, control frames included. `drained`: everything that had arrived was taken.
    """

    payloads: list[bytes]
    heard: bool
    drained: bool


class Connection:
    """An open WebSocket connection that is read without waiting and answers pings by itself.

    It belongs to one thread. `loss` says why it is over, and is None as long as it is not.
    """

    def __init__(self, client: websocket.WebSocket, sock: socket.socket, max_message_bytes: int) -> None:
        self.loss: ConnectionLost | None = None
        self._client = client
        self._socket = sock
        self._cutter = FrameCutter(max_message_bytes)
        sock.settimeout(0)

    @classmethod
    def open(cls, url: str, route: Route, deadline: float, max_message_bytes: int) -> Connection:
        """Connects and shakes hands until `deadline` (monotonic seconds).

        Messages above `max_message_bytes` will end the connection with code 1009.
        Raises a `ConnectFailed`, or `RateLimited` for HTTP 418 and 429.
        """
        sock = route.open_socket(url, deadline)
        client = websocket.WebSocket(enable_multithread=False, skip_utf8_validation=True)
        try:
            client.connect(  # type: ignore[no-untyped-call]
                url,
                socket=_HandshakeSocket(sock, deadline),
                header=[f"User-Agent: {USER_AGENT}"],
                suppress_origin=True,
                redirect_limit=0,
            )
        except websocket.WebSocketBadStatusException as error:
            sock.close()
            raise _refusal(host_of(url), error.status_code, error.resp_headers or {}) from None
        except (OSError, ValueError, websocket.WebSocketException) as error:
            sock.close()
            raise HandshakeFailed(host_of(url), _handshake_fault(error)) from None
        client.sock = sock
        return cls(client, sock, max_message_bytes)

    def fileno(self) -> int:
        return self._socket.fileno()

    def has_decrypted_bytes(self) -> bool:
        """Whether TLS holds bytes that `select` on the socket does not know of."""
        return isinstance(self._socket, ssl.SSLSocket) and self._socket.pending() > 0

    def wait(self, seconds: float) -> bool:
        """Waits until there is something to `receive`, at most so many seconds."""
        return self.has_decrypted_bytes() or bool(select.select([self._socket], [], [], max(seconds, 0))[0])

    def receive(self) -> Received:
        """The messages that have arrived, in order, without waiting; pings are answered on the way.

        Where the connection ends, `loss` is set, and what had arrived before is still returned.
        """
        if self.loss is not None:
            return Received([], heard=False, drained=True)
        data, drained = self._read()
        payloads, controls = self._cutter.cut(data)
        self._answer(controls)
        if self._cutter.violation is not None:
            self._end(self._cutter.violation, self._cutter.violation.close_code)
        return Received(payloads, bool(payloads or controls), drained)

    def send_text(self, text: str) -> None:
        """Sends one text message; sets `loss` if that fails."""
        self._send(text.encode(), websocket.ABNF.OPCODE_TEXT)

    def ping(self) -> None:
        """Sends a ping with the time in milliseconds, as Binance's own pings carry; sets `loss` if that fails."""
        self._send(str(int(time.time() * 1000)).encode(), websocket.ABNF.OPCODE_PING)

    def close(self) -> None:
        """Says goodbye (RFC 6455 section 7.4) and leaves, without waiting for the answer."""
        self._end(ConnectionLost("left by this side"), NORMAL_CLOSURE)

    def _end(self, loss: ConnectionLost, code: int) -> None:
        if self.loss is None:
            self._send(struct.pack("!H", code), websocket.ABNF.OPCODE_CLOSE)
        if self._socket.fileno() >= 0:
            with contextlib.suppress(OSError):
                self._socket.shutdown(socket.SHUT_WR)
            self._socket.close()
        self.loss = self.loss or loss

    def _read(self) -> tuple[bytes, bool]:
        """Up to 256 KiB that have arrived, and whether that was all. TLS hands out its records one by one."""
        chunks: list[bytes] = []
        size = 0
        while size < READ_BYTES:
            try:
                chunk = self._socket.recv(READ_BYTES - size)
            except (BlockingIOError, ssl.SSLWantReadError):
                break
            except OSError as error:
                self.loss = ConnectionLost(f"the connection broke ({(error.strerror or str(error)).lower()})")
                break
            if not chunk:
                self.loss = ConnectionLost("the connection ended without a close frame")
                break
            chunks.append(chunk)
            size += len(chunk)
            if not self.has_decrypted_bytes():
                break
        return (chunks[0] if len(chunks) == 1 else b"".join(chunks)), size < READ_BYTES

    def _answer(self, controls: Sequence[ControlFrame]) -> None:
        newest_ping: bytes | None = None
        for opcode, payload in controls:
            if opcode == PING:
                newest_ping = payload  # one pong for several pings is enough, RFC 6455 section 5.5.3
            elif opcode == CLOSE:
                code = struct.unpack("!H", payload[:2])[0] if len(payload) >= 2 else NO_STATUS
                closed = ClosedByExchange(code, payload[2:].decode(errors="replace"))
                self._end(closed, code if code != NO_STATUS else NORMAL_CLOSURE)
                return
        if newest_ping is not None:
            self._send(newest_ping, websocket.ABNF.OPCODE_PONG)

    def _send(self, payload: bytes, opcode: int) -> None:
        if self.loss is not None:
            return
        try:
            self._socket.settimeout(SEND_TIMEOUT)
            self._client.send(payload, opcode)
            self._socket.settimeout(0)
        except (OSError, websocket.WebSocketException) as error:
            self.loss = ConnectionLost(f"the connection broke while sending ({error})")


def open_in_background(
    url: str, route: Route, deadline: float, max_message_bytes: int, hand_over: Callable[[Connection | Exception], None]
) -> None:
    """Opens a connection in a thread of its own, which calls `hand_over` with it, or with what `open` raised."""

    def attempt() -> None:
        try:
            outcome: Connection | Exception = Connection.open(url, route, deadline, max_message_bytes)
        except Exception as error:  # whatever it is, the thread that waits must hear of it
            outcome = error
        hand_over(outcome)

    threading.Thread(target=attempt, name=f"connect to {host_of(url)}", daemon=True).start()


class _HandshakeSocket:
    """The socket as websocket-client sees it during the handshake: with one deadline for all, and a limit in bytes.

    The library reads header lines byte by byte without any limit; a server that never ends them would be read for ever.
    """

    def __init__(self, sock: socket.socket, deadline: float) -> None:
        self._socket = sock
        self._deadline = deadline
        self._budget = MAX_HANDSHAKE_BYTES

    def recv(self, size: int) -> bytes:
        self._socket.settimeout(self._remaining())
        data = self._socket.recv(size)
        self._budget -= len(data)
        if self._budget < 0:
            raise websocket.WebSocketException(f"its headers are longer than {MAX_HANDSHAKE_BYTES} bytes")
        return data

    def send(self, data: bytes) -> int:
        self._socket.settimeout(self._remaining())
        self._socket.sendall(data)  # the library would drop what a first `send` leaves over
        return len(data)

    def gettimeout(self) -> float:
        return self._remaining()

    def close(self) -> None:
        self._socket.close()

    def _remaining(self) -> float:
        remaining = self._deadline - time.monotonic()
        if remaining <= 0:
            raise TimeoutError
        return remaining


def retry_after(headers: Mapping[str, Any]) -> float:
    """Seconds to wait, from the `Retry-After` header of an answer 418 or 429 (RFC 9110 section 10.2.3)."""
    value = str(headers.get("retry-after", "")).strip()
    if value.isdecimal():
        return float(value)
    try:
        return max(email.utils.parsedate_to_datetime(value).timestamp() - time.time(), 0.0)
    except ValueError:
        return DEFAULT_PAUSE


def _refusal(host: str, status: int, headers: Mapping[str, Any]) -> ConnectFailed | RateLimited:
    if status == LOCATION_REFUSED:
        return LocationRefused(host, status)
    if status in RATE_LIMIT_STATUSES:
        return RateLimited(host, status, time.time() + retry_after(headers))
    if 400 <= status < 500 and status not in PASSING_STATUSES:
        return AddressRefused(host, status)
    return HandshakeRefused(host, status)


def _handshake_fault(error: Exception) -> str:
    if isinstance(error, (TimeoutError, websocket.WebSocketTimeoutException)):
        return "no answer in time"
    if isinstance(error, websocket.WebSocketConnectionClosedException):
        return "the connection was closed during it"
    if isinstance(error, OSError):
        return (error.strerror or str(error)).lower()
    return str(error)
