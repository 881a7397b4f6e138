"""Ends a process whose output nobody takes: where the sync is over, nobody may be there to end it.

While a sync listens, a slow destination is waited for, however long it takes.
"""

from __future__ import annotations

import os
import threading

from .binance.clock import Stop
from .output import Output, tell

PATIENCE = 60.0  # seconds without a byte that could be written
LOOK_EVERY = 1.0  # seconds


def stalled_since(over_since: float | None, writing_since: float | None) -> float | None:
    """Since when nothing could be written of what a sync still had to write when it was over; None if it is not so.

    `over_since` is when it should have ended, `writing_since` when the write under way began; a moment each, on one
    clock, or None.
    """
    if over_since is None or writing_since is None:
        return None
    return max(over_since, writing_since)


def over_since(stop: Stop, now: float) -> float | None:
    """When a sync should have ended: at the end of its window, or when it was asked to; None where it goes on."""
    ends = [moment for moment in (stop.requested_at, stop.window_ends) if moment is not None and moment <= now]
    return min(ends) if ends else None


def start(stop: Stop, output: Output) -> None:
    """Watches `output` from a thread of its own until the process ends."""
    threading.Thread(target=_watch, args=(stop, output), name="watchdog", daemon=True).start()


def _watch(stop: Stop, output: Output) -> None:
    while True:
        stop.clock.sleep(LOOK_EVERY)
        now = stop.clock.monotonic()
        stalled = stalled_since(over_since(stop, now), output.writing_since)
        if stalled is not None and now - stalled > PATIENCE:
            why = "was asked to stop" if stop.requested else "should have ended"
            tell(f"No byte could be written for {PATIENCE:g} seconds, and the sync {why} before that. Ending here.")
            os._exit(1)  # nothing gentler gets past a write that does not return
