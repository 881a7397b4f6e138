"""Every file of docs/sql over each kind of odd row by itself, in DuckDB and PostgreSQL.

The files are taken from the folder, what they must answer from `EXPECTED`: a new file without it fails here.
"""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest

from .warehouse.databases import Row
from .warehouse.examples import SQL, Tables, asof_sql, at, plain, sql_of
from .warehouse.odd_rows import ASK, EXPECTED, KINDS, PRICE

FILES = sorted(path.stem for path in SQL.glob("*.sql"))
TABLES_OF_TWO_SOURCES = ("btc_book_tickers", "others_book_tickers", "even_book_tickers", "odd_book_tickers")


@pytest.mark.parametrize(("file", "kind"), list(product(FILES, KINDS)))
def test_odd_rows(tables: Tables, file: str, kind: str) -> None:
    assert file in EXPECTED, f"Say in EXPECTED what docs/sql/{file}.sql must answer over each kind of row."
    fill(tables, file, KINDS[kind])

    assert answer(tables, file) == EXPECTED[file][kind]


def test_no_expectation_is_left_of_a_file_that_is_gone() -> None:
    assert list(EXPECTED) == FILES
    assert ASK.keys() <= EXPECTED.keys()


def fill(tables: Tables, file: str, rows: list[dict[str, Any]]) -> None:
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
