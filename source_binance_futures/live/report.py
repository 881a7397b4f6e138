"""What was found, as a table for a terminal, a page for an issue and a file for a program. Pure."""

from __future__ import annotations

import dataclasses
import textwrap
from collections.abc import Sequence
from typing import Any

from ..binance.text import utc
from .belief import Judged, Verdict
from .facts import Facts

WIDTHS = (1, 37, 6, 35, 17)  # mark, belief, where it stands, seen, verdict: 100 columns with the spaces between
TITLES = ("", "Belief", "Stands", "Seen", "")
MARK = "!"
SOURCE = "binance-facts"


def table(judged: Sequence[Judged]) -> str:
    """One row for each belief, wrapped to 100 columns; `!` marks a difference on which a promise hangs."""
    rows = [TITLES, tuple("-" * width for width in WIDTHS)]
    lines = [_line(row) for row in rows]
    for each in judged:
        cells = (
            MARK if each.matters else "",
            each.belief.says,
            each.belief.stands,
            each.finding.seen,
            each.finding.verdict.value,
        )
        wrapped = [textwrap.wrap(cell, width) or [""] for cell, width in zip(cells, WIDTHS, strict=True)]
        height = max(map(len, wrapped))
        lines += [
            _line([column[number] if number < len(column) else "" for column in wrapped]) for number in range(height)
        ]
    return "\n".join(lines)


def summary(judged: Sequence[Judged]) -> str:
    """How many hold, and what the differences that matter put at risk."""
    counts = {verdict: sum(each.finding.verdict is verdict for each in judged) for verdict in Verdict}
    lines = [
        f"Of {len(judged)} beliefs {counts[Verdict.HOLDS]} hold, {counts[Verdict.DIFFERS]} differ, and "
        f"{counts[Verdict.UNSEEN]} could not be seen."
    ]
    at_risk = [each for each in judged if each.matters]
    if at_risk:
        lines.append("A promise of this connector hangs on these:")
        lines += [f"{MARK} {each.belief.name}: {each.belief.promise}" for each in at_risk]
    return "\n".join(lines)


def markdown(facts: Facts, judged: Sequence[Judged], version: str) -> str:
    """A page that can be pasted into an issue."""
    lines = [
        "# The exchange itself, asked",
        "",
        f"Environment `{facts.environment}`, {utc(facts.started_ms / 1000, 'seconds')}, listened for "
        f"{facts.seconds:.0f} seconds{', stopped early' if facts.stopped_early else ''}, {facts.connections} "
        f"connections, connector {version}. Sections are those of `{SOURCE}`.",
        "",
        *(f"- {line}" if line.startswith(MARK) else f"{line}\n" for line in summary(judged).split("\n")),
        "",
        "| | belief | stands | seen | verdict |",
        "|---|---|---|---|---|",
    ]
    for each in judged:
        mark = f"**{MARK}**" if each.matters else ""
        verdict = each.finding.verdict.value
        verdict = f"**{verdict}**" if each.finding.verdict is Verdict.DIFFERS else verdict
        cells = (mark, each.belief.says, each.belief.stands, each.finding.seen, verdict)
        lines.append("| " + " | ".join(map(_cell, cells)) + " |")
    return "\n".join(lines) + "\n"


def document(facts: Facts, judged: Sequence[Judged], version: str) -> dict[str, Any]:
    """All of it for a program: the verdicts, and the facts that they rest on."""
    return {
        "connector": version,
        "started": utc(facts.started_ms / 1000, "seconds"),
        "beliefs": [
            {
                "name": each.belief.name,
                "belief": each.belief.says,
                "stands": f"{SOURCE} {each.belief.stands}",
                "seen": each.finding.seen,
                "verdict": each.finding.verdict.value,
                "matters": each.matters,
                "promise": each.belief.promise,
            }
            for each in judged
        ],
        "facts": dataclasses.asdict(facts),
    }


def _line(cells: Sequence[str]) -> str:
    return " ".join(cell.ljust(width) for cell, width in zip(cells, WIDTHS, strict=True)).rstrip()


def _cell(text: str) -> str:
    """A `|` would end the cell, and what an exchange sends may hold one."""
    return text.replace("|", "\\|").replace("\n", " ")
