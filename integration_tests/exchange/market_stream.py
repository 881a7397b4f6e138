"""The market stream: who listens to what, control messages, and the push to everyone.

Facts: binance-protocol sections 1 and 2.5; Binance's "Live Subscribing/Unsubscribing to streams" for the control messages.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Iterable
from typing import Any, Protocol
from urllib.parse import parse_qs, unquote, urlsplit

import orjson
from websockets.frames import CloseCode

from .connection import ExchangeConnection
from .updates import Frames, Update, encode, text_frame

_TICK = 0.01
"""Seconds between two pushes. At 5,000 updates a second each push carries 50."""
_CONTROL_MESSAGES_A_SECOND = 10
_MOST_STREAMS = 1024


class Source(Protocol):
    """Where updates come from: the engine, or a recording."""

    def due(self, elapsed: float) -> list[Update]: ...


def streams_of(path: str) -> tuple[list[str], bool] | None:
    """The stream names in a path and whether their payloads are wrapped; None for a path that is no market stream.

    `/ws/!bookTicker` is raw, `/stream?streams=btcusd_perp@bookTicker/%21bookTicker` is wrapped; both may name no stream.
    """
    parts = urlsplit(path)
    if parts.path == "/stream":
        names = parse_qs(parts.query).get("streams", [""])[0]
        return [name for name in names.split("/") if name], True
    if parts.path == "/ws" or parts.path.startswith("/ws/"):
        return [unquote(name) for name in parts.path.split("/")[2:] if name], False
    return None


class MarketStream:
    """Every open market connection, and what has been pushed to them. All but `pushed` belongs to the event loop's thread."""

    def __init__(self, source: Source, *, keep_pushed: bool) -> None:
        self.source = source
        self.connections: list[ExchangeConnection] = []
        self.pushed: list[tuple[str, int]] = []
        self.paused = False
        self.first_connection = asyncio.Event()
        self._keep_pushed = keep_pushed

    async def run(self) -> None:
        """Push what is due, forever."""
        last = time.monotonic()
        while True:
            await asyncio.sleep(_TICK)
            now = time.monotonic()
            if not self.paused:
                self.push(self.source.due(now - last))
            last = now

    def push(self, updates: Iterable[Update]) -> None:
        """Push updates to each connection that listens to them. Connections that listen to the same share the frames."""
        updates = list(updates)
        if self._keep_pushed:
            self.pushed.extend([(update.symbol, update.update_id) for update in updates])
        shared: dict[tuple[frozenset[str], bool], Frames] = {}
        for connection in self.connections:
            key = connection.streams, connection.wrapped
            if key not in shared:
                shared[key] = encode(updates, connection.streams, wrapped=connection.wrapped)
            connection.push(shared[key])

    def push_text(self, payload: bytes) -> None:
        """Push one text frame as it is to every connection, whatever it listens to."""
        frames = Frames(text_frame(payload), 1)
        for connection in self.connections:
            connection.push(frames)

    async def serve(self, connection: ExchangeConnection) -> None:
        """Keep a connection until it ends."""
        asked = streams_of(connection.path)
        assert asked is not None
        names, connection.wrapped = asked
        connection.streams = frozenset(names)
        self.connections.append(connection)
        self.first_connection.set()
        try:
            await self._answer_control_messages(connection)
        finally:
            self.connections.remove(connection)

    async def _answer_control_messages(self, connection: ExchangeConnection) -> None:
        received_at: deque[float] = deque(maxlen=_CONTROL_MESSAGES_A_SECOND + 1)
        async for message in connection:
            received_at.append(time.monotonic())
            if len(received_at) == received_at.maxlen and received_at[-1] - received_at[0] < 1.0:
                await connection.close(CloseCode.POLICY_VIOLATION, "Too many requests")
                return
            answer = control_answer(connection, message)
            if connection.gets_data:
                await connection.send(orjson.dumps(answer), text=True)


def control_answer(connection: ExchangeConnection, message: str | bytes) -> dict[str, Any]:
    """Do what a control message asks and answer it. An unknown stream is acknowledged, and then stays silent."""
    try:
        request = orjson.loads(message)
    except orjson.JSONDecodeError as error:
        return {"code": 3, "msg": f"Invalid JSON: {error}"}
    if not isinstance(request, dict):
        return {"code": 2, "msg": "Invalid request: expected an object"}
    request_id = request.get("id")
    if not isinstance(request_id, int) or isinstance(request_id, bool) or request_id < 0:
        return {"code": 2, "msg": "Invalid request: request ID must be an unsigned integer"}
    method = request.get("method")
    if method == "LIST_SUBSCRIPTIONS":
        return {"result": sorted(connection.streams), "id": request_id}
    if method not in ("SUBSCRIBE", "UNSUBSCRIBE"):
        return {
            "code": 2,
            "msg": f"Invalid request: unknown variant `{method}`, "
            "expected one of `SUBSCRIBE`, `UNSUBSCRIBE`, `LIST_SUBSCRIPTIONS`",
        }
    names = request.get("params")
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        return {"code": 2, "msg": "Invalid request: params must be an array of stream names"}
    streams = connection.streams.union(names) if method == "SUBSCRIBE" else connection.streams.difference(names)
    if len(streams) > _MOST_STREAMS:
        return {"error": {"code": 4, "msg": "Too many subscriptions"}, "id": request_id}
    connection.streams = streams
    return {"result": None, "id": request_id}
