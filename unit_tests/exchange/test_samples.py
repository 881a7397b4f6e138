"""The all-market stream as samples, and the contracts' own streams behind it."""

from __future__ import annotations

import json
import time
from itertools import pairwise

import pytest

from local_exchange import LocalExchange
from local_exchange.market_stream import Samples
from local_exchange.streams import Update, update_from

from .clients import ALL, WAIT, listening, update

BTC, ETH = "BTCUSD_PERP", "ETHUSD_PERP"
BOTH = f"/stream?streams=!bookTicker/{BTC.lower()}@bookTicker"


def updates_of(count: int, update_id: int) -> list[Update]:
    return [update_from(update(f"COIN{number}USD_PERP", update_id)) for number in range(count)]


def taken(samples: Samples, began: float, ended: float) -> list[tuple[float, Update]]:
    """Every sample due from one time to the other, asked for in steps of 10 ms, with the time when it was had."""
    times = [*(began + step / 100 for step in range(round((ended - began) * 100))), ended - 1e-6]
    return [(now, sample) for now in times for sample in samples.due(now)]


@pytest.mark.parametrize("count", [1, 2, 30, 800])
def test_each_contract_once_in_five_seconds_spread_over_them(count: int) -> None:
    samples = Samples(5.0)
    assert samples.due(99.0) == []
    samples.note(updates_of(count, 1), 100.0)
    first = taken(samples, 100.0, 105.0)
    assert sorted(sample.symbol for _, sample in first) == sorted(sample.symbol for sample in updates_of(count, 1))
    if count >= 30:
        assert max(later - earlier for (earlier, _), (later, _) in pairwise(first)) < 3 * 5.0 / count + 0.02
    assert {sample.update_id for _, sample in first} == {1}

    samples.note(updates_of(count, 2), 105.0)
    samples.note(updates_of(count, 3), 105.0)
    second = taken(samples, 105.0, 110.0)
    assert [sample.symbol for _, sample in second] == [sample.symbol for _, sample in first]
    for (earlier, _), (later, _) in zip(first, second, strict=True):
        assert later - earlier == pytest.approx(5.0, abs=0.011)
    assert {sample.update_id for _, sample in second} == {3}, "what lay between is skipped"
    assert {sample.update_id for _, sample in taken(samples, 110.0, 115.0)} == {3}, "what stands is sent again"


def test_samples_that_were_not_asked_for_in_time_come_once() -> None:
    samples = Samples(5.0)
    samples.note(updates_of(10, 1), 0.0)
    on_time = [sample.symbol for _, sample in taken(samples, 0.0, 5.0)]
    assert len(samples.due(52.5)) == 10
    late = [sample.symbol for _, sample in taken(samples, 52.5, 57.5)]
    assert late[5:] + late[:5] == on_time, "each at its own time in the period, as before"


def test_a_sample_shows_the_book_as_it_stands() -> None:
    with LocalExchange(rate=0, sample_every=0.1) as exchange, listening(exchange, ALL) as client:

        def sampled() -> tuple[str, int]:
            frame = json.loads(client.recv(WAIT))
            return frame["s"], frame["u"]

        exchange.push_updates([update(BTC, 1), update(ETH, 2), update(BTC, 3)])
        assert {sampled() for _ in range(7)} == {(BTC, 3), (ETH, 2)}
        exchange.push_updates([update(ETH, 4)])
        while sampled() != (ETH, 4):
            pass
        assert exchange.pushed == [(BTC, 1), (ETH, 2), (BTC, 3), (ETH, 4)]


def test_both_hosts_bring_the_same_samples() -> None:
    with (
        LocalExchange(rate=0, sample_every=0.1) as exchange,
        listening(exchange, "/stream?streams=!bookTicker") as coin_m,
        listening(exchange, "/usds/public/stream?streams=!bookTicker") as usds_m,
    ):
        exchange.push_updates([update(BTC, 1), update("BTCUSDT", 2)])
        for client in (coin_m, usds_m):
            messages = [json.loads(client.recv(WAIT)) for _ in range(4)]
            assert {message["data"]["u"] for message in messages} == {1, 2}


def test_a_text_frame_comes_after_what_was_pushed_before() -> None:
    with (
        LocalExchange(rate=0, sample_every=3600.0, own_stream_lag=30.0) as exchange,
        listening(exchange, BOTH) as client,
    ):
        exchange.push_updates([update(ETH, 1), update(BTC, 2), update(BTC, 3)])
        exchange.push("[]")
        own = f"{BTC.lower()}@bookTicker"
        frames = [json.loads(client.recv(WAIT)) for _ in range(4)]
        assert [(frame["stream"], frame["data"]["u"]) for frame in frames[:2]] == [(own, 2), (own, 3)]


def test_with_the_defaults_a_sample_runs_ahead_of_its_own_stream() -> None:
    with (
        LocalExchange(rate=1000, coin_m_symbols=[BTC], mix_usds_margined=False, sample_every=0.1) as exchange,
        listening(exchange, BOTH) as client,
    ):
        newest, ahead = 0, 0
        deadline = time.monotonic() + WAIT
        while ahead < 3:
            assert time.monotonic() < deadline
            frame = json.loads(client.recv(WAIT))
            if frame["stream"] == "!bookTicker":
                ahead += frame["data"]["u"] > newest
            else:
                assert frame["data"]["u"] > newest, "the own stream itself is in order"
                newest = frame["data"]["u"]


def test_in_real_time_every_update_is_on_the_all_market_stream_too() -> None:
    with LocalExchange(rate=0, sample_every=None, own_stream_lag=0.2) as exchange, listening(exchange, BOTH) as client:
        exchange.push_updates([update(BTC, 1)])
        exchange.push_updates([update(BTC, 2)])
        frames = [json.loads(client.recv(WAIT)) for _ in range(4)]
        assert [frame["data"]["u"] for frame in frames] == [1, 2, 1, 2]
        assert [frame["stream"] == "!bookTicker" for frame in frames] == [True, True, False, False]
