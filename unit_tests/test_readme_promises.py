"""Each guarantee of the README has tests that try to break it; docs/promises.md names them, and they are there."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def test_every_guarantee_has_tests_that_are_there_and_nothing_else_has() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    guarantees = readme.partition("\n## Guarantees\n")[2].partition("\nNot guaranteed:\n")[0]
    promises = re.findall(r"^- \*\*(.+?)\.\*\*", guarantees, re.MULTILINE)
    page = (ROOT / "docs" / "promises.md").read_text(encoding="utf-8")
    rows = [[cell.strip() for cell in cells] for cells in re.findall(r"^\|(.*)\|(.+)\|(.+)\|$", page, re.MULTILINE)]
    del rows[:2]  # the heading and its line

    assert len(promises) == len(re.findall("^- ", guarantees, re.MULTILINE)) > 5
    assert rows[0][0], "a row without a name belongs to the one above"
    assert [name for name, *_ in rows if name] == promises
    for row in rows:
        named = re.findall(r"`([^`]+)`", row[-1])
        assert named, row
        for test in named:
            path, _, name = test.partition("::")
            assert path.startswith(("unit_tests/", "integration_tests/")), "where `make test` looks"
            text = (ROOT / path).read_text(encoding="utf-8")
            assert re.search(rf"^def {name}\(" if name else r"^def test_", text, re.MULTILINE), test
