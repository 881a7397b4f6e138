"""SUBSCRIBE, UNSUBSCRIBE and LIST_SUBSCRIPTIONS as Binance answers them, and what can go wrong with them."""

from __future__ import annotations

import json
import time

import pytest
from websockets.sync.client import ClientConnection

from local_exchange import LocalExchange

from .clients import WAIT, ask, heard, listening, read_to_the_end, subscribe, update

BTC, ETH = "btcusd_perp@bookTicker", "ethusd_perp@bookTicker"
TWO = f"/stream?streams={BTC}/{ETH}/!bookTicker"
DONE = {"result": None, "id": 1}


def streams_heard(client: ClientConnection) -> list[str]:
    return [message["stream"] for message in heard(client)]


def push(exchange: LocalExchange, update_id: int) -> None:
    exchange.push_updates([update("BTCUSD_PERP", update_id), update("ETHUSD_PERP", update_id)])


def test_refusals_go_on_until_accepted_again(exchange: LocalExchange) -> None:
    exchange.refuse_subscriptions(times=None)
    with listening(exchange, f"/stream?streams={BTC}") as client:
        for number in range(3):
            refused = {"error": {"code": 4, "msg": "Too many subscriptions"}, "id": number}
            assert ask(client, subscribe(ETH, number=number)) == refused
        push(exchange, 1)
        assert streams_heard(client) == [BTC]
        assert ask(client, {"method": "UNSUBSCRIBE", "params": [BTC], "id": 1}) == DONE, "only SUBSCRIBE is refused"
        push(exchange, 2)
        assert streams_heard(client) == []
        exchange.accept_subscriptions()
        assert ask(client, subscribe(ETH)) == DONE


def test_what_is_unsubscribed_before_its_late_data_begins_never_comes(exchange: LocalExchange) -> None:
    with listening(exchange, "/stream") as client:
        exchange.late_subscriptions(0.2)
        assert ask(client, subscribe(ETH, BTC)) == DONE
        assert ask(client, {"method": "UNSUBSCRIBE", "params": [BTC], "id": 1}) == DONE
        exchange.wait_for(lambda: exchange.connections[0].delivered, WAIT)
        push(exchange, 1)
        assert streams_heard(client) == [ETH]


def test_one_stream_dies_while_all_else_goes_on(exchange: LocalExchange) -> None:
    with listening(exchange, TWO) as first, listening(exchange, TWO) as second:
        killed, other = exchange.connections
        exchange.kill_stream("BTCUSD_PERP", killed)
        push(exchange, 1)
        assert streams_heard(first) == ["!bookTicker", "!bookTicker", ETH]
        assert streams_heard(second) == ["!bookTicker", "!bookTicker", BTC, ETH]
        assert ask(first, {"method": "UNSUBSCRIBE", "params": [BTC], "id": 1}) == DONE
        assert ask(first, subscribe(BTC)) == DONE
        push(exchange, 2)
        assert BTC not in streams_heard(first), "it is dead for good"
        assert BTC in killed.streams

        exchange.kill_stream("BTCUSD_PERP", other)
        exchange.kill_stream("ETHUSD_PERP", other)
        heard(second)
        push(exchange, 3)
        assert streams_heard(second) == ["!bookTicker", "!bookTicker"]


def test_control_messages_are_remembered(exchange: LocalExchange) -> None:
    began = time.monotonic()
    with listening(exchange, "/stream") as client:
        ask(client, subscribe(BTC))
        ask(client, "{")
    (connection,) = exchange.every_connection
    assert [message for _, message in connection.control_messages] == [subscribe(BTC), "{"]
    times = [began, *(at for at, _ in connection.control_messages), time.monotonic()]
    assert times == sorted(times)
    exchange.wait_for(lambda: not exchange.connections, WAIT)
    assert exchange.every_connection == [connection]


@pytest.mark.parametrize(
    ("message", "code", "text"),
    [
        ('{"method":"SUBSCRIBE","params":[],"id":"x"}', 2, "Invalid request: request ID must be"),
        ('{"method":"SUBSCRIBE","params":[],"id":-1}', 2, "Invalid request: request ID must be"),
        ('{"method":"SUBSCRIBE","params":"a","id":1}', 2, "Invalid request: params must be"),
        ('{"method":"JUMP","id":1}', 2, "Invalid request: unknown variant"),
        ("[]", 2, "Invalid request"),
        ("{", 3, "Invalid JSON"),
    ],
)
def test_invalid_ones_are_reported(exchange: LocalExchange, message: str, code: int, text: str) -> None:
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
