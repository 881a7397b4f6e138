"""Channels over real sockets: all that has arrived is taken, and the last words arrive."""

from __future__ import annotations

import array
import contextlib
import fcntl
import select
import socket
import ssl
import struct
import termios
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import pytest

from source_binance_futures.binance.clock import Clock
from source_binance_futures.binance.transport import sockets as sockets_module
from source_binance_futures.binance.transport import tls as tls_module
from source_binance_futures.binance.transport.sockets import ByteStream, EndOfStream
from source_binance_futures.binance.transport.tls import TlsStream

from .sockets import PATIENCE, begin, plain_stream, tls_stream

Ends = tuple[ByteStream, socket.socket]
KINDS: dict[str, Callable[[], AbstractContextManager[Ends]]] = {"plain": plain_stream, "tls": tls_stream}


@pytest.fixture(params=KINDS)
def ends(request: pytest.FixtureRequest) -> Iterator[Ends]:
    with KINDS[request.param]() as found:
        yield found


def wait_until(happened: Callable[[], object]) -> None:
    deadline = Clock().deadline(PATIENCE)
    while not happened():
        assert not deadline.expired
        time.sleep(0.001)


def wait_for_bytes(stream: ByteStream, count: int) -> None:
    """Waits until so many have arrived at the socket; over TLS, encrypted ones."""
    waiting = array.array("i", [0])
    wait_until(lambda: fcntl.ioctl(stream.fileno(), termios.FIONREAD, waiting) or waiting[0] >= count)


def taken(stream: ByteStream, size: int) -> list[tuple[bytes, bool]]:
    """What `take` hands out until so many bytes have come."""
    found: list[tuple[bytes, bool]] = []

    def take() -> bool:
        with contextlib.suppress(BlockingIOError):
            found.append(stream.take())
        return sum(len(data) for data, _ in found) >= size

    wait_until(take)
    return found


def ending(stream: ByteStream) -> OSError:
    """What `take` raises once nothing more comes."""
    found: list[OSError] = []

    def take() -> list[OSError]:
        try:
            stream.take()
        except BlockingIOError:
            pass
        except OSError as error:
            found.append(error)
        return found

    wait_until(take)
    return found[0]


def test_an_end_is_seen_without_taking_anything(ends: Ends) -> None:
    stream, server = ends
    with contextlib.suppress(BlockingIOError):
        stream.take()  # the tickets of TLS 1.3, if they came in later than the handshake
    with pytest.raises(BlockingIOError):
        stream.take()
    assert not stream.holds_bytes
    assert not stream.has_ended()
    server.sendall(b"the last")
    wait_for_bytes(stream, 8)
    assert not stream.has_ended(), "something is left to take"
    assert taken(stream, 8) == [(b"the last", True)]
    server.shutdown(socket.SHUT_WR)
    wait_until(stream.has_ended)
    assert isinstance(ending(stream), EndOfStream)


def test_a_reset_is_an_end(ends: Ends) -> None:
    stream, server = ends
    server.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    server.close()
    wait_until(stream.has_ended)
    assert isinstance(ending(stream), ConnectionResetError), "and is reported as one afterwards"


def test_many_small_pieces_are_taken_at_once(ends: Ends) -> None:
    """Over TLS each of them is a record of its own."""
    stream, server = ends
    pieces = [b"%04d" % number * 40 for number in range(1000)]
    for piece in pieces:
        server.sendall(piece)
    wait_for_bytes(stream, 100_000)
    found = taken(stream, 160_000)
    assert b"".join(data for data, _ in found) == b"".join(pieces)
    assert len(found[0][0]) > 80_000
    assert all(drained for _, drained in found)


def test_what_is_too_much_for_one_read_is_said_to_be_left(ends: Ends, monkeypatch: pytest.MonkeyPatch) -> None:
    stream, server = ends
    limit, size = 32 * 1024, 2**20 + 100
    for module in (sockets_module, tls_module):
        monkeypatch.setattr(module, "READ_BYTES", limit)
    sender = begin(server.sendall, b"x" * size)
    wait_for_bytes(stream, 2 * limit)
    found = taken(stream, size)
    sender.join(PATIENCE)
    assert b"".join(data for data, _ in found) == b"x" * size
    assert not found[0][1]
    assert found[-1][1]
    assert max(len(data) for data, _ in found) <= limit + 16 * 1024


def test_what_came_before_the_end_is_handed_out_first(ends: Ends) -> None:
    stream, server = ends
    server.sendall(b"last")
    server.shutdown(socket.SHUT_WR)
    assert b"".join(data for data, _ in taken(stream, 4)) == b"last"
    assert isinstance(ending(stream), EndOfStream)
    assert isinstance(ending(stream), EndOfStream), "and it stays so"


def test_the_end_that_tls_announces_is_the_end() -> None:
    """With the socket below still open: `select` would say nothing any more."""
    with tls_stream() as (stream, server):
        server.sendall(b"last")
        server.settimeout(0)
        with pytest.raises(ssl.SSLWantReadError):  # it has said its goodbye, and waits for ours
            server.unwrap()
        wait_for_bytes(stream, 4 + 22 + 24)
        assert b"".join(data for data, _ in taken(stream, 4)) == b"last"
        assert stream.holds_bytes
        with pytest.raises(EndOfStream):
            stream.take()
        assert stream.has_ended()


def test_what_the_handshake_read_too_much_is_known_to_be_held() -> None:
    with tls_stream() as (stream, server):
        server.sendall(b"\n")
        server.sendall(b"frame" * 100)
        wait_for_bytes(stream, 1 + 22 + 500 + 22)
        assert stream.receive(1, Clock().deadline(PATIENCE)) == b"\n"
        assert stream.holds_bytes
        assert stream.take() == (b"frame" * 100, True)
        assert not stream.holds_bytes


def test_bytes_that_are_no_tls_break_the_connection_after_what_was_sound() -> None:
    with tls_stream() as (stream, server):
        server.sendall(b"sound")
        with socket.socket(fileno=server.detach()) as raw:
            raw.sendall(b"\x00" * 100)
            wait_for_bytes(stream, 100)
            assert b"".join(data for data, _ in taken(stream, 5)) == b"sound"
            error = ending(stream)
    assert isinstance(error, ssl.SSLError)
    assert not isinstance(error, ssl.SSLWantReadError)


def test_all_of_it_is_sent_however_slowly_it_is_read(ends: Ends) -> None:
    """Buffers are full, and nothing is read before."""
    stream, server = ends
    size = 8 * 2**20
    received: list[int] = []

    def read() -> None:
        wait_until(lambda: not select.select([], [stream], [], 0)[1])
        while sum(received) < size:
            received.append(len(server.recv(2**20)))

    reader = begin(read)
    stream.send(b"x" * size, Clock().deadline(PATIENCE))
    reader.join(PATIENCE)
    assert sum(received) == size


def test_sending_to_one_who_does_not_read_ends_at_the_deadline(ends: Ends) -> None:
    stream, _ = ends
    with pytest.raises(TimeoutError):
        stream.send(b"x" * 64 * 2**20, Clock().deadline(0.5))


def test_one_deadline_is_for_all_of_what_trickles_in() -> None:
    """A TLS record that comes byte by byte: each byte would start a timeout of its own anew."""
    with tls_stream() as (stream, server):
        over = threading.Event()
        incoming = b"\x17\x03\x03\x40\x00"  # it lasts half an hour
        with socket.socket(fileno=server.detach()) as raw:

            def trickle() -> None:
                raw.sendall(incoming)
                while not over.wait(0.1):
                    raw.sendall(b"x")

            thread = begin(trickle)
            with pytest.raises(TimeoutError):
                stream.receive(1, Clock().deadline(0.5))
            over.set()
            thread.join(PATIENCE)


@pytest.mark.parametrize("kind", KINDS)
def test_the_last_words_arrive_although_much_is_unread(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that reads late: a reset would have thrown away what it had not read. Then comes the end, at once."""
    monkeypatch.setattr(sockets_module, "LINGER_SECONDS", 1e6)  # nothing is waited for
    with KINDS[kind]() as (stream, server):
        sender = begin(server.sendall, b"x" * 4 * 2**20)
        wait_for_bytes(stream, 10_000)
        stream.leave(b"goodbye", Clock())
        assert stream.fileno() == -1
        sender.join(PATIENCE)
        assert not sender.is_alive()
        heard = b""
        while piece := server.recv(100):
            heard += piece
        assert heard == b"goodbye"


@pytest.mark.parametrize(
    ("seconds", "size", "piece", "pause"),
    [
        pytest.param(1.0, 2**30, b"x", 0.02, id="for a second and no longer"),
        pytest.param(PATIENCE, 1000, b"x" * 2**20, 0.0, id="a limited number of bytes"),
    ],
)
def test_leaving_reads_off(
    seconds: float, size: int, piece: bytes, pause: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until the other end is turned away: a reset."""
    monkeypatch.setattr(sockets_module, "LINGER_SECONDS", seconds)
    monkeypatch.setattr(sockets_module, "LINGER_BYTES", size)
    with plain_stream() as (stream, server):
        stream.leave(b"", Clock())
        deadline, count = Clock().deadline(PATIENCE), 0
        with contextlib.suppress(ConnectionError):
            while True:
                assert not deadline.expired
                server.sendall(piece)
                count += 1
                time.sleep(pause)
    assert count > 5 if len(piece) == 1 else count < 64


def test_leaving_needs_no_thread_to_be_had(ends: Ends, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    stream, server = ends
    monkeypatch.setattr(threading.Thread, "start", fail)
    stream.leave(b"goodbye", Clock())
    assert server.recv(100) == b"goodbye"
    assert isinstance(stream, TlsStream) or server.recv(100) == b""
