"""How long a sync writes on once it is over: decided purely, in virtual time."""

from __future__ import annotations

import pytest

from source_binance_futures.output import PATIENCE
from source_binance_futures.streams.book_tickers import WRITE_AFTER_STOP, WRITE_AFTER_WINDOW, LastWrites

READ = 500  # updates of one read


def drain(backlog: int, pace: float, *, pauses: float = 0.0) -> tuple[int, float]:
    """How many updates are written after a stop, and when that ends; the destination takes `pace` a second."""
    now = pauses
    writes = LastWrites(now)
    written = 0
    while written < backlog and writes.allow(READ, now, WRITE_AFTER_STOP):
        written += READ
        now += READ / pace
    return written, now


def test_where_the_destination_keeps_up_it_ends_within_a_second() -> None:
    written, seconds = drain(13_000, 100_000)
    assert written == 13_000
    assert seconds < 1


@pytest.mark.parametrize(("backlog", "pace"), [(13_000, 3_000), (23_000, 3_000), (3_500, 500)])
def test_a_slow_destination_gets_everything_that_it_takes_within_eight_seconds(backlog: int, pace: float) -> None:
    written, seconds = drain(backlog, pace)
    assert written == backlog
    assert seconds <= WRITE_AFTER_STOP


@pytest.mark.parametrize("pace", [100.0, 500.0, 3_000.0])
def test_it_ends_in_time_whatever_is_left(pace: float) -> None:
    """What was begun must be taken before whoever stopped it kills it: that is why it estimates."""
    written, seconds = drain(1_000_000, pace)
    assert written >= READ
    assert seconds <= max(WRITE_AFTER_STOP, READ / pace)


def test_a_destination_that_begins_to_read_meanwhile_gets_what_is_left_of_the_time() -> None:
    assert drain(1_000, 100_000, pauses=7.0)[0] == 1_000
    assert drain(1_000, 100_000, pauses=8.5)[0] == 0


def test_nothing_is_written_after_the_first_that_was_not() -> None:
    """A smaller read behind it would fit, and leave a hole."""
    writes = LastWrites(0.0)
    assert writes.allow(1000, 0.0, 8.0)
    assert not writes.allow(9000, 1.0, 8.0)
    assert not writes.allow(1, 1.0, 8.0)


def test_a_stop_after_the_window_shortens_what_is_left() -> None:
    writes = LastWrites(0.0)
    assert writes.allow(1000, 0.0, 45.0)
    assert writes.allow(1000, 5.0, 45.0)
    assert not writes.allow(1000, 10.0, 13.0)


def test_it_ends_before_others_end_it() -> None:
    assert WRITE_AFTER_STOP == 8.0, "as README says; PyAirbyte kills after ten seconds"
    assert 2 <= WRITE_AFTER_WINDOW < PATIENCE - 10
    assert PATIENCE == 60.0, "README: a minute later"
