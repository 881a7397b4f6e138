"""Certificates are verified always, a private authority is named by SSL_CERT_FILE, and some addresses are refused."""

from __future__ import annotations

import contextlib
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from local_exchange import LocalExchange
from source_binance_futures.binance.clock import Clock
from source_binance_futures.binance.errors import AddressForbidden, ProxyFailed
from source_binance_futures.binance.transport.proxy import Route
from source_binance_futures.binance.transport.sockets import resolve
from source_binance_futures.binance.transport.tls import tls_context

from .harness.connector import DEADLINE, INCREMENTAL, Connector
from .harness.listening import free_port, listen_to


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def authority_file(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("authority") / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return path


@pytest.fixture
def exchange(authority: trustme.CA) -> Iterator[LocalExchange]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    with LocalExchange(rate=500, mix_usds_margined=False, ssl_context=context) as exchange:
        yield exchange


def test_a_private_authority_is_accepted_through_ssl_cert_file(
    exchange: LocalExchange, authority_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(authority_file))
    with listen_to(exchange, standby=True) as listener:
        exchange.wait_for(lambda: len(exchange.connections) == 2, DEADLINE)
        listener.wait_for_updates(200)
        exchange.fault("rst")
        listener.wait_for(lambda: listener.market.feeds[0].machine.losses == 1)
        listener.wait_for_updates(200)
    assert (listener.warnings, listener.gaps, listener.account.lost) == ([], [], 0)


def test_every_python_accepts_the_same_authorities(monkeypatch: pytest.MonkeyPatch) -> None:
    def as_python_3_13_does() -> ssl.SSLContext:
        context = create_default_context()
        context.verify_flags |= ssl.VERIFY_X509_STRICT
        return context

    create_default_context = ssl.create_default_context
    monkeypatch.setattr(ssl, "create_default_context", as_python_3_13_does)
    context = tls_context()
    assert not context.verify_flags & ssl.VERIFY_X509_STRICT
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)


def test_the_process_takes_both_streams_over_tls(
    connector: Connector, exchange: LocalExchange, authority_file: Path
) -> None:
    config = {"environment": exchange.environment(), "listen_seconds": 30, "max_book_tickers": 100}
    variables = {"SSL_CERT_FILE": str(authority_file)}
    output = connector.read(config, book_tickers=INCREMENTAL, symbol_prices="full_refresh", variables=variables)
    assert output.exit_code == 0
    assert len(output.updates) == 100
    assert output.records("symbol_prices")


PRIVATE = [
    *("127.0.0.1", "localhost", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0"),
    *("2130706433", "[::1]", "[::ffff:127.0.0.1]", "[fe80::1]", "[fd00::1]"),
]


@pytest.mark.parametrize("host", PRIVATE)
@pytest.mark.parametrize("by", ["itself", "being a proxy", "the user's proxy", "a variable's proxy"])
def test_in_the_cloud_no_private_address_is_reached(host: str, by: str, monkeypatch: pytest.MonkeyPatch) -> None:
    url, own, proxy = f"wss://{host}:9443", None, "http://8.8.8.8:3128"
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    if by == "being a proxy":
        url, own = "wss://example.com", f"http://{host}:3128"
    elif by == "the user's proxy":
        own = proxy
    elif by == "a variable's proxy":
        monkeypatch.setenv("HTTPS_PROXY", proxy)
    with pytest.raises(AddressForbidden, match="which Airbyte Cloud does not allow"):
        Route(own, public_only=True).open(url, Clock().deadline(5))


@pytest.mark.parametrize("target", ["8.8.8.8", "no-such-host.invalid"])
def test_in_the_cloud_its_own_proxy_may_be_private(target: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """And what it is asked for need not have an address here."""
    with free_port() as port:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{port}")
        monkeypatch.delenv("NO_PROXY", raising=False)
        monkeypatch.delenv("no_proxy", raising=False)
        with pytest.raises(ProxyFailed, match="could not be reached"):
            Route(public_only=True).open(f"wss://{target}", Clock().deadline(5))


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700:4700::1111"])
def test_public_addresses_are_public(address: str) -> None:
    assert resolve(address, 443, Clock().deadline(5), public_only=True) == [address]


def test_an_address_of_ipv6_is_dialled() -> None:
    with socket.socket(socket.AF_INET6) as server:
        try:
            server.bind(("::1", 0))
        except OSError:
            pytest.skip("this machine has no IPv6")
        server.listen()
        url = f"ws://[::1]:{server.getsockname()[1]}"
        server.settimeout(10)
        with contextlib.closing(Route().open(url, Clock().deadline(10))), server.accept()[0]:
            pass


@pytest.mark.parametrize("command", ["check", "read"])
def test_in_the_cloud_a_custom_exchange_on_this_machine_is_a_configuration_error(
    connector: Connector, command: str
) -> None:
    with LocalExchange(rate=100) as exchange:
        config = {"environment": exchange.environment(), "listen_seconds": 3600}
        variables = {"DEPLOYMENT_MODE": "cloud"}
        if command == "check":
            status, sentence = connector.run("check", config, variables=variables).status
            assert status == "FAILED"
        else:
            output = connector.read(config, book_tickers=INCREMENTAL, variables=variables)
            assert output.exit_code == 1
            assert output.errors[0]["failure_type"] == "config_error"
            sentence = output.errors[0]["message"]
        assert "127.0.0.1 leads to a private, loopback or link-local address" in sentence
        assert exchange.handshakes == []
