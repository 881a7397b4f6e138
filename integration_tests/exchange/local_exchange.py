"""The exchange as tests, the demo and the command line use it: a context manager around a thread with an event loop."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, MutableMapping
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from .answers import Answer
from .connection import ExchangeConnection
from .contracts import coin_m_contracts, usds_m_contracts
from .engine import Engine
from .faults import Fault, FaultKind, inject
from .handshakes import Door, EndlessHeaders, Endpoint, HandshakeFault, Refusal, SlowHandshake, endpoint_of
from .market_stream import MarketStream
from .recording import Recording
from .updates import update_from
from .websocket_api import PATH, WebSocketApi

T = TypeVar("T")

_START_TIMEOUT = 10.0
_CALL_TIMEOUT = 10.0
_CLOSE_TIMEOUT = 1.0
_BEFORE_THE_RECORDING = 0.05
"""Seconds between the first market connection's handshake and the recording: its client has returned from connecting."""


class LocalExchange:
    """A Binance look-alike on loopback. Every method may be called from any thread while the exchange is open.

    `rate`: updates a second over all symbols; 0 pushes nothing by itself. `recording` takes the place of the synthetic
    COIN-M traffic, at `speed` times its pace. `mix_usds_margined` adds USDⓈ-M updates, as on the merged stream since 2026-06.
    `ping_interval`: seconds, None for no pings. `first_update_id`: default is where Binance's counter stands by the clock, so
    that an exchange started later continues above an earlier one. `unsent_limit`: bytes kept for a client that does not read.
    """

    def __init__(
        self,
        *,
        rate: float = 3000.0,
        coin_m_symbols: Iterable[str] | None = None,
        usds_m_symbols: Iterable[str] | None = None,
        recording: Path | str | None = None,
        speed: float = 1.0,
        ssl_context: ssl.SSLContext | None = None,
        ping_interval: float | None = 3.0,
        seed: int = 1,
        mix_usds_margined: bool = True,
        first_update_id: int | None = None,
        unsent_limit: int = 64 * 2**20,
        keep_pushed: bool = True,
        port: int = 0,
    ) -> None:
        coin_m, usds_m = coin_m_contracts(coin_m_symbols), usds_m_contracts(usds_m_symbols)
        mixed_in = usds_m if mix_usds_margined else []
        in_traffic = mixed_in if recording is not None else coin_m + mixed_in
        self._engine = Engine(in_traffic, rate=rate, seed=seed, first_update_id=first_update_id)
        self._recording = (
            Recording(Path(recording), speed=speed, usds_m=self._engine, seed=seed) if recording is not None else None
        )
        self._market = MarketStream(self._recording or self._engine, keep_pushed=keep_pushed)
        self._api = WebSocketApi(usds_m)
        self._door = Door()
        self._ssl_context = ssl_context
        self._ping_interval = ping_interval
        self._unsent_limit = unsent_limit
        self.port = port
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), name="local-exchange", daemon=True)
        self._started = threading.Event()
        self._failure: BaseException | None = None
        self._loop: asyncio.AbstractEventLoop
        self._stop: asyncio.Event

    def __enter__(self) -> LocalExchange:
        self._thread.start()
        if not self._started.wait(_START_TIMEOUT):
            raise TimeoutError("the local exchange did not start")
        if self._failure is not None:
            raise self._failure
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(_CALL_TIMEOUT)

    # Where it is.

    @property
    def market_stream_url(self) -> str:
        """The base, to which `/ws/...` or `/stream?...` is appended."""
        return f"ws://127.0.0.1:{self.port}" if self._ssl_context is None else f"wss://localhost:{self.port}"

    @property
    def websocket_api_url(self) -> str:
        return self.market_stream_url + PATH

    def environment(self) -> dict[str, str]:
        """The connector's `environment` option for this exchange."""
        return {
            "name": "custom",
            "market_stream_url": self.market_stream_url,
            "websocket_api_url": self.websocket_api_url,
        }

    # What it has seen and done.

    @property
    def pushed(self) -> list[tuple[str, int]]:
        """Every update pushed so far, as (symbol, update id), noted before it was sent."""
        return self._market.pushed

    @property
    def connections(self) -> list[ExchangeConnection]:
        """The open market connections, oldest first."""
        return [connection for connection in list(self._market.connections) if connection.is_open]

    @property
    def api_connections(self) -> list[ExchangeConnection]:
        """The open WebSocket API connections, oldest first."""
        return [connection for connection in list(self._api.connections) if connection.is_open]

    @property
    def handshakes(self) -> list[tuple[float, str, int]]:
        """Every handshake answered, as (monotonic time it came, path, status)."""
        return self._door.handshakes

    @property
    def requests(self) -> list[dict[str, Any]]:
        """Every API request that was a JSON object, in order."""
        return self._api.requests

    @property
    def weight_spent(self) -> int:
        """All the request weight charged: 5 for an API handshake, 1 or 2 for `ticker.price`."""
        return self._api.weight.spent

    @property
    def finished(self) -> threading.Event:
        """Set when the recording is over; never without a recording."""
        return threading.Event() if self._recording is None else self._recording.finished

    def wait_for(self, predicate: Callable[[], T], timeout: float) -> T:
        """Wait until `predicate()` is true and return it; TimeoutError after `timeout` seconds."""
        deadline = time.monotonic() + timeout
        while not (result := predicate()):
            if time.monotonic() > deadline:
                raise TimeoutError(f"not within {timeout} s")
            time.sleep(0.005)
        return result

    # Market updates.

    def set_rate(self, rate: float) -> None:
        """Updates a second over all symbols, from now on."""
        self._engine.rate = rate

    def pause(self) -> None:
        """Push nothing until `resume()`; connections stay open and pings are answered. When it returns, the last is pushed."""
        self._do(lambda: setattr(self._market, "paused", True))

    def resume(self) -> None:
        self._do(lambda: setattr(self._market, "paused", False))

    def push(self, payload: str | bytes) -> None:
        """Push a text frame with this payload, valid or not, to every market connection. It is not noted in `pushed`."""
        self._do(lambda: self._market.push_text(payload.encode() if isinstance(payload, str) else payload))

    def push_updates(self, book_tickers: Iterable[Mapping[str, Any]]) -> None:
        """Push these book tickers to those who listen to them, raw or wrapped; each needs `s` and `u`."""
        updates = [update_from(book_ticker) for book_ticker in book_tickers]
        self._do(lambda: self._market.push(updates))

    # The WebSocket API.

    @property
    def prices(self) -> MutableMapping[str, tuple[str, int]]:
        """What `ticker.price` answers: symbol -> (price, time in ms). Change it freely."""
        return self._api.prices

    @property
    def used_weight(self) -> int:
        """The weight used in the present UTC minute. Set it to stand close to the limit of 2400."""
        return self._api.weight.used

    @used_weight.setter
    def used_weight(self, weight: int) -> None:
        self._api.weight.used = weight

    def script_answer(self, *answers: Answer) -> None:
        """Answer the next `ticker.price` requests with these, in turn."""
        self._do(lambda: self._api.script.extend(answers))

    # Faults.

    def refuse(
        self,
        status: int,
        headers: Mapping[str, str] | None = None,
        body: str = "",
        times: int | None = 1,
        endpoint: Endpoint | None = None,
    ) -> None:
        """Refuse the next handshakes with an HTTP status; `times=None` for all of them."""
        self._at_the_door(Refusal(status, headers or {}, body), times, endpoint)

    def slow_handshake(self, seconds: float, times: int | None = 1, endpoint: Endpoint | None = None) -> None:
        """Answer the next handshakes only after `seconds`."""
        self._at_the_door(SlowHandshake(seconds), times, endpoint)

    def endless_handshake_headers(self, times: int | None = 1, endpoint: Endpoint | None = None) -> None:
        """Answer the next handshakes with header lines without end."""
        self._at_the_door(EndlessHeaders(), times, endpoint)

    def accept_handshakes(self) -> None:
        """Forget what `refuse` and the others asked for."""
        self._do(self._door.clear)

    def fault(
        self,
        kind: FaultKind,
        connection: ExchangeConnection | None = None,
        *,
        code: int = 1001,
        reason: str = "",
        data: bytes = b"",
        after: float = 3.0,
    ) -> ExchangeConnection:
        """Let something happen to a connection, by default the oldest open market connection without a fault so far.

        "rst", "fin", "close" (`code`, `reason`), "cut" (in a frame), "silence", "mute" (pings are answered), "shutdown"
        (announced, closed `after` seconds), "raw" (`data` is written as it is). LookupError where no connection is open.
        """
        chosen = connection or self._oldest_healthy()
        fault = Fault(code=code, reason=reason, data=data, after=after)
        self._wait(lambda: inject(kind, chosen, fault))
        return chosen

    def _oldest_healthy(self) -> ExchangeConnection:
        for connection in self.connections:
            if connection.gets_data:
                return connection
        raise LookupError("no market connection is open")

    def _at_the_door(self, fault: HandshakeFault, times: int | None, endpoint: Endpoint | None) -> None:
        self._do(lambda: self._door.add(fault, endpoint=endpoint, times=times))

    # The event loop in its thread.

    def _do(self, action: Callable[[], object]) -> None:
        """Run `action` in the event loop, and wait until it has."""

        async def call() -> None:
            action()

        self._wait(call)

    def _wait(self, call: Callable[[], Awaitable[None]]) -> None:
        async def run() -> None:
            await call()

        asyncio.run_coroutine_threadsafe(run(), self._loop).result(_CALL_TIMEOUT)

    async def _run(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        try:
            async with self._serving():
                self._started.set()
                await self._stop.wait()
        except OSError as error:
            self._failure = error
            self._started.set()

    @contextlib.asynccontextmanager
    async def _serving(self) -> AsyncIterator[None]:
        async with serve(
            self._handle,
            "127.0.0.1",
            self.port,
            create_connection=ExchangeConnection,
            process_request=self._door.process_request,
            process_response=self._door.process_response,
            ssl=self._ssl_context,
            compression=None,
            open_timeout=None,
            ping_interval=self._ping_interval,
            close_timeout=_CLOSE_TIMEOUT,
        ) as server:
            self.port = next(iter(server.sockets)).getsockname()[1]
            pushing = [asyncio.create_task(self._market.run()), asyncio.create_task(self._play())]
            yield
            for task in pushing:
                task.cancel()

    async def _play(self) -> None:
        """Start the recording when somebody listens, and say when it is over."""
        if self._recording is None:
            return
        await self._market.first_connection.wait()
        await asyncio.sleep(_BEFORE_THE_RECORDING)
        self._recording.start()
        while not self._recording.is_over:
            await asyncio.sleep(_BEFORE_THE_RECORDING)
        self._recording.finished.set()

    async def _handle(self, connection: ServerConnection) -> None:
        assert isinstance(connection, ExchangeConnection)
        connection.unsent_limit = self._unsent_limit
        endpoint = self._api if endpoint_of(connection.path) == "api" else self._market
        with contextlib.suppress(ConnectionClosed):
            await endpoint.serve(connection)
