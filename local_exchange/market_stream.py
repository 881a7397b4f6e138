"""The market stream: the pipelines from an update to those who listen. It broadcasts and never replays.

A change of a book goes to its contract's own stream some milliseconds later. The all-market stream is as it is since
June 2026: of each contract one sample about every five seconds. A sample shows the book as it stands, so it repeats the
update id of the last one where nothing has changed, and skips what lay between; it may run ahead of the contract's own
stream. Facts: binance-facts sections 1 and 2.
"""

from __future__ import annotations

import asyncio
import heapq
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import NamedTuple

import orjson

from source_binance_futures.binance.clock import Clock
from source_binance_futures.binance.endpoints import ALL_MARKET_STREAM, own_stream

from .connection import ExchangeConnection
from .contracts import Contract
from .streams import SILENT_PREFIXES, Update, stream_frame, text_frame
from .subscriptions import Subscriptions

CONTRACT_INFO = "!contractInfo"
"""The stream that announces contracts of both markets, on either host."""
_GOLDEN_RATIO = 0.6180339887498949
"""Its multiples, less their whole part, lie evenly between 0 and 1 however many there are."""


class Samples:
    """The newest update of each contract, and whose sample is due. Pure: times are given, in seconds of one clock."""

    def __init__(self, every: float) -> None:
        self._every = every
        self._newest: dict[str, Update] = {}
        self._due: list[tuple[float, str]] = []

    def note(self, updates: Iterable[Update], now: float) -> None:
        """Keep the newest update of each contract. A new contract gets a time of its own within the next period."""
        for update in updates:
            if update.symbol not in self._newest:
                phase = len(self._newest) * _GOLDEN_RATIO % 1.0
                heapq.heappush(self._due, (now + phase * self._every, update.symbol))
            self._newest[update.symbol] = update

    def due(self, now: float) -> list[Update]:
        """The samples due by now, one of each contract at most, in the order of their times."""
        samples = []
        while self._due and self._due[0][0] <= now:
            due, symbol = self._due[0]
            missed_as_well = (now - due) // self._every
            heapq.heapreplace(self._due, (due + (missed_as_well + 1) * self._every, symbol))
            samples.append(self._newest[symbol])
        return samples


class _Audience(NamedTuple):
    """Connections that get the same streams in the same form, and so the same bytes. `frames`: what is to be sent."""

    market: int
    wrapped: bool
    streams: frozenset[str]
    connections: list[ExchangeConnection]
    frames: list[bytes]


class Audiences:
    """The open connections by what they get: a frame is built once for all who want it, and not where nobody does.

    Call `forget` whenever one comes, goes or gets other streams.
    """

    def __init__(self, connections: Sequence[ExchangeConnection], *, cross_market: bool) -> None:
        self._connections = connections
        self._cross_market = cross_market
        self._grouped: list[_Audience] | None = None
        self._listening: dict[tuple[str, int | None], list[_Audience]] = {}

    def forget(self) -> None:
        self._grouped = None
        self._listening.clear()

    def deliver_all_market(self, updates: Sequence[Update]) -> None:
        """Send updates on the all-market stream, which is the same on the hosts of both markets."""
        for update in updates:
            self._encode(ALL_MARKET_STREAM, None, update.payload)
        self._send()

    def deliver_own(self, updates: Sequence[Update]) -> None:
        """Send updates on their contracts' own streams, which exist on the host of their market only."""
        for update in updates:
            self._encode(own_stream(update.symbol), None if self._cross_market else update.market, update.payload)
        self._send()
        for connection in self._connections:
            if connection.late_streams:
                self._deliver_late(connection, updates)

    def _deliver_late(self, connection: ExchangeConnection, updates: Sequence[Update]) -> None:
        due: dict[float, list[bytes]] = {}
        for update in updates:
            stream = own_stream(update.symbol)
            late = connection.late_streams.get(stream)
            if late is not None and stream in connection.delivered and connection.address.market == update.market:
                frame = stream_frame(stream, update.payload, wrapped=connection.address.wrapped)
                due.setdefault(late, []).append(frame)
        for late, frames in due.items():
            connection.loop.call_later(late, connection.push, frames)

    def _encode(self, stream: str, market: int | None, payload: bytes) -> None:
        """Give the frame to each audience of a stream, raw or wrapped. `market`: on whose host alone; None: on both."""
        key = stream, market
        if key not in self._listening:
            self._listening[key] = [
                audience
                for audience in self._audiences()
                if stream in audience.streams and market in (None, audience.market)
            ]
        frames: dict[bool, bytes] = {}
        for audience in self._listening[key]:
            if audience.wrapped not in frames:
                frames[audience.wrapped] = stream_frame(stream, payload, wrapped=audience.wrapped)
            audience.frames.append(frames[audience.wrapped])

    def _audiences(self) -> list[_Audience]:
        if self._grouped is None:
            grouped: dict[tuple[int, bool, frozenset[str]], _Audience] = {}
            for connection in self._connections:
                in_time = connection.delivered.difference(connection.late_streams)
                key = connection.address.market, connection.address.wrapped, in_time
                grouped.setdefault(key, _Audience(*key, [], [])).connections.append(connection)
            self._grouped = list(grouped.values())
        return self._grouped

    def _send(self) -> None:
        for audience in self._audiences():
            if audience.frames:
                for connection in audience.connections:
                    connection.push(audience.frames[:])
                audience.frames.clear()


@dataclass(eq=False)
class MarketStream:
    """Every open market connection, and what was pushed to them. Its methods belong to the event loop's thread.

    `due`: the updates of the last so many seconds, from the engine or a recording. See `LocalExchange` for the options.
    """

    due: Callable[[float], list[Update]]
    clock: Clock
    _: KW_ONLY
    sample_every: float | None
    own_stream_lag: float
    cross_market: bool = False
    silent_prefixes: frozenset[str] = SILENT_PREFIXES
    keep_pushed: bool = False
    tick: float = 0.01  # seconds between two pushes; at 5,000 updates a second each push carries 50

    def __post_init__(self) -> None:
        self.connections: list[ExchangeConnection] = []
        self.every_connection: list[ExchangeConnection] = []
        self.first_connection = asyncio.Event()
        self.newest: dict[str, Update] = {}
        self.pushed: list[tuple[str, int]] = []
        self._audiences = Audiences(self.connections, cross_market=self.cross_market)
        self.subscriptions = Subscriptions(silent_prefixes=self.silent_prefixes, changed=self._audiences.forget)
        self._samples = Samples(self.sample_every) if self.sample_every is not None else None
        self._on_the_way: deque[tuple[float, Sequence[Update]]] = deque()
        self._is_paused = False

    @property
    def open_connections(self) -> list[ExchangeConnection]:
        """Those that are not closing, oldest first; may be asked for from any thread."""
        return [connection for connection in list(self.connections) if connection.is_open]

    def pause(self) -> None:
        """Push nothing by itself any more, while connections stay open and pings are answered."""
        self._is_paused = True

    async def run(self) -> None:
        """Push what is due, forever."""
        loop = asyncio.get_running_loop()
        last = loop.time()
        while True:
            await asyncio.sleep(self.tick)
            now = loop.time()
            if self._is_paused:
                continue
            self.push(self.due(now - last))
            if self._samples is not None and (samples := self._samples.due(now)):
                self._audiences.deliver_all_market(samples)
            last = now

    def push(self, updates: Sequence[Update]) -> None:
        """Let these changes happen: they are noted, and go to whoever listens, through one pipeline or both."""
        if not updates:
            return
        self.newest.update({update.symbol: update for update in updates})
        if self.keep_pushed:
            self.pushed.extend([(update.symbol, update.update_id) for update in updates])
        loop = asyncio.get_running_loop()
        if self._samples is None:
            self._audiences.deliver_all_market(updates)
        else:
            self._samples.note(updates, loop.time())
        due = loop.time() + self.own_stream_lag
        self._on_the_way.append((due, updates))
        if self.own_stream_lag:
            loop.call_at(due, self._deliver_until, due)
        else:
            self.flush()

    def push_texts(self, payloads: Sequence[bytes]) -> None:
        """Push text frames as they are to every connection, whatever it listens to, after all pushed before them."""
        self.flush()
        frames = [text_frame(payload) for payload in payloads]
        for connection in self.connections:
            if connection.address.prefix not in self.silent_prefixes:
                connection.push(frames)

    def announce(self, contract: Contract) -> None:
        """Tell those who listen to `!contractInfo` of a contract: perpetual ones are delivered in the year 2100."""
        now = self.clock.now_us() // 1000
        data = {"e": "contractInfo", "E": now, "s": contract.symbol, "ps": contract.pair, "ct": "PERPETUAL"}
        payload = orjson.dumps({**data, "dt": 4_133_404_800_000, "ot": now, "cs": "TRADING"})
        for connection in self.connections:
            if CONTRACT_INFO in connection.delivered:
                connection.push([stream_frame(CONTRACT_INFO, payload, wrapped=connection.address.wrapped)])

    def flush(self) -> None:
        """Deliver what is still on its way to the own streams."""
        self._deliver_until(float("inf"))

    async def serve(self, connection: ExchangeConnection) -> None:
        """Keep a connection until it ends."""
        self.connections.append(connection)
        if self.keep_pushed:
            self.every_connection.append(connection)
        self._audiences.forget()
        self.subscriptions.open(connection)
        self.first_connection.set()
        try:
            await self.subscriptions.answer(connection)
        finally:
            self.connections.remove(connection)
            self._audiences.forget()

    def _deliver_until(self, due: float) -> None:
        while self._on_the_way and self._on_the_way[0][0] <= due:
            self._audiences.deliver_own(self._on_the_way.popleft()[1])
