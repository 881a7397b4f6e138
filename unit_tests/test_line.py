"""The clocks of a line and its tape, over a real socket pair and with a clock handed in."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator

import pytest
from websockets.frames import Frame, Opcode

from source_binance_futures.binance.errors import ConnectionStalled
from source_binance_futures.binance.market_stream import line as line_module
from source_binance_futures.binance.market_stream.line import SUBSCRIBED_WITHIN, Line, Timing
from source_binance_futures.binance.transport import channel as channel_module
from source_binance_futures.binance.transport.channel import Channel
from source_binance_futures.binance.transport.connection import Connection

OPENED = 1000.0
TIMING = Timing(ping_after=20, pong_within=10, first_data_within=30, rotate_after=7200, tape=30)
UPDATE = b'{"e":"bookTicker","u":1,"s":"BTCUSD_PERP"}'


class Server:
    """The other end of the line."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        sock.settimeout(5)

    def text(self, payload: bytes) -> None:
        self._socket.sendall(Frame(Opcode.TEXT, payload).serialize(mask=False))

    def control(self, opcode: Opcode, payload: bytes = b"") -> None:
        self._socket.sendall(Frame(opcode, payload).serialize(mask=False))

    def received_opcodes(self) -> list[int]:
        """Of the control frames that have arrived; each is shorter than 126 bytes and masked."""
        self._socket.setblocking(False)
        try:
            data = self._socket.recv(65536)
        except BlockingIOError:
            return []
        opcodes = []
        while data:
            opcodes.append(data[0] & 0x0F)
            data = data[6 + (data[1] & 0x7F) :]
        return opcodes


@pytest.fixture
def ends() -> Iterator[tuple[Line, Server]]:
    ours, theirs = socket.socketpair()
    with contextlib.closing(theirs):
        line = Line(Connection(Channel(ours), 2**20), OPENED, TIMING)
        yield line, Server(theirs)
        line.connection.close()


Ends = tuple[Line, Server]


def test_silence_is_pinged_once_and_an_unanswered_ping_loses_the_line(ends: Ends) -> None:
    line, server = ends
    assert line.watch(OPENED + 19.9) is None
    assert server.received_opcodes() == []
    assert line.watch(OPENED + 20) is None
    assert line.watch(OPENED + 25) is None
    assert server.received_opcodes() == [Opcode.PING]
    assert line.watch(OPENED + 29.9) is None
    loss = line.watch(OPENED + 30)
    assert isinstance(loss, ConnectionStalled)
    assert "nothing was heard for 30 seconds and a ping was not answered" in str(loss)


@pytest.mark.parametrize("opcode", [Opcode.PONG, Opcode.PING, Opcode.TEXT])
def test_any_frame_is_a_sign_of_life(ends: Ends, opcode: Opcode) -> None:
    line, server = ends
    line.watch(OPENED + 20)
    server.control(opcode)
    line.receive(OPENED + 21)
    assert line.watch(OPENED + 40.9) is None
    assert line.watch(OPENED + 41) is None, "it asks anew before it gives up"
    assert server.received_opcodes().count(Opcode.PING) == 2
    assert isinstance(line.watch(OPENED + 51), ConnectionStalled)


def test_half_a_frame_is_no_sign_of_life(ends: Ends) -> None:
    line, server = ends
    server._socket.sendall(b"\x81\x7e\x01\x00half")
    assert line.receive(OPENED + 5) is None
    assert line.last_heard == OPENED


def test_only_updates_prove_that_data_comes(ends: Ends) -> None:
    line, server = ends
    server.text(b'{"result":null,"id":1}')
    assert line.receive(OPENED + 1) is not None
    assert line.covered_since() is None
    assert not line.is_mute(OPENED + 29.9)
    assert line.is_mute(OPENED + 30)
    assert "within 30 seconds" in str(line.wants_replacement(OPENED + 30))
    server.text(UPDATE)
    line.receive(OPENED + 31)
    assert line.first_data_at == OPENED + 31
    assert not line.is_mute(OPENED + 32)
    assert line.wants_replacement(OPENED + 32) is None


def test_silence_can_be_accepted(ends: Ends) -> None:
    line, _ = ends
    line.stays_silent = True
    assert line.is_mute(OPENED + 31)
    assert line.wants_replacement(OPENED + 31) is None


def test_it_is_replaced_at_its_age_and_when_the_server_says_so(ends: Ends) -> None:
    line, server = ends
    server.text(UPDATE)
    line.receive(OPENED)
    assert line.wants_replacement(OPENED + 7199) is None
    assert line.wants_replacement(OPENED + 7200) == "it has been open for 2.0 hours"
    server.text(b'{"e":"notice","text":"no \\"serverShutdown\\" today"}')
    line.receive(OPENED + 1)
    assert line.wants_replacement(OPENED + 1) is None
    server.text(b'{"stream":"!serverShutdown","data":{"e":"serverShutdown","E":1770123456789}}')
    line.receive(OPENED + 2)
    assert line.wants_replacement(OPENED + 2) == "the server announced its shutdown"


def test_the_tape_keeps_the_last_seconds_in_order(ends: Ends) -> None:
    line, server = ends
    for second in range(40):
        server.text(UPDATE + b" " * second)
        batch = line.receive(OPENED + second)
        assert batch is not None
        line.keep(batch)
    unwound = line.unwind()
    assert [batch.received_at - OPENED for batch in unwound] == list(range(9, 40))
    assert unwound[-1].payloads == [UPDATE + b" " * 39]
    assert line.unwind() == []


def test_the_tape_is_bounded_in_bytes_and_empties_to_nothing(ends: Ends, monkeypatch: pytest.MonkeyPatch) -> None:
    line, server = ends
    monkeypatch.setattr(line_module, "TAPE_BYTES", 5000)
    for position in range(100):
        server.text(UPDATE + b" " * 500)
        batch = line.receive(OPENED + position / 100)
        assert batch is not None
        line.keep(batch)
        assert sum(kept.size for kept in line._tape) <= 5000
    assert 4 <= len(line.unwind()) <= 6
    assert line._tape_bytes == 0


def test_it_covers_from_the_handshake_and_a_second_to_subscribe(ends: Ends) -> None:
    line, server = ends
    server.text(UPDATE)
    line.receive(OPENED + 4.2)
    assert line.covered_since() == OPENED + SUBSCRIBED_WITHIN


def test_it_covers_from_its_first_update_where_that_came_at_once(ends: Ends) -> None:
    line, server = ends
    server.text(UPDATE)
    line.receive(OPENED + 0.1)
    assert line.covered_since() == OPENED + 0.1


def test_it_does_not_cover_what_its_tape_has_dropped(ends: Ends) -> None:
    line, server = ends
    for second in (0.0, 1.0, 2.0, 32.0):
        server.text(UPDATE)
        batch = line.receive(OPENED + second)
        assert batch is not None
        line.keep(batch)
    assert line.covered_since() == OPENED + 1.0


def test_a_ping_is_answered_with_its_own_payload(ends: Ends) -> None:
    line, server = ends
    server.control(Opcode.PING, b"1770123456789")
    line.receive(OPENED + 1)
    data = server._socket.recv(100)
    payload = bytes(byte ^ data[2 + i % 4] for i, byte in enumerate(data[6:]))
    assert (data[0], data[1], payload) == (0x8A, 0x80 | 13, b"1770123456789")


def test_what_came_before_the_end_is_handed_out(ends: Ends) -> None:
    line, server = ends
    server.text(UPDATE)
    server.control(Opcode.CLOSE, b"\x03\xf0Too many requests")
    batch = line.receive(OPENED + 1)
    assert batch is not None
    assert batch.payloads == [UPDATE]
    assert str(line.watch(OPENED + 1)) == "the exchange closed the connection with code 1008 (Too many requests)"


def test_after_a_pause_everything_counts_as_unheard_until_it_has_caught_up(ends: Ends) -> None:
    line, server = ends
    line.receive(OPENED + 1)
    line.pause(OPENED + 10)
    line.pause(OPENED + 12)
    line.resume(OPENED + 20)
    assert (line.heard_until, line.read_until(OPENED + 20)) == (OPENED + 10, OPENED + 10)
    for moment, heard_until in ((20, 10), (20.9, 10), (21, 21)):
        server.text(UPDATE)
        line.receive(OPENED + moment)
        assert line.heard_until == OPENED + heard_until
    assert line.read_until(OPENED + 30) == OPENED + 30


def test_a_read_that_leaves_something_behind_has_not_caught_up(ends: Ends, monkeypatch: pytest.MonkeyPatch) -> None:
    line, server = ends
    line.pause(OPENED + 10)
    monkeypatch.setattr(channel_module, "READ_BYTES", len(UPDATE))
    for moment in (20, 22, 24):
        server.text(UPDATE)
        line.receive(OPENED + moment)
    assert line.heard_until == OPENED + 10
