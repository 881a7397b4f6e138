"""Where each environment is, which market a contract belongs to, and what is asked for on the wire."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from source_binance_futures.binance.endpoints import (
    ALL_MARKET_STREAM,
    LONGEST_ADDRESS,
    PRODUCTION,
    TESTNET,
    Environment,
    Market,
    is_expired,
    market_of,
    own_stream,
    stream_address,
)


@pytest.mark.parametrize(
    ("base", "streams", "address"),
    [
        ("wss://h", ["!bookTicker"], "wss://h/stream?streams=!bookTicker"),
        ("wss://h/", ["!bookTicker"], "wss://h/stream?streams=!bookTicker"),
        ("wss://h:1/way", ["!bookTicker"], "wss://h:1/way/stream?streams=!bookTicker"),
        ("wss://h", [own_stream("BTCUSD_PERP")], "wss://h/stream?streams=btcusd_perp@bookTicker"),
        ("wss://h", ["a@bookTicker", "b@bookTicker"], "wss://h/stream?streams=a@bookTicker/b@bookTicker"),
        ("wss://h", [own_stream("币USD")], "wss://h/stream?streams=%E5%B8%81usd@bookTicker"),
    ],
)
def test_the_address_of_streams(base: str, streams: list[str], address: str) -> None:
    assert stream_address(base, streams) == (address, len(streams))


@given(st.lists(st.text("abc币_", min_size=1, max_size=100), min_size=1, max_size=200))
def test_an_address_stays_short_and_names_the_first_streams(names: list[str]) -> None:
    address, named = stream_address("wss://h", names)
    assert len(address) <= LONGEST_ADDRESS or named == 1
    assert address == stream_address("wss://h", names[:named])[0]
    assert named == len(names) or len(stream_address("wss://h", names[: named + 1])[0]) == len(address)


@pytest.mark.parametrize(("length", "named"), [(1950, 2), (1951, 1)])
def test_an_address_has_at_most_four_thousand_characters(length: int, named: int) -> None:
    """What comes after a name that does not fit waits too, though it might fit: the streams have an order."""
    start = "wss://h/stream?streams="
    first = "x" * (4000 - len(start) - 1951)
    address, found = stream_address("wss://h", [first, "y" * length, "z"])
    assert found == named
    assert len(address) == (4000 if named == 2 else len(start) + len(first))
    assert stream_address("wss://h", ["x" * 5000, "y"])[1] == 1, "a name too long for any is asked for all the same"


def test_identities() -> None:
    assert {PRODUCTION.identity, TESTNET.identity} == {"production", "testnet"}
    one, other = (
        Environment("custom", (f"ws://127.0.0.1:{port}",), ("ws://127.0.0.1:3",), "ws://127.0.0.1:1/api")
        for port in (1, 2)
    )
    assert one.identity != other.identity


def test_each_market_has_hosts_of_its_own() -> None:
    """[binance-facts 1.1]"""
    assert PRODUCTION.bases(Market.COIN_M) == ("wss://dstream.binance.com", "wss://dstream.binance.com/public")
    assert PRODUCTION.bases(Market.USDS_M) == ("wss://fstream.binance.com/public",)
    assert PRODUCTION.websocket_api_url == "wss://ws-fapi.binance.com/ws-fapi/v1"
    assert TESTNET.bases(Market.COIN_M) == (
        "wss://dstream.binancefuture.com",
        "wss://dstream.binancefuture.com/public",
    )
    assert TESTNET.bases(Market.USDS_M) == (
        "wss://fstream.binancefuture.com/public",
        "wss://fstream.binancefuture.com",
    )
    assert TESTNET.websocket_api_url == "wss://testnet.binancefuture.com/ws-fapi/v1"
    assert ALL_MARKET_STREAM == "!bookTicker"


@pytest.mark.parametrize(
    ("symbol", "market"),
    [
        *[(symbol, Market.COIN_M) for symbol in ("BTCUSD_PERP", "BTCUSD_260626", "1000SATSUSD_PERP")],
        *[(symbol, Market.USDS_M) for symbol in ("BTCUSDT", "BTCUSDT_260626", "BTCUSDC", "币安人生USDT")],
        *[(symbol, Market.USDS_M) for symbol in ("BTCUSD", "BTCUSD_PERPX", "BTCUSD_PERP\n", "BTCUSD_2606")],
    ],
)
def test_the_market_of_a_symbol(symbol: str, market: Market) -> None:
    assert market_of(symbol) is market


@pytest.mark.parametrize(
    ("symbol", "today", "days", "expired"),
    [
        ("BTCUSD_260626", date(2026, 6, 26), 1, False),
        ("BTCUSD_260626", date(2026, 6, 27), 1, False),
        ("BTCUSD_260626", date(2026, 6, 28), 1, True),
        ("BTCUSD_260626", date(2026, 7, 3), 7, False),
        ("BTCUSD_260626", date(2026, 7, 4), 7, True),
        ("BTCUSDT_260327", date(2026, 6, 1), 1, True),
        ("BTCUSD_PERP", date(2099, 1, 1), 1, False),
        ("BTCUSD_269999", date(2099, 1, 1), 1, False),
    ],
)
def test_a_contract_expires_after_its_delivery(symbol: str, today: date, days: int, expired: bool) -> None:
    assert is_expired(symbol, today, days=days) is expired
    if days == 1:
        assert is_expired(symbol, today) is expired
