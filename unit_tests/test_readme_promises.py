"""Each promise of the README has tests that try to break it; docs/promises.md names them, and they are there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGE = (ROOT / "docs" / "promises.md").read_text(encoding="utf-8")
GUARANTEED = README.partition("**Guaranteed**")[2].partition("**Not guaranteed**")[0]
PROMISES = re.findall(r"^- \*\*(.+?)\.\*\*", GUARANTEED, re.MULTILINE)
CELLS = re.findall(r"^\|(.*)\|(.+)\|(.+)\|$", PAGE, re.MULTILINE)
ROWS = [[cell.strip() for cell in cells] for cells in CELLS[2:]]  # below the heading and its line
TESTS = sorted({test for *_, tests in ROWS for test in re.findall(r"`([^`]+)`", tests)})


def test_every_promise_has_tests_and_nothing_else_has() -> None:
    assert len(PROMISES) == len(re.findall("^- ", GUARANTEED, re.MULTILINE)) > 5
    assert [name for name, *_ in ROWS if name] == PROMISES
    assert ROWS[0][0], "a row without a name belongs to the one above"
    assert all("`" in tests for *_, tests in ROWS)


@pytest.mark.parametrize("test", TESTS)
def test_it_is_there(test: str) -> None:
    path, _, name = test.partition("::")
    text = (ROOT / path).read_text(encoding="utf-8")
    assert re.search(rf"^def {name}\(" if name else r"^def test_", text, re.MULTILINE)
    assert path.startswith(("unit_tests/", "integration_tests/")), "where `make test` looks"
