"""The throughput figures as one bar chart: whole reads only, on one scale."""

from __future__ import annotations

from collections.abc import Mapping
from xml.sax.saxutils import escape

from .figures import BOUND, BY_SMALL_RECORDS, BY_TLS, RATES, WHOLE

WIDTH, LABELS, VALUES, ROW, TOP = 760, 250, 70, 34, 44
OURS = (WHOLE, BY_TLS, BY_SMALL_RECORDS)
STYLE = """
text { font: 13px system-ui, sans-serif; fill: #24292f }
.title { font-weight: 600; font-size: 15px }
.ours { fill: #2f6feb } .others { fill: #8c959f }
@media (prefers-color-scheme: dark) { text { fill: #e6edf3 } .ours { fill: #58a6ff } .others { fill: #6e7681 } }
"""


def draw(medians: Mapping[str, float]) -> str:
    """An SVG of the rates in updates a second: each label beside its bar, each value behind it."""
    longest = max(medians[name] for name in RATES)
    room = WIDTH - LABELS - VALUES
    rows = []
    for position, name in enumerate(RATES):
        middle = TOP + position * ROW + ROW / 2
        length = room * medians[name] / longest
        kind = "ours" if name in OURS else "others"
        rows += [
            f'<text x="{LABELS - 10}" y="{middle + 4:.0f}" text-anchor="end">{escape(name)}</text>',
            f'<rect class="{kind}" x="{LABELS}" y="{middle - 10:.0f}" width="{length:.0f}" height="20" rx="3"/>',
            f'<text x="{LABELS + length + 8:.0f}" y="{middle + 4:.0f}">{medians[name]:,.0f}</text>',
        ]
    height = TOP + len(RATES) * ROW + 12
    title = f'<text class="title" x="{LABELS}" y="26">Updates a second, from end to end, medians of one run</text>'
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img">',
            f"<title>Whole reads of the connector beside {escape(BOUND)} and other sources</title>",
            f"<style>{STYLE}</style>",
            title,
            *rows,
            "</svg>\n",
        ]
    )
