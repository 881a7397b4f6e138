"""One WebSocket connection: frames in bulk, control frames answered, left with the right code."""

from __future__ import annotations

import selectors
import struct
from collections.abc import Callable, Sequence
from typing import NamedTuple

from websocket import ABNF

from ..clock import Clock, Deadline
from ..errors import ClosedByExchange, ConnectionLost
from .framing import CLOSE, PING, ControlFrame, FrameCutter
from .handshake import shake_hands
from .route import Route
from .sockets import ByteStream, EndOfStream, reason

SEND_TIMEOUT = 5.0  # seconds; our frames are tiny, so only a dead peer makes them wait
NORMAL_CLOSURE, NO_STATUS = 1000, 1005


class Received(NamedTuple):
    """What one `Connection.receive` brought.

    `heard`: anything at all, control frames included. `drained`: everything that had arrived was taken.
    """

    payloads: list[bytes]
    heard: bool
    drained: bool


class Connection:
    """An open WebSocket connection that is read without waiting and answers pings by itself.

    It belongs to one thread. `loss` says why it is over, and is None as long as it is not. `observer` is called with
    the control frames of each read, before they are answered.
    """

    def __init__(self, stream: ByteStream, max_message_bytes: int, clock: Clock) -> None:
        self.loss: ConnectionLost | None = None
        self.observer: Callable[[Sequence[ControlFrame]], None] | None = None
        self._stream = stream
        self.clock = clock
        self._cutter = FrameCutter(max_message_bytes)

    @classmethod
    def open(cls, url: str, route: Route, deadline: Deadline, max_message_bytes: int) -> Connection:
        """Connects and shakes hands.

        Messages above `max_message_bytes` will end the connection with code 1009.
        Raises a `ConnectFailed`, or `RateLimited` for HTTP 418 and 429.
        """
        stream = route.open(url, deadline)
        try:
            shake_hands(stream, url, deadline)
        except BaseException:
            stream.close()
            raise
        return cls(stream, max_message_bytes, deadline.clock)

    def fileno(self) -> int:
        return self._stream.fileno()

    def has_decrypted_bytes(self) -> bool:
        """Whether there is something to `receive` that `select` on the socket does not know of."""
        return self._stream.holds_bytes()

    def wait(self, seconds: float) -> bool:
        """Waits until there is something to `receive`, at most so many seconds."""
        return wait_for_any([self], seconds)

    def receive(self) -> Received:
        """The messages that have arrived, in order, without waiting; pings are answered on the way.

        Where the connection ends, `loss` is set, and what had arrived before is still returned.
        """
        if self.loss is not None:
            return Received([], heard=False, drained=True)
        data, drained = self._take()
        payloads, controls = self._cutter.cut(data)
        if self.observer is not None and controls:
            self.observer(controls)
        self._answer(controls)
        if self._cutter.violation is not None:
            self._leave(self._cutter.violation, self._cutter.violation.close_code)
        return Received(payloads, bool(payloads or controls), drained)

    def has_ended(self) -> bool:
        """Whether it is over, also where `loss` is not set before the next `receive`."""
        return self.loss is not None or self._stream.has_ended()

    def send_text(self, text: str) -> None:
        """Sends one text message; sets `loss` if that fails."""
        self._send(text.encode(), ABNF.OPCODE_TEXT)

    def ping(self) -> None:
        """Sends a ping with the time in milliseconds, as Binance's own pings carry; sets `loss` if that fails."""
        self._send(str(self.clock.now_us() // 1000).encode(), ABNF.OPCODE_PING)

    def close(self) -> None:
        """Says goodbye (RFC 6455 section 7.4) and leaves, without waiting for the answer."""
        self._leave(ConnectionLost("left by this side"), NORMAL_CLOSURE)

    def _take(self) -> tuple[bytes, bool]:
        try:
            return self._stream.take()
        except BlockingIOError:
            pass
        except EndOfStream:
            self.loss = ConnectionLost("the connection ended without a close frame")
        except OSError as error:
            self.loss = ConnectionLost(f"the connection broke ({reason(error)})")
        return b"", True

    def _answer(self, controls: Sequence[ControlFrame]) -> None:
        newest_ping: bytes | None = None
        for opcode, payload in controls:
            if opcode == PING:
                newest_ping = payload  # one pong for several pings is enough, RFC 6455 section 5.5.3
            elif opcode == CLOSE:
                code = struct.unpack("!H", payload[:2])[0] if len(payload) >= 2 else NO_STATUS
                closed = ClosedByExchange(code, payload[2:].decode(errors="replace"))
                self._leave(closed, code if code != NO_STATUS else NORMAL_CLOSURE)
                return
        if newest_ping is not None:
            self._send(newest_ping, ABNF.OPCODE_PONG)

    def _send(self, payload: bytes, opcode: int) -> None:
        if self.loss is not None:
            return
        try:
            self._stream.send(_frame(payload, opcode), self.clock.deadline(SEND_TIMEOUT))
        except OSError as error:
            self.loss = ConnectionLost(f"the connection broke while sending ({reason(error)})")

    def _leave(self, loss: ConnectionLost, code: int) -> None:
        if self.loss is None:
            self.loss = loss
            self._stream.leave(_frame(struct.pack("!H", code), ABNF.OPCODE_CLOSE), self.clock)
        else:
            self._stream.close()


def wait_for_any(connections: Sequence[Connection], seconds: float) -> bool:
    """Wait at most so many seconds until one of them has something to `receive`; return whether one has."""
    if any(connection.has_decrypted_bytes() for connection in connections):
        return True
    with selectors.DefaultSelector() as selector:  # `select.select` knows no descriptor beyond 1,023
        for connection in connections:
            selector.register(connection, selectors.EVENT_READ)
        return bool(selector.select(max(seconds, 0)))


def _frame(payload: bytes, opcode: int) -> bytes:
    """A whole frame of a client: masked, RFC 6455 section 5.3."""
    return ABNF.create_frame(payload, opcode).format()
