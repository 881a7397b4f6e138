"""The line in use beside its spare: who brings data alone, who is behind, and what ends a comparison."""

from __future__ import annotations

import pytest

from source_binance_futures.binance.market_stream.line import Line, Timing
from source_binance_futures.binance.market_stream.pair import IN_STEP, Pair
from source_binance_futures.binance.market_stream.push_clock import PushClock

OPENED = 1000.0
TIMING = Timing()


def line(number: int) -> Line:
    return Line(number, OPENED, TIMING, PushClock(0.0))


def pair() -> tuple[Pair, Line, Line]:
    """Two lines that both had data when they were opened."""
    made = Pair(TIMING)
    active, spare = made.active, made.spare = line(0), line(1)
    active.has_data = spare.has_data = True
    return made, active, spare


def data(made: Pair, found: Line, now: float) -> None:
    found.last_data_at = now
    made.compare(found, now)


def test_lines_are_found_by_their_number() -> None:
    made = Pair(TIMING)
    assert made.lines() == []
    assert made.line(0) is None
    made, active, spare = pair()
    assert made.lines() == [active, spare]
    assert (made.line(0), made.line(1), made.line(2)) == (active, spare, None)


def test_a_line_that_is_removed_is_gone_and_a_spare_takes_its_place_when_asked() -> None:
    made, active, spare = pair()
    made.remove(spare)
    assert made.lines() == [active]
    made, active, spare = pair()
    made.remove(active)
    assert (made.active, made.spare) == (None, spare)
    assert made.promote() is spare
    assert (made.active, made.spare) == (spare, None)


def test_a_spare_is_alone_once_the_line_in_use_was_silent_for_too_long() -> None:
    made, _, spare = pair()
    data(made, spare, OPENED + 0.4)
    assert not made.spare_is_alone(OPENED + 10, at_once=True), "in step: the other may bring the same in a moment"
    data(made, spare, OPENED + IN_STEP)
    assert made.spare_is_alone(OPENED + IN_STEP, at_once=True)
    assert not made.spare_is_alone(OPENED + 1.99, at_once=False)
    assert made.spare_is_alone(OPENED + 2.0, at_once=False)
    data(made, spare, OPENED + 3)
    assert made.spare_is_alone(OPENED + 3, at_once=False), "since the first update, not the last"


def test_without_a_spare_nobody_is_alone() -> None:
    made, active, spare = pair()
    data(made, spare, OPENED + 1)
    made.spare = None
    assert not made.spare_is_alone(OPENED + 10, at_once=True)
    assert not made.spare_is_alone(OPENED + 10, at_once=False)
    data(made, active, OPENED + 10)
    assert not made.spare_is_deaf(OPENED + 20)


def test_data_of_the_other_line_ends_it() -> None:
    made, active, spare = pair()
    data(made, spare, OPENED + 1)
    data(made, active, OPENED + 1.1)
    assert not made.spare_is_alone(OPENED + 10, at_once=True)
    assert not made.spare_is_deaf(OPENED + 10), "both were heard a moment ago"
    data(made, spare, OPENED + 1.2)
    assert not made.spare_is_alone(OPENED + 10, at_once=True)


def test_data_of_the_other_line_after_long_makes_that_one_the_one_that_is_alone() -> None:
    made, active, spare = pair()
    data(made, spare, OPENED + 1)
    data(made, active, OPENED + 2)
    assert not made.spare_is_alone(OPENED + 10, at_once=True)
    assert made.spare_is_deaf(OPENED + 10)


def test_a_spare_is_deaf_where_the_line_in_use_brings_data_and_it_none() -> None:
    made, active, spare = pair()
    data(made, active, OPENED + 1)
    assert not made.spare_is_deaf(OPENED + 2.4)
    assert made.spare_is_deaf(OPENED + 2.5)
    spare.has_data = False
    assert not made.spare_is_deaf(OPENED + 2.5), "a fresh one is given its time"
    assert made.spare_is_deaf(OPENED + TIMING.first_patience)
    made.active = None
    assert made.spare_is_deaf(OPENED + 100) is False


@pytest.mark.parametrize("later", ["active", "spare"])
@pytest.mark.parametrize(("lag", "late"), [(1.9, False), (2.0, True)])
def test_a_line_is_behind_where_it_was_later_than_the_other_for_a_while(lag: float, late: bool, later: str) -> None:
    made, active, spare = pair()
    tardy, other = (active, spare) if later == "active" else (spare, active)
    tardy.lag, other.lag = lag + 1.0, 1.0
    data(made, tardy, OPENED + 1)
    assert not made.is_behind(tardy, OPENED + 2.9)
    assert made.is_behind(tardy, OPENED + 3.0) is late
    data(made, other, OPENED + 4)
    data(made, tardy, OPENED + 5)
    assert made.is_behind(tardy, OPENED + 5) is late, "since the first late read, not the last"
    assert not made.is_behind(other, OPENED + 5)
    tardy.lag = 1.0
    data(made, tardy, OPENED + 6)
    assert not made.is_behind(tardy, OPENED + 100), "it has caught up"


def test_only_what_a_line_brings_tells_how_late_it_is() -> None:
    made, active, spare = pair()
    active.lag = 5.0
    data(made, spare, OPENED + 1)
    assert not made.is_behind(active, OPENED + 100)


def test_one_line_is_compared_with_nothing() -> None:
    made, active, _ = pair()
    made.spare = None
    active.lag = 5.0
    data(made, active, OPENED + 1)
    assert not made.is_behind(active, OPENED + 100)


@pytest.mark.parametrize("way", ["forget", "remove", "promote"])
def test_where_a_line_has_gone_the_comparison_begins_anew(way: str) -> None:
    made, active, spare = pair()
    active.lag = 5.0
    data(made, active, OPENED + 1)
    data(made, spare, OPENED + 2)
    if way == "forget":
        made.forget()
    elif way == "remove":
        made.remove(spare)
        made.spare = spare
    else:
        made.active = None
        made.promote()
        made.active, made.spare = active, spare
    assert not made.is_behind(active, OPENED + 100)
    assert not made.spare_is_alone(OPENED + 100, at_once=True)
    assert not made.spare_is_deaf(OPENED + 2)
