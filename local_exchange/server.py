"""The exchange inside its event loop: one port with a door, and behind it the market stream and the WebSocket API."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import ssl
import threading
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import KW_ONLY, dataclass
from http import HTTPStatus
from typing import Any, Literal
from urllib.parse import urlsplit

from anyio import TASK_STATUS_IGNORED
from anyio.abc import TaskStatus
from websockets.asyncio.server import ServerConnection, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from .connection import UNSENT_LIMIT, ExchangeConnection
from .contracts import COIN_MARGINED
from .engine import Recording
from .market_stream import MarketStream
from .streams import address_of
from .subscriptions import Rule, next_met
from .websocket_api import PATH, WebSocketApi

Endpoint = Literal["market", "coin_m", "usds_m", "api"]
"""Whose handshakes: "market" is both market streams."""
Met = Callable[[ExchangeConnection], Awaitable[Response | None]]
"""What a handshake meets: a response to give in place of 101, or None to go on, maybe after a while."""

_CLOSE_TIMEOUT = 10.0
"""Seconds that a client has to answer a close frame, with all that it must read before it."""
_LAST_CLOSE_TIMEOUT = 1.0
"""The same when the exchange itself ends: a client that a fault made deaf must not hold up a test."""
_BEFORE_THE_RECORDING = 0.05
"""Seconds from the first market connection's handshake to the recording: its client has returned from connecting."""
_ENDLESS_SECONDS = 60.0
_ENDLESS_BYTES = 64 * 2**20
_HEADER_LINES = b"".join(b"X-Endless-%d: %b\r\n" % (i, b"x" * 100) for i in range(100))


@dataclass(eq=False)
class Server:
    """Serves until it is stopped; see `LocalExchange` for the options.

    `rules`: what the next handshakes meet. One handshake meets one fault, the oldest that applies to it. `handshakes`:
    each that was answered, as (monotonic time it came, path, status). `finished` is set when the recording is over.
    """

    market: MarketStream
    api: WebSocketApi
    _: KW_ONLY
    ping_interval: float | None
    port: int = 0
    ssl_context: ssl.SSLContext | None = None
    unsent_limit: int = UNSENT_LIMIT
    missing_prefixes: frozenset[str] = frozenset()
    recording: Recording | None = None

    def __post_init__(self) -> None:
        self.handshakes: list[tuple[float, str, int]] = []
        self.rules: list[Rule[Met]] = []
        self.finished = threading.Event()
        self._kept_waiting: set[ExchangeConnection] = set()
        self._stopped = asyncio.Event()

    def stop(self) -> None:
        self._stopped.set()

    async def run(self, *, task_status: TaskStatus[None] = TASK_STATUS_IGNORED) -> None:
        """Serve; started when `port` is open. An error while pushing ends the exchange and is raised here."""
        async with serve(
            self._handle,
            "127.0.0.1",
            self.port,
            create_connection=functools.partial(ExchangeConnection, clock=self.market.clock),  # type: ignore[arg-type]  # it is only called
            process_request=self._process_request,
            process_response=self._process_response,
            ssl=self.ssl_context,
            compression=None,
            open_timeout=None,
            ping_interval=self.ping_interval,
            close_timeout=_CLOSE_TIMEOUT,
        ) as server:
            pushing = asyncio.gather(self.market.run(), self._play())
            pushing.add_done_callback(lambda _: self.stop())
            self.port = next(iter(server.sockets)).getsockname()[1]
            task_status.started()
            await self._stopped.wait()
            for waiting in self._kept_waiting:
                waiting.transport.abort()
            for connection in server.connections:
                connection.close_timeout = _LAST_CLOSE_TIMEOUT
            pushing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await pushing

    async def _play(self) -> None:
        """Start the recording when somebody listens, and say when it is over."""
        if self.recording is None:
            return
        await self.market.first_connection.wait()
        await asyncio.sleep(_BEFORE_THE_RECORDING)
        self.recording.is_started = True
        while not self.recording.is_over:
            await asyncio.sleep(0.05)
        self.market.flush()
        self.finished.set()

    # What `websockets` calls.

    async def _process_request(self, connection: ServerConnection, request: Request) -> Response | None:
        """The request is there: return a response to give, or None to open the connection."""
        assert isinstance(connection, ExchangeConnection)
        address = address_of(request.path)
        endpoints: tuple[Endpoint, ...] = ("api",)
        if address is not None and address.prefix not in self.missing_prefixes:
            connection.address = address
            endpoints = "market", "coin_m" if address.market == COIN_MARGINED else "usds_m"
        elif urlsplit(request.path).path != PATH:
            return await refuse(connection, 404)
        meet = next_met(self.rules, endpoints)
        if meet is None:
            return None
        self._kept_waiting.add(connection)
        try:
            return await meet(connection)
        finally:
            self._kept_waiting.discard(connection)

    def _process_response(self, connection: ServerConnection, request: Request, response: Response) -> None:
        """The answer is about to be sent."""
        assert isinstance(connection, ExchangeConnection)
        self.handshakes.append((connection.requested_at, request.path, response.status_code))

    async def _handle(self, connection: ServerConnection) -> None:
        assert isinstance(connection, ExchangeConnection)
        connection.unsent_limit = self.unsent_limit
        endpoint = self.api if urlsplit(connection.path).path == PATH else self.market
        with contextlib.suppress(ConnectionClosed):
            if connection.closed_at_once is not None:
                await connection.close(*connection.closed_at_once)
            else:
                await endpoint.serve(connection)


# What a handshake may meet.


async def refuse(
    _: ExchangeConnection, status: int, headers: Mapping[str, str] | None = None, body: str = ""
) -> Response:
    """An HTTP status in place of 101, such as 451 or 418 with `Retry-After`."""
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = "Unknown"
    content = body.encode()
    all_headers = Headers({"Connection": "close", "Content-Length": str(len(content)), **(headers or {})})
    return Response(status, phrase, all_headers, content)


async def answer_late(connection: ExchangeConnection, seconds: float) -> None:
    """The answer comes, but only after `seconds`."""
    await asyncio.wait([connection.connection_lost_waiter], timeout=seconds)


async def close_at_once(connection: ExchangeConnection, code: int, reason: str) -> None:
    """The connection is opened, and closed with this code before anything else."""
    connection.closed_at_once = code, reason


async def send_endless_headers(connection: ExchangeConnection) -> None:
    """The answer never ends: header lines as fast as the client takes them, until it goes away, 60 s or 64 MiB."""
    transport: Any = connection.transport
    transport.write(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n")
    deadline = connection.loop.time() + _ENDLESS_SECONDS
    sent = 0
    while sent < _ENDLESS_BYTES and connection.loop.time() < deadline and not transport.is_closing():
        if transport.get_write_buffer_size() == 0:
            transport.write(_HEADER_LINES)
            sent += len(_HEADER_LINES)
        await asyncio.sleep(0)
    transport.abort()
    await connection.wait_closed()
