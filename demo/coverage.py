"""What the rows of this run vouch for: the stretches of each contract, and the hole between the two syncs."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.table import Table

from .warehouse import Warehouse

VIEW = Path(__file__).resolve().parent.parent / "docs" / "sql" / "coverage.sql"
STRETCHES = """
    SELECT symbol, since_us, until_us FROM main.coverage
    WHERE since_us >= {began_us}
    ORDER BY symbol, since_us
"""
SYMBOLS_SHOWN = 6
CELLS = 44  # of the drawing, so that the table fits into 80 columns
COVERED, HOLE = "━", "·"


class Stretch(NamedTuple):
    """Microseconds since 1970, UTC: in between nothing of a contract is missing."""

    since_us: int
    until_us: int


def show_coverage(console: Console, warehouse: Warehouse, began_us: int, between_us: int) -> None:
    """A line of time for each contract.

    `began_us` is when this run began, as a file of Binance's holds older rows too; `between_us` a moment when the
    first sync had ended and the second one had not begun.
    """
    warehouse.execute(VIEW.read_text(encoding="utf-8"))
    of_symbol: dict[str, list[Stretch]] = {}
    for row in warehouse.query(STRETCHES.format(began_us=began_us)):
        of_symbol.setdefault(row["symbol"], []).append(Stretch(row["since_us"], row["until_us"]))
    if not of_symbol:
        console.print("No contract was followed long enough for its rows to vouch for anything.\n")
        return
    console.print(drawing(of_symbol, between_us))
    more = len(of_symbol) - SYMBOLS_SHOWN
    console.print(f"… and {more:,} more" if more > 0 else "")
    console.print(in_words([hole_at(stretches, between_us) for stretches in of_symbol.values()]) + "\n")


def drawing(of_symbol: dict[str, list[Stretch]], between_us: int) -> Table:
    """The first contracts; those who want all of them ask the view."""
    begin, end = span(of_symbol)
    title = f"Coverage by docs/sql/coverage.sql, {(end - begin) / 1e6:.0f} seconds"
    table = Table(
        "symbol",
        f"{COVERED} nothing is missing   {HOLE} not covered",
        title=title,
        title_justify="left",
        box=None,
        pad_edge=False,
    )
    table.add_column("hole", justify="right")
    for symbol, stretches in list(of_symbol.items())[:SYMBOLS_SHOWN]:
        length = hole_at(stretches, between_us)
        table.add_row(symbol, drawn(stretches, begin, end), "" if length is None else f"{length:.1f} s")
    return table


def span(of_symbol: dict[str, list[Stretch]]) -> tuple[int, int]:
    """From the first moment that is covered of any contract to the last."""
    stretches = [stretch for of_one in of_symbol.values() for stretch in of_one]
    return min(stretch.since_us for stretch in stretches), max(stretch.until_us for stretch in stretches)


def hole_at(stretches: list[Stretch], moment_us: int) -> float | None:
    """How many seconds the hole around a moment lasts; None if there is no stretch before it, or none after it."""
    before = [stretch.until_us for stretch in stretches if stretch.until_us <= moment_us]
    after = [stretch.since_us for stretch in stretches if stretch.since_us >= moment_us]
    return (min(after) - max(before)) / 1e6 if before and after else None


def drawn(stretches: list[Stretch], begin: int, end: int) -> str:
    """A line of `CELLS` cells; a cell counts as covered where all of it is.

    >>> drawn([Stretch(0, 20), Stretch(35, 44)], 0, 44)
    '━━━━━━━━━━━━━━━━━━━━···············━━━━━━━━━'
    """
    cell = max(end - begin, 1) / CELLS
    line = ""
    for number in range(CELLS):
        since, until = begin + number * cell, begin + (number + 1) * cell
        line += COVERED if any(s.since_us <= since and until <= s.until_us for s in stretches) else HOLE
    return line


def in_words(holes: list[float | None]) -> str:
    """What the hole between the syncs means."""
    lengths = [length for length in holes if length is not None]
    if not lengths:
        return "No contract was covered by both syncs."
    return (
        f"The hole between the syncs: {min(lengths):.1f} to {max(lengths):.1f} seconds, by contract. What was\n"
        "pushed then is gone, and the rows say so. Two sources with windows half a window\n"
        "apart have no hole in common: docs/operating.md."
    )
