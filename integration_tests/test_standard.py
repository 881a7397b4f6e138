"""The CDK's own suite for every source, against the local exchange.

Its tests of the image need a Docker daemon and are deselected (see pyproject.toml).
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

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
    config.write_bytes(orjson.dumps({"environment": exchange.environment(), "max_book_tickers": 20}))
    return ConnectorTestScenario(config_path=config)


class TestStandard(standard_tests.SourceTestSuiteBase):
    connector = SourceBinanceFutures

    @classmethod
    def get_connector_root_dir(cls) -> Path:
        return ROOT


@pytest.mark.slow
def test_airbytes_own_tool_passes_and_what_it_leaves_behind_is_ignored(tmp_path: Path) -> None:
    """`airbyte-cdk connector test`, in a copy of this folder with the name that it asks for."""
    folder = tmp_path / "source-binance-futures"
    try:
        files = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        ).stdout.split("\0")
    except (FileNotFoundError, subprocess.CalledProcessError):
        pytest.skip("This is no clone, or git is not installed.")
    for name in filter(None, files):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, folder / name, follow_symlinks=False)
    subprocess.run(["git", "init", "--quiet"], cwd=folder, check=True)
    subprocess.run(["git", "add", "."], cwd=folder, check=True)

    tool = Path(sys.executable).with_name("airbyte-cdk")
    done = subprocess.run([tool, "connector", "test", "."], cwd=folder, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
    cases = ElementTree.parse(folder / "build" / "test-results" / "standard-tests-junit.xml").iter("testcase")
    passed = {(case.get("name") or "").partition("[")[0] for case in cases if not list(case)}
    assert passed == {"test_spec", "test_config_matches_spec", "test_check", "test_discover"}
    left = subprocess.run(
        ["git", "status", "--porcelain"], cwd=folder, capture_output=True, text=True, check=True
    ).stdout
    assert [line for line in left.splitlines() if line.startswith("??")] == []
