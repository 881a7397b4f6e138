"""Whatever the code leans on stands in docs/binance-facts.md, in the section that it names."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs" / "binance-facts.md").read_text(encoding="utf-8")
SECTIONS = set(re.findall(r"^#+ ([0-9.]+) ", PAGE, re.MULTILINE))
FOLDERS = ("source_binance_futures", "local_exchange", "integration_tests", "unit_tests")
REFERENCE = re.compile(r"binance-facts (?:sections? )?((?:[0-9](?:\.[0-9])?(?:, | and )?)+)")
FOUND = [
    (f"{path.relative_to(ROOT)}", section)
    for folder in FOLDERS
    for path in sorted((ROOT / folder).rglob("*.py"))
    if path != Path(__file__)
    for named in REFERENCE.findall(path.read_text(encoding="utf-8"))
    for section in re.findall(r"[0-9](?:\.[0-9])?", named)
]


def test_there_are_references() -> None:
    assert len(FOUND) > 20
    assert {"1", "1.1", "2.1", "2.2", "2.3", "2.4", "2.5", "3", "4", "5"} <= SECTIONS


@pytest.mark.parametrize(("path", "section"), sorted(set(FOUND)))
def test_each_reference_has_its_section(path: str, section: str) -> None:
    assert section in SECTIONS, f"{path} points to section {section}"


def test_no_page_outside_the_project_is_pointed_to() -> None:
    pointing = [
        path.name
        for folder in FOLDERS
        for path in (ROOT / folder).rglob("*.py")
        if path != Path(__file__) and "binance-protocol" in path.read_text(encoding="utf-8")
    ]
    assert pointing == []
