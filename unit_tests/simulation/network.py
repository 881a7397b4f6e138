"""The network in virtual time: byte streams in memory between the connector's connections and the local exchange."""

from __future__ import annotations

import asyncio
import itertools
import selectors
import socket
from collections import deque
from collections.abc import Callable
from typing import Any

from source_binance_futures.binance.clock import Clock, Deadline
from source_binance_futures.binance.market_stream.reader import WakingSelector
from source_binance_futures.binance.transport.sockets import READ_BYTES, ByteStream, EndOfStream

from ..virtual_time import VirtualTime

NOT_TAKEN = 64 * 1024  # bytes that the connector's socket holds unread; what comes then waits with the exchange
NEVER = float("inf")


class VirtualLoop(asyncio.SelectorEventLoop):
    """The exchange's event loop, whose time passes in jumps. A server that it is asked for listens in memory."""

    def __init__(self, time: VirtualTime) -> None:
        self._virtual = time
        super().__init__(_Jumping(time))
        self.connect: Callable[[], asyncio.Protocol] | None = None

    def time(self) -> float:
        return self._virtual.now

    async def create_server(self, factory: Any, *_: Any, **__: Any) -> Any:  # type: ignore[override]
        self.connect = factory
        return _Listening(self)

    def run_until(self, moment: float) -> None:
        """Let everything happen that is due until a moment, or until somebody stops the loop."""
        timer = self.call_at(moment, self.stop)
        self.run_forever()
        timer.cancel()


class _Jumping(selectors.BaseSelector):
    """Waits for nothing: the time to wait has passed when `select` returns."""

    def __init__(self, time: VirtualTime) -> None:
        self._time = time
        self._keys: dict[Any, selectors.SelectorKey] = {}

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        assert timeout is not None, "nothing is to come, for ever"
        self._time.now += max(timeout, 0.0)
        return []

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        key = self._keys[fileobj] = selectors.SelectorKey(fileobj, 0, events, data)
        return key

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self._keys.pop(fileobj)

    def get_map(self) -> Any:
        return self._keys


class _Listening:
    """What the exchange takes for its listening socket."""

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop
        self.sockets = (self,)

    def getsockname(self) -> tuple[str, int]:
        return "exchange", 1

    def getpeername(self) -> tuple[str, int]:
        return "connector", 1

    @property
    def family(self) -> int:
        return socket.AF_INET

    def get_loop(self) -> VirtualLoop:
        return self._loop

    def is_serving(self) -> bool:
        return True

    def close(self) -> None:
        return

    async def wait_closed(self) -> None:
        return


class VirtualStream(ByteStream):
    """The connector's end of a connection, `latency` seconds from the exchange; `arrived` is called when bytes have.

    `server` is the exchange's end. With `breaks_at` once set, nothing passes in either direction.
    """

    _descriptors = itertools.count(10_000)

    def __init__(self, loop: VirtualLoop, latency: float, arrived: Callable[[], None]) -> None:
        self.latency = latency
        self.server = ServerEnd(loop, self)
        self.opened_at = loop.time()
        self.left_at = NEVER
        self.ended_at = NEVER  # when the connector could have read its end
        self._loop = loop
        self._arrived = arrived
        self._descriptor = next(self._descriptors)
        self._buffer = bytearray()
        self._under_way: deque[bytes | OSError] = deque()
        self._end: OSError | None = None

    def fileno(self) -> int:
        return self._descriptor if self.left_at == NEVER else -1

    @property
    def is_readable(self) -> bool:
        return bool(self._buffer) or self._end is not None

    def take(self) -> tuple[bytes, bool]:
        data = self._first(READ_BYTES)
        self.server.taken()
        return data, len(data) < READ_BYTES

    def receive(self, size: int, deadline: Deadline) -> bytes:  # noqa: ARG002  # nothing here waits
        return self._first(size)

    def _first(self, size: int) -> bytes:
        """Take at most so many bytes. Raises `BlockingIOError` where there are none yet, or the end."""
        if not self._buffer:
            raise self._end or BlockingIOError()
        data = bytes(self._buffer[:size])
        del self._buffer[:size]
        return data

    def has_ended(self) -> bool:
        return self._end is not None and not self._buffer

    def send(self, data: bytes, deadline: Deadline) -> None:
        deadline.timeout()
        if isinstance(self._end, OSError) and not isinstance(self._end, EndOfStream):
            raise self._end
        self._loop.call_later(self.latency, self.server.receive, data)

    def leave(self, last_words: bytes, clock: Clock) -> None:  # noqa: ARG002
        self._loop.call_later(self.latency, self.server.receive, last_words)
        self.close()

    def close(self) -> None:
        if self.left_at == NEVER:
            self.left_at = self._loop.time()
            self._loop.call_later(self.latency, self.server.lost, None)

    # --- from the exchange ---

    def put(self, data: bytes | OSError) -> None:
        """Send bytes, or the end, on their way to the connector: they arrive in order, `latency` seconds later."""
        self._under_way.append(data)
        self._loop.call_later(self.latency, self._arrive)

    def lose_what_is_under_way(self) -> None:
        """A reset of the network itself overtakes what was sent before it."""
        self._under_way.clear()

    def _arrive(self) -> None:
        if not self._under_way or self.left_at != NEVER:
            return
        data = self._under_way.popleft()
        if isinstance(data, OSError):
            self._end, self.ended_at = data, self._loop.time()
        else:
            self._buffer += data
        self._arrived()

    @property
    def held(self) -> int:
        """How many bytes the connector has not taken."""
        return len(self._buffer) + sum(len(data) for data in self._under_way if isinstance(data, bytes))


class ServerEnd(asyncio.Transport):
    """The exchange's end: what `websockets` and the local exchange write to."""

    def __init__(self, loop: VirtualLoop, client: VirtualStream) -> None:
        super().__init__()
        self.protocol: Any = None  # what `websockets` makes of it
        self._loop = loop
        self._client = client
        self._waiting: deque[bytes] = deque()  # the connector's socket is full
        self._waiting_bytes = 0
        self._is_over = self._wrote_eof = False

    def open(self) -> None:
        """A connection has come in."""
        assert self._loop.connect is not None
        self.protocol = self._loop.connect()
        self.protocol.connection_made(self)

    def write(self, data: Any) -> None:
        if self._is_over or self._wrote_eof or not data:
            return
        if self._waiting or self._client.held >= NOT_TAKEN:
            self._waiting.append(bytes(data))
            self._waiting_bytes += len(data)
        else:
            self._client.put(bytes(data))

    def taken(self) -> None:
        """The connector has read: there is room again."""
        while self._waiting and self._client.held < NOT_TAKEN:
            data = self._waiting.popleft()
            self._waiting_bytes -= len(data)
            self._client.put(data)
        if self._wrote_eof and not self._waiting:
            self._client.put(EndOfStream())

    def receive(self, data: bytes) -> None:
        if not self._is_over and self.protocol is not None:
            self.protocol.data_received(data)

    def lost(self, error: Exception | None) -> None:
        if not self._is_over:
            self._is_over = True
            if self.protocol is not None:
                self.protocol.connection_lost(error)

    def get_write_buffer_size(self) -> int:
        return self._waiting_bytes

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        if not self._wrote_eof:
            self._wrote_eof = True
            if not self._waiting:
                self._client.put(EndOfStream())

    def close(self) -> None:
        if not self._is_over:
            self.write_eof()
            self._loop.call_soon(self.lost, None)

    def abort(self) -> None:
        """Reset: what the connector's socket had no room for is gone."""
        if not self._is_over:
            self._waiting.clear()
            self._waiting_bytes = 0
            if not self._wrote_eof:
                self._client.put(ConnectionResetError(104, "Connection reset by peer"))
            self._loop.call_soon(self.lost, None)

    def is_closing(self) -> bool:
        return self._is_over or self._wrote_eof

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return _Socket() if name == "socket" else default

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:  # noqa: ARG002
        return

    def pause_reading(self) -> None:
        return

    def resume_reading(self) -> None:
        return


class _Socket:
    def setsockopt(self, *_: object) -> None:
        return


class VirtualSelector(WakingSelector):
    """What the connector's event loop waits with: the exchange goes on meanwhile, until bytes arrive or time is up.

    `limit` is the moment at which whoever turns the event loop wants it back.
    """

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop
        self._streams: dict[int, VirtualStream] = {}
        self._registered: dict[int, selectors.SelectorKey] = {}
        self._is_waiting = self._is_woken = False
        self.limit = NEVER

    def add(self, stream: VirtualStream) -> None:
        """Know the connection behind a descriptor."""
        self._streams[stream.fileno()] = stream

    def wake(self) -> None:
        self._is_woken = True
        self.arrived()

    def arrived(self) -> None:
        """Something may be there to be read."""
        if self._is_waiting:
            self._loop.stop()

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        until = min(self._loop.time() + (timeout or 0.0), self.limit)
        while not (ready := self._ready()) and not self._is_woken and self._loop.time() < until:
            self._is_waiting = True
            self._loop.run_until(until)
            self._is_waiting = False
        self._is_woken = False
        return ready

    def _ready(self) -> list[tuple[selectors.SelectorKey, int]]:
        return [
            (key, selectors.EVENT_READ)
            for descriptor, key in self._registered.items()
            if self._streams[descriptor].is_readable
        ]

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        if fileobj in self._registered:
            raise KeyError(f"{fileobj} is registered already")
        key = self._registered[fileobj] = selectors.SelectorKey(fileobj, fileobj, events, data)
        return key

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self._registered.pop(fileobj)

    def get_map(self) -> Any:
        return self._registered

    def close(self) -> None:
        self._registered.clear()
