"""The market stream: paths, broadcast, pings, and clients that do not keep up."""

from __future__ import annotations

import json
import time

import pytest
from websockets.exceptions import InvalidStatus

from local_exchange import LocalExchange, connection

from .clients import BOOK_TICKER, WAIT, connect, listening, listening_raw, update


@pytest.mark.parametrize(
    ("path", "streams"),
    [
        ("/ws/!bookTicker", [None, None, None]),
        ("/ws/%21bookTicker", [None, None, None]),
        ("/ws/ethusd_perp@bookTicker", [None]),
        ("/ws/ETHUSD_PERP@bookTicker", []),
        ("/ws", []),
        ("/stream?streams=!bookTicker", ["!bookTicker"] * 3),
        ("/stream?streams=%21bookTicker", ["!bookTicker"] * 3),
        (
            "/stream?streams=btcusd_perp@bookTicker/ethusd_perp@bookTicker",
            ["btcusd_perp@bookTicker", "ethusd_perp@bookTicker"],
        ),
        ("/stream?streams=no_such_stream", []),
    ],
)
def test_each_path_gets_its_streams(exchange: LocalExchange, path: str, streams: list[str | None]) -> None:
    updates = [update("BTCUSD_PERP", 3), update("ETHUSD_PERP", 1), update("BTCUSDT", 2)]
    with listening(exchange, path) as client:
        exchange.push_updates(updates)
        exchange.push("the end")
        frames = [str(client.recv(WAIT)) for _ in range(len(streams) + 1)]
    assert frames.pop() == "the end"
    assert [json.loads(frame).get("stream") for frame in frames] == streams
    payloads = [json.loads(frame).get("data", json.loads(frame)) for frame in frames]
    assert all(payload in updates for payload in payloads)
    assert exchange.pushed == [("BTCUSD_PERP", 3), ("ETHUSD_PERP", 1), ("BTCUSDT", 2)]


def test_a_payload_keeps_its_bytes_raw_and_wrapped(exchange: LocalExchange) -> None:
    text = json.dumps(BOOK_TICKER, separators=(",", ":"))
    with listening(exchange) as raw, listening(exchange, "/stream?streams=!bookTicker") as wrapped:
        exchange.push_updates([BOOK_TICKER])
        assert raw.recv(WAIT) == text
        assert wrapped.recv(WAIT) == '{"stream":"!bookTicker","data":' + text + "}"


def test_an_unknown_path_is_not_found(exchange: LocalExchange) -> None:
    with pytest.raises(InvalidStatus) as refused, connect(exchange.market_stream_url + "/nowhere"):
        pass
    assert refused.value.response.status_code == 404
    assert [(path, status) for _, path, status in exchange.handshakes] == [("/nowhere", 404)]


def test_it_broadcasts_and_never_replays(exchange: LocalExchange) -> None:
    exchange.push_updates([update("BTCUSD_PERP", 1)])
    with listening(exchange) as first:
        exchange.push_updates([update("BTCUSD_PERP", 2)])
        with listening(exchange) as second:
            exchange.push_updates([update("BTCUSD_PERP", 3)])
            assert [json.loads(first.recv(WAIT))["u"] for _ in range(2)] == [2, 3]
            assert json.loads(second.recv(WAIT))["u"] == 3
            assert [c.frames_sent for c in exchange.connections] == [2, 1]


def test_any_text_frame_can_be_pushed(exchange: LocalExchange) -> None:
    with listening_raw(exchange) as client:
        exchange.push(b"\xff\xfe")
        assert client.recv(100) == b"\x81\x02\xff\xfe"


def test_a_slow_reader_is_cut() -> None:
    with LocalExchange(rate=0, unsent_limit=2**20) as exchange, listening_raw(exchange) as client:
        pushed = received = 0
        while exchange.connections:
            exchange.push("x" * 2**20)
            pushed += 2**20
            assert pushed < 64 * 2**20
        while chunk := client.recv(2**20):
            received += len(chunk)
        assert received < pushed


def test_pings_carry_the_time_and_pongs_are_kept() -> None:
    with LocalExchange(rate=0, ping_interval=0.05) as exchange, listening(exchange):
        (server_side,) = exchange.connections
        exchange.wait_for(lambda: len(server_side.pongs) > 2, WAIT)
        sent_at = int(server_side.pongs[-1])
        assert abs(sent_at - time.time() * 1000) < 5000


def test_a_client_that_never_pongs_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "PONG_TIMEOUT", 0.1)
    with LocalExchange(rate=0, ping_interval=0.05) as exchange, listening_raw(exchange):
        exchange.wait_for(lambda: not exchange.connections, WAIT)
