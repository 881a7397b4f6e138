"""When the next connection may be tried: at once after a healthy one, then ever later. Pure: no clock, no dice."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import NamedTuple

FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0  # seconds
MAX_ATTEMPTS, ATTEMPTS_WINDOW = 250, 300.0  # Binance's ceiling for one address: 300 in 5 minutes [binance-facts 1]
SECOND_REFUSED_PAUSE = 300.0  # seconds, where a second connection is refused for good but the first one lives


class Refusal(NamedTuple):
    """An attempt that led to no connection; `listens_again_at` is a moment that the exchange named (monotonic)."""

    error: Exception
    for_good: bool = False  # another try makes no sense before somebody acts
    listens_again_at: float | None = None


class Backoff:
    """The pacing of one feed's connection attempts. All moments are monotonic seconds.

    Only a message proves a connection: a server that accepts and falls silent, or flaps, is not hammered
    [binance-facts 5]. `chance` gives numbers in [0, 1), so that many clients do not come back in step.
    """

    def __init__(self, chance: Callable[[], float], attempts: deque[float], window_ends: float) -> None:
        self.failures = 0  # in a row
        self.banned: Exception | None = None  # the exchange does not listen before the window has ended
        self._chance = chance
        self._attempts = attempts  # the last `MAX_ATTEMPTS` of all feeds: Binance counts them by IP address
        self._window_ends = window_ends
        self._last_attempt = float("-inf")
        self._unproven = 0  # attempts since the last message
        self._not_before = self._asked_to_wait_until = self._second_not_before = 0.0

    def attempted(self, now: float) -> None:
        """An attempt begins."""
        self._attempts.append(now)
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
        self._asked_to_wait_until = max(self._asked_to_wait_until, refusal.listens_again_at or 0.0)
        is_banned = refusal.listens_again_at is not None and self._asked_to_wait_until >= self._window_ends
        self.banned = refusal.error if is_banned else None
        if refusal.for_good or is_banned:
            self._second_not_before = now + SECOND_REFUSED_PAUSE
        return refusal.for_good or is_banned

    def proven(self) -> None:
        """A message came over the last connection: the next attempt may be made as soon as after the first one."""
        self._unproven = 0
        self._not_before = self._last_attempt + FIRST_PAUSE

    def next_attempt_at(self, *, alive: bool) -> float:
        """The earliest moment for the next attempt; with `alive` it is for a second connection."""
        ceiling = self._attempts[0] + ATTEMPTS_WINDOW if len(self._attempts) == MAX_ATTEMPTS else 0.0
        second = self._second_not_before if alive else 0.0
        return max(self._not_before, self._asked_to_wait_until, ceiling, second)
