"""What was found: lines for a terminal, a page for an issue, a file for a program. Pure."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Any

from ..binance.text import utc
from .expectations import Judged, Verdict
from .stats import Stats

COLUMNS = 80
MARK = "!"
WORDS = {Verdict.HOLDS: "holds", Verdict.UNSEEN: "unseen", Verdict.DIFFERS: "differs"}
INDENT = " " * 10
DOCUMENTATION = "https://developers.binance.com/en/docs/products/derivatives-trading-"
PAGES = (
    f"[COIN-M streams]({DOCUMENTATION}coin-futures/websocket-market-streams/Connect), "
    f"[USDⓈ-M streams]({DOCUMENTATION}usds-futures/websocket-market-streams/Connect), "
    f"[WebSocket API]({DOCUMENTATION}usds-futures/websocket-api-general-info)"
)


def table(judged: Sequence[Judged]) -> str:
    """Write each expectation with what was seen below it, in 80 columns; what differs comes last, nearest to the eye.

    `!` marks a difference on which a promise depends.
    """
    lines = []
    for verdict, word in WORDS.items():
        for each in judged:
            if each.verdict is verdict:
                first = f"{MARK if each.matters else ' '} {word:<8}"
                lines += textwrap.wrap(each.expectation.says, COLUMNS, initial_indent=first, subsequent_indent=INDENT)
                lines += textwrap.wrap(
                    each.seen, COLUMNS, initial_indent=f"{INDENT}  ", subsequent_indent=f"{INDENT}  "
                )
    return "\n".join(lines)


def summary(judged: Sequence[Judged]) -> str:
    """Say how many hold, and what the differences that matter put at risk."""
    count = {verdict: sum(each.verdict is verdict for each in judged) for verdict in Verdict}
    lines = [
        f"Of {len(judged)} expectations {count[Verdict.HOLDS]} hold, {count[Verdict.DIFFERS]} differ, and "
        f"{count[Verdict.UNSEEN]} could not be seen."
    ]
    at_risk = [f"{MARK} {each.expectation.name}: {each.expectation.promise}" for each in judged if each.matters]
    return "\n".join([*lines, *(["A promise of this connector hangs on these:"] if at_risk else []), *at_risk])


def markdown(stats: Stats, judged: Sequence[Judged], version: str) -> str:
    """Write a page that can be pasted into an issue."""
    lines = [
        "# The exchange itself, asked",
        "",
        f"Environment `{stats['environment']}`, {utc(stats['started_ms'] / 1000, 'seconds')}, listened for "
        f"{stats['seconds']:.0f} seconds{', stopped early' if stats['stopped_early'] else ''}, {stats['connections']} "
        f"connections, connector {version}. Binance's documentation: {PAGES}.",
        "",
        *(f"- {line}" if line.startswith(MARK) else f"{line}\n" for line in summary(judged).split("\n")),
        "",
        "| | expectation | seen | verdict |",
        "|---|---|---|---|",
    ]
    for each in judged:
        verdict = each.verdict.value
        bold = f"**{verdict}**" if each.verdict is Verdict.DIFFERS else verdict
        cells = (f"**{MARK}**" if each.matters else "", each.expectation.says, each.seen, bold)
        lines.append("| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def document(stats: Stats, judged: Sequence[Judged], version: str) -> dict[str, Any]:
    """Return all of it for a program: the verdicts, and the counters that they rest on."""
    return {
        "connector": version,
        "started": utc(stats["started_ms"] / 1000, "seconds"),
        "expectations": [
            {
                "name": each.expectation.name,
                "expectation": each.expectation.says,
                "seen": each.seen,
                "verdict": each.verdict.value,
                "matters": each.matters,
                "promise": each.expectation.promise,
                "minutes": each.expectation.minutes,
            }
            for each in judged
        ],
        "stats": stats,
    }
