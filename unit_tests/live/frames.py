"""Frames as Binance sends them over `/stream`."""

from __future__ import annotations

from typing import Any

import orjson

BOOK_TICKER = {
    "e": "bookTicker",
    "u": 11660059839759,
    "s": "BTCUSD_PERP",
    "ps": "BTCUSD",
    "b": "83732.4",
    "B": "680",
    "a": "83732.5",
    "A": "2458",
    "T": 1790373637547,
    "E": 1790373637547,
    "st": 2,
}


def book_ticker(without: str = "", **changes: Any) -> dict[str, Any]:
    found = BOOK_TICKER | changes
    return {key: value for key, value in found.items() if key != without}


def own(without: str = "", **changes: Any) -> bytes:
    """Over the contract's own stream."""
    found = book_ticker(without, **changes)
    return orjson.dumps({"stream": f"{found['s'].lower()}@bookTicker", "data": found})


def sample(without: str = "", **changes: Any) -> bytes:
    """Over the all-market stream."""
    return orjson.dumps({"stream": "!bookTicker", "data": book_ticker(without, **changes)})
