"""The exchange inside its event loop: one port, a door, and behind it the market stream and the WebSocket API."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from .connection import ExchangeConnection
from .handshakes import Door, is_api
from .market_stream import MarketStream
from .recording import Recording
from .websocket_api import WebSocketApi

_CLOSE_TIMEOUT = 10.0
"""Seconds that a client has to answer a close frame, with all that it must read before it."""
_LAST_CLOSE_TIMEOUT = 1.0
"""The same when the exchange itself ends: a client that a fault made deaf must not hold up a test."""
_BEFORE_THE_RECORDING = 0.05
"""Seconds from the first market connection's handshake to the recording: its client has returned from connecting."""


@dataclass(frozen=True)
class ServerOptions:
    """How the server listens; see `LocalExchange` for the meaning of each."""

    port: int
    ssl_context: ssl.SSLContext | None
    ping_interval: float | None
    unsent_limit: int
    tls_record_per_frame: bool


class Server:
    """Serves until it is stopped. `finished` is set when the recording is over."""

    def __init__(
        self,
        options: ServerOptions,
        *,
        door: Door,
        market: MarketStream,
        api: WebSocketApi,
        recording: Recording | None,
        finished: threading.Event,
    ) -> None:
        self.options = options
        self.port = options.port
        self._door = door
        self._market = market
        self._api = api
        self._recording = recording
        self._finished = finished
        self._stopped = asyncio.Event()

    def stop(self) -> None:
        self._stopped.set()

    async def run(self, ready: Callable[[], None]) -> None:
        """Serve. `ready` is called when `port` is open. An error while pushing ends the exchange and is raised here."""
        async with serve(
            self._handle,
            "127.0.0.1",
            self.options.port,
            create_connection=functools.partial(ExchangeConnection, clock=self._market.clock),  # type: ignore[arg-type]  # it is only called
            process_request=self._door.process_request,
            process_response=self._door.process_response,
            ssl=self.options.ssl_context,
            compression=None,
            open_timeout=None,
            ping_interval=self.options.ping_interval,
            close_timeout=_CLOSE_TIMEOUT,
        ) as server:
            pushing = asyncio.gather(self._market.run(), self._play())
            pushing.add_done_callback(lambda _: self.stop())
            self.port = next(iter(server.sockets)).getsockname()[1]
            ready()
            await self._stopped.wait()
            self._door.close()
            for connection in server.connections:
                connection.close_timeout = _LAST_CLOSE_TIMEOUT
            pushing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await pushing

    async def _play(self) -> None:
        """Start the recording when somebody listens, and say when it is over."""
        if self._recording is None:
            return
        await self._market.first_connection.wait()
        await asyncio.sleep(_BEFORE_THE_RECORDING)
        self._recording.start()
        while not self._recording.is_over:
            await asyncio.sleep(0.05)
        self._market.flush()
        self._finished.set()

    async def _handle(self, connection: ServerConnection) -> None:
        assert isinstance(connection, ExchangeConnection)
        connection.unsent_limit = self.options.unsent_limit
        connection.frame_by_frame = self.options.tls_record_per_frame
        endpoint = self._api if is_api(connection.path) else self._market
        with contextlib.suppress(ConnectionClosed):
            if connection.closed_at_once is not None:
                await connection.close(*connection.closed_at_once)
            else:
                await endpoint.serve(connection)
