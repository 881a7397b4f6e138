"""One market update and its way into WebSocket frames."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, NamedTuple

import orjson

from .contracts import COIN_MARGINED, USDS_MARGINED

ALL_BOOK_TICKERS = "!bookTicker"
"""The all-market stream, merged USDⓈ-M and COIN-M since 2026-06."""

_COIN_M_SYMBOL = re.compile(r".+USD_(PERP|\d{6})")
_FIN_AND_TEXT = 0x81
_LONGEST_IN_ONE_BYTE = 125
_LONGEST_IN_TWO_BYTES = 0xFFFF


class Update(NamedTuple):
    """One book ticker as it is pushed: `payload` is the JSON text that a raw stream carries, byte for byte.

    `market` is the `st` of its contract, also where the payload carries none.
    """

    symbol: str
    update_id: int
    payload: bytes
    market: int


class Frames:
    """Whole frames, ready for the transport, built once for all connections that get them."""

    def __init__(self, each: Sequence[bytes]) -> None:
        self.each = each

    @cached_property
    def joined(self) -> bytes:
        return b"".join(self.each)


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


def own_stream(symbol: str) -> str:
    """The name of a contract's own stream, which is lowercase on the wire."""
    return f"{symbol.lower()}@bookTicker"


def text_frame(payload: bytes) -> bytes:
    """A whole text frame as a server sends it, unmasked. The payload is not checked: a test may want invalid UTF-8."""
    size = len(payload)
    if size <= _LONGEST_IN_ONE_BYTE:
        header = bytes((_FIN_AND_TEXT, size))
    elif size <= _LONGEST_IN_TWO_BYTES:
        header = bytes((_FIN_AND_TEXT, 126, *size.to_bytes(2, "big")))
    else:
        header = bytes((_FIN_AND_TEXT, 127, *size.to_bytes(8, "big")))
    return header + payload


def wrap(stream: str, payload: bytes) -> bytes:
    """The payload as a combined stream carries it: `{"stream":"!bookTicker","data":{...}}`."""
    return b'{"stream":%b,"data":%b}' % (orjson.dumps(stream), payload)
