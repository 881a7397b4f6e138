"""Both streams in real warehouses, loaded by PyAirbyte with the code of docs/warehouse.md, asked with its SQL."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from .harness.connector import ROOT, discovered
from .harness.markdown import blocks_of
from .warehouse.databases import COLUMN_TYPES, DUCKDB, POSTGRES, Row, Warehouse, pyairbyte_python
from .warehouse.examples import plain, sql_of
from .warehouse.loading import CHINESE, LEAN, SECOND_PRICES, UPDATES, Loaded, load

pytestmark = pytest.mark.timeout(300)  # the load is part of the first test

OURS = ("received_at_us", "covered_since_us")
"""The fields that do not come from Binance."""


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Loaded]:
    python = pyairbyte_python()
    if not python.exists():
        pytest.skip("PyAirbyte's environment is missing: it needs Python 3.10, 3.11 or 3.12. `make test` sets it up.")
    with load(python, tmp_path_factory.mktemp("warehouse")) as loaded:
        yield loaded


@pytest.fixture(params=[DUCKDB, POSTGRES])
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def warehouse(name: str, loaded: Loaded) -> Warehouse:
    return loaded.warehouses[name]


# --- the rows ---


def test_no_row_is_lost_or_twice(warehouse: Warehouse, loaded: Loaded) -> None:
    """Two syncs are two unbroken parts of what the exchange pushed, each whole, the second appended to the first."""
    rows = warehouse.query("SELECT symbol, u FROM book_tickers")
    position = {update: at for at, update in enumerate(loaded.pushed)}
    assert not [update for update, copies in Counter(rows).items() if copies > 1]
    positions = sorted(position[symbol, u] for symbol, u in rows)

    parts = _unbroken(positions)

    assert [last - first + 1 for first, last in parts] == [UPDATES, UPDATES]


def test_every_value_is_as_it_was_sent(warehouse: Warehouse, loaded: Loaded) -> None:
    """Digits that only text keeps, ids near the end of int64, a Chinese symbol, and null where a key was missing."""
    columns = [name for name in discovered()["book_tickers"]["json_schema"]["properties"] if name not in OURS]
    found = warehouse.query(f"SELECT {', '.join(columns)} FROM book_tickers WHERE symbol IN ('{CHINESE}', '{LEAN}')")

    records = [dict(zip(columns, row, strict=True)) for row in found]

    assert {record["symbol"] for record in records} == {CHINESE, LEAN}
    assert [record for record in records if record != loaded.own[record["symbol"], record["u"]]] == []


def test_prices_are_those_of_the_second_sync(warehouse: Warehouse) -> None:
    """Replaced: a symbol that is no longer listed is gone."""
    rows = warehouse.query("SELECT symbol, price, time FROM symbol_prices")

    assert sorted(rows) == sorted((symbol, price, time) for symbol, (price, time) in SECOND_PRICES.items())


@pytest.mark.parametrize("stream", ["book_tickers", "symbol_prices"])
def test_columns_are_as_declared(name: str, warehouse: Warehouse, stream: str) -> None:
    properties: dict[str, Any] = discovered()[stream]["json_schema"]["properties"]
    found = warehouse.query(
        f"SELECT column_name, data_type FROM information_schema.columns WHERE table_name = '{stream}'"
    )

    columns = {column: kind for column, kind in found if not column.startswith("_airbyte_")}

    assert columns == {column: COLUMN_TYPES[name][part["type"][1]] for column, part in properties.items()}


# --- the SQL of the docs, over what was loaded ---


def test_sql_runs_over_what_was_loaded(warehouse: Warehouse) -> None:
    """Over the loaded tables themselves, against the same sums in Python. test_sql.py has rows made by hand."""
    for view in ("quotes", "coverage"):
        warehouse.query(sql_of(view))
    rows = warehouse.query("SELECT symbol, u, event_time, best_bid_price, best_ask_price FROM book_tickers ORDER BY u")
    of_symbol: dict[str, list[Row]] = {}
    for row in rows:
        of_symbol.setdefault(row[0], []).append(row)

    bars = plain(warehouse.query(sql_of("bars")))
    latest = {row[0]: row for row in warehouse.query(sql_of("latest_book"))}

    assert len(of_symbol) > 30
    assert sum(bar[6] for bar in bars) == len(rows)
    assert latest.keys() == of_symbol.keys()
    for symbol, updates in of_symbol.items():
        mids = [(Decimal(bid) + Decimal(ask)) / 2 for *_, bid, ask in updates]
        _, _, opens, highs, lows, closes, *_ = zip(*[bar for bar in bars if bar[0] == symbol and bar[6]], strict=True)
        assert (latest[symbol][1], latest[symbol][3]) == updates[-1][3:]
        if symbol == CHINESE:  # its ask has the quantity 0
            assert {*opens, *highs, *lows, *closes} == {None}
            continue
        assert abs(Decimal(opens[0]) - mids[0]) < Decimal("1e-9")
        assert abs(max(map(Decimal, highs)) - max(mids)) < Decimal("1e-9")
        assert abs(min(map(Decimal, lows)) - min(mids)) < Decimal("1e-9")
        assert abs(Decimal(closes[-1]) - mids[-1]) < Decimal("1e-9")
    assert warehouse.query(sql_of("duplicates")) == []


def test_the_blocks_of_the_page_run_in_order(loaded: Loaded) -> None:
    """docs/warehouse.md from its first line on, pasted into one DuckDB file: each query finds what it needs."""
    found = {
        block.name: loaded.warehouses[DUCKDB].query(block.code)
        for block in blocks_of(ROOT / "docs" / "warehouse.md")
        if block.language == "sql" and "windows/" not in block.code  # what a chain has written: test_chain.py
    }

    assert len(found) == 8
    assert sum(bool(rows) for rows in found.values()) >= 3, "spread, bars and the newest book"


def _unbroken(positions: list[int]) -> list[tuple[int, int]]:
    """The first and last of each run of whole numbers without a gap."""
    parts: list[tuple[int, int]] = []
    for position in positions:
        if parts and position == parts[-1][1] + 1:
            parts[-1] = (parts[-1][0], position)
        else:
            parts.append((position, position))
    return parts
