"""An open connection: what it hands out, what it answers, and how it ends."""

from __future__ import annotations

import struct
import threading
import time
from typing import cast

import pytest
from websockets.frames import Frame, Opcode
from websockets.protocol import Protocol, Side, State

from source_binance_futures.binance.clock import Clock, Deadline
from source_binance_futures.binance.errors import ClosedByExchange, HandshakeFailed, ProtocolViolation
from source_binance_futures.binance.transport import connection as connection_module
from source_binance_futures.binance.transport.connection import Connection, Received
from source_binance_futures.binance.transport.proxy import Route

from .sockets import PATIENCE, ScriptedStream, plain_stream

LIMIT = 2**20
UPDATE = b'{"e":"bookTicker","u":1,"s":"BTCUSD_PERP"}'


def wire(opcode: Opcode, payload: bytes = b"") -> bytes:
    return Frame(opcode, payload).serialize(mask=False)


def close_frame(code: int, reason: str = "") -> bytes:
    return wire(Opcode.CLOSE, struct.pack("!H", code) + reason.encode())


def scripted(*pieces: bytes) -> tuple[Connection, ScriptedStream]:
    """A connection to which these pieces come, one with each read, and then nothing more."""
    stream = ScriptedStream(pieces, ends=False)
    return Connection(stream, LIMIT, Clock()), stream


def understood(data: bytes) -> list[tuple[Opcode, bytes]]:
    """What a server makes of what it was sent; `websockets` refuses what is not masked."""
    server = Protocol(Side.SERVER, state=State.OPEN, max_size=LIMIT)
    server.receive_data(data)
    assert server.parser_exc is None
    return [(frame.opcode, bytes(frame.data)) for frame in server.events_received() if isinstance(frame, Frame)]


def test_messages_come_in_order_and_without_waiting() -> None:
    connection, _ = scripted(wire(Opcode.TEXT, b"one") + wire(Opcode.TEXT, b"two"), wire(Opcode.TEXT, b"three"))
    assert connection.receive() == Received([b"one", b"two"], heard=True, drained=True)
    assert connection.receive() == Received([b"three"], heard=True, drained=True)
    assert connection.receive() == Received([], heard=False, drained=True)
    assert connection.loss is None


def test_half_a_frame_is_not_heard_and_a_pong_is() -> None:
    connection, _ = scripted(wire(Opcode.TEXT, UPDATE)[:10], wire(Opcode.TEXT, UPDATE)[10:], wire(Opcode.PONG))
    assert connection.receive() == ([], False, True)
    assert connection.receive() == ([UPDATE], True, True)
    assert connection.receive() == ([], True, True)


def test_several_pings_are_answered_by_the_newest_pong() -> None:
    connection, stream = scripted(wire(Opcode.PING, b"1") + wire(Opcode.TEXT, UPDATE) + wire(Opcode.PING, b"2"))
    assert connection.receive().payloads == [UPDATE]
    assert understood(stream.sent) == [(Opcode.PONG, b"2")]


def test_a_ping_carries_the_time() -> None:
    connection, stream = scripted()
    before = int(time.time() * 1000)
    connection.ping()
    ((opcode, payload),) = understood(stream.sent)
    assert opcode is Opcode.PING
    assert before <= int(payload) <= time.time() * 1000


def test_text_is_sent_as_text() -> None:
    connection, stream = scripted()
    connection.send_text("币" * 100)
    assert understood(stream.sent) == [(Opcode.TEXT, ("币" * 100).encode())]


@pytest.mark.parametrize("code", [1000, 1001, 1008, 3000, 4999])
def test_the_code_of_a_close_frame_is_echoed(code: int) -> None:
    connection, stream = scripted(wire(Opcode.TEXT, UPDATE) + close_frame(code, "Too many requests"))
    assert connection.receive().payloads == [UPDATE]
    assert understood(stream.sent) == [(Opcode.CLOSE, struct.pack("!H", code))]
    assert isinstance(connection.loss, ClosedByExchange)
    assert connection.loss.code == code
    assert str(connection.loss) == f"the exchange closed the connection with code {code} (Too many requests)"
    assert stream.is_closed


def test_a_close_frame_without_a_code_is_answered_with_a_normal_one() -> None:
    connection, stream = scripted(wire(Opcode.CLOSE))
    connection.receive()
    assert understood(stream.sent) == [(Opcode.CLOSE, struct.pack("!H", 1000))]
    assert isinstance(connection.loss, ClosedByExchange)
    assert connection.loss.code == 1005
    assert str(connection.loss) == "the exchange closed the connection with code 1005"


def test_nothing_is_answered_after_a_close_frame() -> None:
    connection, stream = scripted(wire(Opcode.PING, b"1") + close_frame(1001) + wire(Opcode.PING, b"2"))
    connection.receive()
    connection.ping()
    connection.send_text("more")
    connection.close()
    assert understood(stream.sent) == [(Opcode.CLOSE, struct.pack("!H", 1001))]


def test_a_violation_is_told_to_the_server_and_what_was_sound_before_counts() -> None:
    connection, stream = scripted(wire(Opcode.TEXT, UPDATE) + b"\xc1\x02hi")
    assert connection.receive() == ([UPDATE], True, True)
    assert understood(stream.sent) == [(Opcode.CLOSE, struct.pack("!H", 1002))]
    assert isinstance(connection.loss, ProtocolViolation)
    assert connection.receive() == ([], False, True)


def test_the_loss_is_the_cause_and_not_what_came_of_it() -> None:
    connection, stream = scripted(close_frame(1001))
    connection.receive()
    connection.close()
    assert isinstance(connection.loss, ClosedByExchange)
    assert stream.is_closed


def test_an_end_without_a_close_frame_is_told() -> None:
    stream = ScriptedStream([wire(Opcode.TEXT, UPDATE)])
    connection = Connection(stream, LIMIT, Clock())
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
    assert understood(stream.sent) == [(Opcode.CLOSE, struct.pack("!H", 1000))]
    assert str(connection.loss) == "left by this side"


def test_a_peer_that_reads_late_gets_all_of_what_is_sent() -> None:
    with plain_stream() as (stream, server):
        connection = Connection(stream, LIMIT, Clock())
        received: list[int] = []

        def read() -> None:
            time.sleep(0.3)
            while data := server.recv(2**20):
                received.append(len(data))

        reader = threading.Thread(target=read, daemon=True)
        reader.start()
        connection.send_text("x" * 12 * 2**20)
        assert connection.loss is None
        connection.close()
        reader.join(PATIENCE)
    assert sum(received) > 12 * 2**20


def test_a_peer_that_does_not_read_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """`test_the_patience_of_sending` has the true number of seconds."""
    monkeypatch.setattr(connection_module, "SEND_TIMEOUT", 0.5)
    with plain_stream() as (stream, _):
        connection = Connection(stream, LIMIT, Clock())
        connection.send_text("x" * 64 * 2**20)
        assert str(connection.loss) == "the connection broke while sending (no answer in time)"
        connection.close()


def test_the_patience_of_sending() -> None:
    seen: list[float] = []

    class Watched(ScriptedStream):
        def send(self, data: bytes, deadline: Deadline) -> None:
            seen.append(deadline.remaining())
            super().send(data, deadline)

    Connection(Watched([]), LIMIT, Clock()).ping()
    assert 1 < seen[0] <= 5


def test_waiting_ends_when_something_comes() -> None:
    with plain_stream() as (stream, server):
        connection = Connection(stream, LIMIT, Clock())
        assert not connection.wait(0)
        assert not connection.wait(-1)
        threading.Timer(0.1, server.sendall, args=(wire(Opcode.TEXT, UPDATE),)).start()
        assert connection.wait(PATIENCE)
        assert connection.receive().payloads == [UPDATE]


class NowhereRoute:
    """A route on which whatever comes is handed out or raised."""

    def __init__(self, outcome: ScriptedStream | Exception) -> None:
        self.outcome = outcome

    def open(self, *_: object) -> ScriptedStream:
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome


def test_a_handshake_that_fails_leaves_no_socket_open() -> None:
    stream = ScriptedStream([b"\r\n\r\n"])
    with pytest.raises(HandshakeFailed):
        Connection.open("wss://h", cast(Route, NowhereRoute(stream)), Clock().deadline(PATIENCE), LIMIT)
    assert stream.is_closed
