"""Through real proxies: which one is used, what is said where it refuses, and that no password ever shows."""

from __future__ import annotations

import base64
import contextlib
import ipaddress
import json
import logging
import socket
from collections.abc import Callable, Iterator
from urllib.parse import quote

import pytest

from local_exchange import LocalExchange
from source_binance_futures import check
from source_binance_futures.binance.clock import Clock, Stop
from source_binance_futures.binance.errors import ConnectFailed, Owner, ProxyFailed, ProxyRefused, ProxyUnusable
from source_binance_futures.binance.transport.proxy import Route
from source_binance_futures.binance.websocket_api.prices import WeightBudget
from source_binance_futures.config import Config

from .harness.connector import INCREMENTAL, Connector, Output
from .harness.listening import Listener, free_port, listen_to
from .harness.patience import SOON
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
def test_a_wrong_password_is_told_and_not_shown(
    connector: Connector, exchange: LocalExchange, guarded_http: Proxy, guarded_socks: Proxy, scheme: str
) -> None:
    port = (guarded_http if scheme == "http" else guarded_socks).port
    wrong = f"{quote(USER)}:{quote(PASSWORD + 'x', safe='')}"
    output = connector.run("check", config(exchange, f"{scheme}://{wrong}@127.0.0.1:{port}"), debug=True)
    status, sentence = output.status
    assert status == "FAILED"
    assert f"The proxy {scheme}://127.0.0.1:{port} did not let the connection through" in sentence
    assert "user and password" in sentence
    assert "it asks for a user and password, or does not accept these" in sentence
    assert exchange.handshakes == []
    hide_and_seek(output)


def failure_through(exchange: LocalExchange, proxy_url: str | None) -> ConnectFailed:
    """What comes of a connection to an address that no variable exempts."""
    with pytest.raises(ConnectFailed) as caught:
        Route(proxy_url).open(f"wss://{ELSEWHERE}:{exchange.port}", Clock().deadline(5))
    return caught.value


def test_a_wrong_password_and_none_are_the_users_turn(
    exchange: LocalExchange, guarded_http: Proxy, guarded_socks: Proxy
) -> None:
    for credentials in ("", "user:wrong@"):
        for scheme, proxy in (("http", guarded_http), ("socks5h", guarded_socks)):
            failure = failure_through(exchange, f"{scheme}://{credentials}127.0.0.1:{proxy.port}")
            assert isinstance(failure, ProxyRefused)
            assert failure.owner is Owner.USER


UNSENDABLE = [
    ("http", f"user:{quote('密码-Geheim')}"),
    ("http", "us%3AGeheim:word"),
    ("socks5", f"user:{quote('é-Geheim')}"),
    ("socks5h", f"user:{'Geheim' * 50}"),
]


@pytest.mark.parametrize(("scheme", "credentials"), UNSENDABLE)
def test_credentials_that_cannot_be_sent_are_told_and_not_shown(
    exchange: LocalExchange, guarded_http: Proxy, guarded_socks: Proxy, scheme: str, credentials: str
) -> None:
    port = (guarded_http if scheme == "http" else guarded_socks).port
    failure = failure_through(exchange, f"{scheme}://{credentials}@127.0.0.1:{port}")
    assert isinstance(failure, ProxyUnusable)
    assert failure.owner is Owner.USER
    sentence = "`proxy_url` cannot be used: its address, user or password cannot be sent as written."
    assert str(failure) == sentence


def test_a_proxy_without_an_address_is_told(exchange: LocalExchange) -> None:
    told = str(failure_through(exchange, "http://no-such-host.invalid:3128"))
    assert "it could not be reached (its address could not be found)" in told


def test_a_host_that_is_no_name_is_told(exchange: LocalExchange) -> None:
    assert "cannot be sent as written" in str(failure_through(exchange, "http://user:Geheim@a..b:3128"))


def test_check_shows_no_password_that_cannot_be_sent(
    connector: Connector, exchange: LocalExchange, guarded_http: Proxy
) -> None:
    url = f"http://user:{quote('密码-Geheim')}@127.0.0.1:{guarded_http.port}"
    output = connector.run("check", config(exchange, url), debug=True)
    status, sentence = output.status
    assert status == "FAILED"
    assert "`proxy_url` cannot be used" in sentence
    assert output.is_plain
    assert "密码" not in json.dumps(output.messages, ensure_ascii=False)
    hide_and_seek(output)


def test_check_does_not_quote_what_it_did_not_foresee(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise ValueError(PASSWORD)

    monkeypatch.setattr(check, "_probe_market_stream", fail)
    monkeypatch.setattr(check, "_probe_websocket_api", fail)
    told = check.failures_of(Config(), Stop(Clock()), logging.getLogger("check"), WeightBudget(), Clock().deadline(12))
    assert "failed while checking book_tickers (ValueError). Please report it." in " ".join(told)
    assert "in fail" in caplog.text, "the log says where it happened"
    assert "Geheim" not in caplog.text + " ".join(told)


@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY"])
@pytest.mark.parametrize(
    "value",
    [
        "http://user:pa/Geheim@host:3128",
        "http://user:12#Geheim@host:3128",
        "user:pa/Geheim@host:3128",
        "http://Geheim@host:99999",
        "http://user:Geheim@ho]st:3128",
        "ftp://user:Geheim@host:3128",
        "https://user:Geheim@host:3128",
    ],
)
def test_a_variable_that_holds_no_proxy_is_named_and_not_shown(
    exchange: LocalExchange, monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    failure = failure_through(exchange, None)
    assert isinstance(failure, ProxyUnusable)
    assert failure.owner is Owner.USER
    assert str(failure).startswith(f"{variable.upper()} is not the address of a proxy; write it like http://host:3128")
    assert not any(part in str(failure) for part in ("Geheim", "pa/", ":12", "ftp"))


def test_a_dead_proxy_of_the_environment_is_told_and_not_shown(connector: Connector, exchange: LocalExchange) -> None:
    with free_port() as port:
        variables = {"ALL_PROXY": f"http://{CREDENTIALS}@127.0.0.1:{port}"}
        environment = exchange.environment() | {"market_stream_url": f"wss://{ELSEWHERE}:{exchange.port}"}
        settings = config(exchange, None) | {"listen_seconds": 2, "environment": environment}
        output = connector.read(settings, book_tickers=INCREMENTAL, debug=True, variables=variables)
    assert output.exit_code == 1
    (error, *_) = output.errors
    assert error["failure_type"] == "transient_error"
    assert f"The proxy http://127.0.0.1:{port} did not let the connection through" in error["message"]
    assert "could not be reached" in error["message"]
    hide_and_seek(output)


def test_a_proxy_url_that_is_none_does_not_show_its_password(connector: Connector, exchange: LocalExchange) -> None:
    output = connector.run("check", config(exchange, f"ftp://{CREDENTIALS}@127.0.0.1:1"), debug=True)
    assert output.status[0] == "FAILED"
    assert "`proxy_url` is not the address of a proxy" in output.status[1]
    hide_and_seek(output)


def listens(exchange: LocalExchange, route: Route | None = None, host: str = "127.0.0.1") -> None:
    with Listener(f"ws://{host}:{exchange.port}", pushed=exchange.pushed, route=route) as listener:
        listener.wait_for_updates(10)
    assert listener.warnings == []


def test_no_proxy_is_used_where_none_is_named(exchange: LocalExchange, http: Proxy) -> None:
    listens(exchange, host=ELSEWHERE)
    assert f"{ELSEWHERE}:{exchange.port}" not in http.asked


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"])
def test_the_environments_proxy_is_used(
    exchange: LocalExchange, http: Proxy, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, f"http://127.0.0.1:{http.port}")
    listens(exchange, host=ELSEWHERE)
    exchange.wait_for(lambda: f"{ELSEWHERE}:{exchange.port}" in http.asked, 10)


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


def test_https_proxy_is_for_encrypted_addresses(
    exchange: LocalExchange, socks: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", f"socks5h://127.0.0.1:{socks.port}")
    listens(exchange, host=ELSEWHERE)
    assert f"{ELSEWHERE}:{exchange.port}" not in socks.asked
    with Listener(f"wss://{ELSEWHERE}:{exchange.port}") as listener:  # no TLS there, but asked for through the proxy
        listener.wait_for(lambda: listener.warnings)
    assert f"{ELSEWHERE}:{exchange.port}" in socks.asked


@pytest.mark.parametrize("exempt", [ELSEWHERE, "*", f"example.com,{ELSEWHERE}"])
def test_no_proxy_exempts(exchange: LocalExchange, socks: Proxy, monkeypatch: pytest.MonkeyPatch, exempt: str) -> None:
    monkeypatch.setenv("ALL_PROXY", f"socks5://127.0.0.1:{socks.port}")
    monkeypatch.setenv("NO_PROXY", exempt)
    listens(exchange, host=ELSEWHERE)
    assert f"{exchange.port}" not in {asked.rpartition(":")[2] for asked in socks.asked}


@pytest.mark.parametrize("exempt", ["", "*"])
def test_the_users_own_proxy_wins_over_the_environment(
    exchange: LocalExchange, http: Proxy, socks: Proxy, monkeypatch: pytest.MonkeyPatch, exempt: str
) -> None:
    monkeypatch.setenv("ALL_PROXY", f"http://127.0.0.1:{http.port}")
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{http.port}")
    monkeypatch.setenv("NO_PROXY", exempt)
    listens(exchange, Route(f"socks5h://127.0.0.1:{socks.port}"), host=ELSEWHERE)
    assert f"{ELSEWHERE}:{exchange.port}" in socks.asked
    assert f"{ELSEWHERE}:{exchange.port}" not in http.asked


def test_socks5_finds_the_address_here_and_socks5h_there(exchange: LocalExchange, socks: Proxy) -> None:
    def asked_for(scheme: str) -> str:
        count = len(socks.asked)
        url = f"ws://localhost:{exchange.port}"
        with Listener(url, pushed=exchange.pushed, route=Route(f"{scheme}://127.0.0.1:{socks.port}")) as listener:
            listener.wait_for(lambda: len(socks.asked) > count)
        return socks.asked[count].rpartition(":")[0]

    assert asked_for("socks5h") == "localhost"
    assert ipaddress.ip_address(asked_for("socks5").strip("[]")).is_loopback


def test_a_connection_through_a_proxy_is_lost_and_comes_back(exchange: LocalExchange, socks: Proxy) -> None:
    with listen_to(exchange, standby=True, route=Route(f"socks5h://127.0.0.1:{socks.port}")) as listener:
        listener.wait_for(lambda: listener.state == "covered")
        exchange.fault("rst")
        exchange.wait_for(lambda: len(exchange.handshakes) == 3, SOON)
        listener.wait_for_updates(100)
    assert (listener.account.lost, listener.gaps) == (0, [])


OPENED = b"HTTP/1.1 200 Connection established\r\nProxy-Agent: hesitant\r\n\r\n"
WAYS_TO_ANSWER = {
    "in two segments": ([OPENED[:25], OPENED[25:]], 0.2),
    "byte by byte": ([bytes([byte]) for byte in OPENED], 0.005),
    "the headers after a pause": ([OPENED[:37], OPENED[37:]], 1.0),
}


@pytest.mark.parametrize("name", WAYS_TO_ANSWER)
def test_an_answer_in_pieces_is_accepted(connector: Connector, exchange: LocalExchange, name: str) -> None:
    pieces, pause = WAYS_TO_ANSWER[name]

    def talk(client: Client) -> None:
        target = client.connect_request()
        client.say(*pieces, pause=pause)
        client.pass_on(*target)

    with scripted_proxy(talk) as proxy:
        output = connector.run("check", config(exchange, f"http://127.0.0.1:{proxy.port}"))
    assert output.status[0] == "SUCCEEDED"
    assert exchange.handshakes


def test_an_answer_that_is_no_http_is_told(connector: Connector, exchange: LocalExchange) -> None:
    def talk(client: Client) -> None:
        client.connect_request()
        client.say(b"h\r\n")
        client.over.wait(STARTS_WITHIN)

    with scripted_proxy(talk) as proxy:
        output = connector.run("check", config(exchange, f"http://{CREDENTIALS}@127.0.0.1:{proxy.port}"))
    assert output.status[0] == "FAILED"
    assert "did not let the connection through: its answer is not HTTP: h." in output.status[1]
    hide_and_seek(output)


def trickle(client: Client) -> None:
    """SOCKS5 that accepts, and then a byte of its answer every 0.3 seconds; it would take more than a minute."""
    client.say(b"\x05\x00")
    client.say(b"\x05", b"\x00", b"\x00", b"\x03", b"\xff", *[b"x"] * 255, pause=0.3)


def slow_connect(client: Client) -> None:
    client.connect_request()
    client.say(b"HTTP/1.1 200 OK\r\n", *[b"x"] * 255, pause=0.3)


@pytest.mark.timeout(60)  # each says something every 0.3 seconds, for longer than that
@pytest.mark.parametrize(("scheme", "talk"), [("http", slow_connect), ("socks5h", trickle)])
def test_one_deadline_is_for_the_whole_answer(
    exchange: LocalExchange, scheme: str, talk: Callable[[Client], None]
) -> None:
    with scripted_proxy(talk) as proxy, pytest.raises(ProxyFailed, match="no answer in time"):
        Route(f"{scheme}://127.0.0.1:{proxy.port}").open(exchange.market_stream_url, Clock().deadline(2))


def test_check_names_the_proxy_that_trickles(connector: Connector, exchange: LocalExchange) -> None:
    with scripted_proxy(trickle) as proxy:
        output = connector.run("check", config(exchange, f"socks5h://127.0.0.1:{proxy.port}"))
    assert output.status[0] == "FAILED"
    told = f"The proxy socks5h://127.0.0.1:{proxy.port} did not let the connection through: no answer in time"
    assert told in output.status[1]
    assert "Try again later" not in output.status[1], "it was not the deadline of the whole check"


NO_ANSWERS = {
    "an empty line": b"\r\n\r\n",
    "a zone without end": (
        b"HTTP/1.1 429 Too Many Requests\r\n"
        b"Retry-After: Mon, 01 Jan 2026 00:00:00 +99999999999999999999\r\nContent-Length: 0\r\n\r\n"
    ),
    "the year 1": (
        b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: Mon, 01 Jan 0001 00:00:00 -0000\r\nContent-Length: 0\r\n\r\n"
    ),
    "bytes": bytes(range(256)) + b"\n",
}


@pytest.mark.parametrize("name", NO_ANSWERS)
def test_a_standby_that_is_answered_nonsense_ends_nothing(
    connector: Connector, exchange: LocalExchange, name: str
) -> None:
    def talk(client: Client) -> None:
        target = client.connect_request()
        client.say(OPENED)
        if client.number == 0:
            client.pass_on(*target)
        else:
            client.socket.recv(4096)
            client.say(NO_ANSWERS[name])

    with scripted_proxy(talk) as proxy:
        asked = config(exchange, f"http://127.0.0.1:{proxy.port}") | {"listen_seconds": 5, "max_book_tickers": None}
        output = connector.read(asked | {"standby_connection": True}, book_tickers=INCREMENTAL)
    assert output.exit_code == 0
    assert not output.errors
    assert output.is_plain
    assert len(output.updates) > 500, "the first connection delivered to the end"
    assert [line for line in output.logs("WARN") if line.startswith("The standby connection is missing")]
