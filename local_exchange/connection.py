"""One client's connection, as the exchange sees it: what it got, what it answered, and what is done to it.

`websockets` does the handshake, the frames that come in, pings and the close. Market updates go past its `send`, as
frames built once for all connections: thousands a second to several clients are then a few large writes.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections import deque
from collections.abc import Coroutine, Sequence
from typing import Any, Literal

from websockets.asyncio.server import ServerConnection
from websockets.frames import Frame, Opcode
from websockets.protocol import Event, State

from source_binance_futures.binance.clock import Clock

from .streams import Address, stream_frame, text_frame

UNSENT_LIMIT = 64 * 2**20
"""Bytes that may wait for a client that does not read, beyond what its socket holds. Then it is cut, as by Binance."""
PONG_TIMEOUT = 600.0
"""Seconds without a pong after which Binance cuts a connection."""

FaultKind = Literal["rst", "fin", "close", "cut", "silence", "mute", "shutdown", "raw"]

_SAMPLE = (
    b'{"e":"bookTicker","u":11660059839759,"s":"BTCUSD_PERP","ps":"BTCUSD","b":"83732.4","B":"680",'
    b'"a":"83732.5","A":"2458","T":1790373637547,"E":1790373637547,"st":2}'
)
_FLUSH_TIMEOUT = 2.0


class ExchangeConnection(ServerConnection):
    """A connection to either endpoint. Create it through `websockets.asyncio.server.serve(create_connection=...)`.

    Of a market connection: `streams` is what it listens to, as acknowledged; `delivered` is what really comes,
    `dead_streams` what never will, `late_streams` what comes so many seconds late; `control_messages` are all it sent,
    as (monotonic time, parsed message).
    """

    address: Address

    def __init__(self, *args: Any, clock: Clock, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.clock = clock
        self.requested_at = self.loop.time()
        self.opened_at = 0.0
        self.frames_sent = 0
        self.pongs: list[bytes] = []
        self.streams: frozenset[str] = frozenset()
        self.delivered: frozenset[str] = frozenset()
        self.dead_streams: set[str] = set()
        self.late_streams: dict[str, float] = {}
        self.control_messages: list[tuple[float, Any]] = []
        self.unsent_limit = UNSENT_LIMIT
        self.closed_at_once: tuple[int, str] | None = None
        self.gets_data = True
        self.lag = 0.0
        self.faults: list[str] = []
        self._held: deque[Sequence[bytes]] = deque()
        self._held_bytes = 0
        self._held_until = 0.0
        self._is_silent = False
        self._last_pong_at = 0.0
        self._background: set[asyncio.Task[None]] = set()

    @property
    def path(self) -> str:
        """The path asked for at the handshake, with its query."""
        return "" if self.request is None else self.request.path

    @property
    def is_open(self) -> bool:
        return self.state is State.OPEN

    def push(self, frames: Sequence[bytes]) -> None:
        """Send frames without waiting, `lag` seconds late where it lags, always in order.

        A reader too slow for them loses its connection, not the exchange its memory.
        """
        if not self.is_open or not self.gets_data:
            return
        if not self.lag and not self._held:
            self._write(frames)
            return
        self._held.append(frames)
        self._held_bytes += sum(map(len, frames))
        self._held_until = max(self._held_until, self.loop.time() + self.lag)
        self.loop.call_at(self._held_until, self._release)
        self._keep_to_the_limit()

    def _release(self) -> None:
        frames = self._held.popleft()
        self._held_bytes -= sum(map(len, frames))
        if self.is_open and self.gets_data:
            self._write(frames)

    def _write(self, frames: Sequence[bytes]) -> None:
        self.transport.write(b"".join(frames))
        self.frames_sent += len(frames)
        self._keep_to_the_limit()

    def _keep_to_the_limit(self) -> None:
        if self._held_bytes + self.transport.get_write_buffer_size() > self.unsent_limit:
            self.transport.abort()

    # What is done to it.

    async def inject(
        self, kind: FaultKind, *, code: int = 1001, reason: str = "", data: bytes = b"", after: float = 3.0
    ) -> None:
        """Let a fault happen, see `FaultInjection.fault`; a closing handshake goes on in the background."""
        self.faults.append(kind)
        if kind in ("fin", "cut", "silence", "mute"):
            self.gets_data = False
        match kind:
            case "rst":
                await self.reset()
            case "fin":
                self._finish()
            case "close":
                self._in_background(self.close(code, reason))
            case "cut":
                frame = text_frame(_SAMPLE)
                self.transport.write(frame[: len(frame) // 2])
                await self._flush()
                await self.reset()
            case "silence":
                self._is_silent = True
            case "shutdown":
                self._announce_shutdown()
                self._in_background(self._close_later(after))
            case "raw":
                self.transport.write(data)

    async def reset(self) -> None:
        """End with a TCP reset: a socket that lingers for zero seconds closes with RST, and what is unsent is lost."""
        self.gets_data = False
        tcp: socket.socket = self.transport.get_extra_info("socket")
        with contextlib.suppress(OSError):
            tcp.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.transport.abort()
        await self.wait_closed()

    def _finish(self) -> None:
        """End with a FIN after what was sent, and without a close frame."""
        self._is_silent = True
        if self.transport.can_write_eof():
            self.transport.write_eof()
            # A client that closes its side ends the connection; one that does not is not waited for.
            self.loop.call_later(1.0, self.transport.close)
        else:
            self.transport.close()

    async def _flush(self) -> None:
        """Wait until the operating system has taken everything: a reset would discard the rest."""
        deadline = self.loop.time() + _FLUSH_TIMEOUT
        while self.transport.get_write_buffer_size() and self.loop.time() < deadline:
            await asyncio.sleep(0.005)

    def _announce_shutdown(self) -> None:
        payload = b'{"e":"serverShutdown","E":%d}' % (self.clock.now_us() // 1000)
        self.push([stream_frame("!serverShutdown", payload, wrapped=self.address.wrapped)])

    async def _close_later(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
        await self.close(1001)

    def _in_background(self, work: Coroutine[Any, Any, None]) -> None:
        """Run what takes its time. The set keeps the task from being collected."""
        task = self.loop.create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    # What `websockets` calls.

    async def keepalive(self) -> None:
        """Ping with a millisecond timestamp every `ping_interval` seconds, and cut a client that never answers."""
        assert self.ping_interval is not None
        while True:
            await asyncio.sleep(self.ping_interval)
            if self._is_silent or not self.is_open:
                return
            self.protocol.send_ping(str(self.clock.now_us() // 1000).encode())
            self.send_data()
            if self.loop.time() - self._last_pong_at > PONG_TIMEOUT:
                self.transport.abort()

    def start_keepalive(self) -> None:
        self.opened_at = self._last_pong_at = self.loop.time()
        super().start_keepalive()

    def process_event(self, event: Event) -> None:
        if isinstance(event, Frame) and event.opcode is Opcode.PONG:
            self._last_pong_at = self.loop.time()
            self.pongs.append(bytes(event.data))
        super().process_event(event)

    def data_received(self, data: bytes) -> None:
        if not self._is_silent:
            super().data_received(data)
