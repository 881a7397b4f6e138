"""The market stream: the pipelines from an update to those who listen. It broadcasts and never replays.

A change of a book goes to its contract's own stream some milliseconds later; the all-market stream takes its samples
from the book itself, and so may be ahead. Facts: binance-facts sections 1 and 2.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import orjson

from source_binance_futures.binance.clock import Clock

from .audiences import Audiences
from .connection import ExchangeConnection
from .contracts import Contract
from .samples import Samples
from .subscriptions import Subscriptions
from .updates import Frames, Update, own_stream, text_frame, wrap

CONTRACT_INFO = "!contractInfo"
"""The stream that announces contracts of both markets, on either host."""


class Source(Protocol):
    """Where updates come from: the engine, or a recording."""

    def due(self, elapsed: float) -> list[Update]: ...


@dataclass(frozen=True)
class MarketOptions:
    """How the streams behave; see `LocalExchange` for the meaning of each."""

    sample_every: float | None
    own_stream_lag: float
    cross_market: bool
    silent_prefixes: frozenset[str]
    keep_pushed: bool
    tick: float = 0.01  # seconds between two pushes; at 5,000 updates a second each push carries 50


class MarketStream:
    """Every open market connection, and what was pushed to them. Its methods belong to the event loop's thread."""

    def __init__(self, source: Source, options: MarketOptions, clock: Clock) -> None:
        self.clock = clock
        self.connections: list[ExchangeConnection] = []
        self.every_connection: list[ExchangeConnection] = []
        self.first_connection = asyncio.Event()
        self.newest: dict[str, Update] = {}
        self.pushed: list[tuple[str, int]] = []
        self.push_times: list[tuple[float, int]] = []
        self.samples_pushed: list[tuple[str, int]] = []
        self._source = source
        self._options = options
        self._audiences = Audiences(self.connections, cross_market=options.cross_market)
        self.subscriptions = Subscriptions(silent_prefixes=options.silent_prefixes, changed=self._audiences.forget)
        self._samples = Samples(options.sample_every) if options.sample_every is not None else None
        self._on_the_way: deque[tuple[float, Sequence[Update]]] = deque()
        self._is_paused = False

    @property
    def open_connections(self) -> list[ExchangeConnection]:
        """Those that are not closing, oldest first; may be asked for from any thread."""
        return [connection for connection in list(self.connections) if connection.is_open]

    def pause(self) -> None:
        self._is_paused = True

    def resume(self) -> None:
        self._is_paused = False

    async def run(self) -> None:
        """Push what is due, forever."""
        loop = asyncio.get_running_loop()
        last = loop.time()
        while True:
            await asyncio.sleep(self._options.tick)
            now = loop.time()
            if not self._is_paused:
                self.push(self._source.due(now - last))
            # A pause lets its samples fall out: on going on, those of all contracts would come at once.
            samples = self._samples.due(now) if self._samples is not None else []
            if not self._is_paused:
                self._push_samples(samples)
            last = now

    def push(self, updates: Sequence[Update]) -> None:
        """Let these changes happen: they are noted, and go to whoever listens, through one pipeline or both."""
        if not updates:
            return
        self.newest.update({update.symbol: update for update in updates})
        if self._options.keep_pushed:
            self.pushed.extend([(update.symbol, update.update_id) for update in updates])
            self.push_times.append((self.clock.epoch(), len(updates)))
        loop = asyncio.get_running_loop()
        if self._samples is None:
            self._audiences.deliver_all_market(updates)
        else:
            self._samples.note(updates, loop.time())
        due = loop.time() + self._options.own_stream_lag
        self._on_the_way.append((due, updates))
        if self._options.own_stream_lag:
            loop.call_at(due, self._deliver_until, due)
        else:
            self.flush()

    def sample(self, symbols: Iterable[str] | None) -> None:
        """Push a sample of each of these contracts, or of all, as their books stand, at once."""
        if self._samples is None:
            raise RuntimeError("the all-market stream is in real time: it has no samples (sample_every=None)")
        self._push_samples(self._samples.of(symbols))

    def push_texts(self, payloads: Sequence[bytes]) -> None:
        """Push text frames as they are to every connection, whatever it listens to, after all pushed before them."""
        self.flush()
        frames = Frames([text_frame(payload) for payload in payloads])
        for connection in self.connections:
            if connection.address.prefix not in self._options.silent_prefixes:
                connection.push(frames)

    def announce(self, contract: Contract) -> None:
        """Tell those who listen to `!contractInfo` of a contract: perpetual ones are delivered in the year 2100."""
        now = self.clock.now_us() // 1000
        data = {"e": "contractInfo", "E": now, "s": contract.symbol, "ps": contract.pair, "ct": "PERPETUAL"}
        payload = orjson.dumps({**data, "dt": 4_133_404_800_000, "ot": now, "cs": "TRADING"})
        for connection in self.connections:
            if CONTRACT_INFO in connection.delivered:
                wrapped = connection.address.wrapped
                connection.push(Frames([text_frame(wrap(CONTRACT_INFO, payload) if wrapped else payload)]))

    def flush(self) -> None:
        """Deliver what is still on its way to the own streams."""
        self._deliver_until(float("inf"))

    def listening_to(self, symbol: str) -> list[ExchangeConnection]:
        """The open connections subscribed to a contract's own stream, oldest first, those it has died on last."""
        name = own_stream(symbol)
        listening = [connection for connection in self.open_connections if name in connection.streams]
        return sorted(listening, key=lambda connection: name in connection.dead_streams)

    async def serve(self, connection: ExchangeConnection) -> None:
        """Keep a connection until it ends."""
        self.connections.append(connection)
        if self._options.keep_pushed:
            self.every_connection.append(connection)
        self._audiences.forget()
        self.subscriptions.open(connection)
        self.first_connection.set()
        try:
            await self.subscriptions.answer(connection)
        finally:
            self.connections.remove(connection)
            self._audiences.forget()

    def _push_samples(self, samples: Sequence[Update]) -> None:
        if self._options.keep_pushed:
            self.samples_pushed.extend([(sample.symbol, sample.update_id) for sample in samples])
        if samples:
            self._audiences.deliver_all_market(samples)

    def _deliver_until(self, due: float) -> None:
        while self._on_the_way and self._on_the_way[0][0] <= due:
            self._audiences.deliver_own(self._on_the_way.popleft()[1])
