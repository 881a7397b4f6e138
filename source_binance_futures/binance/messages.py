"""What Binance's frames say: pure functions from bytes to records. The keys of the market stream stand here only."""

from __future__ import annotations

import re
from collections.abc import Mapping
from operator import itemgetter
from typing import Any

import orjson

# The wire's keys and the words that a warehouse gets, since `b`/`B`, `a`/`A` and `e`/`E` become one column there.
BOOK_TICKER_FIELDS = {
    "event_type": "e",
    "u": "u",  # order book update id
    "symbol": "s",
    "pair": "ps",
    "best_bid_price": "b",
    "best_bid_qty": "B",
    "best_ask_price": "a",
    "best_ask_qty": "A",
    "transaction_time": "T",
    "event_time": "E",
    "symbol_type": "st",  # 1 = USDⓈ-M, 2 = COIN-M
}
SYMBOL_KEY, UPDATE_ID_KEY, TRANSACTION_TIME_KEY, EVENT_TIME_KEY = "s", "u", "T", "E"
PRICE_FIELDS = ("symbol", "price", "time")
COIN_M_SYMBOL_TYPE = 2
COIN_M_SYMBOL = re.compile(r"[A-Z0-9]+USD_(?:PERP|\d{6})\Z")
SHUTDOWN_NOTICE = b"serverShutdown"
MAX_UPDATE_ID = 2**63 - 1  # what an integer column of a warehouse holds
MAX_SYMBOL_LENGTH = 100  # characters; the longest symbol seen has 22

_wire_values = itemgetter(*BOOK_TICKER_FIELDS.values())


class MalformedFrame(ValueError):
    """A frame that is not JSON, or a book ticker without a usable symbol and update id; `str()` says which."""


def parse_book_ticker(payload: bytes) -> dict[str, Any] | None:
    """The book ticker in a frame of the market stream, raw or wrapped, with the keys of the wire.

    None for a sound frame that is something else: a control reply, another event, an error object.
    Raises `MalformedFrame`. Its `s` (string) and `u` (positive int64) are usable; every other key may be missing,
    unknown ones may be there. [binance-protocol 2.1, 2.5]

    A payload, raw as `/ws/!bookTicker` sends it, and wrapped as `/stream` does:

        {"e":"bookTicker","u":11660059839759,"s":"BTCUSD_PERP","ps":"BTCUSD","b":"83732.4","B":"680",
         "a":"83732.5","A":"2458","T":1790373637547,"E":1790373637547,"st":2}
        {"stream":"btcusd_perp@bookTicker","data":{"e":"bookTicker","u":11660059839759,"s":"BTCUSD_PERP", ...}}

    `b`, `a` are prices in quote currency, `B`, `A` quantities in contracts (USDⓈ-M: in the base asset), all decimal
    strings; `T` is the transaction time and `E` the event time, in ms since 1970 UTC.
    """
    try:
        frame = orjson.loads(payload)
    except orjson.JSONDecodeError:
        raise MalformedFrame("not JSON in UTF-8") from None
    if type(frame) is not dict:
        raise MalformedFrame("not an object")
    if "stream" in frame:
        frame = frame.get("data")
        if type(frame) is not dict:
            raise MalformedFrame("a wrapped frame without data")
    event = frame.get("e")
    if event != "bookTicker" and (event is not None or "u" not in frame or "s" not in frame):
        return None
    symbol, update_id = frame.get("s"), frame.get("u")
    if type(symbol) is not str or not 0 < len(symbol) <= MAX_SYMBOL_LENGTH:
        raise MalformedFrame("a book ticker without a usable symbol (s)")
    if type(update_id) is not int or not 0 < update_id <= MAX_UPDATE_ID:
        raise MalformedFrame("a book ticker without a usable update id (u)")
    return frame


def is_coin_m(book_ticker: Mapping[str, Any]) -> bool:
    """Whether a parsed book ticker is of a COIN-M contract: by `st`, or where it is missing by the shape of the symbol.

    The all-market stream of either host carries both markets since 2026-06 [binance-protocol 2.2].
    COIN-M symbols are `<BASE>USD_PERP` or `<BASE>USD_<yymmdd>`: `BTCUSD_PERP`, `BTCUSD_260626`.
    """
    symbol_type = book_ticker.get("st")
    if symbol_type is None:
        return COIN_M_SYMBOL.match(book_ticker["s"]) is not None
    return bool(symbol_type == COIN_M_SYMBOL_TYPE)


def book_ticker_record(book_ticker: Mapping[str, Any]) -> dict[str, Any]:
    """The record of a parsed book ticker: strings and integers exactly as sent, a missing key is null."""
    try:
        values = _wire_values(book_ticker)
    except KeyError:
        values = tuple(map(book_ticker.get, BOOK_TICKER_FIELDS.values()))
    return dict(zip(BOOK_TICKER_FIELDS, values))  # noqa: B905 - as long as each other by construction, and hot


def may_be_book_ticker(payload: bytes) -> bool:
    """A cheap look at an unparsed frame: only data proves that a stream is alive, an acknowledgement does not."""
    return b'"u"' in payload and b'"s"' in payload


def is_shutdown_notice(payload: bytes) -> bool:
    """Whether the server announces its end: open a new connection, then leave this one [binance-protocol 2.5].

    {"stream":"!serverShutdown","data":{"e":"serverShutdown","E":1770123456789}}
    """
    if SHUTDOWN_NOTICE not in payload:
        return False
    try:
        frame = orjson.loads(payload)
    except orjson.JSONDecodeError:
        return False
    if isinstance(frame, dict) and isinstance(frame.get("data"), dict):
        frame = frame["data"]
    return isinstance(frame, dict) and frame.get("e") == "serverShutdown"
