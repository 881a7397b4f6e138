"""Where Binance is: the addresses of each environment and market, and how streams are named in a URL."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import Enum
from urllib.parse import quote

ALL_MARKET_STREAM = "!bookTicker"
COIN_M_SYMBOL = re.compile(r"[A-Z0-9]+USD_(?:PERP|\d{6})\Z")
DELIVERY = re.compile(r"_(\d\d)(\d\d)(\d\d)\Z")
LONGEST_ADDRESS = 4000  # characters; what does not fit is subscribed by a message


class Market(Enum):
    """The two futures markets, each with hosts of its own."""

    COIN_M = "COIN-M"
    USDS_M = "USDⓈ-M"


@dataclass(frozen=True)
class Environment:
    """One exchange.

    `coin_m_bases` and `usds_m_bases` are where each market's streams may be found, as beginnings of addresses: the
    first that brings data is used, since addresses move (fstream was split into /public and /market in 2026, plain
    paths of dstream may follow) [binance-facts 1.1]. `websocket_api_url` is a whole address.
    """

    name: str
    coin_m_bases: tuple[str, ...]
    usds_m_bases: tuple[str, ...]
    websocket_api_url: str

    @property
    def identity(self) -> str:
        """What the state is marked with: each environment counts update ids for itself [binance-facts 2.4]."""
        return self.name if self.name != "custom" else f"custom {self.coin_m_bases[0]}"

    def bases(self, market: Market) -> tuple[str, ...]:
        return self.coin_m_bases if market is Market.COIN_M else self.usds_m_bases


PRODUCTION = Environment(
    "production",
    ("wss://dstream.binance.com", "wss://dstream.binance.com/public"),
    ("wss://fstream.binance.com/public",),
    "wss://ws-fapi.binance.com/ws-fapi/v1",
)
TESTNET = Environment(
    "testnet",
    ("wss://dstream.binancefuture.com", "wss://dstream.binancefuture.com/public"),
    ("wss://fstream.binancefuture.com/public", "wss://fstream.binancefuture.com"),
    "wss://testnet.binancefuture.com/ws-fapi/v1",
)


def market_of(symbol: str) -> Market:
    """Return the market of a symbol by its shape: COIN-M is `<BASE>USD_PERP` or `<BASE>USD_<yymmdd>`."""
    return Market.COIN_M if COIN_M_SYMBOL.match(symbol) else Market.USDS_M


def is_expired(symbol: str, today: date, *, days: int = 1) -> bool:
    """Return whether a contract was delivered more than so many days ago; one with `_PERP` never is."""
    found = DELIVERY.search(symbol)
    try:
        return found is not None and date.fromisoformat("20{}-{}-{}".format(*found.groups())) + timedelta(days) < today
    except ValueError:
        return False


def own_stream(symbol: str) -> str:
    """Return the stream of every change of one contract; in upper case it would stay silent [binance-facts 1]."""
    return f"{symbol.lower()}@bookTicker"


def stream_address(base: str, streams: Sequence[str]) -> tuple[str, int]:
    """Return the address that brings `streams`, and how many of them it names: those that fit, at least one.

    What it names is listened to from the first moment. `/stream` wraps each payload with the name of its stream.

    >>> stream_address("wss://dstream.binance.com", ["btcusd_perp@bookTicker", "!bookTicker"])
    ('wss://dstream.binance.com/stream?streams=btcusd_perp@bookTicker/!bookTicker', 2)
    """
    address = f"{base.rstrip('/')}/stream?streams="
    named = 0
    for stream in streams:
        part = ("/" if named else "") + quote(stream, safe="@_!")
        if named and len(address) + len(part) > LONGEST_ADDRESS:
            break
        address += part
        named += 1
    return address, named
