"""One sync of `book_tickers`: from the outbox of the market stream to blocks of records, within the window."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from airbyte_cdk.models import AirbyteMessage, AirbyteRecordMessage, Type

from ..binance.clock import LOOK_EVERY, Stop
from ..binance.errors import OnlyMalformedFrames
from ..binance.market_stream.items import Batch, ConnectivityChanged, Failed, Gap, Item, LogLine, Takeover
from ..binance.market_stream.reader import MarketStream
from ..binance.text import first_of
from ..binance.transport.address import host_of
from ..config import Config
from .cursor import Cursor
from .selection import Selection
from .summary import REPORTED_FROM, Progress, clock_drifted

LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING}
WRITE_AFTER_STOP = 8.0  # seconds; PyAirbyte kills ten seconds after its SIGTERM, Kubernetes after thirty
WRITE_AFTER_WINDOW = 45.0  # seconds; before the watchdog of the process ends it


@dataclass(init=False)
class Block(AirbyteMessage):
    """Stands for all of `records` (one or more) of `stream`, emitted at `emitted_at` (ms since 1970 UTC).

    To the CDK it is the RECORD message of its first record. Only an entry point that knows blocks may be given one:
    any other would write that record alone.
    """

    stream: str = ""
    records: list[dict[str, Any]] = field(default_factory=list)
    emitted_at: int = 0

    def __init__(self, stream: str, records: list[dict[str, Any]], emitted_at: int) -> None:
        super().__init__(Type.RECORD, record=AirbyteRecordMessage(stream, records[0], emitted_at))
        self.stream = stream
        self.records = records
        self.emitted_at = emitted_at

    def messages(self) -> Iterator[AirbyteMessage]:
        """The same records as single messages, for whoever knows no blocks."""
        for record in self.records:
            yield AirbyteMessage(Type.RECORD, record=AirbyteRecordMessage(self.stream, record, self.emitted_at))


class LastWrites:
    """Decides, once a sync is over, how much of what was received is still written. Pure; moments are monotonic.

    What would not be written in time, at the pace at which the destination has taken updates since, is not begun. After
    the first refusal nothing is written any more, so that no hole comes about.
    """

    def __init__(self, now: float) -> None:
        self._began = now
        self._written = 0
        self._refused = False

    def allow(self, updates: int, now: float, until: float) -> bool:
        """Return whether to write so many updates now, of which all must be written by `until`."""
        pace = (now - self._began) / self._written if self._written else 0.0  # seconds for one
        self._refused = self._refused or now + updates * pace > until
        self._written += updates
        return not self._refused


class Capture:
    """Listens until the window ends and yields the new updates in blocks, None where a look at the clock is due.

    A block is what one read of a connection brought, and is given whole or not at all: its rows say what is covered
    until that read. The window is that of `market`, which may be listening already, and which is stopped before the
    generator of `blocks` ends, however it ends.
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
        self._clock = stop.clock
        self._logger = logger
        self._stream_name = stream_name
        self._selection = Selection(cursor, config.contract_filter, config.max_book_tickers, schema)
        self._tally = self._selection.tally
        self._began = market.began
        self._window_ends = market.window_ends
        self._write_until = self._window_ends
        self._progress = Progress(self._began)
        self._has_drifted = False

    def blocks(self) -> Iterator[Block | None]:
        """The records of the window. Raises what ended the stream after everything received before has been yielded."""
        # Where what came before took longer than the window, there is still the same time to write.
        self._stop.window_ends = max(self._window_ends, self._clock.monotonic())
        self._write_until = self._stop.window_ends + WRITE_AFTER_WINDOW
        self._market.start()
        try:
            while not self._is_over():
                now = self._clock.monotonic()
                if self._progress.is_due(now):
                    symbols = len(self._selection.symbols)
                    self._logger.info(self._progress.line(now, self._tally.emitted, symbols, self._left(now)))
                    self._compare_clocks()
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
        if self._tally.only_malformed and not self._stop.requested:
            raise OnlyMalformedFrames(host_of(self._config.environment.coin_m_bases[0]), self._tally.malformed)

    def _compare_clocks(self) -> None:
        """Report, once, that somebody has set the machine's clock since the window's was read."""
        ahead = self._clock.drift()
        if abs(ahead) > REPORTED_FROM and not self._has_drifted:
            self._has_drifted = True
            self._logger.warning(clock_drifted(ahead))

    def _left(self, now: float) -> float:
        return max(self._window_ends - now, 0.0)

    def _is_over(self) -> bool:
        return self._stop.requested or self._selection.has_enough or self._clock.monotonic() >= self._window_ends

    def _take_the_rest(self) -> Iterator[Block | None]:
        """What arrived within the window and still waits, as much of it as there is time to write."""
        writes = LastWrites(self._clock.monotonic())
        while not self._selection.has_enough:
            item = self._market.take(0)
            if item is None:
                return
            if isinstance(item, Batch) and not self._has_time_for(item, writes):
                self._tally.not_written += len(item.payloads)
            else:
                yield from self._take(item)
                yield None

    def _has_time_for(self, batch: Batch, writes: LastWrites) -> bool:
        """Whether it may still be written: some seconds after a stop, longer after a window."""
        until = self._write_until
        if self._stop.requested_at is not None:
            until = min(until, self._stop.requested_at + WRITE_AFTER_STOP)
        return writes.allow(len(batch.payloads), self._clock.monotonic(), until)

    def _take(self, item: Item) -> Iterator[Block]:
        if not isinstance(item, Batch):
            self._handle(item)
            return
        emitted_at = self._clock.now_us() // 1000  # one clock reading for all
        for found in self._selection.take(item, self._market.markets_of(item.feed)):
            if isinstance(found, str):
                self._logger.warning(found)
            else:
                yield Block(self._stream_name, found, emitted_at)
        for note in self._selection.take_notes():
            self._logger.info(note)
        self._check_own_streams(item.received_at_us)

    def _check_own_streams(self, now_us: int, *, at_end: bool = False) -> None:
        """Reports what contracts' own streams lack, and asks for fresh connections."""
        for found in self._selection.overdue(now_us, at_end=at_end):
            if isinstance(found, str):
                self._logger.warning(found)
            else:
                self._market.request_reconnect(found.symbol, found.feed, found.line, found.reason)

    def _handle(self, item: LogLine | Gap | Takeover | ConnectivityChanged | Failed) -> None:
        """Logs and counts what the market stream reports. Raises the error that ended it."""
        if isinstance(item, Failed):
            raise item.error
        if isinstance(item, Gap):
            self._logger.warning(self._selection.miss(item))
        elif isinstance(item, Takeover):
            self._selection.take_over(item)
        elif isinstance(item, ConnectivityChanged):
            self._progress.reach(item)
            self._selection.reach(item.feed, is_lost=item.lost_at is not None)
        else:
            self._logger.log(LEVELS[item.level], item.text)

    def tell_summary(self) -> None:
        """The last words of a sync: what came, what was left out, what is missing."""
        self._check_own_streams(self._tally.heard_at_us or 0, at_end=True)
        self._compare_clocks()
        for note in self._selection.take_notes(self._clock.epoch()):
            self._logger.info(note)
        for sentence in self._selection.lapses(at_end=True):
            self._logger.warning(sentence)
        only_lower = self._cursor.only_lower
        if only_lower:
            self._logger.warning(
                f"Of {first_of(list(only_lower))} nothing but update ids below those of the state came: "
                f"{sum(only_lower.values())} updates were left out as known. Where that goes on, the exchange counts "
                "anew and its times prove nothing: clear the stream's data in Airbyte, or remove the state file."
            )
        if self._tally.not_written:
            self._logger.warning(
                f"The sync ended before {self._tally.not_written} received frames could be written; they are lost. "
                "The destination reads more slowly than the exchange pushes."
            )
        if self._cursor.symbols_refused:
            self._logger.warning(
                f"{self._cursor.symbols_refused} updates of ever more symbols were left out; no exchange lists so many."
            )
        silent = [symbol for symbol in self._config.book_ticker_symbols if symbol not in self._selection.symbols]
        if silent and not self._selection.has_enough:
            self._logger.warning(
                f"`book_ticker_symbols`: no update came for {first_of(silent)}. "
                "Check the spelling (Binance accepts wrong names and stays silent); a quiet market looks the same."
            )
        self._logger.info(
            self._tally.summary(
                len(self._selection.symbols),
                self._clock.monotonic() - self._began,
                self._market.reconnects,
                coverage=self._selection.coverage,
                compared=self._selection.samples.compared,
                confirmed=self._selection.samples.confirmed,
            )
        )
