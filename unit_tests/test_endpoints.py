"""Where each environment is, and what is asked for on the wire."""

from __future__ import annotations

import pytest

from source_binance_futures.binance.endpoints import (
    PRODUCTION,
    TESTNET,
    Environment,
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


def test_identities() -> None:
    assert {PRODUCTION.identity, TESTNET.identity} == {"production", "testnet"}
    one, other = (Environment("custom", f"ws://127.0.0.1:{port}", "ws://127.0.0.1:1/api") for port in (1, 2))
    assert one.identity != other.identity
