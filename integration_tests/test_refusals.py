"""No connection comes about: how long it is tried, and the sentence for each reason."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from local_exchange import LocalExchange
from source_binance_futures.binance.errors import AddressRefused, LocationRefused, NothingHeard, Owner, RateLimited
from source_binance_futures.binance.market_stream.line import Timing
from source_binance_futures.binance.transport.proxy import Route

from .harness.connector import INCREMENTAL, Connector
from .harness.listening import Listener, free_port, listen_to

QUICK = Timing(connect=1.0)


def handshakes(exchange: LocalExchange) -> int:
    return len(exchange.handshakes)


@pytest.fixture
def exchange() -> Iterator[LocalExchange]:
    with LocalExchange(rate=200) as exchange:
        yield exchange


def test_451_is_final_at_once_and_says_what_it_means(exchange: LocalExchange) -> None:
    exchange.refuse(451, times=None)
    with listen_to(exchange) as listener:
        listener.wait_for(lambda: listener.failure)
        assert handshakes(exchange) == 1
    assert isinstance(listener.failure, LocationRefused)
    assert listener.failure.owner is Owner.USER
    assert "does not serve the country or network" in str(listener.failure)
    assert "HTTP status 451" in str(listener.failure)


@pytest.mark.parametrize("status", [418, 429])
def test_a_limit_is_waited_for_within_the_window(exchange: LocalExchange, status: int) -> None:
    exchange.refuse(status, {"Retry-After": "2"})
    with listen_to(exchange) as listener:
        listener.wait_for_updates()
    assert handshakes(exchange) == 2
    assert listener.failure is None
    assert "answers again after" in listener.warnings[0]


@pytest.mark.parametrize(("status", "what"), [(418, "banned"), (429, "too many requests")])
def test_a_limit_beyond_the_window_ends_the_sync_and_names_the_time(
    exchange: LocalExchange, status: int, what: str
) -> None:
    exchange.refuse(status, {"Retry-After": "3600"}, times=None)
    began = time.time()
    with listen_to(exchange, window=30) as listener:
        listener.wait_for(lambda: listener.failure)
        assert handshakes(exchange) == 1
    failure = listener.failure
    assert isinstance(failure, RateLimited)
    assert failure.owner is Owner.EXCHANGE
    assert began - 1 < failure.retry_at - 3600 < time.time() + 1
    assert what in str(failure)
    assert time.strftime("%Y-%m-%d %H:%M", time.gmtime(failure.retry_at)) in str(failure)


@pytest.mark.parametrize("status", [400, 401, 404, 405, 426])
def test_what_only_another_address_mends_is_final_at_once(exchange: LocalExchange, status: int) -> None:
    exchange.refuse(status, times=None)
    with listen_to(exchange) as listener:
        listener.wait_for(lambda: listener.failure)
        assert handshakes(exchange) == 1
    assert isinstance(listener.failure, AddressRefused)
    assert listener.failure.owner is Owner.USER
    assert f"refused the connection with HTTP status {status}. Check the address" in str(listener.failure)


@pytest.mark.parametrize("status", [403, 408, 500, 503])
def test_what_may_pass_is_tried_again_ever_later(exchange: LocalExchange, status: int) -> None:
    exchange.refuse(status, times=2)
    with listen_to(exchange) as listener:
        listener.wait_for_updates()
    assert handshakes(exchange) == 3
    assert f"HTTP status {status}" in listener.warnings[0]
    assert listener.failure is None


def test_a_slow_handshake_is_waited_for(exchange: LocalExchange) -> None:
    exchange.slow_handshake(1.0)
    with listen_to(exchange) as listener:
        listener.wait_for_updates()
    assert handshakes(exchange) == 1
    assert listener.gaps == []


def test_a_handshake_beyond_its_deadline_is_left(exchange: LocalExchange) -> None:
    exchange.slow_handshake(30)
    with listen_to(exchange, timing=QUICK) as listener:
        listener.wait_for_updates()
    assert "did not complete the WebSocket handshake: no answer in time" in listener.warnings[0]


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
        time.sleep(0.1)
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
    with Listener(url, window=1.6, timing=QUICK, route=route) as listener:
        listener.wait_for(lambda: listener.warnings)
    assert listener.failure is None
    failure = listener.failure_of_window
    assert isinstance(failure, NothingHeard)
    assert failure.owner is Owner.EXCHANGE
    assert str(failure).startswith("No connection came about, in the whole listening window of ")
    assert listener.warnings[0].startswith("Connecting failed (attempt 1 in a row): ")
    assert listener.warnings[0].partition(": ")[2] in str(failure)
    (gap,) = listener.gaps
    assert gap.cause == str(failure).partition("seconds. ")[2].rstrip("."), "and the whole window is told as missing"
    return str(failure)


def test_a_name_without_an_address() -> None:
    assert "The address of no-such-host.invalid could not be found" in sentence_for("wss://no-such-host.invalid")


def test_a_refused_connection() -> None:
    with free_port() as port:
        told = sentence_for(f"ws://127.0.0.1:{port}")
    assert f"127.0.0.1 could not be reached on port {port}: the connection was refused" in told


def test_a_connection_that_is_never_answered() -> None:
    with deaf_port() as port:
        told = sentence_for(f"ws://127.0.0.1:{port}")
    assert f"127.0.0.1 could not be reached on port {port}: no answer in time" in told


def test_something_that_is_no_websocket_server() -> None:
    with other_service() as port:
        assert "did not complete the WebSocket handshake" in sentence_for(f"ws://127.0.0.1:{port}")


def test_a_server_without_tls(exchange: LocalExchange) -> None:
    told = sentence_for(f"wss://127.0.0.1:{exchange.port}")
    assert "The secure connection to 127.0.0.1 failed" in told


def test_an_address_that_the_server_does_not_know(exchange: LocalExchange) -> None:
    with Listener(f"{exchange.market_stream_url}/nothing-here") as listener:
        listener.wait_for(lambda: listener.failure)
    assert isinstance(listener.failure, AddressRefused)
    assert listener.failure.status == 404


def test_a_proxy_that_is_not_there(exchange: LocalExchange) -> None:
    with free_port() as port:
        told = sentence_for(exchange.market_stream_url, Route(f"http://user:secret@127.0.0.1:{port}"))
    assert f"The proxy http://127.0.0.1:{port} did not let the connection through: it could not be reached" in told
    assert "secret" not in told


@pytest.mark.parametrize("command", ["check", "read"])
@pytest.mark.parametrize("debug", [False, True])
def test_causes_are_for_debugging_only(connector: Connector, command: str, debug: bool) -> None:
    """Nobody listens at the address; `--debug` says which error of the system that was, and where it was met."""
    with free_port() as port:
        environment = {"name": "custom", "market_stream_url": f"ws://127.0.0.1:{port}"}
        environment["websocket_api_url"] = f"ws://127.0.0.1:{port}/ws-fapi/v1"
        config: dict[str, object] = {"environment": environment, "listen_seconds": 1}
        if command == "check":
            output = connector.run("check", config, debug=debug)
            assert output.status[0] == "FAILED"
        else:
            output = connector.read(config, book_tickers=INCREMENTAL, debug=debug)
            assert output.errors
            assert not any(error.get("stack_trace") for error in output.errors)
    assert ("Caused by ConnectionRefusedError" in output.stdout) is debug
    assert "the connection was refused" in output.stdout
    assert "Traceback" not in output.stdout + output.stderr
