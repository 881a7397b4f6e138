"""`make warehouse`: every file of docs/sql over five million rows in DuckDB and PostgreSQL, in seconds.

The files run as they are; of a view every column of every row is read. Both databases are as they come, without an
index, on the same rows, with two threads. The table goes to build/warehouse/times.md, and with --write-docs into
docs/warehouse.md too.

The market is made by DuckDB in its own SQL, the same at every run. Forty contracts, of which the busiest has about 30 %
of the updates and the quietest 1 %; prices that walk by ticks, in texts with the decimals of their contract; about 240
updates a second, read in windows of 300 seconds with 5 seconds in between to which nobody listened. One row in 2,000
has an empty side, one in 3,000 stands twice.
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
    DATABASE,
    DUCKDB,
    HOST,
    POSTGRES,
    USER,
    Warehouse,
    duckdb_warehouse,
    postgres_server,
    postgres_warehouse,
)
from integration_tests.warehouse.examples import SQL, sql_of

from .flood import ROOT

FIRST = ("quotes", "coverage")
"""The views that others read from."""
LAST = ("drop_views",)
BLOCK = 1 << 20
REPORT = ROOT / "build" / "warehouse" / "times.md"
PAGE = ROOT / "docs" / "warehouse.md"
BEGIN, END = "<!-- times: make warehouse -->", "<!-- end of times -->"

CONTRACTS = 40
UPDATES_OF_A_WINDOW = 71_400
MS_OF_A_WINDOW, MS_BETWEEN_WINDOWS = 300_000, 5_000
START_MS = 1_791_273_600_000
"""2026-10-06 08:00:00 UTC, so that the moments of asof.sql lie within."""

_WINDOW_US = f"({START_MS} + window_number * {MS_OF_A_WINDOW + MS_BETWEEN_WINDOWS}) * 1000"

_BOOK_TICKERS = f"""
CREATE TABLE book_tickers AS
WITH contracts AS (
    SELECT
        number,
        ['BTC', 'ETH', 'SOL', 'XRP', 'BNB', 'DOGE', 'ADA', 'LTC', 'LINK', 'DOT'][number % 10 + 1] || 'USD' AS pair,
        pair || ['_PERP', '_261225', '_270326', '_270625'][number // 10 + 1] AS symbol,
        [1, 2, 3, 4, 2, 5, 5, 2, 3, 3][number % 10 + 1] AS decimals,
        [867000, 314200, 152000, 24300, 81200, 18800, 64100, 9650, 14200, 4310][number % 10 + 1] AS ticks
    FROM range({CONTRACTS}) AS numbers (number)
),
drawn AS (
    SELECT
        i,
        CAST(floor({CONTRACTS} * pow(hash(i, 1) % 1000000 / 1e6, 3)) AS BIGINT) AS number,
        i // {UPDATES_OF_A_WINDOW} AS window_number,
        {START_MS} + window_number * {MS_OF_A_WINDOW + MS_BETWEEN_WINDOWS}
            + i % {UPDATES_OF_A_WINDOW} * {MS_OF_A_WINDOW} // {UPDATES_OF_A_WINDOW} AS event_time
    FROM range(NUMBER_OF_UPDATES) AS updates (i)
),
walked AS (
    SELECT
        *,
        CAST(ticks + sum(CAST(hash(i, 2) % 3 AS BIGINT) - 1) OVER (PARTITION BY number ORDER BY i) AS BIGINT) AS bid,
        bid + CAST(1 + hash(i, 3) % 3 // 2 AS BIGINT) AS ask,
        CAST(pow(10, decimals) AS BIGINT) AS unit
    FROM drawn
    JOIN contracts USING (number)
),
updates AS (
    SELECT
        'bookTicker' AS event_type,
        11747004000000 + i * 3 AS u,
        symbol,
        pair,
        CASE hash(i, 4) % 4000
            WHEN 0 THEN '0.0' ELSE concat(bid // unit, '.', lpad(CAST(bid % unit AS VARCHAR), decimals, '0'))
        END AS best_bid_price,
        CASE hash(i, 4) % 4000 WHEN 0 THEN '0' ELSE CAST(1 + hash(i, 5) % 9000 AS VARCHAR) END AS best_bid_qty,
        CASE hash(i, 4) % 4000
            WHEN 1 THEN '0.0' ELSE concat(ask // unit, '.', lpad(CAST(ask % unit AS VARCHAR), decimals, '0'))
        END AS best_ask_price,
        CASE hash(i, 4) % 4000 WHEN 1 THEN '0' ELSE CAST(1 + hash(i, 6) % 9000 AS VARCHAR) END AS best_ask_qty,
        event_time - 1 AS transaction_time,
        event_time,
        CAST(2 AS BIGINT) AS symbol_type,
        event_time * 1000 + CAST(2000 + hash(i, 7) % 4000 AS BIGINT) AS received_at_us,
        {_WINDOW_US} - 1000 * (1 + number) AS covered_since_us,
        left(md5(CAST(i AS VARCHAR)), 26) AS _airbyte_raw_id,
        make_timestamp({_WINDOW_US}) AS _airbyte_extracted_at,
        '{{}}' AS _airbyte_meta
    FROM walked
)
SELECT * FROM updates
UNION ALL
SELECT * REPLACE (left('copy' || _airbyte_raw_id, 26) AS _airbyte_raw_id) FROM updates WHERE u % 9000 = 0
ORDER BY _airbyte_extracted_at, u
"""

_SYMBOL_PRICES = """
CREATE TABLE symbol_prices AS
SELECT
    pair || 'T' AS symbol,
    any_value(best_bid_price) AS price,
    max(event_time) AS time,
    'raw' || pair AS _airbyte_raw_id,
    max(_airbyte_extracted_at) AS _airbyte_extracted_at,
    '{}' AS _airbyte_meta
FROM book_tickers
WHERE symbol LIKE '%_PERP'
GROUP BY pair
"""

_IN_A_WINDOW = f"event_time % {MS_OF_A_WINDOW + MS_BETWEEN_WINDOWS}"


COPIED = ("book_tickers", "symbol_prices")
"""The tables that `made_by_duckdb` makes."""


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
        names = [path.stem for path in SQL.glob("*.sql")]
        for name in sorted(names, key=lambda name: (name not in FIRST, name in LAST, name)):
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
    for statement in made_by_duckdb(updates):
        duckdb.query(statement)
    duckdb.query("CHECKPOINT")
    ((blocks, size),) = duckdb.query("SELECT used_blocks, block_size FROM pragma_database_size()")
    for table in COPIED:
        columns = duckdb.query(
            f"SELECT column_name, data_type FROM information_schema.columns WHERE table_name = '{table}'"
            " ORDER BY ordinal_position"
        )
        postgres.query(f"CREATE TABLE {table} ({', '.join(map(' '.join, columns))})")
        path = folder / f"{table}.csv"
        duckdb.query(f"COPY {table} TO '{path}' (HEADER FALSE, NULLSTR '')")
        _copy_into_postgres(port, table, path)
        path.unlink()
    for statement in made_of_them(updates):
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


def _copy_into_postgres(port: int, table: str, path: Path) -> None:
    with (
        psycopg.connect(host=HOST, port=port, user=USER, dbname=DATABASE) as connection,
        connection.cursor() as cursor,
        cursor.copy(f"COPY {table} FROM STDIN (FORMAT csv)".encode()) as copy,
        path.open("rb") as file,
    ):
        while block := file.read(BLOCK):
            copy.write(block)


def made_by_duckdb(updates: int) -> list[str]:
    """The statements that make the tables of both streams with this many updates, in DuckDB's SQL."""
    return [_BOOK_TICKERS.replace("NUMBER_OF_UPDATES", str(updates)), _SYMBOL_PRICES]


def made_of_them(updates: int) -> list[str]:
    """The statements, in the SQL of both, for what shards.sql and overlap.sql read: two shards with all rows between
    them, and two sources that each caught nearly the same half."""
    half = f"FROM book_tickers WHERE u < 11747004000000 + {updates * 3 // 2}"
    return [
        "CREATE TABLE btc_book_tickers AS SELECT * FROM book_tickers WHERE pair = 'BTCUSD'",
        "CREATE TABLE others_book_tickers AS SELECT * FROM book_tickers WHERE pair <> 'BTCUSD'",
        f"CREATE TABLE even_book_tickers AS SELECT * {half} AND {_IN_A_WINDOW} >= 3000",
        f"CREATE TABLE odd_book_tickers AS SELECT * {half} AND {_IN_A_WINDOW} NOT BETWEEN 150000 AND 153000",
    ]


if __name__ == "__main__":
    main()
