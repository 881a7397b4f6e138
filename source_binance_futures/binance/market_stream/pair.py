"""The one or two lines of a feed, and what the comparison of them tells. Pure."""

from __future__ import annotations

from .line import Line, Timing

IN_STEP = 0.5  # seconds by which the same update may come later over one connection than over the other


class Pair:
    """The line in use, and the spare that may take over. All moments are monotonic seconds."""

    def __init__(self, timing: Timing) -> None:
        self.active: Line | None = None
        self.spare: Line | None = None
        self._timing = timing
        self._alone: Line | None = None  # brings data while the other brings none
        self._alone_since = 0.0
        self._behind: Line | None = None  # is later than the other
        self._behind_since = 0.0

    def lines(self) -> list[Line]:
        return [line for line in (self.active, self.spare) if line is not None]

    def line(self, number: int) -> Line | None:
        return next((line for line in self.lines() if line.number == number), None)

    def remove(self, line: Line) -> None:
        if line is self.active:
            self.active = None
        else:
            self.spare = None
        self.forget()

    def promote(self) -> Line:
        """The spare becomes the line in use."""
        line = self.spare
        assert line is not None
        assert self.active is None
        self.active, self.spare = line, None
        self.forget()
        return line

    def forget(self) -> None:
        """What was compared so far says nothing any more: a line has gone, or was not read for a while."""
        self._alone = None
        self._behind = None

    def compare(self, line: Line, now: float) -> None:
        """Data came over `line`.

        At a five-second cadence both hear the same updates and then nothing: that is not being alone.
        """
        other = self.spare if line is self.active else self.active
        if other is None:
            return
        if self._alone is other:
            self._alone = None
        if self._alone is None and now - other.last_data_at >= IN_STEP:
            self._alone, self._alone_since = line, now
        if line.lag - other.lag < self._timing.takeover_after:
            self._behind = None if self._behind is line else self._behind
        elif self._behind is not line:
            self._behind, self._behind_since = line, now

    def spare_is_alone(self, now: float, *, at_once: bool) -> bool:
        """Whether the spare brings data, and the line in use has brought none for too long; `at_once`: for a moment."""
        return self.spare is not None and (self._alone is self.spare if at_once else self._is_alone(self.spare, now))

    def spare_is_deaf(self, now: float) -> bool:
        """Whether the line in use brings data, and the spare none; a fresh one is given its time."""
        spare, active = self.spare, self.active
        if spare is None or active is None or not self._is_alone(active, now):
            return False
        return spare.has_data or spare.is_silent(now)

    def is_behind(self, line: Line, now: float) -> bool:
        """Whether a line is later than the other, and has been for a while."""
        return self._behind is line and now - self._behind_since >= self._timing.takeover_after

    def _is_alone(self, line: Line, now: float) -> bool:
        return self._alone is line and now - self._alone_since >= self._timing.takeover_after - IN_STEP
