"""From the thread that reads sockets to the one that writes records: one queue, bounded in bytes."""

from __future__ import annotations

import queue
from dataclasses import dataclass
from typing import TypeAlias

from ..text import utc

QUEUE_BYTES = 64 * 1024 * 1024
PAYLOAD_OVERHEAD = 64  # bytes that Python keeps for one payload besides its characters, list entry included
BATCH_OVERHEAD = 256  # and for a batch


class Batch:
    """Payloads of consecutive messages, `characters` bytes long in all.

    `size` is what they hold in memory, in bytes; `received_at` monotonic seconds.
    """

    __slots__ = ("payloads", "received_at", "size")

    def __init__(self, payloads: list[bytes], characters: int, received_at: float) -> None:
        self.payloads = payloads
        self.received_at = received_at
        self.size = characters + PAYLOAD_OVERHEAD * len(payloads) + BATCH_OVERHEAD


@dataclass(frozen=True)
class Warned:
    """Something that a person should read now."""

    text: str


@dataclass(frozen=True)
class Noted:
    """Something that explains the log later."""

    text: str


@dataclass(frozen=True)
class Gap:
    """A stretch of time in which no proven connection was open: updates pushed in it are lost, Binance never replays.

    `since` and `until` are epoch seconds, `seconds` their distance on the monotonic clock.
    """

    since: float
    until: float
    seconds: float
    cause: str

    def __str__(self) -> str:
        return (
            f"Gap of {self.seconds:.1f} seconds: updates pushed from {utc(self.since)} to {utc(self.until)} "
            f"may be missing. Cause: {self.cause}."
        )


@dataclass(frozen=True)
class Failed:
    """The stream ended by itself; `error` says why."""

    error: Exception


Item: TypeAlias = "Batch | Warned | Noted | Gap | Failed"


class Handover:
    """A queue between two threads; putting never waits.

    The reader asks `is_full` before it reads a socket. Each side keeps its own counter, so no lock is needed.
    """

    def __init__(self, limit: int = QUEUE_BYTES) -> None:
        self._items: queue.SimpleQueue[Item] = queue.SimpleQueue()
        self._limit = limit
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
        return self.waiting_bytes >= self._limit
