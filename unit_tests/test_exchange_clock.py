"""When what arrives was pushed, by the exchange's own clock."""

from __future__ import annotations

import pytest

from source_binance_futures.binance.market_stream.exchange_clock import BELIEVABLE, ExchangeClock

EPOCH = 1_790_000_000.0  # our wall clock minus our monotonic clock


def test_without_event_times_the_wall_clock_counts_and_the_doubt_is_large() -> None:
    clock = ExchangeClock(EPOCH)
    assert clock.read(100.0, None) is None
    assert not clock.knows
    assert clock.now(100.0) == EPOCH + 100.0
    assert clock.uncertainty == 2.0


def test_the_fastest_frame_tells_how_far_the_clocks_are_apart() -> None:
    clock = ExchangeClock(EPOCH)
    assert clock.read(100.0, EPOCH + 103.0) == EPOCH + 103.0  # theirs is 3 s ahead, or more
    assert clock.read(110.0, EPOCH + 108.0) == EPOCH + 108.0  # 5 s late
    assert clock.now(110.0) == EPOCH + 113.0
    assert clock.knows is True
    assert clock.read(120.0, EPOCH + 123.5) is not None
    assert clock.now(120.0) == EPOCH + 123.5
    assert clock.uncertainty == 0.25


@pytest.mark.parametrize(("ahead", "is_believed"), [(86_400.0, True), (86_400.5, False), (-86_400.0, True)])
def test_our_clock_may_be_wrong_by_a_day(ahead: float, is_believed: bool) -> None:
    at = 10_000_000.0
    assert ExchangeClock(EPOCH).read(at, EPOCH + at + ahead) == (EPOCH + at + ahead if is_believed else None)


@pytest.mark.parametrize("event_time", [0.0, -1.0, 1_618_000_000.0, EPOCH * 1000, EPOCH + 100 + BELIEVABLE + 1])
def test_times_that_cannot_be_meant_are_not_believed(event_time: float) -> None:
    clock = ExchangeClock(EPOCH)
    assert clock.read(100.0, event_time) is None
    assert not clock.knows


def test_a_time_that_leaps_ahead_moves_nothing() -> None:
    clock = ExchangeClock(EPOCH)
    clock.read(100.0, EPOCH + 100.0)
    assert clock.read(101.0, EPOCH + 101.0 + 600.5) is None
    assert clock.now(101.0) == EPOCH + 101.0
    assert clock.read(102.0, EPOCH + 102.0 + 600.0) is not None  # a connection may have been so late until now
    assert clock.now(102.0) == EPOCH + 702.0


def test_leaps_are_believed_once_nothing_else_comes_for_a_while() -> None:
    clock = ExchangeClock(EPOCH)
    hour = 3600.0
    clock.read(100.0, EPOCH + 100.0)
    assert clock.read(101.0, EPOCH + 101.0 + hour) is None
    assert clock.read(105.0, EPOCH + 105.0) is not None  # a sound one between them: all begins anew
    assert clock.read(106.5, EPOCH + 106.5 + hour) is None
    assert clock.read(111.4, EPOCH + 111.4 + hour) is None
    assert clock.read(111.5, EPOCH + 111.5 + hour) == EPOCH + 111.5 + hour
    assert clock.now(112.0) == EPOCH + 112.0 + hour
