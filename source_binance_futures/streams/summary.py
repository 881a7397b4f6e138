"""What one sync says of itself: its counts, its progress, the sentences made of them. Pure: no clock, no log."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import jsonschema

from ..binance.market_stream.coverage import Coverage
from ..binance.market_stream.items import ConnectivityChanged, Gap
from ..binance.market_stream.messages import MalformedFrame, NoBookTicker
from ..binance.text import duration, quoted, utc

QUOTED_OF_EACH_KIND = 3
REPORTED_FROM = 1.0  # seconds by which two clocks must differ
AT_FIRST = 60.0  # seconds in which somebody may be watching
EVERY_AT_FIRST = 10.0  # seconds between two lines of progress
EVERY = 60.0
VALIDATE_EVERY_US = 60_000_000  # one record against its schema costs 41 µs


@dataclass
class Tally:
    """Counts what a sync emitted, skipped and may have missed. Event times are ms since 1970, as sent."""

    emitted: int = 0
    known: int = 0  # received twice, or in the state already
    other_market: int = 0
    other_frames: int = 0
    malformed: int = 0
    not_written: int = 0
    gaps: list[float] = field(default_factory=list)  # their lengths in seconds
    silences: list[float] = field(default_factory=list)
    longest_pause: float | None = None  # seconds between two reads that brought updates
    newest_read_us: int | None = None
    first_event_time: object = None
    last_event_time: object = None

    def left_out(self, payload: bytes, why: NoBookTicker) -> str | None:
        """Count a frame that holds no book ticker; return the line to log for the first few of each kind."""
        if isinstance(why, MalformedFrame):
            self.malformed += 1
            count, what = self.malformed, f"A malformed frame was left out ({why})"
        else:
            self.other_frames += 1
            count, what = self.other_frames, "A frame that is not a book ticker was left out"
        return f"{what}: {quoted(payload)}" if count <= QUOTED_OF_EACH_KIND else None

    def missed(self, gap: Gap) -> None:
        """Count a gap or a silence."""
        (self.silences if gap.is_silence else self.gaps).append(gap.seconds)

    def record_read(self, received_at_us: int) -> None:
        """Record a read that brought updates. One that the standby has kept comes here later than it was read."""
        if self.newest_read_us is not None:
            self.longest_pause = max((received_at_us - self.newest_read_us) / 1e6, self.longest_pause or 0.0)
        self.newest_read_us = max(received_at_us, self.newest_read_us or 0)

    @property
    def only_malformed(self) -> bool:
        """Whether frames came, and not one of them was a book ticker as it should be."""
        return bool(self.malformed) and not (self.emitted + self.known + self.other_market)

    def summary(
        self, symbols: int, seconds: float, reconnects: int, *, coverage: Coverage, compared: int, confirmed: int
    ) -> str:
        """Return the last line of a sync. `confirmed` of `compared` samples were found among the own streams."""
        skipped = {
            "known already": self.known,
            "of other contracts": self.other_market,
            "other frames": self.other_frames,
        }
        parts = [
            f"Captured {self.emitted} updates of {symbols} symbols in {seconds:.1f} seconds.",
            f"Reconnects: {reconnects}. Gaps: {_times(self.gaps)}.",
        ]
        if self.silences:
            parts.append(f"Long silences: {_times(self.silences)}.")
        if coverage.intervals:
            parts.append(f"Covered intervals: {coverage.intervals}, of {len(coverage.contracts)} contracts.")
        if self.longest_pause is not None:
            parts.append(f"Longest pause: {duration(self.longest_pause)}.")
        if compared:
            parts.append(f"Samples confirmed: {confirmed:,} of {compared:,}.")
        if any(skipped.values()):
            counts = ", ".join(f"{count} {what}" for what, count in skipped.items() if count)
            parts.append(f"Skipped without loss: {counts}.")
        if self.malformed:
            parts.append(f"Malformed: {self.malformed}.")
        if type(self.first_event_time) is int and type(self.last_event_time) is int:
            begin, end = utc(self.first_event_time / 1000), utc(self.last_event_time / 1000)
            parts.append(f"Event times from {begin} to {end}.")
        return " ".join(parts)


def _times(lengths: list[float]) -> str:
    return f"{len(lengths)}, {duration(sum(lengths))} in all" if lengths else "none"


class Progress:
    """The line that a sync logs now and then. Times are monotonic seconds."""

    def __init__(self, began: float) -> None:
        self._began = began
        self._last_at = began
        self._last_emitted = 0
        self._lost_at: dict[int, float | None] = {}  # by feed

    def reach(self, change: ConnectivityChanged) -> None:
        """Record that a feed has a connection again, or has lost its last one."""
        self._lost_at[change.feed] = change.lost_at

    def is_due(self, now: float) -> bool:
        """Every ten seconds in the first minute, every minute after it."""
        every = EVERY_AT_FIRST if self._last_at - self._began < AT_FIRST else EVERY
        return now >= self._last_at + every

    def line(self, now: float, emitted: int, symbols: int, left: float) -> str:
        """Return the line: updates so far, their rate since the last line, `left` seconds, feeds not connected."""
        rate = (emitted - self._last_emitted) / max(now - self._last_at, 0.001)
        self._last_emitted, self._last_at = emitted, now
        line = f"{emitted} updates of {symbols} symbols, {rate:.0f} a second, {left:.0f} seconds left."
        lost_at = [moment for moment in self._lost_at.values() if moment is not None]
        if not lost_at:
            return line
        longest = duration(now - min(lost_at))
        if len(self._lost_at) == 1:
            return f"{line} Not connected for {longest}."
        return f"{line} {len(lost_at)} of {len(self._lost_at)} connections are missing, the longest for {longest}."


class SchemaDrift:
    """Validates one record a minute against its JSON schema, and reports each fault once."""

    def __init__(self, schema: Mapping[str, Any]) -> None:
        self._schema = schema
        self._reported: set[str] = set()
        self._next_at_us = 0

    def is_due(self, now_us: int) -> bool:
        """Return whether to validate a record: the first, and one a minute."""
        return now_us >= self._next_at_us

    def faults(self, record: Mapping[str, Any], now_us: int) -> list[str]:
        """Return a sentence for each field that the schema does not allow and that has not been reported yet."""
        self._next_at_us = now_us + VALIDATE_EVERY_US
        found = {}
        for fault in jsonschema.Draft7Validator(self._schema).iter_errors(record):
            found[".".join(map(str, fault.path)) or "record"] = fault.message[:200]
        new = [f"`{field}`: {message}" for field, message in found.items() if field not in self._reported]
        self._reported.update(found)
        return new


def hole_before(listened_until: float, first: float, until: str) -> str:
    """Return a sentence about the hole between two syncs, in which nothing listened, `until` something.

    Both moments are epoch seconds of the exchange's clock: the newest time of the state, and the end of the hole.
    """
    hole = f": a hole of {duration(first - listened_until)} {until}" if first > listened_until else ""
    return (
        f"The state ends with an update of {utc(listened_until)}{hole}. "
        "What Binance pushed since then, while nothing listened, cannot be had any more."
    )


def clock_behind(seconds: float, newest: float) -> str:
    """Return a sentence about a clock that was behind the newest row (epoch seconds) when the sync began."""
    return (
        f"This machine's clock is {duration(seconds)} behind the newest row of the state, received at {utc(newest)}. "
        f"`covered_since_us` stays null for so long, so that no covered interval reaches back into older rows. "
        "Set the clock right. Where it was wrong in the sync before, by more than you can wait for, "
        "clear the stream's data in Airbyte, or remove `newest_received_at_us` from the state file."
    )


def clock_drifted(ahead: float) -> str:
    """Return a sentence about a machine's clock that is `ahead` (seconds, may be negative) of the one of a window."""
    where = "ahead of the time that this sync goes by" if ahead > 0 else "behind the time that this sync goes by"
    return (
        f"This machine's clock is {duration(abs(ahead))} {where}: it was set meanwhile, or runs wrong. "
        "`received_at_us` goes on as before until the sync ends, so the rows stay in order. "
        "Have the machine keep its time (NTP)."
    )
