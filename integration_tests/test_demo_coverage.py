"""`make demo`, as it is run: it draws the stretches of its two syncs and tells the hole between them."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from .harness.connector import ROOT
from .harness.patience import patient
from .harness.warm import pyairbyte_command
from .warehouse.databases import pyairbyte_python

pytestmark = pytest.mark.timeout(patient(300))

BEGINS = "Coverage by docs/sql/coverage.sql"


def test_two_syncs_and_the_hole_between_them(tmp_path: Path) -> None:
    python = pyairbyte_python()
    if not python.exists():
        pytest.skip("PyAirbyte's environment is missing. `make test` sets it up.")
    demo = subprocess.run(
        [*pyairbyte_command(python, "from demo.__main__ import main; assert main() == 0"), "local"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=patient(240.0),
        check=False,
    )
    assert demo.returncode == 0, demo.stdout + demo.stderr
    _, _, coverage = demo.stdout.partition(BEGINS)
    lines = re.findall(r"^ *([A-Z]+USD_\w+) +([━·]+) +([\d.]+) s *$", coverage, flags=re.MULTILINE)
    assert len(lines) >= 5
    # A stretch that is shorter than a cell is not drawn, and a busy machine has such ones.
    assert sum(bool(re.search("━·+━", drawing)) for _, drawing, _ in lines) >= 3, coverage
    told = re.search(r"The hole between the syncs: ([\d.]+) to ([\d.]+) seconds", coverage)
    assert told is not None
    shortest, longest = float(told[1]), float(told[2])
    assert 1 < shortest <= longest
    assert all(shortest <= float(seconds) <= longest for *_, seconds in lines)
