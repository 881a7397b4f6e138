"""Where it is, TLS, deadlines, and what it says when it fails."""

from __future__ import annotations

import os
import socket
import ssl

import pytest

from local_exchange import LocalExchange

from .clients import WAIT, listening, listening_raw, read_to_the_end


def test_environment(exchange: LocalExchange) -> None:
    assert exchange.environment() == {
        "name": "custom",
        "market_stream_url": f"ws://127.0.0.1:{exchange.port}",
        "websocket_api_url": f"ws://127.0.0.1:{exchange.port}/ws-fapi/v1",
    }
    assert exchange.environment(usds_margined=True) == exchange.environment() | {
        "usds_margined_stream_url": f"ws://127.0.0.1:{exchange.port}/usds/public"
    }


@pytest.fixture
def tls() -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """The server's side and the client's."""
    import trustme

    authority = trustme.CA()
    server_side, client_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert("localhost").configure_cert(server_side)
    authority.configure_trust(client_side)
    return server_side, client_side


def test_tls(tls: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    server_side, client_side = tls
    with LocalExchange(rate=0, ssl_context=server_side) as exchange:
        assert exchange.market_stream_url == f"wss://localhost:{exchange.port}"
        # Sockets of one thread: CPython's SSLSocket does not bear a thread that reads beside one that writes.
        with listening_raw(exchange, tls=client_side) as client:
            exchange.push("over TLS")
            assert client.recv(100) == b"\x81\x08over TLS"
            exchange.fault("fin")
            assert client.recv(100) == b""
        # SSLSocket takes a reset for an end of stream; the socket below it does not.
        with (
            listening_raw(exchange, tls=client_side) as client,
            socket.socket(fileno=os.dup(client.fileno())) as tcp,
        ):
            tcp.settimeout(WAIT)
            exchange.fault("rst")
            with pytest.raises(ConnectionResetError):
                tcp.recv(100)


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
