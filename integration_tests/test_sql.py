"""Every file of docs/sql in DuckDB and PostgreSQL, over one-sided, empty, duplicate, quiet and null rows.

Both databases give the same rows in the same order. Each kind of row is asked of every file by itself, and no file is
forgotten. What they say of holes is in test_sql_coverage.py.
"""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest

from .warehouse.databases import Row
from .warehouse.examples import SQL, Tables, asof_sql, at, book_ticker, plain, sql_of
from .warehouse.odd_rows import ASK, EXPECTED, KINDS, PRICE, SYMBOL


def test_a_side_without_an_order_is_null_and_so_is_what_needs_both(tables: Tables) -> None:
    columns = ("best_bid_price", "best_bid_qty", "best_ask_price", "best_ask_qty")
    books = {
        # bid, its quantity, ask, its quantity: the same as numbers, mid, spread, microprice
        ("100.0", "1", "100.2", "3"): ("100", 1, "100.2", 3, "100.1", 19.98002, 100.05),
        ("0.00000100", "1", "0.00000102", "3"): ("0.000001", 1, "0.00000102", 3, "0.00000101", 198.019802, 0.000001),
        ("0.5", "0.5", "1.5", "0.5"): ("0.5", 0.5, "1.5", 0.5, "1", 10_000, 1),
        ("0.0", "1", "2000.5", "3"): (None, 1, "2000.5", 3, None, None, None),
        ("2000.0", "0", "2000.5", "3"): (None, 0, "2000.5", 3, None, None, None),
        ("2000.0", "1", "0.0", "3"): ("2000", 1, None, 3, None, None, None),
        ("2000.0", "1", "2000.4", "0.000"): ("2000", 1, None, 0, None, None, None),
        ("0", "0", "0.00000000", "0"): (None, 0, None, 0, None, None, None),
        ("7", None, "9", None): ("7", None, "9", None, "8", 2500, None),
        ("7", "1", None, "3"): ("7", 1, None, 3, None, None, None),
    }
    tables.create_views()
    for u, book in enumerate(books):
        tables.insert(book_ticker(SYMBOL, u, 60, None, None, **dict(zip(columns, book, strict=True))))

    rows = tables.query("SELECT bid, bid_qty, ask, ask_qty, mid, spread_bps, microprice FROM quotes ORDER BY u")

    assert plain(rows) == list(books.values())


def test_latency_by_the_hour_and_with_a_clock_behind(tables: Tables) -> None:
    tables.create_views()
    tables.insert(
        book_ticker(SYMBOL, 1, 3599.9, "1", "2", received_at_us=3_599_999_999),
        book_ticker(SYMBOL, 2, 3599.999, "1", "2", received_at_us=3_600_000_000),
        book_ticker(SYMBOL, 3, 3600.5, "1", "2", received_at_us=3_600_498_500),
    )

    assert tables.run("latency") == [
        (SYMBOL, "1970-01-01 00:00:00+00:00", 1, 99.999, 99.999, 99.999, 99.999),
        (SYMBOL, "1970-01-01 01:00:00+00:00", 2, -1.5, -0.25, 0.975, 1),
    ]


def test_basis(tables: Tables) -> None:
    """A price that is empty, zero or null gives no basis; of two copies the newer one counts."""
    prices: list[tuple[str, str | None, int | None]] = [
        *(("ADAUSD", "", 60_000), ("BTCUSD", "100.0", 124_000), ("DOTUSD", None, None), ("LTCUSD", "0.0", 60_000)),
        *(("XRPUSD", "0.6", 1), ("XRPUSD", "0.50", 61_000), ("币安人生USD", "0.000001", 61_000)),
    ]
    for pair, price, time in prices:
        tables.insert({"symbol": f"{pair}T", "price": price, "time": time}, table="symbol_prices")
    tables.insert(*[book_ticker(f"{pair}_PERP", 1, 60, "100", "102") for pair in {pair for pair, *_ in prices}])
    tables.insert({"symbol": None, "price": "1", "time": 60_000}, table="symbol_prices")
    tables.create_views()

    assert [(row[0], *row[3:]) for row in tables.run("basis")] == [
        # price, basis, seconds apart
        ("ADAUSD", None, None, 0),
        ("BTCUSD", 100, 100, -64),
        ("DOTUSD", None, None, None),
        ("LTCUSD", None, None, 0),
        ("XRPUSD", 0.5, 2_010_000, -1),
        ("币安人生USD", 0.000001, 1_009_999_990_000, -1),
    ]


def test_of_copies_the_first_that_covers_most_stays_whenever_it_was_loaded(tables: Tables) -> None:
    """Otherwise the interval that reaches back further would end before the other begins. Rows without a symbol are
    nobody's copies."""
    covered = (59_000_000, None, 30_000_000, 30_000_000)
    tables.insert(*[book_ticker(SYMBOL, 1, 60, "1", "2", covered_since_us=since) for since in covered])
    tables.insert(*[book_ticker(None, 1, 60, "1", "2")] * 2)

    tables.query(sql_of("remove_duplicates"))

    rows = tables.query("SELECT symbol, _airbyte_raw_id FROM book_tickers ORDER BY _airbyte_raw_id")
    assert rows == [(SYMBOL, "raw000003"), (None, "raw000005"), (None, "raw000006")]


def test_prices_within_the_limits_are_exact(tables: Tables) -> None:
    """As the head of quotes.sql says it."""
    tables.create_views()
    tables.insert(
        book_ticker(SYMBOL, 1, 60, "999999999.99999997", "999999999.99999998"),
        book_ticker(SYMBOL, 2, 61, "0.00000001", "0.00000002", best_bid_qty="9007199254740993.000"),
        book_ticker(SYMBOL, 3, 62, "00.1000000000000000000000000001", "1e-1"),
        book_ticker(SYMBOL, 4, 63, "9999999999.99999998", "9999999999.99999999"),
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
    tables.insert(book_ticker(SYMBOL, 1, 60, "10000000000", "10000000001"))

    with pytest.raises(Exception, match=r"(?i)overflow|convert|out of range"):
        tables.query("SELECT bid FROM quotes")


# --- each kind of odd row by itself ---


FILES = sorted(path.stem for path in SQL.glob("*.sql"))
TABLES_OF_TWO_SOURCES = ("btc_book_tickers", "others_book_tickers", "even_book_tickers", "odd_book_tickers")


@pytest.mark.parametrize(("file", "kind"), list(product(FILES, KINDS)))
def test_odd_rows(tables: Tables, file: str, kind: str) -> None:
    assert file in EXPECTED, f"Say in EXPECTED what docs/sql/{file}.sql must answer over each kind of row."
    fill_for(tables, file, KINDS[kind])

    assert answer(tables, file) == EXPECTED[file].get(kind, [])


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
    rows = KINDS["quiet"]
    tables.insert(*rows[:1], table="btc_book_tickers")
    tables.insert(*rows[1:], table="others_book_tickers")
    tables.insert(*rows)

    tables.query(sql_of("shards"))

    assert _counted(tables.query("SELECT * FROM all_book_tickers")) == _counted(
        tables.query(f"SELECT {', '.join(rows[0])} FROM book_tickers")
    )
    tables.create_views("all_book_tickers")
    assert tables.run("spread") == EXPECTED["spread"]["quiet"]


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
    tables.insert(*KINDS["quiet"])
    tables.create_views()

    assert tables.run("spread") == EXPECTED["spread"]["quiet"]
    tables.query(sql_of("drop_views"))
    tables.query(sql_of("drop_views"))


def test_the_views_are_created_again_over_themselves(tables: Tables) -> None:
    tables.insert(*KINDS["quiet"])
    for _ in range(2):
        tables.create_views()

    assert tables.run("spread") == EXPECTED["spread"]["quiet"]


def _counted(rows: list[Row]) -> list[Row]:
    return sorted(rows, key=str)
