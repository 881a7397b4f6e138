"""The head of an HTTP answer: read to its empty line and no further, since what follows is another protocol's."""

from __future__ import annotations

import re
from typing import NamedTuple

from ..clock import Deadline
from .channel import Channel

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


def read_answer(channel: Channel, deadline: Deadline) -> Head:
    """Wait for the head of the final answer; interim ones (1xx but 101, RFC 9110 section 15.2) are skipped.

    Raises `HeadError`, or an `OSError` such as `TimeoutError` or `EndOfStream`.
    """
    for _ in range(MAX_INTERIM + 1):
        head = read_head(channel, deadline)
        if not 100 <= head.status < 200 or head.status == SWITCHING_PROTOCOLS:
            return head
    raise HeadError(f"it sent more than {MAX_INTERIM} interim answers and no other")


def read_head(channel: Channel, deadline: Deadline) -> Head:
    """Waits for a head until the deadline, however it is cut into pieces.

    Raises `HeadError`, or an `OSError` such as `TimeoutError` or `EndOfStream`.
    """
    head = bytearray()
    first_line_is_through = False
    while not head.endswith((b"\n\r\n", b"\n\n")):
        if len(head) >= MAX_HEAD_BYTES:
            raise HeadError(f"its headers are longer than {MAX_HEAD_BYTES} bytes")
        head += channel.receive(1, deadline)
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
