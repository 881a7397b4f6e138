"""What passes from the thread that reads sockets to the one that writes records, and the bounded queue between them."""

from __future__ import annotations

import queue
from typing import Literal, NamedTuple, TypeAlias

from ..text import duration, utc

HIGH_WATER = 64 * 1024 * 1024  # bytes; reading pauses there
LOW_WATER = 48 * 1024 * 1024  # and goes on here, so that it does not flutter
PAYLOAD_OVERHEAD = 64  # bytes that Python keeps for one payload besides its characters, list entry included
BATCH_OVERHEAD = 256  # and for a batch


class Batch(NamedTuple):
    """Payloads of consecutive messages from one read of one connection, `characters` bytes long in all.

    Where it `is_complete`, everything pushed before the read has been received; a read that is late, or the last one
    of a connection that had ended by then, is not.
    """

    payloads: list[bytes]
    characters: int
    received_at_us: int  # since 1970, by our clock
    pushed_from: float | None = None  # epoch seconds of the exchange's clock; None where the frames do not say
    pushed_by: float | None = None  # what that clock shows at the read; None where nobody knows
    feed: int = 0
    line: int = 0
    is_complete: bool = True

    @property
    def size(self) -> int:
        """What it holds in memory, in bytes."""
        return self.characters + PAYLOAD_OVERHEAD * len(self.payloads) + BATCH_OVERHEAD

    @property
    def pushed_within_us(self) -> tuple[int, int]:
        """When the first and the last may have been pushed (microseconds, by the exchange's clock, or else by ours)."""
        latest = self.received_at_us if self.pushed_by is None else round(self.pushed_by * 1e6)
        return latest if self.pushed_from is None else min(round(self.pushed_from * 1e6), latest), latest


class LogLine(NamedTuple):
    """Something to log: a `warning` is to be read now, `info` explains the log later, `debug` shows the failover."""

    level: Literal["debug", "info", "warning"]
    text: str


class Gap(NamedTuple):
    """Updates pushed between two moments may be missing: nobody listened, and Binance never replays."""

    feed: int
    since: float  # epoch seconds of the exchange's clock, as event times are
    until: float
    cause: str
    is_silence: bool = False  # connections answered and brought nothing: most likely nothing was pushed

    @property
    def seconds(self) -> float:
        return self.until - self.since

    def __str__(self) -> str:
        length, since, until = duration(self.seconds), utc(self.since), utc(self.until)
        if self.is_silence:
            return (
                f"Nothing came for {length}, from {since} to {until} ({self.cause}). "
                "Most likely nothing was pushed; if anything was, it is missing."
            )
        return f"Gap of {length}: updates pushed from {since} to {until} may be missing. Cause: {self.cause}."


class Takeover(NamedTuple):
    """Another connection of a feed, `line`, goes on without a gap; what it heard alone follows.

    A contract of which the connection before had brought nothing since `covers_from` may have been dead or late there.
    """

    feed: int
    line: int
    covers_from: float  # it has heard everything pushed since then (epoch seconds of the exchange's clock)
    late: tuple[str, ...] = ()  # contracts that were subscribed later; the feed fills them in


class ConnectivityChanged(NamedTuple):
    """Whether a feed has a connection in use."""

    feed: int
    lost_at: float | None  # since when it has none (monotonic seconds)


class Failed(NamedTuple):
    """The stream ended by itself; `error` says why."""

    error: Exception


Item: TypeAlias = "Batch | LogLine | Gap | Takeover | ConnectivityChanged | Failed"


class Outbox:
    """A queue between two threads; putting never waits, so the reader asks `is_full` before it reads a socket."""

    def __init__(self, high_water: int = HIGH_WATER, low_water: int = LOW_WATER) -> None:
        self._items: queue.SimpleQueue[Item] = queue.SimpleQueue()
        self._high_water = high_water
        self._low_water = low_water
        self._is_full = False
        self._put_bytes = self._taken_bytes = 0  # each side writes one of them, so no lock is needed

    def put(self, item: Item) -> None:
        if isinstance(item, Batch):
            self._put_bytes += item.size
        self._items.put(item)

    def take(self, seconds: float) -> Item | None:
        """The next item; None if none came within so many seconds."""
        try:
            item = self._items.get(block=seconds > 0, timeout=max(seconds, 0.0))
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
