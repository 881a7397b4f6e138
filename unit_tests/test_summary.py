"""What a sync says of itself: at its start, while it goes on, at its end."""

from __future__ import annotations

from dataclasses import replace

import pytest

from source_binance_futures.binance.market_stream.coverage import Coverage, Samples
from source_binance_futures.binance.market_stream.items import Gap
from source_binance_futures.binance.market_stream.messages import MalformedFrame, OtherFrame
from source_binance_futures.streams.summary import Progress, SchemaDrift, Tally


@pytest.mark.parametrize(
    ("why", "counted", "sentence"),
    [
        (MalformedFrame("not JSON"), (5, 0), "A malformed frame was left out (not JSON): abc"),
        (OtherFrame("no book ticker"), (0, 5), "A frame that is not a book ticker was left out: abc"),
    ],
)
def test_only_the_first_three_of_a_kind_are_quoted(
    why: MalformedFrame | OtherFrame, counted: tuple[int, int], sentence: str
) -> None:
    tally = Tally()
    assert [list(tally.left_out(b"abc", why)) for _ in range(5)] == [[sentence]] * 3 + [[]] * 2
    assert (tally.malformed, tally.other_frames) == counted


def test_gaps_and_silences_are_counted_apart() -> None:
    tally = Tally()
    tally.missed(Gap(0, 100.0, 102.5, "reset"))
    tally.missed(Gap(0, 100.0, 131.0, "silent too", is_silence=True))
    tally.missed(Gap(0, 200.0, 201.0, "reset"))
    assert (tally.gaps, tally.silences) == ([2.5, 1.0], [31.0])


def test_whether_only_malformed_frames_came() -> None:
    assert all(Tally(malformed=2, other_frames=others).only_malformed for others in (0, 1))
    sound = [Tally(emitted=1), Tally(known=1), Tally(other_market=1), Tally(known=1, other_market=1)]
    assert not any(replace(tally, malformed=2).only_malformed for tally in sound)
    assert not any(tally.only_malformed for tally in (Tally(), Tally(other_frames=2)))


def test_the_last_line_of_a_sync_in_which_nothing_happened() -> None:
    assert Tally().summary(0, 2.04, 0, Coverage(), Samples()) == (
        "Captured 0 updates of 0 symbols in 2.0 seconds. Reconnects: 0. Gaps: none."
    )


def test_the_last_line_of_a_sync_in_which_everything_happened() -> None:
    tally = Tally(10, 1, 2, 3, 4, gaps=[2.0, 1.5], silences=[61.0])
    tally.first_event_time, tally.last_event_time = 1795293300123, 1795293302500
    tally.longest_pause = 7.25
    coverage = Coverage()
    for moment in (1, 3):
        coverage.begin("BTCUSD_PERP", 0, moment)
        coverage.reset_feed(0)
    coverage.begin("ETHUSD_PERP", 0, 2)
    samples = Samples()
    samples.compared, samples.confirmed = 2345, 2344
    assert tally.summary(5, 60.0, 2, coverage, samples) == (
        "Captured 10 updates of 5 symbols in 60.0 seconds. Reconnects: 2. Gaps: 2, 3.5 seconds in all. "
        "Long silences: 1, 61 seconds in all. Covered intervals: 3, of 2 contracts. "
        "Longest pause: 7.2 seconds. Samples confirmed: 2,344 of 2,345. "
        "Skipped without loss: 1 known already, 2 of other contracts, 3 other frames. Malformed: 4. "
        "Event times from 2026-11-21 20:35:00.123 UTC to 2026-11-21 20:35:02.500 UTC."
    )


@pytest.mark.parametrize(("first", "last"), [(None, 1), (1, None), ("1", 1), (1, True), (1.5, 1)])
def test_event_times_that_are_none_are_not_shown(first: object, last: object) -> None:
    tally = Tally(first_event_time=first, last_event_time=last)
    assert "Event times" not in tally.summary(0, 1, 0, Coverage(), Samples())


def test_reads_are_recorded_in_the_order_of_their_clock() -> None:
    tally = Tally()
    pauses = []
    for at in (5, 3, 6, 16, 17):  # the second was kept by a standby, and comes later than it was read
        tally.record_read(at * 1_000_000, [{"event_time": at + number} for number in range(3)])
        pauses.append(tally.longest_pause)
    assert pauses == [0.0, 0.0, 1.0, 10.0, 10.0]
    assert tally.newest_read_us == 17_000_000
    assert (tally.first_event_time, tally.last_event_time) == (5, 19)


def test_every_ten_seconds_in_the_first_minute_and_every_minute_after() -> None:
    progress, moments = Progress(1000.0), []
    for quarter in range(1000):
        now = 1000.0 + quarter / 4
        if now >= progress.due_at:
            progress.line(now, 0, 0, 0)
            moments.append(now - 1000.0)
    assert moments == [10, 20, 30, 40, 50, 60, 120, 180, 240]


@pytest.mark.parametrize(("late", "next_due"), [(37.0, 47.0), (59.5, 69.5), (60.0, 120.0)])
def test_a_late_look_does_not_bring_two_lines_at_once(late: float, next_due: float) -> None:
    progress = Progress(0.0)
    progress.line(late, 0, 0, 0)
    assert progress.due_at == next_due


def test_the_rate_is_of_the_last_interval() -> None:
    progress = Progress(100.0)
    assert progress.line(110.0, 5000, 30, 50.0) == "5000 updates of 30 symbols, 500 a second, 50 seconds left."
    assert progress.line(120.0, 5000, 30, 40.0) == "5000 updates of 30 symbols, 0 a second, 40 seconds left."
    assert progress.line(125.0, 5100, 30, 35.0) == "5100 updates of 30 symbols, 20 a second, 35 seconds left."
    assert " 2000 a second" in Progress(100.0).line(100.0, 2, 1, 60.0), "a first look at once divides by nothing"
    assert " 5 a second" in Progress(100.0).line(101.0, 5, 1, 60.0)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ([(0, 0.0)], " Not connected for 10.0 seconds."),
        ([(0, 0.0), (0, None)], ""),
        ([(0, 0.0), (0, None), (0, 4.0)], " Not connected for 6.0 seconds."),
        (
            [*((feed, None) for feed in range(4)), (1, 3.0), (3, 5.0)],
            " 2 of 4 connections are missing, the longest for 7.0 seconds.",
        ),
    ],
)
def test_since_when_there_is_no_connection(changes: list[tuple[int, float | None]], said: str) -> None:
    progress = Progress(0.0)
    for feed, since in changes:
        progress.lost_at[feed] = since
    assert progress.line(10.0, 0, 0, 50.0).endswith(f" 50 seconds left.{said}")


def test_a_record_a_minute_is_validated_and_each_fault_reported_once() -> None:
    drift = SchemaDrift("prices", {"properties": {"u": {"type": "integer"}}, "required": ["b"]})
    assert drift.due_at_us == 0
    assert list(drift.faults({"u": "1"}, 5)) == [
        f"Binance's prices no longer fit the declared schema. {fault}"
        for fault in ("`u`: '1' is not of type 'integer'", "`record`: 'b' is a required property")
    ]
    assert drift.due_at_us == 60_000_005
    assert list(drift.faults({"u": "2"}, 60_000_005)) == []


def test_of_a_field_within_another_the_path_is_named_and_of_a_long_fault_the_beginning() -> None:
    drift = SchemaDrift("prices", {"properties": {"a": {"properties": {"b": {"type": "integer"}}}}})
    (fault,) = drift.faults({"a": {"b": "x" * 300}}, 0)
    assert len(fault.partition("schema. `a.b`: ")[2]) == 200
