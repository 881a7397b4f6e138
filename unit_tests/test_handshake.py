"""The WebSocket handshake: what is asked, and what is made of each answer."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterable

import pytest

from source_binance_futures.binance.clock import Clock
from source_binance_futures.binance.errors import (
    AddressRefused,
    AnsweredByPage,
    BinanceError,
    HandshakeFailed,
    HandshakeRefused,
    LocationRefused,
    RateLimited,
)
from source_binance_futures.binance.transport.handshake import shake_hands
from source_binance_futures.binance.transport.sockets import ByteStream

from .sockets import PATIENCE, ScriptedStream, accept_for, tcp_ends

URL = "wss://dstream.binance.com/stream?streams=btcusd_perp@bookTicker"
HEADERS = {"Upgrade": "websocket", "Connection": "Upgrade"}


class Server(ScriptedStream):
    """Answers with `answer(accept)`, in pieces, once the request is there."""

    def __init__(self, answer: Callable[[str], Iterable[bytes]], *, ends: bool = True) -> None:
        def pieces() -> Iterable[bytes]:
            assert self.sent.endswith(b"\r\n\r\n")
            yield from answer(accept_for(self.sent))

        super().__init__(pieces(), ends=ends)


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
    server = Server(answer())
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
    server = Server(answer())
    shake(server, "ws://[::1]:8765")
    assert server.sent.startswith(b"GET / HTTP/1.1\r\n")
    assert b"\r\nHost: [::1]:8765\r\n" in server.sent


@pytest.mark.parametrize(
    "of_the_server",
    [
        answer(),
        answer(Upgrade="WebSocket", Connection="keep-alive, upgrade"),
        answer(Set_Cookie="a=b; Domain=binance.com", Content_Length="1000000"),
        lambda accept: [bytes([byte]) for byte in answer()(accept)[0]],
    ],
)
def test_an_answer_that_is_accepted(of_the_server: Callable[[str], Iterable[bytes]]) -> None:
    shake(Server(of_the_server))


EARLY_HINTS = b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\n"


@pytest.mark.parametrize("interim", [EARLY_HINTS, b"HTTP/1.1 100 Continue\r\n\r\n", EARLY_HINTS * 32])
def test_interim_answers_are_skipped(interim: bytes) -> None:
    shake(Server(lambda accept: [interim + answer()(accept)[0]]))


def test_interim_answers_without_end_are_given_up() -> None:
    """And those that stop are waited for until the same deadline."""
    with pytest.raises(HandshakeFailed, match="it sent more than 32 interim answers and no other"):
        shake(Server(lambda _: iter(lambda: EARLY_HINTS, b"")))
    with pytest.raises(HandshakeFailed, match="no answer in time"):
        shake(Server(raw(EARLY_HINTS * 3), ends=False))


@pytest.mark.parametrize(
    "status", ["200 OK", "302 Found", "307 Temporary Redirect", "511 Network Authentication Required"]
)
def test_a_page_in_place_of_the_handshake_is_named_by_its_host(status: str) -> None:
    location = "http://login.hotel.example:8080/start?session=Geheim"
    with pytest.raises(AnsweredByPage) as raised:
        shake(Server(answer(status, Location=location)))
    assert "something in between answers with a page of its own, at login.hotel.example." in str(raised.value)
    assert "Geheim" not in str(raised.value)


@pytest.mark.parametrize("location", [None, "/login", "http://[", "http://a\tb\x1b.example/", "http://" + "x" * 300])
def test_a_page_without_a_host_that_can_be_shown(location: str | None) -> None:
    with pytest.raises(AnsweredByPage) as raised:
        shake(Server(answer("302 Found", Location=location)))
    assert "answers with a page of its own. Where" in str(raised.value)


def test_no_cookie_is_kept_for_the_next_connection() -> None:
    shake(Server(answer(Set_Cookie="session=1; Domain=binance.com")))
    server = Server(answer())
    shake(server)
    assert b"ookie" not in server.sent


def test_frames_right_behind_the_answer_are_left_for_the_connection() -> None:
    server = Server(lambda accept: [answer()(accept)[0] + b"\x81\x02hi"])
    shake(server)
    assert server.take()[0] == b"\x81\x02hi"


NO_WEBSOCKET = {
    "an empty line": (raw(b"\r\n\r\n"), "its answer is not HTTP"),
    "another protocol": (raw(b"220 mail.example ESMTP\r\n"), "its answer is not HTTP: 220 mail.example ESMTP"),
    "nothing": (raw(b""), "the connection was closed during it"),
    "half an answer": (raw(b"HTTP/1.1 101 Swit"), "the connection was closed during it"),
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
        shake(Server(of_the_server))
    assert f"dstream.binance.com did not complete the WebSocket handshake: {words}" in str(raised.value)


def test_an_answer_that_does_not_come() -> None:
    for part in (b"", b"HTTP/1.1 101 Switching Protocols\r\n"):
        with pytest.raises(HandshakeFailed, match="no answer in time"):
            shake(Server(raw(part), ends=False))


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        ("451 Unavailable For Legal Reasons", LocationRefused),
        ("429 Too Many Requests", RateLimited),
        ("418", RateLimited),
        ("404 Not Found", AddressRefused),
        ("302 Found", AnsweredByPage),
        ("200 OK", AnsweredByPage),
        ("503 Service Unavailable", HandshakeRefused),
    ],
)
@pytest.mark.parametrize("length", [None, "5", "70000", "-1", "many"])
def test_a_refusal_is_known_by_its_head_and_its_body_is_not_waited_for(
    status: str, kind: type[BinanceError], length: str | None
) -> None:
    server = Server(answer(status, Content_Length=length, Retry_After="120", Location="wss://elsewhere"), ends=False)
    with pytest.raises(kind) as raised:
        shake(server)
    assert type(raised.value) is kind


def test_a_refusal_with_a_time_keeps_it() -> None:
    with pytest.raises(RateLimited) as raised:
        shake(Server(answer("429 Too Many Requests", Retry_After="Fri, 31 Dec 9999 23:59:59 GMT")))
    with pytest.raises(RateLimited) as without:
        shake(Server(answer("429 Too Many Requests")))
    assert raised.value.retry_at > without.value.retry_at + 86400


def test_a_long_request_is_sent_whole_to_a_server_that_reads_slowly() -> None:
    url = "ws://127.0.0.1:8765/stream?streams=" + "x" * 2**20
    with tcp_ends() as (client, server):
        client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        received = bytearray()

        def serve() -> None:
            while not received.endswith(b"\r\n\r\n"):
                received.extend(server.recv(50_000))
            server.sendall(answer()(accept_for(bytes(received)))[0])

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        shake_hands(ByteStream(client), url, Clock().deadline(PATIENCE))
        thread.join(PATIENCE)
    assert bytes(received).partition(b" HTTP/1.1\r\n")[0].endswith(b"x" * 2**20)
