"""What a handshake can meet."""

from __future__ import annotations

import contextlib
import socket
import time

import pytest

from local_exchange import LocalExchange

from .clients import ALL, WAIT, ask_for_websocket, connect, read_to_the_end, refusal


def test_refusals_end_after_their_times(exchange: LocalExchange) -> None:
    exchange.refuse(418, {"Retry-After": "120"}, "banned", times=2, endpoint="market")
    for _ in range(2):
        refused = refusal(exchange.market_stream_url + ALL)
        assert (refused.status_code, refused.headers["Retry-After"], refused.body) == (418, "120", b"banned")
        with connect(exchange.websocket_api_url):
            pass
    with connect(exchange.market_stream_url + ALL):
        pass
    assert [status for _, path, status in exchange.handshakes if path == ALL] == [418, 418, 101]


@pytest.mark.slow
def test_an_exchange_closes_although_a_handshake_waits() -> None:
    with contextlib.ExitStack() as clients:
        with LocalExchange(rate=0) as exchange:
            exchange.slow_handshake(60)
            client = clients.enter_context(socket.create_connection(("127.0.0.1", exchange.port)))
            ask_for_websocket(client, ALL)
            time.sleep(0.1)
            started = time.monotonic()
        assert time.monotonic() - started < 3


def test_endless_headers(exchange: LocalExchange) -> None:
    exchange.endless_handshake_headers()
    with socket.create_connection(("127.0.0.1", exchange.port), timeout=WAIT) as client:
        ask_for_websocket(client, ALL)
        received = b""
        while len(received) < 2**20:
            received += client.recv(2**16)
        assert received.startswith(b"HTTP/1.1 101 ")
        assert b"\r\n\r\n" not in received
    with connect(exchange.market_stream_url + ALL):
        pass


def test_accepted_and_closed_at_once(exchange: LocalExchange) -> None:
    exchange.close_at_once(times=2, code=1012, reason="restart")
    for _ in range(2):
        with connect(exchange.market_stream_url + ALL) as client:
            frames, end = read_to_the_end(client)
        assert frames == []
        assert end.rcvd is not None
        assert (end.rcvd.code, end.rcvd.reason) == (1012, "restart")
    with connect(exchange.market_stream_url + ALL) as client:
        assert client.ping().wait(WAIT)
    assert [status for _, _, status in exchange.handshakes] == [101, 101, 101]
    assert len(exchange.every_connection) == 1
