"""What a person wants to see of the two tables, in tables for a terminal of 80 columns: no box, nothing wrapped or cut.

Also what the rows of this run cover: the covered intervals of each contract, and the hole between two syncs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Console
from rich.measure import Measurement
from rich.table import Table

from .warehouse import Warehouse

SYMBOLS_SHOWN = 6
PRICES_SHOWN = 5
DAY = 86_400_000  # milliseconds
WIDEST = 1000  # columns, for what is not to be squeezed while it is measured
CELLS = 44  # of the drawing of coverage, so that its table fits into 80 columns
COVERED, HOLE = "━", "·"
Interval = tuple[int, int]
"""Microseconds since 1970, UTC: in between nothing of a contract is missing."""

TOP_OF_BOOK = """
    SELECT symbol, best_bid_qty, best_bid_price, best_ask_price, best_ask_qty, event_time,
           count(*) OVER (PARTITION BY symbol) AS updates
    FROM main.book_tickers
    QUALIFY row_number() OVER (PARTITION BY symbol ORDER BY u DESC) = 1
    ORDER BY updates DESC, symbol
"""
LATEST_PRICES = """
    SELECT symbol, price, time FROM main.symbol_prices
    ORDER BY time < (SELECT max(time) FROM main.symbol_prices) - 86400000, CAST(price AS DOUBLE) DESC, symbol
"""
ROWS = """
    SELECT (SELECT count(*) FROM main.book_tickers) AS book_tickers,
           (SELECT count(*) FROM main.symbol_prices) AS symbol_prices,
           (SELECT count(*) - count(DISTINCT (symbol, u)) FROM main.book_tickers) AS twice
"""
COVERAGE_VIEW = Path(__file__).resolve().parent.parent / "docs" / "sql" / "coverage.sql"
COVERED_INTERVALS = """
    SELECT symbol, since_us, until_us FROM main.coverage
    WHERE since_us >= {began_us}
    ORDER BY symbol, since_us
"""


def show_rows(console: Console, syncs: list[dict[str, int]]) -> None:
    """The numbers of rows after each sync, by `ROWS`."""
    columns = [Column("rows", ["book_tickers", "symbol_prices"], left=True)]
    for number, rows in enumerate(syncs, 1):
        columns.append(Column(f"sync {number}", [f"{rows['book_tickers']:,}", f"{rows['symbol_prices']:,}"]))
    how = ["appended: sync 2 goes on where sync 1 ended", "overwritten by each sync"]
    show(console, "", [*columns, Column("how they are loaded", how, left=True)])
    before, after = syncs[-2:]
    new = after["book_tickers"] - before["book_tickers"]
    console.print(
        f"Sync 2 brought {new:,} new updates; of all {after['book_tickers']:,} {after['twice']:,} are there twice.\n"
    )


def show_top_of_book(console: Console, warehouse: Warehouse) -> None:
    rows = [
        {
            **row,
            "bps": _basis_points(row["best_bid_price"], row["best_ask_price"]),
            "updates": f"{row['updates']:,}",
            "time": row["event_time"],
        }
        for row in warehouse.query(TOP_OF_BOOK)
    ]
    columns = {
        "bid qty": ("best_bid_qty", 1),
        "bid": ("best_bid_price", 0),
        "ask": ("best_ask_price", 0),
        "ask qty": ("best_ask_qty", 2),
        "bps": ("bps", 3),
        "updates": ("updates", 5),
    }
    _show_symbols(console, "Top of the book", rows, SYMBOLS_SHOWN, columns, spare_time=4)


def show_latest_prices(console: Console, warehouse: Warehouse) -> None:
    rows = warehouse.query(LATEST_PRICES)
    _show_symbols(console, "Latest prices", rows, PRICES_SHOWN, {"price": ("price", 0)}, spare_time=1)


def _show_symbols(
    console: Console,
    title: str,
    rows: Sequence[Mapping[str, Any]],
    most: int,
    columns: Mapping[str, tuple[str, int]],
    *,
    spare_time: int,
) -> None:
    """Show the first rows, with their symbol and time. `columns`: of each heading the key in a row, and `spare`."""
    shown = rows[:most]
    newest = max((row["time"] or 0 for row in rows), default=0)
    show(
        console,
        f"{title}, {len(rows):,} symbols",
        [
            Column("symbol", [row["symbol"] for row in shown], left=True),
            *(Column(name, [row[key] or "" for row in shown], spare) for name, (key, spare) in columns.items()),
            Column("UTC", [moment(row["time"], newest) for row in shown], spare_time),
        ],
    )
    more = len(rows) - most
    console.print(f"… and {more:,} more\n" if more > 0 else "")


def _basis_points(bid: str | None, ask: str | None) -> str:
    """The spread; empty where the book has one side only."""
    if not bid or not ask or not Decimal(bid) or not Decimal(ask):
        return ""
    return f"{(Decimal(ask) - Decimal(bid)) / (Decimal(ask) + Decimal(bid)) * 20_000:.2f}"


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


def show_coverage(console: Console, warehouse: Warehouse, began_us: int, between_us: int, chain_us: int) -> None:
    """A line of time for each contract.

    `began_us` is when this run began, as a file of Binance's holds older rows too; `between_us` and `chain_us` are
    moments when the first and the second sync had ended, and what follows had not begun.
    """
    warehouse.execute(COVERAGE_VIEW.read_text(encoding="utf-8"))
    of_symbol: dict[str, list[Interval]] = {}
    for row in warehouse.query(COVERED_INTERVALS.format(began_us=began_us)):
        of_symbol.setdefault(row["symbol"], []).append((row["since_us"], row["until_us"]))
    if not of_symbol:
        console.print("No contract was followed long enough for its rows to cover anything.\n")
        return
    console.print(drawing(of_symbol, between_us))
    more = len(of_symbol) - SYMBOLS_SHOWN
    console.print(f"… and {more:,} more" if more > 0 else "")
    chained = [[interval for interval in each if interval[0] >= chain_us] for each in of_symbol.values()]
    console.print(in_words([hole_at(each, between_us) for each in of_symbol.values()], chained) + "\n")


def drawing(of_symbol: dict[str, list[Interval]], between_us: int) -> Table:
    """The first contracts; those who want all of them ask the view."""
    intervals = [interval for of_one in of_symbol.values() for interval in of_one]
    begin, end = min(since for since, _ in intervals), max(until for _, until in intervals)
    shown = dict(list(of_symbol.items())[:SYMBOLS_SHOWN])
    holes = [hole_at(of_one, between_us) for of_one in shown.values()]
    return _table(
        f"Coverage by docs/sql/coverage.sql, {(end - begin) / 1e6:.0f} seconds",
        [
            Column("symbol", list(shown), left=True),
            Column(
                f"{COVERED} nothing is missing   {HOLE} not covered",
                [drawn(of_one, begin, end) for of_one in shown.values()],
                left=True,
            ),
            Column("hole", ["" if length is None else f"{length:.1f} s" for length in holes]),
        ],
    )


def hole_at(intervals: list[Interval], moment_us: int) -> float | None:
    """How many seconds the hole around a moment lasts; None if there is no interval before it, or none after it."""
    before = [until for _, until in intervals if until <= moment_us]
    after = [since for since, _ in intervals if since >= moment_us]
    return (min(after) - max(before)) / 1e6 if before and after else None


def drawn(intervals: list[Interval], begin: int, end: int) -> str:
    """A line of `CELLS` cells; a cell counts as covered where all of it is.

    >>> drawn([(0, 20), (35, 44)], 0, 44)
    '━━━━━━━━━━━━━━━━━━━━···············━━━━━━━━━'
    """
    cell = max(end - begin, 1) / CELLS
    edges = [begin + number * cell for number in range(CELLS + 1)]
    return "".join(
        COVERED if any(since <= left and right <= until for since, until in intervals) else HOLE
        for left, right in pairwise(edges)
    )


def in_words(holes: list[float | None], chained: list[list[Interval]]) -> str:
    """What the holes between the syncs mean, and that the chain has none."""
    lengths = [length for length in holes if length is not None]
    followed = [intervals for intervals in chained if intervals]
    whole = sum(len(intervals) == 1 for intervals in followed)
    between = f"{min(lengths):.1f} to {max(lengths):.1f} seconds, by contract" if lengths else "not covered by both"
    return (
        f"The hole between the two syncs: {between}. What was\n"
        f"pushed then is gone, and the rows say so. The chain after them has no hole in\n"
        f"{whole} of {len(followed)} contracts: its second window began before the first one ended."
    )
