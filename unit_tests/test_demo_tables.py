"""What `make demo` prints fits into 80 columns: no box, no date, and no symbol or price that is wrapped or cut."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any, cast
from xml.etree import ElementTree

import pytest
from rich.console import Console

from demo.report import LATEST_PRICES, TOP_OF_BOOK, Rows, moment, show_latest_prices, show_rows, show_top_of_book
from demo.warehouse import Warehouse

ROOT = Path(__file__).resolve().parent.parent
CHARACTER = 12.2  # how wide Rich draws one
AT = 1_795_528_605_999
WIDEST_BOOKS: list[dict[str, Any]] = [
    {
        "symbol": symbol,
        "best_bid_price": bid,
        "best_bid_qty": "123456789",
        "best_ask_price": ask,
        "best_ask_qty": "98765432.125",
        "event_time": AT,
        "updates": 123_456,
    }
    for symbol, bid, ask in [
        ("1000000MOGUSDT_261225", "0.00001870", "0.00001880"),
        ("币安人生USDT", "123456.12345678", "123456.12345679"),
        ("BTCUSD_261225", "86704.3", "86704.6"),
    ]
]
BOOKS: list[dict[str, Any]] = [
    {**book, "symbol": "BTCUSD_261225", "best_bid_price": "86704.3", "best_ask_price": "86704.6", "updates": 40}
    for book in [{**WIDEST_BOOKS[2], "best_bid_qty": "12345", "best_ask_qty": "54321"}]
]
PRICES: list[dict[str, Any]] = [
    {"symbol": "BTCUSDT_261225", "price": "86590.2", "time": AT},
    {"symbol": "1000SATSUSDT", "price": "0.0000187", "time": AT - 20_000_000_000},
    {"symbol": "NEVERUSDT", "price": "1", "time": None},
]


class Tables:
    """In place of a warehouse: what its queries give."""

    def __init__(self, books: list[dict[str, Any]]) -> None:
        self._answers = {TOP_OF_BOOK: books, LATEST_PRICES: PRICES}

    def query(self, sql: str) -> list[dict[str, Any]]:
        return self._answers[sql]


def printed(books: list[dict[str, Any]], width: int = 80) -> list[str]:
    output = io.StringIO()
    console = Console(file=output, width=width, highlight=False)
    warehouse = cast("Warehouse", Tables(books))
    show_rows(console, [Rows(123_456, 930, 0), Rows(246_912, 930, 0)])
    show_top_of_book(console, warehouse)
    show_latest_prices(console, warehouse)
    return output.getvalue().splitlines()


@pytest.mark.parametrize("books", [BOOKS, WIDEST_BOOKS], ids=["usual", "the widest"])
def test_every_line_fits_and_shows_what_it_is_about(books: list[dict[str, Any]]) -> None:
    lines = printed(books)
    assert max(map(len, lines)) <= 80
    for book in books:
        (line,) = [line for line in lines if line.startswith(str(book["symbol"]) + " ")]
        assert {book["best_bid_price"], book["best_ask_price"]} <= set(line.split())
    for price in PRICES:
        assert [line for line in lines if line.split()[:2] == [price["symbol"], price["price"]]]


def test_there_is_no_box_and_no_date() -> None:
    text = "\n".join(printed(BOOKS))
    assert not re.search("[┏┃━│─┌╇|]", text)
    (book,) = [line for line in text.splitlines() if line.startswith("BTCUSD_261225 ")]
    assert book.split() == ["BTCUSD_261225", "12345", "86704.3", "86704.6", "54321", "0.03", "40", "13:56:45.999"]


@pytest.mark.parametrize(
    ("width", "words"),
    [
        (70, ["12345", "86704.3", "86704.6", "54321", "0.03", "13:56:45.999"]),
        (55, ["12345", "86704.3", "86704.6", "54321", "0.03"]),
        (35, ["86704.3", "86704.6"]),
    ],
)
def test_what_is_least_needed_gives_way_first(width: int, words: list[str]) -> None:
    (book,) = [line for line in printed(BOOKS, width) if line.startswith("BTCUSD_261225 ")]
    assert book.split() == ["BTCUSD_261225", *words]


def test_only_what_is_old_has_a_date() -> None:
    assert moment(AT, AT) == "13:56:45.999"
    assert moment(AT - 23 * 3_600_000, AT) == "14:56:45.999"
    assert moment(AT - 25 * 3_600_000, AT) == "2026-11-23"
    assert moment(None, AT) == ""


def test_a_book_with_one_side_has_no_spread() -> None:
    book = {**BOOKS[0], "best_bid_price": "0.0"}
    (line,) = [line for line in printed([book]) if line.startswith("BTCUSD_261225 ")]
    assert line.split() == ["BTCUSD_261225", "12345", "0.0", "86704.6", "54321", "40", "13:56:45.999"]


# --- its picture in the README ---


def drawn_lines() -> list[str]:
    """The lines of docs/images/demo.svg: each piece of one stands at the same height, at a multiple of a width."""
    root = ElementTree.parse(ROOT / "docs" / "images" / "demo.svg").getroot()
    lines: dict[str, str] = {}
    pieces = [piece for piece in root.iter("{http://www.w3.org/2000/svg}text") if "clip-path" in piece.attrib]
    for piece in sorted(pieces, key=lambda piece: float(piece.attrib["x"])):
        column = round(float(piece.attrib["x"]) / CHARACTER)
        height = piece.attrib["y"]
        lines[height] = lines.get(height, "").ljust(column) + (piece.text or "").replace("\xa0", " ")
    return [line.rstrip() for line in lines.values()]


def test_the_picture_is_of_a_run_of_this_code() -> None:
    """Not of an older one, which printed other columns."""
    assert max(map(len, drawn_lines())) <= 80
    lines = [" ".join(line.split()) for line in drawn_lines()]
    for heading in (line for line in printed(BOOKS) if line.split()[-1:] == ["UTC"]):
        assert " ".join(heading.split()) in lines


def test_nothing_is_fetched_for_the_picture() -> None:
    text = (ROOT / "docs" / "images" / "demo.svg").read_text(encoding="utf-8")
    assert set(re.findall(r"https?://[^\"\s]+", text)) == {"http://www.w3.org/2000/svg"}
    assert not re.search(r"@import|@font-face|<image|<script|href", text)
