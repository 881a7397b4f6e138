"""Two ends of a real connection on loopback, plain or encrypted; and a stream in memory, for bytes without end."""

from __future__ import annotations

import base64
import functools
import hashlib
import re
import socket
import ssl
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from types import SimpleNamespace
from typing import cast

import trustme

from source_binance_futures.binance.clock import Clock, Deadline
from source_binance_futures.binance.transport.proxy import Route
from source_binance_futures.binance.transport.sockets import ByteStream, EndOfStream
from source_binance_futures.binance.transport.tls import TlsStream

PATIENCE = 20.0  # seconds that a busy machine may take for what is due at once


def begin(function: Callable[..., object], *arguments: object) -> threading.Thread:
    """Call it in a thread of its own, which has begun."""
    thread = threading.Thread(target=function, args=arguments, daemon=True)
    thread.start()
    return thread


@contextmanager
def tcp_ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    """The client's and the server's end."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname())
        server, _ = listener.accept()
    server.settimeout(PATIENCE)
    with closing(client), closing(server):
        yield client, server


@contextmanager
def plain_stream() -> Iterator[tuple[ByteStream, socket.socket]]:
    with tcp_ends() as (client, server):
        stream = ByteStream(client)
        with closing(stream):
            yield stream, server


@contextmanager
def tls_stream() -> Iterator[tuple[TlsStream, ssl.SSLSocket]]:
    """An encrypted stream, and the server's end of it; each `sendall` of the server's makes TLS records of its own.

    To the server an end that TLS does not announce is an error.
    """
    for_server, for_client = _contexts()
    with tcp_ends() as (client, server):
        encrypted: list[ssl.SSLSocket] = []

        def serve() -> None:
            encrypted.append(for_server.wrap_socket(server, server_side=True, suppress_ragged_eofs=False))

        thread = begin(serve)
        stream = TlsStream(client, for_client, "localhost", Clock().deadline(PATIENCE))
        thread.join(PATIENCE)
        with suppress(BlockingIOError):
            stream.take()  # the tickets of TLS 1.3
        with closing(stream), closing(encrypted[0]):
            yield stream, encrypted[0]


@functools.cache
def _contexts() -> tuple[ssl.SSLContext, ssl.SSLContext]:
    authority = trustme.CA()
    for_server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(for_server)
    for_client = ssl.create_default_context()
    authority.configure_trust(for_client)
    return for_server, for_client


class ScriptedStream(ByteStream):
    """A stream in memory: what is sent to it is kept, and what it was made with is received, in pieces as given.

    Then the stream ends, or nothing more comes until the deadline, with `ends=False`.
    """

    def __init__(self, pieces: Iterable[bytes], *, ends: bool = True) -> None:
        self.sent = b""
        self.received = 0
        self.is_closed = False
        self._pieces = iter(pieces)
        self._held = b""
        self._ends = ends

    def receive(self, size: int, deadline: Deadline) -> bytes:
        deadline.timeout()
        while not self._held:
            piece = next(self._pieces, None)
            if piece is None:
                raise EndOfStream if self._ends else TimeoutError
            self._held = piece
        piece, self._held = self._held[:size], self._held[size:]
        self.received += len(piece)
        return piece

    def take(self) -> tuple[bytes, bool]:
        data = self._held + next(self._pieces, b"")
        self._held = b""
        if not data:
            raise EndOfStream if self._ends else BlockingIOError
        return data, True

    def send(self, data: bytes, deadline: Deadline) -> None:
        deadline.timeout()
        self.sent += data

    def leave(self, last_words: bytes, clock: Clock) -> None:  # noqa: ARG002
        self.sent += last_words
        self.close()

    def close(self) -> None:
        self.is_closed = True

    def fileno(self) -> int:
        return -1


class AnsweringServer(ScriptedStream):
    """Sends `answer(accept)`, in pieces, once the whole request of a handshake is there."""

    def __init__(self, answer: Callable[[str], Iterable[bytes]], *, ends: bool = True) -> None:
        def pieces() -> Iterator[bytes]:
            assert self.sent.endswith(b"\r\n\r\n")
            yield from answer(accept_for(self.sent))

        super().__init__(pieces(), ends=ends)


def route_to(stream: ByteStream) -> Route:
    """A route that leads to this stream, whatever the address."""
    return cast(Route, SimpleNamespace(open=lambda *_: stream))


def frame(opcode: int, payload: bytes = b"", *, final: bool = True) -> bytes:
    """As a server sends it, sound or not: a control frame may be too long or a fragment."""
    size = len(payload)
    length = bytes([size]) if size < 126 else b"\x7e" + size.to_bytes(2, "big")
    return bytes([opcode | 0x80 * final]) + length + payload


def accept_for(request: bytes) -> str:
    """What RFC 6455 section 4.2.2 has the server answer."""
    found = re.search(rb"Sec-WebSocket-Key: (\S+)\r\n", request)
    assert found
    assert len(base64.b64decode(found[1])) == 16
    digest = hashlib.sha1(found[1] + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()
    return base64.b64encode(digest).decode()
