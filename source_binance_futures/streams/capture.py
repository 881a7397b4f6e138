"""One sync of `book_tickers`: from the outbox of the market stream to blocks of records, within the window."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping
from typing import Any

from ..binance.endpoints import ALL_MARKET_STREAM
from ..binance.errors import OnlyMalformedFrames
from ..binance.market_stream.coverage import Coverage
from ..binance.market_stream.events import Batch
from ..binance.market_stream.messages import NoBookTicker, book_ticker_record, market_of_book_ticker, parse_frame
from ..binance.market_stream.outbox import Failed, Gap, Item, Noted, Traced, Unproven, Warned
from ..binance.market_stream.reader import MarketStream
from ..binance.market_stream.samples import Dead, Samples
from ..binance.stop import LOOK_EVERY, Stop
from ..binance.text import first_of
from ..binance.transport.address import host_of
from ..config import Config
from .block import Block
from .cursor import Cursor
from .schema_drift import drift
from .tally import Tally

PROGRESS_EVERY = 10.0  # seconds
NO_FEED = -1  # of a gap of one contract
WRITE_AFTER_STOP = 0.5  # seconds; a stop signal wants an end within one
WRITE_AFTER_WINDOW = 45.0  # seconds; before the watchdog of the process ends it


class Capture:
    """Listens until the window ends and yields the new updates in blocks, None where a look at the clock is due.

    A block is what one read of a connection brought, and is given whole or not at all: its rows say what is covered
    until that read. `market` is stopped before the generator of `blocks` ends, however it ends.
    """

    def __init__(
        self,
        config: Config,
        market: MarketStream,
        cursor: Cursor,
        stop: Stop,
        logger: logging.Logger,
        schema: Mapping[str, Any],
        stream_name: str,
    ) -> None:
        self.tally = Tally()
        self._config = config
        self._market = market
        self._cursor = cursor
        self._stop = stop
        self._logger = logger
        self._schema = schema
        self._stream_name = stream_name
        self._coverage = Coverage()
        self._samples = Samples()
        self._wishes = config.wishes
        self._restarts_told = 0
        self._began = time.monotonic()
        self._window_ends = self._began + config.listen_seconds

    def blocks(self) -> Iterator[Block | None]:
        """The records of the window. Raises what ended the stream after everything received before has been yielded."""
        self._stop.window_ends = self._window_ends
        next_progress = self._began + PROGRESS_EVERY
        self._market.start()
        try:
            while not self._is_over():
                now = time.monotonic()
                if now >= next_progress:
                    self._tell(self.tally.progress(self._symbols, now - self._began, self._left(now)))
                    next_progress = now + PROGRESS_EVERY
                item = self._market.take(min(self._left(now), LOOK_EVERY))
                if item is not None:
                    yield from self._take(item)
                yield None
            self._market.stop()
            yield from self._take_the_rest()
        finally:
            self._market.stop()
        failure = self._market.failure_of_window()
        if failure is not None and not self._stop.requested:
            raise failure
        if self.tally.only_malformed and not self._stop.requested:
            host = host_of(self._config.environment.coin_m_bases[0])
            raise OnlyMalformedFrames(host, self.tally.malformed)

    @property
    def _symbols(self) -> int:
        return len(self._cursor.symbols_seen)

    def _left(self, now: float) -> float:
        return max(self._window_ends - now, 0.0)

    def _is_over(self) -> bool:
        return self._stop.requested or self._has_enough() or time.monotonic() >= self._window_ends

    def _has_enough(self) -> bool:
        return self.tally.emitted == self._config.max_book_tickers

    def _take_the_rest(self) -> Iterator[Block | None]:
        """What arrived within the window and still waits, as much of it as there is time to write."""
        while not self._has_enough():
            item = self._market.take(0)
            if item is None:
                return
            if isinstance(item, Batch) and self._is_too_late():
                self.tally.not_written += len(item.payloads)
            else:
                yield from self._take(item)
                yield None

    def _is_too_late(self) -> bool:
        """Whether the time for writing is over: soon after a stop signal, or well after the window."""
        if self._stop.requested_at is not None:
            return time.monotonic() > self._stop.requested_at + WRITE_AFTER_STOP
        return time.monotonic() > self._window_ends + WRITE_AFTER_WINDOW

    def _take(self, item: Item) -> Iterator[Block]:
        if isinstance(item, Batch):
            yield from self._blocks_of(item)
            for dead in self._samples.dead(item.received_at_us):
                self._doubt_own_stream(dead)
        else:
            self._hear(item)

    def _hear(self, item: Warned | Noted | Traced | Gap | Unproven | Failed) -> None:
        """What the market stream has to say. Raises the error that ended it."""
        if isinstance(item, Failed):
            raise item.error
        if isinstance(item, Gap):
            self._miss(item)
        elif isinstance(item, Unproven):
            self._coverage.doubt(item.symbols)
            self._tell(f"Of {first_of(item.symbols)} the other connection may have missed the first updates.")
        elif isinstance(item, Traced):
            self._logger.debug(item.text)
        elif isinstance(item, Noted):
            self._tell(item.text)
        else:
            self._logger.warning(item.text)

    def _miss(self, gap: Gap) -> None:
        self.tally.told(gap)
        self._coverage.doubt_feed(gap.feed)
        self._logger.warning(str(gap))

    def _doubt_own_stream(self, dead: Dead) -> None:
        """A sample is newer than what the contract's own stream has brought: that one is dead, or far behind."""
        why = f"the own stream of {dead.symbol} has not brought what the all-market stream shows"
        self._market.doubt(dead.feed, dead.line, why)
        self._miss_contract(dead.symbol, dead.since_us / 1e6, dead.until_us / 1e6, f"{dead.symbol} only: {why}")

    def _miss_contract(self, symbol: str, since: float, until: float, cause: str) -> None:
        gap = Gap(NO_FEED, since, until, cause)
        self.tally.told(gap)
        self._coverage.doubt([symbol])
        self._logger.warning(str(gap))

    # --- the hot path ---

    def _blocks_of(self, batch: Batch) -> Iterator[Block]:
        """The records of one read: a filter and the cursor before anything is built, one clock reading for all."""
        most = self._config.max_book_tickers
        left = len(batch.payloads) if most is None else most - self.tally.emitted
        vouches = not batch.behind and left >= len(batch.payloads)
        advance, since, tally = self._cursor.advance, self._coverage.since, self.tally
        feed, received_at_us = batch.feed, batch.received_at_us
        follows, compares = self._wishes.every_change, self._wishes.discovers
        emitted_at = int(time.time() * 1000)
        records: list[dict[str, Any]] = []
        for payload in batch.payloads:
            try:
                book_ticker, stream = parse_frame(payload)
            except NoBookTicker as why:
                yield from self._leave_out(records, emitted_at, tally.left_out(payload, why))
                continue
            symbol, update_id = book_ticker["s"], book_ticker["u"]
            is_own = follows and stream != ALL_MARKET_STREAM
            if (not is_own or stream is None) and not self._is_wanted(feed, book_ticker):
                tally.other_market += 1
                continue
            if is_own:
                if compares:
                    self._samples.own(symbol, update_id, received_at_us)
            elif not self._sample_counts(book_ticker, batch):
                continue
            if not advance(symbol, update_id, book_ticker.get("T")):
                tally.known += 1
                continue
            if is_own and vouches:
                covered_since_us = since(symbol, feed, received_at_us)
            else:
                covered_since_us = None
                self._coverage.doubt((symbol,))
            record = book_ticker_record(book_ticker, received_at_us, covered_since_us)
            if not tally.emitted:
                self._look_at_first(record)
            tally.emitted += 1
            tally.last_event_time = record["event_time"]
            records.append(record)
            left -= 1
            if left == 0:
                break
        if records:
            yield Block(self._stream_name, records, emitted_at)
        self._tell_restarts()

    def _is_wanted(self, feed: int, book_ticker: Mapping[str, Any]) -> bool:
        """Whether a frame that no stream of its own vouches for is of a contract that was asked for."""
        market = market_of_book_ticker(book_ticker)
        return market in self._market.markets_of(feed) and self._wishes.wants(book_ticker["s"], market)

    def _sample_counts(self, book_ticker: Mapping[str, Any], batch: Batch) -> bool:
        """Whether a frame of the all-market stream is an update, since nothing better is there."""
        if not self._wishes.every_change:
            return True
        symbol, update_id = book_ticker["s"], book_ticker["u"]
        return self._samples.sample(symbol, update_id, batch.received_at_us, feed=batch.feed, line=batch.line)

    def _leave_out(self, records: list[dict[str, Any]], emitted_at: int, sentence: str | None) -> Iterator[Block]:
        """Logs why a frame was left out, after the records that came before it."""
        if sentence is None:
            return
        if records:
            yield Block(self._stream_name, records.copy(), emitted_at)
            records.clear()
        self._logger.warning(sentence)

    # --- what a person sees ---

    def _tell(self, text: str) -> None:
        self._logger.info(text)

    def _look_at_first(self, record: dict[str, Any]) -> None:
        self.tally.first_event_time = record["event_time"]
        for fault in drift(record, self._schema):
            self._logger.warning(f"Binance's book tickers no longer fit the declared schema. {fault}")

    def _tell_restarts(self) -> None:
        for restart in self._cursor.restarts[self._restarts_told :]:
            self._logger.warning(
                f"The exchange's counter of {restart.symbol} has restarted: update id {restart.after} after "
                f"{restart.before}. Its updates are taken as new."
            )
            if restart.since is not None and restart.until is not None:
                cause = f"{restart.symbol} only: it took a minute to be sure of the restart"
                self._miss_contract(restart.symbol, restart.since / 1000, restart.until / 1000, cause)
        self._restarts_told = len(self._cursor.restarts)

    def tell_summary(self) -> None:
        """The last words of a sync: what came, what was left out, what is missing."""
        self._tell_restarts()  # of the last batch, where it was cut short
        if self.tally.not_written:
            self._logger.warning(
                f"The sync ended before {self.tally.not_written} received frames could be written; they are lost. "
                "The destination reads more slowly than the exchange pushes."
            )
        if self._cursor.symbols_refused:
            self._logger.warning(
                f"{self._cursor.symbols_refused} updates of ever more symbols were left out; no exchange lists so many."
            )
        silent = [symbol for symbol in self._config.book_ticker_symbols if symbol not in self._cursor.symbols_seen]
        if silent and not self._has_enough():
            self._logger.warning(
                f"`book_ticker_symbols`: no update came for {first_of(silent)}. "
                "Check the spelling (Binance accepts wrong names and stays silent); a quiet market looks the same."
            )
        self._tell(
            self.tally.summary(
                self._symbols,
                time.monotonic() - self._began,
                self._market.reconnects,
                compared=self._samples.compared,
                confirmed=self._samples.confirmed,
            )
        )
