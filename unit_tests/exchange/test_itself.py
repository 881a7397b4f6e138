"""Where it is, TLS, deadlines, and what it says when it fails."""

from __future__ import annotations

import ssl

import pytest

from local_exchange import LocalExchange

from .clients import WAIT, listening, read_to_the_end


def test_environment(exchange: LocalExchange) -> None:
    assert exchange.environment() == {
        "name": "custom",
        "market_stream_url": f"ws://127.0.0.1:{exchange.port}",
        "websocket_api_url": f"ws://127.0.0.1:{exchange.port}/ws-fapi/v1",
    }


def test_tls() -> None:
    import trustme

    authority = trustme.CA()
    server_side, client_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert("localhost").configure_cert(server_side)
    authority.configure_trust(client_side)
    with LocalExchange(rate=0, ssl_context=server_side) as exchange:
        assert exchange.market_stream_url == f"wss://localhost:{exchange.port}"
        with listening(exchange, ssl=client_side) as client:
            exchange.push("over TLS")
            assert client.recv(WAIT) == "over TLS"
            exchange.fault("fin")
            read_to_the_end(client)
        with listening(exchange, ssl=client_side) as client:
            exchange.fault("rst")
            read_to_the_end(client)


def test_wait_for_has_a_deadline(exchange: LocalExchange) -> None:
    assert exchange.wait_for(lambda: "yes", WAIT) == "yes"
    with pytest.raises(TimeoutError):
        exchange.wait_for(lambda: False, 0.05)


def test_a_port_that_is_taken(exchange: LocalExchange) -> None:
    with pytest.raises(OSError, match="in use"), LocalExchange(port=exchange.port):
        pass


def test_an_error_while_pushing_reaches_the_test(monkeypatch: pytest.MonkeyPatch) -> None:
    exchange = LocalExchange(rate=0)
    monkeypatch.setattr(exchange._engine, "_weights", [])
    thread = exchange._thread._thread
    exchange.__enter__()
    exchange.set_rate(1000)
    thread.join(WAIT)
    assert not thread.is_alive()
    with pytest.raises(ValueError, match="weights"):
        exchange.__exit__(None, None, None)
