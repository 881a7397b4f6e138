"""SUBSCRIBE, UNSUBSCRIBE and LIST_SUBSCRIPTIONS, as Binance answers them."""

from __future__ import annotations

import json

import pytest

from local_exchange import LocalExchange

from .clients import WAIT, ask, listening, read_to_the_end, update


def test_subscriptions_change_what_comes(exchange: LocalExchange) -> None:
    with listening(exchange, "/ws") as client:
        names = ["btcusd_perp@bookTicker", "NONSENSE"]
        assert ask(client, {"method": "SUBSCRIBE", "params": names, "id": 1}) == {"result": None, "id": 1}
        assert ask(client, {"method": "LIST_SUBSCRIPTIONS", "id": 2}) == {"result": sorted(names), "id": 2}
        exchange.push_updates([update("ETHUSD_PERP", 1), update("BTCUSD_PERP", 2)])
        assert json.loads(client.recv(WAIT))["u"] == 2
        assert ask(client, {"method": "UNSUBSCRIBE", "params": names, "id": 3}) == {"result": None, "id": 3}
        exchange.push_updates([update("BTCUSD_PERP", 3)])
        assert ask(client, {"method": "LIST_SUBSCRIPTIONS", "id": 4}) == {"result": [], "id": 4}


@pytest.mark.parametrize(
    ("message", "code", "text"),
    [
        (
            '{"method":"SUBSCRIBE","params":[],"id":"x"}',
            2,
            "Invalid request: request ID must be an unsigned integer",
        ),
        (
            '{"method":"SUBSCRIBE","params":[],"id":-1}',
            2,
            "Invalid request: request ID must be an unsigned integer",
        ),
        ('{"method":"SUBSCRIBE","params":"a","id":1}', 2, "Invalid request: params must be"),
        ('{"method":"JUMP","id":1}', 2, "Invalid request: unknown variant"),
        ("[]", 2, "Invalid request"),
        ("{", 3, "Invalid JSON"),
    ],
)
def test_invalid_ones_are_told(exchange: LocalExchange, message: str, code: int, text: str) -> None:
    with listening(exchange) as client:
        answer = ask(client, message)
        assert answer["code"] == code
        assert answer["msg"].startswith(text)


def test_too_many_streams(exchange: LocalExchange) -> None:
    with listening(exchange) as client:
        request = {"method": "SUBSCRIBE", "params": [f"s{i}@bookTicker" for i in range(1024)], "id": 1}
        assert ask(client, request)["error"]["code"] == 4


def test_more_than_ten_in_a_second_close_the_connection(exchange: LocalExchange) -> None:
    with listening(exchange) as client:
        for number in range(11):
            client.send(json.dumps({"method": "LIST_SUBSCRIPTIONS", "id": number}))
        frames, end = read_to_the_end(client)
    assert len(frames) == 10
    assert end.rcvd is not None
    assert (end.rcvd.code, end.rcvd.reason) == (1008, "Too many requests")
