"""The CDK's own suite for every source, against the local exchange.

Its tests of the image need a Docker daemon and are deselected (see pyproject.toml).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest
from airbyte_cdk.test import standard_tests
from airbyte_cdk.test.models import ConnectorTestScenario

from local_exchange import LocalExchange
from source_binance_futures import SourceBinanceFutures

from .harness.connector import ROOT


@pytest.fixture(scope="module")
def exchange() -> Iterator[LocalExchange]:
    with LocalExchange(rate=500) as exchange:
        yield exchange


@pytest.fixture
def scenario(exchange: LocalExchange, tmp_path: Path) -> ConnectorTestScenario:
    config = tmp_path / "config.json"
    config.write_bytes(orjson.dumps({"environment": exchange.environment(), "listen_seconds": 1}))
    return ConnectorTestScenario(config_path=config)


class TestStandard(standard_tests.SourceTestSuiteBase):
    connector = SourceBinanceFutures

    @classmethod
    def get_connector_root_dir(cls) -> Path:
        return ROOT
