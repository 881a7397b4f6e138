"""The SQL for ClickHouse, run by chdb, which is ClickHouse in a process, and that for BigQuery and Snowflake, which we
cannot run: it is read by sqlglot in their grammar, put into DuckDB's words and run there.

Each over each kind of odd row, with the answers that docs/sql gives. `make clickhouse` sets up what this needs.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from .harness.connector import ROOT
from .warehouse.databases import DUCKDB, Row, Warehouse, duckdb_warehouse
from .warehouse.examples import SQL, at, example_tables, literal, plain
from .warehouse.odd_rows import EXPECTED, KINDS

PYTHON = Path(os.environ.get("CLICKHOUSE_PYTHON", ROOT / ".venv-clickhouse" / "bin" / "python"))
pytestmark = pytest.mark.skipif(not PYTHON.exists(), reason="chdb and sqlglot are missing: `make clickhouse` has them")

CLICKHOUSE, BIGQUERY, SNOWFLAKE = "clickhouse", "bigquery", "snowflake"
TYPES = {"string": "Nullable(String)", "integer": "Nullable(Int64)"}
"""What Airbyte's destination makes of our types."""
MOMENTS = {"2026-10-06 12:00:00": at(61.5), "2026-10-06 12:00:30": at(355)}
DAYS = {"2026-10-05": "1970-01-01", "2026-10-07": "1970-01-02"}
ASK_QUOTES = "SELECT symbol, u, event_at, bid, bid_qty, ask, ask_qty FROM quotes ORDER BY symbol, u, received_at"

Ask = Callable[..., list[Row]]


@pytest.fixture(scope="module")
def shell() -> Iterator[Ask]:
    script = ROOT / "integration_tests" / "warehouse" / "clickhouse_shell.py"
    with subprocess.Popen([PYTHON, script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        requests, answers = process.stdin, process.stdout

        def ask(sql: str, **request: Any) -> list[Row]:
            requests.write(json.dumps({"sql": sql, **request}) + "\n")
            requests.flush()
            answer = json.loads(answers.readline() or '{"error": "the process has ended"}')
            assert "rows" in answer, f"{answer['error']}\n{sql}"
            return [tuple(row) for row in answer["rows"]]

        yield ask


@pytest.fixture(scope="module")
def duckdb() -> Iterator[Warehouse]:
    with duckdb_warehouse() as warehouse:
        yield warehouse


@pytest.mark.parametrize("kind", KINDS)
def test_clickhouse(shell: Ask, kind: str) -> None:
    fill(shell, KINDS[kind], "MergeTree ORDER BY tuple()")

    shell(text_of(CLICKHOUSE, "quotes"))

    assert alike(shell(ASK_QUOTES)) == quotes_expected(kind)
    assert alike(shell(text_of(CLICKHOUSE, "asof"))) == EXPECTED["asof"].get(kind, [])


def test_clickhouse_keeps_one_of_each_when_deduped(shell: Ask) -> None:
    """The table that the destination makes for Append + Deduped, asked with FINAL as the page says."""
    key = {"symbol": "String", "u": "Int64"}
    fill(shell, KINDS["duplicate"], "ReplacingMergeTree(u) ORDER BY (symbol, u)", key)

    shell(text_of(CLICKHOUSE, "quotes").replace("FROM book_tickers", "FROM book_tickers FINAL"))

    assert alike(shell(ASK_QUOTES)) == list(dict.fromkeys(quotes_expected("duplicate")))


@pytest.mark.parametrize("dialect", [BIGQUERY, SNOWFLAKE])
@pytest.mark.parametrize("kind", KINDS)
def test_what_we_cannot_run_says_the_same_in_duckdb(shell: Ask, duckdb: Warehouse, dialect: str, kind: str) -> None:
    with example_tables(DUCKDB, duckdb) as tables:
        tables.insert(*KINDS[kind])
        for name in ("quotes", "asof"):
            (((sql,),)) = shell(text_of(dialect, name), translate_from=dialect)
            rows = tables.query(sql)

        assert alike(rows) == EXPECTED["asof"].get(kind, [])
        assert alike(tables.query(ASK_QUOTES)) == quotes_expected(kind)


def test_every_file_is_tested() -> None:
    files = {path.relative_to(SQL).as_posix() for path in SQL.rglob("*.sql") if path.parent != SQL}
    assert files == {
        f"{folder}/{name}.sql" for folder in (CLICKHOUSE, BIGQUERY, SNOWFLAKE) for name in ("quotes", "asof")
    } | {"duckdb/windows.sql"}  # by test_chain.py


def text_of(folder: str, name: str) -> str:
    """The file, its moments and days put where the odd rows are."""
    text = (SQL / folder / f"{name}.sql").read_text(encoding="utf-8")
    for moment, other in MOMENTS.items():
        assert name == "quotes" or text.count(moment) == 1
        text = text.replace(moment, other.removesuffix("+00:00"))
    for day, other in DAYS.items():
        text = text.replace(day, other)
    return text


def fill(shell: Ask, rows: list[dict[str, Any]], engine: str, types: dict[str, str] | None = None) -> None:
    schema = json.loads((ROOT / "schemas" / "book_tickers.json").read_text(encoding="utf-8"))
    columns = {name: TYPES[part["type"][1]] for name, part in schema["properties"].items()} | (types or {})
    shell("DROP TABLE IF EXISTS book_tickers")
    shell(f"CREATE TABLE book_tickers ({', '.join(map(' '.join, columns.items()))}) ENGINE = {engine}")
    for row in rows:
        shell(f"INSERT INTO book_tickers ({', '.join(row)}) VALUES ({', '.join(map(literal, row.values()))})")


def quotes_expected(kind: str) -> list[Row]:
    """What ASK_QUOTES gives: these tables leave out rows without a symbol or an id."""
    return [
        (row["symbol"], row["u"], row["event_time"] and at(row["event_time"] / 1000), *_book(row))
        for row in sorted(
            (row for row in KINDS[kind] if row["symbol"] and row["u"] and row["received_at_us"]),
            key=lambda row: (row["symbol"], row["u"], row["received_at_us"]),
        )
    ]


def _book(row: dict[str, Any]) -> Iterator[object]:
    for side in ("bid", "ask"):
        price, quantity = row[f"best_{side}_price"], row[f"best_{side}_qty"]
        there = price and float(price) and (quantity is None or float(quantity))
        yield price if there else None
        yield float(quantity) if quantity else None


def alike(rows: list[Row]) -> list[Row]:
    """Times as `at` has them, whether the database shows a zone or not, and how many zeros."""

    def time(value: object) -> object:
        found = re.fullmatch(r"1970-01-01 00:(\d+):(\d+(?:\.\d+)?)(?:\+00:00)?", str(value))
        return at(int(found[1]) * 60 + float(found[2])) if found else value

    return [tuple(map(time, row)) for row in plain(rows)]
