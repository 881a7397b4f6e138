"""The messages that the documents quote are those that the code gives."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", *(ROOT / "docs" / name for name in ("troubleshooting.md", "operating.md"))]
OF_THE_CDK = {"A stream listed in your configuration was not found in the source."}

CODE = re.compile(r"(`+)(.+?)(?<!`)\1(?!`)")
HOLE = "\0"
"""What is put into a text of the code from case to case; the documents write … or an example."""

SHORTEST = 8  # characters in a row that tell one sentence from another
ENOUGH = 0.75  # of a message must be such runs; the rest is what is put in, or too short


def quoted_in(page: Path) -> Iterator[str]:
    """What stands as code in the columns "message" and "line" of its tables."""
    for heading, table in re.findall(
        r"^(\|.*)\n\|[-|]+\n((?:\|.*\n)+)", page.read_text(encoding="utf-8"), re.MULTILINE
    ):
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
QUOTED = [(page.name, message) for page in PAGES for message in quoted_in(page)]


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


@pytest.mark.parametrize("message", sorted({message for _, message in QUOTED} - OF_THE_CDK))
def test_the_code_says_it(message: str) -> None:
    unsaid = unsaid_in(message)
    assert unsaid.count("_") >= ENOUGH * len(message), unsaid


def test_what_is_not_said_is_found() -> None:
    said = "Gap of 3.0 seconds: updates pushed from … to … may be missing. Cause: …"
    assert unsaid_in(said).count("_") > ENOUGH * len(said)
    other = "Chasm of 3.0 hours: quotes vanished amid … plus …, quite mourned. Blame: …"
    assert unsaid_in(other).count("_") < ENOUGH * len(other)


def test_there_are_messages() -> None:
    assert len([message for page, message in QUOTED if page == "README.md"]) == 5
    assert len(QUOTED) > 60
