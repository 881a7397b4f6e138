"""What the form in Airbyte's UI lets through is understood by the connector, or answered in a sentence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema
import pytest

from source_binance_futures.config import DAY, Config, ConfigurationError
from source_binance_futures.source import SourceBinanceFutures

from .test_spec import SPEC, STORED_SECRET, Schema


@pytest.mark.parametrize(
    ("sent", "understood"),
    [
        ({"listen_seconds": 60.0}, {"listen_seconds": 60}),
        ({"listen_seconds": None}, {"listen_seconds": 60}),
        ({"max_book_tickers": 1e5}, {"max_book_tickers": 100_000}),
        ({"book_ticker_symbols": [" btcusd_perp "]}, {"book_ticker_symbols": ["BTCUSD_PERP"]}),
        ({"book_ticker_symbols": ["ethusd_perp", "ETHUSD_PERP"]}, {"book_ticker_symbols": ["ETHUSD_PERP"]}),
        ({"price_symbols": ["btcusdt", "BTCUSDT ", "币安人生usdt"]}, {"price_symbols": ["BTCUSDT", "币安人生USDT"]}),
        ({"price_symbols": None}, {"price_symbols": []}),
        ({"include_usds_margined": None}, {"include_usds_margined": False}),
        ({"environment": {}}, {"environment": {"name": "production"}}),
        ({"environment": None}, {"environment": {"name": "production"}}),
        ({"proxy_url": " http://127.0.0.1:3128 "}, {"proxy_url": "http://127.0.0.1:3128"}),
        ({"an_option_of_another_version": 1}, {}),
    ],
)
def test_it_is_understood(sent: Schema, understood: Schema, tmp_path: Path) -> None:
    cleaned = SourceBinanceFutures().configure(sent, str(tmp_path))

    assert cleaned == Config().as_mapping() | understood
    jsonschema.validate(cleaned, SPEC)  # as the CDK does with what `configure` returns


@pytest.mark.parametrize("empty", ["", "   "])
def test_an_emptied_proxy_is_none(empty: str) -> None:
    assert Config.from_mapping({"proxy_url": empty}).proxy_url is None


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("listen_seconds", 1.5),
        ("listen_seconds", 0),
        ("listen_seconds", DAY + 1),
        ("listen_seconds", "60"),
        ("listen_seconds", True),
        ("max_book_tickers", 0),
        ("max_book_tickers", float("nan")),
        ("max_book_tickers", float("inf")),
        ("book_ticker_symbols", "BTCUSD_PERP"),
        ("book_ticker_symbols", ["BTCUSD_PERP ETHUSD_PERP"]),
        ("book_ticker_symbols", ["BTCUSD_PERP,ETHUSD_PERP"]),
        ("book_ticker_symbols", [""]),
        ("book_ticker_symbols", [f"A{number}USD_PERP" for number in range(1001)]),
        ("price_symbols", [None]),
        ("include_usds_margined", "yes"),
        ("standby_connection", 1),
        ("environment", "testnet"),
        ("environment.name", {"name": "Testnet"}),
        ("environment.market_stream_url", {"name": "custom"}),
        ("environment.websocket_api_url", {"name": "custom", "market_stream_url": "wss://localhost"}),
        ("proxy_url", STORED_SECRET),
        ("proxy_url", "host:3128"),
        ("proxy_url", 3128),
    ],
)
def test_it_is_answered_in_a_sentence_that_names_the_option(option: str, value: Any) -> None:
    with pytest.raises(ConfigurationError, match=f"`{option}") as answer:
        Config.from_mapping({option.partition(".")[0]: value})

    assert str(answer.value).endswith(".")
    assert "\n" not in str(answer.value)
    assert len(str(answer.value)) < 350


def test_no_sentence_shows_what_may_be_a_password() -> None:
    with pytest.raises(ConfigurationError) as answer:
        Config.from_mapping({"proxy_url": "ftp://trader:tiger@host:21"})

    assert "tiger" not in str(answer.value)
