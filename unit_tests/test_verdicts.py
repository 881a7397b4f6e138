"""The rules of the failover: what clocks and the comparison of both lines ask for."""

from __future__ import annotations

import pytest

from source_binance_futures.binance.market_stream.account import Account
from source_binance_futures.binance.market_stream.line import Line, Timing
from source_binance_futures.binance.market_stream.pair import Pair
from source_binance_futures.binance.market_stream.push_clock import PushClock
from source_binance_futures.binance.market_stream.verdicts import (
    AcceptSilence,
    LeaveSpare,
    LoseSpare,
    Reason,
    Relieve,
    Replacement,
    Swap,
    Verdict,
    doubt_of_end,
    failed_at_end,
    reason_to_replace,
    spare_has_aged,
    verdict_on_both,
)

TIMING = Timing()
OPENED = 1000.0


def line(number: int = 0, last_data_at: float = OPENED, begins: float | None = OPENED) -> Line:
    """One that has brought 10 seconds of updates."""
    made = Line(number, OPENED, TIMING, PushClock(0.0))
    made.last_data_at = last_data_at
    made.has_data = made.answered = True
    made.begins, made.reached = begins, None if begins is None else begins + 10
    return made


class Both:
    """Two lines that bring the same, and an account of what the first one has brought."""

    def __init__(self) -> None:
        self.pair = Pair(TIMING)
        self.active = self.pair.active = line(0)
        self.spare = self.pair.spare = line(1)
        self.account = Account(PushClock(0.0), OPENED)
        self.account.until = OPENED + 10

    def verdict(self, now: float, *, wants_spare: bool = True, replacing: bool = False) -> Verdict | None:
        return verdict_on_both(self.pair, self.account, TIMING, now, wants_spare=wants_spare, replacing=replacing)


# --- why one is replaced ---


def test_a_line_that_is_young_and_brings_data_is_kept() -> None:
    assert reason_to_replace(line(), None, TIMING, OPENED + 29.9) is None


def test_a_line_is_replaced_before_its_shutdown() -> None:
    active = line()
    active.retiring = True
    assert reason_to_replace(active, None, TIMING, OPENED) == Replacement(
        Reason.SHUTDOWN, "the server announced its shutdown"
    )


def test_a_line_is_replaced_at_its_age() -> None:
    last = OPENED + TIMING.rotate_after
    active = line(last_data_at=last)
    assert reason_to_replace(active, None, TIMING, last - 0.1) is None
    assert reason_to_replace(active, None, TIMING, last) == Replacement(Reason.AGE, "it has been open for 23.0 hours")


def test_a_line_is_replaced_where_nothing_comes_over_either() -> None:
    active = line()
    active.patience = 30
    expected = Replacement(Reason.SILENCE, "no update came for 30 seconds")
    assert reason_to_replace(active, None, TIMING, OPENED + 30) == expected
    assert reason_to_replace(active, line(1), TIMING, OPENED + 30) == expected
    assert reason_to_replace(active, line(1, OPENED + 1), TIMING, OPENED + 30) is None, "that is for the comparison"
    assert reason_to_replace(line(0, OPENED + 1), line(1), TIMING, OPENED + 30) is None


def test_only_silence_and_doubt_are_worth_a_warning() -> None:
    assert [reason for reason in Reason if Replacement(reason, "").is_worrying] == [Reason.SILENCE, Reason.DOUBT]


def test_a_spare_ages_too() -> None:
    spare = line()
    assert not spare_has_aged(spare, TIMING, OPENED + TIMING.rotate_after - 0.1)
    assert spare_has_aged(spare, TIMING, OPENED + TIMING.rotate_after)
    spare.retiring = True
    assert spare_has_aged(spare, TIMING, OPENED)


@pytest.mark.parametrize(
    ("lag", "paused", "said"),
    [
        (0.0, False, None),
        (1.0, False, None),
        (1.1, False, "the connection was 1.1 seconds behind when the window ended"),
        (5.0, True, "the window ended while reading paused"),
    ],
)
def test_the_end_of_a_window_is_doubted_where_something_waits(lag: float, paused: bool, said: str | None) -> None:
    active = line()
    active.lag = lag
    assert doubt_of_end(active, paused=paused) == said


def test_what_the_spare_alone_has_brought_at_the_end_of_a_window_is_not_waited_for() -> None:
    both = Both()
    assert failed_at_end(both.pair, TIMING, OPENED + 10) is None, "neither brings anything"
    both.pair.compare(both.spare, OPENED + 1.9)
    assert failed_at_end(both.pair, TIMING, OPENED + 1.9) is None, "the line in use may be about to bring it"
    assert both.verdict(OPENED + 2) is None, "sure only later"
    assert failed_at_end(both.pair, TIMING, OPENED + 2) == Swap("the connection in use was silent for 2.0 seconds")
    both.pair.active = None
    assert failed_at_end(both.pair, TIMING, OPENED + 10) is None


# --- what two lines ask for ---


def test_two_lines_in_step_ask_for_nothing() -> None:
    both = Both()
    assert both.verdict(OPENED + 10) is None
    both.pair.spare = None
    assert both.verdict(OPENED + 10, wants_spare=False) is None
    both.pair.active, both.pair.spare = None, both.spare
    assert both.verdict(OPENED + 10, wants_spare=False) is None


def test_a_spare_that_brings_data_alone_takes_over() -> None:
    both = Both()
    both.pair.compare(both.spare, OPENED + 1)
    assert both.verdict(OPENED + 2) is None
    assert both.verdict(OPENED + 2.5) == Swap("the connection in use was silent for 2.5 seconds")


def test_while_something_is_missing_it_takes_over_at_once() -> None:
    both = Both()
    both.pair.compare(both.spare, OPENED + 1)
    both.account.open_outage("reset")
    assert both.verdict(OPENED + 1) == Swap("the connection in use was silent for 1.0 seconds")


def test_a_spare_takes_over_from_a_line_that_is_behind_if_that_loses_nothing() -> None:
    both = Both()
    both.active.lag = 4.0
    both.pair.compare(both.active, OPENED)
    both.active.last_data_at = both.spare.last_data_at = OPENED + 2
    assert both.verdict(OPENED + 1.9) is None
    assert both.verdict(OPENED + 2) == Swap("the connection in use was 4.0 seconds behind")
    both.spare.begins = OPENED + 9
    assert both.verdict(OPENED + 2) is None


def test_a_spare_that_is_behind_is_lost() -> None:
    both = Both()
    both.spare.lag = 4.0
    both.pair.compare(both.spare, OPENED)
    both.active.last_data_at = both.spare.last_data_at = OPENED + 2
    assert both.verdict(OPENED + 1.9) is None
    assert both.verdict(OPENED + 2) == LoseSpare("it was 4.0 seconds behind")


def test_a_spare_that_brings_nothing_is_lost() -> None:
    both = Both()
    both.pair.compare(both.active, OPENED + 1)
    both.active.last_data_at = OPENED + 2.4
    assert both.verdict(OPENED + 2.4, wants_spare=False) == LeaveSpare()
    assert both.verdict(OPENED + 2.5, wants_spare=False) == LoseSpare("it was silent for 2.5 seconds")


def test_a_spare_that_nobody_wants_any_more_is_left() -> None:
    assert Both().verdict(OPENED + 10, wants_spare=False) == LeaveSpare()


def test_a_fresh_line_relieves_once_both_were_read_for_a_while_and_nothing_is_lost() -> None:
    both = Both()
    assert both.verdict(OPENED + 10, replacing=True) == Relieve()
    assert both.verdict(OPENED + 10, replacing=False) is None
    both.spare.reached = OPENED + 1.9
    assert both.verdict(OPENED + 10, replacing=True) is None, "two seconds of overlap"
    both.spare.reached = OPENED + 2.0
    assert both.verdict(OPENED + 10, replacing=True) == Relieve()
    both.spare.begins, both.spare.reached = OPENED + 9, OPENED + 20
    assert both.verdict(OPENED + 10, replacing=True) is None, "it may lack what is not emitted yet"
    both.active.begins = None
    assert both.verdict(OPENED + 10, replacing=True) == Relieve(), "that one never brought anything"


def silent_both() -> Both:
    both = Both()
    both.spare.begins = both.spare.reached = None
    both.active.patience = both.spare.patience = 30
    return both


def test_two_lines_that_answer_and_bring_nothing_are_silence() -> None:
    assert silent_both().verdict(OPENED + 30, replacing=True) == AcceptSilence()


@pytest.mark.parametrize("what", ["not replacing", "active has data", "spare has data", "no answer"])
def test_less_than_that_is_not(what: str) -> None:
    both = silent_both()
    if what == "active has data":
        both.active.last_data_at = OPENED + 0.1
    elif what == "spare has data":
        both.spare.last_data_at = OPENED + 0.1
    elif what == "no answer":
        both.spare.answered = False
    assert both.verdict(OPENED + 30, replacing=what != "not replacing") is None
