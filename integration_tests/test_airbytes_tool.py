"""Airbyte's own tool, `airbyte-cdk connector test`, in a copy of this folder with the name that it asks for."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from .harness.connector import ROOT

pytestmark = pytest.mark.slow


def test_it_passes_and_what_it_leaves_behind_is_ignored(tmp_path: Path) -> None:
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
