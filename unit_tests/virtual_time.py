"""Virtual time: a clock whose seconds pass when a test says so, beside a wall clock that can be set."""

from __future__ import annotations

from source_binance_futures.binance.clock import Clock

BEGAN, EPOCH = 1_000.0, 1_790_000_000.0  # seconds of the steady clock, and since 1970, at the start


class VirtualTime:
    """`now` is the steady clock in seconds; `wall_ahead` is how far the machine's wall clock was set ahead of it."""

    def __init__(self) -> None:
        self.now = BEGAN
        self.wall_ahead = EPOCH - BEGAN

    def pass_by(self, seconds: float) -> None:
        """Let so many seconds pass."""
        self.now += seconds

    def clock(self) -> Clock:
        """Return a clock of this time, which reads the wall clock now."""
        return Clock(lambda: self.now, lambda: self.now + self.wall_ahead, self.pass_by)
