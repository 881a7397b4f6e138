"""Through real proxies: which one is used, what is said where it refuses, and that no password ever shows."""

from __future__ import annotations

import base64
import contextlib
import json
import logging
import socket
from collections.abc import Iterator
from urllib.parse import quote

import pytest

from local_exchange import LocalExchange
from source_binance_futures import check
from source_binance_futures.binance.clock import Clock, Stop
from source_binance_futures.binance.errors import ProxyFailed
from source_binance_futures.binance.market_stream.reader import MarketStream
from source_binance_futures.binance.transport.proxy import Route
from source_binance_futures.binance.websocket_api.client import WebSocketApi
from source_binance_futures.binance.websocket_api.prices import WeightBudget
from source_binance_futures.config import Config
from unit_tests.virtual_time import VirtualTime

from .harness.connector import DEADLINE, INCREMENTAL, Connector, Output
from .harness.listening import Listener, free_port
from .harness.proxies import STARTS_WITHIN, Client, Proxy, http_proxy, scripted_proxy, socks5_proxy

ELSEWHERE = "127.1"  # this machine, but not written as such: the environment's proxies are for it too
USER = "us er"
PASSWORD = "p@ss/w:rd%1-Geheim"
CREDENTIALS = f"{quote(USER)}:{quote(PASSWORD, safe='')}"
PROXY_VARIABLES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


@pytest.fixture
def exchange(monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalExchange]:
    """And an environment without proxies of its own."""
    for name in PROXY_VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    with LocalExchange(rate=300, sample_every=None, mix_usds_margined=False) as exchange:
        yield exchange


@pytest.fixture(scope="module")
def http(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    with http_proxy(tmp_path_factory.mktemp("http")) as proxy:
        yield proxy


@pytest.fixture
def plain(http: Proxy, socks: Proxy) -> dict[str, Proxy]:
    return {"http": http, "socks": socks}


@pytest.fixture(scope="module")
def guarded_http(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    with http_proxy(tmp_path_factory.mktemp("guarded"), f"{USER}:{PASSWORD}") as proxy:
        yield proxy


@pytest.fixture(scope="module")
def socks() -> Iterator[Proxy]:
    with socks5_proxy() as proxy:
        yield proxy


@pytest.fixture(scope="module")
def guarded_socks() -> Iterator[Proxy]:
    with socks5_proxy(USER, PASSWORD) as proxy:
        yield proxy


def hide_and_seek(output: Output) -> None:
    """No form of the credentials stands in anything that the process wrote."""
    written = output.stdout + output.stderr
    basic = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    forms = [PASSWORD, quote(PASSWORD), quote(PASSWORD, safe=""), json.dumps(PASSWORD), basic, "Geheim", quote(USER)]
    assert [form for form in forms if form in written] == []


def config(exchange: LocalExchange, proxy_url: str | None) -> dict[str, object]:
    environment = {"environment": exchange.environment(), "listen_seconds": 20, "max_book_tickers": 20}
    return environment | ({"proxy_url": proxy_url} if proxy_url else {})


@pytest.mark.parametrize("scheme", ["http", "socks5"])
def test_both_streams_come_through_a_proxy_with_credentials(
    connector: Connector, exchange: LocalExchange, guarded_http: Proxy, guarded_socks: Proxy, scheme: str
) -> None:
    proxy = guarded_http if scheme == "http" else guarded_socks
    asked = len(proxy.asked)
    url = f"{scheme}://{CREDENTIALS}@127.0.0.1:{proxy.port}"
    output = connector.read(config(exchange, url), book_tickers=INCREMENTAL, symbol_prices="full_refresh", debug=True)
    assert output.exit_code == 0
    assert len(output.updates) == 20
    assert output.records("symbol_prices")
    exchange.wait_for(lambda: len(proxy.asked) >= asked + 2, 10)
    assert set(proxy.asked[asked:]) == {f"127.0.0.1:{exchange.port}"}
    hide_and_seek(output)


@pytest.mark.parametrize("scheme", ["http", "socks5h"])
def test_a_wrong_password_is_reported_and_not_shown(
    connector: Connector, exchange: LocalExchange, guarded_http: Proxy, guarded_socks: Proxy, scheme: str
) -> None:
    port = (guarded_http if scheme == "http" else guarded_socks).port
    wrong = f"{quote(USER)}:{quote(PASSWORD + 'x', safe='')}"
    output = connector.run("check", config(exchange, f"{scheme}://{wrong}@127.0.0.1:{port}"), debug=True)
    status, sentence = output.status
    assert status == "FAILED"
    assert f"The proxy {scheme}://127.0.0.1:{port} did not let the connection through" in sentence
    assert "user and password" in sentence
    assert "it asks for a user and password, or refuses these" in sentence
    assert exchange.handshakes == []
    hide_and_seek(output)


def test_check_does_not_quote_what_it_did_not_foresee(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise ValueError(PASSWORD)

    monkeypatch.setattr(MarketStream, "_turn", fail)
    monkeypatch.setattr(WebSocketApi, "latest_prices", fail)
    of_stream, prices = check.Check(Config(), Stop(Clock()), logging.getLogger("check"), WeightBudget()).failures()
    assert "failed while checking book_tickers (ValueError). Please report it." in of_stream
    assert "failed while checking symbol_prices (ValueError)" in prices
    assert "in fail" in caplog.text, "the log says where it happened"
    assert "Geheim" not in caplog.text + of_stream + prices


def test_a_dead_proxy_of_the_environment_is_named_and_not_shown(connector: Connector, exchange: LocalExchange) -> None:
    with free_port() as port:
        variables = {"ALL_PROXY": f"http://{CREDENTIALS}@127.0.0.1:{port}"}
        environment = exchange.environment() | {"market_stream_url": f"wss://{ELSEWHERE}:{exchange.port}"}
        settings = config(exchange, None) | {"listen_seconds": 3600, "environment": environment}
        running = connector.start_read(settings, book_tickers=INCREMENTAL, debug=True, variables=variables)
        running.wait_for_text(f"The proxy http://127.0.0.1:{port} did not let the connection through: it could not be")
        running.process.terminate()
        hide_and_seek(running.finish())


def listens(exchange: LocalExchange, route: Route | None = None, host: str = "127.0.0.1") -> None:
    with Listener(f"ws://{host}:{exchange.port}", pushed=exchange.pushed, route=route) as listener:
        listener.wait_for_updates(10)
    assert listener.warnings == []


@pytest.mark.parametrize(
    ("variables", "proxies"),
    [
        ({}, (None, None)),
        ({"HTTP_PROXY": "http"}, (None, "http")),
        ({"http_proxy": "http"}, (None, "http")),
        ({"HTTPS_PROXY": "socks"}, (None, None)),  # which is for encrypted addresses
        ({"all_proxy": "http"}, (None, "http")),
        ({"ALL_PROXY": "socks", "HTTP_PROXY": "http"}, (None, "http")),
        ({"ALL_PROXY": "socks", "NO_PROXY": ELSEWHERE}, (None, None)),
        ({"ALL_PROXY": "socks", "NO_PROXY": "*"}, (None, None)),
        ({"ALL_PROXY": "socks", "NO_PROXY": f"example.com,{ELSEWHERE}"}, (None, None)),
        # The one of the configuration wins over the environment.
        ({"ALL_PROXY": "http", "HTTP_PROXY": "http"}, ("socks", "socks")),
        ({"ALL_PROXY": "http", "NO_PROXY": "*"}, ("socks", "socks")),
    ],
)
def test_which_proxy_is_used(
    exchange: LocalExchange,
    plain: dict[str, Proxy],
    monkeypatch: pytest.MonkeyPatch,
    variables: dict[str, str],
    proxies: tuple[str | None, str | None],
) -> None:
    """`proxies` are the one of the configuration, and the one that is used."""
    own, used = proxies
    urls = {"http": f"http://127.0.0.1:{plain['http'].port}", "socks": f"socks5h://127.0.0.1:{plain['socks'].port}"}
    for variable, value in variables.items():
        monkeypatch.setenv(variable, urls.get(value, value))
    address = f"{ELSEWHERE}:{exchange.port}"
    before = {name: proxy.asked.count(address) for name, proxy in plain.items()}  # an older exchange had this port, too
    listens(exchange, Route(urls[own] if own else None), ELSEWHERE)

    def asked() -> list[str]:
        return [name for name, proxy in plain.items() if proxy.asked.count(address) > before[name]]

    if used == "http":  # which writes its log later
        exchange.wait_for(asked, DEADLINE)
    assert asked() == [used] * bool(used)


@pytest.mark.usefixtures("exchange")
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "LocalHost"])
def test_the_environments_proxy_is_not_for_this_machine(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    with free_port() as nobody, socket.create_server((host, 0)) as server:
        for variable in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(variable, f"http://127.0.0.1:{nobody}")
        url = f"ws://{host}:{server.getsockname()[1]}"
        server.settimeout(10)
        with contextlib.closing(Route().open(url, Clock().deadline(5))), server.accept()[0]:
            pass
        with pytest.raises(ProxyFailed):
            Route(f"http://127.0.0.1:{nobody}").open(url, Clock().deadline(5))


def test_socks5h_leaves_the_look_up_of_a_name_to_the_proxy(exchange: LocalExchange, socks: Proxy) -> None:
    listens(exchange, Route(f"socks5h://127.0.0.1:{socks.port}"), "localhost")
    assert f"localhost:{exchange.port}" in socks.asked


@pytest.mark.parametrize("scheme", ["http", "socks5h"])
def test_one_deadline_is_for_the_whole_answer(exchange: LocalExchange, scheme: str) -> None:
    """A byte comes every 0.15 seconds of a virtual clock; none of them begins the time anew."""
    time = VirtualTime()

    def talk(client: Client) -> None:
        if scheme == "http":
            client.connect_request()
            client.say(b"HTTP/1.1 200 OK\r\n")
        else:
            client.say(b"\x05\x00", b"\x05\x00\x00\x03\xff")
        for _ in range(45):
            client.say(b"x")
            time.pass_by(0.15)
        client.over.wait(STARTS_WITHIN)

    with scripted_proxy(talk) as proxy, pytest.raises(ProxyFailed, match="no answer in time"):
        Route(f"{scheme}://127.0.0.1:{proxy.port}").open(exchange.market_stream_url, time.clock().deadline(6))
