"""When a process is ended whose output nobody takes: the rule alone."""

from __future__ import annotations

import pytest

from source_binance_futures.binance.clock import Clock, Stop
from source_binance_futures.output import over_since, stalled_since


@pytest.mark.parametrize(
    ("over", "writing", "stalled"),
    [
        (None, None, None),
        (None, 10.0, None),  # a sync that goes on: a slow destination is waited for
        (20.0, None, None),  # over, and nothing waits to be written
        (20.0, 10.0, 20.0),  # blocked since before the end: the patience begins with the end
        (20.0, 30.0, 30.0),  # bytes went out after the end
    ],
)
def test_since_when_nothing_could_be_written(over: float | None, writing: float | None, stalled: float | None) -> None:
    assert stalled_since(over, writing) == stalled


@pytest.mark.parametrize(
    ("requested_at", "window_ends", "over"),
    [
        (None, None, None),
        (None, 101.0, None),
        (None, 100.0, 100.0),
        (50.0, None, 50.0),
        (50.0, 101.0, 50.0),
        (99.0, 70.0, 70.0),
    ],
)
def test_since_when_a_sync_should_be_over(
    requested_at: float | None, window_ends: float | None, over: float | None
) -> None:
    stop = Stop(Clock())
    stop.requested_at, stop.window_ends = requested_at, window_ends
    assert over_since(stop, 100.0) == over
