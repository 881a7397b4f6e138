"""What one sync says of itself: its counts, its progress, the sentences made of them. Pure: no clock, no log."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import jsonschema

from ..binance.market_stream.coverage import Coverage, Samples
from ..binance.market_stream.items import Gap
from ..binance.market_stream.messages import MalformedFrame, NoBookTicker
from ..binance.text import duration, quoted, utc

QUOTED_OF_EACH_KIND = 3
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
    longest_pause: float = 0.0  # seconds between two reads that brought updates
    newest_read_us: int = 0
    first_event_time: object = None
    last_event_time: object = None

    def left_out(self, payload: bytes, why: NoBookTicker) -> Iterator[str]:
        """Count a frame that holds no book ticker; yield a sentence about the first few of each kind."""
        if isinstance(why, MalformedFrame):
            self.malformed += 1
            count, what = self.malformed, f"A malformed frame was left out ({why})"
        else:
            self.other_frames += 1
            count, what = self.other_frames, "A frame that is not a book ticker was left out"
        if count <= QUOTED_OF_EACH_KIND:
            yield f"{what}: {quoted(payload)}"

    def missed(self, gap: Gap) -> None:
        """Count a gap or a silence."""
        (self.silences if gap.is_silence else self.gaps).append(gap.seconds)

    def record_read(self, received_at_us: int, records: Sequence[Mapping[str, Any]]) -> None:
        """Record a read that brought updates. One that the standby has kept comes here later than it was read."""
        if self.newest_read_us:
            self.longest_pause = max((received_at_us - self.newest_read_us) / 1e6, self.longest_pause)
        self.newest_read_us = max(received_at_us, self.newest_read_us)
        self.first_event_time = self.first_event_time or records[0]["event_time"]
        self.last_event_time = records[-1]["event_time"]

    @property
    def only_malformed(self) -> bool:
        """Whether frames came, and not one of them was a book ticker as it should be."""
        return bool(self.malformed) and not (self.emitted + self.known + self.other_market)

    def summary(self, symbols: int, seconds: float, reconnects: int, coverage: Coverage, samples: Samples) -> str:
        """Return the last line of a sync."""
        skipped = {
            "known already": self.known,
            "of other contracts": self.other_market,
            "other frames": self.other_frames,
        }
        counts = ", ".join(f"{count} {what}" for what, count in skipped.items() if count)
        intervals = coverage.intervals
        optional = {
            f"Long silences: {_times(self.silences)}.": self.silences,
            f"Covered intervals: {intervals.total()}, of {len(intervals)} contracts.": intervals,
            f"Longest pause: {duration(self.longest_pause)}.": self.longest_pause,
            f"Samples confirmed: {samples.confirmed:,} of {samples.compared:,}.": samples.compared,
            f"Skipped without loss: {counts}.": counts,
            f"Malformed: {self.malformed}.": self.malformed,
        }
        parts = [
            f"Captured {self.emitted} updates of {symbols} symbols in {seconds:.1f} seconds.",
            f"Reconnects: {reconnects}. Gaps: {_times(self.gaps)}.",
            *(part for part, is_shown in optional.items() if is_shown),
        ]
        if type(self.first_event_time) is int and type(self.last_event_time) is int:
            begin, end = utc(self.first_event_time / 1000), utc(self.last_event_time / 1000)
            parts.append(f"Event times from {begin} to {end}.")
        return " ".join(parts)


def _times(lengths: list[float]) -> str:
    return f"{len(lengths)}, {duration(sum(lengths))} in all" if lengths else "none"


class Progress:
    """The line that a sync logs every ten seconds in its first minute, then every minute. Times are monotonic."""

    def __init__(self, began: float) -> None:
        self.due_at = began + EVERY_AT_FIRST
        self._began = began
        self._last_at = began
        self._last_emitted = 0
        self.lost_at: dict[int, float | None] = {}  # feeds: since when they have no connection

    def line(self, now: float, emitted: int, symbols: int, left: float) -> str:
        """Return the line: updates so far, their rate since the last line, `left` seconds, feeds not connected."""
        rate = (emitted - self._last_emitted) / max(now - self._last_at, 0.001)
        self._last_emitted, self._last_at = emitted, now
        self.due_at = now + (EVERY_AT_FIRST if now - self._began < AT_FIRST else EVERY)
        line = f"{emitted} updates of {symbols} symbols, {rate:.0f} a second, {left:.0f} seconds left."
        lost_at = [moment for moment in self.lost_at.values() if moment is not None]
        if not lost_at:
            return line
        longest = duration(now - min(lost_at))
        if len(self.lost_at) == 1:
            return f"{line} Not connected for {longest}."
        return f"{line} {len(lost_at)} of {len(self.lost_at)} connections are missing, the longest for {longest}."


class SchemaDrift:
    """Validates a record now and then against the JSON schema of `what`, and reports each fault once."""

    def __init__(self, what: str, schema: Mapping[str, Any]) -> None:
        self.due_at_us = 0
        self._what = what
        self._schema = schema
        self._reported: set[str] = set()

    def faults(self, record: Mapping[str, Any], now_us: int) -> Iterator[str]:
        """Yield a sentence for each field that the schema does not allow and that has not been reported yet."""
        self.due_at_us = now_us + VALIDATE_EVERY_US
        for fault in jsonschema.Draft7Validator(self._schema).iter_errors(record):
            field = ".".join(map(str, fault.path)) or "record"
            if field not in self._reported:
                self._reported.add(field)
                yield f"Binance's {self._what} no longer fit the declared schema. `{field}`: {fault.message[:200]}"
