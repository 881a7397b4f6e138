"""Symbols in any number, for tests with more contracts than the local exchange lists by default."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from itertools import count, islice, product

from .contracts import quarterly_expiries

_KNOWN = (
    "BTC",
    "ETH",
    "SOL",
    "XRP",
    "BNB",
    "DOGE",
    "ADA",
    "LINK",
    "LTC",
    "BCH",
    "DOT",
    "AVAX",
    "TRX",
    "NEAR",
    "AAVE",
    "UNI",
    "FIL",
    "ETC",
    "ATOM",
    "SUI",
    "1000SATS",
    "1000PEPE",
    "1INCH",
    "币安人生",
    "WIF",
)
_SYLLABLES = ("BA", "CO", "DI", "FU", "GE", "KO", "LU", "MI", "NA", "PO", "RI", "SU", "TA", "VO", "ZE")
_WITH_EXPIRIES = 5
"""How many of the first coins trade with a delivery date too."""


def made_up_coin_m(number: int) -> list[str]:
    """So many COIN-M symbols: perpetual ones, and of the first five coins the two quarterly ones beside each.

    >>> made_up_coin_m(16)[::15]
    ['BTCUSD_PERP', 'DOGEUSD_PERP']
    """
    return list(islice(_coin_m(), number))


def made_up_usds_m(number: int) -> list[str]:
    """So many USDⓈ-M symbols: against USDT, and of the first five coins against USDC and with a quarterly one.

    >>> made_up_usds_m(17)[::16]
    ['BTCUSDT', 'ADAUSDT']
    """
    return list(islice(_usds_m(), number))


def _coin_m() -> Iterator[str]:
    expiries = quarterly_expiries(date.today())
    for number, coin in enumerate(_coins()):
        yield f"{coin}USD_PERP"
        if number < _WITH_EXPIRIES:
            yield from (f"{coin}USD_{expiry}" for expiry in expiries)


def _usds_m() -> Iterator[str]:
    near, _ = quarterly_expiries(date.today())
    for number, coin in enumerate(_coins()):
        yield f"{coin}USDT"
        if number < _WITH_EXPIRIES:
            yield from (f"{coin}USDC", f"{coin}USDT_{near}")


def _coins() -> Iterator[str]:
    """Known ones first, then ever longer ones that nobody has heard of."""
    yield from _KNOWN
    for length in count(3):
        yield from map("".join, product(_SYLLABLES, repeat=length))
