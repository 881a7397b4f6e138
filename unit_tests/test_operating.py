"""docs/operating.md: the log lines that it quotes are said by the code; the Chinese page has the same facts."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGES = {name: (ROOT / "docs" / name).read_text(encoding="utf-8") for name in ("operating.md", "operating.zh-CN.md")}
ENGLISH, CHINESE = PAGES.values()
LINE = re.compile(r"^\| (WARN|INFO) \| `([^`]+)` \|", re.MULTILINE)
LEFT_OPEN = "…"


def test_both_pages_quote_the_same_lines() -> None:
    assert LINE.findall(ENGLISH) == LINE.findall(CHINESE)
    assert len(LINE.findall(ENGLISH)) >= 12


def said_by_the_code() -> Iterator[str]:
    """Every text of the code, with … where something is put in; texts that stand side by side are one already."""
    for path in sorted((ROOT / "source_binance_futures").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.JoinedStr):
                parts = [str(part.value) if isinstance(part, ast.Constant) else LEFT_OPEN for part in node.values]
                yield "".join(parts)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value


SAID = list(said_by_the_code())


def pieces(line: str) -> list[str]:
    """What of a quoted line is not left open, cut where the code may put a sentence together, too."""
    found = [piece.strip() for piece in re.split(r"[….:()]|\bseconds\b", line)]
    return [piece for piece in found if len(piece) > 1]


@pytest.mark.parametrize("line", [line for _, line in LINE.findall(ENGLISH)])
def test_the_code_says_it(line: str) -> None:
    assert len(max(pieces(line), key=len)) >= 8, "something to recognise it by"
    for piece in pieces(line):
        assert any(piece in said for said in SAID), piece


def test_a_line_that_is_not_said_would_be_noticed() -> None:
    assert not any("Hole of" in said for said in SAID)
    assert pieces("Gap of … seconds: updates pushed from … to") == ["Gap of", "updates pushed from", "to"]


@pytest.mark.parametrize(
    "facts",
    [
        pytest.param(r"`([^`]+)`", id="what stands as code"),
        pytest.param(r"\]\((?!operating|images)([^)]+)\)", id="links"),
        pytest.param(r"(?<![\w.])\d[\d,.]*\d(?![\w.])", id="numbers of two digits and more"),
        pytest.param(r"^(#+) ", id="headings"),
        pytest.param(r"^\s*(?:\||-|\d\.) ", id="rows of tables and lists"),
    ],
)
def test_both_pages_have_the_same_facts(facts: str) -> None:
    english, chinese = (re.findall(facts, page, re.MULTILINE) for page in (ENGLISH, CHINESE))
    assert sorted(english) == sorted(chinese)
    assert english


def test_the_time_to_be_late_is_what_the_rule_says() -> None:
    """`listen_seconds` less half a period."""
    rows = re.findall(r"^\| an? (hour|day) \| (\d+) \| (?:(\d+) hours )?(\d+) minutes \|", ENGLISH, re.MULTILINE)
    assert len(rows) == 2
    for period, listen, hours, minutes in rows:
        half = {"hour": 3600, "day": 86400}[period] / 2
        assert int(hours or 0) * 3600 + int(minutes) * 60 == int(listen) - half


def test_links_lead_somewhere() -> None:
    for page in PAGES.values():
        for link in re.findall(r"\]\(([^)#]+)\)", page):
            assert link.startswith("https://docs.airbyte.com/") or (ROOT / "docs" / link).is_file(), link
