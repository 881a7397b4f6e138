"""Rows that SQL stumbles over, each kind by itself with what every file of docs/sql answers.

A new file of docs/sql needs a row in `EXPECTED`, and one in `ASK` if it gives no rows of its own.
"""

from __future__ import annotations

from typing import Any

from .databases import Row
from .examples import at, book_ticker

SYMBOL, PAIR, OTHER = "BTCUSD_PERP", "BTCUSD", "ETHUSD_PERP"
PRICE = {"symbol": "BTCUSDT", "price": "100", "time": 60_000}

NOTHING = dict.fromkeys(book_ticker(None, None, 0, None, None))
NO_TEXT = {"best_bid_price": "", "best_bid_qty": "", "best_ask_price": "", "best_ask_qty": ""}

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

KEPT: dict[str, list[Row]] = {
    "one-sided": [(SYMBOL, 1, 1, 1000000), (SYMBOL, 2, 1, 1000000), (SYMBOL, 3, 1, 1000000)],
    "empty": [(SYMBOL, 1, 1, 1000000)],
    "duplicate": [(SYMBOL, 1, 1, 1000000), (SYMBOL, 2, 1, 1000000), (OTHER, 1, 1, 1000000)],
    "quiet": [(SYMBOL, 1, 1, 1000000), (SYMBOL, 2, 1, 1000000), (SYMBOL, 3, 1, 350000000)],
}
"""Each update once, with what its copies cover at most."""

EXPECTED: dict[str, dict[str, list[Row]]] = {
    "asof": {
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
        "one-sided": [(PAIR, SYMBOL, None, 100, None, 3)],
        "empty": [(PAIR, SYMBOL, None, 100, None, 0)],
        "duplicate": [(PAIR, SYMBOL, "104", 100, 400, 2)],
        "quiet": [(PAIR, SYMBOL, "102.5", 100, 250, 300)],
    },
    "coverage": {
        "one-sided": [(SYMBOL, 1000000, 63002000, "62.002", 3)],
        "empty": [(SYMBOL, 1000000, 60002000, "59.002", 1)],
        "duplicate": [(SYMBOL, 1000000, 62002000, "61.002", 5), (OTHER, 1000000, 61002000, "60.002", 1)],
        "quiet": [(SYMBOL, 1000000, 300002000, "299.002", 2), (SYMBOL, 350000000, 360002000, "10.002", 1)],
        "null": [(SYMBOL, 1000000, 61002000, "60.002", 4)],
    },
    "drop_views": {kind: [("BASE TABLE", 6)] for kind in KINDS},
    "duplicates": {
        "duplicate": [(SYMBOL, 1, 3), (SYMBOL, 2, 2)],
        "null": [(SYMBOL, 1, 2), (SYMBOL, None, 2), (None, None, 2)],
    },
    "holes": {
        "quiet": [(SYMBOL, "49.998", at(300.002), at(350))],
    },
    "latency": {
        "one-sided": [(SYMBOL, at(0), 3, 2, 2, 2, 2)],
        "empty": [(SYMBOL, at(0), 1, 2, 2, 2, 2)],
        "duplicate": [(SYMBOL, at(0), 5, 2, 2, 2, 2), (OTHER, at(0), 1, 2, 2, 2, 2)],
        "quiet": [(SYMBOL, at(0), 3, 2, 2, 2, 2)],
        "null": [(SYMBOL, at(0), 4, 2, 2, 2, 2), (None, at(0), 1, 2, 2, 2, 2)],
    },
    "latest_book": {
        "one-sided": [(SYMBOL, "100", "1", "102", "0", at(63))],
        "empty": [(SYMBOL, "", "", "", "", at(60))],
        "duplicate": [(SYMBOL, "103", "1", "105", "3", at(62)), (OTHER, "5", "1", "7", "3", at(61))],
        "quiet": [(SYMBOL, "100", "1", "105", "3", at(360))],
        "null": [(SYMBOL, None, None, None, None, None)],
    },
    "overlap": {
        **KEPT,
        "null": [
            (SYMBOL, 1, 1, 1000000),
            (SYMBOL, 4, 1, None),
            (SYMBOL, None, 4, 1000000),
            (None, 1, 2, 1000000),
            (None, None, 4, None),
        ],
    },
    "quotes": {
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
        **KEPT,
        "null": [
            (SYMBOL, 1, 1, 1000000),
            (SYMBOL, 4, 1, None),
            (SYMBOL, None, 2, 1000000),
            (None, 1, 1, 1000000),
            (None, None, 2, None),
        ],
    },
    "shards": {
        "one-sided": [(SYMBOL, 1, 1), (SYMBOL, 2, 1), (SYMBOL, 3, 1)],
        "empty": [(SYMBOL, 1, 1)],
        "duplicate": [(SYMBOL, 1, 3), (SYMBOL, 2, 2), (OTHER, 1, 1)],
        "quiet": [(SYMBOL, 1, 1), (SYMBOL, 2, 1), (SYMBOL, 3, 1)],
        "null": [(SYMBOL, 1, 2), (SYMBOL, 4, 1), (SYMBOL, None, 2), (None, 1, 1), (None, None, 2)],
    },
    "spread": {
        "one-sided": [(SYMBOL, None, 198.019802, 3)],
        "empty": [(SYMBOL, None, None, 1)],
        "duplicate": [(SYMBOL, "104", 195.734958, 5), (OTHER, "6", 3333.333333, 1)],
        "quiet": [(SYMBOL, "102.5", 292.710791, 3)],
        "null": [(SYMBOL, None, 198.019802, 5)],
    },
    "time_weighted": {
        "one-sided": [(SYMBOL, at(0), 198.019802, 101, 2)],
        "duplicate": [(SYMBOL, at(0), 198.019802, 101, 2)],
        "quiet": [(SYMBOL, at(0), 198.019802, 101, 240)],
    },
    "watch": {
        "one-sided": [(SYMBOL, "337", 0, "0", "0")],
        "empty": [(SYMBOL, "340", 0, "0", "0")],
        "duplicate": [(OTHER, "339", 0, "0", "0"), (SYMBOL, "338", 0, "0", "0")],
        "quiet": [(SYMBOL, "40", 1, "50", "50")],
        "null": [(SYMBOL, "339", 0, "0", "0")],
    },
}
"""What each file answers over each kind of row; over a kind that is not named, nothing."""
