"""When the watchdog ends a process whose stdout stays blocked: the rule alone."""

from __future__ import annotations

import pytest

from source_binance_futures.binance.clock import Clock, Stop
from source_binance_futures.output import stalled_since


@pytest.mark.parametrize(
    ("requested_at", "window_ends", "writing", "stalled"),
    [
        (None, None, 10.0, None),  # a sync that goes on: a slow destination is waited for
        (None, 101.0, 10.0, None),
        (None, 20.0, None, None),  # over, and nothing waits to be written
        (None, 20.0, 10.0, 20.0),  # blocked since before the end: the patience begins with the end
        (None, 20.0, 30.0, 30.0),  # bytes went out after the end
        (None, 100.0, 10.0, 100.0),
        (50.0, None, 10.0, 50.0),
        (50.0, 101.0, 10.0, 50.0),
        (99.0, 70.0, 10.0, 70.0),
    ],
)
def test_since_when_stdout_has_been_blocked_after_the_end(
    requested_at: float | None, window_ends: float | None, writing: float | None, stalled: float | None
) -> None:
    stop = Stop(Clock())
    stop.requested_at, stop.window_ends = requested_at, window_ends
    assert stalled_since(stop, writing, 100.0) == stalled
