"""The local exchange in virtual time: its own engine, streams, subscriptions and faults, and a network in memory."""

from __future__ import annotations

import asyncio
import base64
import inspect
import random
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple, cast
from urllib.parse import urlsplit

from local_exchange.connection import ExchangeConnection
from local_exchange.contracts import coin_m_contracts, usds_m_contracts
from local_exchange.engine import Engine
from local_exchange.faults import FaultInjection
from local_exchange.market_stream import MarketStream
from local_exchange.server import Server
from local_exchange.streams import SILENT_PREFIXES, Update
from local_exchange.websocket_api import WebSocketApi
from source_binance_futures.binance.clock import Clock, Deadline
from source_binance_futures.binance.errors import HandshakeFailed, refusal
from source_binance_futures.binance.transport.address import host_of
from source_binance_futures.binance.transport.connection import Connection
from source_binance_futures.binance.transport.handshake import parse_head
from source_binance_futures.binance.transport.proxy import Route

from ..virtual_time import EPOCH, VirtualTime
from .network import VirtualLoop, VirtualSelector, VirtualStream

HOST = "ws://127.0.0.1:1"
USDS_MARGINED = f"{HOST}/usds/public"
SAMPLE_EVERY = 5.0
LONGEST_LATENCY = 0.03  # seconds from the exchange to the connector
FIRST_ID = 1_000_000


class Pushed(NamedTuple):
    """A change of a book: when it happened (seconds of the steady clock)."""

    at: float
    update: Update


class ExchangeClock(Clock):
    """The exchange's clock: the true time, some seconds ahead, drifting, and set from time to time."""

    def __init__(self, time: VirtualTime, ahead: float, drift: float) -> None:
        self._began, self._drift = time.now, drift
        self.ahead = ahead
        super().__init__(lambda: time.now, lambda: time.now - self._began + EPOCH)

    def epoch(self) -> float:
        now = self.monotonic()
        return now + self.epoch_offset + self.ahead + (now - self._began) * self._drift

    def now_us(self) -> int:
        return int(self.epoch() * 1e6)


class _Noted:
    """A source of updates that notes each with the moment at which it was pushed."""

    def __init__(self, engine: Engine, time: VirtualTime) -> None:
        self.pushed: list[Pushed] = []
        self._engine = engine
        self._time = time

    def due(self, elapsed: float) -> list[Update]:
        updates = self._engine.due(elapsed)
        self.pushed += [Pushed(self._time.now, update) for update in updates]
        return updates


class SimulatedExchange(FaultInjection):
    """Listens in memory from the moment it is made; `pushed` is the truth that syncs are judged by."""

    def __init__(
        self,
        time: VirtualTime,
        rng: random.Random,
        *,
        coin_m: Sequence[str],
        usds_m: Sequence[str],
        rate: float,
        tick: float,
        ahead: float = 0.0,
        drift: float = 0.0,
        ping_interval: float | None = 60.0,
        unsent_limit: int = 64 * 2**20,
        own_lag: float = 0.005,
        missing: Sequence[str] = (),
        silent: Iterable[str] = SILENT_PREFIXES,
        options: dict[str, Any] | None = None,
    ) -> None:
        self.time = time
        self.loop = VirtualLoop(time)
        self.clock = ExchangeClock(time, ahead, drift)
        contracts = coin_m_contracts(coin_m) + usds_m_contracts(usds_m)
        self.engine = Engine(contracts, self.clock, rate=rate, seed=rng.randrange(2**31), first_update_id=FIRST_ID)
        self._noted = _Noted(self.engine, time)
        market: dict[str, Any] = {"sample_every": SAMPLE_EVERY, "own_stream_lag": own_lag, "tick": tick}
        market |= {"silent_prefixes": frozenset(silent), **(options or {})}
        self.market = MarketStream(self._noted.due, self.clock, **market)
        self.api = WebSocketApi(usds_m_contracts(usds_m), self.market.newest, self.clock)
        self.streams: list[VirtualStream] = []
        self.attempts: list[float] = []
        self.rng = rng
        server = Server(
            self.market,
            self.api,
            ping_interval=ping_interval,
            unsent_limit=unsent_limit,
            missing_prefixes=frozenset(missing),
        )
        super().__init__(server)
        self._serving = self.loop.create_task(self._server.run())
        self.loop.run_until(time.now)

    def _call(self, action: Callable[[], object]) -> None:
        """In place of the local exchange's: there is one thread only."""
        if inspect.iscoroutinefunction(action):
            self.loop.create_task(action())
        else:
            self.loop.call_soon(action)

    @property
    def pushed(self) -> list[Pushed]:
        return self._noted.pushed

    def close(self) -> None:
        """End, once every task has: what is left pending would be complained of, and kept."""
        self._server.stop()
        self.loop.run_until_complete(asyncio.wait({self._serving}, timeout=60.0))
        while tasks := asyncio.all_tasks(self.loop):
            for task in tasks:
                task.cancel()
            self.loop.run_until_complete(asyncio.wait(tasks, timeout=60.0))
        self.loop.close()

    def lose_what_is_under_way(self, connection: ExchangeConnection) -> None:
        """Drop what was sent over a connection and has not arrived, as a network that breaks does."""
        for stream in self.streams:
            if stream.server.protocol is connection:
                stream.lose_what_is_under_way()

    # --- how the connector gets connections ---

    def opening(self, selector: VirtualSelector) -> Callable[..., None]:
        """What opens a connection to this exchange: in place of threads, sockets and a handshake that waits."""

        def open_connection(
            url: str,
            _route: Route,
            deadline: Deadline,
            max_message_bytes: int,
            hand_over: Callable[[Connection | Exception], None],
        ) -> None:
            self.attempts.append(self.time.now)
            self.loop.create_task(self._connect(url, deadline, max_message_bytes, hand_over, selector))

        return open_connection

    async def _connect(
        self,
        url: str,
        deadline: Deadline,
        max_message_bytes: int,
        hand_over: Callable[[Connection | Exception], None],
        selector: VirtualSelector,
    ) -> None:
        arrived = asyncio.Event()

        def on_arrival() -> None:
            arrived.set()
            selector.arrived()

        stream = VirtualStream(self.loop, self.rng.uniform(0.005, LONGEST_LATENCY), on_arrival)
        host = host_of(url)
        try:
            await asyncio.sleep(2 * stream.latency)
            stream.server.open()
            stream.send(_request(url, self.rng), deadline)
            head = await asyncio.wait_for(_head(stream, arrived), deadline.remaining())
            if head.status != 101:
                raise refusal(host, head.status, head.headers, deadline.clock.epoch())
        except (TimeoutError, asyncio.TimeoutError):
            stream.close()
            hand_over(HandshakeFailed(host, "no answer in time"))
        except OSError:
            stream.close()
            hand_over(HandshakeFailed(host, "the connection was closed"))
        except Exception as error:
            stream.close()
            hand_over(error)
        else:
            self.streams.append(stream)
            selector.add(stream)
            hand_over(Connection(stream, max_message_bytes, deadline.clock))


async def _head(stream: VirtualStream, arrived: asyncio.Event) -> Any:
    """The head of the answer; what follows it stays in the stream."""
    head = bytearray()
    while not head.endswith(b"\r\n\r\n"):
        if stream.is_readable:
            head += stream.receive(1, cast(Deadline, None))
        else:
            arrived.clear()
            await arrived.wait()
    return parse_head(bytes(head))


def _request(url: str, rng: random.Random) -> bytes:
    parts = urlsplit(url)
    key = base64.b64encode(rng.randbytes(16)).decode()
    path = parts.path + (f"?{parts.query}" if parts.query else "")
    return (
        f"GET {path} HTTP/1.1\r\nHost: exchange\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n"
    ).encode()
