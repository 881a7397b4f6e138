"""Tables for a terminal of 80 columns: no box, nothing wrapped, nothing cut."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timezone
from typing import NamedTuple

from rich.console import Console
from rich.measure import Measurement
from rich.table import Table

DAY = 86_400_000  # milliseconds
WIDEST = 1000  # columns, for what is not to be squeezed while it is measured


class Column(NamedTuple):
    """One column. Where the terminal is too narrow for all, those with the highest `spare` are left out; 0 stays."""

    heading: str
    cells: Sequence[str]
    spare: int = 0
    left: bool = False


def show(console: Console, title: str, columns: Sequence[Column]) -> None:
    """Print as many of the columns as fit; a symbol and two prices need 55 columns at the most."""
    shown = list(columns)
    while True:
        table = _table(title, shown)
        natural = Measurement.get(console, console.options.update(width=WIDEST), table).maximum
        least = max(shown, key=lambda column: column.spare)
        if natural <= console.width or not least.spare:
            break
        shown.remove(least)
    console.print(table)


def _table(title: str, columns: Sequence[Column]) -> Table:
    table = Table(title=title or None, title_justify="left", box=None, pad_edge=False)
    for column in columns:
        table.add_column(column.heading, justify="left" if column.left else "right", no_wrap=True)
    for row in zip(*(column.cells for column in columns), strict=True):
        table.add_row(*row)
    return table


def moment(milliseconds: int | None, newest: int) -> str:
    """The time of day, UTC; the date alone where it is long before `newest`: that contract no longer trades."""
    if milliseconds is None:
        return ""
    at = datetime.fromtimestamp(milliseconds / 1000, timezone.utc)
    return at.strftime("%H:%M:%S.%f")[:-3] if newest - milliseconds < DAY else at.strftime("%Y-%m-%d")
