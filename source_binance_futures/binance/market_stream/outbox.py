"""From the thread that reads sockets to the one that writes records: one queue, bounded in bytes."""

from __future__ import annotations

import queue
from dataclasses import dataclass
from typing import TypeAlias

from ..text import duration, utc
from .events import Batch

HIGH_WATER = 64 * 1024 * 1024  # bytes; reading pauses there
LOW_WATER = 48 * 1024 * 1024  # and goes on here, so that it does not flutter


@dataclass(frozen=True)
class Warned:
    """Something that a person should read now."""

    text: str


@dataclass(frozen=True)
class Noted:
    """Something that explains the log later."""

    text: str


@dataclass(frozen=True)
class Traced:
    """Something for whoever looks at the machine at work (`--debug`)."""

    text: str


@dataclass(frozen=True)
class Gap:
    """Updates pushed between `since` and `until` may be missing: nobody listened, and Binance never replays.

    Both are epoch seconds of the exchange's clock, as event times are.
    """

    feed: int
    since: float
    until: float
    cause: str

    @property
    def seconds(self) -> float:
        return self.until - self.since

    def __str__(self) -> str:
        return (
            f"Gap of {duration(self.seconds)}: updates pushed from {utc(self.since)} to {utc(self.until)} "
            f"may be missing. Cause: {self.cause}."
        )


@dataclass(frozen=True)
class Silence(Gap):
    """The same, where connections answered and brought nothing: most likely nothing was pushed."""

    def __str__(self) -> str:
        return (
            f"Nothing came for {duration(self.seconds)}, from {utc(self.since)} to {utc(self.until)} ({self.cause}). "
            "Most likely nothing was pushed; if anything was, it is missing."
        )


@dataclass(frozen=True)
class Unproven:
    """Another connection took over, and of these contracts it is not sure that it has brought everything."""

    symbols: tuple[str, ...]


@dataclass(frozen=True)
class Reach:
    """Whether a feed has a connection in use: `lost_at` is since when it has none (monotonic seconds), or None."""

    feed: int
    lost_at: float | None


@dataclass(frozen=True)
class Failed:
    """The stream ended by itself; `error` says why."""

    error: Exception


Item: TypeAlias = "Batch | Warned | Noted | Traced | Gap | Unproven | Reach | Failed"


class Outbox:
    """A queue between two threads; putting never waits.

    The reader asks `is_full` before it reads a socket. Each side keeps its own counter, so no lock is needed.
    """

    def __init__(self, high_water: int = HIGH_WATER, low_water: int = LOW_WATER) -> None:
        self._items: queue.SimpleQueue[Item] = queue.SimpleQueue()
        self._high_water = high_water
        self._low_water = low_water
        self._is_full = False
        self._put_bytes = 0
        self._taken_bytes = 0

    def put(self, item: Item) -> None:
        if isinstance(item, Batch):
            self._put_bytes += item.size
        self._items.put(item)

    def take(self, seconds: float) -> Item | None:
        """The next item; None if none came within so many seconds."""
        try:
            item = self._items.get(timeout=seconds) if seconds > 0 else self._items.get_nowait()
        except queue.Empty:
            return None
        if isinstance(item, Batch):
            self._taken_bytes += item.size
        return item

    @property
    def waiting_bytes(self) -> int:
        return self._put_bytes - self._taken_bytes

    def is_full(self) -> bool:
        """From the high-water mark on until the low one is reached again. For the reader's thread."""
        waiting = self.waiting_bytes
        self._is_full = waiting >= self._high_water or (self._is_full and waiting > self._low_water)
        return self._is_full
