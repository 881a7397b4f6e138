"""Paths that stand for hosts: where which market's streams are asked for, and what a path asks for.

Binance serves COIN-M at `dstream.binance.com` and USDⓈ-M at `fstream.binance.com/public`. Here one port serves both,
and the beginning of the path says which host is meant. Facts: binance-facts 1.1.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from urllib.parse import parse_qs, unquote, urlsplit

from .contracts import COIN_MARGINED, USDS_MARGINED

USDS_MARGINED_BASE = "/usds/public"
"""Stands for `wss://fstream.binance.com/public`. The base of COIN-M has no prefix."""

MARKET_OF_PREFIX: Mapping[str, int] = MappingProxyType(
    {
        "": COIN_MARGINED,
        "/public": COIN_MARGINED,
        "/market": COIN_MARGINED,
        "/usds": USDS_MARGINED,
        USDS_MARGINED_BASE: USDS_MARGINED,
        "/usds/market": USDS_MARGINED,
    }
)
"""Every prefix that is served, and the market whose host it stands for."""

SILENT_PREFIXES = frozenset({"/market", "/usds/market"})
"""Where a book ticker is acknowledged and never comes: the wrong category. Plain paths still work on both hosts."""


@dataclass(frozen=True)
class Address:
    """What a market stream's path asks for. `market` is the `st` of the contracts whose host it stands for."""

    prefix: str
    market: int
    streams: tuple[str, ...]
    wrapped: bool


def address_of(path: str) -> Address | None:
    """The address in a path with its query; None for one that is no market stream.

    `/ws/!bookTicker` is raw, `/stream?streams=btcusd_perp@bookTicker/%21bookTicker` wrapped; both may name no stream.

    >>> address_of("/usds/public/stream?streams=btcusdt@bookTicker")
    Address(prefix='/usds/public', market=1, streams=('btcusdt@bookTicker',), wrapped=True)
    """
    parts = urlsplit(path)
    segments = parts.path.split("/")
    at = next((at for at, segment in enumerate(segments) if segment in ("ws", "stream")), None)
    if at is None:
        return None
    prefix, below = "/".join(segments[:at]), segments[at + 1 :]
    wrapped = segments[at] == "stream"
    if prefix not in MARKET_OF_PREFIX or (wrapped and below):
        return None
    named = parse_qs(parts.query).get("streams", [""])[0].split("/") if wrapped else map(unquote, below)
    return Address(prefix, MARKET_OF_PREFIX[prefix], tuple(filter(None, named)), wrapped)
