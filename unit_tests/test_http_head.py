"""The head of an HTTP answer, however it is cut into pieces, and what is no such head."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from source_binance_futures.binance.clock import Clock
from source_binance_futures.binance.transport.handshake import MAX_HEAD_BYTES, Head, HeadError, parse_head, read_head
from source_binance_futures.binance.transport.sockets import EndOfStream

from .sockets import ScriptedStream

ANSWER = b"HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic\r\nVia: a\r\nvia:b \r\n\r\n"
HEAD = Head(407, "Proxy Authentication Required", {"proxy-authenticate": "Basic", "via": "a, b"})


def read(pieces: Iterable[bytes], *, ends: bool = True) -> tuple[Head, ScriptedStream]:
    stream = ScriptedStream(pieces, ends=ends)
    return read_head(stream, Clock().deadline(20)), stream


@pytest.mark.parametrize("size", [1, 2, 3, 7, 44, 1000])
def test_any_cut_gives_the_same_head(size: int) -> None:
    assert read([ANSWER[start : start + size] for start in range(0, len(ANSWER), size)])[0] == HEAD


def test_what_follows_the_empty_line_is_left() -> None:
    _, stream = read([ANSWER + b"\x81\x05Hello"])
    assert stream.received == len(ANSWER)
    assert stream.take()[0] == b"\x81\x05Hello"


def test_lines_may_end_with_lf_alone() -> None:
    assert read([ANSWER.replace(b"\r\n", b"\n")])[0] == HEAD


@pytest.mark.parametrize(
    ("line", "status", "reason"),
    [
        (b"HTTP/1.1 200 OK", 200, "OK"),
        (b"HTTP/1.0 200 Connection established", 200, "Connection established"),
        (b"HTTP/1.1 200 ", 200, ""),
        (b"HTTP/1.1 200", 200, ""),
        (b"HTTP/1.1 599 \x1b[31mred\x07", 599, "?[31mred?"),
        (b"HTTP/1.1 500 " + b"x" * 5000, 500, "x" * 100),
    ],
)
def test_status_lines(line: bytes, status: int, reason: str) -> None:
    assert parse_head(line + b"\r\n\r\n") == Head(status, reason, {})


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"h",
        b"220 mail.example ESMTP",
        b"HTTP/2 200 OK",
        b"HTTP/1.1 20 OK",
        b"HTTP/1.1 2000 OK",
        b"HTTP/1.1 099 OK",
        b"HTTP/1.1 1_1 OK",
        b"HTTP/1.1 -11 OK",
        b"HTTP/1.1  200 OK",
        b" HTTP/1.1 200 OK",
        b"HTTP/1.1 \xb2\xb2\xb2 OK",
    ],
)
def test_what_is_not_http_is_known_by_its_first_line(line: bytes) -> None:
    """And the empty line is not waited for."""
    stream = ScriptedStream([line + b"\r\n"], ends=False)
    with pytest.raises(HeadError, match="its answer is not HTTP") as raised:
        read_head(stream, Clock().deadline(20))
    assert line.decode("latin-1").strip() in str(raised.value)


def test_lines_that_are_no_headers_are_left_out() -> None:
    assert parse_head(b"HTTP/1.1 200 OK\r\nno header\r\n: nothing\r\na:b:c\r\n\r\n").headers == {
        "": "nothing",
        "a": "b:c",
    }


@pytest.mark.parametrize("filler", [b"x", b"a: b\r\n"])
def test_a_head_without_end_is_given_up_at_the_limit(filler: bytes) -> None:
    def without_end() -> Iterable[bytes]:
        yield b"HTTP/1.1 200 OK\r\n"
        while True:
            yield filler * 1000

    stream = ScriptedStream(without_end())
    with pytest.raises(HeadError, match=f"its headers are longer than {MAX_HEAD_BYTES} bytes"):
        read_head(stream, Clock().deadline(20))
    assert stream.received == MAX_HEAD_BYTES


def test_the_longest_head_is_read() -> None:
    assert MAX_HEAD_BYTES == 65_536, "as much as browsers take for all headers, and more"
    start = b"HTTP/1.1 200 OK\r\na: "
    head, stream = read([start + b"x" * (MAX_HEAD_BYTES - len(start) - 4) + b"\r\n\r\n"])
    assert stream.received == MAX_HEAD_BYTES
    assert head.status == 200


@pytest.mark.parametrize("part", [b"", b"HTTP/1.1 2", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\na: b\r\n"])
def test_an_answer_that_breaks_off(part: bytes) -> None:
    with pytest.raises(EndOfStream):
        read([part])
    with pytest.raises(TimeoutError):
        read([part], ends=False)


def test_a_deadline_that_is_over_reads_nothing() -> None:
    stream = ScriptedStream([ANSWER])
    with pytest.raises(TimeoutError):
        read_head(stream, Clock().deadline(-1))
    assert stream.received == 0
