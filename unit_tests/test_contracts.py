"""Which contracts are followed over which feeds, at which hosts."""

from __future__ import annotations

from datetime import date

import pytest

from source_binance_futures.binance.endpoints import Environment, Market
from source_binance_futures.binance.market_stream.contracts import (
    Contracts,
    FeedPlan,
    Venue,
    Wishes,
    venues_of,
)

TODAY = date(2026, 11, 24)
COIN, USDS = ("wss://coin",), ("wss://usds",)
BOTH = Environment("custom", COIN, USDS, "wss://api")
ONE_HOST = Environment("custom", COIN, COIN, "wss://api")
COIN_M, USDS_M = frozenset([Market.COIN_M]), frozenset([Market.USDS_M])


@pytest.mark.parametrize("symbols", [(), ("BTCUSD_PERP",)])
def test_the_sampled_pace_takes_the_all_market_stream_as_it_comes(symbols: tuple[str, ...]) -> None:
    wishes = Wishes(symbols, include_usds_margined=True, every_change=False)
    venue = Venue(COIN, COIN_M | USDS_M, all_market=True)
    assert venues_of(wishes, BOTH, ["ETHUSD_PERP"], TODAY) == [venue]
    assert not wishes.discovers
    assert not Contracts(venue, TODAY).follows


def test_all_of_one_market_are_found_through_the_all_market_stream() -> None:
    wishes = Wishes()
    assert wishes.discovers
    known = ["ETHUSD_PERP", "BTCUSDT", "BTCUSD_261123", "BTCUSD_261122"]
    assert venues_of(wishes, BOTH, known, TODAY) == [
        Venue(COIN, COIN_M, ("ETHUSD_PERP", "BTCUSD_261123"), all_market=True, discovers=True)
    ]


@pytest.mark.parametrize("environment", [BOTH, ONE_HOST])
def test_both_markets_are_one_venue_or_two(environment: Environment) -> None:
    found = venues_of(Wishes(include_usds_margined=True), environment, ["BTCUSDT", "ETHUSD_PERP"], TODAY)
    options = {"all_market": True, "discovers": True}
    if environment is ONE_HOST:
        assert found == [Venue(COIN, COIN_M | USDS_M, ("BTCUSDT", "ETHUSD_PERP"), **options)]
    else:
        assert found == [
            Venue(COIN, COIN_M, ("ETHUSD_PERP",), **options),
            Venue(USDS, USDS_M, ("BTCUSDT",), **options),
        ]


def test_named_contracts_need_no_all_market_stream() -> None:
    wishes = Wishes(("BTCUSD_PERP", "BTCUSDT", "ETHUSD_PERP"))
    assert not wishes.discovers
    found = venues_of(wishes, BOTH, ["BNBUSD_PERP"], TODAY)
    assert found == [Venue(COIN, COIN_M, ("BTCUSD_PERP", "ETHUSD_PERP")), Venue(USDS, USDS_M, ("BTCUSDT",))]
    together = Venue(COIN, COIN_M | USDS_M, ("BTCUSD_PERP", "BTCUSDT", "ETHUSD_PERP"))
    assert venues_of(wishes, ONE_HOST, [], TODAY) == [together]


def test_a_state_of_ever_more_contracts_is_not_followed_whole() -> None:
    known = [f"X{number}USD_PERP" for number in range(3000)]
    (venue,) = venues_of(Wishes(), BOTH, known, TODAY)
    assert venue.symbols == tuple(known[:2000])


@pytest.mark.parametrize(
    ("wishes", "wanted"),
    [
        (Wishes(), {"BTCUSD_PERP"}),
        (Wishes(include_usds_margined=True), {"BTCUSD_PERP", "BTCUSDT"}),
        (Wishes(("BTCUSDT",)), {"BTCUSDT"}),
        (Wishes(("BTCUSDT",), include_usds_margined=True), {"BTCUSDT"}),
    ],
)
def test_what_is_wanted_of_the_all_market_stream(wishes: Wishes, wanted: set[str]) -> None:
    seen = {"BTCUSD_PERP": Market.COIN_M, "BTCUSDT": Market.USDS_M}
    assert {symbol for symbol, market in seen.items() if wishes.wants(symbol, market)} == wanted


def test_contracts_fill_feeds_of_two_hundred_streams() -> None:
    symbols = tuple(f"X{number}USD_PERP" for number in range(450))
    contracts = Contracts(Venue(COIN, COIN_M, symbols, all_market=True, discovers=True), TODAY)
    assert contracts.follows
    assert contracts.markets == COIN_M
    assert [len(feed.streams) for feed in contracts.feeds] == [200, 200, 51]
    assert contracts.feeds[0].streams[:2] == ["!bookTicker", "x0usd_perp@bookTicker"]
    assert {feed.bases for feed in contracts.feeds} == {COIN}
    assert all(feed.follows_contracts for feed in contracts.feeds)


def test_named_contracts_are_followed_each_once() -> None:
    contracts = Contracts(Venue(COIN, COIN_M, ("BTCUSD_PERP", "BTCUSD_PERP")), TODAY)
    assert [feed.streams for feed in contracts.feeds] == [["btcusd_perp@bookTicker"]]
    assert contracts.follows
    assert not contracts.appeared("ETHUSD_PERP", Market.COIN_M), "no others are looked for"


def test_a_feed_of_nothing_but_samples_follows_no_contract() -> None:
    contracts = Contracts(Venue(COIN, COIN_M, all_market=True, discovers=True), TODAY)
    assert [feed.follows_contracts for feed in contracts.feeds] == [False]
    assert contracts.follows, "they will appear"
    assert FeedPlan(COIN).follows_contracts


def test_a_contract_that_appears_is_followed_from_then_on() -> None:
    contracts = Contracts(Venue(COIN, COIN_M, ("BTCUSD_PERP",), all_market=True, discovers=True), TODAY)
    assert contracts.appeared("ETHUSD_PERP", Market.COIN_M)
    assert contracts.appeared("ETHUSD_PERP", Market.COIN_M) is False, "once"
    assert not contracts.appeared("BTCUSD_PERP", Market.COIN_M), "it was known"
    assert not contracts.appeared("BTCUSDT", Market.USDS_M), "of the other market"
    assert contracts.appeared("BTCUSD_261122", Market.COIN_M) is False, "delivered before yesterday"
    assert contracts.appeared("BTCUSD_261123", Market.COIN_M)
    assert contracts.feeds[0].streams == [
        "!bookTicker",
        "btcusd_perp@bookTicker",
        "ethusd_perp@bookTicker",
        "btcusd_261123@bookTicker",
    ]


def test_a_server_that_invents_names_is_not_followed_without_end() -> None:
    contracts = Contracts(Venue(COIN, COIN_M, all_market=True, discovers=True), TODAY)
    followed = [contracts.appeared(f"X{number}USD_PERP", Market.COIN_M) for number in range(2002)]
    assert followed == [True] * 2000 + [False] * 2
    assert sum(len(feed.streams) for feed in contracts.feeds) == 2001
