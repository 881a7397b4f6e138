"""`ticker.price`: its answers, weights and limits, and what a test scripts instead."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from websockets.sync.client import ClientConnection

from local_exchange import CloseConnection, Delayed, DropConnection, Fragmented, LocalExchange

from .clients import WAIT, ask, connect, read_to_the_end


@pytest.fixture
def api(exchange: LocalExchange) -> Iterator[ClientConnection]:
    with connect(exchange.websocket_api_url) as client:
        exchange.wait_for(lambda: exchange.api_connections, WAIT)
        yield client


def test_one_symbol_is_an_object(exchange: LocalExchange, api: ClientConnection) -> None:
    exchange.prices["BTCUSDT"] = ("6000.0100", 1589437530011)
    answer = ask(api, {"id": "a", "method": "ticker.price", "params": {"symbol": "BTCUSDT"}})
    assert answer["result"] == {"symbol": "BTCUSDT", "price": "6000.0100", "time": 1589437530011}
    assert (answer["id"], answer["status"]) == ("a", 200)
    (limit,) = answer["rateLimits"]
    assert limit["limit"] == 2400
    assert exchange.weight.spent == 5 + 1


def test_all_symbols_are_an_array(exchange: LocalExchange, api: ClientConnection) -> None:
    rows = ask(api, {"id": 7, "method": "ticker.price"})["result"]
    assert {row["symbol"]: (row["price"], row["time"]) for row in rows} == exchange.prices
    assert {"1000SATSUSDT", "币安人生USDT", "BTCUSDT_260626"} <= {row["symbol"] for row in rows}
    assert min(row["time"] for row in rows) < time.time() * 1000 - 60 * 86_400_000
    assert exchange.requests == [{"id": 7, "method": "ticker.price"}]
    assert exchange.weight.spent == 5 + 2


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        ({"id": 1, "method": "ticker.price", "params": {"symbol": "NOPE"}}, -1121),
        ({"id": 1, "method": "ticker.price", "params": {"symbols": ["BTCUSDT"]}}, -1101),
        ({"id": 1, "method": "ping"}, -1020),
        ("{", -1135),
    ],
)
def test_wrong_requests(api: ClientConnection, request_: Any, code: int) -> None:
    answer = ask(api, request_)
    assert (answer["status"], answer["error"]["code"]) == (400, code)
    assert answer["id"] == (None if request_ == "{" else 1)


def test_the_weight_of_the_minute(exchange: LocalExchange, api: ClientConnection) -> None:
    exchange.wait_for(lambda: time.time() % 60 < 58, 3.0)
    exchange.weight.used = 2397
    assert ask(api, {"method": "ticker.price"})["rateLimits"][0]["count"] == 2399
    refused = ask(api, {"method": "ticker.price"})
    assert (refused["status"], refused["error"]["code"]) == (429, -1003)
    assert 0 < refused["error"]["data"]["retryAfter"] - time.time() * 1000 <= 60_000


@pytest.mark.slow
def test_scripted_answers_come_in_turn_and_then_the_truth(exchange: LocalExchange, api: ClientConnection) -> None:
    exchange.script_answer(
        {"status": 503},
        {"id": None, "status": 401},
        '{"odd":1}',
        lambda request: {"echo": request["method"]},
        [{"event": {}}, {"id": "other"}, {"status": 200}],
        Fragmented({"text": "币安人生" * 100}, pieces=7),
        Delayed({"late": True}, 0.2),
    )
    price = {"id": 1, "method": "ticker.price", "params": {"symbol": "BTCUSDT"}}
    assert ask(api, price) == {"id": 1, "status": 503}
    assert ask(api, price) == {"id": None, "status": 401}
    assert ask(api, price) == {"odd": 1}
    assert ask(api, price) == {"id": 1, "echo": "ticker.price"}
    assert [ask(api, price), json.loads(api.recv(WAIT)), json.loads(api.recv(WAIT))] == [
        {"id": 1, "event": {}},
        {"id": "other"},
        {"id": 1, "status": 200},
    ]
    api.send(json.dumps(price))
    pieces = list(api.recv_streaming(decode=False))
    assert len(pieces) >= 7
    assert json.loads(b"".join(pieces)) == {"id": 1, "text": "币安人生" * 100}
    started = time.monotonic()
    assert ask(api, price) == {"id": 1, "late": True}
    assert time.monotonic() - started >= 0.2
    assert ask(api, price)["result"]["symbol"] == "BTCUSDT"
    assert len(exchange.requests) == 8


def test_drop_and_close(exchange: LocalExchange, api: ClientConnection) -> None:
    exchange.script_answer(DropConnection, CloseConnection(1008, "Too many requests"))
    api.send('{"method":"ticker.price"}')
    _, end = read_to_the_end(api)
    assert isinstance(end.__cause__, ConnectionResetError)
    with connect(exchange.websocket_api_url) as other:
        other.send('{"method":"ticker.price"}')
        _, end = read_to_the_end(other)
    assert end.rcvd is not None
    assert (end.rcvd.code, end.rcvd.reason) == (1008, "Too many requests")
