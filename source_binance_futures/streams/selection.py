"""From the frames of one read to the records that count: the hot path of a sync. Pure: no clock, no log, no I/O."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import inf
from typing import Any, TypeAlias

from ..binance.endpoints import ALL_MARKET_STREAM
from ..binance.market_stream.coverage import Alarm, Coverage, Lost, Samples
from ..binance.market_stream.items import Batch, Gap, LogLine, Takeover
from ..binance.market_stream.line import BEHIND_AFTER
from ..binance.market_stream.messages import NoBookTicker, book_ticker_record, market_of_book_ticker, parse_frame
from ..binance.market_stream.subscriptions import EndpointGroup
from ..binance.text import duration, first_of, utc
from .cursor import Cursor
from .summary import SchemaDrift, Tally

NO_FEED = -1  # of a gap of one contract
BEHIND_AFTER_US = round(BEHIND_AFTER * 1e6)

Records: TypeAlias = "list[dict[str, Any]]"
Finding: TypeAlias = "str | LogLine | Alarm"
"""A sentence of warning, something to log, an own stream for which a fresh connection may help."""


class Selection:
    """Takes what the market stream hands over, and says what of it is new, and since when nothing is missing.

    `most` is how many records are wanted, None for no limit; `schema` is what they are held to.
    """

    def __init__(self, cursor: Cursor, most: int | None, schema: Mapping[str, Any]) -> None:
        self.tally = Tally()
        self.samples = Samples()
        self.coverage = Coverage(cursor.newest_received_at_us or 0)
        self.cursor = cursor
        self._most = most
        self._drift = SchemaDrift("book tickers", schema)
        self._reads: dict[int, tuple[int, int]] = {}  # feeds: when the last was made, by our clock and the exchange's
        self._unreached: dict[int, frozenset[str]] = {}  # the contracts of feeds without a connection
        self._heard_feeds: set[int] = set()

    @property
    def has_enough(self) -> bool:
        """Whether as many records came as were wanted."""
        return self.tally.emitted == self._most

    def take(self, batch: Batch, group: EndpointGroup) -> Iterator[Records | Finding]:
        """The records of one read, and what there is to say of it; `group` brought it.

        An error that nobody foresaw is raised after the records that came before it: the cursor has seen them, so the
        state will count them as written.
        """
        records: Records = []
        try:
            yield from self._select(batch, group, records)
        except Exception:
            if records:
                yield self._finished(batch, records)
            raise
        if records:
            yield self._finished(batch, records)
        yield from self._report_lower_ids()
        yield from self.overdue(batch.received_at_us)

    def _select(self, batch: Batch, group: EndpointGroup, records: Records) -> Iterator[Finding]:
        """Puts what is new into `records`.

        Rows cover what was received up to their own read, so a read that will be cut short covers nothing.
        """
        tally, coverage, advance = self.tally, self.coverage, self.cursor.advance
        left = len(batch.payloads) if self._most is None else self._most - tally.emitted
        is_complete = batch.is_complete and left >= len(batch.payloads)
        feed, received_at_us = batch.feed, batch.received_at_us
        begin = coverage.begin if is_complete else coverage.interrupt
        since = coverage.since if is_complete and not coverage.is_older(feed, received_at_us) else {}
        earliest, latest = batch.pushed_within_us
        sample, shown_us = self.samples.sample, latest - BEHIND_AFTER_US if batch.is_complete else 0
        self._reads[feed] = received_at_us, latest
        self.cursor.begin_read(received_at_us, latest)
        follows, compares = group.follows, group.discovers
        drift_is_due = received_at_us >= self._drift.due_at_us
        is_first = feed not in self._heard_feeds
        for payload in batch.payloads:
            try:
                book_ticker, stream = parse_frame(payload)
            except NoBookTicker as why:
                yield from tally.left_out(payload, why)
                continue
            symbol, update_id = book_ticker["s"], book_ticker["u"]
            is_own = follows and stream != ALL_MARKET_STREAM
            if (not is_own or stream is None) and not group.wants(symbol, market_of_book_ticker(book_ticker)):
                tally.other_market += 1
                continue
            if is_own:
                if compares and self.samples.own(symbol, update_id, earliest, latest):
                    coverage.reset((symbol,))
            elif follows and not sample(symbol, update_id, received_at_us, shown_us, feed=feed, line=batch.line):
                continue
            if is_first and (is_own or not follows):  # where contracts are followed, a sample ends no hole
                is_first = False
                yield from self._hole(earliest, feed)
            if not advance(symbol, update_id, book_ticker.get("T")):
                tally.known += 1
                continue
            covered_since_us = (since.get(symbol) or begin(symbol, feed, received_at_us)) if is_own else None
            record = book_ticker_record(book_ticker, received_at_us, covered_since_us)
            records.append(record)
            tally.emitted += 1
            if drift_is_due:
                drift_is_due = False
                yield from self._drift.faults(record, received_at_us)
            left -= 1
            if left == 0:
                break

    def _finished(self, batch: Batch, records: Records) -> Records:
        """Return the records of a read, none of which covers what was left out because its ids were lower."""
        self.cursor.written(batch.received_at_us)
        self.coverage.rows_of(batch.feed, batch.received_at_us)
        self.tally.record_read(batch.received_at_us, records)
        left_out = self.cursor.left_out
        for record in records if left_out else ():
            if record["symbol"] in left_out:
                record["covered_since_us"] = None
        return records

    # --- what is missing ---

    def _hole(self, until_us: int, feed: int | None = None) -> Iterator[LogLine]:
        """The line about the hole between two syncs, until the first update of a feed or, without any, the end."""
        until = "the end of this sync, in which no update came"
        if feed is not None:
            of = f"over connection {feed + 1}" if self._heard_feeds else "of this sync"
            until = f"the first update {of}"
            self._heard_feeds.add(feed)
        if self.cursor.listened_until is not None:
            since = self.cursor.listened_until / 1000
            seconds = until_us / 1e6 - since
            hole = f": a hole of {duration(seconds)} until {until}" if seconds > 0 else ""
            yield LogLine(
                "info",
                f"The state ends with an update of {utc(since)}{hole}. "
                "What Binance pushed since then, while nothing listened, cannot be had any more.",
            )

    def miss(self, gap: Gap) -> str:
        """Updates of a feed may be missing; the sentence about it."""
        self.tally.missed(gap)
        self.coverage.reset_feed(gap.feed)
        return str(gap)

    def _miss_contract(self, lost: Lost) -> str:
        gap = Gap(NO_FEED, lost.since_us / 1e6, lost.until_us / 1e6, f"{lost.symbol} only: {lost.cause}")
        self.tally.missed(gap)
        return str(gap)

    def take_over(self, takeover: Takeover) -> None:
        """Another connection of a feed goes on, and may have missed early updates of some contracts."""
        _, pushed_us = self._reads.get(takeover.feed, (0, 0))
        self.samples.recheck(self.coverage.followed_over(takeover.feed), takeover.covers_from * 1e6, pushed_us)
        self.samples.recheck(takeover.late, inf, pushed_us)

    def reach(self, feed: int, *, is_lost: bool) -> None:
        """A feed was left without a connection, or has one again: its gap is reported once, not for each contract."""
        symbols = self._unreached.pop(feed, self.coverage.followed_over(feed))
        if is_lost:
            self._unreached[feed] = symbols
        self.samples.forget(symbols)

    def overdue(self, now_us: int, *, at_end: bool = False) -> Iterator[Finding]:
        """The own streams for which a fresh connection may help, and sentences about what they have lost."""
        for symbols in self._unreached.values():
            self.samples.forget(symbols)
        for found in self.samples.overdue(now_us, self._exchanges_time(now_us), at_end=at_end):
            yield found if isinstance(found, Alarm) else self._miss_contract(found)

    def _exchanges_time(self, now_us: int) -> int:
        ahead_us = [pushed_us - received_at_us for received_at_us, pushed_us in self._reads.values()]
        return now_us + max(ahead_us, default=0)  # the feed that is fastest knows it best

    def _report_lower_ids(self) -> Iterator[str]:
        restarts, left_out = self.cursor.restarts, self.cursor.left_out
        yield from restarts
        self.coverage.reset(left_out)
        for symbol, (since, until) in left_out.items():
            cause = "newer updates had lower ids than older ones, and a restart of the counter was not certain"
            yield self._miss_contract(Lost(symbol, since * 1000, (until + 1) * 1000, cause))
        restarts.clear()
        left_out.clear()

    def end(self, now_us: int) -> Iterator[Finding]:
        """What there is to say at the end of a sync."""
        yield from self.overdue(self.tally.newest_read_us, at_end=True)
        if not self._heard_feeds:
            yield from self._hole(self._exchanges_time(now_us))
        only_lower = self.cursor.end()
        yield from self._report_lower_ids()
        if only_lower:
            yield (
                f"Of {first_of(list(only_lower))} nothing but update ids below those of the state came: "
                f"{sum(only_lower.values())} updates were left out as known. Where that goes on, the exchange counts "
                "anew and its times prove nothing: clear the stream's data in Airbyte, or remove the state file."
            )
        refused = self.cursor.symbols_refused
        if refused:
            yield f"{refused} updates of ever more symbols were left out; no exchange lists so many."
