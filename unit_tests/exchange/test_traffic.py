"""Synthetic traffic looks like the recordings; recordings are played frame by frame; which contracts there are."""

from __future__ import annotations

import json
import time
from collections import defaultdict
from collections.abc import Callable
from datetime import date
from itertools import pairwise
from typing import Any

import pytest

from local_exchange import LocalExchange
from local_exchange.contracts import (
    COIN_MARGINED,
    USDS_MARGINED,
    coin_m_contracts,
    made_up_coin_m,
    made_up_usds_m,
    quarterly_expiries,
    usds_m_contracts,
)
from local_exchange.engine import Engine, Recording, read_recording
from local_exchange.streams import market_of
from source_binance_futures.binance.clock import Clock

from .clients import ALL, ROOT, WAIT, connect, listening


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


def pushed(count: int, **options: Any) -> list[tuple[str, int]]:
    """What an exchange with these options pushes first, and perhaps some more."""
    with LocalExchange(rate=5000, **options) as exchange:
        exchange.wait_for(lambda: len(exchange.pushed) >= count, WAIT)
    return exchange.pushed


def test_without_usds_margined_contracts() -> None:
    updates = pushed(100, mix_usds_margined=False, coin_m_symbols=["A_PERP", "B_PERP"])
    assert {symbol for symbol, _ in updates} == {"A_PERP", "B_PERP"}


@pytest.mark.parametrize("rate", [6, 1234.5, 5000])
def test_what_is_due_follows_the_time_that_has_passed(rate: float) -> None:
    engine = Engine(coin_m_contracts(None), Clock(), rate=rate, seed=1, first_update_id=None)
    due = sum(len(engine.due(0.013)) for _ in range(1000))
    assert due == pytest.approx(13 * rate, abs=1)


def test_the_seed_decides_all_but_the_time() -> None:
    one, same, other = (pushed(300, seed=seed, first_update_id=1000)[:300] for seed in (1, 1, 2))
    assert one == same != other
    assert min(update_id for _, update_id in one) == 1000


def test_a_later_exchange_continues_the_update_ids() -> None:
    first, later = ([update_id for _, update_id in pushed(1000)] for _ in range(2))
    assert max(first) < min(later)


RECORDING = ROOT / "local_exchange" / "recordings" / "coin_m_20210417.jsonl"


def test_every_frame_comes_in_order_and_byte_for_byte() -> None:
    recorded = [json.loads(line)["frame"] for line in RECORDING.read_text().splitlines()]
    payloads = [frame[frame.index('"data":') + 7 : -1] for frame in recorded]
    with (
        LocalExchange(recording=RECORDING, speed=30, sample_every=None) as exchange,
        connect(exchange.market_stream_url + ALL) as raw,
        connect(exchange.market_stream_url + "/stream?streams=!bookTicker") as wrapped,
    ):
        assert exchange.finished.wait(WAIT)
        exchange.push("the end")
        frames = list(iter(lambda: str(raw.recv(WAIT)), "the end"))
        wrapped_frames = list(iter(lambda: str(wrapped.recv(WAIT)), "the end"))
    coin_m = [frame for frame in frames if '"ps":' in frame and '"st":' not in frame]
    assert coin_m == payloads
    assert wrapped_frames == ['{"stream":"!bookTicker","data":' + frame + "}" for frame in frames]
    mixed_in = [json.loads(frame) for frame in set(frames) - set(payloads)]
    assert len(mixed_in) > 300
    assert {frame.get("st") for frame in mixed_in} == {1, None}
    assert len(exchange.pushed) == len(frames)


def test_own_streams_bring_their_contract_and_are_done_when_it_is_over() -> None:
    path = "/ws/btcusd_perp@bookTicker"
    with (
        LocalExchange(recording=RECORDING, speed=30, own_stream_lag=0.5) as exchange,
        connect(exchange.market_stream_url + path) as client,
    ):
        assert exchange.finished.wait(WAIT)
        expected = [update_id for symbol, update_id in exchange.pushed if symbol == "BTCUSD_PERP"]
        assert exchange.connections[0].frames_sent == len(expected) > 100
        assert [json.loads(client.recv(WAIT))["u"] for _ in expected] == expected


def test_it_keeps_the_pace_and_can_be_left_pure() -> None:
    recording = Recording(RECORDING, speed=5, usds_m=None, seed=1)
    assert recording.due(100.0) == []  # it waits until somebody listens
    recording.is_started = True

    played = [update for _ in range(10) for update in recording.due(0.1)]

    assert played == [update for offset, update in read_recording(RECORDING) if offset <= 10 * 0.1 * 5]
    assert not recording.is_over
    recording.due(2.0)
    assert recording.is_over


@pytest.mark.parametrize(
    ("day", "expiries"),
    [
        ("2026-01-01", ("260327", "260626")),
        ("2026-06-25", ("260626", "260925")),
        ("2026-06-26", ("260925", "261225")),
        ("2026-11-24", ("261225", "270326")),
        ("2026-12-31", ("270326", "270625")),
    ],
)
def test_expiries_are_the_last_fridays_of_the_quarters(day: str, expiries: tuple[str, str]) -> None:
    assert quarterly_expiries(date.fromisoformat(day)) == expiries


def test_what_is_listed_by_default_trades_today() -> None:
    near, far = quarterly_expiries(date.today())
    coin_m = {contract.symbol for contract in coin_m_contracts(None)}
    assert {f"BTCUSD_{near}", f"BTCUSD_{far}", f"ETHUSD_{near}", "BTCUSD_PERP"} <= coin_m
    assert f"BTCUSDT_{near}" in {contract.symbol for contract in usds_m_contracts(None)}


@pytest.mark.parametrize(
    ("made_up", "market"), [(made_up_coin_m, COIN_MARGINED), (made_up_usds_m, USDS_MARGINED)], ids=["coin_m", "usds_m"]
)
def test_names_in_any_number(made_up: Callable[[int], list[str]], market: int) -> None:
    names = made_up(5000)
    assert len(set(names)) == 5000
    assert {market_of(name) for name in names} == {market}
    assert names[:30] == made_up(30)
    assert made_up(0) == []
