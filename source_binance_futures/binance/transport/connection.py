"""WebSocket connections: frames in bulk, control frames answered, left with the right code; and the one dialler."""

from __future__ import annotations

import contextlib
import queue
import selectors
import struct
from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Generic, NamedTuple, Protocol, TypeVar

from websocket import ABNF

from ..clock import LOOK_EVERY, Clock, Deadline, Stop, start_thread
from ..errors import BinanceError, ClosedByExchange, ConnectionLost, HandshakeFailed, Interrupted, UnexpectedFailure
from .address import host_of
from .framing import CLOSE, PING, PONG, TEXT, ControlFrame, FrameCutter
from .handshake import shake_hands
from .proxy import Route
from .sockets import ByteStream, EndOfStream, reason

SEND_TIMEOUT = 5.0  # seconds; our frames are tiny, so only a dead peer makes them wait
NORMAL_CLOSURE, NO_STATUS = 1000, 1005
LEFT = "left by this side"

Tag = TypeVar("Tag")


class Received(NamedTuple):
    """What one `Connection.receive` brought."""

    payloads: list[bytes]
    heard: bool  # anything at all, control frames included
    drained: bool  # everything that had arrived was taken


class Observer(Protocol):
    """Sees what passes over a connection in both directions, before anything of it is answered or handed over."""

    def received(self, payloads: Sequence[bytes], controls: Sequence[ControlFrame]) -> None: ...

    def sent(self, opcode: int, payload: bytes) -> None: ...


class Connection:
    """An open WebSocket connection, which answers pings itself; `loss` says why it is over. Belongs to one thread."""

    def __init__(self, stream: ByteStream, max_message_bytes: int, clock: Clock) -> None:
        self.loss: ConnectionLost | None = None
        self.observer: Observer | None = None
        self.stream = stream
        self.clock = clock
        self._cutter = FrameCutter(max_message_bytes)

    @classmethod
    def open(cls, url: str, route: Route, deadline: Deadline, max_message_bytes: int) -> Connection:
        """Connects; longer messages will end it with code 1009. Raises a `ConnectFailed` or `RateLimited`."""
        stream = route.open(url, deadline)
        try:
            shake_hands(stream, url, deadline)
        except BaseException:
            stream.close()
            raise
        return cls(stream, max_message_bytes, deadline.clock)

    def receive(self) -> Received:
        """The messages that have arrived, without waiting; sets `loss` where the connection has ended behind them."""
        if self.loss is not None:
            return Received([], heard=False, drained=True)
        data, drained = b"", True
        try:
            data, drained = self.stream.take()
        except BlockingIOError:
            pass
        except EndOfStream:
            self.loss = ConnectionLost("the connection ended without a close frame")
        except OSError as error:
            self.loss = ConnectionLost(f"the connection broke ({reason(error)})")
        payloads, controls = self._cutter.cut(data)
        if self.observer is not None:
            self.observer.received(payloads, controls)
        if controls:
            self._answer(controls)
        if self._cutter.violation is not None:
            self._leave(self._cutter.violation, self._cutter.violation.close_code)
        return Received(payloads, bool(payloads or controls), drained)

    def wait(self, seconds: float) -> bool:
        """Wait at most so many seconds until there is something to `receive`; return whether there is."""
        if self.stream.holds_bytes:
            return True
        with selectors.DefaultSelector() as selector:  # `select.select` knows no descriptor beyond 1,023
            selector.register(self.stream, selectors.EVENT_READ)
            return bool(selector.select(max(seconds, 0)))

    def has_ended(self) -> bool:
        """Whether it is over, also where `loss` is not set before the next `receive`."""
        return self.loss is not None or self.stream.has_ended()

    def send_text(self, text: str) -> None:
        """Sends one text message; sets `loss` if that fails."""
        self._send(text.encode(), TEXT)

    def ping(self) -> None:
        """Sends a ping with the time in milliseconds, as Binance's own pings carry; sets `loss` if that fails."""
        self._send(str(self.clock.now_us() // 1000).encode(), PING)

    def close(self) -> None:
        """Says goodbye (RFC 6455 section 7.4) and leaves, without waiting for the answer."""
        self._leave(ConnectionLost(LEFT), NORMAL_CLOSURE)

    def _answer(self, controls: Sequence[ControlFrame]) -> None:
        newest_ping: bytes | None = None
        for opcode, payload in controls:
            if opcode == PING:
                newest_ping = payload  # one pong for several pings is enough, RFC 6455 section 5.5.3
            elif opcode == CLOSE:
                code = struct.unpack("!H", payload[:2])[0] if len(payload) >= 2 else NO_STATUS
                why = payload[2:].decode(errors="replace")
                closed = ClosedByExchange(code, f" ({why})" if why else "")
                self._leave(closed, code if code != NO_STATUS else NORMAL_CLOSURE)
                return
        if newest_ping is not None:
            self._send(newest_ping, PONG)

    def _send(self, payload: bytes, opcode: int) -> None:
        if self.loss is not None:
            return
        if self.observer is not None:
            self.observer.sent(opcode, payload)
        try:
            self.stream.send(_frame(payload, opcode), self.clock.deadline(SEND_TIMEOUT))
        except OSError as error:
            self.loss = ConnectionLost(f"the connection broke while sending ({reason(error)})")

    def _leave(self, loss: ConnectionLost, code: int) -> None:
        if self.loss is None:
            self.loss = loss
            self.stream.leave(_frame(struct.pack("!H", code), CLOSE), self.clock)
        else:
            self.stream.close()


def _frame(payload: bytes, opcode: int) -> bytes:
    """A whole frame of a client: masked, RFC 6455 section 5.3."""
    return ABNF.create_frame(payload, opcode).format()


HandOver = Callable[[Connection | Exception], None]  # takes a connection or what failed, from whatever thread
Opening = Callable[[str, Route, Deadline, int, HandOver], None]  # to a URL; the number is `max_message_bytes`


def open_in_background(url: str, route: Route, deadline: Deadline, max_message_bytes: int, hand_over: HandOver) -> None:
    """Open a connection in a thread of its own, which calls `hand_over` with it, or with what `open` raised."""

    def attempt() -> None:
        try:
            outcome: Connection | Exception = Connection.open(url, route, deadline, max_message_bytes)
        except Exception as error:  # whatever it is, the thread that waits must hear of it
            outcome = error
        hand_over(outcome)

    host = host_of(url)
    try:
        start_thread(f"connect to {host}", attempt, f"No connection to {host} was tried")
    except BinanceError as error:  # no thread: what is open goes on without it
        hand_over(error)


@dataclass
class Dialler(Generic[Tag]):
    """Belongs to one thread; `wake` is called, from another one, when an attempt has ended."""

    route: Route
    clock: Clock
    max_message_bytes: int
    _: KW_ONLY
    wake: Callable[[], None] = lambda: None
    opening: Opening = open_in_background

    def __post_init__(self) -> None:
        self.under_way = 0
        self._ended: queue.SimpleQueue[tuple[Tag, Connection | Exception]] = queue.SimpleQueue()
        self._is_closed = False

    def dial(self, url: str, within: float, tag: Tag) -> None:
        """Begin an attempt that may take so many seconds; it never raises."""

        def hand_over(ended: Connection | Exception) -> None:
            self._ended.put((tag, ended))
            if self._is_closed:  # set before `close` drains, and read after the put: one of the two finds it
                self.close()
            self.wake()

        self.under_way += 1
        self.opening(url, self.route, self.clock.deadline(within), self.max_message_bytes, hand_over)

    def outcome(self, seconds: float = 0.0) -> tuple[Tag, Connection | BinanceError] | None:
        """Return how an attempt has ended, and what it was dialled with; wait at most so many seconds for one."""
        try:
            tag, ended = self._ended.get(seconds > 0, seconds)
        except queue.Empty:
            return None
        self.under_way -= 1
        return tag, ended if isinstance(ended, (Connection, BinanceError)) else UnexpectedFailure(ended)

    def close(self) -> None:
        """Leave in good order every connection that was opened and not met yet, now or as soon as it comes about."""
        self._is_closed = True
        with contextlib.suppress(queue.Empty):
            while True:
                _, ended = self._ended.get_nowait()
                if isinstance(ended, Connection):
                    ended.close()


def connect(url: str, route: Route, stop: Stop, within: float, max_message_bytes: int) -> Connection:
    """Return an open connection, with an eye on the stop flag. Raises a `BinanceError`, such as `Interrupted`."""
    patience = stop.clock.deadline(within + LOOK_EVERY)  # the attempt itself knows best why it took too long
    with contextlib.closing(Dialler[None](route, stop.clock, max_message_bytes)) as dialler:
        dialler.dial(url, within, None)
        while not (stop.requested or patience.expired):
            _, met = dialler.outcome(LOOK_EVERY) or (None, None)
            if isinstance(met, BinanceError):
                raise met
            if met is not None:
                return met
    raise Interrupted if stop.requested else HandshakeFailed(host_of(url), "no answer in time")
