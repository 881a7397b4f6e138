"""One moment by which several steps must be through, however the time is divided among them."""

from __future__ import annotations

import time


class Deadline:
    """A moment on the monotonic clock, in seconds; every step of a wait asks it for what is left."""

    def __init__(self, moment: float) -> None:
        self.moment = moment

    @classmethod
    def after(cls, seconds: float) -> Deadline:
        """So many seconds from now."""
        return cls(time.monotonic() + seconds)

    def or_after(self, seconds: float) -> Deadline:
        """This deadline, or so many seconds from now where that comes first."""
        return Deadline(min(self.moment, time.monotonic() + seconds))

    def remaining(self) -> float:
        """The seconds that are left; never less than 0."""
        return max(self.moment - time.monotonic(), 0.0)

    def timeout(self) -> float:
        """The seconds that are left, for a socket, to which 0 would mean: do not wait. Raises `TimeoutError`."""
        remaining = self.remaining()
        if remaining <= 0:
            raise TimeoutError
        return remaining

    @property
    def expired(self) -> bool:
        return self.remaining() <= 0
