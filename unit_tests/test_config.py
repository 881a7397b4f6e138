"""Every option: what is accepted, what it becomes, and what a person is told of the rest."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from source_binance_futures.binance.endpoints import PRODUCTION, TESTNET
from source_binance_futures.binance.market_stream.contracts import Wishes
from source_binance_futures.config import Config, ConfigurationError, unknown_options

CUSTOM = {
    "name": "custom",
    "market_stream_url": "ws://127.0.0.1:8765",
    "websocket_api_url": "ws://127.0.0.1:8765/ws-fapi/v1",
}


def refused(mapping: dict[str, Any]) -> str:
    with pytest.raises(ConfigurationError) as error:
        Config.from_mapping(mapping)
    return str(error.value)


def test_nothing_is_a_configuration() -> None:
    config = Config.from_mapping({})
    assert config == Config()
    assert (config.listen_seconds, config.max_book_tickers, config.environment) == (60, None, PRODUCTION)
    assert (config.book_ticker_symbols, config.price_symbols) == ((), ())
    assert (config.include_usds_margined, config.standby_connection, config.proxy_url) == (False, False, None)


def test_null_means_the_default() -> None:
    assert Config.from_mapping(dict.fromkeys(Config.__dataclass_fields__)) == Config()


@pytest.mark.parametrize(
    ("option", "value", "becomes"),
    [
        ("listen_seconds", 1, 1),
        ("listen_seconds", 86400, 86400),
        ("listen_seconds", 5.0, 5),
        ("max_book_tickers", 1, 1),
        ("max_book_tickers", 10**12, 10**12),
        ("book_ticker_symbols", [], ()),
        ("book_ticker_symbols", ["btcusd_perp", " BTCUSD_PERP ", "BtcUsd_260626"], ("BTCUSD_PERP", "BTCUSD_260626")),
        ("book_ticker_symbols", [f"X{number}USD_PERP" for number in range(200)], None),
        ("price_symbols", ["ethusdt", "BTCUSDT", "ETHUSDT"], ("ETHUSDT", "BTCUSDT")),
        ("price_symbols", ["币安人生usdt", "1000satsusdt", "btcusdt_260626"], None),
        ("price_symbols", [f"X{number}USDT" for number in range(900)], None),
        ("book_ticker_symbols", [f"X{number}" for number in range(1000)], None),
        ("include_usds_margined", True, True),
        ("book_ticker_pace", "every_change", "every_change"),
        ("book_ticker_pace", "sampled", "sampled"),
        ("standby_connection", True, True),
        ("environment", {}, PRODUCTION),
        ("environment", {"name": "production"}, PRODUCTION),
        ("environment", {"name": "testnet"}, TESTNET),
        ("proxy_url", "", None),
        ("proxy_url", " http://host:3128 ", "http://host:3128"),
        ("proxy_url", "http://user:p%40ss@host:3128", "http://user:p%40ss@host:3128"),
        ("proxy_url", "socks5://host", "socks5://host"),
        ("proxy_url", "socks5h://[::1]:1080", "socks5h://[::1]:1080"),
    ],
)
def test_what_an_option_becomes(option: str, value: Any, becomes: Any) -> None:
    if becomes is None and isinstance(value, list):
        becomes = tuple(symbol.upper() for symbol in value)
    config = Config.from_mapping({option: value})
    assert getattr(config, option) == becomes
    assert Config.from_mapping(config.as_mapping()) == config


def test_a_custom_environment() -> None:
    spaced = {**CUSTOM, "market_stream_url": " ws://127.0.0.1:8765/ "}
    for written in (CUSTOM, spaced):
        environment = Config.from_mapping({"environment": written}).environment
        assert environment.coin_m_bases == environment.usds_m_bases == ("ws://127.0.0.1:8765",)
        assert environment.websocket_api_url == "ws://127.0.0.1:8765/ws-fapi/v1"
        assert environment.identity == "custom ws://127.0.0.1:8765"


@pytest.mark.parametrize(
    ("more", "usds_margined"),
    [
        ({}, "wss://h/X"),
        ({"usds_margined_stream_url": None}, "wss://h/X"),
        ({"usds_margined_stream_url": ""}, "wss://h/X"),
        ({"usds_margined_stream_url": "wss://other/X/"}, "wss://other/X"),
    ],
)
def test_a_custom_environment_of_two_hosts(more: dict[str, Any], usds_margined: str) -> None:
    written = {
        "name": "custom",
        "market_stream_url": "wss://h/X/",
        "websocket_api_url": "wss://api/v1/?token=1",
        **more,
    }
    config = Config.from_mapping({"environment": written})
    assert config.environment.coin_m_bases == ("wss://h/X",)
    assert config.environment.usds_m_bases == (usds_margined,)
    assert config.environment.websocket_api_url == "wss://api/v1/?token=1", "whole, as it was written"
    assert config.as_mapping()["environment"] == {
        "name": "custom",
        "market_stream_url": "wss://h/X",
        "websocket_api_url": "wss://api/v1/?token=1",
        "usds_margined_stream_url": usds_margined,
    }


def test_what_is_wanted_of_the_market_stream() -> None:
    assert Config().wishes == Wishes((), include_usds_margined=False, every_change=True)
    mapping = {
        "book_ticker_symbols": ["btcusd_perp"],
        "include_usds_margined": True,
        "book_ticker_pace": "sampled",
    }
    assert Config.from_mapping(mapping).wishes == Wishes(
        ("BTCUSD_PERP",), include_usds_margined=True, every_change=False
    )


def test_a_configuration_as_a_user_could_have_written_it() -> None:
    assert Config().as_mapping() == {
        "listen_seconds": 60,
        "book_ticker_symbols": [],
        "include_usds_margined": False,
        "book_ticker_pace": "every_change",
        "price_symbols": [],
        "standby_connection": False,
        "environment": {"name": "production"},
    }


def test_an_example_is_of_the_market_that_is_meant() -> None:
    assert 'such as ["BTCUSD_PERP"].' in refused({"book_ticker_symbols": "x"})
    assert "such as BTCUSDT." in refused({"price_symbols": [5]})


@pytest.mark.parametrize(
    ("mapping", "option", "mend"),
    [
        ({"listen_seconds": 0}, "listen_seconds", "from 1 to 86400"),
        ({"listen_seconds": -5}, "listen_seconds", "from 1 to 86400"),
        ({"listen_seconds": 86401}, "listen_seconds", "from 1 to 86400"),
        ({"listen_seconds": 1.5}, "listen_seconds", "whole number"),
        ({"listen_seconds": "60"}, "listen_seconds", "whole number"),
        ({"listen_seconds": True}, "listen_seconds", "whole number"),
        ({"listen_seconds": float("inf")}, "listen_seconds", "whole number"),
        ({"listen_seconds": [60]}, "listen_seconds", "whole number"),
        ({"max_book_tickers": 0}, "max_book_tickers", "1 or more"),
        ({"max_book_tickers": "many"}, "max_book_tickers", "1 or more"),
        ({"book_ticker_symbols": "BTCUSD_PERP"}, "book_ticker_symbols", "list"),
        ({"book_ticker_symbols": {"a": 1}}, "book_ticker_symbols", "list"),
        ({"book_ticker_symbols": [""]}, "book_ticker_symbols", "one symbol"),
        ({"book_ticker_symbols": [5]}, "book_ticker_symbols", "one symbol"),
        ({"book_ticker_symbols": [None]}, "book_ticker_symbols", "one symbol"),
        ({"book_ticker_symbols": ["BTCUSD_PERP,ETHUSD_PERP"]}, "book_ticker_symbols", "one symbol"),
        ({"book_ticker_symbols": ["BTC USD"]}, "book_ticker_symbols", "one symbol"),
        ({"book_ticker_symbols": ["btcusd_perp@bookTicker"]}, "book_ticker_symbols", "one symbol"),
        ({"book_ticker_symbols": ["a/b"]}, "book_ticker_symbols", "one symbol"),
        ({"book_ticker_symbols": ["BTC\ud800"]}, "book_ticker_symbols", "one symbol"),
        ({"price_symbols": ["BTC\x07"]}, "price_symbols", "one symbol"),
        ({"environment": {"name": "\ud800"}}, "environment.name", "production, testnet or custom"),
        ({"book_ticker_symbols": [f"X{n}" for n in range(1001)]}, "book_ticker_symbols", "Leave the list empty"),
        ({"price_symbols": "BTCUSDT"}, "price_symbols", "list"),
        ({"price_symbols": ["BTCUSDT;ETHUSDT"]}, "price_symbols", "one symbol"),
        ({"include_usds_margined": "yes"}, "include_usds_margined", "true or false"),
        ({"include_usds_margined": 1}, "include_usds_margined", "true or false"),
        ({"standby_connection": "false"}, "standby_connection", "true or false"),
        ({"environment": "testnet"}, "environment", '{"name": "production"}'),
        ({"environment": {"name": "mainnet"}}, "environment.name", "production, testnet or custom"),
        ({"environment": {"name": None}}, "environment.name", "production, testnet or custom"),
        ({"environment": {"name": "custom"}}, "environment.market_stream_url", "needs both"),
        ({"environment": {**CUSTOM, "websocket_api_url": " "}}, "environment.websocket_api_url", "needs both"),
        ({"environment": {**CUSTOM, "market_stream_url": 5}}, "environment.market_stream_url", "needs both"),
        ({"environment": {**CUSTOM, "market_stream_url": "http://h"}}, "environment.market_stream_url", "wss://host"),
        ({"environment": {**CUSTOM, "websocket_api_url": "ws://h"}}, "environment.websocket_api_url", "wss://"),
        (
            {"environment": {**CUSTOM, "market_stream_url": "wss://h/stream?streams=x"}},
            "environment.market_stream_url",
            "only its beginning",
        ),
        (
            {"environment": {**CUSTOM, "usds_margined_stream_url": "wss://h?x"}},
            "environment.usds_margined_stream_url",
            "only its beginning",
        ),
        (
            {"environment": {**CUSTOM, "usds_margined_stream_url": 5}},
            "environment.usds_margined_stream_url",
            "leave it",
        ),
        (
            {"environment": {**CUSTOM, "usds_margined_stream_url": " "}},
            "environment.usds_margined_stream_url",
            "leave it",
        ),
        ({"book_ticker_pace": "slow"}, "book_ticker_pace", "write every_change or sampled"),
        ({"book_ticker_pace": True}, "book_ticker_pace", "write every_change or sampled"),
        ({"proxy_url": 5}, "proxy_url", "http://user:password@host:3128"),
        ({"proxy_url": "host:3128"}, "proxy_url", "http://host:3128"),
        ({"proxy_url": "https://host:3128"}, "proxy_url", "http://host:3128"),
        ({"proxy_url": "http://"}, "proxy_url", "http://host:3128"),
        ({"proxy_url": "http://host:0"}, "proxy_url", "http://host:3128"),
        ({"proxy_url": "http://host:99999"}, "proxy_url", "http://host:3128"),
    ],
)
def test_a_refusal_names_the_option_and_the_mend(mapping: dict[str, Any], option: str, mend: str) -> None:
    sentence = refused(mapping)
    assert f"`{option}`" in sentence
    assert mend in sentence
    assert len(sentence) < 400


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (123456789, "123456789"),
        (-123456789.0, "-123456789.0"),
        (10**400, f"1{'0' * 99};"),
        (True, "true; write a whole number"),
        (10**5000, "a number of too many digits"),
    ],
    ids=["whole", "float", "long", "a switch", "too long for Python"],
)
def test_a_number_is_shown_as_it_was_written(value: float, shown: str) -> None:
    assert f"`listen_seconds` is {shown}" in refused({"listen_seconds": value})


def test_what_is_nested_too_deeply_to_be_shown_is_not() -> None:
    value: list[Any] = []
    for _ in range(100_000):
        value = [value]
    assert refused({"listen_seconds": value}).startswith("`listen_seconds` is nested too deeply; write")


def test_duplicates_are_folded_before_they_are_counted() -> None:
    symbols = [f"X{number}USD_PERP" for number in range(200)]
    assert len(Config.from_mapping({"book_ticker_symbols": symbols + symbols}).book_ticker_symbols) == 200


@pytest.mark.parametrize(
    "proxy_url",
    [
        "ftp://user:hunter2@host:3128",
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


def test_a_name_of_a_stream_is_shown_whole() -> None:
    assert "'btcusd_perp@bookTicker'" in refused({"book_ticker_symbols": ["btcusd_perp@bookTicker"]})


def test_a_proxy_password_stands_in_no_repr() -> None:
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


def test_the_form_offers_exactly_the_options() -> None:
    spec = yaml.safe_load((Path(__file__).parent.parent / "source_binance_futures" / "spec.yaml").read_text())
    properties = spec["connectionSpecification"]["properties"]
    assert properties.keys() == Config.__dataclass_fields__.keys()
    defaults = {option: field["default"] for option, field in properties.items() if "default" in field}
    assert Config.from_mapping(defaults) == Config()
    assert spec["connectionSpecification"]["required"] == []
    for option, field in properties.items():
        assert field["description"], option
        # The form fails on these [airbyte-facts].
        assert not field.keys() & {"uniqueItems", "multipleOf", "format", "minLength"}, option
        if field.get("airbyte_secret"):
            assert "pattern" not in field
