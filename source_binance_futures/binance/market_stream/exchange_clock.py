"""When what arrives was pushed, by the exchange's own clock. Pure.

What two connections bring is compared by that, never by when it was received: one may be late by many seconds.
"""

from __future__ import annotations

BELIEVABLE = 86_400.0  # seconds; an event time further from our clock is in another unit, or of a played recording
LEAP = 0.4  # seconds by which a frame may be ahead of all others and be believed at once
LEAP_LASTS = 5.0  # seconds of nothing but leaps over one connection, after which they are believed
BACK_LASTS = 1.0  # seconds of nothing but times before that of the first read, which was ahead then
REMEMBERED = 150.0  # seconds; the fastest read counts for one to two of these, so clocks may drift apart
UNCERTAINTY_BY_EVENT_TIME = 0.25  # seconds; event times of neighbours go back by up to 79 ms [binance-facts 2.4]
UNCERTAINTY_BY_RECEIPT = 2.0  # seconds by which connections may differ where frames carry no time


class ExchangeClock:
    """Reads event times, and tells the present by them: by the fastest read of the last minutes.

    A time that leaps ahead is not believed: it would put all that follows in the past. But where a connection brings
    nothing else for a while, the clocks have moved, or all before was late. `epoch_offset` (the wall clock minus the
    monotonic clock, in seconds) counts as long as no frame says better.
    """

    def __init__(self, epoch_offset: float) -> None:
        self.restarts = 0  # how often it began anew: what was put by it before that cannot be compared any more
        self.ahead: float | None = None  # the exchange's clock minus ours; None until a frame shows when it was pushed
        self._epoch_offset = epoch_offset
        self._fastest = self._fastest_before = float("-inf")  # of this period of `REMEMBERED`, and of the one before
        self._period_began = 0.0  # at
        self._first: float | None = 0.0  # the time of the first read, as long as no other supports it
        self._back_since: float | None = None  # at
        self._leaps_since: dict[int, float] = {}  # lines: since when they brought nothing but leaps (at)

    @property
    def uncertainty(self) -> float:
        """By how many seconds two connections may differ in when they put the same push."""
        return UNCERTAINTY_BY_RECEIPT if self.ahead is None else UNCERTAINTY_BY_EVENT_TIME

    def now(self, at: float) -> float:
        """What is pushed at this moment (monotonic seconds) carries this time (epoch seconds), or an earlier one."""
        return at + (self._epoch_offset if self.ahead is None else self.ahead)

    def read(self, line: int, at: float, earliest: float | None, newest: float | None) -> tuple[float, float] | None:
        """The earliest and the newest event time of a read (epoch seconds) that can be believed; None if none can."""
        given = [time for time in (earliest, newest) if time is not None]
        times = [time for time in given if abs(time - at - self._epoch_offset) <= BELIEVABLE]
        if not times:
            return None
        earliest, newest = times[0], times[-1]
        if self._is_leap(earliest - at):
            if at - self._leaps_since.setdefault(line, at) < LEAP_LASTS:
                return None
            self._begin_anew(at, newest - at)
        elif self._is_leap(newest - at):
            newest = earliest
        self._leaps_since.pop(line, None)
        self._count(at, newest - at)
        return earliest, newest

    def _is_leap(self, ahead: float) -> bool:
        return self.ahead is not None and ahead - self.ahead > LEAP

    def _begin_anew(self, at: float, ahead: float) -> None:
        self.restarts += 1
        self._fastest, self._fastest_before, self._period_began = ahead, float("-inf"), at
        self._first = None if self._first is None else at + ahead
        self._back_since = None

    def _count(self, at: float, ahead: float) -> None:
        """The fastest of two periods says how far the clocks are apart."""
        if self.ahead is None:
            self._begin_anew(at, ahead)
        elif self._first is not None and at + ahead != self._first:  # else the same push, over another connection
            if at + ahead > self._first:
                self._first = None if abs(ahead - self.ahead) <= LEAP else self._first
                self._back_since = None  # what is late comes after it all the same
            elif self._back_since is None:
                self._back_since = at
            elif at - self._back_since >= BACK_LASTS:
                self._begin_anew(at, ahead)
        if at - self._period_began >= REMEMBERED:
            self._fastest_before, self._fastest, self._period_began = self._fastest, ahead, at
        self._fastest = max(self._fastest, ahead)
        self.ahead = max(self._fastest, self._fastest_before)
