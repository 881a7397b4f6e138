"""The wish to end, and the end of the window: what every wait in the house looks at."""

from __future__ import annotations

import time

LOOK_EVERY = 0.2  # seconds


class Stop:
    """The wish to end. `requested` is set by a stop signal, `requested_at` then (monotonic seconds).

    `window_ends` (monotonic seconds) is for the watchdog of the process: when nothing is left but to write what is
    there, None where that is not known. `listening_to_come` (seconds) is what a sync will listen after the stream that
    it reads now.
    Plain attributes on purpose: `threading.Event.set` takes a lock, and a signal handler that takes a lock which the
    interrupted thread holds never returns.
    """

    def __init__(self) -> None:
        self.requested = False
        self.requested_at: float | None = None
        self.window_ends: float | None = None
        self.listening_to_come = 0.0

    def request(self) -> None:
        """Asks everything that waits to come to its end; may be called by a signal handler."""
        self.requested_at = self.requested_at or time.monotonic()
        self.requested = True

    def sleep_until(self, moment: float) -> bool:
        """Sleeps until a point on the monotonic clock or until a stop is requested; True if it slept to the end."""
        while not self.requested:
            remaining = moment - time.monotonic()
            if remaining <= 0:
                return True
            time.sleep(min(remaining, LOOK_EVERY))
        return False
