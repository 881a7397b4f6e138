"""Every file of docs/sql in DuckDB and PostgreSQL, over a market with one-sided, empty, duplicate, quiet and null rows.

Both databases give the same rows in the same order. Each kind of row is asked of every file by itself, and no file is
forgotten. What they say of holes is in test_sql_coverage.py.
"""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest

from .warehouse.databases import POSTGRES, Row
from .warehouse.examples import SQL, Tables, asof_sql, at, book_ticker, plain, sql_of
from .warehouse.odd_rows import (
    ASK,
    DUPLICATE,
    DUPLICATE_ROWS,
    EMPTY,
    EXPECTED,
    KINDS,
    MARKET,
    NULL,
    ONCE,
    ONE_SIDED,
    PRICE,
    QUIET,
    SOUND,
    SOUND_ROWS,
    fill,
)


@pytest.fixture
def market(tables: Tables) -> Tables:
    fill(tables)
    return tables


# --- the odd market ---


def test_quotes(market: Tables) -> None:
    rows = plain(
        market.query(
            "SELECT symbol, u, event_at, bid, bid_qty, ask, ask_qty, mid, spread_bps, microprice FROM quotes"
            " ORDER BY symbol NULLS LAST, u NULLS LAST, received_at_us"
        )
    )
    nothing = (None,) * 7

    assert rows == [
        # bid, its quantity, ask, its quantity, mid, spread, microprice
        (EMPTY, 50, at(60), *nothing),
        (SOUND, 10, at(61), "100", 1, "100.2", 3, "100.1", 19.98002, 100.05),
        (SOUND, 11, at(62), "99.8", 1, "100", 3, "99.9", 20.02002, 99.85),
        (SOUND, 12, at(62.5), "100.4", 1, "100.8", 3, "100.6", 39.761431, 100.5),
        (SOUND, 15, at(125), "100.1", 1, "100.2", 3, "100.15", 9.985022, 100.125),
        (NULL, 60, None, *nothing),
        (NULL, 61, at(60), "7", None, "9", None, "8", 2500, None),
        (NULL, 62, at(61), "7", 1, None, 3, None, None, None),
        (NULL, 63, at(62), "6", 1, "8", 3, "7", 2857.142857, 6.5),
        (NULL, None, at(63), "5", 1, "6", 3, "5.5", 1818.181818, 5.25),
        (ONE_SIDED, 20, at(60), None, 0, "2000.5", 3, None, None, None),
        (ONE_SIDED, 21, at(61), "2000", 1, None, 0, None, None, None),
        (ONE_SIDED, 22, at(62), None, 0, None, 0, None, None, None),
        (ONE_SIDED, 23, at(63), "0.5", 0.5, "1.5", 0.5, "1", 10_000, 1),
        (ONE_SIDED, 24, at(64), "2000", 1, None, 3, None, None, None),
        (QUIET, 40, at(60), "80", 1, "82", 3, "81", 246.91358, 80.5),
        (QUIET, 41, at(300), "84", 1, "86", 3, "85", 235.294118, 84.5),
        *[(DUPLICATE, 30, at(60), "0.5", 1, "0.7", 3, "0.6", 3333.333333, 0.55)] * 3,
        (DUPLICATE, 31, at(61), "0.5", 1, "0.9", 3, "0.7", 5714.285714, 0.6),
        (ONCE, 45, at(60), "0.000001", 1, "0.00000102", 3, "0.00000101", 198.019802, 0.000001),
        (None, 65, at(64), "5", 1, "6", 3, "5.5", 1818.181818, 5.25),
        (None, None, None, *nothing),
    ]


def test_latency_by_the_hour_and_with_a_clock_behind(tables: Tables) -> None:
    tables.create_views()
    tables.insert(
        book_ticker(SOUND, 1, 3599.9, "1", "2", received_at_us=3_599_999_999),
        book_ticker(SOUND, 2, 3599.999, "1", "2", received_at_us=3_600_000_000),
        book_ticker(SOUND, 3, 3600.5, "1", "2", received_at_us=3_600_498_500),
    )

    assert tables.run("latency") == [
        (SOUND, "1970-01-01 00:00:00+00:00", 1, 99.999, 99.999, 99.999, 99.999),
        (SOUND, "1970-01-01 01:00:00+00:00", 2, -1.5, -0.25, 0.975, 1),
    ]


def test_basis(market: Tables) -> None:
    """A price that is empty, zero or null gives no basis, nor does a book with one side."""
    assert market.run("basis") == [
        # mid, price, basis, seconds apart
        ("ADAUSD", EMPTY, None, None, None, 0),
        ("BTCUSD", SOUND, "100.15", 100, 15, 1),
        ("DOTUSD", NULL, "7", None, None, None),
        ("ETHUSD", ONE_SIDED, None, 2000, None, 4),
        ("LTCUSD", QUIET, "85", None, None, 240),
        ("XRPUSD", DUPLICATE, "0.7", 0.5, 4000, 0),
        ("币安人生USD", ONCE, "0.00000101", 0.000001, 100, -1),
    ]


def test_duplicates_are_found_and_removed(market: Tables) -> None:
    """Rows without an id are nobody's copies; of the copies the one that covers most stays."""
    market.insert(book_ticker(None, 65, 64, "5", "6"), book_ticker(NULL, None, 63, "5", "6"))
    before = market.query("SELECT symbol, u FROM book_tickers")
    assert market.run("duplicates") == [(NULL, None, 2), (DUPLICATE, 30, 3), (None, 65, 2)]

    market.query(sql_of("remove_duplicates"))

    assert market.run("duplicates") == [(NULL, None, 2), (None, 65, 2)]
    for _ in range(2):
        before.remove((DUPLICATE, 30))
    assert _counted(market.query("SELECT symbol, u FROM book_tickers")) == _counted(before)
    (kept,) = market.query("SELECT covered_since_us, _airbyte_raw_id FROM book_tickers WHERE u = 30")
    first = MARKET.index(DUPLICATE_ROWS[0]) + 1
    assert kept == (1_000_000, f"raw{first:06}")


def test_a_narrower_copy_goes_though_it_was_loaded_first(tables: Tables) -> None:
    """Otherwise the interval that reaches back further would end before the other begins."""
    tables.insert(
        book_ticker(SOUND, 1, 60, "1", "2", covered_since_us=59_000_000),
        book_ticker(SOUND, 1, 60, "1", "2", covered_since_us=None),
        book_ticker(SOUND, 1, 60, "1", "2", covered_since_us=30_000_000),
    )

    tables.query(sql_of("remove_duplicates"))

    assert tables.query("SELECT covered_since_us FROM book_tickers") == [(30_000_000,)]


def test_prices_within_the_limits_are_exact(tables: Tables) -> None:
    """As the head of quotes.sql says it."""
    tables.create_views()
    tables.insert(
        book_ticker(SOUND, 1, 60, "999999999.99999997", "999999999.99999998"),
        book_ticker(SOUND, 2, 61, "0.00000001", "0.00000002", best_bid_qty="9007199254740993.000"),
        book_ticker(SOUND, 3, 62, "00.1000000000000000000000000001", "1e-1"),
        book_ticker(SOUND, 4, 63, "9999999999.99999998", "9999999999.99999999"),
    )

    rows = plain(tables.query("SELECT u, bid, ask FROM quotes ORDER BY u"))
    mids = plain(tables.query("SELECT u, mid FROM quotes WHERE u < 4 ORDER BY u"))

    assert rows == [
        (1, "999999999.99999997", "999999999.99999998"),
        (2, "0.00000001", "0.00000002"),
        (3, "0.1", "0.1"),
        (4, "9999999999.99999998", "9999999999.99999999"),
    ]
    assert mids == [(1, "999999999.999999975"), (2, "0.000000015"), (3, "0.1")]


def test_a_price_above_the_limits_fails_and_is_not_made_another(tables: Tables) -> None:
    tables.create_views()
    tables.insert(book_ticker(SOUND, 1, 60, "10000000000", "10000000001"))

    with pytest.raises(Exception, match=r"(?i)overflow|convert|out of range"):
        tables.query("SELECT bid FROM quotes")


# --- each kind of odd row by itself ---


FILES = sorted(path.stem for path in SQL.glob("*.sql"))
TABLES_OF_TWO_SOURCES = ("btc_book_tickers", "others_book_tickers", "even_book_tickers", "odd_book_tickers")


@pytest.mark.parametrize(("file", "kind"), list(product(FILES, KINDS)))
def test_odd_rows(tables: Tables, file: str, kind: str) -> None:
    assert file in EXPECTED, f"Say in EXPECTED what docs/sql/{file}.sql must answer over each kind of row."
    fill_for(tables, file, KINDS[kind])

    assert answer(tables, file) == EXPECTED[file][kind]


def test_no_expectation_is_left_of_a_file_that_is_gone() -> None:
    assert list(EXPECTED) == FILES
    assert ASK.keys() <= EXPECTED.keys()


def fill_for(tables: Tables, file: str, rows: list[dict[str, Any]]) -> None:
    """The rows, and over them the views that the file reads from. Two shards share them; each of two sources whose
    windows overlap has all of them."""
    tables.insert(*rows)
    tables.insert(PRICE, table="symbol_prices")
    if file not in ("quotes", "coverage"):
        tables.create_views()
    if file in ("shards", "overlap", "drop_views"):
        for table in TABLES_OF_TWO_SOURCES:
            tables.create(table)
        for table, part in zip(TABLES_OF_TWO_SOURCES, (rows[::2], rows[1::2], rows, rows), strict=True):
            tables.insert(*part, table=table)
    if file == "drop_views":
        tables.query(sql_of("overlap"))


def answer(tables: Tables, file: str) -> list[Row]:
    """What the file gives, or, where it makes a view or changes rows, what is asked of it afterwards."""
    sql = asof_sql(61.5, 355) if file == "asof" else sql_of(file).replace("now()", f"TIMESTAMPTZ '{at(400)}'")
    rows = tables.query(sql)
    return plain(tables.query(ASK[file]) if file in ASK else rows)


# --- views and what is below them ---


def test_shards_are_read_as_one(tables: Tables) -> None:
    """The order of the columns may differ: a column that came later stands at the end of an old table."""
    for prefix in ("btc_", "others_"):
        tables.create(f"{prefix}book_tickers")
    tables.query("ALTER TABLE others_book_tickers DROP COLUMN received_at_us")
    tables.query("ALTER TABLE others_book_tickers ADD COLUMN received_at_us BIGINT")
    tables.insert(*SOUND_ROWS, table="btc_book_tickers")
    tables.insert(*[row for row in MARKET if row not in SOUND_ROWS], table="others_book_tickers")
    tables.insert(*MARKET)
    columns = ", ".join(SOUND_ROWS[0])

    tables.query(sql_of("shards"))

    assert _counted(tables.query("SELECT * FROM all_book_tickers")) == _counted(
        tables.query(f"SELECT {columns} FROM book_tickers")
    )
    tables.create_views("all_book_tickers")
    assert [row[:2] for row in tables.run("spread")][1] == (SOUND, "100.15")


def test_tables_are_replaced_below_the_views(tables: Tables) -> None:
    """PostgreSQL refuses to drop a table that a view reads from. Without the views it does not."""
    tables.create("even_book_tickers")
    tables.create("odd_book_tickers")
    tables.query(sql_of("overlap"))
    tables.create_views("all_book_tickers")

    tables.query(sql_of("drop_views"))
    for table in ("even_book_tickers", "odd_book_tickers", "book_tickers"):
        tables.query(f"DROP TABLE {table}")
    tables.create("book_tickers")
    tables.insert(*SOUND_ROWS)
    tables.create_views()

    assert [row[0] for row in tables.run("spread")] == [SOUND]
    tables.query(sql_of("drop_views"))
    tables.query(sql_of("drop_views"))


@pytest.mark.parametrize("tables", [POSTGRES], indirect=True)
def test_postgresql_refuses_to_drop_a_table_below_a_view(tables: Tables) -> None:
    tables.create_views()

    with pytest.raises(Exception, match="other objects depend on it"):
        tables.query("DROP TABLE book_tickers")


def test_the_views_are_created_again_over_themselves(market: Tables) -> None:
    before = market.run("spread")

    market.create_views()

    assert market.run("spread") == before


def _counted(rows: list[Row]) -> list[Row]:
    return sorted(rows, key=str)
