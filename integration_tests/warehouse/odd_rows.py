"""Rows that SQL stumbles over: one market with all of them, and each kind by itself with what every file answers.

A new file of docs/sql needs a row in `EXPECTED`, and one in `ASK` if it gives no rows of its own.
"""

from __future__ import annotations

from typing import Any

from .databases import Row
from .examples import Tables, at, book_ticker

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


# --- each kind by itself, and what every file of docs/sql answers over it ---

SYMBOL, PAIR, OTHER = "BTCUSD_PERP", "BTCUSD", "ETHUSD_PERP"
PRICE = {"symbol": "BTCUSDT", "price": "100", "time": 60_000}

KINDS: dict[str, list[dict[str, Any]]] = {
    "none": [],
    "one-sided": [
        book_ticker(SYMBOL, 1, 60, "0.0", "102"),
        book_ticker(SYMBOL, 2, 61, "100", "102"),
        book_ticker(SYMBOL, 3, 63, "100", "102", best_ask_qty="0.000"),
    ],
    "empty": [book_ticker(SYMBOL, 1, 60, "", "") | NO_TEXT],
    "duplicate": [
        # Of another source, whose capture began later, and loaded first.
        book_ticker(SYMBOL, 1, 60, "100", "102", covered_since_us=30_000_000),
        book_ticker(SYMBOL, 1, 60, "100", "102"),
        book_ticker(SYMBOL, 1, 60, "100", "102"),
        book_ticker(SYMBOL, 2, 62, "103", "105"),
        book_ticker(SYMBOL, 2, 62, "103", "105"),
        book_ticker(OTHER, 1, 61, "5", "7"),
    ],
    "quiet": [
        book_ticker(SYMBOL, 1, 60, "100", "102"),
        book_ticker(SYMBOL, 2, 300, "103", "105"),
        # Another window: to what came before 350 seconds nobody listened.
        book_ticker(SYMBOL, 3, 360, "100", "105", covered_since_us=350_000_000),
    ],
    "null": [
        book_ticker(SYMBOL, 1, 60, None, None, best_bid_qty=None, best_ask_qty=None, pair=None),
        book_ticker(SYMBOL, 1, 60, None, None, best_bid_qty=None, best_ask_qty=None, pair=None),
        book_ticker(SYMBOL, None, 61, "100", "102"),
        book_ticker(SYMBOL, None, 61, "100", "102"),
        book_ticker(None, 1, 62, "100", "102"),
        NOTHING | {"symbol": SYMBOL, "u": 4},
        NOTHING,
        NOTHING,
    ],
}

ASK = {
    "quotes": "SELECT u, event_at, bid, ask, mid, spread_bps, microprice FROM quotes"
    " ORDER BY symbol NULLS LAST, u NULLS LAST, received_at_us NULLS LAST",
    "coverage": "SELECT * FROM coverage ORDER BY symbol, since_us",
    "shards": "SELECT symbol, u, count(*) FROM all_book_tickers GROUP BY symbol, u"
    " ORDER BY symbol NULLS LAST, u NULLS LAST",
    "overlap": "SELECT symbol, u, count(*), max(covered_since_us) FROM all_book_tickers GROUP BY symbol, u"
    " ORDER BY symbol NULLS LAST, u NULLS LAST",
    "remove_duplicates": "SELECT symbol, u, count(*), max(covered_since_us) FROM book_tickers GROUP BY symbol, u"
    " ORDER BY symbol NULLS LAST, u NULLS LAST",
    "drop_views": "SELECT table_type, count(*) FROM information_schema.tables WHERE table_schema = 'examples'"
    " GROUP BY table_type",
}
"""What a file that gives no rows of its own is asked by: a view, or a command."""

EXPECTED: dict[str, dict[str, list[Row]]] = {
    "asof": {
        "none": [],
        "one-sided": [
            (at(61.5), SYMBOL, "100", 1, "102", 3, at(61.002), True),
            (at(355), SYMBOL, "100", 1, None, 0, at(63.002), False),
        ],
        "empty": [
            (at(61.5), SYMBOL, None, None, None, None, at(60.002), False),
            (at(355), SYMBOL, None, None, None, None, at(60.002), False),
        ],
        "duplicate": [
            (at(61.5), SYMBOL, "100", 1, "102", 3, at(60.002), True),
            (at(61.5), OTHER, "5", 1, "7", 3, at(61.002), False),
            (at(355), SYMBOL, "103", 1, "105", 3, at(62.002), False),
            (at(355), OTHER, "5", 1, "7", 3, at(61.002), False),
        ],
        "quiet": [
            (at(61.5), SYMBOL, "100", 1, "102", 3, at(60.002), True),
            (at(355), SYMBOL, "103", 1, "105", 3, at(300.002), False),
        ],
        "null": [
            (at(61.5), SYMBOL, None, None, None, None, at(60.002), False),
            (at(355), SYMBOL, None, None, None, None, at(60.002), False),
        ],
    },
    "bars": {
        "none": [],
        "one-sided": [(SYMBOL, at(60), None, "101", "101", None, 3, False)],
        "empty": [(SYMBOL, at(60), None, None, None, None, 1, False)],
        "duplicate": [
            (SYMBOL, at(60), "101", "104", "101", "104", 5, False),
            (OTHER, at(60), "6", "6", "6", "6", 1, False),
        ],
        "quiet": [
            (SYMBOL, at(60), "101", "101", "101", "101", 1, True),
            (SYMBOL, at(120), "101", "101", "101", "101", 0, True),
            (SYMBOL, at(180), "101", "101", "101", "101", 0, True),
            (SYMBOL, at(240), None, None, None, None, 0, False),
            (SYMBOL, at(300), "104", "104", "104", "104", 1, False),
            (SYMBOL, at(360), "102.5", "102.5", "102.5", "102.5", 1, False),
        ],
        "null": [(SYMBOL, at(60), None, None, None, None, 2, False)],
    },
    "basis": {
        "none": [],
        "one-sided": [(PAIR, SYMBOL, None, 100, None, 3)],
        "empty": [(PAIR, SYMBOL, None, 100, None, 0)],
        "duplicate": [(PAIR, SYMBOL, "104", 100, 400, 2)],
        "quiet": [(PAIR, SYMBOL, "102.5", 100, 250, 300)],
        "null": [],
    },
    "coverage": {
        "none": [],
        "one-sided": [(SYMBOL, 1000000, 63002000, "62.002", 3)],
        "empty": [(SYMBOL, 1000000, 60002000, "59.002", 1)],
        "duplicate": [(SYMBOL, 1000000, 62002000, "61.002", 5), (OTHER, 1000000, 61002000, "60.002", 1)],
        "quiet": [(SYMBOL, 1000000, 300002000, "299.002", 2), (SYMBOL, 350000000, 360002000, "10.002", 1)],
        "null": [(SYMBOL, 1000000, 61002000, "60.002", 4)],
    },
    "drop_views": {kind: [("BASE TABLE", 6)] for kind in KINDS},
    "duplicates": {
        "none": [],
        "one-sided": [],
        "empty": [],
        "duplicate": [(SYMBOL, 1, 3), (SYMBOL, 2, 2)],
        "quiet": [],
        "null": [(SYMBOL, 1, 2), (SYMBOL, None, 2), (None, None, 2)],
    },
    "holes": {
        "none": [],
        "one-sided": [],
        "empty": [],
        "duplicate": [],
        "quiet": [(SYMBOL, "49.998", at(300.002), at(350))],
        "null": [],
    },
    "latency": {
        "none": [],
        "one-sided": [(SYMBOL, at(0), 3, 2, 2, 2, 2)],
        "empty": [(SYMBOL, at(0), 1, 2, 2, 2, 2)],
        "duplicate": [(SYMBOL, at(0), 5, 2, 2, 2, 2), (OTHER, at(0), 1, 2, 2, 2, 2)],
        "quiet": [(SYMBOL, at(0), 3, 2, 2, 2, 2)],
        "null": [(SYMBOL, at(0), 4, 2, 2, 2, 2), (None, at(0), 1, 2, 2, 2, 2)],
    },
    "latest_book": {
        "none": [],
        "one-sided": [(SYMBOL, "100", "1", "102", "0", at(63))],
        "empty": [(SYMBOL, "", "", "", "", at(60))],
        "duplicate": [(SYMBOL, "103", "1", "105", "3", at(62)), (OTHER, "5", "1", "7", "3", at(61))],
        "quiet": [(SYMBOL, "100", "1", "105", "3", at(360))],
        "null": [(SYMBOL, None, None, None, None, None)],
    },
    "overlap": {
        "none": [],
        "one-sided": [(SYMBOL, 1, 1, 1000000), (SYMBOL, 2, 1, 1000000), (SYMBOL, 3, 1, 1000000)],
        "empty": [(SYMBOL, 1, 1, 1000000)],
        "duplicate": [(SYMBOL, 1, 1, 1000000), (SYMBOL, 2, 1, 1000000), (OTHER, 1, 1, 1000000)],
        "quiet": [(SYMBOL, 1, 1, 1000000), (SYMBOL, 2, 1, 1000000), (SYMBOL, 3, 1, 350000000)],
        "null": [
            (SYMBOL, 1, 1, 1000000),
            (SYMBOL, 4, 1, None),
            (SYMBOL, None, 4, 1000000),
            (None, 1, 2, 1000000),
            (None, None, 4, None),
        ],
    },
    "quotes": {
        "none": [],
        "one-sided": [
            (1, at(60), None, "102", None, None, None),
            (2, at(61), "100", "102", "101", 198.019802, 100.5),
            (3, at(63), "100", None, None, None, None),
        ],
        "empty": [(1, at(60), None, None, None, None, None)],
        "duplicate": [
            (1, at(60), "100", "102", "101", 198.019802, 100.5),
            (1, at(60), "100", "102", "101", 198.019802, 100.5),
            (1, at(60), "100", "102", "101", 198.019802, 100.5),
            (2, at(62), "103", "105", "104", 192.307692, 103.5),
            (2, at(62), "103", "105", "104", 192.307692, 103.5),
            (1, at(61), "5", "7", "6", 3333.333333, 5.5),
        ],
        "quiet": [
            (1, at(60), "100", "102", "101", 198.019802, 100.5),
            (2, at(300), "103", "105", "104", 192.307692, 103.5),
            (3, at(360), "100", "105", "102.5", 487.804878, 101.25),
        ],
        "null": [
            (1, at(60), None, None, None, None, None),
            (1, at(60), None, None, None, None, None),
            (4, None, None, None, None, None, None),
            (None, at(61), "100", "102", "101", 198.019802, 100.5),
            (None, at(61), "100", "102", "101", 198.019802, 100.5),
            (1, at(62), "100", "102", "101", 198.019802, 100.5),
            (None, None, None, None, None, None, None),
            (None, None, None, None, None, None, None),
        ],
    },
    "remove_duplicates": {
        "none": [],
        "one-sided": [(SYMBOL, 1, 1, 1000000), (SYMBOL, 2, 1, 1000000), (SYMBOL, 3, 1, 1000000)],
        "empty": [(SYMBOL, 1, 1, 1000000)],
        "duplicate": [(SYMBOL, 1, 1, 1000000), (SYMBOL, 2, 1, 1000000), (OTHER, 1, 1, 1000000)],
        "quiet": [(SYMBOL, 1, 1, 1000000), (SYMBOL, 2, 1, 1000000), (SYMBOL, 3, 1, 350000000)],
        "null": [
            (SYMBOL, 1, 1, 1000000),
            (SYMBOL, 4, 1, None),
            (SYMBOL, None, 2, 1000000),
            (None, 1, 1, 1000000),
            (None, None, 2, None),
        ],
    },
    "shards": {
        "none": [],
        "one-sided": [(SYMBOL, 1, 1), (SYMBOL, 2, 1), (SYMBOL, 3, 1)],
        "empty": [(SYMBOL, 1, 1)],
        "duplicate": [(SYMBOL, 1, 3), (SYMBOL, 2, 2), (OTHER, 1, 1)],
        "quiet": [(SYMBOL, 1, 1), (SYMBOL, 2, 1), (SYMBOL, 3, 1)],
        "null": [(SYMBOL, 1, 2), (SYMBOL, 4, 1), (SYMBOL, None, 2), (None, 1, 1), (None, None, 2)],
    },
    "spread": {
        "none": [],
        "one-sided": [(SYMBOL, None, 198.019802, 3)],
        "empty": [(SYMBOL, None, None, 1)],
        "duplicate": [(SYMBOL, "104", 195.734958, 5), (OTHER, "6", 3333.333333, 1)],
        "quiet": [(SYMBOL, "102.5", 292.710791, 3)],
        "null": [(SYMBOL, None, 198.019802, 5)],
    },
    "time_weighted": {
        "none": [],
        "one-sided": [(SYMBOL, at(0), 198.019802, 101, 2)],
        "empty": [],
        "duplicate": [(SYMBOL, at(0), 198.019802, 101, 2)],
        "quiet": [(SYMBOL, at(0), 198.019802, 101, 240)],
        "null": [],
    },
    "watch": {
        "none": [],
        "one-sided": [(SYMBOL, "337", 0, "0", "0")],
        "empty": [(SYMBOL, "340", 0, "0", "0")],
        "duplicate": [(OTHER, "339", 0, "0", "0"), (SYMBOL, "338", 0, "0", "0")],
        "quiet": [(SYMBOL, "40", 1, "50", "50")],
        "null": [(SYMBOL, "339", 0, "0", "0")],
    },
}
