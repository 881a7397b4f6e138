"""The counts of one sync, and the sentences made of them. Pure: no clock, no log."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..binance.market_stream.coverage import Coverage
from ..binance.market_stream.items import Gap, Silence
from ..binance.market_stream.messages import MalformedFrame, NoBookTicker
from ..binance.text import duration, quoted, utc

QUOTED_OF_EACH_KIND = 3
REPORTED_FROM = 1.0  # seconds by which two clocks must differ


@dataclass
class Tally:
    """What came, what was left out, what is missing. Event times are ms since 1970, as sent."""

    emitted: int = 0
    known: int = 0  # heard twice, or there before
    other_market: int = 0
    other_frames: int = 0
    malformed: int = 0
    not_written: int = 0
    gaps: list[float] = field(default_factory=list)  # their lengths in seconds
    silences: list[float] = field(default_factory=list)
    longest_pause: float | None = None  # seconds between two reads that brought updates
    heard_at_us: int | None = None
    first_event_time: object = None
    last_event_time: object = None

    def left_out(self, payload: bytes, why: NoBookTicker) -> str | None:
        """Counts a frame that holds no book ticker; the sentence to log, for the first few of each kind."""
        if isinstance(why, MalformedFrame):
            self.malformed += 1
            count, what = self.malformed, f"A malformed frame was left out ({why})"
        else:
            self.other_frames += 1
            count, what = self.other_frames, "A frame that is not a book ticker was left out"
        return f"{what}: {quoted(payload)}" if count <= QUOTED_OF_EACH_KIND else None

    def told(self, gap: Gap) -> None:
        """Counts what the market stream tells as missing."""
        (self.silences if isinstance(gap, Silence) else self.gaps).append(gap.seconds)

    def heard(self, received_at_us: int) -> None:
        """A read has brought updates. One that a standby kept is told later than it was read."""
        if self.heard_at_us is not None:
            self.longest_pause = max((received_at_us - self.heard_at_us) / 1e6, self.longest_pause or 0.0)
        self.heard_at_us = max(received_at_us, self.heard_at_us or 0)

    @property
    def only_malformed(self) -> bool:
        """Whether frames came, and not one of them was a book ticker as it should be."""
        return bool(self.malformed) and not (self.emitted + self.known + self.other_market)

    def summary(
        self, symbols: int, seconds: float, reconnects: int, *, coverage: Coverage, compared: int, confirmed: int
    ) -> str:
        """The last line of a sync. `confirmed` of `compared` samples were found among the contracts' own streams."""
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
        skipped = [
            f"{count} {what}"
            for count, what in (
                (self.known, "known already"),
                (self.other_market, "of other contracts"),
                (self.other_frames, "other frames"),
            )
            if count
        ]
        if skipped:
            parts.append(f"Skipped without loss: {', '.join(skipped)}.")
        if self.malformed:
            parts.append(f"Malformed: {self.malformed}.")
        if type(self.first_event_time) is int and type(self.last_event_time) is int:
            begin, end = utc(self.first_event_time / 1000), utc(self.last_event_time / 1000)
            parts.append(f"Event times from {begin} to {end}.")
        return " ".join(parts)


def _times(lengths: list[float]) -> str:
    return f"{len(lengths)}, {duration(sum(lengths))} in all" if lengths else "none"


def hole_before(listened_until: float, first: float, until: str) -> str:
    """Return a sentence about what nobody listened to between two syncs, `until` something.

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
