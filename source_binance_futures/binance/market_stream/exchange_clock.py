"""When what arrives was pushed, by the exchange's own clock. Pure.

Two connections bring the same update at different moments, and one of them may be late by many seconds. What both have
brought is compared by when it was pushed, never by when it was received.
"""

from __future__ import annotations

BELIEVABLE = 86_400.0  # seconds; an event time further from our clock is in another unit, or of a played recording
LEAP = 600.0  # seconds; Binance cuts a client that is ten minutes behind with its pongs [binance-protocol 1]
LEAP_LASTS = 5.0  # seconds of nothing but such times, after which they are believed: this machine may have slept
UNCERTAINTY_BY_EVENT_TIME = 0.25  # seconds; event times of neighbours go back by up to 79 ms [binance-protocol 2.4]
UNCERTAINTY_BY_RECEIPT = 2.0  # seconds by which connections may differ where frames carry no time


class ExchangeClock:
    """Reads event times, and tells the present by them.

    `epoch_offset` is the wall clock minus the monotonic clock, in seconds: what counts as long as no frame says better.
    """

    def __init__(self, epoch_offset: float) -> None:
        self._epoch_offset = epoch_offset
        self._ahead: float | None = None  # the exchange's clock minus ours, by the frame that was fastest so far
        self._leaps_since: float | None = None  # at

    @property
    def knows(self) -> bool:
        """Whether any frame has told when it was pushed."""
        return self._ahead is not None

    @property
    def uncertainty(self) -> float:
        """By how many seconds two connections may differ in when they put the same push."""
        return UNCERTAINTY_BY_RECEIPT if self._ahead is None else UNCERTAINTY_BY_EVENT_TIME

    def now(self, at: float) -> float:
        """What is pushed at this moment (monotonic seconds) carries this time (epoch seconds), or an earlier one."""
        return at + (self._epoch_offset if self._ahead is None else self._ahead)

    def read(self, at: float, event_time: float | None) -> float | None:
        """The event time of a frame received `at` (monotonic), in epoch seconds; None if it cannot be believed."""
        if event_time is None or abs(event_time - at - self._epoch_offset) > BELIEVABLE:
            return None
        ahead = event_time - at
        if self._is_leap(at, ahead):
            return None
        if self._ahead is None or ahead > self._ahead:
            self._ahead = ahead
        return event_time

    def _is_leap(self, at: float, ahead: float) -> bool:
        """Whether a frame is so far ahead of all before it that its time is a mistake.

        One that was believed would put all that follows in the past, and gaps are told from the newest time on.
        """
        if self._ahead is None or ahead - self._ahead <= LEAP:
            self._leaps_since = None
            return False
        self._leaps_since = at if self._leaps_since is None else self._leaps_since
        return at - self._leaps_since < LEAP_LASTS
