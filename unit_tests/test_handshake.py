"""The WebSocket handshake: the head of an HTTP answer, however it is cut, what is asked, and what each answer means."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import pytest

from source_binance_futures.binance.clock import Clock
from source_binance_futures.binance.errors import (
    BinanceError,
    HandshakeFailed,
    HandshakeRefused,
    RateLimited,
)
from source_binance_futures.binance.transport.handshake import (
    MAX_HEAD_BYTES,
    Head,
    HeadError,
    parse_head,
    read_answer,
    shake_hands,
)

from .sockets import PATIENCE, AnsweringServer, ScriptedStream

URL = "wss://dstream.binance.com/stream?streams=btcusd_perp@bookTicker"
HEADERS = {"Upgrade": "websocket", "Connection": "Upgrade"}


ANSWER = b"HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic\r\nVia: a\r\nvia:b \r\n\r\n"
HEAD = Head(407, "Proxy Authentication Required", {"proxy-authenticate": "Basic", "via": "a, b"})


def read(pieces: Iterable[bytes], *, ends: bool = True) -> tuple[Head, ScriptedStream]:
    stream = ScriptedStream(pieces, ends=ends)
    return read_answer(stream, Clock().deadline(20)), stream


@pytest.mark.parametrize("size", [1, 2, 3, 7, 44, 1000])
def test_any_cut_gives_the_same_head(size: int) -> None:
    assert read([ANSWER[start : start + size] for start in range(0, len(ANSWER), size)])[0] == HEAD


def test_what_follows_the_empty_line_is_left_and_lines_may_end_with_lf_alone() -> None:
    _, stream = read([ANSWER + b"\x81\x05Hello"])
    assert stream.received == len(ANSWER)
    assert stream.take()[0] == b"\x81\x05Hello"
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
        *(b"", b"h", b"220 mail.example ESMTP", b"HTTP/2 200 OK", b"HTTP/1.1 20 OK", b"HTTP/1.1 2000 OK"),
        *(b"HTTP/1.1 099 OK", b"HTTP/1.1 1_1 OK", b"HTTP/1.1 -11 OK", b"HTTP/1.1  200 OK", b" HTTP/1.1 200 OK"),
        b"HTTP/1.1 \xb2\xb2\xb2 OK",
    ],
)
def test_what_is_not_http_is_known_by_its_first_line(line: bytes) -> None:
    """And the empty line is not waited for."""
    stream = ScriptedStream([line + b"\r\n"], ends=False)
    with pytest.raises(HeadError, match="its answer is not HTTP") as raised:
        read_answer(stream, Clock().deadline(20))
    assert line.decode("latin-1").strip() in str(raised.value)


def test_lines_that_are_no_headers_are_left_out() -> None:
    head = parse_head(b"HTTP/1.1 200 OK\r\nno header\r\n: nothing\r\na:b:c\r\n\r\n")
    assert head.headers == {"": "nothing", "a": "b:c"}


@pytest.mark.parametrize("filler", [b"x", b"a: b\r\n"])
def test_a_head_without_end_is_given_up_at_the_limit(filler: bytes) -> None:
    def without_end() -> Iterable[bytes]:
        yield b"HTTP/1.1 200 OK\r\n"
        while True:
            yield filler * 1000

    stream = ScriptedStream(without_end())
    with pytest.raises(HeadError, match=f"its headers are longer than {MAX_HEAD_BYTES} bytes"):
        read_answer(stream, Clock().deadline(20))
    assert stream.received == MAX_HEAD_BYTES


def test_the_longest_head_is_read() -> None:
    assert MAX_HEAD_BYTES == 65_536, "as much as browsers take for all headers, and more"
    start = b"HTTP/1.1 200 OK\r\na: "
    head, stream = read([start + b"x" * (MAX_HEAD_BYTES - len(start) - 4) + b"\r\n\r\n"])
    assert stream.received == MAX_HEAD_BYTES
    assert head.status == 200


def answer(status: str = "101 Switching Protocols", **headers: str | None) -> Callable[[str], list[bytes]]:
    """With the headers that belong there, or others in their place, or without the ones that are None."""

    def build(accept: str) -> list[bytes]:
        given = {"Sec-WebSocket-Accept": accept} | HEADERS
        given |= {name.replace("_", "-"): value for name, value in headers.items() if value is not None}
        left_out = [name.replace("_", "-") for name, value in headers.items() if value is None]
        lines = [f"{name}: {value}" for name, value in given.items() if name not in left_out]
        return ["\r\n".join([f"HTTP/1.1 {status}", *lines, "", ""]).encode()]

    return build


def raw(data: bytes) -> Callable[[str], list[bytes]]:
    return lambda _: [data]


def shake(server: ScriptedStream, url: str = URL) -> None:
    shake_hands(server, url, Clock().deadline(PATIENCE))


def test_the_request() -> None:
    server = AnsweringServer(answer())
    shake(server)
    lines = server.sent.decode().split("\r\n")
    assert lines[0] == "GET /stream?streams=btcusd_perp@bookTicker HTTP/1.1"
    assert {
        "Host: dstream.binance.com",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Version: 13",
        "User-Agent: source-binance-futures",
    } <= set(lines)
    assert not [line for line in lines if line.startswith(("Origin", "Cookie", "Sec-WebSocket-Extensions"))]


def test_the_request_names_another_port_and_no_path() -> None:
    server = AnsweringServer(answer())
    shake(server, "ws://[::1]:8765")
    assert server.sent.startswith(b"GET / HTTP/1.1\r\n")
    assert b"\r\nHost: [::1]:8765\r\n" in server.sent


EARLY_HINTS = b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\n"
INTERIM = (EARLY_HINTS, b"HTTP/1.1 100 Continue\r\n\r\n", EARLY_HINTS * 32)


@pytest.mark.parametrize(
    "of_the_server",
    [
        answer(),
        answer(Upgrade="WebSocket", Connection="keep-alive, upgrade"),
        answer(Set_Cookie="a=b; Domain=binance.com", Content_Length="1000000"),
        lambda accept: [bytes([byte]) for byte in answer()(accept)[0]],
        *[lambda accept, before=before: [before + answer()(accept)[0]] for before in INTERIM],
    ],
)
def test_an_answer_that_is_accepted(of_the_server: Callable[[str], Iterable[bytes]]) -> None:
    shake(AnsweringServer(of_the_server))


def test_no_cookie_is_kept_and_frames_right_behind_the_answer_are_left_for_the_connection() -> None:
    shake(AnsweringServer(answer(Set_Cookie="session=1; Domain=binance.com")))
    server = AnsweringServer(lambda accept: [answer()(accept)[0] + b"\x81\x02hi"])
    shake(server)
    assert b"ookie" not in server.sent
    assert server.take()[0] == b"\x81\x02hi"


NO_WEBSOCKET: dict[str, tuple[Callable[[str], Iterable[bytes]], str]] = {
    "an empty line": (raw(b"\r\n\r\n"), "its answer is not HTTP"),
    "another protocol": (raw(b"220 mail.example ESMTP\r\n"), "its answer is not HTTP: 220 mail.example ESMTP"),
    "nonsense": (raw(bytes(range(256)) + b"\n"), "its answer is not HTTP"),
    "nothing": (raw(b""), "the connection was closed"),
    "half an answer": (raw(b"HTTP/1.1 101 Swit"), "the connection was closed"),
    "interim answers without end": (lambda _: iter(lambda: EARLY_HINTS, b""), "its headers are longer than"),
    "no upgrade": (answer(Upgrade=None), ""),
    "another upgrade": (answer(Upgrade="h2c"), ""),
    "no connection": (answer(Connection=None), ""),
    "no accept": (answer(Sec_WebSocket_Accept=None), ""),
    "an accept for another key": (answer(Sec_WebSocket_Accept="s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), ""),
    "an accept that is no text": (answer(Sec_WebSocket_Accept="\xff\xfe"), ""),
}


@pytest.mark.parametrize("name", NO_WEBSOCKET)
def test_an_answer_that_is_no_websockets(name: str) -> None:
    of_the_server, words = NO_WEBSOCKET[name]
    with pytest.raises(HandshakeFailed) as raised:
        shake(AnsweringServer(of_the_server))
    assert f"dstream.binance.com did not complete the WebSocket handshake: {words}" in str(raised.value)


@pytest.mark.parametrize("part", [b"", b"HTTP/1.1 101 Switching Protocols\r\n", EARLY_HINTS * 3])
def test_an_answer_that_does_not_come(part: bytes) -> None:
    with pytest.raises(HandshakeFailed, match="no answer in time"):
        shake(AnsweringServer(raw(part), ends=False))


@pytest.mark.parametrize(("status", "kind"), [("418", RateLimited), ("503 Service Unavailable", HandshakeRefused)])
@pytest.mark.parametrize("length", [None, "5", "70000", "-1", "many"])
def test_a_refusal_is_known_by_its_head_and_its_body_is_not_waited_for(
    status: str, kind: type[BinanceError], length: str | None
) -> None:
    server = AnsweringServer(
        answer(status, Content_Length=length, Retry_After="120", Location="wss://elsewhere"), ends=False
    )
    with pytest.raises(kind) as raised:
        shake(server)
    assert type(raised.value) is kind


def test_a_refusal_with_a_time_keeps_it() -> None:
    with pytest.raises(RateLimited) as raised:
        shake(AnsweringServer(answer("429 Too Many Requests", Retry_After="Fri, 31 Dec 9999 23:59:59 GMT")))
    with pytest.raises(RateLimited) as without:
        shake(AnsweringServer(answer("429 Too Many Requests")))
    assert raised.value.retry_at > without.value.retry_at + 86400
