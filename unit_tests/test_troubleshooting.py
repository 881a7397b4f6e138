"""The messages that docs/troubleshooting.md and docs/operating.md quote are those that the code gives."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
OF_THE_CDK = {"A stream listed in your configuration was not found in the source."}

CODE = re.compile(r"(`+)(.+?)(?<!`)\1(?!`)")
HOLE = "\0"
"""What is put into a text of the code from case to case; the documents write … or an example."""

SHORTEST = 8  # characters in a row that tell one sentence from another
ENOUGH = 0.75  # of a message must be such runs; the rest is what is put in, or too short


def quoted_in(page: str) -> Iterator[str]:
    """What stands as code in the columns "message" and "line" of its tables."""
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    for heading, table in re.findall(r"^(\|.*)\n\|[-|]+\n((?:\|.*\n)+)", text, re.MULTILINE):
        titles = heading.strip("|").split(" | ")
        for column, title in enumerate(titles):
            if title.strip() in ("message", "line"):
                for row in table.splitlines():
                    cell = row.strip("|").split(" | ")[column]
                    yield from (found[2].strip() for found in CODE.finditer(cell) if " " in found[2].strip())


def said_in(tree: ast.AST) -> Iterator[str]:
    """Every text of a module; what is put in from case to case is a hole."""
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else HOLE for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


SAID = "\n".join(
    text
    for path in sorted((ROOT / "source_binance_futures").rglob("*.py"))
    for text in said_in(ast.parse(path.read_text(encoding="utf-8")))
)


def unsaid_in(message: str) -> str:
    """What of a message no text of the code has, with a _ for each character that one has."""
    known = [False] * len(message)
    at = 0
    while at < len(message):
        length = 0
        while at + length < len(message) and message[at : at + length + 1] in SAID:
            length += 1
        if length >= SHORTEST:
            known[at : at + length] = [True] * length
        at += max(length, 1) if length >= SHORTEST else 1
    return "".join("_" if is_known or char in "… .()" else char for char, is_known in zip(message, known, strict=True))


@pytest.mark.parametrize(("page", "at_least"), [("troubleshooting.md", 50), ("operating.md", 12)])
def test_the_code_says_what_it_quotes(page: str, at_least: int) -> None:
    quoted = set(quoted_in(page)) - OF_THE_CDK
    assert len(quoted) >= at_least
    unsaid = {message: unsaid_in(message) for message in quoted}
    assert {message: rest for message, rest in unsaid.items() if rest.count("_") < ENOUGH * len(message)} == {}


def test_what_is_not_said_is_found() -> None:
    said = "Gap of 3.0 seconds: updates pushed from … to … may be missing. Cause: …"
    assert unsaid_in(said).count("_") > ENOUGH * len(said)
    other = "Chasm of 3.0 hours: quotes vanished amid … plus …, quite mourned. Blame: …"
    assert unsaid_in(other).count("_") < ENOUGH * len(other)


def test_the_time_to_be_late_is_what_the_rule_says() -> None:
    """`listen_seconds` less half a period."""
    operating = (ROOT / "docs" / "operating.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| an? (hour|day) \| (\d+) \| (?:(\d+) hours )?(\d+) minutes \|", operating, re.MULTILINE)
    assert len(rows) == 2
    for period, listen, hours, minutes in rows:
        half = {"hour": 3600, "day": 86400}[period] / 2
        assert int(hours or 0) * 3600 + int(minutes) * 60 == int(listen) - half
