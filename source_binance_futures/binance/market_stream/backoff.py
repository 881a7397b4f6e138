"""When the next connection may be tried: at once after a healthy one, then ever later. Pure: no clock, no dice."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0  # seconds
MAX_ATTEMPTS, ATTEMPTS_WINDOW = 300, 300.0  # Binance's ceiling for one address: 300 in 5 minutes [binance-protocol 1]


class Redial:
    """The pacing of connection attempts.

    Only a message proves a connection: a server that accepts and falls silent, or flaps, is not hammered
    [binance-protocol 6]. `chance` gives numbers in [0, 1), so that many clients do not come back in step.
    """

    def __init__(self, chance: Callable[[], float]) -> None:
        self._chance = chance
        self._attempts: deque[float] = deque(maxlen=MAX_ATTEMPTS)
        self._unproven = 0  # attempts since the last message
        self._not_before = 0.0
        self._asked_to_wait_until = 0.0

    def attempted(self, now: float) -> None:
        """An attempt begins at `now` (monotonic seconds, as everywhere here)."""
        self._attempts.append(now)
        longest = min(FIRST_PAUSE * 2**self._unproven, LONGEST_PAUSE)
        self._not_before = now + max(FIRST_PAUSE, longest * (0.5 + self._chance() / 2))
        self._unproven = min(self._unproven + 1, 16)

    def proven(self) -> None:
        """A message came over the connection of the last attempt: the next one may be made at once.

        But not at the pace of handshakes, where a server sends one message and cuts each time.
        """
        self._unproven = 0
        self._not_before = self._attempts[-1] + FIRST_PAUSE if self._attempts else 0.0

    def wait_until(self, moment: float) -> None:
        """The exchange named a moment before which it does not want to be asked; no message lifts that."""
        self._asked_to_wait_until = max(self._asked_to_wait_until, moment)

    def next_attempt_at(self) -> float:
        """The earliest moment for the next attempt."""
        full = len(self._attempts) == MAX_ATTEMPTS
        not_before = max(self._not_before, self._asked_to_wait_until)
        return max(not_before, self._attempts[0] + ATTEMPTS_WINDOW if full else 0.0)
