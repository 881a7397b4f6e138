"""What a person wants to see of the two tables."""

from __future__ import annotations

from datetime import datetime, timezone
from decimal import Decimal
from typing import NamedTuple

from rich.console import Console
from rich.table import Table

from .warehouse import Warehouse

SYMBOLS_SHOWN = 12
PRICES_SHOWN = 8

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
    table = Table("stream", *(f"rows after sync {number}" for number, _ in enumerate(syncs, 1)), "how it is loaded")
    tickers = [f"{rows.book_tickers:,}" for rows in syncs]
    prices = [f"{rows.symbol_prices:,}" for rows in syncs]
    table.add_row("book_tickers", *tickers, "appended, from where the state of the last sync ends")
    table.add_row("symbol_prices", *prices, "overwritten by each sync")
    console.print(table)
    new = syncs[-1].book_tickers - syncs[-2].book_tickers
    console.print(
        f"The second sync began with the state of the first: {new:,} new updates, "
        f"{syncs[-1].twice:,} of all {syncs[-1].book_tickers:,} there twice by (symbol, u).\n"
    )


def show_top_of_book(console: Console, warehouse: Warehouse) -> None:
    rows = warehouse.query(TOP_OF_BOOK)
    table = Table(title=f"Top of book, {len(rows)} symbols", title_justify="left")
    for heading in ("symbol", "bid qty", "bid", "ask", "ask qty", "spread", "bps", "updates", "UTC"):
        table.add_column(heading, justify="left" if heading == "symbol" else "right")
    for row in rows[:SYMBOLS_SHOWN]:
        bid, ask = Decimal(row["best_bid_price"]), Decimal(row["best_ask_price"])
        table.add_row(
            row["symbol"],
            row["best_bid_qty"],
            row["best_bid_price"],
            row["best_ask_price"],
            row["best_ask_qty"],
            f"{ask - bid:f}",
            f"{(ask - bid) / (ask + bid) * 20_000:.2f}" if ask + bid else "",
            f"{row['updates']:,}",
            _utc(row["event_time"]),
        )
    console.print(table)
    _and_more(console, len(rows) - SYMBOLS_SHOWN)


def show_latest_prices(console: Console, warehouse: Warehouse) -> None:
    rows = warehouse.query(LATEST_PRICES)
    table = Table(title=f"Latest prices, {len(rows)} symbols", title_justify="left")
    for heading in ("symbol", "price", "UTC"):
        table.add_column(heading, justify="left" if heading == "symbol" else "right")
    for row in rows[:PRICES_SHOWN]:
        table.add_row(row["symbol"], row["price"], _utc(row["time"]))
    console.print(table)
    _and_more(console, len(rows) - PRICES_SHOWN)


def _and_more(console: Console, count: int) -> None:
    console.print(f"… and {count:,} more\n" if count > 0 else "")


def _utc(milliseconds: int | None) -> str:
    """With the date: the price of a contract that no longer trades can be months old."""
    if milliseconds is None:
        return ""
    return datetime.fromtimestamp(milliseconds / 1000, timezone.utc).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
