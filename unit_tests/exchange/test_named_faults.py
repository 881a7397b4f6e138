"""Faults by name, as the command line lets them happen: each name does what it says."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import ClientConnection

from local_exchange import LocalExchange
from local_exchange.faults import NAMED_FAULTS, FaultPlan

from .clients import ALL, WAIT, ask, connect, listening, read_to_the_end, subscribe, update

BTC, ETH = "btcusd_perp@bookTicker", "ethusd_perp@bookTicker"
TWO = f"/stream?streams=!bookTicker/{BTC}/{ETH}"


@pytest.fixture
def exchange() -> Iterator[LocalExchange]:
    with LocalExchange(rate=0, sample_every=None, own_stream_lag=0) as exchange:
        yield exchange


def happen(exchange: LocalExchange, name: str) -> str:
    """The line that tells of it."""
    line = FaultPlan([name], 1.0, 0.0).due(1.0, exchange)
    assert line is not None
    return line


@pytest.mark.parametrize("kind", ["rst", "fin", "close", "cut", "silence", "mute", "shutdown", "raw", "lag"])
def test_to_the_oldest_connection(exchange: LocalExchange, kind: str) -> None:
    with listening(exchange, ping_interval=None, close_timeout=0.1), listening(exchange):
        oldest, other = exchange.connections
        assert happen(exchange, kind) == f"{kind}: {NAMED_FAULTS[kind].says}; it met /ws/!bookTicker"
        assert (oldest.faults, other.faults) == ([kind], [])
        if kind in ("silence", "mute", "lag"):
            assert oldest.is_open
        else:
            exchange.wait_for(lambda: oldest not in exchange.connections, WAIT)


def test_a_stream_dies(exchange: LocalExchange) -> None:
    with listening(exchange), listening(exchange, TWO):
        line = happen(exchange, "kill-stream")
        assert line.endswith("; it met /stream?streams=!bookTicker/btcusd_perp@bookTicker/ethusd...")
        happen(exchange, "kill-stream")
        assert [connection.dead_streams for connection in exchange.connections] == [set(), {BTC, ETH}]
        assert happen(exchange, "kill-stream") == "kill-stream: no connection listens to a contract's own stream"


def test_the_next_handshakes(exchange: LocalExchange) -> None:
    assert "it met" not in happen(exchange, "refuse")
    with pytest.raises(InvalidStatus), connect(exchange.market_stream_url + ALL):
        pass
    happen(exchange, "close-at-once")
    with connect(exchange.market_stream_url + ALL) as client:
        assert read_to_the_end(client)[0] == []


def _is_silent(client: ClientConnection) -> None:
    client.send(json.dumps(subscribe(BTC)))
    assert ask(client, {"method": "LIST_SUBSCRIPTIONS", "id": 2}) == {"result": [], "id": 2}


def _is_an_error(client: ClientConnection) -> None:
    assert "error" in ask(client, subscribe(BTC))


@pytest.mark.parametrize(
    ("name", "check"), [("ignore-subscriptions", _is_silent), ("refuse-subscriptions", _is_an_error)]
)
def test_the_next_subscription(exchange: LocalExchange, name: str, check: Callable[[ClientConnection], Any]) -> None:
    happen(exchange, name)
    with listening(exchange, "/ws") as client:
        check(client)
        assert ask(client, subscribe(BTC)) == {"result": None, "id": 1}, "once"


def test_late_subscriptions(exchange: LocalExchange) -> None:
    happen(exchange, "late-subscriptions")
    with listening(exchange, f"/ws/{BTC}") as client:
        exchange.push_updates([update("BTCUSD_PERP", 1)])
        with pytest.raises(TimeoutError):
            client.recv(0.1)


def test_no_name_is_without_a_test() -> None:
    here = {"rst", "fin", "close", "cut", "silence", "mute", "shutdown", "raw", "lag", "kill-stream", "refuse"}
    assert NAMED_FAULTS.keys() == here | {"close-at-once"} | {
        f"{what}-subscriptions" for what in ("ignore", "refuse", "late")
    }


def test_they_happen_in_turn_and_in_time(exchange: LocalExchange) -> None:
    plan = FaultPlan(["rst", "refuse"], 10.0, 100.0)
    assert plan.due(109.9, exchange) is None
    assert plan.due(110.0, exchange) == "rst: no market connection is open"
    assert plan.due(119.9, exchange) is None
    told = plan.due(150.0, exchange)
    assert told is not None
    assert told.startswith("refuse")
    assert plan.due(159.9, exchange) is None, "what was not done in time is not made up for"
    assert plan.due(160.0, exchange) == "rst: no market connection is open"
