"""Clocks that are set or run wrong, counters that begin anew, and the hole between two syncs: the whole stack."""

from __future__ import annotations

import random
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import orjson
import pytest

from local_exchange.streams import update_from

from ..virtual_time import VirtualTime
from .exchange import SimulatedExchange
from .sync import Running, Sync

SYMBOLS = ("BTCUSD_PERP", "ETHUSD_PERP", "BNBUSD_PERP")
OPTIONS = {"book_ticker_symbols": list(SYMBOLS)}


@pytest.fixture
def time() -> VirtualTime:
    return VirtualTime()


@pytest.fixture
def exchange(time: VirtualTime) -> Iterator[SimulatedExchange]:
    made = SimulatedExchange(
        time, random.Random(1), coin_m=SYMBOLS, usds_m=(), rate=30, tick=0.1, ahead=0.5, drift=0.0, unsent_limit=10**6
    )
    yield made
    made.close()


def sync(
    exchange: SimulatedExchange, seconds: int, before: Sync | None = None, between: Callable[[], None] = lambda: None
) -> Sync:
    """A sync that goes on from the last STATE of the one before."""
    state: Mapping[str, Any] | None = before.states[-1][1] if before is not None else None
    done = Running(exchange, {"listen_seconds": seconds, **OPTIONS}, state).run(between)
    assert done.failure is None
    assert done.rows
    return done


def test_intervals_of_two_syncs_never_touch_whatever_was_done_to_the_clock(
    exchange: SimulatedExchange, time: VirtualTime
) -> None:
    time.wall_ahead += 8
    first = sync(exchange, 20)
    time.wall_ahead -= 8
    exchange.loop.run_until(time.now + 2)  # in which updates are missed
    second = sync(exchange, 20, first)
    newest = max(row["received_at_us"] for row in first.rows)
    assert first.states[-1][1]["newest_received_at_us"] == newest
    (warning,) = second.lines("This machine's clock is ")
    assert re.search(r"is [56]\.\d seconds behind the newest row of the state, received at 2026-", warning)
    covered = [row for row in second.rows if row["covered_since_us"] is not None]
    assert min(row["covered_since_us"] for row in covered) > newest
    assert {row["symbol"] for row in covered} == set(SYMBOLS)
    uncovered = [row for row in second.rows if row["covered_since_us"] is None]
    assert max(row["received_at_us"] for row in uncovered) <= newest
    assert second.states[-1][1]["newest_received_at_us"] == max(row["received_at_us"] for row in second.rows)


@pytest.mark.parametrize(("step", "expected"), [(-3600.0, "3600 seconds behind"), (1.5, "1.5 seconds ahead of")])
def test_a_clock_that_is_set_within_a_window_moves_no_row_and_is_reported_once(
    exchange: SimulatedExchange, time: VirtualTime, step: float, expected: str
) -> None:
    exchange.loop.call_later(7.0, lambda: setattr(time, "wall_ahead", time.wall_ahead + step))
    done = sync(exchange, 70)
    (warning,) = done.lines("This machine's clock is ")
    assert warning.startswith(f"This machine's clock is {expected} the time that this sync goes by")
    received = [row["received_at_us"] for row in done.rows]
    assert received == sorted(received)
    assert all(row["covered_since_us"] <= row["received_at_us"] for row in done.rows)


@pytest.mark.parametrize("step", [-0.9, 0.9])
def test_clocks_that_differ_by_less_than_a_second_are_nothing_to_report(
    exchange: SimulatedExchange, time: VirtualTime, step: float
) -> None:
    first = sync(exchange, 5)
    exchange.loop.call_later(2.0, lambda: setattr(time, "wall_ahead", time.wall_ahead + step))
    assert not sync(exchange, 12, first).lines("This machine's clock")


def test_the_hole_between_two_syncs_ends_with_the_first_update(exchange: SimulatedExchange, time: VirtualTime) -> None:
    first = sync(exchange, 10)
    assert not first.lines("a hole of")
    exchange.slow_handshake(3.0, 1)
    time.wall_ahead += 40  # both moments are the exchange's
    second = sync(exchange, 10, first)
    (line,) = second.lines("a hole of")
    found = re.search(r"a hole of ([\d.]+) seconds until the first update of this sync\. What", line)
    assert found is not None
    times: dict[int, list[int]] = defaultdict(list)
    for number, each in enumerate((first, second)):
        times[number] += [row["event_time"] for row in each.rows]
    assert float(found[1]) == pytest.approx((min(times[1]) - max(times[0])) / 1000, abs=0.06)
    assert float(found[1]) > 3.0


@pytest.mark.parametrize("microseconds", [True, False])
def test_a_counter_that_has_restarted_where_times_prove_nothing(
    exchange: SimulatedExchange, time: VirtualTime, microseconds: bool
) -> None:
    """Within a minute of the state it may be a duplicate, so it is left out and reported; later it is taken."""

    def lower(number: int) -> None:
        stamped = {"T": exchange.clock.now_us()} if microseconds else {}
        book_ticker = {"e": "bookTicker", "u": number, "s": "LTCUSD_PERP", "b": "1", "B": "1", "a": "2", "A": "1"}
        exchange.market.push([update_from({**book_ticker, "ps": "LTCUSD", "st": 2, **stamped})])

    def in_a_window(before: Sync) -> Sync:
        for second in range(2, 9):
            exchange.loop.call_later(float(second), lower, 100 + second)
        state = orjson.loads(orjson.dumps(before.states[-1][1]))
        state["u"]["LTCUSD_PERP"] = 500
        options = {"listen_seconds": 10, "book_ticker_symbols": [*SYMBOLS, "LTCUSD_PERP"]}
        return Running(exchange, options, state).run()

    first = sync(exchange, 5)
    exchange.loop.run_until(time.now + 5)
    second = in_a_window(first)
    assert not [row for row in second.rows if row["symbol"] == "LTCUSD_PERP"]
    (warning,) = second.lines("nothing but update ids below those of the state came")
    assert warning.startswith("Of LTCUSD_PERP nothing but update ids below those of the state came: 7 updates")
    assert second.lines("LTCUSD_PERP only: newer updates had lower ids"), "what may be lost is a gap"
    exchange.loop.run_until(time.now + 61)
    third = in_a_window(second)
    assert len([row for row in third.rows if row["symbol"] == "LTCUSD_PERP"]) == 7
    assert third.lines("The exchange's counter of LTCUSD_PERP has restarted: update id 102 after 500.")
    assert not third.lines("nothing but update ids below")
