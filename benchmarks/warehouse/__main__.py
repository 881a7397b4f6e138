"""`make warehouse`: every file of docs/sql over five million rows in DuckDB and PostgreSQL, in seconds.

The files run as they are; of a view every column of every row is read. Both databases are as they come, without an
index, on the same rows, with two threads. The table goes to build/warehouse/times.md, and with --write-docs into
docs/warehouse.md too.
"""

from __future__ import annotations

import argparse
import re
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
)
from integration_tests.warehouse.examples import SQL, sql_of
from integration_tests.warehouse.postgres import DATABASE, HOST, USER, postgres_server

from ..processes import ROOT
from . import market

FIRST = ("quotes", "coverage")
"""The views that others read from."""
LAST = ("drop_views",)
BLOCK = 1 << 20
REPORT = ROOT / "build" / "warehouse" / "times.md"
PAGE = ROOT / "docs" / "warehouse.md"
BEGIN, END = "<!-- times: make warehouse -->", "<!-- end of times -->"


def main() -> None:
    parser = argparse.ArgumentParser(description="Seconds that each file of docs/sql takes.")
    parser.add_argument("--updates", type=int, default=5_000_000, help="rows of book_tickers")
    parser.add_argument("--rounds", type=int, default=2, help="how often each file runs; the fastest counts")
    parser.add_argument("--write-docs", action="store_true", help="put the table into docs/warehouse.md")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="warehouse-") as folder, ExitStack() as stack:
        port = stack.enter_context(postgres_server())
        databases = {
            DUCKDB: stack.enter_context(duckdb_warehouse(Path(folder) / "market.duckdb")),
            POSTGRES: stack.enter_context(postgres_warehouse(port)),
        }
        fill(databases, Path(folder), port, arguments.updates)
        lines = [
            f"| file | {' | '.join(f'{name} {version(base)}' for name, base in databases.items())} |",
            "|---|---|---|",
        ]
        for name in _in_order([path.stem for path in SQL.glob("*.sql")]):
            times = [seconds(database, name, arguments.rounds) for database in databases.values()]
            lines.append(f"| [{name}.sql](sql/{name}.sql) | " + " | ".join(f"{taken:.1f} s" for taken in times) + " |")
            print(lines[-1], flush=True)
    table = "\n".join(lines) + "\n"
    REPORT.parent.mkdir(parents=True, exist_ok=True)
    REPORT.write_text(table, encoding="utf-8")
    print(f"Written to {REPORT.relative_to(ROOT)}")
    if arguments.write_docs:
        text = PAGE.read_text(encoding="utf-8")
        before, _, rest = text.partition(BEGIN)
        _, _, after = rest.partition(END)
        PAGE.write_text(f"{before}{BEGIN}\n{table}{END}{after}", encoding="utf-8")
        print(f"and into {PAGE.relative_to(ROOT)}")


def fill(databases: dict[str, Warehouse], folder: Path, port: int, updates: int) -> None:
    """The same tables in both: made by DuckDB, copied into PostgreSQL."""
    duckdb, postgres = databases[DUCKDB], databases[POSTGRES]
    started = time.monotonic()
    duckdb.query("SET threads = 2")
    for statement in market.made_by_duckdb(updates):
        duckdb.query(statement)
    duckdb.query("CHECKPOINT")
    ((blocks, size),) = duckdb.query("SELECT used_blocks, block_size FROM pragma_database_size()")
    for table in market.COPIED:
        columns = duckdb.query(
            f"SELECT column_name, data_type FROM information_schema.columns WHERE table_name = '{table}'"
            " ORDER BY ordinal_position"
        )
        postgres.query(f"CREATE TABLE {table} ({', '.join(map(' '.join, columns))})")
        path = folder / f"{table}.csv"
        duckdb.query(f"COPY {table} TO '{path}' (HEADER FALSE, NULLSTR '')")
        _copy_into_postgres(port, table, path)
        path.unlink()
    for statement in market.made_of_them(updates):
        duckdb.query(statement)
        postgres.query(statement)
    postgres.query("VACUUM ANALYZE")
    ((bytes_of_all,),) = postgres.query("SELECT pg_total_relation_size('book_tickers')")
    print(f"Made and loaded {updates:,} updates in {time.monotonic() - started:.0f} s")
    print(
        f"Bytes a row: {blocks * size / updates:.0f} in DuckDB, {bytes_of_all / updates:.0f} in PostgreSQL", flush=True
    )


def version(database: Warehouse) -> str:
    ((text,),) = database.query("SELECT version()")
    return re.search(r"\d+(\.\d+)*", text)[0]  # type: ignore[index]


def seconds(database: Warehouse, name: str, rounds: int) -> float:
    """What the file takes at its fastest. A statement that changes rows is taken back each time."""
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
    return min(taken)


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
