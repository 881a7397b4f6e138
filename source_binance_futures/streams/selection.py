"""From the frames of one read to the records that count: the hot path of a sync. Pure: no clock, no log, no I/O."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import inf
from typing import Any, TypeAlias

from ..binance.endpoints import ALL_MARKET_STREAM, Market
from ..binance.market_stream.coverage import Alarm, Coverage, Samples
from ..binance.market_stream.items import Batch, Gap, Takeover
from ..binance.market_stream.line import BEHIND_AFTER
from ..binance.market_stream.messages import NoBookTicker, book_ticker_record, market_of_book_ticker, parse_frame
from ..binance.market_stream.subscriptions import ContractFilter
from .cursor import Cursor, Restart
from .summary import SchemaDrift, Tally, hole_before

NO_FEED = -1  # of a gap of one contract
BEHIND_AFTER_US = round(BEHIND_AFTER * 1e6)

Records: TypeAlias = "list[dict[str, Any]]"


class Selection:
    """Takes what the market stream hands over, and says what of it is new, and since when nothing is missing.

    `most` is how many records are wanted in all, None for no limit. `schema` is what records are held to.
    """

    def __init__(
        self, cursor: Cursor, contract_filter: ContractFilter, most: int | None, schema: Mapping[str, Any]
    ) -> None:
        self.tally = Tally()
        self.samples = Samples()
        self._cursor = cursor
        self._filter = contract_filter
        self._most = most
        self._drift = SchemaDrift(schema)
        self.coverage = Coverage(cursor.newest_received_at_us or 0)
        self._exchange_ahead_us: dict[int, int] = {}  # feeds: the exchange's clock minus ours, by the last read
        self._pushed_until_us: dict[int, int] = {}  # feeds: what the exchange's clock showed at the last read
        self._restarts_told = 0
        self._unreached: dict[int, frozenset[str]] = {}  # the contracts of feeds without a connection
        self._heard_feeds: set[int] = set()
        self._notes: list[str] = []

    @property
    def has_enough(self) -> bool:
        """Whether as many records came as were wanted."""
        return self.tally.emitted == self._most

    @property
    def symbols(self) -> frozenset[str]:
        """The symbols that were heard of."""
        return self._cursor.symbols_seen

    def take(self, batch: Batch, markets: frozenset[Market]) -> Iterator[Records | str]:
        """The records of one read, and sentences of warning between them; samples of `markets` are of interest.

        An error that nobody foresaw is raised after the records that came before it: the cursor has seen them, so the
        state will count them as written.
        """
        records: Records = []
        emitted = self.tally.emitted
        try:
            yield from self._select(batch, markets, records)
        except Exception:
            if records:
                yield self._finished(batch, records)
            raise
        if self.tally.emitted > emitted:
            self.tally.record_read(batch.received_at_us)
        if records:
            self.tally.last_event_time = records[-1]["event_time"]
            yield self._finished(batch, records)
        yield from self._restarts()

    def _select(self, batch: Batch, markets: frozenset[Market], records: Records) -> Iterator[Records | str]:
        """Puts what is new into `records`, and yields warnings, and the records that come before one.

        Rows cover what was received up to their own read, so a read that will be cut short covers nothing.
        """
        tally, coverage, advance = self.tally, self.coverage, self._cursor.advance
        left = len(batch.payloads) if self._most is None else self._most - tally.emitted
        is_complete = batch.is_complete and left >= len(batch.payloads)
        feed, received_at_us = batch.feed, batch.received_at_us
        begin = coverage.begin if is_complete else coverage.interrupt
        since = coverage.since if is_complete and not coverage.is_older(feed, received_at_us) else {}
        earliest, latest = batch.pushed_within_us
        sample, shown_us = self.samples.sample, latest - BEHIND_AFTER_US if batch.is_complete else 0
        self._exchange_ahead_us[feed] = latest - received_at_us
        self._pushed_until_us[feed] = latest
        self._cursor.begin_read(received_at_us, latest)
        follows, compares = self._filter.every_change, self._filter.discovers
        drift_is_due = self._drift.is_due(received_at_us)
        is_first = feed not in self._heard_feeds
        for payload in batch.payloads:
            try:
                book_ticker, stream = parse_frame(payload)
            except NoBookTicker as why:
                yield from self._leave_out(payload, why, batch, records)
                continue
            symbol, update_id = book_ticker["s"], book_ticker["u"]
            is_own = follows and stream != ALL_MARKET_STREAM
            if (not is_own or stream is None) and not self._is_wanted(book_ticker, markets):
                tally.other_market += 1
                continue
            if is_own:
                if compares and self.samples.own(symbol, update_id, earliest, latest):
                    coverage.reset((symbol,))
            elif follows and not sample(symbol, update_id, received_at_us, shown_us, feed=feed, line=batch.line):
                continue
            if is_first and (is_own or not follows):
                is_first = False
                self._hear_first(feed, earliest)
            if not advance(symbol, update_id, book_ticker.get("T")):
                tally.known += 1
                continue
            covered_since_us = (since.get(symbol) or begin(symbol, feed, received_at_us)) if is_own else None
            record = book_ticker_record(book_ticker, received_at_us, covered_since_us)
            records.append(record)
            tally.emitted += 1
            if drift_is_due:
                drift_is_due = False
                yield from self._look_at(record, received_at_us)
            left -= 1
            if left == 0:
                break

    def _is_wanted(self, book_ticker: Mapping[str, Any], markets: frozenset[Market]) -> bool:
        """Whether a frame that came over no stream of its own is of a contract that was asked for."""
        market = market_of_book_ticker(book_ticker)
        return market in markets and self._filter.wants(book_ticker["s"], market)

    def _leave_out(self, payload: bytes, why: NoBookTicker, batch: Batch, records: Records) -> Iterator[Records | str]:
        """The sentence about a frame that was left out, after the records that came before it."""
        sentence = self.tally.left_out(payload, why)
        if sentence is not None:
            if records:
                yield self._finished(batch, records).copy()
                records.clear()
            yield sentence

    def _look_at(self, record: Mapping[str, Any], now_us: int) -> Iterator[str]:
        if self.tally.emitted == 1:
            self.tally.first_event_time = record["event_time"]
        for fault in self._drift.faults(record, now_us):
            yield f"Binance's book tickers no longer fit the declared schema. {fault}"

    # --- what is missing ---

    def _hear_first(self, feed: int, pushed_us: int) -> None:
        """Note the hole before the first update of a feed; a sample is none where contracts are followed."""
        until = "until the first update of this sync"
        if self._heard_feeds:
            until = f"until the first update over connection {feed + 1}"
        self._heard_feeds.add(feed)
        if self._cursor.listened_until is not None:
            self._notes.append(hole_before(self._cursor.listened_until / 1000, pushed_us / 1e6, until))

    def take_notes(self, now: float | None = None) -> list[str]:
        """Return sentences that explain the log later, each once; with `now` (epoch seconds) the sync has ended."""
        if now is not None and not self._heard_feeds and self._cursor.listened_until is not None:
            ended = now + max(self._exchange_ahead_us.values(), default=0) / 1e6
            until = "until the end of this sync, in which no update came"
            self._notes.append(hole_before(self._cursor.listened_until / 1000, ended, until))
        notes, self._notes = self._notes, []
        return notes

    def miss(self, gap: Gap) -> str:
        """Updates of a feed may be missing; the sentence about it."""
        self.tally.missed(gap)
        self.coverage.reset_feed(gap.feed)
        return str(gap)

    def take_over(self, takeover: Takeover) -> None:
        """Another connection of a feed goes on, and may have missed early updates of some contracts."""
        followed, pushed_us = self.coverage.followed_over(takeover.feed), self._pushed_until_us.get(takeover.feed, 0)
        self.samples.recheck(followed, takeover.covers_from * 1e6, pushed_us)
        self.samples.recheck(takeover.late, inf, pushed_us)

    def reach(self, feed: int, *, is_lost: bool) -> None:
        """A feed was left without a connection, or has one again: its gap is reported once, not for each contract."""
        symbols = self._unreached.pop(feed, self.coverage.followed_over(feed))
        if is_lost:
            self._unreached[feed] = symbols
        self.samples.forget(symbols)

    def overdue(self, now_us: int, *, at_end: bool = False) -> Iterator[Alarm | str]:
        """The own streams for which a fresh connection may help, and sentences about what they have lost."""
        for symbols in self._unreached.values():
            self.samples.forget(symbols)
        pushed_us = now_us + max(self._exchange_ahead_us.values(), default=0)  # the feed that is fastest knows it best
        for found in self.samples.overdue(now_us, pushed_us, at_end=at_end):
            if isinstance(found, Alarm):
                yield found
            else:
                yield self._report_contract(found.symbol, found.since_us / 1e6, found.until_us / 1e6, found.cause)

    def _miss_contract(self, symbol: str, since: float, until: float, cause: str) -> str:
        """Updates of one contract, pushed between two moments (epoch seconds), may be missing; the sentence."""
        self.coverage.reset([symbol])
        return self._report_contract(symbol, since, until, cause)

    def _report_contract(self, symbol: str, since: float, until: float, cause: str) -> str:
        gap = Gap(NO_FEED, since, until, f"{symbol} only: {cause}")
        self.tally.missed(gap)
        return str(gap)

    def _finished(self, batch: Batch, records: Records) -> Records:
        """Return records of a read, none of which covers what was left out because its ids were lower."""
        self._cursor.written(batch.received_at_us)
        self.coverage.rows_of(batch.feed, batch.received_at_us)
        new = self._cursor.restarts[self._restarts_told :]
        uncovered = {restart.symbol for restart in new if restart.since is not None}.union(self._cursor.left_out)
        for record in records if uncovered else ():
            if record["symbol"] in uncovered:
                record["covered_since_us"] = None
        return records

    def _restarts(self) -> Iterator[str]:
        new: list[Restart] = self._cursor.restarts[self._restarts_told :]
        self._restarts_told += len(new)
        for restart in new:
            yield (
                f"The exchange's counter of {restart.symbol} has restarted: update id {restart.after} after "
                f"{restart.before}. Its updates are taken as new."
            )
            if restart.since is not None and restart.until is not None:
                cause = "it took so long to be sure of the restart"
                yield self._miss_contract(restart.symbol, restart.since / 1000, restart.until / 1000, cause)
        yield from self.left_out()

    def left_out(self, *, at_end: bool = False) -> Iterator[str]:
        """Sentences about updates that were left out: their ids were lower, and no restart came of it."""
        for symbol, (since, until) in self._cursor.take_left_out(at_end=at_end).items():
            cause = "newer updates had lower ids than older ones, too shortly to be sure of a restart"
            yield self._miss_contract(symbol, since / 1000, (until + 1) / 1000, cause)
