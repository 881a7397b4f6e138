"""What every test of the running connector uses."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from .harness.connector import COMMAND, Connector
from .harness.warm import share
from .warehouse.databases import DUCKDB, POSTGRES, Warehouse
from .warehouse.examples import Tables, both_databases, example_tables

# Their subject is a clock, so `make test` leaves them to `make test-all`.
REAL_TIME = ("test_pyairbyte_loop", "test_watchdog")
LONGEST_FIRST = (*REAL_TIME, "test_warehouses", "test_signals", "test_docs", "test_chain", "test_nasty_files")


@pytest.fixture
def connector(tmp_path: Path) -> Iterator[Connector]:
    """Starts the connector as a process, without the seconds of its imports; what runs after the test is ended."""
    with Connector(tmp_path / "connector") as connector:
        yield connector


@pytest.fixture
def cold_connector(tmp_path: Path) -> Iterator[Connector]:
    """For tests that are about its start, or that look at the process itself."""
    with Connector(tmp_path / "connector", COMMAND) as connector:
        yield connector


@pytest.fixture(scope="session")
def databases() -> Iterator[dict[str, Warehouse]]:
    with both_databases() as databases:
        yield databases


@pytest.fixture(params=[DUCKDB, POSTGRES])
def tables(request: pytest.FixtureRequest, databases: dict[str, Warehouse]) -> Iterator[Tables]:
    """Empty tables in each database, by turns."""
    with example_tables(request.param, databases[request.param]) as tables:
        yield tables


def pytest_configure() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # what runs under nohup hands on that it is ignored
    share()


def pytest_itemcollected(item: pytest.Item) -> None:
    if item.path.stem in REAL_TIME:
        item.add_marker(pytest.mark.slow)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    order = {name: number for number, name in enumerate(LONGEST_FIRST)}
    items.sort(key=lambda item: order.get(item.path.stem, len(order)))
