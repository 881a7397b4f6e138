"""PyAirbyte: the connector as a source, DuckDB as the warehouse."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import airbyte


CHAIN = "-m source_binance_futures.chain --windows 2 --early 4 --overlap 2"
LOAD_WINDOWS = Path(__file__).resolve().parent.parent / "docs" / "sql" / "duckdb" / "windows.sql"
LOADS: dict[str, dict[str, Any]] = {
    "symbol_prices": {"write_strategy": "replace", "force_full_refresh": True},
    "book_tickers": {"write_strategy": "append"},
}
"""How each stream is read."""


class LoadingFailed(Exception):
    """What went wrong, in the connector's own words where it had any."""


class Warehouse:
    """The two tables, `main.book_tickers` and `main.symbol_prices`, and the way into them.

    The streams are read one at a time, each with the sync mode that fits it: prices are overwritten, book tickers are
    appended and begin where the state of the last sync ends.
    """

    def __init__(self, database: Path, logs: Path) -> None:
        self.database = database
        self._logs = logs
        self._source: airbyte.Source
        self._cache: airbyte.DuckDBCache

    def open(self, config: dict[str, Any], connector: Path) -> None:
        """Import PyAirbyte, which takes seconds, and point it at the connector."""
        # It reads them when it is imported, and would look for a registry and report its use otherwise.
        os.environ.update(AIRBYTE_OFFLINE_MODE="1", DO_NOT_TRACK="1", NO_LIVE_PROGRESS="1")
        os.environ["AIRBYTE_LOGGING_ROOT"] = str(self._logs)
        with self._quietly():
            import airbyte

            self._source = airbyte.get_source("source-binance-futures", config=config, local_executable=connector)
            self._cache = airbyte.DuckDBCache(db_path=self.database, cache_dir=self.database.parent / "demo-cache")

    def check(self) -> None:
        with self._quietly():
            self._source.check()

    def load(self, stream: str) -> None:
        with self._quietly():
            self._source.read(self._cache, streams=[stream], skip_validation=True, **LOADS[stream])

    def load_chain(self, config: dict[str, Any], python: Path) -> None:
        """Let `python` run a chain of two windows that goes on from here, and append what they have brought."""
        folder = self._logs / "windows"
        folder.mkdir()
        catalog = self._source.get_configured_catalog(streams=["book_tickers"]).model_dump_json(exclude_none=True)
        state = self._cache.get_state_provider(self._source.name).to_state_input_file_text()
        command = [str(python), *CHAIN.split(), "--into", str(folder)]
        for option, content in (("config", json.dumps(config)), ("catalog", catalog), ("state", state)):
            (folder / option).write_text(content, encoding="utf-8")
            command += [f"--{option}", str(folder / option)]
        with (folder / "log").open("wb") as log:
            if subprocess.run(command, stderr=log, check=False).returncode:
                raise LoadingFailed(f"The chain failed; what it said is in {log.name}.")
        self.execute(LOAD_WINDOWS.read_text(encoding="utf-8").replace("windows/", f"{folder}/"))

    def query(self, sql: str) -> list[dict[str, Any]]:
        with self._quietly():
            rows: list[dict[str, Any]] = self._cache.run_sql_query(sql)
        return rows

    def execute(self, sql: str) -> None:
        """Run a statement that gives no rows, such as one that creates a view."""
        with self._quietly():
            self._cache.execute_sql(sql)

    @contextmanager
    def _quietly(self) -> Iterator[None]:
        """What PyAirbyte and its libraries print goes to a file; what failed comes out as one sentence."""
        with (self._logs / "pyairbyte.log").open("a", encoding="utf-8") as log:
            try:
                with redirect_stdout(log), redirect_stderr(log):
                    yield
            except Exception as error:
                if "airbyte" not in sys.modules:
                    raise
                from airbyte.exceptions import PyAirbyteError

                if not isinstance(error, PyAirbyteError):
                    raise
                reason = (error.context or {}).get("failure_reason")
                said_nothing = f"{error.get_message()} What the connector said is in {self._logs}."
                raise LoadingFailed(str(reason) if reason else said_nothing) from error
