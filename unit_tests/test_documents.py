"""What the documents say holds: names and links, promises, options, quoted messages, facts, tables, both languages."""

from __future__ import annotations

import ast
import re
import subprocess
import unicodedata
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from itertools import zip_longest
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from scripts import bridge

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / ".github").rglob("*.md")]
CODE = re.compile(r"(`+)(.+?)(?<!`)\1(?!`)")


def read(path: str) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


def parsed(path: str) -> Any:
    return yaml.safe_load(read(path))


# --- what they name ---

OURS = (
    *("docs/", "unit_tests/", "integration_tests/", "source_binance_futures/"),
    *("schemas/", "scripts/", "requirements/", ".github/"),
)
OLD_PAGES = "developers.binance.com/docs/"
"""Where Binance's documentation was until 2026; it has moved to /en/docs/products/."""


def slug(heading: str) -> str:
    """Return the name of a heading in an address, as GitHub makes it."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_what_it_names_is_there(path: Path) -> None:
    """Files, targets of make, pages that it links to and their headings."""
    text = path.read_text(encoding="utf-8")
    targets = re.findall(r"^([\w-]+):", read("Makefile"), re.MULTILINE)
    for word in re.findall(r"(?<!`)`([^`\s]+)`(?!`)", text):
        assert not word.startswith(OURS) or (ROOT / word.partition("::")[0]).exists(), word
    for target in re.findall(r"`make ([\w-]+)[ `]", text):
        assert target in targets, f"make {target}"
    for page, anchor in re.findall(r"\]\((?!\w+:)([^)#\s]*)(?:#([^)\s]+))?\)", text):
        assert (path.parent / page).exists(), page
        if anchor:
            linked = (path.parent / page if page else path).read_text(encoding="utf-8")
            headings = {slug(heading) for heading in re.findall(r"^#+ (.+)$", linked, re.MULTILINE)}
            assert anchor in headings, f"{page}#{anchor}"
    assert OLD_PAGES not in text


def test_what_the_readme_leaves_behind_is_ignored() -> None:
    """By redirection, by `tee`, by `-m venv`, and by PyAirbyte's cache."""
    blocks = re.findall(r"```bash\n(.*?)```", read("README.md"), re.DOTALL)
    names = sorted({name for block in blocks for name in re.findall(r"(?:>|\btee|-m venv) \"?([\w.$-]+)", block)})
    assert {"config.json", "sync.jsonl", "venv"} <= set(names)
    asked = [
        f"{name}/x" if name == "venv" else name
        for name in [*names, "state.json", "windows/x", "market.duckdb", ".tmp/x", "build/x"]
    ]
    try:
        done = subprocess.run(["git", "check-ignore", *asked], cwd=ROOT, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("git is not installed.")
    if done.returncode == 128:
        pytest.skip("This is no clone.")
    assert done.stdout.split() == asked


def test_the_hook_and_ci_run_what_contributing_says() -> None:
    (repository,) = parsed(".pre-commit-config.yaml")["repos"]
    assert repository["repo"] == "local", "no network address is needed"
    assert [hook["entry"] for hook in repository["hooks"]] == ["make lint"]
    assert read(".ci/run").endswith("\nmake lint\nmake test\n")
    contributing = read("CONTRIBUTING.md")
    assert re.search(r"^make test\b", contributing, re.MULTILINE)
    ((path, name),) = re.findall(r"- One test: `\S+ -m pytest (\S+)::(\w+)`", contributing)
    assert len(re.findall(rf"^def {name}\(", read(path), re.MULTILINE)) == 1


def test_every_guarantee_has_tests_that_are_there_and_nothing_else_has() -> None:
    """Those of the README; docs/promises.md names the tests that try to break each."""
    guarantees = read("README.md").partition("\n## Guarantees\n")[2].partition("\nNot guaranteed:\n")[0]
    promises = re.findall(r"^- \*\*(.+?)\.\*\*", guarantees, re.MULTILINE)
    page = read("docs/promises.md")
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
            assert re.search(rf"^def {name}\(" if name else r"^def test_", read(path), re.MULTILINE), test


def test_what_the_code_leans_on_stands_in_the_section_of_binance_facts_that_it_names() -> None:
    sections = set(re.findall(r"^#+ ([0-9.]+) ", read("docs/binance-facts.md"), re.MULTILINE))
    assert {"1", "1.1", "2.1", "2.2", "2.3", "2.4", "2.5", "3", "4", "5"} <= sections
    reference = re.compile(r"binance-facts (?:sections? )?((?:[0-9](?:\.[0-9])?(?:, | and )?)+)")
    found = set()
    for folder in ("source_binance_futures", "local_exchange", "integration_tests", "unit_tests"):
        for path in (path for path in (ROOT / folder).rglob("*.py") if path != Path(__file__)):
            text = path.read_text(encoding="utf-8")
            assert "binance-protocol" not in text, f"{path}: no page outside the project is pointed to"
            for named in reference.findall(text):
                found |= {(path.name, section) for section in re.findall(r"[0-9](?:\.[0-9])?", named)}
    assert len(found) > 20
    assert {(name, section) for name, section in found if section not in sections} == set()


# --- docs/binance-futures.md: Airbyte shows it beside the form ---


def test_the_panel_of_the_form_can_show_the_guide() -> None:
    """It turns links to other pages of ours into dead ones, and puts an invisible character before a number that ends
    a sentence, which whoever copies the number would take along.
    """
    guide = read("docs/binance-futures.md")
    targets = re.findall(r"\]\(([^)\s]+)\)", guide)
    assert targets
    assert [target for target in targets if not target.startswith(("https://", "#"))] == []
    assert re.findall(r"^.*\w+ \d+\.(?:\s.*)?$", re.sub(r"`[^`]*`", "", guide), re.MULTILINE) == []


def test_the_guide_tells_every_field_of_the_form_of_the_records_and_every_host() -> None:
    """Fields in their order; within a group the form shows those with `always_show` and choices, and folds the rest."""
    guide, connecting = read("docs/binance-futures.md"), read("docs/connecting.md")
    properties = parsed("source_binance_futures/spec.yaml")["connectionSpecification"]["properties"]
    rows = re.findall(r"^\| ([^|]+) \| `(\w+)` \| [^|]+ \|$", guide, re.MULTILINE)
    assert [(title, option) for title, option in rows if option in properties] == [
        (node["title"] + ("" if node.get("always_show") or "oneOf" in node else " (folded)"), option)
        for option, node in properties.items()
    ]
    for schema in ("schemas/book_tickers.json", "schemas/symbol_prices.json"):
        for field in parsed(schema)["properties"]:
            assert f"`{field}`" in guide, f"{schema}: {field}"
    for host in parsed("metadata.yaml")["data"]["allowedHosts"]["hosts"]:
        assert host.startswith("$") or (f"`{host}`" in guide and f"`{host}`" in connecting), host


# --- messages that they quote ---

OF_THE_CDK = {"A stream listed in your configuration was not found in the source."}
HOLE = "\0"
"""What is put into a text of the code from case to case; the documents write … or an example."""

SHORTEST = 8  # characters in a row that tell one sentence from another
ENOUGH = 0.75  # of a message must be such runs; the rest is what is put in, or too short


def quoted_in(page: str) -> Iterator[str]:
    """What stands as code in the columns "message" and "line" of its tables."""
    for heading, table in re.findall(r"^(\|.*)\n\|[-|]+\n((?:\|.*\n)+)", read(f"docs/{page}"), re.MULTILINE):
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


def share_said(message: str) -> float:
    """How much of a message stands in texts of the code."""
    known = [char in "… .()" for char in message]
    at = 0
    while at < len(message):
        length = 0
        while at + length < len(message) and message[at : at + length + 1] in SAID:
            length += 1
        if length >= SHORTEST:
            known[at : at + length] = [True] * length
        at += max(length, 1) if length >= SHORTEST else 1
    return sum(known) / len(message)


@pytest.mark.parametrize(("page", "at_least"), [("troubleshooting.md", 50), ("operating.md", 12)])
def test_the_code_says_what_it_quotes(page: str, at_least: int) -> None:
    quoted = set(quoted_in(page)) - OF_THE_CDK
    assert len(quoted) >= at_least
    assert [message for message in quoted if share_said(message) < ENOUGH] == []


def test_what_is_not_said_is_found() -> None:
    assert share_said("Gap of 3.0 seconds: updates pushed from … to … may be missing. Cause: …") > ENOUGH
    assert share_said("Chasm of 3.0 hours: quotes vanished amid … plus …, quite mourned. Blame: …") < ENOUGH


# --- the schedules of docs/operating.md ---


def test_the_time_to_be_late_is_what_the_rule_says() -> None:
    """`listen_seconds` less half a period."""
    pattern = r"^\| an? (hour|day) \| (\d+) \| (?:(\d+) hours )?(\d+) minutes \|"
    rows = re.findall(pattern, read("docs/operating.md"), re.MULTILINE)
    assert len(rows) == 2
    for period, listen, hours, minutes in rows:
        half = {"hour": 3600, "day": 86400}[period] / 2
        assert int(hours or 0) * 3600 + int(minutes) * 60 == int(listen) - half


def test_the_table_of_recipes_is_what_the_simulated_years_give() -> None:
    assert bridge.table() in read("docs/operating.md")


def test_a_bridge_loses_a_twentieth_of_what_one_source_alone_loses() -> None:
    """And two whole sources lose nothing but where both are struck."""
    alone, bridged, both = (bridge.RECIPES[number] for number in (4, 6, 5))
    assert (alone.second, bridged[1:3], both.second) == (None, (86100, 1800), 85800)
    for seed in range(5):
        assert bridge.lost(both, seed) == (0, 0)
        assert bridge.lost(bridged, seed)[0] < bridge.lost(alone, seed)[0] / 20


def test_what_nobody_listens_to_is_counted() -> None:
    """Windows of half a period leave the other half, less nothing and more by as much as starts differ."""
    seconds, holes = bridge.lost(bridge.Recipe(bridge.DAY, bridge.DAY // 2), 0)
    assert holes == 363
    assert abs(seconds / holes - bridge.DAY / 2) < bridge.SLOWEST


# --- what there is in two languages ---

PAGES = [ROOT / "README.md", ROOT / "docs" / "operating.md"]
LONGEST, FEWEST_WORDS, MOST_WORDS = 200, 900, 1200
"""Lines and words of a README: what is longer belongs in docs/."""

SCREEN = 40, 80
"""Lines and columns: what is seen of a README first."""

OF_CHINESE = ".zh-CN"  # in the names of pages and pictures that there are in both languages
KIND = re.compile(r"(?P<heading>#+ )|(?P<row>\s*\|)|(?P<item>\s*(?:-|\d+\.) )|(?P<comment><!--)|(?P<picture>!\[)")
LINK = re.compile(r"!?\[(?:[^\]]*)\]\(([^)\s]+)\)")
NUMBER = re.compile(r"(\d[\d,]*(?:\.\d+)?)(?: ?(million|万))?")
TIMES = {"": 1, "million": 1_000_000, "万": 10_000}


class Part(NamedTuple):
    """A heading, a paragraph, a row, an item, a comment, a picture or a fenced block, in the order of the document."""

    kind: str
    text: str


def kind_of(line: str) -> str:
    found = KIND.match(line)
    return f"{found.lastgroup} {found[0].strip()}" if found else "text"


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
