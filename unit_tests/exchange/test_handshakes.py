"""What a handshake can meet; where the exchange is, TLS, deadlines, and what it says when it fails."""

from __future__ import annotations

import socket

import pytest

from local_exchange import LocalExchange

from .clients import ALL, WAIT, ask_for_websocket, connect, listening, read_to_the_end, refusal


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


def test_an_exchange_closes_although_a_handshake_waits() -> None:
    with LocalExchange(rate=0) as exchange, socket.create_connection(("127.0.0.1", exchange.port)) as client:
        exchange.slow_handshake(3600)
        ask_for_websocket(client, ALL)
        exchange.wait_for(lambda: exchange._server._kept_waiting, WAIT)
        exchange.__exit__(None, None, None)  # it has a deadline of its own
        assert client.recv(1) == b""


def test_environment(exchange: LocalExchange) -> None:
    assert exchange.environment() == {
        "name": "custom",
        "market_stream_url": f"ws://127.0.0.1:{exchange.port}",
        "websocket_api_url": f"ws://127.0.0.1:{exchange.port}/ws-fapi/v1",
    }
    assert exchange.environment(usds_margined=True) == exchange.environment() | {
        "usds_margined_stream_url": f"ws://127.0.0.1:{exchange.port}/usds/public"
    }


def test_wait_for_has_a_deadline(exchange: LocalExchange) -> None:
    assert exchange.wait_for(lambda: "yes", WAIT) == "yes"
    with pytest.raises(TimeoutError):
        exchange.wait_for(lambda: False, 0.05)


def test_a_port_that_is_taken(exchange: LocalExchange) -> None:
    with pytest.raises(OSError, match="in use"), LocalExchange(port=exchange.port):
        pass


def test_an_error_while_pushing_reaches_the_test(monkeypatch: pytest.MonkeyPatch) -> None:
    exchange = LocalExchange(rate=0).__enter__()
    with listening(exchange) as client:
        monkeypatch.setattr(exchange._engine, "_weights", [])
        exchange.set_rate(1000)
        read_to_the_end(client)
    with pytest.raises(ValueError, match="weights"):
        exchange.__exit__(None, None, None)
