"""The pages that there are in two languages carry the same facts: headings, commands, tables, lists, numbers, links."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from decimal import Decimal
from itertools import zip_longest
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", ROOT / "docs" / "operating.md"]
LONGEST, FEWEST_WORDS, MOST_WORDS = 200, 900, 1200
"""Lines and words of a README: what is longer belongs in docs/."""

SCREEN = 40, 80
"""Lines and columns: what is seen of a README first."""

OF_CHINESE = ".zh-CN"  # in the names of pages and pictures that there are in both languages
LINK = re.compile(r"!?\[(?:[^\]]*)\]\(([^)\s]+)\)")
CODE = re.compile(r"(`+)(.+?)(?<!`)\1(?!`)")
NUMBER = re.compile(r"(\d[\d,]*(?:\.\d+)?)(?: ?(million|万))?")
TIMES = {"": 1, "million": 1_000_000, "万": 10_000}


class Part(NamedTuple):
    """A heading, a paragraph, a row, an item, a comment, a picture or a fenced block, in the order of the document."""

    kind: str
    text: str


def kind_of(line: str) -> str:
    for kind, begins in (
        ("heading", r"#+ "),
        ("row", r"\s*\|"),
        ("item", r"\s*(?:-|\d+\.) "),
        ("comment", "<!--"),
        ("picture", r"!\["),
    ):
        if found := re.match(begins, line):
            return f"{kind} {found[0].strip()}"
    return "text"


def parts_of(path: Path) -> list[Part]:
    parts: list[Part] = []
    goes_on = False
    lines = iter(path.read_text(encoding="utf-8").splitlines())
    for line in lines:
        kind = kind_of(line)
        if line.startswith("```"):
            block = list(iter(lambda: next(lines, "```"), "```"))
            parts.append(Part("block " + line[3:], "\n".join(block)))
            goes_on = False
        elif not line:
            goes_on = False
        elif kind == "text" and goes_on:
            parts[-1] = Part(parts[-1].kind, f"{parts[-1].text}\n{line}")
        else:
            parts.append(Part(kind, line))
            goes_on = kind == "text" or kind.startswith("item")
    return parts


def facts_of(part: Part) -> tuple[object, ...]:
    """Return what is the same in every language: code, numbers written with digits, links to other pages, cells."""
    if part.kind.startswith(("block", "comment")):
        return (part.text,)
    links = [link.replace(OF_CHINESE, "") for link in LINK.findall(part.text) if not link.startswith("#")]
    bare = CODE.sub("", LINK.sub("", part.text))
    numbers = [Decimal(number.replace(",", "")) * TIMES[unit] for number, unit in NUMBER.findall(bare)]
    cells = part.text.count("|") if part.kind.startswith("row") else 0
    code = Counter(found[2].strip() for found in CODE.finditer(part.text))
    return code, sorted(links), sorted(numbers), cells, part.text.startswith("- **")


@pytest.mark.parametrize("english", PAGES, ids=lambda path: path.name)
def test_both_languages_have_the_same_facts(english: Path) -> None:
    chinese = english.with_suffix(".zh-CN.md")
    pairs = list(zip_longest(parts_of(english), parts_of(chinese), fillvalue=Part("nothing", "")))
    assert len(pairs) > 50, "or this test has lost sight of them"
    for ours, theirs in pairs:
        assert theirs.kind == ours.kind, (ours.text, theirs.text)
        assert facts_of(theirs) == facts_of(ours), (ours.text, theirs.text)
    assert f"]({chinese.name})" in english.read_text(encoding="utf-8")


def test_a_readme_is_short_and_its_first_screen_says_what_matters() -> None:
    text = PAGES[0].read_text(encoding="utf-8")
    assert FEWEST_WORDS <= len(text.split()) <= MOST_WORDS
    for path in (PAGES[0], PAGES[0].with_suffix(".zh-CN.md")):
        text = path.read_text(encoding="utf-8")
        assert len(text.splitlines()) <= LONGEST
        first = text.partition("\n## ")[0]
        assert sum(max(1, -(-width(line) // SCREEN[1])) for line in first.splitlines()) <= SCREEN[0], path.name
        for said in ("make demo", "pip install", "check --config", "covered_since_us", "make live", "windows"):
            assert said in first, path.name
        assert len(re.findall(r"^!\[.{5,}\]\(.+\)$", first, re.MULTILINE)) == 1
    assert max(map(len, PAGES[0].read_text(encoding="utf-8").partition("\n## ")[0].splitlines())) <= SCREEN[1]


def width(line: str) -> int:
    """Return the columns that a line takes in a terminal, without the addresses of its links."""
    shown = re.sub(r"\]\([^)]*\)", "]", line)
    return sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in shown)
