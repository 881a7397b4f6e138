"""One way to ask both warehouses: SQL in, rows out. Decimals and timestamps come as text, whichever it is."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import psycopg

from ..harness.connector import ROOT
from .postgres import DATABASE, HOST, USER

Row = tuple[Any, ...]

DUCKDB, POSTGRES = "DuckDB", "PostgreSQL"
COLUMN_TYPES = {
    DUCKDB: {"string": "VARCHAR", "integer": "BIGINT"},
    POSTGRES: {"string": "character varying", "integer": "bigint"},
}
"""What PyAirbyte makes of the types that the schemas declare; test_warehouses.py looks at what it made."""


class Warehouse(Protocol):
    """A database that holds the two tables."""

    def query(self, sql: str) -> list[Row]:
        """Runs one statement; a statement that gives no rows gives whatever the database says of it."""


class _Postgres:
    def __init__(self, connection: psycopg.Connection[Row]) -> None:
        self._connection = connection

    def query(self, sql: str) -> list[Row]:
        cursor = self._connection.execute(sql.encode())
        return [tuple(map(_plain, row)) for row in cursor.fetchall()] if cursor.description else []


class _DuckDB:
    def __init__(self, shell: subprocess.Popen[str]) -> None:
        self._shell = shell

    def query(self, sql: str) -> list[Row]:
        assert self._shell.stdin is not None
        assert self._shell.stdout is not None
        self._shell.stdin.write(json.dumps({"sql": sql}) + "\n")
        self._shell.stdin.flush()
        answer = json.loads(self._shell.stdout.readline() or '{"error": "the process has ended"}')
        assert "rows" in answer, f"{answer['error']}\n{sql}"
        return [tuple(row) for row in answer["rows"]]


def pyairbyte_python() -> Path:
    """PyAirbyte's interpreter, which alone has DuckDB. It is not there where no Python fits; then tests skip."""
    return Path(os.environ.get("PYAIRBYTE_PYTHON", ROOT / ".venv-pyairbyte" / "bin" / "python"))


def _plain(value: object) -> object:
    return value if value is None or isinstance(value, (str, int, float)) else str(value)


@contextmanager
def postgres_warehouse(port: int) -> Iterator[Warehouse]:
    """The tables of the PostgreSQL server on `port`."""
    with psycopg.connect(host=HOST, port=port, user=USER, dbname=DATABASE, autocommit=True) as connection:
        connection.execute("SET TIME ZONE 'UTC'")
        yield _Postgres(connection)


@contextmanager
def duckdb_warehouse(python: Path, path: Path) -> Iterator[Warehouse]:
    """The tables of the DuckDB file `path`; only the interpreter `python`, PyAirbyte's, has DuckDB."""
    script = Path(__file__).with_name("duckdb_shell.py")
    with subprocess.Popen(
        [str(python), str(script), str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as shell:
        yield _DuckDB(shell)
