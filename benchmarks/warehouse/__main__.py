"""`make warehouse`: every file of docs/sql over five million rows in DuckDB and PostgreSQL, in seconds.

The files run as they are; of a view every column of every row is read. Both databases are as they come, without an
index, on the same rows. The table for docs/warehouse.md is printed and written to build/warehouse/times.md.
"""

from __future__ import annotations

import argparse
import re
import statistics
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

import psycopg

from integration_tests.warehouse.databases import (
    DUCKDB,
    POSTGRES,
    Warehouse,
    duckdb_warehouse,
    postgres_warehouse,
    pyairbyte_python,
)
from integration_tests.warehouse.examples import SQL, sql_of
from integration_tests.warehouse.postgres import DATABASE, HOST, USER, postgres_server

from ..processes import ROOT
from . import market

FIRST = ("quotes", "coverage")
"""The views that others read from."""
LAST = ("drop_views",)
BLOCK = 1 << 20


def main() -> None:
    parser = argparse.ArgumentParser(description="Seconds that each file of docs/sql takes.")
    parser.add_argument("--updates", type=int, default=5_000_000, help="rows of book_tickers")
    parser.add_argument("--rounds", type=int, default=3, help="how often each file runs; the median counts")
    arguments = parser.parse_args()
    names = _in_order([path.stem for path in SQL.glob("*.sql")])
    with tempfile.TemporaryDirectory(prefix="warehouse-") as folder, ExitStack() as stack:
        port = stack.enter_context(postgres_server())
        databases = {
            DUCKDB: stack.enter_context(duckdb_warehouse(pyairbyte_python(), Path(folder) / "market.duckdb")),
            POSTGRES: stack.enter_context(postgres_warehouse(port)),
        }
        fill(databases, Path(folder), port, arguments.updates)
        lines = ["| file | DuckDB, s | PostgreSQL, s |", "|---|---|---|"]
        for name in names:
            times = [seconds(database, name, arguments.rounds) for database in databases.values()]
            lines.append(f"| [{name}.sql](sql/{name}.sql) | " + " | ".join(f"{taken:.2f}" for taken in times) + " |")
            print(lines[-1], flush=True)
    report = ROOT / "build" / "warehouse" / "times.md"
    report.parent.mkdir(parents=True, exist_ok=True)
    report.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(f"Written to {report.relative_to(ROOT)}")


def fill(databases: dict[str, Warehouse], folder: Path, port: int, updates: int) -> None:
    """The same tables in both: made by DuckDB, copied into PostgreSQL."""
    duckdb, postgres = databases[DUCKDB], databases[POSTGRES]
    duckdb.query("SET threads = 2")
    started = time.monotonic()
    for statement in market.statements(updates):
        duckdb.query(statement)
    print(f"Made {updates:,} updates in {time.monotonic() - started:.0f} s", flush=True)
    started = time.monotonic()
    for table in market.TABLES:
        columns = duckdb.query(
            f"SELECT column_name, data_type FROM information_schema.columns WHERE table_name = '{table}'"
            " ORDER BY ordinal_position"
        )
        postgres.query(f"CREATE TABLE {table} ({', '.join(f'{name} {kind}' for name, kind in columns)})")
        path = folder / f"{table}.csv"
        duckdb.query(f"COPY {table} TO '{path}' (HEADER FALSE, NULLSTR '')")
        _copy_into_postgres(port, table, path)
        path.unlink()
        postgres.query(f"VACUUM ANALYZE {table}")
    print(f"Copied them into PostgreSQL in {time.monotonic() - started:.0f} s", flush=True)


def seconds(database: Warehouse, name: str, rounds: int) -> float:
    """The median of what the file takes. A statement that changes rows is taken back each time."""
    sql = sql_of(name)
    view = re.search(r"^CREATE OR REPLACE VIEW (\w+)", sql, re.MULTILINE)
    if view is not None:
        database.query(sql)
        columns = database.query(f"SELECT column_name FROM information_schema.columns WHERE table_name = '{view[1]}'")
        sql = f"SELECT {', '.join(f'count({column})' for (column,) in columns)} FROM {view[1]}"
    taken = []
    for _ in range(rounds):
        database.query("BEGIN")
        started = time.monotonic()
        for statement in filter(str.strip, sql.split(";\n")):
            database.query(statement)
        taken.append(time.monotonic() - started)
        database.query("ROLLBACK")
    return statistics.median(taken)


def _in_order(names: list[str]) -> list[str]:
    return sorted(names, key=lambda name: (name not in FIRST, name in LAST, name))


def _copy_into_postgres(port: int, table: str, path: Path) -> None:
    with (
        psycopg.connect(host=HOST, port=port, user=USER, dbname=DATABASE) as connection,
        connection.cursor() as cursor,
        cursor.copy(f"COPY {table} FROM STDIN (FORMAT csv)".encode()) as copy,
        path.open("rb") as file,
    ):
        while block := file.read(BLOCK):
            copy.write(block)


if __name__ == "__main__":
    main()
