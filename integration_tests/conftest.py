"""What every test of the running connector uses."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from .harness.connector import Connector
from .harness.patience import FACTOR, patient


@pytest.fixture
def connector(tmp_path: Path) -> Iterator[Connector]:
    """Starts the connector as a process; what still runs after the test is ended."""
    with Connector(tmp_path / "connector") as connector:
        yield connector


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Where tests may take longer, so may the whole of each (`timeout` in pyproject.toml)."""
    if FACTOR != 1:
        whole = patient(float(config.getini("timeout")))
        for item in items:
            if item.get_closest_marker("timeout") is None:
                item.add_marker(pytest.mark.timeout(whole))
