"""`book_tickers`: best bid and ask of futures of both markets, pushed over market streams, incremental by update id."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any, ClassVar

from airbyte_cdk.models import AirbyteMessage, AirbyteRecordMessage, ConfiguredAirbyteStream, SyncMode, Type
from airbyte_cdk.sources.connector_state_manager import ConnectorStateManager
from airbyte_cdk.sources.streams import CheckpointMixin, Stream
from airbyte_cdk.sources.streams.core import StreamData

from ..binance.clock import LOOK_EVERY, Stop
from ..binance.errors import OnlyMalformedFrames
from ..binance.market_stream.coverage import Alarm
from ..binance.market_stream.items import Batch, ConnectivityChanged, Failed, Gap, Item, LogLine, Takeover
from ..binance.market_stream.reader import MarketStream
from ..binance.text import OF_A_NAME, duration, first_of, utc
from ..binance.transport.address import host_of
from ..config import Config
from ..failures import reporting
from .cursor import Cursor
from .listening import market_for
from .selection import Records, Selection
from .summary import Progress

CHECKPOINT_EVERY = 10.0  # seconds while updates flow; 15 are promised
SIGN_OF_LIFE_EVERY = 900.0  # seconds without a new update; Airbyte gives up on a source that is silent for 3 hours
LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING}
CLOCKS_DIFFER = 1.0  # seconds
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
        listening: MarketStream | None = None,
    ) -> None:
        self._config = config
        self._stop = stop
        self._clock = stop.clock
        self._hands_over_blocks = blocks
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

    def read(self, configured_stream: ConfiguredAirbyteStream, *args: Any, **kwargs: Any) -> Iterable[StreamData]:
        """Leaves out what the CDK does for each record of a polled stream (slices, checkpoints by count).

        It slows a read down by a fifth or more and has nothing to do here: see docs/decisions.md.
        """
        self.configured_json_schema = configured_stream.stream.json_schema
        return self.read_records(configured_stream.sync_mode)

    def read_records(self, sync_mode: SyncMode, *args: Any, **kwargs: Any) -> Iterable[StreamData]:
        """One window of listening: records, and a STATE after at most 15 seconds of them and at the end.

        Before an error is raised, a STATE covers what was emitted.
        """
        cursor = self._cursor = self._cursor_for(sync_mode)
        market = self._listening or market_for(self._config, cursor, self._clock)
        self._listening = None
        selection = Selection(cursor, self._config.max_book_tickers, self.get_json_schema())
        capture = Capture(self._config, self._stop, market, selection, Progress(market.began), self.logger)
        try:
            with reporting():
                yield from self._messages(capture.records())
        except Exception:
            yield self._checkpoint()
            raise
        finally:
            capture.tell_summary()
        yield self._checkpoint()

    def _messages(self, captured: Iterator[Records | None]) -> Iterator[AirbyteMessage]:
        written = self._clock.monotonic()
        fresh = False
        for records in captured:
            if records is not None:
                fresh = True
                block = Block(self.name, records, self._clock.now_us() // 1000)
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
        with reporting():
            cursor = Cursor.from_state(self._inherited, environment, self._clock.today())
        written_by = self._inherited.get("environment", environment)
        if written_by != environment:
            self.logger.warning(
                f"The state belongs to environment {written_by[:OF_A_NAME]!r}, this sync to {environment!r}. "
                "Each counts its update ids for itself, so the state is not applied."
            )
        newest = (cursor.newest_received_at_us or 0) / 1e6
        behind = newest - self._clock.epoch()
        if behind > CLOCKS_DIFFER:
            self.logger.warning(
                f"This machine's clock is {duration(behind)} behind the newest row of the state, received at "
                f"{utc(newest)}. `covered_since_us` stays null for so long, so that no covered interval reaches back "
                "into older rows. Set the clock right. Where it was wrong in the sync before, by more than you can "
                "wait for, clear the stream's data in Airbyte, or remove `newest_received_at_us` from the state file."
            )
        return cursor

    def _checkpoint(self) -> AirbyteMessage:
        states = ConnectorStateManager()
        states.update_state_for_stream(self.name, None, self.state)
        return states.create_state_message(self.name, None)


class Block(AirbyteMessage):
    """Stands for all of `records` (one or more) of `stream`, emitted at `emitted_at` (ms since 1970 UTC).

    To the CDK it is the RECORD message of its first record: an entry point that knows no blocks would write no more.
    """

    def __init__(self, stream: str, records: Records, emitted_at: int) -> None:
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


@dataclass
class Capture:
    """Listens until the window of `market` ends, and yields the new records of each read.

    These are given whole or not at all, since they say what is covered until their read. `market` may be listening
    already; it is stopped before the generator of `records` ends, however it ends.
    """

    config: Config
    stop: Stop
    market: MarketStream
    selection: Selection
    progress: Progress
    logger: logging.Logger
    has_drifted: bool = False

    def records(self) -> Iterator[Records | None]:
        """Yield None where a look at the clock is due. Raises what ended the stream, after all that came before."""
        # Where what came before took longer than the window, there is still the same time to write.
        self.stop.window_ends = max(self.market.window_ends, self.stop.clock.monotonic())
        tally = self.selection.tally
        self.market.start()
        try:
            while not (self.stop.requested or self.selection.has_enough):
                now = self.stop.clock.monotonic()
                left = self.market.window_ends - now
                if left <= 0:
                    break
                if now >= self.progress.due_at:
                    symbols = len(self.selection.cursor.seen)
                    self.logger.info(self.progress.line(now, tally.emitted, symbols, left))
                    self._compare_clocks()
                item = self.market.take(min(left, LOOK_EVERY))
                if item is not None:
                    yield from self._take(item)
                yield None
            self.market.stop()
            yield from self._take_the_rest(self.stop.window_ends + WRITE_AFTER_WINDOW)
        finally:
            self.market.stop()
        failure = self.market.failure_of_window()
        if failure is None and tally.only_malformed:
            failure = OnlyMalformedFrames(host_of(self.config.environment.coin_m_bases[0]), tally.malformed)
        if failure is not None and not self.stop.requested:
            raise failure

    def _take_the_rest(self, until: float) -> Iterator[Records | None]:
        """What arrived within the window and still waits, as much of it as there is time to write."""
        writes = LastWrites(self.stop.clock.monotonic())
        while not self.selection.has_enough:
            item = self.market.take(0)
            if item is None:
                return
            if self.stop.requested_at is not None:
                until = min(until, self.stop.requested_at + WRITE_AFTER_STOP)
            if isinstance(item, Batch) and not writes.allow(len(item.payloads), self.stop.clock.monotonic(), until):
                self.selection.tally.not_written += len(item.payloads)
            else:
                yield from self._take(item)
                yield None

    def _take(self, item: Item) -> Iterator[Records]:
        """Hands the records of a read on, logs and counts whatever else comes. Raises the error that ended it all."""
        if isinstance(item, Batch):
            for found in self.selection.take(item, self.market.feeds[item.feed].group):
                if isinstance(found, list):
                    yield found
                else:
                    self._report(found)
        elif isinstance(item, Failed):
            raise item.error
        elif isinstance(item, Gap):
            self.logger.warning(self.selection.miss(item))
        elif isinstance(item, Takeover):
            self.selection.take_over(item)
        elif isinstance(item, ConnectivityChanged):
            self.progress.lost_at[item.feed] = item.lost_at
            self.selection.reach(item.feed, is_lost=item.lost_at is not None)
        else:
            self._report(item)

    def _report(self, found: Alarm | LogLine | str) -> None:
        if isinstance(found, Alarm):
            self.market.alarms.put(found)
        elif isinstance(found, LogLine):
            self.logger.log(LEVELS[found.level], found.text)
        else:
            self.logger.warning(found)

    def _compare_clocks(self) -> None:
        """Report, once, that somebody has set the machine's clock since the window's was read."""
        ahead = self.stop.clock.drift()
        if abs(ahead) > CLOCKS_DIFFER and not self.has_drifted:
            self.has_drifted = True
            self.logger.warning(
                f"This machine's clock is {duration(abs(ahead))} {'ahead of' if ahead > 0 else 'behind'} the time that "
                "this sync goes by: it was set meanwhile, or runs wrong. `received_at_us` goes on as before until the "
                "sync ends, so the rows stay in order. Have the machine keep its time (NTP)."
            )

    def tell_summary(self) -> None:
        """The last words of a sync: what came, what was left out, what is missing."""
        selection = self.selection
        for found in selection.end(self.stop.clock.now_us()):
            self._report(found)
        self._compare_clocks()
        if selection.tally.not_written:
            self.logger.warning(
                f"The sync ended before {selection.tally.not_written} received frames could be written; they are lost. "
                "The destination reads more slowly than the exchange pushes."
            )
        symbols = selection.cursor.seen
        silent = [symbol for symbol in self.config.book_ticker_symbols if symbol not in symbols]
        if silent and not selection.has_enough:
            self.logger.warning(
                f"`book_ticker_symbols`: no update came for {first_of(silent)}. "
                "Check the spelling (Binance accepts wrong names and stays silent); a quiet market looks the same."
            )
        seconds = self.stop.clock.monotonic() - self.market.began
        reconnects = sum(feed.machine.losses for feed in self.market.feeds)
        coverage, samples = selection.coverage, selection.samples
        self.logger.info(selection.tally.summary(len(symbols), seconds, reconnects, coverage, samples))
