"""What a handshake can meet; where the exchange is, TLS, deadlines, and what it says when it fails."""

from __future__ import annotations

import contextlib
import os
import socket
import ssl
import time

import pytest

from local_exchange import LocalExchange

from .clients import ALL, WAIT, ask_for_websocket, connect, listening, listening_raw, read_to_the_end, refusal


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
