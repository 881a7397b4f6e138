"""What `make demo` prints, and the pictures of the docs.

All fits into 80 columns: no box, no date, and no symbol or price that is wrapped or cut.
"""

from __future__ import annotations

import io
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast
from xml.etree import ElementTree

import pytest
from rich.console import Console

from demo.report import (
    CELLS,
    LATEST_PRICES,
    SYMBOLS_SHOWN,
    TOP_OF_BOOK,
    drawing,
    drawn,
    hole_at,
    in_words,
    moment,
    show_latest_prices,
    show_rows,
    show_top_of_book,
)
from demo.warehouse import Warehouse

ROOT = Path(__file__).resolve().parent.parent
CHARACTER = 12.2  # how wide Rich draws one
AT = 1_795_528_605_999
BOOK: dict[str, Any] = {
    "symbol": "BTCUSD_261225",
    "best_bid_price": "86704.3",
    "best_bid_qty": "12345",
    "best_ask_price": "86704.6",
    "best_ask_qty": "54321",
    "event_time": AT,
    "updates": 40,
}
WIDEST_BOOKS = [
    BOOK
    | {"best_bid_qty": "123456789", "best_ask_qty": "98765432.125", "updates": 123_456}
    | {"symbol": symbol, "best_bid_price": bid, "best_ask_price": ask}
    for symbol, bid, ask in [
        ("1000000MOGUSDT_261225", "0.00001870", "0.00001880"),
        ("币安人生USDT", "123456.12345678", "123456.12345679"),
        ("BTCUSD_261225", "86704.3", "86704.6"),
    ]
]
PRICES: list[dict[str, Any]] = [
    {"symbol": "BTCUSDT_261225", "price": "86590.2", "time": AT},
    {"symbol": "1000SATSUSDT", "price": "0.0000187", "time": AT - 20_000_000_000},
    {"symbol": "NEVERUSDT", "price": "1", "time": None},
]


def printed(books: list[dict[str, Any]], width: int = 80) -> list[str]:
    output = io.StringIO()
    console = Console(file=output, width=width, highlight=False)
    answers = {TOP_OF_BOOK: books, LATEST_PRICES: PRICES}
    warehouse = cast("Warehouse", SimpleNamespace(query=answers.__getitem__))
    show_rows(console, [{"book_tickers": rows, "symbol_prices": 930, "twice": 0} for rows in (123_456, 246_912)])
    show_top_of_book(console, warehouse)
    show_latest_prices(console, warehouse)
    return output.getvalue().splitlines()


@pytest.mark.parametrize("books", [[BOOK], WIDEST_BOOKS], ids=["usual", "the widest"])
def test_every_line_fits_and_shows_what_it_is_about(books: list[dict[str, Any]]) -> None:
    lines = printed(books)
    assert max(map(len, lines)) <= 80
    for book in books:
        (line,) = [line for line in lines if line.startswith(str(book["symbol"]) + " ")]
        assert {book["best_bid_price"], book["best_ask_price"]} <= set(line.split())
    for price in PRICES:
        assert [line for line in lines if line.split()[:2] == [price["symbol"], price["price"]]]


@pytest.mark.parametrize(
    ("width", "words"),
    [
        (80, ["12345", "86704.3", "86704.6", "54321", "0.03", "40", "13:56:45.999"]),
        (70, ["12345", "86704.3", "86704.6", "54321", "0.03", "13:56:45.999"]),
        (55, ["12345", "86704.3", "86704.6", "54321", "0.03"]),
        (35, ["86704.3", "86704.6"]),
    ],
)
def test_there_is_no_box_and_what_is_least_needed_gives_way_first(width: int, words: list[str]) -> None:
    lines = printed([BOOK], width)
    assert not re.search("[┏┃━│─┌╇|]", "\n".join(lines))
    assert [line.split() for line in lines if line.startswith("BTCUSD_261225 ")] == [["BTCUSD_261225", *words]]


def test_only_what_is_old_has_a_date() -> None:
    assert moment(AT, AT) == "13:56:45.999"
    assert moment(AT - 23 * 3_600_000, AT) == "14:56:45.999"
    assert moment(AT - 25 * 3_600_000, AT) == "2026-11-23"
    assert moment(None, AT) == ""


def test_a_book_with_one_side_has_no_spread() -> None:
    book = {**BOOK, "best_bid_price": "0.0"}
    (line,) = [line for line in printed([book]) if line.startswith("BTCUSD_261225 ")]
    assert line.split() == ["BTCUSD_261225", "12345", "0.0", "86704.6", "54321", "40", "13:56:45.999"]


# --- what its rows cover ---

S = 1_000_000


@pytest.mark.parametrize(
    ("stretches", "moment", "seconds"),
    [
        pytest.param([(0, 4), (9, 12)], 5, 5, id="between two"),
        pytest.param([(0, 4), (9, 12)], 9, 5, id="the second begins there"),
        pytest.param([(0, 1), (2, 4), (9, 10), (11, 12)], 5, 5, id="gaps within the syncs do not count"),
        pytest.param([(0, 4)], 5, None, id="nothing after it"),
        pytest.param([(9, 12)], 5, None, id="nothing before it"),
        pytest.param([], 5, None, id="none"),
    ],
)
def test_the_hole_between_the_syncs(stretches: list[tuple[float, float]], moment: float, seconds: float | None) -> None:
    assert hole_at([(round(a * S), round(b * S)) for a, b in stretches], round(moment * S)) == seconds


def test_a_cell_is_covered_where_all_of_it_is() -> None:
    assert drawn([(0, CELLS)], 0, CELLS) == "━" * CELLS
    assert drawn([(1, 3), (4, 6)], 0, CELLS) == "·━━·━━".ljust(CELLS, "·")
    assert drawn([(10, 25)], 0, 10 * CELLS) == "·━".ljust(CELLS, "·")
    assert drawn([(7, 7)], 7, 7) == "·" * CELLS


def test_it_fits_into_80_columns_and_shows_as_many_contracts_as_one_reads() -> None:
    symbols = [f"BTCUSD_{260600 + number}" for number in range(SYMBOLS_SHOWN + 5)]
    of_symbol = {symbol: [(0, 6 * S), (20 * S, 90 * S)] for symbol in symbols}
    output = io.StringIO()
    Console(file=output, width=80).print(drawing(of_symbol, 10 * S))
    lines = output.getvalue().splitlines()
    assert max(map(len, lines)) <= 80
    assert len(lines) == 2 + SYMBOLS_SHOWN
    assert "90 seconds" in lines[0]
    assert lines[2].split() == [symbols[0], drawn(of_symbol[symbols[0]], 0, 90 * S), "14.0", "s"]


def test_the_sentence_has_the_shortest_and_the_longest_and_what_the_chain_left_whole() -> None:
    said = in_words([5.24, None, 6.81, 6.0], [[(0, 4)], [(0, 1), (2, 4)], []])
    assert said.startswith("The hole between the two syncs: 5.2 to 6.8 seconds, by contract.")
    assert "no hole in\n1 of 2 contracts" in said
    assert max(map(len, in_words([1234.5, 2345.6], [[(0, 1)]] * 800).splitlines())) <= 80
    assert "not covered by both" in in_words([None], [])


# --- pictures ---

IMAGES = ROOT / "docs" / "images"
WINDOWS = ("windows.svg", "windows.zh-CN.svg")
SVG = "{http://www.w3.org/2000/svg}"


def drawn_lines() -> list[str]:
    """The lines of docs/images/demo.svg: each piece of one stands at the same height, at a multiple of a width."""
    root = ElementTree.parse(IMAGES / "demo.svg").getroot()
    lines: dict[str, str] = {}
    pieces = [piece for piece in root.iter(SVG + "text") if "clip-path" in piece.attrib]
    for piece in sorted(pieces, key=lambda piece: float(piece.attrib["x"])):
        column = round(float(piece.attrib["x"]) / CHARACTER)
        height = piece.attrib["y"]
        lines[height] = lines.get(height, "").ljust(column) + (piece.text or "").replace("\xa0", " ")
    return [line.rstrip() for line in lines.values()]


def test_the_picture_is_of_a_run_of_this_code() -> None:
    """Not of an older one, which printed other columns."""
    assert max(map(len, drawn_lines())) <= 80
    lines = [" ".join(line.split()) for line in drawn_lines()]
    for heading in (line for line in printed([BOOK]) if line.split()[-1:] == ["UTC"]):
        assert " ".join(heading.split()) in lines


def test_the_chinese_file_is_what_the_script_makes_of_the_english_one(tmp_path: Path) -> None:
    script = ROOT / "scripts" / "translate_picture.py"
    subprocess.run([sys.executable, str(script), str(tmp_path)], check=True, timeout=60)
    assert (IMAGES / WINDOWS[1]).read_bytes() == (tmp_path / WINDOWS[1]).read_bytes()


@pytest.mark.parametrize("name", [*WINDOWS, "demo.svg"])
def test_nothing_is_fetched_and_dark_mode_has_its_colours(name: str) -> None:
    text = (IMAGES / name).read_text(encoding="utf-8")
    assert set(re.findall(r"https?://[^\"\s]+", text)) == {SVG[1:-1]}
    assert not re.search(r"@import|@font-face|<image|<script|href", text)
    if name not in WINDOWS:
        return
    assert "url(" not in text
    light, dark = text.split("@media (prefers-color-scheme: dark)")
    kinds = set(re.findall(r'class="([a-z]+)"', dark))
    for kind in kinds - {"inside", "line", "pushed"}:  # of colours that both backgrounds bear
        assert re.search(rf"\.{kind}\b", dark.partition("</style>")[0]), kind
        assert re.search(rf"\.{kind}\b", light), kind


def test_both_languages_have_the_same_drawing_and_words_of_their_own() -> None:
    english, chinese = (ElementTree.parse(IMAGES / name).getroot() for name in WINDOWS)
    shapes = [[(e.tag, e.attrib) for e in root.iter() if e.tag != SVG + "style"] for root in (english, chinese)]
    assert shapes[0] == shapes[1]
    for root in (english, chinese):
        words = [(e.text or "") for e in root.iter() if e.tag in (SVG + "title", SVG + "desc", SVG + "text")]
        assert all(words)
        assert any(re.search("[\u4e00-\u9fff]", word) for word in words) == (root is chinese)
