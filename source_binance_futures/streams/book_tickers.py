"""`book_tickers`: best bid and ask of futures of both markets, pushed over market streams, incremental by update id."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from airbyte_cdk.models import (
    AirbyteMessage,
    AirbyteRecordMessage,
    AirbyteStateBlob,
    AirbyteStateMessage,
    AirbyteStateType,
    AirbyteStreamState,
    ConfiguredAirbyteStream,
    StreamDescriptor,
    SyncMode,
    Type,
)
from airbyte_cdk.sources.streams import CheckpointMixin, Stream
from airbyte_cdk.sources.streams.core import StreamData
from airbyte_cdk.sources.utils.schema_helpers import InternalConfig
from airbyte_cdk.sources.utils.slice_logger import SliceLogger

from ..binance.clock import LOOK_EVERY, Stop
from ..binance.errors import BinanceError, OnlyMalformedFrames
from ..binance.market_stream.items import Batch, ConnectivityChanged, Failed, Gap, Item, LogLine, Takeover
from ..binance.market_stream.reader import MarketStream
from ..binance.text import OF_A_NAME, first_of
from ..binance.transport.address import host_of
from ..config import Config, ConfigurationError
from ..failures import reported
from .cursor import Cursor, UnreadableState, is_of_other_environment
from .listening import market_for
from .selection import Selection
from .summary import REPORTED_FROM, Progress, clock_behind, clock_drifted

CHECKPOINT_EVERY = 10.0  # seconds while updates flow; 15 are promised
SIGN_OF_LIFE_EVERY = 900.0  # seconds without a new update; Airbyte gives up on a source that is silent for 3 hours
LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING}
WRITE_AFTER_STOP = 8.0  # seconds; PyAirbyte kills ten seconds after its SIGTERM, Kubernetes after thirty
WRITE_AFTER_WINDOW = 45.0  # seconds; before the watchdog of the process ends it


class BookTickers(Stream, CheckpointMixin):
    """Listens for `listen_seconds` and gives each `(symbol, u)` once, in the order of its symbol.

    It emits its STATE messages itself, by time: the CDK knows checkpoints only by number of records, and a quiet
    market would never reach the number. `listening` is a market stream that already listens, for the first read.
    """

    primary_key: ClassVar[list[str]] = ["symbol", "u"]
    cursor_field = "u"

    def __init__(
        self,
        config: Config,
        stop: Stop,
        *,
        blocks: bool = False,
        listen: Callable[..., MarketStream] = MarketStream,
        listening: MarketStream | None = None,
    ) -> None:
        self._config = config
        self._stop = stop
        self._clock = stop.clock
        self._hands_over_blocks = blocks
        self._listen = listen
        self._listening = listening
        self._inherited: Mapping[str, Any] = {}
        self._cursor: Cursor | None = None

    @property
    def state(self) -> MutableMapping[str, Any]:
        """Version, environment, newest update id of each symbol, newest transaction time, newest receipt."""
        return self._cursor.state() if self._cursor else dict(self._inherited)

    @state.setter
    def state(self, value: MutableMapping[str, Any]) -> None:
        self._inherited = value

    def read(
        self,
        configured_stream: ConfiguredAirbyteStream,
        logger: logging.Logger,
        slice_logger: SliceLogger,
        stream_state: MutableMapping[str, Any],
        state_manager: Any,
        internal_config: InternalConfig,
    ) -> Iterable[StreamData]:
        """Leaves out what the CDK does for each record of a polled stream (slices, checkpoints by count).

        It slows a read down by a fifth or more and has nothing to do here: see docs/decisions.md.
        """
        self.configured_json_schema = configured_stream.stream.json_schema
        return self.read_records(configured_stream.sync_mode)

    def read_records(
        self,
        sync_mode: SyncMode,
        cursor_field: list[str] | None = None,
        stream_slice: Mapping[str, Any] | None = None,
        stream_state: Mapping[str, Any] | None = None,
    ) -> Iterable[StreamData]:
        """One window of listening: records, and a STATE after at most 15 seconds of them and at the end.

        Before an error is raised, a STATE covers what was emitted.
        """
        market, self._listening = self._listening, None
        cursor = self._cursor = self._cursor_for(sync_mode)
        market = market or market_for(self._config, cursor, self._clock, self._listen)
        capture = Capture(self._config, market, cursor, self._stop, self.logger, self.get_json_schema(), self.name)
        try:
            yield from self._with_checkpoints(capture.blocks())
        except BinanceError as error:
            yield self._checkpoint()
            raise reported(error) from error
        except Exception:
            yield self._checkpoint()
            raise
        finally:
            capture.tell_summary()
        yield self._checkpoint()

    def _with_checkpoints(self, blocks: Iterator[Block | None]) -> Iterator[AirbyteMessage]:
        written = self._clock.monotonic()
        fresh = False
        for block in blocks:
            if block is not None:
                fresh = True
                if self._hands_over_blocks:
                    yield block
                else:
                    yield from block.messages()
                continue
            age = self._clock.monotonic() - written
            if age >= (CHECKPOINT_EVERY if fresh else SIGN_OF_LIFE_EVERY):
                yield self._checkpoint()
                written = self._clock.monotonic()
                fresh = False

    def _cursor_for(self, sync_mode: SyncMode) -> Cursor:
        """Full refresh begins anew, though the CDK hands over the old state then too."""
        environment = self._config.environment.identity
        if sync_mode is not SyncMode.incremental:
            return Cursor(environment)
        try:
            cursor = Cursor.from_state(self._inherited, environment, self._clock.today())
        except UnreadableState as fault:
            raise reported(
                ConfigurationError(
                    f"The state of {self.name} was not written by this connector: {fault}. "
                    "Clear the stream's data in Airbyte, or remove the state file, and sync again."
                )
            ) from fault
        if is_of_other_environment(self._inherited, environment):
            written_by = self._inherited["environment"][:OF_A_NAME]
            self.logger.warning(
                f"The state belongs to environment {written_by!r}, this sync to {environment!r}. "
                "Each counts its update ids for itself, so the state is not applied."
            )
        if cursor.newest_received_at_us is not None:
            behind = cursor.newest_received_at_us / 1e6 - self._clock.epoch()
            if behind > REPORTED_FROM:
                self.logger.warning(clock_behind(behind, cursor.newest_received_at_us / 1e6))
        return cursor

    def _checkpoint(self) -> AirbyteMessage:
        return AirbyteMessage(
            type=Type.STATE,
            state=AirbyteStateMessage(
                type=AirbyteStateType.STREAM,
                stream=AirbyteStreamState(
                    stream_descriptor=StreamDescriptor(name=self.name),
                    stream_state=AirbyteStateBlob(self.state),
                ),
            ),
        )


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
        self._window_ends = market.window_ends
        self._write_until = self._window_ends
        self._progress = Progress(market.began)
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
        self._check_own_streams(self._tally.newest_read_us or 0, at_end=True)
        self._compare_clocks()
        for note in self._selection.take_notes(self._clock.epoch()):
            self._logger.info(note)
        for sentence in self._selection.left_out(at_end=True):
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
                self._clock.monotonic() - self._market.began,
                self._market.reconnects,
                coverage=self._selection.coverage,
                compared=self._selection.samples.compared,
                confirmed=self._selection.samples.confirmed,
            )
        )
