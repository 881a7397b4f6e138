"""Each fuzz target for a moment; `python -m unit_tests.fuzz` runs them for as long as one likes."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import pytest

from .fuzz import TARGETS, bounded, run


@pytest.mark.parametrize("name", TARGETS)
def test_nothing_but_what_is_documented_leaves_a_parser(name: str) -> None:
    number = random.randrange(2**32)
    print(f"seed {number}")  # shown where it fails
    assert run(TARGETS[name], examples=100, number=number)


def takes_memory(_: list[bytes]) -> None:
    list(range(10**6))


def test_what_takes_too_much_is_found() -> None:
    with pytest.raises(AssertionError):
        bounded(takes_memory, [b"x"])


def test_by_hand() -> None:
    command = [sys.executable, "-m", "unit_tests.fuzz", "--seconds", "1", "frames", "market"]
    root = Path(__file__).parent.parent
    output = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=100, check=True).stdout
    assert [line.partition(":")[0] for line in output.splitlines()] == ["frames", "market"]
    refused = subprocess.run([*command, "nothing"], cwd=root, capture_output=True, text=True, timeout=100, check=False)
    assert refused.returncode == 2
    assert "no such target: nothing" in refused.stderr
