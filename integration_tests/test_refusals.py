"""No connection comes about: how long it is tried, and the sentence for each reason."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from local_exchange import LocalExchange
from source_binance_futures.binance.errors import (
    AddressRefused,
    BinanceError,
    LocationRefused,
    NothingHeard,
    Owner,
    RateLimited,
)
from source_binance_futures.binance.market_stream.line import Timing
from source_binance_futures.binance.transport.proxy import Route

from .harness.connector import INCREMENTAL, Connector, environment_at
from .harness.listening import Listener, free_port, listen_to

QUICK = Timing(connect=1.0)


@pytest.fixture
def exchange() -> Iterator[LocalExchange]:
    with LocalExchange(rate=200) as exchange:
        yield exchange


@pytest.mark.parametrize(
    ("status", "kind", "owner", "said"),
    [
        (451, LocationRefused, Owner.USER, "HTTP status 451. Binance does not serve the country or network"),
        (404, AddressRefused, Owner.USER, "refused the connection with HTTP status 404. Check the address"),
        (418, RateLimited, Owner.EXCHANGE, "banned"),
        (429, RateLimited, Owner.EXCHANGE, "too many requests"),
    ],
)
def test_what_no_waiting_mends_is_final_at_once(
    exchange: LocalExchange, status: int, kind: type[BinanceError], owner: Owner, said: str
) -> None:
    exchange.refuse(status, {"Retry-After": "3600"}, times=None)
    with listen_to(exchange, window=30) as listener:
        listener.wait_for(lambda: listener.failure)
    assert len(exchange.handshakes) == 1
    failure = listener.failure
    assert isinstance(failure, kind)
    assert failure.owner is owner
    assert said in str(failure)
    if isinstance(failure, RateLimited):
        assert time.strftime("%Y-%m-%d %H:%M", time.gmtime(failure.retry_at)) in str(failure)


def test_what_may_pass_is_tried_again(exchange: LocalExchange) -> None:
    exchange.refuse(503, times=1)
    with listen_to(exchange) as listener:
        listener.wait_for_updates()
    assert len(exchange.handshakes) == 2
    assert "HTTP status 503" in listener.warnings[0]
    assert listener.failure is None


@contextlib.contextmanager
def deaf_port() -> Iterator[int]:
    """Its queue of connections is full, so that another is neither taken nor refused."""
    with socket.socket() as server, contextlib.ExitStack() as waiting:
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        for _ in range(3):
            client = waiting.enter_context(socket.socket())
            client.setblocking(False)
            client.connect_ex(server.getsockname())
        yield server.getsockname()[1]


@contextlib.contextmanager
def other_service() -> Iterator[int]:
    """Something that listens, and is no WebSocket server: it says so and closes."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(20)
        server.settimeout(0.1)
        over = threading.Event()

        def serve() -> None:
            while not over.is_set():
                with contextlib.suppress(OSError), server.accept()[0] as client:
                    client.settimeout(1)
                    client.recv(4096)
                    client.sendall(b"220 mail.example ESMTP\r\n")

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            over.set()
            thread.join()


def sentence_for(url: str, route: Route | None = None) -> str:
    """What a whole window without a connection ends with."""
    with Listener(url, timing=QUICK, route=route) as listener:
        listener.wait_for(lambda: listener.warnings)
    assert listener.failure is None
    failure = listener.failure_of_window
    assert isinstance(failure, NothingHeard)
    assert failure.owner is Owner.EXCHANGE
    assert str(failure).startswith("No connection came about, in the whole listening window of ")
    assert listener.warnings[0].startswith("Connecting failed (attempt 1 in a row): ")
    assert listener.warnings[0].partition(": ")[2] in str(failure)
    (gap,) = listener.gaps
    assert gap.cause == str(failure).partition("seconds. ")[2].rstrip("."), "and the whole window is missing"
    return str(failure)


def test_each_reason_has_its_sentence(exchange: LocalExchange) -> None:
    with free_port() as free, deaf_port() as deaf, other_service() as other:
        secret = Route(f"http://user:secret@127.0.0.1:{free}")
        said = {
            "The address of no-such-host.invalid could not be found": sentence_for("wss://no-such-host.invalid"),
            f"127.0.0.1 could not be reached on port {free}: the connection was refused": sentence_for(
                f"ws://127.0.0.1:{free}"
            ),
            f"127.0.0.1 could not be reached on port {deaf}: no answer in time": sentence_for(f"ws://127.0.0.1:{deaf}"),
            "did not complete the WebSocket handshake": sentence_for(f"ws://127.0.0.1:{other}"),
            "The secure connection to 127.0.0.1 failed": sentence_for(f"wss://127.0.0.1:{exchange.port}"),
            f"The proxy http://127.0.0.1:{free} did not let the connection through: it could not be reached": (
                sentence_for(exchange.market_stream_url, secret)
            ),
        }
    assert [part for part, sentence in said.items() if part not in sentence or "secret" in sentence] == []


@pytest.mark.parametrize(("command", "debug"), [("check", True), ("read", True), ("read", False)])
def test_causes_are_for_debugging_only(connector: Connector, command: str, debug: bool) -> None:
    """Nobody listens at the address; `--debug` says which error of the system that was, and where it was met."""
    with free_port() as port:
        config = {"environment": environment_at(port), "listen_seconds": 3600}
        if command == "check":
            output = connector.run("check", config, debug=debug)
            assert output.status[0] == "FAILED"
        else:
            running = connector.start_read(config, book_tickers=INCREMENTAL, debug=debug)
            running.wait_for_text("Connecting failed (attempt 1 in a row)")
            running.process.terminate()
            output = running.finish()
    assert ("Caused by ConnectionRefusedError" in output.stdout) is debug
    assert "the connection was refused" in output.stdout
    assert "Traceback" not in output.stdout + output.stderr
