"""Faults by name, as the command line lets them happen: each name does what it says."""

from __future__ import annotations

from collections.abc import Iterator
from typing import get_args

import pytest

from local_exchange import LocalExchange
from local_exchange.connection import FaultKind
from local_exchange.faults import NAMED_FAULTS, FaultPlan

from .clients import listening

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


@pytest.mark.parametrize("name", sorted(NAMED_FAULTS.keys() - {"kill-stream"}))
def test_each_says_what_it_does_and_meets_the_oldest_connection(exchange: LocalExchange, name: str) -> None:
    with listening(exchange, ping_interval=None, close_timeout=0.1), listening(exchange):
        oldest, other = exchange.connections
        line = happen(exchange, name)
        meets = name in get_args(FaultKind) or name == "lag"
        assert line == f"{name}: {NAMED_FAULTS[name].says}" + ("; it met /ws/!bookTicker" if meets else "")
        assert (oldest.faults, other.faults) == ([name] if meets else [], [])


def test_a_stream_dies(exchange: LocalExchange) -> None:
    with listening(exchange), listening(exchange, TWO):
        line = happen(exchange, "kill-stream")
        assert line.endswith("; it met /stream?streams=!bookTicker/btcusd_perp@bookTicker/ethusd...")
        happen(exchange, "kill-stream")
        assert [connection.dead_streams for connection in exchange.connections] == [set(), {BTC, ETH}]
        assert happen(exchange, "kill-stream") == "kill-stream: no connection listens to a contract's own stream"


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
