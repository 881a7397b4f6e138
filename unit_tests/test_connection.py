"""Connections: what an open one hands out and answers, how it ends; and the dialler, which leaves what nobody met."""

from __future__ import annotations

import logging
import struct
import threading
import time
from collections.abc import Callable

import pytest
from websockets.frames import Frame, Opcode
from websockets.protocol import Protocol, Side, State

from source_binance_futures import check, output
from source_binance_futures.binance.clock import Clock, Deadline, Stop
from source_binance_futures.binance.errors import (
    BinanceError,
    HandshakeFailed,
    Interrupted,
    NoThread,
    Owner,
    ProtocolViolation,
    UnexpectedFailure,
)
from source_binance_futures.binance.transport.connection import (
    Connection,
    Dialler,
    HandOver,
    Received,
    connect,
    open_in_background,
)
from source_binance_futures.binance.transport.proxy import Route
from source_binance_futures.binance.websocket_api.prices import WeightBudget
from source_binance_futures.config import Config
from source_binance_futures.streams.cursor import Cursor
from source_binance_futures.streams.listening import market_for

from .sockets import PATIENCE, ScriptedStream, frame, route_to
from .virtual_time import VirtualTime

LIMIT = 2**20
URL = "wss://dstream.example/stream"
UPDATE = b'{"e":"bookTicker","u":1,"s":"BTCUSD_PERP"}'
TEXT = frame(Opcode.TEXT, UPDATE)


def close_frame(code: int, reason: str = "") -> bytes:
    return frame(Opcode.CLOSE, struct.pack("!H", code) + reason.encode())


def scripted(*pieces: bytes, ends: bool = False) -> tuple[Connection, ScriptedStream]:
    """A connection to which these pieces come, one with each read, and then nothing more."""
    stream = ScriptedStream(pieces, ends=ends)
    return Connection(stream, LIMIT, Clock()), stream


def understood(data: bytes) -> list[tuple[Opcode, bytes]]:
    """What a server makes of what it was sent; `websockets` refuses what is not masked."""
    server = Protocol(Side.SERVER, state=State.OPEN, max_size=LIMIT)
    server.receive_data(data)
    assert server.parser_exc is None
    return [(each.opcode, bytes(each.data)) for each in server.events_received() if isinstance(each, Frame)]


def goodbye(code: int = 1000) -> list[tuple[Opcode, bytes]]:
    return [(Opcode.CLOSE, struct.pack("!H", code))]


def test_messages_come_in_order_and_without_waiting() -> None:
    connection, _ = scripted(frame(Opcode.TEXT, b"one") + frame(Opcode.TEXT, b"two"), frame(Opcode.TEXT, b"three"))
    assert connection.receive() == Received([b"one", b"two"], heard=True, drained=True)
    assert connection.receive() == Received([b"three"], heard=True, drained=True)
    assert connection.receive() == Received([], heard=False, drained=True)
    assert connection.loss is None


def test_half_a_frame_is_not_heard_and_a_pong_is() -> None:
    connection, _ = scripted(TEXT[:10], TEXT[10:], frame(Opcode.PONG))
    assert [connection.receive() for _ in range(3)] == [([], False, True), ([UPDATE], True, True), ([], True, True)]


def test_several_pings_are_answered_by_the_newest_pong() -> None:
    connection, stream = scripted(frame(Opcode.PING, b"1") + TEXT + frame(Opcode.PING, b"2"))
    assert connection.receive().payloads == [UPDATE]
    assert understood(stream.sent) == [(Opcode.PONG, b"2")]


def test_a_ping_carries_the_time_and_text_is_sent_as_text() -> None:
    connection, stream = scripted()
    before = int(time.time() * 1000)
    connection.ping()
    connection.send_text("币" * 100)
    (opcode, payload), text = understood(stream.sent)
    assert opcode is Opcode.PING
    assert before <= int(payload) <= time.time() * 1000
    assert text == (Opcode.TEXT, ("币" * 100).encode())


@pytest.mark.parametrize(
    ("ends", "echoed", "says"),
    [
        *[(close_frame(code, "Too many"), code, f"code {code} (Too many)") for code in (1000, 1008, 3000, 4999)],
        (close_frame(1001), 1001, "code 1001"),
        (frame(Opcode.CLOSE), 1000, "code 1005"),  # none
    ],
)
def test_the_code_of_a_close_frame_is_echoed(ends: bytes, echoed: int, says: str) -> None:
    connection, stream = scripted(TEXT + ends)
    assert connection.receive().payloads == [UPDATE]
    assert understood(stream.sent) == goodbye(echoed)
    assert str(connection.loss) == f"the exchange closed the connection with {says}"
    assert stream.is_closed


def test_nothing_is_answered_after_a_close_frame_which_stays_the_cause() -> None:
    connection, stream = scripted(frame(Opcode.PING, b"1") + close_frame(1001) + frame(Opcode.PING, b"2"))
    connection.receive()
    connection.ping()
    connection.send_text("more")
    connection.close()
    assert understood(stream.sent) == goodbye(1001)
    assert str(connection.loss) == "the exchange closed the connection with code 1001"
    assert stream.is_closed


def test_a_violation_is_reported_to_the_server_and_what_was_sound_before_counts() -> None:
    connection, stream = scripted(TEXT + b"\xc1\x02hi")
    assert connection.receive() == ([UPDATE], True, True)
    assert understood(stream.sent) == goodbye(1002)
    assert isinstance(connection.loss, ProtocolViolation)
    assert connection.receive() == ([], False, True)


def test_an_end_without_a_close_frame_is_reported() -> None:
    connection, stream = scripted(TEXT, ends=True)
    assert connection.receive().payloads == [UPDATE]
    assert connection.loss is None
    connection.receive()
    assert str(connection.loss) == "the connection ended without a close frame"
    connection.close()
    assert stream.sent == b"", "there is nobody to say goodbye to"


def test_closing_says_goodbye_once() -> None:
    connection, stream = scripted()
    connection.close()
    connection.close()
    assert understood(stream.sent) == goodbye()
    assert str(connection.loss) == "left by this side"


def test_a_peer_that_does_not_read_is_given_up_after_five_seconds() -> None:
    patience: list[float] = []

    class Unread(ScriptedStream):
        def send(self, data: bytes, deadline: Deadline) -> None:  # noqa: ARG002
            patience.append(deadline.remaining())
            raise TimeoutError

    connection = Connection(Unread([]), LIMIT, VirtualTime().clock())
    connection.ping()
    assert patience == [5]
    assert str(connection.loss) == "the connection broke while sending (no answer in time)"


def test_a_handshake_that_fails_leaves_no_socket_open() -> None:
    stream = ScriptedStream([b"\r\n\r\n"])
    with pytest.raises(HandshakeFailed):
        Connection.open("wss://h", route_to(stream), Clock().deadline(PATIENCE), LIMIT)
    assert stream.is_closed


# --- the dialler ---


class Dialled:
    """A dialler whose openings end when a test says so, in its own thread."""

    def __init__(self, wake: Callable[[], None] = lambda: None) -> None:
        self.hand_over: list[HandOver] = []
        self.calls: Dialler[str] = Dialler(Route(), Clock(), LIMIT, wake=wake, opening=self._open)
        self.calls.dial(URL, 5, "a")

    def _open(self, url: str, route: Route, deadline: Deadline, max_message_bytes: int, hand_over: HandOver) -> None:
        assert (url, max_message_bytes, deadline.expired, route.proxy_url) == (URL, LIMIT, False, None)
        self.hand_over.append(hand_over)


def error_of(calls: Dialler[str], patience: float = 0.0) -> BinanceError:
    _, outcome = calls.outcome(patience) or ("", None)
    assert isinstance(outcome, BinanceError)
    return outcome


def test_each_attempt_is_met_with_what_it_was_dialled_with() -> None:
    woken: list[int] = []
    dialled = Dialled(lambda: woken.append(1))
    calls = dialled.calls
    calls.dial(URL, 5, "b")
    assert (calls.under_way, calls.outcome()) == (2, None)
    opened, _ = scripted()
    dialled.hand_over[1](opened)
    failure = HandshakeFailed("dstream.example", "no answer in time")
    dialled.hand_over[0](failure)
    assert calls.outcome() == ("b", opened)
    assert calls.outcome() == ("a", failure)
    assert (calls.under_way, calls.outcome(), woken) == (0, None, [1, 1])


@pytest.mark.parametrize("when", ["before", "after", "met"])
def test_what_was_opened_and_never_met_is_left(when: str) -> None:
    dialled, (opened, stream) = Dialled(), scripted()
    if when != "after":
        dialled.hand_over[0](opened)
    if when == "met":
        assert dialled.calls.outcome() == ("a", opened)
    dialled.calls.close()
    if when == "after":
        dialled.hand_over[0](opened)
    assert stream.is_closed is (when != "met")
    assert understood(stream.sent) == ([] if when == "met" else goodbye()), "it is left in good order"
    assert dialled.calls.outcome() is None


@pytest.mark.parametrize("raised", [HandshakeFailed("h", "x"), ValueError("Geheim")])
def test_whatever_opening_raises_is_handed_over(raised: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> Connection:
        raise raised

    monkeypatch.setattr(Connection, "open", fail)
    calls: Dialler[str] = Dialler(Route(), Clock(), LIMIT)
    calls.dial(URL, 5, "a")
    error = error_of(calls, PATIENCE)
    if error is not raised:  # one that nobody thought of is ours
        assert isinstance(error, UnexpectedFailure)
        assert (error.owner, error.__cause__) == (Owner.US, raised)
        assert "Geheim" not in str(error)


def test_a_stop_ends_the_wait_and_a_connection_that_comes_later_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    stop, is_open = Stop(Clock()), threading.Event()
    opened, stream = scripted()
    is_left = threading.Event()
    monkeypatch.setattr(stream, "close", is_left.set)

    def open_late(*_: object) -> Connection:
        stop.request()
        assert is_open.wait(PATIENCE)
        return opened

    monkeypatch.setattr(Connection, "open", open_late)
    with pytest.raises(Interrupted):
        connect(URL, Route(), stop, 60, LIMIT)
    is_open.set()
    assert is_left.wait(PATIENCE)


def test_a_machine_that_starts_no_more_threads_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    """As `pids` of a container has it: by an attempt, a market stream, and a check; a sync without watchdog begins."""

    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    calls: Dialler[str] = Dialler(Route(), Clock(), LIMIT, opening=open_in_background)
    calls.dial(URL, 5, "a")
    error = error_of(calls)
    assert isinstance(error, NoThread)
    assert "No connection to dstream.example was tried: this machine starts no more threads." in str(error)

    clock = Clock()
    market = market_for(Config(), Cursor("test"), clock)
    with pytest.raises(NoThread, match="The market stream cannot be read: this machine starts no more threads"):
        market.start()
    market.stop()
    assert market.selector.get_map() is None

    stop = Stop(Clock())
    (said,) = check.Check(Config(), stop, logging.getLogger("check"), WeightBudget()).failures()
    assert said.startswith("book_tickers: The market stream cannot be read: this machine starts no more threads. Raise")
    output.watch(Stop(Clock()), output.Output(1, Clock()))
