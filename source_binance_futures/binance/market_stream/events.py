"""What the failover machine is told, what it answers, and what a batch of frames carries. Data only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from .states import State

PAYLOAD_OVERHEAD = 64  # bytes that Python keeps for one payload besides its characters, list entry included
BATCH_OVERHEAD = 256  # and for a batch


class Batch:
    """Payloads of consecutive messages from one read of one connection, `characters` bytes long in all.

    `feed` and `line` number where they came from. `received_at` is the read on the monotonic clock in seconds,
    `received_at_us` the same on the wall clock in microseconds since 1970. `pushed_from` and `pushed_at` are when the
    exchange pushed the first and the last of them (epoch seconds, its own clock), None where the frames do not say;
    `pushed_by` is what its clock shows at the read, None where nobody knows.
    `behind` is set where the read vouches for nothing: the line is late, or was over by then and nobody has the rest.
    `size` is what they hold in memory, in bytes.
    """

    __slots__ = (
        "behind",
        "feed",
        "line",
        "payloads",
        "pushed_at",
        "pushed_by",
        "pushed_from",
        "received_at",
        "received_at_us",
        "size",
    )

    def __init__(
        self,
        payloads: list[bytes],
        characters: int,
        received_at: float,
        *,
        received_at_us: int = 0,
        pushed_from: float | None = None,
        pushed_at: float | None = None,
        feed: int = 0,
        line: int = 0,
    ) -> None:
        self.payloads = payloads
        self.received_at = received_at
        self.received_at_us = received_at_us
        self.pushed_from = pushed_from
        self.pushed_at = pushed_at
        self.pushed_by: float | None = None
        self.feed = feed
        self.line = line
        self.behind = False
        self.size = characters + PAYLOAD_OVERHEAD * len(payloads) + BATCH_OVERHEAD

    @property
    def pushed_within_us(self) -> tuple[int, int]:
        """The first moment at which any of them may have been pushed, and the last (microseconds, exchange's clock).

        Our clock stands for the exchange's where nobody knows that.
        """
        latest = self.received_at_us if self.pushed_by is None else round(self.pushed_by * 1e6)
        return latest if self.pushed_from is None else min(round(self.pushed_from * 1e6), latest), latest


# --- told to the machine, beside what its methods take ---


@dataclass(frozen=True)
class Arrival:
    """What one read of a connection gave.

    `batch` holds its messages, if any; `has_data` says whether a book ticker is among them (an acknowledgement proves
    nothing), `has_update` whether one is that the feed accounts for. `heard` is set by any frame, control frames
    included; `drained` where nothing more waits to be read; `retiring` where the server announced its end; `ended`
    where the connection was found to be over right after.
    """

    batch: Batch | None
    has_data: bool
    has_update: bool
    heard: bool
    drained: bool
    retiring: bool = False
    ended: bool = False


@dataclass(frozen=True)
class Refusal:
    """An attempt that led to no connection.

    `for_good` where another try makes no sense before somebody acts; `listens_again_at` (monotonic seconds) where the
    exchange named a moment.
    """

    error: Exception
    for_good: bool = False
    listens_again_at: float | None = None

    def __str__(self) -> str:
        return str(self.error)


# --- answered by the machine ---


@dataclass(frozen=True)
class Dial:
    """Open a connection now."""


@dataclass(frozen=True)
class Emit:
    """This batch counts."""

    batch: Batch


@dataclass(frozen=True)
class Close:
    """Leave this line; nothing of it is read any more."""

    line: int


@dataclass(frozen=True)
class Ping:
    """Ask this line for a sign of life."""

    line: int


@dataclass(frozen=True)
class Pause:
    """Leave this line unread until `Resume`."""

    line: int


@dataclass(frozen=True)
class Resume:
    line: int


@dataclass(frozen=True)
class TellGap:
    """Updates pushed between `since` and `until` (epoch seconds, by the exchange's clock) may be missing."""

    since: float
    until: float
    cause: str


@dataclass(frozen=True)
class TellSilence:
    """Nothing came between `since` and `until` over connections that answer: most likely nothing was pushed."""

    since: float
    until: float
    cause: str


@dataclass(frozen=True)
class TookOver:
    """This line is the one in use from here on, and no update was lost; what it heard alone follows."""

    line: int


@dataclass(frozen=True)
class Note:
    """Something that explains the log later."""

    text: str


@dataclass(frozen=True)
class Warn:
    """Something that a person should read now."""

    text: str


@dataclass(frozen=True)
class GiveUp:
    """No connection is left, and another try makes no sense."""

    error: Exception


@dataclass(frozen=True)
class Changed:
    """A transition, for whoever watches the machine at work."""

    before: State
    after: State


Action: TypeAlias = (
    "Dial | Emit | Close | Ping | Pause | Resume | TellGap | TellSilence | TookOver | Note | Warn | GiveUp | Changed"
)
