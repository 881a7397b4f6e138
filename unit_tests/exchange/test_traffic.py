"""Synthetic traffic looks like the recordings: ids, times, prices, pace."""

from __future__ import annotations

import json
import time
from collections import defaultdict
from itertools import pairwise

import pytest

from local_exchange import LocalExchange
from local_exchange.contracts import coin_m_contracts, usds_m_contracts
from local_exchange.engine import Engine
from source_binance_futures.binance.clock import Clock

from .clients import WAIT, listening


def test_it_looks_like_the_merged_stream() -> None:
    with LocalExchange(rate=5000, sample_every=None) as exchange, listening(exchange) as client:
        frames = [json.loads(client.recv(WAIT)) for _ in range(5000)]
        exchange.set_rate(0)
    ids = [(frame["s"], frame["u"]) for frame in frames]
    start = exchange.pushed.index(ids[0])
    assert exchange.pushed[start : start + 5000] == ids

    decreasing = sum(after < before for (_, before), (_, after) in pairwise(ids)) / len(ids)
    assert 0.05 < decreasing < 0.20
    assert 1.1e13 < ids[0][1] < 1.9e13

    by_symbol = defaultdict(list)
    for frame in frames:
        by_symbol[frame["s"]].append(frame)
        assert float(frame["b"]) < float(frame["a"])
        assert abs(frame["E"] - time.time() * 1000) < 60_000
    for updates in by_symbol.values():
        assert all(earlier["u"] < later["u"] for earlier, later in pairwise(updates))
        for key in ("E", "T"):
            assert all(earlier[key] <= later[key] for earlier, later in pairwise(updates))

    coin_m = {frame["s"] for frame in frames if frame["st"] == 2}
    usds_m = {frame["s"] for frame in frames if frame["st"] == 1}
    assert len(coin_m) == 10
    assert coin_m == {contract.symbol for contract in coin_m_contracts(None)}
    assert {"1000SATSUSDT", "币安人生USDT"} <= usds_m <= {contract.symbol for contract in usds_m_contracts(None)}
    assert all(frame["B"].isdigit() for frame in frames if frame["st"] == 2)
    assert len(by_symbol["BTCUSDT"][0]["b"].partition(".")[2]) == 2


def test_without_usds_margined_contracts() -> None:
    with LocalExchange(rate=2000, mix_usds_margined=False, coin_m_symbols=["A_PERP", "B_PERP"]) as exchange:
        exchange.wait_for(lambda: len(exchange.pushed) > 100, WAIT)
        assert {symbol for symbol, _ in exchange.pushed} == {"A_PERP", "B_PERP"}


@pytest.mark.parametrize("rate", [6, 1234.5, 5000])
def test_what_is_due_follows_the_time_that_has_passed(rate: float) -> None:
    engine = Engine(coin_m_contracts(None), Clock(), rate=rate, seed=1, first_update_id=None)
    due = sum(len(engine.due(0.013)) for _ in range(1000))
    assert due == pytest.approx(13 * rate, abs=1)


def test_the_seed_decides_all_but_the_time() -> None:
    def pushed(seed: int) -> list[tuple[str, int]]:
        with LocalExchange(rate=5000, seed=seed, first_update_id=1000) as exchange:
            exchange.wait_for(lambda: len(exchange.pushed) >= 300, WAIT)
        return exchange.pushed[:300]

    assert pushed(1) == pushed(1) != pushed(2)
    assert min(update_id for _, update_id in pushed(1)) == 1000


def test_a_later_exchange_continues_the_update_ids() -> None:
    ids: list[list[int]] = []
    for _ in range(2):
        with LocalExchange(rate=5000) as exchange:
            exchange.wait_for(lambda exchange=exchange: len(exchange.pushed) > 1000, WAIT)  # type: ignore[misc]
        ids.append([update_id for _, update_id in exchange.pushed])
    assert max(ids[0]) < min(ids[1])
