"""The WebSocket handshake (RFC 6455 section 4.1), and the heads of HTTP answers, which a proxy gives too."""

from __future__ import annotations

import functools
import io
import re
from types import SimpleNamespace
from typing import NamedTuple

import websocket

from ..clock import Deadline
from ..errors import HandshakeFailed, refusal
from .address import host_of
from .sockets import ByteStream, reason

CHECKED_HEADERS = ("upgrade", "connection", "sec-websocket-accept")
MAX_HEAD_BYTES = 64 * 1024  # of an answer, interim ones before it included
SWITCHING_PROTOCOLS = 101
STATUS_LINE = re.compile(r"HTTP/1\.[01] ([1-9][0-9]{2})(?: (.*))?")


class Head(NamedTuple):
    """The names of `headers` are in lower case; several of one name are joined by commas, RFC 9110 section 5.3."""

    status: int
    reason: str
    headers: dict[str, str]


class HeadError(ConnectionError):
    """What came is no answer that can be used; the text says why, as a clause."""


def read_answer(stream: ByteStream, deadline: Deadline) -> Head:
    """Wait for the head of the final answer, not of an interim one (1xx but 101). Raises a `HeadError` or `OSError`."""
    head = bytearray()
    for _ in range(MAX_HEAD_BYTES):
        head += stream.receive(1, deadline)  # what follows the empty line is another protocol's
        if head.endswith((b"\n\r\n", b"\n\n")):
            answer = parse_head(bytes(head))
            if answer.status == SWITCHING_PROTOCOLS or not 100 <= answer.status < 200:
                return answer
            head.clear()
        elif head.endswith(b"\n") and head.index(b"\n") == len(head) - 1:
            parse_head(bytes(head))  # what is not HTTP need not have an empty line
    raise HeadError(f"its headers are longer than {MAX_HEAD_BYTES} bytes")


def parse_head(head: bytes) -> Head:
    """From a whole head, whose lines may end with LF alone (RFC 9112 section 2.2). Raises `HeadError`.

    HTTP/1.1 407 Proxy Authentication Required
    Proxy-Authenticate: Basic
    """
    status_line, *lines = [line.removesuffix("\r") for line in head.decode("latin-1").split("\n")]
    found = STATUS_LINE.fullmatch(status_line)
    if not found:
        raise HeadError(f"its answer is not HTTP: {_printable(status_line) or 'an empty line'}")
    headers: dict[str, str] = {}
    for line in lines:
        name, separator, value = line.partition(":")
        if separator:
            name, value = name.strip().lower(), value.strip()
            headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return Head(int(found[1]), _printable(found[2] or ""), headers)


def _printable(text: str) -> str:
    return "".join(character if character.isprintable() else "?" for character in text[:100]).strip()


def shake_hands(stream: ByteStream, url: str, deadline: Deadline) -> None:
    """Makes an open stream a WebSocket connection. Raises a `ConnectFailed`, or `RateLimited` for HTTP 418 and 429.

    websocket-client reads an answer without limit, follows what it says of its length, and keeps its cookies. So it
    gets the three headers that it checks, of an answer that was read and judged before.
    """
    host = host_of(url)

    def send(data: bytes) -> int:
        stream.send(data, deadline)
        return len(data)

    @functools.cache
    def answer() -> io.BytesIO:
        head = read_answer(stream, deadline)
        if head.status != SWITCHING_PROTOCOLS:
            raise refusal(host, head.status, head.headers, deadline.clock.epoch())
        lines = [f"{name}: {head.headers[name]}" for name in CHECKED_HEADERS if name in head.headers]
        return io.BytesIO("\r\n".join([f"HTTP/1.1 {head.status}", *lines, "", ""]).encode())

    sock = SimpleNamespace(
        send=send,
        recv=lambda size: answer().read(size),
        gettimeout=deadline.remaining,
        close=lambda: None,  # whoever opened the stream closes it
    )
    try:
        websocket.WebSocket().connect(  # type: ignore[no-untyped-call]
            url, socket=sock, header=["User-Agent: source-binance-futures"], suppress_origin=True, redirect_limit=0
        )
    except (OSError, ValueError, websocket.WebSocketException) as error:
        is_late = isinstance(error, websocket.WebSocketTimeoutException)  # it makes this of a TimeoutError
        raise HandshakeFailed(host, reason(TimeoutError() if is_late else error)) from error
