"""Faults by name, as the command line lets them happen: each name does what it says."""

from __future__ import annotations

from collections.abc import Iterator
from typing import get_args

import pytest

from local_exchange import LocalExchange
from local_exchange.connection import FaultKind
from local_exchange.faults import NAMED_FAULTS, happen

from .clients import listening

BTC, ETH = "btcusd_perp@bookTicker", "ethusd_perp@bookTicker"
TWO = f"/stream?streams=!bookTicker/{BTC}/{ETH}"


@pytest.fixture
def exchange() -> Iterator[LocalExchange]:
    with LocalExchange(rate=0, sample_every=None, own_stream_lag=0) as exchange:
        yield exchange


@pytest.mark.parametrize("name", sorted(NAMED_FAULTS.keys() - {"kill-stream"}))
def test_each_says_what_it_does_and_meets_the_oldest_connection(exchange: LocalExchange, name: str) -> None:
    with listening(exchange, ping_interval=None, close_timeout=0.1), listening(exchange):
        oldest, other = exchange.connections
        line = happen(exchange, name)
        meets = name in get_args(FaultKind) or name == "lag"
        assert line == f"{name}: {NAMED_FAULTS[name][0]}" + ("; it met /ws/!bookTicker" if meets else "")
        assert (oldest.faults, other.faults) == ([name] if meets else [], [])


def test_a_stream_dies(exchange: LocalExchange) -> None:
    with listening(exchange), listening(exchange, TWO):
        line = happen(exchange, "kill-stream")
        assert line.endswith("; it met /stream?streams=!bookTicker/btcusd_perp@bookTicker/ethusd...")
        happen(exchange, "kill-stream")
        assert [connection.dead_streams for connection in exchange.connections] == [set(), {BTC, ETH}]
        assert happen(exchange, "kill-stream") == "kill-stream: no connection listens to a contract's own stream"


def test_where_nobody_is_there_the_line_says_so(exchange: LocalExchange) -> None:
    assert happen(exchange, "rst") == "rst: no market connection is open"
