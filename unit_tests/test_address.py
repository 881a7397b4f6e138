"""Addresses as a user may type them."""

from __future__ import annotations

import pytest

from source_binance_futures.binance.endpoints import PRODUCTION, TESTNET
from source_binance_futures.binance.transport.address import (
    DEFAULT_PORTS,
    fault_of_address,
    host_of,
    normalized_address,
)


@pytest.mark.parametrize(
    "url",
    [
        PRODUCTION.coin_m_bases[0],
        PRODUCTION.websocket_api_url,
        TESTNET.usds_m_bases[0],
        TESTNET.websocket_api_url,
        "wss://host:443",
        "ws://127.0.0.1:8765",
        "ws://127.9.9.9",
        "ws://localhost:1",
        "ws://[::1]:8765/x",
    ],
)
def test_sound_addresses(url: str) -> None:
    assert fault_of_address(url) is None


@pytest.mark.parametrize(
    ("url", "says"),
    [
        *[(url, "wss://host") for url in ("https://dstream.binance.com", "dstream.binance.com", "wss://", "")],
        *[(f"wss://{host}", "wss://host") for host in ("ho st", "ho\tst", "host/\ud800", "\ud800", "host/\x00")],
        *[(f"wss://{host}", "wss://host:port") for host in ("host:99999", "host:port", "[::1")],
        *[(f"wss://{user}@host", "leave them out") for user in ("user:secret", "user")],
        *[(f"ws://{host}", "not encrypted") for host in ("dstream.binance.com", "10.0.0.1", "localhost.evil.example")],
        ("wss://host/#part", "#"),
    ],
)
def test_addresses_that_are_none(url: str, says: str) -> None:
    fault = fault_of_address(url)
    assert fault is not None
    assert says in fault
    assert "secret" not in fault


def test_the_host_as_a_person_names_it_and_the_ports_of_rfc_6455() -> None:
    assert DEFAULT_PORTS == {"ws": 80, "wss": 443}
    assert host_of("wss://host/x?y") == "host"
    assert host_of("wss://user@Host:8443/x") == "host:8443"
    assert host_of("ws://[::1]:34695") == "[::1]:34695"
    assert host_of("wss://[2606:4700::1111]/x") == "[2606:4700::1111]"


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("WS://127.0.0.1:8765", "ws://127.0.0.1:8765"),
        (" WSS://Host/Path?Query ", "wss://Host/Path?Query"),
        ("wss://host", "wss://host"),
        ("Host", "Host"),
        ("", ""),
    ],
)
def test_the_letter_case_of_a_scheme_is_no_matter(written: str, meant: str) -> None:
    assert normalized_address(written) == meant
