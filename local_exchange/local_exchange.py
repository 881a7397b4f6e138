"""The exchange as tests, the demo and the command line use it: a context manager around a thread with an event loop."""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

from anyio.from_thread import BlockingPortal, start_blocking_portal

from source_binance_futures.binance.clock import Clock

from .connection import UNSENT_LIMIT
from .contracts import coin_m_contracts, usds_m_contracts
from .engine import Engine, Recording
from .faults import FaultInjection
from .market_stream import MarketStream
from .server import Server
from .streams import SILENT_PREFIXES, USDS_MARGINED_BASE, update_from
from .websocket_api import PATH, Answer, WebSocketApi

T = TypeVar("T")

_END_TIMEOUT = 10.0
"""Seconds for the end, which takes milliseconds."""


class LocalExchange(FaultInjection):
    """A Binance look-alike on loopback. Every method may be called from any thread while the exchange is open.

    What is traded. `rate`: updates a second over all symbols; 0 pushes nothing by itself. `coin_m_symbols`,
    `usds_m_symbols`: the contracts, by default ten and 25 (see `contracts`); `mix_usds_margined`: whether those of
    USDⓈ-M trade at all. `recording`: a file played in place of COIN-M's, at `speed` times its pace, once somebody
    listens. `first_update_id`: by default where Binance's counter stands now, so that an exchange started later
    continues above the ids of an earlier one.

    How it is pushed. `sample_every`: `!bookTicker` brings of each contract one sample in so many seconds, and None in
    real time, as before 2026-06. `own_stream_lag`: seconds by which the contracts' own streams are behind.
    `cross_market`: a contract's own stream is there on the other market's host too. `silent_prefixes`: beginnings of
    paths whose streams are acknowledged and bring nothing; `missing_prefixes`: those answered 404; see `streams`, ""
    stands for plain paths. `ping_interval`: seconds, None for no pings. `unsent_limit`: bytes kept for a client that
    does not read.

    `keep_pushed`: remember every update in `pushed` (6 MB a minute at 1,000 a second), and every connection.
    """

    def __init__(
        self,
        *,
        rate: float = 3000.0,
        coin_m_symbols: Iterable[str] | None = None,
        usds_m_symbols: Iterable[str] | None = None,
        mix_usds_margined: bool = True,
        recording: Path | str | None = None,
        speed: float = 1.0,
        seed: int = 1,
        first_update_id: int | None = None,
        sample_every: float | None = 5.0,
        own_stream_lag: float = 0.005,
        cross_market: bool = False,
        silent_prefixes: Iterable[str] = SILENT_PREFIXES,
        missing_prefixes: Iterable[str] = (),
        ssl_context: ssl.SSLContext | None = None,
        ping_interval: float | None = 3.0,
        unsent_limit: int = UNSENT_LIMIT,
        keep_pushed: bool = True,
        port: int = 0,
    ) -> None:
        clock = Clock()
        coin_m, usds_m = coin_m_contracts(coin_m_symbols), usds_m_contracts(usds_m_symbols)
        mixed_in = usds_m if mix_usds_margined else []
        in_traffic = mixed_in if recording is not None else coin_m + mixed_in
        self._engine = Engine(in_traffic, clock, rate=rate, seed=seed, first_update_id=first_update_id)
        recorded = None
        if recording is not None:
            recorded = Recording(Path(recording), speed=speed, usds_m=self._engine, seed=seed)
        market = MarketStream(
            (recorded or self._engine).due,
            clock,
            sample_every=sample_every,
            own_stream_lag=own_stream_lag,
            cross_market=cross_market,
            silent_prefixes=frozenset(silent_prefixes),
            keep_pushed=keep_pushed,
        )
        self._api = WebSocketApi(usds_m, market.newest, clock)
        server = Server(
            market,
            self._api,
            port=port,
            ssl_context=ssl_context,
            ping_interval=ping_interval,
            unsent_limit=unsent_limit,
            missing_prefixes=frozenset(missing_prefixes),
            recording=recorded,
        )
        super().__init__(server)
        self._portal: BlockingPortal
        self._opened = ExitStack()
        self.finished = server.finished
        """Set when the recording is over; never without a recording."""
        self.pushed = market.pushed
        """Every change of a book so far, as (symbol, update id), noted when it happens, before it is sent."""
        self.every_connection = market.every_connection
        """All market connections so far, closed ones too, oldest first."""
        self.handshakes = server.handshakes
        """Every handshake answered, as (monotonic time it came, path, status)."""
        self.api_connections = self._api.connections
        """The open WebSocket API connections, oldest first."""
        self.requests = self._api.requests
        """Every API request that was a JSON object, in order."""
        self.prices = self._api.prices
        """What `ticker.price` answers: symbol -> (price, time in ms). Change it freely."""
        self.weight = self._api.weight
        """`spent`: all the request weight charged: 5 for an API handshake, 1 or 2 for `ticker.price`, 2 for
        `ticker.book`. `used`: that of the present UTC minute; set it to stand close to the limit of 2400."""

    def __enter__(self) -> LocalExchange:
        with ExitStack() as opened:
            self._portal = opened.enter_context(start_blocking_portal())
            serving, _ = self._portal.start_task(self._server.run)
            opened.callback(serving.result, _END_TIMEOUT)
            opened.callback(self._portal.call, self._server.stop)
            self._opened = opened.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._opened.close()

    def _call(self, action: Callable[[], object]) -> None:
        self._portal.call(action)

    @property
    def port(self) -> int:
        """The port it listens on, on 127.0.0.1 only."""
        return self._server.port

    @property
    def market_stream_url(self) -> str:
        """The base of COIN-M, to which `/ws/...` or `/stream?...` is appended; it stands for dstream."""
        with_tls = self._server.ssl_context is not None
        return f"wss://localhost:{self.port}" if with_tls else f"ws://127.0.0.1:{self.port}"

    @property
    def usds_margined_stream_url(self) -> str:
        """The base of USDⓈ-M; it stands for fstream's `/public`."""
        return self.market_stream_url + USDS_MARGINED_BASE

    @property
    def websocket_api_url(self) -> str:
        return self.market_stream_url + PATH

    def environment(self, *, usds_margined: bool = False) -> dict[str, str]:
        """The connector's `environment` option for this exchange; `usds_margined`: with a base of USDⓈ-M's own."""
        addresses = {"market_stream_url": self.market_stream_url, "websocket_api_url": self.websocket_api_url}
        if usds_margined:
            addresses["usds_margined_stream_url"] = self.usds_margined_stream_url
        return {"name": "custom", **addresses}

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
        """Updates a second over all symbols, from now on; with 0 nothing is pushed once this has returned."""

        def begin() -> None:
            self._engine.rate = rate

        self._call(begin)

    def push(self, *payloads: str | bytes) -> None:
        """Push payloads, valid or not, to every market connection in one write; `pushed` does not note them."""
        encoded = [payload.encode() if isinstance(payload, str) else payload for payload in payloads]
        self._call(lambda: self._market.push_texts(encoded))

    def push_updates(self, book_tickers: Iterable[Mapping[str, Any]]) -> None:
        """Push these book tickers to those who listen to them, raw or wrapped; each needs `s` and `u`."""
        updates = [update_from(book_ticker) for book_ticker in book_tickers]
        self._call(lambda: self._market.push(updates))

    # The WebSocket API.

    def script_answer(self, *answers: Answer) -> None:
        """Answer the next `ticker.price` requests with these, in turn."""
        self._call(lambda: self._api.script.extend(answers))
