"""Addresses: what is asked for on the wire, and what a user may type."""

from __future__ import annotations

import pytest

from source_binance_futures.binance.endpoints import (
    PRODUCTION,
    TESTNET,
    Environment,
    fault_of_address,
    host_of,
    market_stream_address,
)


@pytest.mark.parametrize(
    ("base", "symbols", "address"),
    [
        ("wss://h", [], "wss://h/ws/!bookTicker"),
        ("wss://h/", [], "wss://h/ws/!bookTicker"),
        ("wss://h:1/way", [], "wss://h:1/way/ws/!bookTicker"),
        ("wss://h", ["BTCUSD_PERP"], "wss://h/stream?streams=btcusd_perp@bookTicker"),
        ("wss://h", ["A_PERP", "B_PERP"], "wss://h/stream?streams=a_perp@bookTicker/b_perp@bookTicker"),
        ("wss://h", ["币USD"], "wss://h/stream?streams=%E5%B8%81usd@bookTicker"),
    ],
)
def test_the_address_of_a_market_stream(base: str, symbols: list[str], address: str) -> None:
    assert market_stream_address(base, symbols) == address


@pytest.mark.parametrize(
    "url",
    [
        PRODUCTION.market_stream_url,
        PRODUCTION.websocket_api_url,
        TESTNET.market_stream_url,
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
        ("https://dstream.binance.com", "wss://host"),
        ("dstream.binance.com", "wss://host"),
        ("wss://", "wss://host"),
        ("", "wss://host"),
        ("wss://ho st", "wss://host"),
        ("wss://host:99999", "wss://host:port"),
        ("wss://host:port", "wss://host:port"),
        ("wss://[::1", "wss://host:port"),
        ("wss://user:secret@host", "leave them out"),
        ("wss://user@host", "leave them out"),
        ("ws://dstream.binance.com", "not encrypted"),
        ("ws://10.0.0.1", "not encrypted"),
        ("ws://localhost.evil.example", "not encrypted"),
        ("wss://host/#part", "#"),
    ],
)
def test_addresses_that_are_none(url: str, says: str) -> None:
    fault = fault_of_address(url)
    assert fault is not None
    assert says in fault
    assert "secret" not in fault


def test_names_and_identities() -> None:
    assert host_of("wss://host/x?y") == "host"
    assert host_of("wss://host:8443/x") == "host:8443"
    assert {PRODUCTION.identity, TESTNET.identity} == {"production", "testnet"}
    one, other = (Environment("custom", f"ws://127.0.0.1:{port}", "ws://127.0.0.1:1/api") for port in (1, 2))
    assert one.identity != other.identity
