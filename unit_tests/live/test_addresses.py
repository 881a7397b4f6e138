"""Which addresses are asked, and what of them a report may say."""

from __future__ import annotations

import pytest

from source_binance_futures.binance.endpoints import PRODUCTION, TESTNET, Environment
from source_binance_futures.live.addresses import addresses_of
from source_binance_futures.live.prices import CONNECTIONS as PRICE_CONNECTIONS
from source_binance_futures.live.schedule import MOST_CONNECTIONS, Schedule


def asked(environment: Environment) -> list[tuple[str, str, bool]]:
    return [
        (each.label, " ".join(market.name for market in each.markets), each.wrong_path)
        for each in addresses_of(environment)
    ]


def test_production_is_asked_at_each_of_its_addresses_and_at_the_one_that_was_switched_off() -> None:
    assert asked(PRODUCTION) == [
        ("wss://dstream.binance.com", "COIN_M", False),
        ("wss://dstream.binance.com/public", "COIN_M", False),
        ("wss://fstream.binance.com/public", "USDS_M", False),
        ("wss://fstream.binance.com", "USDS_M", True),
    ]


def test_the_testnet_is_asked_at_each_address_once() -> None:
    assert asked(TESTNET) == [
        ("wss://dstream.binancefuture.com", "COIN_M", False),
        ("wss://dstream.binancefuture.com/public", "COIN_M", False),
        ("wss://fstream.binancefuture.com/public", "USDS_M", False),
        ("wss://fstream.binancefuture.com", "USDS_M", False),
    ]


def test_a_custom_address_is_named_by_its_option() -> None:
    two = Environment("custom", ("wss://my.host",), ("wss://my.host/usds/public",), "wss://my.host/api")
    assert asked(two) == [
        ("market_stream_url", "COIN_M", False),
        ("usds_margined_stream_url", "USDS_M", False),
        ("usds_margined_stream_url without /public", "USDS_M", True),
    ]
    one = Environment("custom", ("wss://my.host",), ("wss://my.host",), "wss://my.host/api")
    assert asked(one) == [("market_stream_url", "COIN_M USDS_M", False)]
    assert addresses_of(one)[0].symbols == ("BTCUSD_PERP", "ETHUSD_PERP", "BTCUSDT", "ETHUSDT")


@pytest.mark.parametrize("environment", [PRODUCTION, TESTNET], ids=lambda environment: environment.name)
def test_a_run_without_losses_stays_below_ten_connections(environment: Environment) -> None:
    planned_reconnect = 1
    assert len(addresses_of(environment)) + PRICE_CONNECTIONS + planned_reconnect <= MOST_CONNECTIONS < 10


@pytest.mark.parametrize("seconds", [6.0, 24.0, 180.0, 3600.0])
def test_all_that_is_planned_ends_before_the_run_does(seconds: float) -> None:
    schedule = Schedule(seconds)
    assert schedule.choose_after < schedule.probe_after < schedule.replace_after
    assert schedule.replace_after + schedule.overlap < seconds
    assert schedule.choose_after < schedule.address_patience < schedule.replace_after
