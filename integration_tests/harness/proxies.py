"""Real proxies on loopback: proxy.py for HTTP CONNECT as a process, tiny-proxy for SOCKS5 in a thread.

And one that answers as a test has it answer, for what no proxy in good order would do.
"""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
import tiny_proxy  # type: ignore[import-untyped]

STARTS_WITHIN = 30.0  # seconds


@dataclass
class Proxy:
    """Where a proxy listens, and to which `host:port` it was asked to connect."""

    port: int
    _asked: list[str] = field(default_factory=list)
    _log: Path | None = None

    @property
    def asked(self) -> list[str]:
        if self._log is None:
            return self._asked
        lines = [line for line in self._log.read_text().splitlines() if " CONNECT " in line]
        return [line.partition(" CONNECT ")[2].split()[0] for line in lines]


@contextmanager
def http_proxy(folder: Path, credentials: str | None = None) -> Iterator[Proxy]:
    """An HTTP proxy; `credentials` as `user:password`."""
    folder.mkdir(parents=True, exist_ok=True)
    port_file, log = folder / "port", folder / "log"
    command = [sys.executable, "-m", "proxy", "--hostname", "127.0.0.1", "--port", "0", "--port-file", str(port_file)]
    command += ["--num-acceptors", "1", "--num-workers", "1", "--log-file", str(log), "--log-level", "INFO"]
    if credentials:
        command += ["--basic-auth", credentials]
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + STARTS_WITHIN
        while not (port_file.exists() and port_file.read_text().strip()):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, "the proxy did not start"
            time.sleep(0.05)
        yield Proxy(int(port_file.read_text()), _log=log)
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)


class _Handler(tiny_proxy.Socks5ProxyHandler):  # type: ignore[misc]  # it has no types
    def __init__(self, asked: list[str], username: str | None, password: str | None) -> None:
        super().__init__(username, password)
        self._asked = asked

    def create_proxy(self, stream: Any) -> Any:
        proxy = super().create_proxy(stream)
        negotiate = proxy.negotiate

        async def noting() -> tuple[str, int]:
            host, port = await negotiate()
            self._asked.append(f"{host}:{port}")
            return host, port

        proxy.negotiate = noting
        return proxy


@contextmanager
def socks5_proxy(username: str | None = None, password: str | None = None) -> Iterator[Proxy]:
    """A SOCKS5 proxy, with or without credentials."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    proxy = Proxy(port)
    ready = threading.Event()
    scopes: list[anyio.CancelScope] = []

    async def serve() -> None:
        handler = _Handler(proxy._asked, username, password)
        with anyio.CancelScope() as scope:
            scopes.append(scope)
            async with await anyio.create_tcp_listener(local_host="127.0.0.1", local_port=port) as listener:
                ready.set()
                await listener.serve(handler.handle)

    token: list[Any] = []

    async def main() -> None:
        token.append(anyio.lowlevel.current_token())
        await serve()

    thread = threading.Thread(target=anyio.run, args=(main,), name="socks5 proxy", daemon=True)
    thread.start()
    assert ready.wait(STARTS_WITHIN), "the proxy did not start"
    try:
        yield proxy
    finally:
        anyio.from_thread.run_sync(scopes[0].cancel, token=token[0])
        thread.join(10)


class Client:
    """Who asks a scripted proxy; `over` is set at the end of the test."""

    def __init__(self, sock: socket.socket, over: threading.Event) -> None:
        self.socket = sock
        self.over = over

    def connect_request(self) -> None:
        """Reads a CONNECT request to its end."""
        request = b""
        while not request.endswith(b"\r\n\r\n"):
            request += self.socket.recv(1)

    def say(self, *pieces: bytes) -> None:
        """Sends the pieces, each in a segment of its own."""
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for piece in pieces:
            self.socket.sendall(piece)


@contextmanager
def scripted_proxy(talk: Callable[[Client], None]) -> Iterator[Proxy]:
    """A proxy that has `talk` with each client in a thread of its own, and closes the connection after it."""
    over = threading.Event()

    def serve(sock: socket.socket) -> None:
        with sock, contextlib.suppress(OSError):
            talk(Client(sock, over))

    def accept() -> None:
        while not over.is_set():
            with contextlib.suppress(TimeoutError):
                client, _ = listener.accept()
                client.settimeout(STARTS_WITHIN)
                threads.append(threading.Thread(target=serve, args=(client,), daemon=True))
                threads[-1].start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.1)
        threads = [threading.Thread(target=accept, name="scripted proxy", daemon=True)]
        threads[0].start()
        try:
            yield Proxy(listener.getsockname()[1])
        finally:
            over.set()
            for thread in threads:
                thread.join(STARTS_WITHIN)
