"""Time for everything that waits or stamps. A clock is handed in, so that a whole sync runs in virtual time too."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timezone

from .errors import Interrupted, NoThread

LOOK_EVERY = 0.2  # seconds between two looks at the stop flag


def _steady() -> float:
    """Return seconds of a clock that nobody sets. CLOCK_BOOTTIME goes on while a laptop sleeps, where there is one."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()


class Clock:
    """The time of one process, or of one window: `monotonic()` is the present in seconds of the steady clock."""

    def __init__(
        self,
        steady: Callable[[], float] = _steady,
        wall: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.monotonic = steady
        self.sleep = sleep
        # Read once: rows stay in order when somebody sets the machine's clock meanwhile.
        self.epoch_offset = wall() - steady()
        self._wall = wall

    def epoch(self) -> float:
        """Return the present in seconds since 1970 UTC."""
        return self.monotonic() + self.epoch_offset

    def now_us(self) -> int:
        """Return the present in microseconds since 1970 UTC."""
        return self.to_us(self.monotonic())

    def to_us(self, moment: float) -> int:
        """Return a moment of the steady clock in microseconds since 1970 UTC."""
        return int((moment + self.epoch_offset) * 1e6)

    def today(self) -> date:
        """Return the date in UTC."""
        return datetime.fromtimestamp(self.epoch(), timezone.utc).date()

    def drift(self) -> float:
        """Return by how many seconds the machine's clock is ahead of this one: it was set, or the steady one is off."""
        return self._wall() - self.epoch()

    def deadline(self, seconds: float) -> Deadline:
        """Return the moment so many seconds from now."""
        return Deadline(self, self.monotonic() + seconds)


@dataclass(frozen=True)
class Deadline:
    """A moment (seconds of the steady clock) by which several steps must be through, however they divide the time."""

    clock: Clock
    moment: float

    def or_after(self, seconds: float) -> Deadline:
        """Return this deadline, or so many seconds from now where that comes first."""
        return Deadline(self.clock, min(self.moment, self.clock.monotonic() + seconds))

    def remaining(self) -> float:
        """Return the seconds that are left; never less than 0."""
        return max(self.moment - self.clock.monotonic(), 0.0)

    def timeout(self) -> float:
        """Return the seconds that are left, for a socket, where 0 would mean: do not wait. Raises `TimeoutError`."""
        remaining = self.remaining()
        if remaining <= 0:
            raise TimeoutError
        return remaining

    @property
    def expired(self) -> bool:
        return self.remaining() <= 0


@dataclass
class Stop:
    """Shutdown flag and deadline, polled by every wait loop. Moments are seconds of the steady clock."""

    clock: Clock
    requested: bool = False  # by a signal handler, which must take no lock, as the `set` of a `threading.Event` does
    requested_at: float | None = None
    window_ends: float | None = None  # nothing is left then but to write what is there, which the watchdog limits
    listening_to_come: float = 0.0  # seconds that a sync will listen after the stream that it reads now
    process_began: float | None = None  # None where a program runs the source, and not the console script

    def request(self) -> None:
        """Ask everything that waits to come to its end; may be called by a signal handler."""
        self.requested_at = self.requested_at or self.clock.monotonic()
        self.requested = True

    def sleep(self, seconds: float) -> None:
        """Sleep so many seconds. Raises `Interrupted` once a stop is requested."""
        deadline = self.clock.deadline(seconds)
        while not (self.requested or deadline.expired):
            self.clock.sleep(min(deadline.remaining(), LOOK_EVERY))
        if self.requested:
            raise Interrupted


def start_thread(name: str, work: Callable[[], None], what: str) -> threading.Thread:
    """Start a daemon thread. Raises `NoThread`; `what` says, as the beginning of a sentence, what does not happen."""
    thread = threading.Thread(target=work, name=name, daemon=True)
    try:
        thread.start()
    except RuntimeError as error:  # the limit of processes is reached, or there is no memory for another stack
        raise NoThread(what) from error
    return thread
