"""Every option: what is accepted, what it becomes, and what is said of the rest."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from source_binance_futures.binance.endpoints import PRODUCTION, TESTNET
from source_binance_futures.config import Config, ConfigurationError, unknown_options
from source_binance_futures.source import SourceBinanceFutures

from .test_spec import SPEC, STORED_SECRET

CUSTOM = {
    "name": "custom",
    "market_stream_url": "ws://127.0.0.1:8765",
    "websocket_api_url": "ws://127.0.0.1:8765/ws-fapi/v1",
}


DEEP: list[Any] = functools.reduce(lambda inside, _: [inside], range(100_000), [])
MANY = tuple(f"X{number}" for number in range(1000))


def refused(mapping: dict[str, Any]) -> str:
    with pytest.raises(ConfigurationError) as error:
        Config.from_mapping(mapping)
    return str(error.value)


@pytest.mark.parametrize("mapping", [{}, dict.fromkeys(Config.__dataclass_fields__)], ids=["nothing", "nulls"])
def test_nothing_is_a_configuration_and_null_means_the_default(mapping: dict[str, Any]) -> None:
    config = Config.from_mapping(mapping)
    assert config == Config()
    assert (config.environment, config.max_book_tickers, config.proxy_url) == (PRODUCTION, None, None)
    assert config.as_mapping() == {
        "listen_seconds": 60,
        "book_ticker_symbols": [],
        "include_usds_margined": False,
        "book_ticker_pace": "every_change",
        "price_symbols": [],
        "standby_connection": False,
        "environment": {"name": "production"},
    }


@pytest.mark.parametrize(
    ("option", "value", "becomes"),
    [
        ("listen_seconds", 1, 1),
        ("listen_seconds", 86400, 86400),
        ("listen_seconds", 60.0, 60),
        ("max_book_tickers", 1, 1),
        ("max_book_tickers", 1e5, 100_000),
        ("max_book_tickers", 10**12, 10**12),
        ("book_ticker_symbols", [], ()),
        ("book_ticker_symbols", ["btcusd_perp", " BTCUSD_PERP ", "BtcUsd_260626"], ("BTCUSD_PERP", "BTCUSD_260626")),
        ("book_ticker_symbols", [f"X{number}" for number in range(1000)] * 2, MANY),
        ("price_symbols", ["ethusdt", "BTCUSDT ", "ETHUSDT"], ("ETHUSDT", "BTCUSDT")),
        ("price_symbols", ["币安人生usdt", "1000satsusdt"], ("币安人生USDT", "1000SATSUSDT")),
        ("price_symbols", [f"X{number}" for number in range(1000)], MANY),
        ("include_usds_margined", True, True),
        ("book_ticker_pace", "every_change", "every_change"),
        ("book_ticker_pace", "sampled", "sampled"),
        ("standby_connection", True, True),
        ("environment", {}, PRODUCTION),
        ("environment", {"name": "production"}, PRODUCTION),
        ("environment", {"name": "testnet"}, TESTNET),
        ("proxy_url", "", None),
        ("proxy_url", "   ", None),
        ("proxy_url", " http://host:3128 ", "http://host:3128"),
        ("proxy_url", "http://user:p%40ss@host:3128", "http://user:p%40ss@host:3128"),
        ("proxy_url", "socks5://host", "socks5://host"),
        ("proxy_url", "socks5h://[::1]:1080", "socks5h://[::1]:1080"),
    ],
)
def test_what_an_option_becomes(option: str, value: Any, becomes: Any, tmp_path: Path) -> None:
    config = Config.from_mapping({option: value})
    assert getattr(config, option) == becomes
    assert SourceBinanceFutures().configure({option: value, "of_another_version": 1}, str(tmp_path)) == (
        config.as_mapping()
    )
    jsonschema.validate(config.as_mapping(), SPEC)  # as the CDK does with what `configure` returns
    assert Config.from_mapping(config.as_mapping()) == config


@pytest.mark.parametrize(
    ("more", "coin_m", "usds_m"),
    [
        ({}, "ws://127.0.0.1:8765", "ws://127.0.0.1:8765"),
        ({"market_stream_url": " wss://h/X/ "}, "wss://h/X", "wss://h/X"),
        *[({"usds_margined_stream_url": value}, "ws://127.0.0.1:8765", "ws://127.0.0.1:8765") for value in (None, "")],
        ({"usds_margined_stream_url": "wss://other/X/"}, "ws://127.0.0.1:8765", "wss://other/X"),
    ],
)
def test_a_custom_environment(more: dict[str, Any], coin_m: str, usds_m: str) -> None:
    api = "wss://api/v1/?token=1"  # whole, as it was written
    config = Config.from_mapping({"environment": {**CUSTOM, **more, "websocket_api_url": api}})
    environment = config.environment
    assert (environment.coin_m_bases, environment.usds_m_bases) == ((coin_m,), (usds_m,))
    assert environment.websocket_api_url == api
    assert environment.identity == f"custom {coin_m}" or coin_m != usds_m
    assert config.as_mapping()["environment"] == {
        "name": "custom",
        "market_stream_url": coin_m,
        "websocket_api_url": api,
        "usds_margined_stream_url": usds_m,
    }


def refusals(option: str, mend: str, *values: Any) -> list[Any]:
    """A case of each value."""
    return [pytest.param(option, value, mend, id=f"{option} {str(value)[:40]!r}") for value in values]


@pytest.mark.parametrize(
    ("option", "value", "mend"),
    [
        *refusals("listen_seconds", "from 1 to 86400", 0, -5, 86401),
        *refusals("listen_seconds", "whole number", 1.5, "60", True, float("inf"), [60]),
        *refusals("max_book_tickers", "1 or more", 0, "many", float("nan"), float("inf")),
        *refusals("book_ticker_symbols", 'such as ["BTCUSD_PERP"].', "BTCUSD_PERP", {"a": 1}),
        *refusals("book_ticker_symbols", "one symbol", [""], [5], [None], ["A,B"], ["A B"], ["a/b"], ["BTC\ud800"]),
        *refusals("book_ticker_symbols", "'btcusd_perp@bookTicker'", ["btcusd_perp@bookTicker"]),
        *refusals("book_ticker_symbols", "Leave the list empty", [*MANY, "Y"]),
        *refusals("price_symbols", "list", "BTCUSDT"),
        *refusals("price_symbols", "one symbol", ["BTCUSDT;ETHUSDT"], ["BTC\x07"]),
        *refusals("price_symbols", "such as BTCUSDT.", [5], [None]),
        *refusals("include_usds_margined", "true or false", "yes", 1),
        *refusals("standby_connection", "true or false", "false", 1),
        *refusals("book_ticker_pace", "write every_change or sampled", "slow", True, {}),
        *refusals("environment", '{"name": "production"}', "testnet"),
        *refusals("environment.name", "production, testnet or custom", "mainnet", ["production"], None, "\ud800"),
        *refusals("environment.market_stream_url", "needs both", None, ""),
        *refusals("environment.market_stream_url", "wss://host", "http://h", 5),
        *refusals("environment.market_stream_url", "only its beginning", "wss://h/stream?streams=x"),
        *refusals("environment.websocket_api_url", "needs both", None),
        *refusals("environment.websocket_api_url", "wss://", "ws://h", " "),
        *refusals("environment.usds_margined_stream_url", "only its beginning", "wss://h?x"),
        *refusals("environment.usds_margined_stream_url", "write it like wss://host", 5, " "),
        *refusals("proxy_url", "http://host:3128", 5, STORED_SECRET, "host:3128", "https://host:3128", "http://"),
        *refusals("proxy_url", "http://host:3128", "http://host:0", "http://host:99999"),
    ],
)
def test_a_refusal_names_the_option_and_the_mend_in_a_sentence(option: str, value: Any, mend: str) -> None:
    name, _, part = option.partition(".")
    sentence = refused({name: {**CUSTOM, part: value} if part else value})
    assert f"`{option}`" in sentence
    assert mend in sentence
    assert sentence.endswith(".")
    assert "\n" not in sentence
    assert len(sentence) < 350


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        pytest.param(123456789, "123456789", id="whole"),
        pytest.param(-123456789.0, "-123456789.0", id="float"),
        pytest.param(10**400, f"1{'0' * 99};", id="long"),
        pytest.param(True, "true; write a whole number", id="a switch"),
        pytest.param(10**5000, "too long or nested too deeply", id="too long for Python"),
        pytest.param(DEEP, "too long or nested too deeply; write", id="too deep for Python"),
    ],
)
def test_a_value_is_shown_as_it_was_written(value: object, shown: str) -> None:
    assert f"`listen_seconds` is {shown}" in refused({"listen_seconds": value})


@pytest.mark.parametrize(
    "proxy_url",
    [
        "ftp://user:hunter2@host:21",
        "user:hunter2@host:3128",
        "http://user:hunter2@",
        "http://user:hunter2@host:99999",
        "http://user:hunter2@ho]st",
        "http://user:7hunter2#x@host:3128",
        # What stands before the first / ? or # is taken for the host, and a host is shown in messages.
        "http://user:7/hunter2@host:3128",
        "http://user:7?hunter2@host:3128",
        "http://hunter2/user@host:3128",
        ["http://user:hunter2@host:3128"],
        {"password": "hunter2"},
    ],
)
def test_a_proxy_password_is_never_shown(proxy_url: Any) -> None:
    sentence = refused({"proxy_url": proxy_url})
    assert "hunter2" not in sentence
    assert "user:7" not in sentence


@pytest.mark.parametrize("option", ["environment", "listen_seconds", "price_symbols", "standby_connection"])
@pytest.mark.parametrize("proxy_url", ["http://user:hunter2@host:3128", "user:hunter2 x@y'@host", "://hunter2@host"])
def test_nor_where_the_proxy_stands_in_place_of_another_option(option: str, proxy_url: str) -> None:
    for value in (proxy_url, [proxy_url], [[{"proxy_url": proxy_url}]]):
        sentence = refused({option: value})
        assert f"`{option}`" in sentence
        assert "hunter2" not in sentence
        assert "…@host" in sentence
    config = Config.from_mapping({"proxy_url": "http://user:hunter2@host:3128"})
    assert "hunter2" not in f"{config!r} {config.route!r}"


def test_unknown_options_are_named() -> None:
    mapping = {"listen_second": 5, "environment": {**CUSTOM, "url": "x"}, "__injected": 1, "listen_seconds": 5}
    assert unknown_options(mapping) == ["listen_second", "environment.url"]
    assert unknown_options({}) == []
    assert unknown_options({"environment": "testnet"}) == []
    Config.from_mapping(mapping)


@pytest.mark.parametrize(("mode", "expected"), [("cloud", True), ("CLOUD", True), ("oss", False), (None, False)])
def test_private_addresses_are_forbidden_in_the_cloud(
    mode: str | None, expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if mode is None:
        monkeypatch.delenv("DEPLOYMENT_MODE", raising=False)
    else:
        monkeypatch.setenv("DEPLOYMENT_MODE", mode)
    route = Config.from_mapping({"proxy_url": "http://host:3128"}).route
    assert (route.public_only, route.proxy_url) == (expected, "http://host:3128")
