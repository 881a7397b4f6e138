"""The WebSocket handshake (RFC 6455 section 4.1), and the heads of HTTP answers, which a proxy gives too.

A head is read to its empty line and no further, since what follows is another protocol's.
"""

from __future__ import annotations

import io
import re
from typing import NamedTuple

import websocket

from ..clock import Deadline
from ..errors import HandshakeFailed, refusal
from .address import host_of
from .sockets import ByteStream, EndOfStream, reason

USER_AGENT = "source-binance-futures"
CHECKED_HEADERS = ("upgrade", "connection", "sec-websocket-accept")
MAX_HEAD_BYTES = 64 * 1024
MAX_INTERIM = 32  # heads of answers before the one that counts
MAX_QUOTED = 100  # characters
SWITCHING_PROTOCOLS = 101
STATUS_LINE = re.compile(r"HTTP/1\.[01] ([1-9][0-9]{2})(?: (.*))?")


class Head(NamedTuple):
    """The names of `headers` are in lower case; several of one name are joined by commas, RFC 9110 section 5.3."""

    status: int
    reason: str
    headers: dict[str, str]


class HeadError(Exception):
    """What came is no head of an HTTP answer; the text says why, as a clause."""


def read_answer(stream: ByteStream, deadline: Deadline) -> Head:
    """Wait for the head of the final answer; interim ones (1xx but 101, RFC 9110 section 15.2) are skipped.

    Raises `HeadError`, or an `OSError` such as `TimeoutError` or `EndOfStream`.
    """
    for _ in range(MAX_INTERIM + 1):
        head = read_head(stream, deadline)
        if not 100 <= head.status < 200 or head.status == SWITCHING_PROTOCOLS:
            return head
    raise HeadError(f"it sent more than {MAX_INTERIM} interim answers and no other")


def read_head(stream: ByteStream, deadline: Deadline) -> Head:
    """Waits for a head until the deadline, however it is cut into pieces.

    Raises `HeadError`, or an `OSError` such as `TimeoutError` or `EndOfStream`.
    """
    head = bytearray()
    while not head.endswith((b"\n\r\n", b"\n\n")):
        if len(head) >= MAX_HEAD_BYTES:
            raise HeadError(f"its headers are longer than {MAX_HEAD_BYTES} bytes")
        head += stream.receive(1, deadline)
        if head.endswith(b"\n") and head.index(b"\n") == len(head) - 1:
            parse_head(bytes(head))  # what is not HTTP need not have an empty line
    return parse_head(bytes(head))


def parse_head(head: bytes) -> Head:
    """From a whole head. Raises `HeadError`.

    HTTP/1.1 407 Proxy Authentication Required
    Proxy-Authenticate: Basic
    """
    # A line may end with LF alone, RFC 9112 section 2.2.
    status_line, *lines = [line.removesuffix("\r") for line in head.decode("latin-1").split("\n")]
    found = STATUS_LINE.fullmatch(status_line)
    if not found:
        raise HeadError(
            f"its answer is not HTTP: {_printable(status_line)}" if status_line else "its answer is not HTTP"
        )
    headers: dict[str, str] = {}
    for line in lines:
        name, separator, value = line.partition(":")
        if separator:
            name, value = name.strip().lower(), value.strip()
            headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return Head(int(found[1]), _printable(found[2] or ""), headers)


def _printable(text: str) -> str:
    return "".join(character if character.isprintable() else "?" for character in text[:MAX_QUOTED]).strip()


def shake_hands(stream: ByteStream, url: str, deadline: Deadline) -> None:
    """Makes an open stream a WebSocket connection. Raises a `ConnectFailed`, or `RateLimited` for HTTP 418 and 429."""
    host = host_of(url)
    try:
        websocket.WebSocket().connect(  # type: ignore[no-untyped-call]
            url,
            socket=_HandshakeSocket(stream, host, deadline),
            header=[f"User-Agent: {USER_AGENT}"],
            suppress_origin=True,
            redirect_limit=0,
        )
    except (TimeoutError, websocket.WebSocketTimeoutException) as error:
        raise HandshakeFailed(host, reason(TimeoutError())) from error
    except (EndOfStream, websocket.WebSocketConnectionClosedException) as error:
        raise HandshakeFailed(host, "the connection was closed during it") from error
    except OSError as error:
        raise HandshakeFailed(host, reason(error)) from error
    except (HeadError, ValueError, websocket.WebSocketException) as error:
        raise HandshakeFailed(host, str(error)) from error


class _HandshakeSocket:
    """The stream as websocket-client sees it during the handshake.

    The library reads an answer without limit and without a deadline for the whole, follows what it says of its
    length, and keeps its cookies. So it gets the three headers that it checks of an answer that was read and judged.
    """

    def __init__(self, stream: ByteStream, host: str, deadline: Deadline) -> None:
        self._stream = stream
        self._host = host
        self._deadline = deadline
        self._answer: io.BytesIO | None = None

    def send(self, data: bytes) -> int:
        self._stream.send(data, self._deadline)
        return len(data)

    def recv(self, size: int) -> bytes:
        if self._answer is None:
            self._answer = io.BytesIO(self._judged_answer())
        return self._answer.read(size)

    def _judged_answer(self) -> bytes:
        head = read_answer(self._stream, self._deadline)
        if head.status != SWITCHING_PROTOCOLS:
            raise refusal(self._host, head.status, head.headers, self._deadline.clock.epoch())
        lines = [f"{name}: {head.headers[name]}" for name in CHECKED_HEADERS if name in head.headers]
        return "\r\n".join([f"HTTP/1.1 {head.status} {head.reason}", *lines, "", ""]).encode()

    def gettimeout(self) -> float:
        return self._deadline.remaining()

    def close(self) -> None:
        """Whoever opened the stream closes it."""
