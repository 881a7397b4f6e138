"""When the next connection may be tried: at once after a healthy one, then ever later. Pure: no clock, no dice."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0  # seconds
MAX_ATTEMPTS, ATTEMPTS_WINDOW = 250, 300.0  # Binance's ceiling for one address: 300 in 5 minutes [binance-facts 1]
SECOND_REFUSED_PAUSE = 300.0  # seconds, where a second connection is refused for good but the first one lives


@dataclass(frozen=True)
class Refusal:
    """An attempt that led to no connection.

    `for_good` where another try makes no sense before somebody acts; `listens_again_at` (monotonic seconds) where the
    exchange named a moment.
    """

    error: Exception
    for_good: bool = False
    listens_again_at: float | None = None


class Ceiling:
    """How many attempts all feeds together may make, since Binance counts them by IP address."""

    def __init__(self) -> None:
        self._attempts: deque[float] = deque(maxlen=MAX_ATTEMPTS)

    def attempted(self, now: float) -> None:
        self._attempts.append(now)

    def next_attempt_at(self) -> float:
        """The earliest moment for the next attempt of any feed."""
        return self._attempts[0] + ATTEMPTS_WINDOW if len(self._attempts) == MAX_ATTEMPTS else 0.0


class Backoff:
    """The pacing of one feed's connection attempts. All moments are monotonic seconds.

    Only a message proves a connection: a server that accepts and falls silent, or flaps, is not hammered
    [binance-facts 5]. `chance` gives numbers in [0, 1), so that many clients do not come back in step.
    """

    def __init__(self, chance: Callable[[], float], ceiling: Ceiling, window_ends: float) -> None:
        self.failures = 0  # in a row
        self.banned: Exception | None = None  # the exchange does not listen before the window has ended
        self._chance = chance
        self._ceiling = ceiling
        self._window_ends = window_ends
        self._last_attempt: float | None = None
        self._unproven = 0  # attempts since the last message
        self._not_before = 0.0
        self._asked_to_wait_until = 0.0
        self._second_not_before = 0.0

    def attempted(self, now: float) -> None:
        """An attempt begins."""
        self._ceiling.attempted(now)
        self._last_attempt = now
        longest = min(FIRST_PAUSE * 2**self._unproven, LONGEST_PAUSE)
        self._not_before = now + max(FIRST_PAUSE, longest * (0.5 + self._chance() / 2))
        self._unproven = min(self._unproven + 1, 16)

    def opened(self) -> None:
        """The attempt led to a connection, which proves nothing yet."""
        self.failures = 0
        self.banned = None

    def refused(self, now: float, refusal: Refusal) -> bool:
        """The attempt failed. True where another one makes no sense within the window."""
        self.failures += 1
        self.banned = None
        if refusal.listens_again_at is not None:
            self._asked_to_wait_until = max(self._asked_to_wait_until, refusal.listens_again_at)
            if self._asked_to_wait_until >= self._window_ends:
                self.banned = refusal.error
        hopeless = refusal.for_good or self.banned is not None
        if hopeless:
            self._second_not_before = now + SECOND_REFUSED_PAUSE
        return hopeless

    def proven(self) -> None:
        """A message came over the connection of the last attempt: the next one may be made at once.

        But not at the pace of handshakes, where a server sends one message and cuts each time.
        """
        self._unproven = 0
        self._not_before = 0.0 if self._last_attempt is None else self._last_attempt + FIRST_PAUSE

    def next_attempt_at(self, *, alive: bool) -> float:
        """The earliest moment for the next attempt; with `alive` it is for a second connection."""
        not_before = max(self._not_before, self._asked_to_wait_until, self._ceiling.next_attempt_at())
        return max(not_before, self._second_not_before) if alive else not_before
