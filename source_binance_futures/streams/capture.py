"""One sync of `book_tickers`: from the queue of the market stream to blocks of records, within the window."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

<<<<<<< HEAD
from ..binance.endpoints import host_of
=======
from airbyte_cdk.models import AirbyteMessage, AirbyteRecordMessage, Type

>>>>>>> transport
from ..binance.errors import OnlyMalformedFrames
from ..binance.market_stream.messages import MalformedFrame, book_ticker_record, is_coin_m, parse_book_ticker
from ..binance.market_stream.outbox import Batch, Failed, Gap, Noted, Warned
from ..binance.market_stream.reader import MarketStream
from ..binance.stop import LOOK_EVERY, Stop
from ..binance.text import utc
from ..binance.transport.address import host_of
from ..config import Config
from .block import Block
from .cursor import Cursor
from .oddities import Oddities
from .schema_drift import drift

PROGRESS_EVERY = 10.0  # seconds
DRAIN_AFTER_STOP = 0.5  # seconds; a stop signal wants an end within one
DRAIN_AFTER_WINDOW = 45.0  # seconds; before the watchdog of the process ends it
LOOK_AT_CLOCK_EVERY = 64  # records, so that a slow destination does not hold back a checkpoint


class Capture:
    """Listens until the window ends and yields the new updates in blocks, None where a look at the clock is due.

    `market` is stopped before the generator of `blocks` ends, however it ends.
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
        self._config = config
        self._market = market
        self._cursor = cursor
        self._stop = stop
        self._logger = logger
        self._schema = schema
        self._stream_name = stream_name
        self._oddities = Oddities(logger)
        self._keep_all = config.include_usds_margined or bool(config.book_ticker_symbols)
        self._emitted = 0
        self._duplicates = 0
        self._other_market = 0
        self._restarts_told = 0
        self._gap_seconds = 0.0
        self._gaps = 0
        self._not_emitted = 0
        self._first_event_time: int | None = None
        self._last_event_time: int | None = None
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
                    self._tell_progress(now)
                    next_progress = now + PROGRESS_EVERY
                item = self._market.take(min(self._window_ends - now, LOOK_EVERY))
                if isinstance(item, Batch):
                    yield from self._records(item.payloads)
                elif item is not None:
                    self._hear(item)
                yield None
            self._market.stop()
            yield from self._drain()
        finally:
            self._market.stop()
        failure = self._market.failure_of_window()
        if failure is not None and not self._stop.requested:
            raise failure
        only_malformed = self._oddities.malformed and not (self._emitted + self._duplicates + self._other_market)
        if only_malformed and not self._stop.requested:
            raise OnlyMalformedFrames(host_of(self._config.environment.market_stream_url), self._oddities.malformed)

    def _is_over(self) -> bool:
        return self._stop.requested or self._has_enough() or time.monotonic() >= self._window_ends

    def _has_enough(self) -> bool:
        return self._emitted == self._config.max_book_tickers

    def _drain(self) -> Iterator[Block | None]:
        """What arrived within the window and still waits, as much of it as there is time to write."""
        while not self._has_enough():
            item = self._market.take(0)
            if item is None:
                return
            if isinstance(item, Batch):
                yield from self._records(item.payloads)
            else:
                self._hear(item)
            yield None

    def _is_too_late(self) -> bool:
        """Whether the time for writing is over: soon after a stop signal, or well after the window."""
        if self._stop.requested_at is not None:
            return time.monotonic() > self._stop.requested_at + DRAIN_AFTER_STOP
        return time.monotonic() > self._window_ends + DRAIN_AFTER_WINDOW

    def _hear(self, item: Warned | Noted | Gap | Failed) -> None:
        """What the market stream has to say. Raises the error that ended it."""
        if isinstance(item, Failed):
            raise item.error
        if isinstance(item, Noted):
            self._logger.info(item.text)
        elif isinstance(item, Warned):
            self._logger.warning(item.text)
        else:
            self._gaps += 1
            self._gap_seconds += item.seconds
            self._logger.warning(str(item))

    def _records(self, payloads: Iterable[bytes]) -> Iterator[Block | None]:
        """The hot path: a filter and the cursor before anything is built, one clock reading for many records."""
        advance, keep_all, most = self._cursor.advance, self._keep_all, self._config.max_book_tickers
        emitted_at = int(time.time() * 1000)
        records: list[dict[str, Any]] = []
        waiting = iter(payloads)
        if self._is_too_late():
            self._not_emitted += sum(1 for _ in waiting)
        for payload in waiting:
            try:
                book_ticker, fault = parse_book_ticker(payload), None
            except MalformedFrame as malformed:
                book_ticker, fault = None, malformed
            if book_ticker is None:
                if records:  # they come before what is said of a frame after them
                    yield Block(self._stream_name, records, emitted_at)
                    records = []
                self._leave_out(payload, fault)
                continue
            if not keep_all and not is_coin_m(book_ticker):
                self._other_market += 1
                continue
            if not advance(book_ticker["s"], book_ticker["u"], book_ticker.get("T")):
                self._duplicates += 1
                continue
            record = book_ticker_record(book_ticker)
            if not self._emitted:
                self._look_at_first(record)
            self._emitted += 1
            self._last_event_time = record["event_time"]
            records.append(record)
            if len(records) == LOOK_AT_CLOCK_EVERY:
                yield Block(self._stream_name, records, emitted_at)
                yield None
                records = []
                emitted_at = int(time.time() * 1000)
                if self._is_too_late():
                    self._not_emitted += sum(1 for _ in waiting)
            if self._emitted == most:
                break
        if records:
            yield Block(self._stream_name, records, emitted_at)
        self._tell_restarts()

    def _leave_out(self, payload: bytes, fault: MalformedFrame | None) -> None:
        if fault is None:
            self._oddities.count_other(payload)
        else:
            self._oddities.count_malformed(payload, str(fault))

    def _look_at_first(self, record: dict[str, Any]) -> None:
        self._first_event_time = record["event_time"]
        for fault in drift(record, self._schema):
            self._logger.warning(f"Binance's book tickers no longer fit the declared schema. {fault}")

    # --- what a person sees ---

    def _tell_progress(self, now: float) -> None:
        rate = self._emitted / max(now - self._began, 0.001)
        self._logger.info(
            f"{self._emitted} updates of {len(self._cursor.symbols_seen)} symbols, {rate:.0f} a second, "
            f"{max(self._window_ends - now, 0):.0f} seconds left."
        )

    def _tell_restarts(self) -> None:
        for restart in self._cursor.restarts[self._restarts_told :]:
            self._logger.warning(
                f"The exchange's counter of {restart.symbol} has restarted: update id {restart.after} after "
                f"{restart.before} in the state. Its updates are taken as new."
            )
        self._restarts_told = len(self._cursor.restarts)

    def tell_summary(self) -> None:
        """The last words of a sync: what came, what was left out, what is missing."""
        self._tell_restarts()  # of the last batch, where it was cut short
        if self._not_emitted:
            self._logger.warning(
                f"The sync ended before {self._not_emitted} received frames could be written; they are lost. "
                "The destination reads more slowly than the exchange pushes."
            )
        if self._cursor.symbols_refused:
            self._logger.warning(
                f"{self._cursor.symbols_refused} updates of ever more symbols were left out; no exchange lists so many."
            )
        silent = [symbol for symbol in self._config.book_ticker_symbols if symbol not in self._cursor.symbols_seen]
        if silent and not self._has_enough():
            self._logger.warning(
                f"`book_ticker_symbols`: no update came for {', '.join(silent)}. "
                "Check the spelling (Binance accepts wrong names and stays silent); a quiet market looks the same."
            )
        oddities = self._oddities
        line = (
            f"Captured {self._emitted} updates of {len(self._cursor.symbols_seen)} symbols in "
            f"{time.monotonic() - self._began:.1f} seconds. "
            f"Duplicates skipped: {self._duplicates - self._cursor.symbols_refused}. "
            f"Updates of other markets left out: {self._other_market}. "
            f"Other frames: {oddities.other}, malformed: {oddities.malformed}. Reconnects: {self._market.reconnects}. "
            f"Gaps: {self._gaps}, seconds without connection: {self._gap_seconds:.1f}."
        )
        if isinstance(self._first_event_time, int) and isinstance(self._last_event_time, int):
            line += f" Event times from {utc(self._first_event_time / 1000)} to {utc(self._last_event_time / 1000)}."
        self._logger.info(line)
