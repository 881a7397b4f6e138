"""A market stream that pushes updates as fast as the socket takes them, in a process of its own on loopback.

`python -m benchmarks.flood COUNT` prints its port, then serves each connection COUNT book tickers of ten COIN-M symbols
with rising update ids, and waits for the client to leave: wrapped as `/stream` sends them, bare at any other path.
`--certificate` is a PEM file with a key, for TLS; `--record-per-frame` writes one TLS record for each frame, as a
server does that writes each message by itself.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import trustme
from websockets.http11 import Request
from websockets.server import ServerProtocol

from local_exchange.streams import stream_frame
from source_binance_futures.binance.endpoints import own_stream

SYMBOLS = tuple(f"{base}USD_PERP" for base in ("BTC", "ETH", "SOL", "BNB", "XRP", "ADA", "DOT", "LTC", "LINK", "DOGE"))
FIRST_UPDATE_ID = 11_660_000_000_000
BLOCK = 1000  # updates in one write
READ_BYTES = 1 << 16
ROOT = Path(__file__).resolve().parent.parent


Encryption = Literal["none", "records of 16 KiB", "a record for each frame"]


def payload(symbol: str) -> bytes:
    """An update with the first id."""
    return (
        f'{{"e":"bookTicker","u":{FIRST_UPDATE_ID},"s":"{symbol}","ps":"{symbol[:-5]}","b":"83732.4","B":"680",'
        '"a":"83732.5","A":"2458","T":1790373637547,"E":1790373637547,"st":2}'
    ).encode()


def blocks(count: int, *, wrapped: bool) -> Iterator[list[bytes]]:
    """The frames of `count` updates, a thousand to a block, made from one pattern: all ids are as long."""
    each = [stream_frame(own_stream(symbol), payload(symbol), wrapped=wrapped) for symbol in SYMBOLS]
    heads = each * (BLOCK // len(SYMBOLS))
    pattern = b"".join(heads).replace(b"%", b"%%").replace(str(FIRST_UPDATE_ID).encode(), b"%d")
    stops = list(itertools.accumulate(map(len, heads)))
    for first in range(FIRST_UPDATE_ID, FIRST_UPDATE_ID + count, BLOCK):
        whole = pattern % tuple(range(first, first + BLOCK))
        yield [whole[start:stop] for start, stop in itertools.pairwise([0, *stops])]


class Client:
    """One connection, with TLS through memory where there is a context: how frames fall into records is ours then."""

    def __init__(self, sock: socket.socket, context: ssl.SSLContext | None, *, record_per_frame: bool) -> None:
        self._socket = sock
        self._received, self._to_send = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = None if context is None else context.wrap_bio(self._received, self._to_send, server_side=True)
        self._record_per_frame = record_per_frame

    def shake_hands(self) -> str:
        """Both handshakes; the path that was asked for."""
        while self._tls is not None:
            with contextlib.suppress(ssl.SSLWantReadError):
                self._tls.do_handshake()
                break
            self._take_more()
        protocol = ServerProtocol()
        while not (requests := protocol.events_received()):
            protocol.receive_data(self.receive())
        (request,) = requests
        assert isinstance(request, Request)
        protocol.send_response(protocol.accept(request))
        self.send(protocol.data_to_send())
        return request.path

    def receive(self) -> bytes:
        """What comes next; empty at the end."""
        while self._tls is not None:
            with contextlib.suppress(ssl.SSLWantReadError):
                return self._tls.read(READ_BYTES)
            self._take_more()
        return self._socket.recv(READ_BYTES)

    def _take_more(self) -> None:
        """Raises `ConnectionError` at the end."""
        self._flush()
        data = self._socket.recv(READ_BYTES)
        if not data:
            raise ConnectionError("the client left")
        self._received.write(data)

    def send(self, frames: list[bytes]) -> None:
        if self._tls is None:
            self._socket.sendall(b"".join(frames))
            return
        for piece in frames if self._record_per_frame else [b"".join(frames)]:
            self._tls.write(piece)  # longer pieces fall into records of 16 KiB
        self._flush()

    def _flush(self) -> None:
        self._socket.sendall(self._to_send.read())


def serve(client: Client, count: int) -> None:
    with contextlib.suppress(OSError, StopIteration):
        wrapped = client.shake_hands().startswith("/stream")
        for frames in blocks(count, wrapped=wrapped):
            client.send(frames)
        while client.receive():
            pass


@dataclass(frozen=True)
class Flood:
    """Where updates come from, and the environment variables with which its certificate is trusted."""

    url: str
    variables: dict[str, str] = field(default_factory=dict)

    @property
    def streams_url(self) -> str:
        """All ten contracts by their own streams."""
        return f"{self.url}/stream?streams={'/'.join(map(own_stream, SYMBOLS))}"


@contextmanager
def flood(count: int, folder: Path, encryption: Encryption = "none") -> Iterator[Flood]:
    """A flooding market stream in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.flood", str(count)]
    variables = {}
    if encryption != "none":
        authority = trustme.CA()
        trusted, certificate = folder / "authority.pem", folder / "certificate.pem"
        authority.cert_pem.write_to_path(str(trusted))
        authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(str(certificate))
        variables["SSL_CERT_FILE"] = str(trusted)
        command += ["--certificate", str(certificate)]
    if encryption == "a record for each frame":
        command.append("--record-per-frame")
    server = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE)
    assert server.stdout is not None
    try:
        port = int(server.stdout.readline())
        yield Flood(f"ws://127.0.0.1:{port}" if encryption == "none" else f"wss://localhost:{port}", variables)
    finally:
        server.terminate()
        server.wait(timeout=10)
        server.stdout.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("count", type=int)
    parser.add_argument("--certificate", help="PEM file with certificate and key")
    parser.add_argument("--record-per-frame", action="store_true")
    arguments = parser.parse_args()
    context = None
    if arguments.certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(arguments.certificate)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        print(listener.getsockname()[1], flush=True)
        while True:
            client = Client(listener.accept()[0], context, record_per_frame=arguments.record_per_frame)
            threading.Thread(target=serve, args=(client, arguments.count), daemon=True).start()


if __name__ == "__main__":
    main()
