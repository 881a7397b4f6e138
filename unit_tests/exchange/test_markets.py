"""Two markets behind one port: which address brings which contracts."""

from __future__ import annotations

import pytest

from local_exchange import LocalExchange
from local_exchange.streams import Address, address_of, market_of, update_from

from .clients import ALL, WAIT, connect, heard, listening, refusal, update

COIN_M, USDS_M = update("BTCUSD_PERP", 1), update("BTCUSDT", 2)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/ws/btcusd_perp@bookTicker/btcusdt@bookTicker", [COIN_M]),
        ("/public/ws/btcusd_perp@bookTicker/btcusdt@bookTicker", [COIN_M]),
        ("/usds/public/ws/btcusd_perp@bookTicker/btcusdt@bookTicker", [USDS_M]),
        ("/ws/!bookTicker", [COIN_M, USDS_M]),
        ("/public/ws/!bookTicker", [COIN_M, USDS_M]),
        ("/usds/public/ws/!bookTicker", [COIN_M, USDS_M]),
        ("/market/ws/!bookTicker/btcusd_perp@bookTicker", []),
        ("/usds/ws/btcusd_perp@bookTicker/btcusdt@bookTicker", [USDS_M]),
        ("/usds/market/ws/!bookTicker/btcusdt@bookTicker", []),
    ],
)
def test_an_address_brings_its_market(exchange: LocalExchange, path: str, expected: list[object]) -> None:
    with listening(exchange, path) as client:
        exchange.push_updates([COIN_M, USDS_M])
        assert heard(client) == expected
        assert client.ping().wait(WAIT), "silent or not, it is alive"


def test_addresses_may_move() -> None:
    """Plain dstream shakes hands and stays silent, plain fstream works; the rest of the addresses is gone."""
    with LocalExchange(
        rate=0,
        sample_every=None,
        own_stream_lag=0,
        silent_prefixes=[""],
        missing_prefixes=["/market", "/usds/public"],
    ) as exchange:
        expected = {"": [], "/public": [COIN_M], "/usds": [USDS_M]}
        for prefix, messages in expected.items():
            with listening(exchange, f"{prefix}/ws/btcusd_perp@bookTicker/btcusdt@bookTicker") as client:
                exchange.push_updates([COIN_M, USDS_M])
                exchange.push('"text"')
                assert heard(client) == [*messages, *(["text"] if messages else [])]
        for prefix in ("/market", "/usds/public", "/elsewhere"):
            assert refusal(f"{exchange.market_stream_url}{prefix}/ws/!bookTicker").status_code == 404


def test_one_market_can_be_refused_alone(exchange: LocalExchange) -> None:
    exchange.refuse(503, times=None, endpoint="usds_m")
    assert refusal(exchange.usds_margined_stream_url + ALL).status_code == 503
    with listening(exchange), connect(exchange.websocket_api_url):
        pass
    exchange.refuse(503, times=None, endpoint="coin_m")
    assert refusal(exchange.market_stream_url + ALL).status_code == 503
    with connect(exchange.websocket_api_url):
        pass


@pytest.mark.parametrize(
    ("path", "address"),
    [
        ("/ws", Address("", 2, (), wrapped=False)),
        ("/ws/", Address("", 2, (), wrapped=False)),
        ("/stream", Address("", 2, (), wrapped=True)),
        ("/usds/public/ws/%E5%B8%81USDT@bookTicker", Address("/usds/public", 1, ("币USDT@bookTicker",), wrapped=False)),
        ("/public/stream?streams=a/b%40c", Address("/public", 2, ("a", "b@c"), wrapped=True)),
        ("/stream/a", None),
        ("/public", None),
        ("/private/ws", None),
        ("/ws-fapi/v1", None),
        ("/", None),
    ],
)
def test_paths(path: str, address: Address | None) -> None:
    assert address_of(path) == address


@pytest.mark.parametrize(
    ("symbol", "market"),
    [
        ("BTCUSD_PERP", 2),
        ("BTCUSD_261225", 2),
        ("BTCUSDT", 1),
        ("BTCUSDT_261225", 1),
        ("BTCUSDC", 1),
        ("币USD_PERP", 2),
    ],
)
def test_the_market_of_a_symbol(symbol: str, market: int) -> None:
    assert market_of(symbol) == market
    assert update_from({"s": symbol, "u": 1}).market == market
    assert update_from({"s": symbol, "u": 1, "st": "?"}).market == market
    assert update_from({"s": symbol, "u": 1, "st": 3 - market}).market == 3 - market
