"""The queue between reading and writing: its order, its limit in bytes, and what it says of a gap."""

from __future__ import annotations

import sys
import threading
import time

import pytest

from source_binance_futures.binance.market_stream.outbox import Batch, Failed, Gap, Handover, Item, Noted, Warned
from source_binance_futures.binance.text import utc


def batch(count: int = 1, length: int = 200) -> Batch:
    return Batch([b"x" * length for _ in range(count)], count * length, 1.0)


def test_everything_comes_out_in_order() -> None:
    handover = Handover()
    items: list[Item] = [Noted("one"), batch(), Gap(0, 1, 1, "cause"), batch(), Warned("two"), Failed(ValueError())]
    for item in items:
        handover.put(item)
    assert [handover.take(0) for _ in items] == items
    assert handover.take(0) is None


def test_the_limit_counts_what_waits() -> None:
    handover = Handover(limit=3 * batch().size)
    for expected in (False, False, True):
        handover.put(batch())
        assert handover.is_full() is expected
    handover.put(Noted("said, though there is no room for data"))
    handover.take(0)
    assert not handover.is_full()
    while handover.take(0) is not None:
        pass
    assert handover.waiting_bytes == 0


@pytest.mark.parametrize("length", [1, 180, 1000])
@pytest.mark.parametrize("count", [1, 50, 1000])
def test_the_size_of_a_batch_is_what_it_holds_in_memory(count: int, length: int) -> None:
    """The limit is a promise about memory: 64 MiB of short payloads must not be 200 MiB of Python objects."""
    made = batch(count, length)
    held = sys.getsizeof(made) + sys.getsizeof(made.payloads) + sum(map(sys.getsizeof, made.payloads))
    assert held <= made.size <= 2 * held + 300


def test_taking_waits_for_what_is_put() -> None:
    handover = Handover()
    threading.Timer(0.1, handover.put, [Noted("late")]).start()
    began = time.monotonic()
    assert handover.take(10) == Noted("late")
    assert 0.05 < time.monotonic() - began < 5


def test_taking_does_not_wait_longer_than_asked() -> None:
    began = time.monotonic()
    assert Handover().take(0.1) is None
    assert time.monotonic() - began >= 0.1


def test_a_gap_says_from_when_to_when_how_long_and_why() -> None:
    text = str(Gap(1795293300.123, 1795293302.5, 2.377, "the connection broke (connection reset by peer)"))
    assert "from 2026-11-21 20:35:00.123 UTC to 2026-11-21 20:35:02.500 UTC" in text
    assert "Gap of 2.4 seconds" in text
    assert "Cause: the connection broke (connection reset by peer)." in text


def test_times_are_told_in_utc_whatever_the_machine_thinks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        assert utc(1795293300.123) == "2026-11-21 20:35:00.123 UTC"
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize("seconds", [1_790_373_637_547.0, -1e18, 1e300])
def test_a_number_that_is_no_time_stays_a_number(seconds: float) -> None:
    assert utc(seconds) == f"{seconds:.0f} seconds since 1970"
