"""What a person wants to see of the two tables."""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple

from rich.console import Console

from .tables import Column, moment, show
from .warehouse import Warehouse

SYMBOLS_SHOWN = 6
PRICES_SHOWN = 5

TOP_OF_BOOK = """
    SELECT symbol, best_bid_qty, best_bid_price, best_ask_price, best_ask_qty, event_time,
           count(*) OVER (PARTITION BY symbol) AS updates
    FROM main.book_tickers
    QUALIFY row_number() OVER (PARTITION BY symbol ORDER BY u DESC) = 1
    ORDER BY updates DESC, symbol
"""
LATEST_PRICES = "SELECT symbol, price, time FROM main.symbol_prices ORDER BY CAST(price AS DOUBLE) DESC, symbol"
ROWS = """
    SELECT (SELECT count(*) FROM main.book_tickers) AS book_tickers,
           (SELECT count(*) FROM main.symbol_prices) AS symbol_prices,
           (SELECT count(*) - count(DISTINCT (symbol, u)) FROM main.book_tickers) AS twice
"""


class Rows(NamedTuple):
    book_tickers: int
    symbol_prices: int
    twice: int

    @classmethod
    def of(cls, warehouse: Warehouse) -> Rows:
        (row,) = warehouse.query(ROWS)
        return cls(**row)


def show_rows(console: Console, syncs: list[Rows]) -> None:
    columns = [Column("rows", ["book_tickers", "symbol_prices"], left=True)]
    for number, rows in enumerate(syncs, 1):
        columns.append(Column(f"sync {number}", [f"{rows.book_tickers:,}", f"{rows.symbol_prices:,}"]))
    how = ["appended: sync 2 goes on where sync 1 ended", "overwritten by each sync"]
    show(console, "", [*columns, Column("how they are loaded", how, left=True)])
    new = syncs[-1].book_tickers - syncs[-2].book_tickers
    console.print(
        f"Sync 2 brought {new:,} new updates; of all {syncs[-1].book_tickers:,}, "
        f"{syncs[-1].twice:,} are there twice by (symbol, u).\n"
    )


def show_top_of_book(console: Console, warehouse: Warehouse) -> None:
    rows = warehouse.query(TOP_OF_BOOK)
    shown = rows[:SYMBOLS_SHOWN]
    newest = max((row["event_time"] or 0 for row in rows), default=0)
    show(
        console,
        f"Top of the book, {len(rows):,} symbols",
        [
            Column("symbol", [row["symbol"] for row in shown], left=True),
            Column("bid qty", [row["best_bid_qty"] or "" for row in shown], spare=1),
            Column("bid", [row["best_bid_price"] or "" for row in shown]),
            Column("ask", [row["best_ask_price"] or "" for row in shown]),
            Column("ask qty", [row["best_ask_qty"] or "" for row in shown], spare=2),
            Column("bps", [_basis_points(row["best_bid_price"], row["best_ask_price"]) for row in shown], spare=3),
            Column("updates", [f"{row['updates']:,}" for row in shown], spare=5),
            Column("UTC", [moment(row["event_time"], newest) for row in shown], spare=4),
        ],
    )
    _and_more(console, len(rows) - SYMBOLS_SHOWN)


def show_latest_prices(console: Console, warehouse: Warehouse) -> None:
    rows = warehouse.query(LATEST_PRICES)
    shown = rows[:PRICES_SHOWN]
    newest = max((row["time"] or 0 for row in rows), default=0)
    show(
        console,
        f"Latest prices, {len(rows):,} symbols",
        [
            Column("symbol", [row["symbol"] for row in shown], left=True),
            Column("price", [row["price"] or "" for row in shown]),
            Column("UTC", [moment(row["time"], newest) for row in shown], spare=1),
        ],
    )
    _and_more(console, len(rows) - PRICES_SHOWN)


def _basis_points(bid: str | None, ask: str | None) -> str:
    """The spread; empty where the book has one side only."""
    if not bid or not ask or not Decimal(bid) or not Decimal(ask):
        return ""
    return f"{(Decimal(ask) - Decimal(bid)) / (Decimal(ask) + Decimal(bid)) * 20_000:.2f}"


def _and_more(console: Console, count: int) -> None:
    console.print(f"… and {count:,} more\n" if count > 0 else "")
