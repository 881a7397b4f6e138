"""Rows made by hand in both databases, for the SQL of the docs: tables as the schemas declare them, and the files.

with both_databases() as databases:
    with example_tables(databases[DUCKDB]) as tables:
        tables.insert(book_ticker("BTCUSD_PERP", 10, 61.0, "100.0", "100.2"))
        rows = tables.run("spread")
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from decimal import Decimal, InvalidOperation
from typing import Any

from ..harness.connector import ROOT
from .databases import (
    COLUMN_TYPES,
    DUCKDB,
    POSTGRES,
    Row,
    Warehouse,
    duckdb_warehouse,
    postgres_server,
    postgres_warehouse,
)

SQL = ROOT / "docs" / "sql"
LOADED_AT = "2026-10-06 00:00:00"


def sql_of(name: str) -> str:
    """The text of docs/sql/<name>.sql."""
    return (SQL / f"{name}.sql").read_text(encoding="utf-8")


def asof_sql(*moments: float) -> str:
    """asof.sql for these moments, in seconds after 1970, within its first hour."""
    values = ", ".join(f"(TIMESTAMPTZ '{at(moment)}')" for moment in moments)
    sql, found = re.subn(
        r"\(VALUES\n.*?\n    \) AS given", f"(VALUES {values}) AS given", sql_of("asof"), flags=re.DOTALL
    )
    assert found == 1
    return sql


@contextmanager
def both_databases() -> Iterator[dict[str, Warehouse]]:
    """Both by name."""
    with ExitStack() as stack:
        port = stack.enter_context(postgres_server())
        yield {
            DUCKDB: stack.enter_context(duckdb_warehouse()),
            POSTGRES: stack.enter_context(postgres_warehouse(port)),
        }


class Tables:
    """Empty tables of both streams, in a schema of their own."""

    def __init__(self, name: str, warehouse: Warehouse) -> None:
        self._name = name
        self._warehouse = warehouse
        self._rows = 0
        for stream in ("book_tickers", "symbol_prices"):
            self.create(stream, stream)

    def create(self, table: str, stream: str = "book_tickers") -> None:
        """A table with the columns that a loader makes for this stream."""
        schema = json.loads((ROOT / "schemas" / f"{stream}.json").read_text(encoding="utf-8"))
        types = COLUMN_TYPES[self._name]
        columns = [f"{column} {types[part['type'][1]]}" for column, part in schema["properties"].items()]
        columns += ["_airbyte_raw_id " + types["string"], "_airbyte_extracted_at timestamp"]
        self.query(f"CREATE TABLE {table} ({', '.join(columns)})")

    def query(self, sql: str) -> list[Row]:
        return self._warehouse.query(sql)

    def create_views(self, of: str = "book_tickers") -> None:
        """The views `quotes` and `coverage`, as the docs say it for another table or view: its name in their place."""
        for view in ("quotes", "coverage"):
            self.query(sql_of(view).replace("FROM book_tickers", f"FROM {of}"))

    def insert(self, *rows: Mapping[str, Any], table: str = "book_tickers") -> None:
        for row in rows:
            self._rows += 1
            loaded = {**row, "_airbyte_raw_id": f"raw{self._rows:06}", "_airbyte_extracted_at": LOADED_AT}
            values = ", ".join(map(literal, loaded.values()))
            self.query(f"INSERT INTO {table} ({', '.join(loaded)}) VALUES ({values})")

    def run(self, name: str) -> list[Row]:
        """The rows of a file of docs/sql, numbers as `plain` has them."""
        return plain(self.query(sql_of(name)))


@contextmanager
def example_tables(name: str, warehouse: Warehouse) -> Iterator[Tables]:
    (before,) = warehouse.query("SELECT current_schema()")[0]
    warehouse.query("CREATE SCHEMA examples")
    warehouse.query("SET search_path = 'examples'")
    try:
        yield Tables(name, warehouse)
    finally:
        warehouse.query("DROP SCHEMA examples CASCADE")
        warehouse.query(f"SET search_path = '{before}'")


def book_ticker(
    symbol: str | None, u: int | None, seconds: float, bid: str | None, ask: str | None, **others: Any
) -> dict[str, Any]:
    """A row of an update that Binance sent `seconds` after 1970 and that arrived 2 ms later, of an unbroken capture
    that began one second after 1970. `others`: columns in place of these."""
    event_time = round(seconds * 1000)
    return {
        "event_type": "bookTicker",
        "u": u,
        "symbol": symbol,
        "pair": symbol and symbol.split("_")[0],
        "best_bid_price": bid,
        "best_bid_qty": "1",
        "best_ask_price": ask,
        "best_ask_qty": "3",
        "transaction_time": event_time,
        "event_time": event_time,
        "symbol_type": 2,
        "received_at_us": event_time * 1000 + 2000,
        "covered_since_us": 1_000_000,
        **others,
    }


def plain(rows: list[Row]) -> list[Row]:
    """Decimals, which come as text with as many zeros as the database likes, in their shortest form; floats rounded."""

    def shortest(value: object) -> object:
        if isinstance(value, float):
            return round(value, 6)
        if not isinstance(value, str):
            return value
        try:
            return f"{Decimal(value).normalize():f}"
        except InvalidOperation:
            return value

    return [tuple(map(shortest, row)) for row in rows]


def at(seconds: float) -> str:
    """A timestamp that many seconds after 1970 within its first hour, as both databases show it."""
    minutes, microseconds = divmod(round(seconds * 1e6), 60_000_000)
    whole, fraction = divmod(microseconds, 1_000_000)
    return f"1970-01-01 00:{minutes:02}:{whole:02}" + (f".{fraction:06}" if fraction else "") + "+00:00"


def literal(value: object) -> str:
    """A value in SQL."""
    if value is None:
        return "NULL"
    return "'" + value.replace("'", "''") + "'" if isinstance(value, str) else str(value)
