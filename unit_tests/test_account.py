"""The one number of a feed: what moves it, and what is told when it jumps."""

from __future__ import annotations

import pytest

from source_binance_futures.binance.market_stream.account import Account
from source_binance_futures.binance.market_stream.events import TellGap, TellSilence
from source_binance_futures.binance.market_stream.line import Line, Timing
from source_binance_futures.binance.market_stream.push_clock import DOUBT_BY_RECEIPT, PushClock

BEGAN = 1000.0
OFFSET = 500.0  # of the wall clock over the monotonic one


def account(began: float = BEGAN, offset: float = OFFSET) -> Account:
    return Account(PushClock(offset), began)


def line(begins: float | None, reached: float | None = None) -> Line:
    """One that has brought what was pushed from then to then."""
    made = Line(0, BEGAN, Timing(), PushClock(OFFSET))
    made.begins, made.reached = begins, begins if reached is None else reached
    return made


def test_before_the_first_update_there_is_nothing_to_account_for() -> None:
    made = account()
    assert made.until is None
    assert not made.is_open
    assert made.told_until(5000.0) == []
    for nothing in (line(None), line(2000.0)):
        nothing.reached = None
        assert made.emitted(nothing) == []
    assert made.until is None
    made.open_outage("reset")
    assert made.emitted(nothing) == []


def test_only_the_newest_update_that_was_emitted_moves_it_and_never_back() -> None:
    made = account()
    assert made.emitted(line(2000.0, 2005.0)) == []
    assert made.until == 2005.0
    assert made.emitted(line(2000.0, 2004.0)) == []
    assert made.until == 2005.0
    made.emitted(line(2000.0, 2010.0))
    assert made.until == 2010.0


def test_an_outage_from_the_very_beginning_is_told_from_there() -> None:
    made = account()
    made.open_outage("refused")
    before = made.until
    assert before is None, "by our own clock it is known, and how far the exchange's is off is not"
    assert made.emitted(line(2000.0, 2001.0)) == [TellGap(BEGAN + OFFSET, 2000.0, "refused")]
    assert made.until == 2001.0
    assert not made.is_open
    assert made.emitted(line(2000.0, 2003.0)) == [], "once"


def test_where_our_clock_is_ahead_nothing_hides_behind_the_beginning() -> None:
    """Five seconds ahead: by it the beginning would lie after what is pushed then, and lost."""
    clock = PushClock(OFFSET)
    made = Account(clock, BEGAN)
    made.open_outage("the first connection was reset")
    clock.read(BEGAN + 1, BEGAN + 1 + OFFSET - 5)
    first = BEGAN + 1 + OFFSET - 5
    assert made.emitted(line(first)) == [TellGap(BEGAN + OFFSET - 5, first, "the first connection was reset")]
    assert made.until == first
    made.open_outage("reset again")
    assert made.told_until(first + 2) == [TellGap(first, first + 2, "reset again")]


def test_an_outage_is_told_from_the_last_update_on_with_its_first_cause() -> None:
    made = account()
    made.emitted(line(2000.0))
    made.open_outage("reset")
    made.open_outage("refused")
    assert made.until == 2000.0
    assert made.outage == "reset"
    assert made.told_until(2007.5) == [TellGap(2000.0, 2007.5, "reset")]
    assert made.until == 2007.5


def test_a_silence_is_told_as_one_and_becomes_a_gap_where_an_outage_follows() -> None:
    made = account()
    made.emitted(line(2000.0))
    made.open_silence("silent too")
    assert made.told_until(2040.0) == [TellSilence(2000.0, 2040.0, "silent too")]
    assert not made.is_open
    made.open_silence("silent again")
    made.open_outage("reset")
    assert made.silence is None
    made.open_silence("silent once more")
    assert made.silence is None, "an outage stays one"
    assert made.told_until(2050.0) == [TellGap(2040.0, 2050.0, "reset")]


def test_a_silence_from_the_very_beginning() -> None:
    made = account()
    made.open_silence("silent too")
    assert made.told_until(1600.0) == [TellSilence(BEGAN + OFFSET, 1600.0, "silent too")]


@pytest.mark.parametrize(("until", "since"), [(0.001, 0.0), (0.0005, 0.0005 - DOUBT_BY_RECEIPT), (-3.0, -5.0)])
def test_a_gap_that_has_no_length_is_told_with_the_doubt_about_it(until: float, since: float) -> None:
    """Something was lost, whatever the clocks say."""
    made = account(began=0.0, offset=0.0)
    made.open_outage("reset")
    assert made.told_until(until) == [TellGap(since, until, "reset")]
    assert made.until == max(0.0, until), "never back"


def test_an_outage_of_no_length_late_in_the_day() -> None:
    made = account()
    made.emitted(line(2000.0))
    made.open_outage("reset")
    assert made.told_until(2000.0) == [TellGap(2000.0 - DOUBT_BY_RECEIPT, 2000.0, "reset")]
    made.open_silence("silent too")
    assert made.told_until(2000.0) == []


@pytest.mark.parametrize(("until", "is_told"), [(0.001, True), (0.0005, False), (-3.0, False)])
def test_a_silence_that_has_no_length_is_none(until: float, is_told: bool) -> None:
    made = account(began=0.0, offset=0.0)
    made.open_silence("silent too")
    assert made.told_until(until) == ([TellSilence(0.0, until, "silent too")] if is_told else [])
    assert not made.is_open


def test_a_spare_loses_nothing_where_it_has_what_was_not_emitted_beyond_doubt() -> None:
    made = account()
    assert made.would_lose_nothing(line(1000.0)) is False, "nothing was emitted yet: who knows since when"
    made.emitted(line(2000.0))
    assert made.would_lose_nothing(line(2000.0 - DOUBT_BY_RECEIPT))
    assert not made.would_lose_nothing(line(2000.1 - DOUBT_BY_RECEIPT))
    assert not made.would_lose_nothing(line(None))
