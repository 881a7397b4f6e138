"""Clients of the local exchange, and what they say and hear."""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.http11 import Response
from websockets.sync.client import ClientConnection
from websockets.sync.client import connect as connect_websocket

from local_exchange import LocalExchange

ROOT = Path(__file__).parents[2]
ALL = "/ws/!bookTicker"
WAIT = 10.0
"""Seconds for anything that must come; on an idle machine all of it takes milliseconds."""
BOOK_TICKER = {"e": "bookTicker", "u": 11660059839759, "s": "BTCUSD_PERP", "ps": "BTCUSD"} | {
    **{"b": "83732.4", "B": "680", "a": "83732.5", "A": "2458"},
    **{"T": 1790373637547, "E": 1790373637547, "st": 2},
}


@contextlib.contextmanager
def connect(url: str, **options: Any) -> Iterator[ClientConnection]:
    with connect_websocket(url, compression=None, proxy=None, open_timeout=WAIT, max_queue=None, **options) as client:
        yield client


def refusal(url: str) -> Response:
    """How a handshake is refused."""
    with pytest.raises(InvalidStatus) as refused, connect(url):
        pass
    return refused.value.response


@contextlib.contextmanager
def listening(exchange: LocalExchange, path: str = ALL, **options: Any) -> Iterator[ClientConnection]:
    """A client of a market stream, which the exchange already counts among its connections."""
    before = set(exchange.connections)
    with connect(exchange.market_stream_url + path, **options) as client:
        exchange.wait_for(lambda: set(exchange.connections) - before, WAIT)
        yield client


@contextlib.contextmanager
def listening_raw(
    exchange: LocalExchange, path: str = ALL, tls: ssl.SSLContext | None = None
) -> Iterator[socket.socket]:
    """The same below WebSocket: a socket after its handshake, to see each byte."""
    with contextlib.ExitStack() as opened:
        client = opened.enter_context(socket.create_connection(("127.0.0.1", exchange.port), timeout=WAIT))
        if tls is not None:
            client = opened.enter_context(tls.wrap_socket(client, server_hostname="localhost"))
        ask_for_websocket(client, path)
        answer = b""
        while not answer.endswith(b"\r\n\r\n"):
            answer += client.recv(1)
        assert answer.startswith(b"HTTP/1.1 101 ")
        exchange.wait_for(lambda: exchange.connections, WAIT)
        yield client


def ask_for_websocket(client: socket.socket, path: str) -> None:
    client.sendall(
        f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n".encode()
    )


def ask(client: ClientConnection, request: Any) -> Any:
    client.send(request if isinstance(request, str) else json.dumps(request))
    return json.loads(client.recv(WAIT))


def heard(client: ClientConnection) -> list[Any]:
    """What has come so far: all that is before the answer to a question asked now."""
    client.send('{"method":"LIST_SUBSCRIPTIONS","id":4711}')
    return list(iter(lambda: _unless_the_answer(json.loads(client.recv(WAIT))), None))


def _unless_the_answer(message: Any) -> Any:
    return None if isinstance(message, dict) and message.get("id") == 4711 else message


def subscribe(*streams: str, number: int = 1) -> dict[str, Any]:
    return {"method": "SUBSCRIBE", "params": list(streams), "id": number}


def read_to_the_end(client: ClientConnection) -> tuple[list[str], ConnectionClosed]:
    """What still comes, and how the connection ended."""
    frames = []
    try:
        while True:
            frames.append(str(client.recv(WAIT)))
    except ConnectionClosed as end:
        return frames, end


def update(symbol: str, update_id: int) -> dict[str, Any]:
    return BOOK_TICKER | {"s": symbol, "u": update_id, "st": 2 if "USD_" in symbol else 1}
