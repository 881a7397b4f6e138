"""The contracts: expiries that lie ahead, names in any number, new listings."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from datetime import date, datetime, timedelta
from urllib.parse import quote

import pytest

from local_exchange import LocalExchange
from local_exchange.contracts import (
    COIN_MARGINED,
    USDS_MARGINED,
    coin_m_contracts,
    made_up_coin_m,
    made_up_usds_m,
    quarterly_expiries,
    usds_m_contracts,
)
from local_exchange.streams import market_of

from .clients import WAIT, listening, update


@pytest.mark.parametrize(
    ("day", "expiries"),
    [
        ("2026-01-01", ("260327", "260626")),
        ("2026-06-25", ("260626", "260925")),
        ("2026-06-26", ("260925", "261225")),
        ("2026-11-24", ("261225", "270326")),
        ("2026-12-31", ("270326", "270625")),
    ],
)
def test_expiries_are_the_last_fridays_of_the_quarters(day: str, expiries: tuple[str, str]) -> None:
    assert quarterly_expiries(date.fromisoformat(day)) == expiries


def test_no_expiry_is_ever_past() -> None:
    for days in range(4000):
        day = date(2026, 1, 1) + timedelta(days=days)
        near, far = (datetime.strptime(expiry, "%y%m%d").date() for expiry in quarterly_expiries(day))
        assert day < near < far
        assert near.weekday() == far.weekday() == 4
        assert far - day <= timedelta(days=197)


def test_what_is_listed_by_default_trades_today() -> None:
    near, far = quarterly_expiries(date.today())
    coin_m = {contract.symbol for contract in coin_m_contracts(None)}
    assert {f"BTCUSD_{near}", f"BTCUSD_{far}", f"ETHUSD_{near}", "BTCUSD_PERP"} <= coin_m
    assert f"BTCUSDT_{near}" in {contract.symbol for contract in usds_m_contracts(None)}


@pytest.mark.parametrize(
    ("made_up", "market"), [(made_up_coin_m, COIN_MARGINED), (made_up_usds_m, USDS_MARGINED)], ids=["coin_m", "usds_m"]
)
def test_names_in_any_number(made_up: Callable[[int], list[str]], market: int) -> None:
    names = made_up(5000)
    assert len(set(names)) == 5000
    assert {market_of(name) for name in names} == {market}
    assert names[:30] == made_up(30)
    assert made_up(0) == []


def test_both_markets_trade_with_made_up_names() -> None:
    coin_m, usds_m = made_up_coin_m(30), made_up_usds_m(20)
    with LocalExchange(rate=20_000, coin_m_symbols=coin_m, usds_m_symbols=usds_m) as exchange:
        exchange.wait_for(lambda: {symbol for symbol, _ in exchange.pushed} == {*coin_m, *usds_m}, WAIT)
        assert exchange.prices.keys() >= set(usds_m)
        exchange.set_rate(0)
        counted = Counter(market_of(symbol) for symbol, _ in exchange.pushed)
    assert counted[COIN_MARGINED] / counted.total() == pytest.approx(0.5, abs=0.2)


def test_every_change_of_both_markets_comes_on_its_own_stream() -> None:
    coin_m, usds_m = made_up_coin_m(30), made_up_usds_m(20)

    def path(base: str, symbols: list[str]) -> str:
        return f"{base}/stream?streams=" + "/".join(quote(f"{symbol.lower()}@bookTicker") for symbol in symbols)

    with (
        LocalExchange(rate=0, coin_m_symbols=coin_m, usds_m_symbols=usds_m) as exchange,
        listening(exchange, path("", coin_m)) as first,
        listening(exchange, path("/usds/public", usds_m)) as second,
    ):
        exchange.set_rate(5000)
        exchange.wait_for(lambda: len(exchange.pushed) > 3000, WAIT)
        exchange.set_rate(0)
        exchange.push("[]")
        for client, symbols in ((first, coin_m), (second, usds_m)):
            frames = [
                json.loads(client.recv(WAIT)) for _ in range(sum(symbol in symbols for symbol, _ in exchange.pushed))
            ]
            got = [(frame["data"]["s"], frame["data"]["u"]) for frame in frames]
            assert got == [pushed for pushed in exchange.pushed if pushed[0] in symbols]
            assert client.recv(WAIT) == "[]"


def test_what_a_test_pushes_needs_no_listing() -> None:
    with LocalExchange(rate=0, own_stream_lag=0) as exchange, listening(exchange, "/ws/zusd_perp@bookTicker") as client:
        exchange.push_updates([update("ZUSD_PERP", 1)])
        assert json.loads(client.recv(WAIT))["u"] == 1
