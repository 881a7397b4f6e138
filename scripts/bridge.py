"""What schedules of two sources cost and lose in a year, on a virtual clock: the table of docs/operating.md.

    python -m scripts.bridge

Airbyte starts a sync at the moment of its schedule or, where the last one is not over, when that has ended. Then its
containers start: 30 seconds to three minutes, and one time in five hundred half an hour. Both sources are struck
independently. Lost is what no window of either listens to.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import NamedTuple

YEAR = 365 * 86400
HOUR, DAY = 3600, 86400
SEEDS = range(20)  # a year each, of which the table has the mean
QUICKEST, SLOWEST = 30.0, 180.0  # seconds that containers take to start
STUCK, STUCK_IN = 1800.0, 500  # seconds now and then, and how manieth start
WRAP_UP = 15.0  # seconds from the end of a window until the sync has ended


class Recipe(NamedTuple):
    """Windows of both sources in seconds; the second starts `phase` seconds after the first. None: one source."""

    period: int
    first: int
    second: int | None = None
    phase: int = 0


RECIPES = (
    Recipe(HOUR, 3540),
    Recipe(HOUR, 3300, 3300, HOUR // 2),
    Recipe(HOUR, 3540, 420, HOUR - 180),
    Recipe(HOUR, 3300, 780, HOUR - 480),
    Recipe(DAY, 86100),
    Recipe(DAY, 85800, 85800, DAY // 2),
    Recipe(DAY, 86100, 1800, DAY - 600),
    Recipe(DAY, 84600, 5400, DAY - 3000),
)


def windows(period: int, listen: int, phase: int, chance: random.Random) -> Iterator[tuple[float, float]]:
    """Yield when one source listens in a year."""
    ended = 0.0
    due = float(phase)
    while due < YEAR:
        starts = max(due, ended)
        delay = STUCK if chance.randrange(STUCK_IN) == 0 else chance.uniform(QUICKEST, SLOWEST)
        yield starts + delay, starts + delay + listen
        ended = starts + delay + listen + WRAP_UP
        # A moment of the schedule that passes while a sync runs is made up for once, when that has ended.
        due += period
        while due + period <= ended:
            due += period


def lost(recipe: Recipe, seed: int) -> tuple[float, int]:
    """Return the seconds of a year in which nobody listens, and in how many pieces, the first two periods aside."""
    listened = list(windows(recipe.period, recipe.first, 0, random.Random(f"{seed} first")))
    if recipe.second is not None:
        listened += windows(recipe.period, recipe.second, recipe.phase, random.Random(f"{seed} second"))
    until, seconds, holes = 2.0 * recipe.period, 0.0, 0
    for since, end in sorted(listened):
        if since > until:
            seconds += since - until
            holes += 1
        until = max(until, end)
    return seconds, holes


def table() -> str:
    """Return the table in Markdown.

    How many rows come twice is a share of all that a first source alone brings. How late each source may start is
    counted from the other: the first until the second ends, the second until the first does.
    """
    lines = [
        "| period | windows, seconds | second starts | rows more | late may be: first, second | lost a year | holes |",
        "|---|---|---|---|---|---|---|",
    ]
    for recipe in RECIPES:
        period, first, second, phase = recipe
        years = [lost(recipe, seed) for seed in SEEDS]
        seconds, holes = (sum(each) / len(years) for each in zip(*years, strict=True))
        both, starts, late = f"{first:,}", "", ""
        if second is not None:
            both += f" + {second:,}"
            starts = f"{phase // 60:,} min later"
            late = f"{(phase + second - period) / 60:.0f} min, {(first - phase) / 60:.0f} min"
        lines.append(
            f"| {'an hour' if period == HOUR else 'a day'} | {both} | {starts} | {(second or 0) / first:.1%} | {late} "
            f"| {_rounded(seconds / 60)} min | {_rounded(holes)} |"
        )
    return "\n".join(lines)


def _rounded(number: float) -> str:
    return f"{number:,.{0 if number > 10 else 1}f}"


if __name__ == "__main__":
    print(table())
