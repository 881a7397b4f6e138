"""The counts of a sync, and the sentences made of them."""

from __future__ import annotations

import pytest

from source_binance_futures.binance.market_stream.coverage import Coverage
from source_binance_futures.binance.market_stream.items import Gap, Silence
from source_binance_futures.binance.market_stream.messages import MalformedFrame, OtherFrame
from source_binance_futures.streams.tally import Tally


@pytest.mark.parametrize(
    ("why", "counted", "sentence"),
    [
        (MalformedFrame("not JSON"), (1, 0), "A malformed frame was left out (not JSON): abc"),
        (OtherFrame("no book ticker"), (0, 1), "A frame that is not a book ticker was left out: abc"),
    ],
)
def test_only_the_first_three_of_a_kind_are_quoted(
    why: MalformedFrame | OtherFrame, counted: tuple[int, int], sentence: str
) -> None:
    tally = Tally()
    assert [tally.left_out(b"abc", why) for _ in range(5)] == [sentence] * 3 + [None] * 2
    assert (tally.malformed, tally.other_frames) == (counted[0] * 5, counted[1] * 5)


def test_a_sync_begins_with_nothing() -> None:
    tally = Tally()
    assert (tally.emitted, tally.known, tally.other_market, tally.other_frames) == (0, 0, 0, 0)
    assert (tally.malformed, tally.not_written, tally.gaps, tally.silences) == (0, 0, [], [])


def test_gaps_and_silences_are_counted_apart() -> None:
    tally = Tally()
    tally.told(Gap(0, 100.0, 102.5, "reset"))
    tally.told(Silence(0, 100.0, 131.0, "silent too"))
    tally.told(Gap(0, 200.0, 201.0, "reset"))
    assert (tally.gaps, tally.silences) == ([2.5, 1.0], [31.0])


@pytest.mark.parametrize(
    ("tally", "expected"),
    [
        (Tally(), False),
        (Tally(malformed=2), True),
        (Tally(malformed=2, other_frames=1), True),
        (Tally(malformed=2, emitted=1), False),
        (Tally(malformed=2, known=1), False),
        (Tally(malformed=2, other_market=1), False),
        (Tally(malformed=2, emitted=1, known=1, other_market=1), False),
        (Tally(malformed=2, known=1, other_market=1), False),
        (Tally(other_frames=2), False),
    ],
)
def test_whether_only_malformed_frames_came(tally: Tally, expected: bool) -> None:
    assert tally.only_malformed is expected


def test_the_last_line_of_a_sync_of_which_nothing_is_to_be_told() -> None:
    assert Tally().summary(0, 2.04, 0, coverage=Coverage(), compared=0, confirmed=0) == (
        "Captured 0 updates of 0 symbols in 2.0 seconds. Reconnects: 0. Gaps: none."
    )


def test_the_last_line_of_a_sync_of_which_all_is_to_be_told() -> None:
    tally = Tally(10, 1, 2, 3, 4, gaps=[2.0, 1.5], silences=[61.0])
    tally.first_event_time, tally.last_event_time = 1795293300123, 1795293302500
    tally.longest_pause = 7.25
    coverage = Coverage()
    coverage.begin("BTCUSD_PERP", 0, 1)
    assert tally.summary(5, 60.0, 2, coverage=coverage, compared=2345, confirmed=2344) == (
        "Captured 10 updates of 5 symbols in 60.0 seconds. Reconnects: 2. Gaps: 2, 3.5 seconds in all. "
        "Long silences: 1, 61 seconds in all. Covered intervals: 1, of 1 contracts. "
        "Longest pause: 7.2 seconds. Samples confirmed: 2,344 of 2,345. "
        "Skipped without loss: 1 known already, 2 of other contracts, 3 other frames. Malformed: 4. "
        "Event times from 2026-11-21 20:35:00.123 UTC to 2026-11-21 20:35:02.500 UTC."
    )


@pytest.mark.parametrize(("first", "last"), [(None, 1), (1, None), ("1", 1), (1, True), (1.5, 1)])
def test_event_times_that_are_none_are_not_told(first: object, last: object) -> None:
    tally = Tally(first_event_time=first, last_event_time=last)
    assert "Event times" not in tally.summary(0, 1, 0, coverage=Coverage(), compared=0, confirmed=0)


def test_the_longest_pause_is_between_two_reads_in_the_order_of_their_clock() -> None:
    tally = Tally()
    assert (tally.longest_pause, tally.heard_at_us) == (None, None)
    pauses = []
    for at in (5, 3, 6, 16, 17):  # the second was kept by a standby, and told later than it was read
        tally.heard(at * 1_000_000)
        pauses.append(tally.longest_pause)
    assert pauses == [None, 0.0, 1.0, 10.0, 10.0]
    assert tally.heard_at_us == 17_000_000
