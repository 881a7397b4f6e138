"""Streams: what an address asks for, and one update on its way into frames.

Binance serves COIN-M at `dstream.binance.com` and USDⓈ-M at `fstream.binance.com/public`. Here one port serves both,
and the beginning of the path says which host is meant. Facts: binance-facts 1.1.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

import orjson
from websockets.frames import Frame, Opcode

from .contracts import COIN_MARGINED, USDS_MARGINED

USDS_MARGINED_BASE = "/usds/public"
"""Stands for `wss://fstream.binance.com/public`. The base of COIN-M has no prefix."""

MARKET_OF_PREFIX: Mapping[str, int] = MappingProxyType(
    dict.fromkeys(("", "/public", "/market"), COIN_MARGINED)
    | dict.fromkeys(("/usds", USDS_MARGINED_BASE, "/usds/market"), USDS_MARGINED)
)
"""Every prefix that is served, and the market whose host it stands for."""

SILENT_PREFIXES = frozenset({"/market", "/usds/market"})
"""Where a book ticker is acknowledged and never comes: the wrong category. Plain paths still work on both hosts."""

_COIN_M_SYMBOL = re.compile(r".+USD_(PERP|\d{6})")


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


class Update(NamedTuple):
    """One book ticker as it is pushed: `payload` is the JSON text that a raw stream carries, byte for byte.

    `market` is the `st` of its contract, also where the payload carries none.
    """

    symbol: str
    update_id: int
    payload: bytes
    market: int


def market_of(symbol: str) -> int:
    """The `st` of a contract, by the shape of its symbol: BTCUSD_PERP and BTCUSD_261225 are COIN-M."""
    return COIN_MARGINED if _COIN_M_SYMBOL.fullmatch(symbol) else USDS_MARGINED


def update_from(book_ticker: Mapping[str, Any]) -> Update:
    """The update that pushes this book ticker, keys in the order given. Without a sound `st` the symbol's shape counts.

    It needs `s` and `u`; the rest may be anything.
    """
    symbol, market = book_ticker["s"], book_ticker.get("st")
    if market not in (COIN_MARGINED, USDS_MARGINED):
        market = market_of(symbol)
    return Update(symbol, book_ticker["u"], orjson.dumps(book_ticker), market)


def text_frame(payload: bytes) -> bytes:
    """A whole text frame as a server sends it, unmasked. The payload is not checked: a test may want invalid UTF-8."""
    return Frame(Opcode.TEXT, payload).serialize(mask=False)


def stream_frame(stream: str, payload: bytes, *, wrapped: bool) -> bytes:
    """The frame that brings a payload over a stream, raw or wrapped: `{"stream":"!bookTicker","data":{...}}`."""
    return text_frame(b'{"stream":%b,"data":%b}' % (orjson.dumps(stream), payload) if wrapped else payload)
