"""The WebSocket handshake (RFC 6455 section 4.1), and the heads of HTTP answers, which a proxy gives too.

A head is read to its empty line and no further, since what follows is another protocol's.
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
from typing import NamedTuple
from urllib.parse import urlsplit

from ..clock import Deadline
from ..errors import HandshakeFailed, refusal
from .address import host_of
from .sockets import ByteStream, EndOfStream, reason

USER_AGENT = "source-binance-futures"
ACCEPT_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455 section 1.3
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
    first_line_is_through = False
    while not head.endswith((b"\n\r\n", b"\n\n")):
        if len(head) >= MAX_HEAD_BYTES:
            raise HeadError(f"its headers are longer than {MAX_HEAD_BYTES} bytes")
        head += stream.receive(1, deadline)
        if not first_line_is_through and head.endswith(b"\n"):
            parse_head(bytes(head))  # what is not HTTP need not have an empty line
            first_line_is_through = True
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
    host, parts = host_of(url), urlsplit(url)
    key = base64.b64encode(os.urandom(16)).decode()
    request = [
        f"GET {parts.path or '/'}{'?' if parts.query else ''}{parts.query} HTTP/1.1",
        f"Host: {host}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Key: {key}",
        "Sec-WebSocket-Version: 13",
        f"User-Agent: {USER_AGENT}",
    ]
    try:
        stream.send("\r\n".join([*request, "", ""]).encode(), deadline)
        head = read_answer(stream, deadline)
    except EndOfStream as error:
        raise HandshakeFailed(host, "the connection was closed during it") from error
    except OSError as error:
        raise HandshakeFailed(host, reason(error)) from error
    except HeadError as error:
        raise HandshakeFailed(host, str(error)) from error
    if head.status != SWITCHING_PROTOCOLS:
        raise refusal(host, head.status, head.headers, deadline.clock.epoch())
    accept = base64.b64encode(hashlib.sha1(f"{key}{ACCEPT_GUID}".encode()).digest()).decode()
    lists = (head.headers.get(name, "") for name in ("upgrade", "connection"))
    upgrade, connection = (re.split(r"[,\s]+", names.lower()) for names in lists)
    is_upgraded = "websocket" in upgrade and "upgrade" in connection
    if not is_upgraded or head.headers.get("sec-websocket-accept") != accept:
        raise HandshakeFailed(host, "Invalid WebSocket Header")
