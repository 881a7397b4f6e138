"""What the rows cover, by docs/sql in DuckDB and PostgreSQL: intervals, holes, books at a moment, bars in holes.

A row says: since `covered_since_us`, up to my `received_at_us`, nothing of this contract is missing.
"""

from __future__ import annotations

import random
from typing import Any

import pytest

from .warehouse.databases import Row
from .warehouse.examples import Tables, asof_sql, at, book_ticker, plain, sql_of
from .warehouse.odd_rows import OTHER, SYMBOL

S = 1_000_000
COLUMNS = "u, received_at_us, covered_since_us"


def captured(symbol: str, u: int, seconds: float, since: float | None, bid: str = "10") -> dict[str, Any]:
    """An update that arrived at `seconds`, of a capture that covers what came since `since`."""
    return book_ticker(
        symbol,
        u,
        seconds,
        bid,
        str(int(bid) + 2),
        received_at_us=round(seconds * S),
        covered_since_us=None if since is None else round(since * S),
    )


def intervals(tables: Tables) -> list[Row]:
    rows = tables.query("SELECT symbol, since_us, until_us, row_count FROM coverage ORDER BY symbol, since_us")
    return [(symbol, since / S, until / S, count) for symbol, since, until, count in rows]


# --- coverage and holes ---


@pytest.mark.parametrize(
    ("captures", "merged"),
    [
        pytest.param([(0, 10)], [(0, 10)], id="one"),
        pytest.param([(0, 10), (20, 30)], [(0, 10), (20, 30)], id="apart"),
        pytest.param([(0, 10), (5, 15)], [(0, 15)], id="overlapping"),
        pytest.param([(0, 10), (10, 15)], [(0, 15)], id="touching"),
        pytest.param([(0, 10), (10.000001, 15)], [(0, 10), (10.000001, 15)], id="apart by a microsecond"),
        pytest.param([(0, 30), (5, 10), (20, 25), (28, 40)], [(0, 40)], id="within a longer one"),
        pytest.param([(0, 30), (5, 10), (40, 45)], [(0, 30), (40, 45)], id="the longest counts, not the one before"),
        pytest.param([(0, 10), (5, 15), (15, 20), (30, 31), (30.5, 32)], [(0, 20), (30, 32)], id="chains"),
        pytest.param([(7, 7)], [(7, 7)], id="of no length"),
    ],
)
def test_stretches_are_merged(
    tables: Tables, captures: list[tuple[float, float]], merged: list[tuple[float, float]]
) -> None:
    """Also with rows in between, loaded in any order, and another contract whose intervals would fill the holes."""
    rows = [
        captured(SYMBOL, u, moment, since)
        for u, (since, until) in enumerate(captures)
        for moment in (until, (since + until) / 2)
    ]
    random.Random(1).shuffle(rows)
    tables.insert(*rows, captured(OTHER, 99, 100, 0))
    tables.create_views()

    assert [row[1:3] for row in intervals(tables) if row[0] == SYMBOL] == merged
    assert [row[3] for row in intervals(tables) if row[0] == OTHER] == [1]
    assert sum(row[3] for row in intervals(tables) if row[0] == SYMBOL) == len(rows)


def test_holes_longest_first(tables: Tables) -> None:
    captures_of: dict[str, list[tuple[float, float]]] = {
        SYMBOL: [(0, 10), (11.5, 20), (80, 90)],
        OTHER: [(0, 50), (52, 60)],
        "XRPUSD_PERP": [(0, 1)],
        "LTCUSD_PERP": [(0, 10), (10, 20)],
    }
    for symbol, captures in captures_of.items():
        tables.insert(*[captured(symbol, u, until, since) for u, (since, until) in enumerate(captures)])
    tables.create_views()

    assert tables.run("holes") == [
        (SYMBOL, "60", at(20), at(80)),
        (OTHER, "2", at(50), at(52)),
        (SYMBOL, "1.5", at(10), at(11.5)),
    ]


# --- the overlap of two sources ---


def test_overlap_takes_each_update_once_and_leaves_no_hole(tables: Tables) -> None:
    """Windows half a window apart, an update a second: what one source misses between its windows the other has."""
    for table, start in (("even_book_tickers", 0), ("odd_book_tickers", 30)):
        tables.create(table)
        windows = [(start + 60 * n + 3, start + 60 * n + 60) for n in range(4)]
        rows = [
            captured(SYMBOL, second, second, since) for since, until in windows for second in range(since + 1, until)
        ]
        tables.insert(*rows, table=table)

    def holes_of(table: str) -> int:
        tables.create_views(table)
        holes = len(tables.run("holes"))
        tables.query("DROP VIEW quotes")
        tables.query("DROP VIEW coverage")
        return holes

    assert holes_of("even_book_tickers") == holes_of("odd_book_tickers") == 3
    tables.query(sql_of("overlap"))
    tables.create_views("all_book_tickers")

    updates = [u for (u,) in tables.query("SELECT u FROM all_book_tickers ORDER BY u")]

    assert updates == list(range(4, 30 + 60 * 4))
    assert tables.run("holes") == []
    assert [row[1:3] for row in intervals(tables)] == [(3, 269)]


def test_overlap_keeps_the_row_that_covers_more(tables: Tables) -> None:
    for table in ("even_book_tickers", "odd_book_tickers"):
        tables.create(table)
    tables.insert(
        captured(SYMBOL, 1, 10, 5),
        captured(SYMBOL, 2, 11, 5),
        captured(SYMBOL, 3, 12, None),
        captured(SYMBOL, 4, 13, 5),
        captured(SYMBOL, 4, 13, 5),  # twice in one table
        table="even_book_tickers",
    )
    tables.insert(
        captured(SYMBOL, 1, 10.1, 4),
        captured(SYMBOL, 2, 11.1, 9),
        captured(SYMBOL, 3, 12.1, 9),
        captured(SYMBOL, 5, 13.1, None),  # a sample only
        captured(OTHER, 1, 10, 9),
        table="odd_book_tickers",
    )

    tables.query(sql_of("overlap"))

    rows = tables.query(f"SELECT {COLUMNS} FROM all_book_tickers WHERE symbol = '{SYMBOL}' ORDER BY u")
    assert [(u, received / S, since and since / S) for u, received, since in rows] == [
        (1, 10.1, 4),
        (2, 11, 5),
        (3, 12.1, 9),
        (4, 13, 5),
        (5, 13.1, None),
    ]
    assert tables.query(f"SELECT {COLUMNS} FROM all_book_tickers WHERE symbol = '{OTHER}'") == [(1, 10 * S, 9 * S)]


# --- what is old, and what is missing of the last 24 hours ---


def test_watch(tables: Tables) -> None:
    hour, now = 3600.0, 100 * 3600.0

    def newest(symbol: str, since_ago: float, until_ago: float) -> dict[str, Any]:
        """The newest row of an interval that began and ended so many seconds ago."""
        return captured(symbol, round(now - until_ago), now - until_ago, now - since_ago)

    tables.insert(
        newest("FINE", 30 * hour, 10),
        newest("HOLES", 10 * hour, 9 * hour),
        newest("HOLES", 9 * hour - 40, 5 * hour),
        newest("HOLES", 5 * hour - 2.5, 20),
        newest("OLD", 3 * hour, 2 * hour),
        newest("HOLE OF YESTERDAY", 60 * hour, 50 * hour),
        newest("HOLE OF YESTERDAY", 49 * hour, 0),
        newest("BACK AFTER DAYS", 90 * hour, 80 * hour),
        newest("BACK AFTER DAYS", hour, 0),
        newest("DELISTED", 60 * hour, 50 * hour),
        {**newest("SAMPLED", hour, 0), "covered_since_us": None},
    )
    tables.create_views()

    rows = tables.query(sql_of("watch").replace("now()", "TIMESTAMPTZ '1970-01-05 04:00:00+00:00'"))

    assert [(row[0], *map(float, row[1:])) for row in rows] == [
        ("BACK AFTER DAYS", 0, 1, 79 * hour, 79 * hour),
        ("HOLES", 20, 2, 40, 42.5),
        ("OLD", 2 * hour, 0, 0, 0),
        ("FINE", 10, 0, 0, 0),
        ("HOLE OF YESTERDAY", 0, 0, 0, 0),
    ]


# --- books at a moment ---


def books_at(tables: Tables, *moments: float) -> list[Row]:
    """asof.sql for these moments, in seconds after 1970: moment, contract, bid, covered."""
    return [(row[0], row[1], row[2], row[7]) for row in plain(tables.query(asof_sql(*moments)))]


def test_books_at_a_moment(tables: Tables) -> None:
    tables.create_views()
    tables.insert(
        captured(SYMBOL, 1, 10, 5, bid="100"),
        captured(SYMBOL, 2, 20, 5, bid="200"),
        captured(SYMBOL, 3, 50, 40, bid="300"),
        captured(SYMBOL, 4, 60, 40, bid="400"),
        captured(OTHER, 7, 30, 5, bid="700"),
    )

    assert books_at(tables, 9.999999, 10, 19.5, 20, 20.000001, 45, 55, 3000) == [
        (at(10), SYMBOL, "100", True),
        (at(19.5), SYMBOL, "100", True),
        (at(20), SYMBOL, "200", True),
        (at(20.000001), SYMBOL, "200", False),
        (at(45), SYMBOL, "200", False),  # within an interval, but the book is from before the hole
        (at(45), OTHER, "700", False),
        (at(55), SYMBOL, "300", True),
        (at(55), OTHER, "700", False),
        (at(3000), SYMBOL, "400", False),
        (at(3000), OTHER, "700", False),
    ]


def test_a_copy_that_arrived_later_was_not_known_before(tables: Tables) -> None:
    tables.create_views()
    tables.insert(
        captured(SYMBOL, 1, 10, 5, bid="100"),
        captured(SYMBOL, 2, 12, 11, bid="200"),
        captured(SYMBOL, 2, 11, 5, bid="200"),
    )

    assert books_at(tables, 11.5) == [(at(11.5), SYMBOL, "200", True)]


# --- time and bars beside holes ---


def test_a_hole_is_no_long_lived_quote(tables: Tables) -> None:
    """Two captures: 10 at 100 s, 12 at 110 s, a hole, 30 at 900 s, 40 at 920 s, 60 at 925 s."""
    tables.create_views()
    tables.insert(
        captured(SYMBOL, 1, 100, 90, bid="10"),
        captured(SYMBOL, 2, 110, 90, bid="12"),
        captured(SYMBOL, 3, 900, 850, bid="30"),
        captured(SYMBOL, 4, 920, 850, bid="40"),
        captured(SYMBOL, 5, 925, None, bid="50"),  # a sample does not say that nothing came before it
        captured(SYMBOL, 6, 930, 850, bid="60"),
    )

    ((symbol, _, _, mid, seconds),) = tables.run("time_weighted")

    assert (symbol, seconds) == (SYMBOL, 35)
    assert mid == pytest.approx((11 * 10 + 31 * 20 + 51 * 5) / 35)


def test_a_quote_stands_on_into_another_capture_that_overlaps(tables: Tables) -> None:
    tables.create_views()
    tables.insert(captured(SYMBOL, 1, 100, 90, bid="10"), captured(SYMBOL, 2, 110, 95, bid="20"))

    ((_, _, _, mid, seconds),) = tables.run("time_weighted")

    assert (mid, seconds) == (11, 10)


def test_bars_say_where_a_hole_is(tables: Tables) -> None:
    """A hole from 190 to 250 s; before it a minute without updates, after it one, and one more at the end."""
    tables.create_views()
    tables.insert(
        captured(SYMBOL, 1, 70, 50, bid="10"),
        captured(SYMBOL, 2, 80, 50, bid="12"),
        captured(SYMBOL, 3, 190, 50, bid="14"),
        captured(SYMBOL, 4, 370, 250, bid="20"),
        captured(SYMBOL, 5, 480.5, 250, bid="22"),
        captured(OTHER, 6, 70, 50, bid="90"),
        captured(OTHER, 7, 190, 50, bid="92"),
    )

    assert [row for row in tables.run("bars") if row[0] == SYMBOL] == [
        (SYMBOL, at(60), "11", "13", "11", "13", 2, True),
        (SYMBOL, at(120), "13", "13", "13", "13", 0, True),
        (SYMBOL, at(180), "15", "15", "15", "15", 1, False),
        (SYMBOL, at(240), None, None, None, None, 0, False),
        (SYMBOL, at(300), None, None, None, None, 0, True),  # covered, but what the hole has done is not known
        (SYMBOL, at(360), "21", "21", "21", "21", 1, True),
        (SYMBOL, at(420), None, None, None, None, 0, False),  # only half a second of the second after it is covered
        (SYMBOL, at(480), "23", "23", "23", "23", 1, False),
    ]


def test_an_empty_minute_after_a_book_with_one_side_is_null(tables: Tables) -> None:
    tables.create_views()
    tables.insert(
        captured(SYMBOL, 1, 70, 50, bid="10"),
        captured(SYMBOL, 2, 80, 50, bid="12") | {"best_ask_price": "0.0"},
        captured(SYMBOL, 3, 190, 50, bid="14"),
    )

    assert [row[2:] for row in tables.run("bars")][:2] == [
        ("11", "11", "11", None, 2, True),
        (None, None, None, None, 0, True),
    ]
