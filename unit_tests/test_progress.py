"""What a sync says of itself: at its start, while it goes on, at its end."""

from __future__ import annotations

from source_binance_futures.binance.market_stream.coverage import Coverage
from source_binance_futures.binance.market_stream.items import ConnectivityChanged
from source_binance_futures.streams.progress import Progress
from source_binance_futures.streams.tally import Tally, clock_behind, clock_drifted, hole_before

NOON = 1_790_337_600.0  # 2026-09-25 12:00:00 UTC


def told_at(began: float, ends: float, step: float = 0.25) -> list[float]:
    """When a line is due in a window that is looked at every `step` seconds."""
    progress, moments = Progress(began), []
    for look in range(round((ends - began) / step)):
        now = began + look * step
        if progress.is_due(now):
            progress.line(now, 0, 0, 0)
            moments.append(now - began)
    return moments


def test_every_ten_seconds_in_the_first_minute_and_every_minute_after() -> None:
    assert told_at(1000.0, 1250.0) == [10, 20, 30, 40, 50, 60, 120, 180, 240]


def test_a_late_look_does_not_bring_two_lines_at_once() -> None:
    progress = Progress(0.0)
    assert progress.is_due(37.0)
    progress.line(37.0, 0, 0, 0)
    assert not progress.is_due(46.9)
    assert progress.is_due(47.0)


def test_the_rate_is_of_the_last_interval() -> None:
    progress = Progress(100.0)
    assert progress.line(110.0, 5000, 30, 50.0) == "5000 updates of 30 symbols, 500 a second, 50 seconds left."
    assert progress.line(120.0, 5000, 30, 40.0) == "5000 updates of 30 symbols, 0 a second, 40 seconds left."
    assert progress.line(125.0, 5100, 30, 35.0) == "5100 updates of 30 symbols, 20 a second, 35 seconds left."


def test_a_first_look_at_once_divides_by_nothing() -> None:
    assert " 2000 a second" in Progress(100.0).line(100.0, 2, 1, 60.0)
    assert " 5 a second" in Progress(100.0).line(101.0, 5, 1, 60.0)


def test_the_first_minute_has_sixty_seconds() -> None:
    progress = Progress(0.0)
    progress.line(59.5, 0, 0, 0)
    assert progress.is_due(69.5)


def test_since_when_there_is_no_connection() -> None:
    progress = Progress(0.0)
    progress.reach(ConnectivityChanged(0, 0.0))
    assert progress.line(10.0, 0, 0, 50.0).endswith(" 50 seconds left. Not connected for 10.0 seconds.")
    progress.reach(ConnectivityChanged(0, None))
    assert progress.line(20.0, 0, 0, 40.0).endswith(" 40 seconds left.")
    progress.reach(ConnectivityChanged(0, 24.0))
    assert progress.line(30.0, 0, 0, 30.0).endswith(" Not connected for 6.0 seconds.")


def test_several_connections_some_missing() -> None:
    progress = Progress(0.0)
    for feed in range(4):
        progress.reach(ConnectivityChanged(feed, None))
    progress.reach(ConnectivityChanged(1, 3.0))
    progress.reach(ConnectivityChanged(3, 5.0))
    line = progress.line(10.0, 0, 0, 50.0)
    assert line.endswith(" 2 of 4 connections are missing, the longest for 7.0 seconds.")


def test_the_longest_pause_between_two_reads() -> None:
    tally = Tally()
    for second in (10.0, 10.5, 13.0, 12.0, 13.25):  # the fourth was kept by a standby
        tally.heard(round(second * 1e6))
    assert tally.longest_pause == 2.5


def test_the_summary_tells_stretches_and_the_longest_pause() -> None:
    tally, coverage = Tally(emitted=7), Coverage()
    for moment in (1, 3):
        coverage.begin("BTCUSD_PERP", 0, moment)
        coverage.reset_feed(0)
    coverage.begin("ETHUSD_PERP", 0, 2)
    tally.heard(1_000_000)
    tally.heard(1_400_000)
    summary = tally.summary(2, 9.0, 1, coverage=coverage, compared=0, confirmed=0)
    assert "Covered intervals: 3, of 2 contracts. Longest pause: 0.400 seconds." in summary


def test_samples_and_a_single_update_leave_nothing_to_tell() -> None:
    tally = Tally(emitted=1)
    tally.heard(1_000_000)
    summary = tally.summary(1, 9.0, 0, coverage=Coverage(), compared=0, confirmed=0)
    assert "Covered" not in summary
    assert "pause" not in summary


def test_the_hole_before_a_sync_in_seconds() -> None:
    assert hole_before(NOON, NOON + 6.44, "until the first update of this sync") == (
        "The state ends with an update of 2026-09-25 12:00:00.000 UTC: a hole of 6.4 seconds until the first update of "
        "this sync. What Binance pushed since then, while nothing listened, cannot be had any more."
    )


def test_no_length_where_the_first_update_is_of_before_the_state() -> None:
    assert "2026-09-25 12:00:00.000 UTC. What" in hole_before(NOON, NOON - 3, "until the first update of this sync")


def test_clocks_that_differ() -> None:
    assert clock_behind(8.2, NOON).startswith(
        "This machine's clock is 8.2 seconds behind the newest row of the state, received at 2026-09-25 12:00:00.000 "
        "UTC. `covered_since_us` stays null for so long"
    )
    assert "is 3600 seconds behind the time that this sync goes by" in clock_drifted(-3600)
    assert "is 1.5 seconds ahead of the time" in clock_drifted(1.5)
