"""What every test of the running connector uses."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from .harness.connector import Connector
from .harness.patience import FACTOR, patient
from .harness.warm import warm
from .warehouse.databases import DUCKDB, POSTGRES, Warehouse
from .warehouse.examples import Tables, both_databases, example_tables

# More than 40 seconds, most of them waiting; the other files fill what is left.
LONGEST = (
    "test_live",
    "test_pyairbyte_loop",
    "test_proxies",
    "test_faults",
    "test_capture",
    "test_random_faults",
    "test_blocks",
    "test_losses",
    "test_two_markets",
    "test_watchdog",
    "test_overlap",
    "test_standby",
    "test_prices",
)


@pytest.fixture
def connector(tmp_path: Path) -> Iterator[Connector]:
    """Starts the connector as a process; what still runs after the test is ended."""
    with Connector(tmp_path / "connector") as connector:
        yield connector


@pytest.fixture(scope="session")
def warm_command(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, ...]]:
    """For files with many runs that are not about their start: two seconds of imports for all of them, not for each."""
    with warm(tmp_path_factory.mktemp("warm")) as command:
        yield command


@pytest.fixture
def warm_connector(tmp_path: Path, warm_command: tuple[str, ...]) -> Iterator[Connector]:
    with Connector(tmp_path / "connector", warm_command) as connector:
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


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """The files that take longest begin first. Where tests may take longer, so may each of them (`timeout`)."""
    items.sort(key=lambda item: LONGEST.index(item.path.stem) if item.path.stem in LONGEST else len(LONGEST))
    if FACTOR != 1:
        whole = patient(float(config.getini("timeout")))
        for item in items:
            if item.get_closest_marker("timeout") is None:
                item.add_marker(pytest.mark.timeout(whole))
