"""README and its Chinese twin carry the same facts: headings, commands, tables, lists, numbers, links, pictures."""

from __future__ import annotations

import re
from collections import Counter
from decimal import Decimal
from itertools import zip_longest
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parent.parent
ENGLISH, CHINESE = ROOT / "README.md", ROOT / "README.zh-CN.md"
LONGEST = 245
"""Lines of a README: what is longer belongs in docs/."""

LINK = re.compile(r"!?\[(?:[^\]]*)\]\(([^)\s]+)\)")
OF_CHINESE = ".zh-CN"  # in the names of pages and pictures that there are in both languages
FILE = re.compile(r"\[([\w./-]+\.md)\]")
CODE = re.compile(r"(`+)(.+?)(?<!`)\1(?!`)")
NUMBER = re.compile(r"(\d[\d,]*(?:\.\d+)?)(?: ?(million|万))?")
TIMES = {"": 1, "million": 1_000_000, "万": 10_000}


class Part(NamedTuple):
    """A run of lines of one kind, in the order of the document."""

    kind: str
    lines: tuple[str, ...]


def kind_of(line: str) -> str:
    if line.startswith("#"):
        return "heading " + line.partition(" ")[0]
    if line.startswith("|"):
        return "table"
    if line.startswith("- "):
        return "list"
    if line.startswith("<!--"):
        return "comment"
    if line.startswith("!["):
        return "picture"
    return "text"


def parts_of(path: Path) -> list[Part]:
    """Everything but blank lines; a fenced block is one part with its language."""
    parts: list[Part] = []
    lines = iter(path.read_text(encoding="utf-8").splitlines())
    run: list[str] = []

    def end_run() -> None:
        if run:
            parts.append(Part(kind_of(run[0]), tuple(run)))
            run.clear()

    for line in lines:
        if line.startswith("```"):
            end_run()
            block = []
            for inner in lines:
                if inner == "```":
                    break
                block.append(inner)
            parts.append(Part("block " + line[3:], tuple(block)))
        elif not line:
            end_run()
        else:
            if run and kind_of(line) != kind_of(run[0]):
                end_run()
            run.append(line)
    end_run()
    return parts


PAIRS = list(zip_longest(parts_of(ENGLISH), parts_of(CHINESE), fillvalue=Part("nothing", ("",))))
SAME = [(a, b) for a, b in PAIRS if a.kind.startswith(("block", "comment"))]
WRITTEN = [(a, b) for a, b in PAIRS if not a.kind.startswith(("block", "comment"))]


def name(pair: object) -> str:
    return pair[0].lines[0][:40] if isinstance(pair, tuple) else ""


def code_in(lines: tuple[str, ...]) -> Counter[str]:
    return Counter(found[2].strip() for found in CODE.finditer("\n".join(lines)))


def numbers_in(lines: tuple[str, ...]) -> Counter[Decimal]:
    """Written with digits, outside code and addresses."""
    text = CODE.sub("", LINK.sub("", "\n".join(lines)))
    return Counter(Decimal(number.replace(",", "")) * TIMES[unit] for number, unit in NUMBER.findall(text))


def test_the_parts_follow_each_other_alike() -> None:
    kinds = [(a.kind, b.kind, a.lines[0][:50]) for a, b in PAIRS]
    assert [first for first in kinds if first[0] != first[1]][:1] == []
    assert len(PAIRS) > 70, "or this test has lost sight of them"


@pytest.mark.parametrize("pair", SAME, ids=name)
def test_blocks_and_comments_are_word_for_word_the_same(pair: tuple[Part, Part]) -> None:
    assert pair[1] == pair[0]


@pytest.mark.parametrize("pair", WRITTEN, ids=name)
def test_what_is_written_has_the_same_code_links_and_numbers(pair: tuple[Part, Part]) -> None:
    english, chinese = pair
    assert len(chinese.lines) == len(english.lines), "rows of a table, items of a list"
    for line, translated in zip(english.lines, chinese.lines, strict=True):
        assert code_in((translated,)) == code_in((line,)), line
        assert numbers_in((translated,)) == numbers_in((line,)), line
        assert translated.count("|") == line.count("|") or not line.startswith("|"), line
        assert translated.startswith("- **") is line.startswith("- **"), line
    twins = {ENGLISH.name, CHINESE.name}  # each leads to the other
    links, translated_links = (
        sorted(link.replace(OF_CHINESE, "") for link in LINK.findall("\n".join(part.lines)) if link not in twins)
        for part in pair
    )
    assert translated_links == links
    files, translated_files = (
        sorted(file.replace(OF_CHINESE, "") for file in FILE.findall("\n".join(part.lines)) if file not in twins)
        for part in pair
    )
    assert translated_files == files


@pytest.mark.parametrize("path", [ENGLISH, CHINESE], ids=lambda path: path.name)
def test_it_is_short(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= LONGEST


def test_each_leads_to_the_other() -> None:
    assert f"]({CHINESE.name})" in ENGLISH.read_text(encoding="utf-8")
    assert f"]({ENGLISH.name})" in CHINESE.read_text(encoding="utf-8")


def test_pictures_have_words_and_those_in_chinese_are_taken_where_there_are_some() -> None:
    for path in (ENGLISH, CHINESE):
        pictures = re.findall(r"^!\[(.+)\]\((.+)\)$", path.read_text(encoding="utf-8"), re.MULTILINE)
        assert len(pictures) == 2
        for words, picture in pictures:
            assert len(words) > 5
            own = (ROOT / picture).with_suffix("").with_suffix(".zh-CN.svg")
            assert not (path is CHINESE and own.exists()) or picture.endswith(".zh-CN.svg")
