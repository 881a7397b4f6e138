"""One market with every kind of row that SQL stumbles over, a contract for each kind."""

from __future__ import annotations

from typing import Any

from .examples import Tables, book_ticker

SOUND = "BTCUSD_PERP"
ONE_SIDED = "ETHUSD_PERP"
DUPLICATE = "XRPUSD_PERP"
QUIET = "LTCUSD_PERP"
ONCE = "币安人生USD_PERP"
EMPTY = "ADAUSD_PERP"
NULL = "DOTUSD_PERP"

NOTHING = dict.fromkeys(book_ticker(None, None, 0, None, None))
NO_TEXT = {"best_bid_price": "", "best_bid_qty": "", "best_ask_price": "", "best_ask_qty": ""}

SOUND_ROWS = [
    book_ticker(SOUND, 10, 61, "100.0", "100.2"),
    # Loaded before the update that came first: neither the order of the rows nor the clock is that of `u`.
    book_ticker(SOUND, 12, 62.5, "100.4", "100.8"),
    book_ticker(SOUND, 11, 62, "99.8", "100.00"),
    book_ticker(SOUND, 15, 125, "100.10", "100.20"),
]
ONE_SIDED_ROWS = [
    book_ticker(ONE_SIDED, 20, 60, "0.0", "2000.5", best_bid_qty="0"),
    book_ticker(ONE_SIDED, 21, 61, "2000.0", "2000.4", best_ask_qty="0.000"),
    book_ticker(ONE_SIDED, 22, 62, "0", "0.00000000", best_bid_qty="0", best_ask_qty="0"),
    book_ticker(ONE_SIDED, 23, 63, "0.5", "1.5", best_bid_qty="0.5", best_ask_qty="0.5"),
    book_ticker(ONE_SIDED, 24, 64, "2000.0", "0.0"),
]
DUPLICATE_ROWS = [
    book_ticker(DUPLICATE, 30, 60, "0.5", "0.7"),
    book_ticker(DUPLICATE, 30, 60, "0.5", "0.7"),
    # The same update from another source, whose capture began later.
    book_ticker(DUPLICATE, 30, 60, "0.5", "0.7", covered_since_us=30_000_000, received_at_us=60_004_000),
    book_ticker(DUPLICATE, 31, 61, "0.5", "0.9", covered_since_us=30_000_000),
]
QUIET_ROWS = [
    book_ticker(QUIET, 40, 60, "80", "82"),
    book_ticker(QUIET, 41, 300, "84", "86"),
    book_ticker(ONCE, 45, 60, "0.00000100", "0.00000102"),
]
EMPTY_ROWS = [book_ticker(EMPTY, 50, 60, "", "") | NO_TEXT]
NULL_ROWS = [
    NOTHING | {"symbol": NULL, "u": 60},
    book_ticker(NULL, 61, 60, "7", "9", best_bid_qty=None, best_ask_qty=None),
    book_ticker(NULL, 62, 61, "7", None),
    # A sample: it covers nothing.
    book_ticker(NULL, 63, 62, "6", "8", covered_since_us=None),
    # What the connector never sends, and every column allows.
    book_ticker(NULL, None, 63, "5", "6"),
    book_ticker(None, 65, 64, "5", "6"),
    NOTHING,
]
MARKET = [*SOUND_ROWS, *ONE_SIDED_ROWS, *DUPLICATE_ROWS, *QUIET_ROWS, *EMPTY_ROWS, *NULL_ROWS]

PRICES: list[dict[str, Any]] = [
    {"symbol": "BTCUSDT", "price": "100.0", "time": 124_000},
    {"symbol": "XRPUSDT", "price": "0.6", "time": 1},  # two copies: the newer one counts
    {"symbol": "XRPUSDT", "price": "0.50", "time": 61_000},
    {"symbol": "ETHUSDT", "price": "2000", "time": 60_000},
    {"symbol": "LTCUSDT", "price": "0.0", "time": 60_000},
    {"symbol": "ADAUSDT", "price": "", "time": 60_000},
    {"symbol": "DOTUSDT", "price": None, "time": None},
    {"symbol": None, "price": "1", "time": 60_000},
    {"symbol": "币安人生USDT", "price": "0.000001", "time": 61_000},
]


def fill(tables: Tables) -> None:
    """The rows of the market, and the two views over them."""
    tables.insert(*MARKET)
    tables.insert(*PRICES, table="symbol_prices")
    tables.create_views()
