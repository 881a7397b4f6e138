"""The exchange as tests, the demo and the command line use it: a context manager around a thread with an event loop."""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Callable, Iterable, Mapping, MutableMapping
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

from .answers import Answer
from .connection import UNSENT_LIMIT, ExchangeConnection
from .contracts import coin_m_contracts, usds_m_contracts
from .engine import Engine
from .faults import Fault, FaultKind, inject
from .handshakes import Door, EndlessHeaders, Endpoint, HandshakeFault, Refusal, SlowHandshake
from .loop_thread import LoopThread
from .market_stream import MarketStream
from .recording import Recording
from .server import Server, ServerOptions
from .updates import update_from
from .websocket_api import PATH, WebSocketApi

T = TypeVar("T")


class LocalExchange:
    """A Binance look-alike on loopback. Every method may be called from any thread while the exchange is open.

    `rate`: updates a second over all symbols; 0 pushes nothing by itself. `recording`: a file played in their place, at
    `speed` times its pace, once somebody listens. `mix_usds_margined`: `!bookTicker` carries USDⓈ-M updates too, as it
    does since 2026-06. `ping_interval`: seconds, None for no pings. `first_update_id`: by default where Binance's
    counter stands now, so that an exchange started later continues above the ids of an earlier one. `unsent_limit`:
    bytes kept for a client that does not read. `keep_pushed`: remember every update in `pushed` (6 MB a minute at
    1,000 a second).
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
        unsent_limit: int = UNSENT_LIMIT,
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
        self.finished = threading.Event()
        """Set when the recording is over; never without a recording."""
        self._server = Server(
            ServerOptions(port, ssl_context, ping_interval, unsent_limit),
            door=self._door,
            market=self._market,
            api=self._api,
            recording=self._recording,
            finished=self.finished,
        )
        self._thread = LoopThread(lambda: self._server.run(self._thread.ready.set))

    def __enter__(self) -> LocalExchange:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._thread.stop(self._server.stop)

    # Where it is.

    @property
    def port(self) -> int:
        """The port it listens on, on 127.0.0.1 only."""
        return self._server.port

    @property
    def market_stream_url(self) -> str:
        """The base, to which `/ws/...` or `/stream?...` is appended."""
        with_tls = self._server.options.ssl_context is not None
        return f"wss://localhost:{self.port}" if with_tls else f"ws://127.0.0.1:{self.port}"

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
        """Push nothing by itself until `resume()`. Connections stay open and pings are answered."""
        self._thread.call(self._market.pause)

    def resume(self) -> None:
        self._thread.call(self._market.resume)

    def push(self, payload: str | bytes) -> None:
        """Push a text frame with this payload, valid or not, to every market connection. `pushed` does not note it."""
        self._thread.call(lambda: self._market.push_text(payload.encode() if isinstance(payload, str) else payload))

    def push_updates(self, book_tickers: Iterable[Mapping[str, Any]]) -> None:
        """Push these book tickers to those who listen to them, raw or wrapped; each needs `s` and `u`."""
        updates = [update_from(book_ticker) for book_ticker in book_tickers]
        self._thread.call(lambda: self._market.push(updates))

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
        self._thread.call(lambda: self._api.script.extend(answers))

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
        self._thread.call(self._door.clear)

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
        """Let something happen to a connection and return it: by default the oldest open one without a fault so far.

        "rst": TCP reset. "fin": end of stream without a close frame. "close": close frame with `code` and `reason`.
        "cut": half a frame, then a reset. "silence": nothing is sent or answered any more. "mute": no data any more,
        pings go on. "shutdown": announced by `serverShutdown`, closed `after` seconds. "raw": `data` is written as is.
        LookupError where no market connection is open.
        """
        chosen = connection or self._oldest_connection()
        fault = Fault(code=code, reason=reason, data=data, after=after)
        self._thread.run(inject(kind, chosen, fault))
        return chosen

    def _oldest_connection(self) -> ExchangeConnection:
        """Of those without a fault, else of all."""
        opened = self.connections
        if not opened:
            raise LookupError("no market connection is open")
        return next((connection for connection in opened if not connection.faults), opened[0])

    def _at_the_door(self, fault: HandshakeFault, times: int | None, endpoint: Endpoint | None) -> None:
        self._thread.call(lambda: self._door.add(fault, endpoint=endpoint, times=times))
