"""What every test of the running connector uses."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from .harness.connector import Connector


@pytest.fixture
def connector(tmp_path: Path) -> Iterator[Connector]:
    """Starts the connector as a process; what still runs after the test is ended."""
    with Connector(tmp_path / "connector") as connector:
        yield connector
