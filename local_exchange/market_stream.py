"""The market stream: who listens to what, and the push to everyone. It broadcasts and never replays.

Facts: binance-protocol sections 1 and 2.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from typing import Protocol
from urllib.parse import parse_qs, unquote, urlsplit

import orjson
from websockets.frames import CloseCode

from .connection import ExchangeConnection
from .control_messages import answer_control_message
from .updates import Frames, Update, encode, text_frame

_TICK = 0.01
"""Seconds between two pushes. At 5,000 updates a second each push carries 50."""
_CONTROL_MESSAGES_A_SECOND = 10


class Source(Protocol):
    """Where updates come from: the engine, or a recording."""

    def due(self, elapsed: float) -> list[Update]: ...


def streams_of(path: str) -> tuple[list[str], bool] | None:
    """The stream names in a path and whether payloads are wrapped; None for a path that is no market stream.

    `/ws/!bookTicker` is raw, `/stream?streams=btcusd_perp@bookTicker/%21bookTicker` wrapped; both may name no stream.
    """
    parts = urlsplit(path)
    if parts.path == "/stream":
        names = parse_qs(parts.query).get("streams", [""])[0]
        return [name for name in names.split("/") if name], True
    if parts.path == "/ws" or parts.path.startswith("/ws/"):
        return [unquote(name) for name in parts.path.split("/")[2:] if name], False
    return None


class MarketStream:
    """Every open market connection, and what was pushed to them. Its methods belong to the event loop's thread."""

    def __init__(self, source: Source, *, keep_pushed: bool) -> None:
        self.connections: list[ExchangeConnection] = []
        self.first_connection = asyncio.Event()
        self.pushed: list[tuple[str, int]] = []
        self._source = source
        self._keep_pushed = keep_pushed
        self._is_paused = False

    def pause(self) -> None:
        self._is_paused = True

    def resume(self) -> None:
        self._is_paused = False

    async def run(self) -> None:
        """Push what is due, forever."""
        last = time.monotonic()
        while True:
            await asyncio.sleep(_TICK)
            now = time.monotonic()
            if not self._is_paused:
                self.push(self._source.due(now - last))
            last = now

    def push(self, updates: Sequence[Update]) -> None:
        """Push updates to each connection that listens to them. Those that listen to the same share the frames."""
        if self._keep_pushed:
            self.pushed.extend([(update.symbol, update.update_id) for update in updates])
        shared: dict[tuple[frozenset[str], bool], Frames] = {}
        for connection in self.connections:
            listening = connection.streams, connection.wrapped
            if listening not in shared:
                shared[listening] = encode(updates, connection.streams, wrapped=connection.wrapped)
            connection.push(shared[listening])

    def push_text(self, payload: bytes) -> None:
        """Push one text frame as it is to every connection, whatever it listens to."""
        frames = Frames(text_frame(payload), 1)
        for connection in self.connections:
            connection.push(frames)

    async def serve(self, connection: ExchangeConnection) -> None:
        """Keep a connection until it ends."""
        asked = streams_of(connection.path)
        assert asked is not None, "the door lets no other path in"
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
            if len(received_at) > _CONTROL_MESSAGES_A_SECOND and received_at[-1] - received_at[0] < 1.0:
                await connection.close(CloseCode.POLICY_VIOLATION, "Too many requests")
                return
            answer, connection.streams = answer_control_message(message, connection.streams)
            if connection.gets_data:
                await connection.send(orjson.dumps(answer), text=True)
