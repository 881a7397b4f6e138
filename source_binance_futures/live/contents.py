"""What is odd about a book ticker, held against what Binance is believed to send. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

from ..binance.endpoints import Market, market_of
from ..binance.market_stream.messages import COIN_M_SYMBOL_TYPE, WIRE_KEYS, market_of_book_ticker
from .facts import ContentFacts

USDS_M_SYMBOL_TYPE = 1
TYPES: tuple[tuple[str, type], ...] = (
    ("e", str),
    ("u", int),
    ("s", str),
    ("b", str),
    ("B", str),
    ("a", str),
    ("A", str),
    ("T", int),
    ("E", int),
)  # and where they are there, `ps` and `st`, which have beliefs of their own [binance-facts 2.1]
OPTIONAL_TYPES: tuple[tuple[str, type], ...] = (("ps", str), ("st", int))
PRICES, BOOK = ("b", "a"), ("b", "B", "a", "A")
DECIMAL = re.compile(r"\d+(?:\.\d+)?\Z")
DIFFERENT_KINDS = 30  # of odd things that are told apart; a server that invents more must not fill the memory
LARGEST_TOLD_APART = 4096  # bytes
JSON_NAMES = {str: "string", int: "integer", float: "number", bool: "boolean", type(None): "null"}


class Contents:
    """Takes the book tickers of one connection, and counts what is odd about them."""

    def __init__(self) -> None:
        self.unreadable = 0
        self._frames = 0
        self._wrong_types: Counter[str] = Counter()
        self._unknown_keys: Counter[str] = Counter()
        self._other_frames: Counter[str] = Counter()
        self._other_streams: Counter[str] = Counter()
        self._without_symbol_type = 0
        self._contradicting_symbol_type = 0
        self._without_pair = 0
        self._odd_books = 0
        self._sizes: Counter[int] = Counter()
        self._largest = 0

    def book_ticker(self, found: Mapping[str, Any], size: int) -> None:
        """A parsed book ticker whose payload has `size` bytes, its wrapper not counted."""
        self._frames += 1
        self._sizes[min(size, LARGEST_TOLD_APART)] += 1
        self._largest = max(self._largest, size)
        faults = wrong_types(found)
        for fault in faults:
            _count(self._wrong_types, fault)
        for key in found.keys() - WIRE_KEYS:
            _count(self._unknown_keys, key)
        self._without_pair += "ps" not in found
        if "st" not in found:
            self._without_symbol_type += 1
        elif symbol_type_contradicts(found):
            self._contradicting_symbol_type += 1
        if not faults:
            self._odd_books += is_odd_book(found)

    def other_frame(self, frame: object) -> None:
        """A sound frame that is no book ticker."""
        event = frame.get("e") if isinstance(frame, Mapping) else None
        keys = ", ".join(sorted(map(str, frame))) if isinstance(frame, Mapping) else type(frame).__name__
        _count(self._other_frames, str(event) if event is not None else f"keys {keys}")

    def other_stream(self, stream: str) -> None:
        """A book ticker over a stream that is neither the all-market stream nor its contract's own."""
        _count(self._other_streams, stream)

    def facts(self) -> ContentFacts:
        return ContentFacts(
            self._frames,
            self.unreadable,
            dict(self._wrong_types),
            dict(self._unknown_keys),
            dict(self._other_frames),
            dict(self._other_streams),
            self._without_symbol_type,
            self._contradicting_symbol_type,
            self._without_pair,
            self._odd_books,
            _median_of(self._sizes),
            self._largest,
        )


def wrong_types(found: Mapping[str, Any]) -> list[str]:
    """The keys of a book ticker that are missing, or hold something else than they should.

    >>> wrong_types({"e": "bookTicker", "u": 1, "s": "A", "b": 1.5, "B": "1", "a": "x", "A": "1", "T": 1})
    ['b: number', 'E: missing', 'a: no decimal']
    """
    faults = []
    for key, kind in TYPES:
        if type(found.get(key)) is not kind:
            faults.append(f"{key}: {_named(found[key]) if key in found else 'missing'}")
    for key, kind in OPTIONAL_TYPES:
        if key in found and type(found[key]) is not kind:
            faults.append(f"{key}: {_named(found[key])}")
    for key in BOOK:
        value = found.get(key)
        if type(value) is str and value and not DECIMAL.match(value):
            faults.append(f"{key}: no decimal")
    return faults


def symbol_type_contradicts(found: Mapping[str, Any]) -> bool:
    """Whether `st` is neither of its two values, or says another market than the shape of the symbol."""
    known = found["st"] in (USDS_M_SYMBOL_TYPE, COIN_M_SYMBOL_TYPE)
    return not known or market_of_book_ticker(found) is not market_of(found["s"])


def is_odd_book(found: Mapping[str, Any]) -> bool:
    """A crossed book, or an empty or zero price or quantity: never seen so far [binance-facts 2.4]."""
    if not all(found[key] and float(found[key]) for key in BOOK):
        return True
    bid, ask = (float(found[key]) for key in PRICES)
    return bid >= ask


def market_name(found: Mapping[str, Any]) -> str:
    return market_of_book_ticker(found).value


def coin_m(symbol: str) -> bool:
    return market_of(symbol) is Market.COIN_M


def _named(value: object) -> str:
    return JSON_NAMES.get(type(value), "object")


def _count(counter: Counter[str], kind: str) -> None:
    kind = kind[:60]
    if kind in counter or len(counter) < DIFFERENT_KINDS:
        counter[kind] += 1


def _median_of(sizes: Counter[int]) -> int:
    half, seen = sizes.total() / 2, 0
    for size in sorted(sizes):
        seen += sizes[size]
        if seen >= half:
            return size
    return 0
