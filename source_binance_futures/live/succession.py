"""The planned replacement of one connection by another with the same streams, and what both brought meanwhile.

The connector does the same every 23 hours, since Binance cuts a connection at 24.
"""

from __future__ import annotations

from ..binance.endpoints import own_stream
from .facts import OverlapFacts
from .line import Line
from .overlap import compare
from .schedule import Schedule

FIRST_DATA_WITHIN = 20.0  # seconds


class Succession:
    """Of the line in use by a fresh one. Moments are monotonic seconds."""

    def __init__(self, used: Line, schedule: Schedule) -> None:
        self.used = used
        self.fresh: Line | None = None
        self.is_over = False
        self._overlap = schedule.overlap
        self._begins_at = 0.0
        self._brings_data_at: float | None = None
        used.tape.keys = []

    def opened(self, fresh: Line, now: float) -> None:
        """The fresh connection is there."""
        self.fresh = fresh
        self._begins_at = now
        fresh.tape.keys = []

    def failed(self) -> None:
        """No fresh connection came about."""
        self.is_over = True

    def step(self, now: float) -> Line | None:
        """The line that is to be used from now on, once the overlap is over; the other one is left then."""
        if self.is_over or self.fresh is None:
            return None
        if not (self.fresh.is_open and self.used.is_open):
            self.is_over = True
            return self.fresh if self.fresh.is_open else None
        if self._brings_data_at is None:
            if self.fresh.tape.own_frames:
                self._brings_data_at = now
            elif now - self._begins_at >= FIRST_DATA_WITHIN:
                self.is_over = True
                self.fresh.leave()
            return None
        if now - self._brings_data_at < self._overlap:
            return None
        self.is_over = True
        self.used.leave()
        return self.fresh

    def facts(self) -> OverlapFacts | None:
        """What both brought of the contracts that both follow, the fresh line from its first moment; None for none."""
        if self.fresh is None:
            return None
        followed = self.fresh.named & self.used.confirmed
        brought = [
            [key for key in line.tape.keys or () if own_stream(key[0]) in followed] for line in (self.used, self.fresh)
        ]
        return compare(*brought)
