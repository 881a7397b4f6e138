"""One sync of the real `book_tickers` in virtual time: what a user gets of it, message by message."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from airbyte_cdk.models import SyncMode, Type

from source_binance_futures.binance.clock import Clock, Stop
from source_binance_futures.binance.market_stream.items import Item, Outbox
from source_binance_futures.binance.market_stream.line import Timing
from source_binance_futures.binance.market_stream.reader import MarketStream
from source_binance_futures.config import Config
from source_binance_futures.streams.book_tickers import Block, BookTickers
from source_binance_futures.streams.cursor import Cursor
from source_binance_futures.streams.listening import market_for

from .exchange import HOST, USDS_MARGINED, SimulatedExchange
from .network import VirtualSelector, VirtualStream

STEP = 0.05  # seconds that pass between two looks while the consumer takes nothing


class VirtualMarketStream(MarketStream):
    """The market stream, turned by whoever takes from it instead of by a thread."""

    selector: VirtualSelector

    def __init__(self, exchange: SimulatedExchange, *arguments: Any, **options: Any) -> None:
        selector = VirtualSelector(exchange.loop)
        options |= {"opening": exchange.opening(selector), "chance": exchange.rng.random}
        super().__init__(*arguments, selector=selector, **options)
        self._exchange = exchange
        self._goes_on = False

    def start(self) -> None:
        if not self._goes_on:
            self.open()
            self._goes_on = True

    def take(self, seconds: float) -> Item | None:
        end = self.clock.monotonic() + seconds
        while (item := self.outbox.take(0)) is None and self.clock.monotonic() < end:
            self.read_until(end, once=True)
        return item

    def read_until(self, moment: float, *, once: bool = False) -> None:
        """Turn the event loop until a moment, or once; where it has ended, only the time goes on."""
        while self.clock.monotonic() < moment:
            self.selector.limit = moment
            self._goes_on = self._goes_on and self.turn()
            if not self._goes_on:
                self._exchange.loop.run_until(moment)
            if once:
                return

    def stop(self) -> None:
        if self._goes_on:
            self._goes_on = False
            self.end()


@dataclass
class Sync:
    """What came of one sync; moments are seconds of the steady clock."""

    began: float
    window_ends: float
    clock: Clock
    rows: list[dict[str, Any]] = field(default_factory=list)
    states: list[tuple[float, Mapping[str, Any], int]] = field(default_factory=list)  # with the rows before it
    log: list[tuple[float, str, str]] = field(default_factory=list)
    streams: list[VirtualStream] = field(default_factory=list)
    ended: float = 0.0
    failure: Exception | None = None
    written: list[tuple[float, int]] = field(default_factory=list)  # with the rows until then
    stalls: list[tuple[float, float]] = field(default_factory=list)
    stopped_at: float | None = None
    feeds: int = 0

    def lines(self, text: str) -> list[str]:
        """The log lines that contain a text."""
        return [line for _, _, line in self.log if text in line]


class Running:
    """A sync under way. `stalled_until` is until when its consumer takes nothing; `stop` asks for its end."""

    def __init__(
        self,
        exchange: SimulatedExchange,
        options: Mapping[str, Any],
        state: Mapping[str, Any] | None = None,
        *,
        bases: Sequence[str] = ("",),
        timing: Timing | None = None,
        outbox: Outbox | None = None,
        watch: Callable[[float, str], None] | None = None,
        takes_after: float = 0.0,
    ) -> None:
        time = exchange.time
        clock = time.clock()
        self.sync = Sync(time.now, time.now + options["listen_seconds"], clock)
        self.stop = Stop(clock)
        self.stalled_until = 0.0
        self._exchange = exchange
        self._timing = timing
        self._outbox = outbox
        self._watch = watch
        environment = {"name": "custom", "market_stream_url": HOST, "websocket_api_url": f"{HOST}/ws-fapi/v1"}
        environment["usds_margined_stream_url"] = USDS_MARGINED
        config = Config.from_mapping({"environment": environment, **options})
        found_at = replace(config.environment, coin_m_bases=tuple(HOST + base for base in bases))
        config = replace(config, environment=found_at)
        cursor = Cursor.from_state(state or {}, config.environment.identity, clock.today())
        listening = market_for(config, cursor, clock, self._listen)
        if takes_after:
            listening.start()
        self._takes_at = time.now + takes_after
        self.stream = BookTickers(config, self.stop, blocks=True, listening=listening)
        if state is not None:
            self.stream.state = dict(state)

    def _listen(self, *arguments: Any, **options: Any) -> MarketStream:
        options |= {"timing": self._timing or Timing(), "outbox": self._outbox or Outbox()}
        self.market = VirtualMarketStream(self._exchange, *arguments, **options)
        return self.market

    def run(self, between: Callable[[], None] = lambda: None) -> Sync:
        """Take the messages to the end; `between` is called before each."""
        sync, time = self.sync, self._exchange.time
        first_stream = len(self._exchange.streams)
        log = _Log(sync, lambda: time.now, self._watch)
        self.stream.logger.addHandler(log)
        self.stream.logger.setLevel(logging.DEBUG if self._watch else logging.INFO)
        self.stream.logger.propagate = False
        try:
            for message in self._messages():
                self._take(message)
                between()
                self._wait_for_the_consumer(between)
        except Exception as error:
            sync.failure = error
        finally:
            self.stream.logger.removeHandler(log)
        sync.ended, sync.stopped_at = time.now, self.stop.requested_at
        sync.feeds = len(self.market.feeds)
        sync.streams = self._exchange.streams[first_stream:]
        return sync

    def _messages(self) -> Iterator[Any]:
        self.market.read_until(self._takes_at)
        yield from self.stream.read_records(SyncMode.incremental)

    def _take(self, message: Any) -> None:
        sync = self.sync
        if isinstance(message, Block):
            sync.rows += message.records
            sync.written.append((self._exchange.time.now, len(sync.rows)))
            if self._watch is not None:
                first, last = message.records[0], message.records[-1]
                shown = f"{len(message.records)} rows, {first['symbol']} {first['u']} to {last['symbol']} {last['u']}"
                self._watch(self._exchange.time.now, f"{shown}, covered since {last['covered_since_us']}")
        elif message.type is Type.STATE:
            state = dict(vars(message.state.stream.stream_state))
            sync.states.append((self._exchange.time.now, state, len(sync.rows)))

    def _wait_for_the_consumer(self, between: Callable[[], None]) -> None:
        time = self._exchange.time
        if time.now >= self.stalled_until:
            return
        began = time.now
        while time.now < self.stalled_until:
            self.market.read_until(min(time.now + STEP, self.stalled_until))
            between()
        self.sync.stalls.append((began, time.now))


class _Log(logging.Handler):
    def __init__(self, sync: Sync, now: Callable[[], float], watch: Callable[[float, str], None] | None) -> None:
        super().__init__(logging.DEBUG)
        self._sync = sync
        self._now = now
        self._watch = watch

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        self._sync.log.append((self._now(), record.levelname, text))
        if self._watch is not None:
            self._watch(self._now(), f"{record.levelname} {text}")
