"""`ticker.price`: its answers, weights and limits, and what a test scripts instead."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from websockets.sync.client import ClientConnection

from local_exchange import Delayed, Fragmented, LocalExchange

from .clients import WAIT, ask, connect


@pytest.fixture
def api(exchange: LocalExchange) -> Iterator[ClientConnection]:
    with connect(exchange.websocket_api_url) as client:
        exchange.wait_for(lambda: exchange.api_connections, WAIT)
        yield client


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
    assert refused["error"]["data"]["retryAfter"] == (exchange.weight.minute + 1) * 60_000


def test_a_delayed_answer_holds_up_no_other(exchange: LocalExchange, api: ClientConnection) -> None:
    exchange.script_answer(Delayed({"late": True}, 0.2), {"late": False})
    api.send('{"id":1,"method":"ticker.price"}')
    assert ask(api, {"id": 2, "method": "ticker.price"}) == {"id": 2, "late": False}
    assert json.loads(api.recv(WAIT)) == {"id": 1, "late": True}


def test_a_fragmented_answer_comes_in_pieces(exchange: LocalExchange, api: ClientConnection) -> None:
    exchange.script_answer(Fragmented({"text": "币安人生" * 100}, pieces=7))
    api.send('{"id":1,"method":"ticker.price"}')
    pieces = list(api.recv_streaming(decode=False))
    assert len(pieces) >= 7
    assert json.loads(b"".join(pieces)) == {"id": 1, "text": "币安人生" * 100}
