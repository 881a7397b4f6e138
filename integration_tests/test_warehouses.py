"""Both streams in real warehouses, loaded by PyAirbyte with the code of docs/warehouse.md, asked with its SQL."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from .harness.connector import ROOT, discovered
from .warehouse.databases import Row, Warehouse
from .warehouse.loading import CHINESE, DUCKDB, LEAN, LISTEN_SECONDS, POSTGRES, RATE, SECOND_PRICES, Loaded, load

SQL = ROOT / "docs" / "sql"
COLUMN_TYPES = {
    DUCKDB: {"string": "VARCHAR", "integer": "BIGINT"},
    POSTGRES: {"string": "character varying", "integer": "bigint"},
}


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Loaded]:
    python = Path(os.environ.get("PYAIRBYTE_PYTHON", ROOT / ".venv-pyairbyte" / "bin" / "python"))
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
    """Two syncs are two stretches of what the exchange pushed, each whole, the second appended to the first."""
    rows = warehouse.query("SELECT symbol, u FROM book_tickers")
    position = {update: at for at, update in enumerate(loaded.pushed)}
    assert not [update for update, copies in Counter(rows).items() if copies > 1]
    positions = sorted(position[symbol, u] for symbol, u in rows)

    stretches = _stretches(positions)

    assert len(stretches) == 2
    for first, last in stretches:
        assert last - first > RATE * LISTEN_SECONDS * 0.5


def test_every_value_is_as_it_was_sent(warehouse: Warehouse, loaded: Loaded) -> None:
    """Digits that only text keeps, ids near the end of int64, a Chinese symbol, and null where a key was missing."""
    columns = list(discovered()["book_tickers"]["json_schema"]["properties"])
    found = warehouse.query(f"SELECT {', '.join(columns)} FROM book_tickers WHERE symbol IN ('{CHINESE}', '{LEAN}')")

    records = [dict(zip(columns, row, strict=True)) for row in found]

    assert len(records) > 20
    assert min(record.pop("received_at_us") for record in records) > 1_700_000_000_000_000
    assert {record.pop("covered_since_us") for record in records} == {None}, "nothing is promised of samples"
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


# --- the SQL of the docs ---

BOOKS = [
    # symbol, u, event time, bid, ask
    ("BTCUSD_PERP", 10, 60_000, "100.0", "100.2"),
    ("BTCUSD_PERP", 12, 60_500, "100.4", "100.8"),
    ("BTCUSD_PERP", 11, 60_400, "99.8", "100.0"),
    ("BTCUSD_PERP", 15, 120_000, "100.10", "100.20"),
    ("币安人生USDT", 13, 59_999, "0.00000100", "0.00000102"),
    ("币安人生USDT", 14, 180_001, "0", "0.0"),
]


@pytest.fixture
def examples(warehouse: Warehouse) -> Iterator[Warehouse]:
    """A table of a few rows with the columns that the load has made, and the view of the docs over it."""
    (schema,) = warehouse.query("SELECT table_schema FROM information_schema.tables WHERE table_name = 'book_tickers'")
    warehouse.query("CREATE SCHEMA examples")
    warehouse.query("SET search_path = 'examples'")
    warehouse.query(f"CREATE TABLE examples.book_tickers AS SELECT * FROM {schema[0]}.book_tickers WHERE 1 = 0")
    for row in BOOKS:
        _insert(warehouse, row)
    warehouse.query(_sql("quotes"))
    yield warehouse
    warehouse.query("DROP SCHEMA examples CASCADE")
    warehouse.query(f"SET search_path = '{schema[0]}'")


def test_quotes(examples: Warehouse) -> None:
    rows = examples.query("SELECT symbol, u, event_time, bid, ask, mid, spread_bps FROM quotes ORDER BY u")

    assert _numbers(rows) == [
        ("BTCUSD_PERP", 10, 60_000, "100", "100.2", "100.1", "19.98"),
        ("BTCUSD_PERP", 11, 60_400, "99.8", "100", "99.9", "20.02"),
        ("BTCUSD_PERP", 12, 60_500, "100.4", "100.8", "100.6", "39.7614"),
        ("币安人生USDT", 13, 59_999, "0.000001", "0.00000102", "0.00000101", "198.0198"),
        ("币安人生USDT", 14, 180_001, "0", "0", "0", None),
        ("BTCUSD_PERP", 15, 120_000, "100.1", "100.2", "100.15", "9.985"),
    ]


def test_spread(examples: Warehouse) -> None:
    assert _numbers(examples.query(_sql("spread"))) == [
        ("BTCUSD_PERP", "100.15", "22.4366", 4),
        ("币安人生USDT", "0", "198.0198", 2),
    ]


def test_bars(examples: Warehouse) -> None:
    assert _numbers(examples.query(_sql("bars"))) == [
        # open, high, low, close
        ("BTCUSD_PERP", 60_000, "100.1", "100.6", "99.9", "100.6", 3),
        ("BTCUSD_PERP", 120_000, "100.15", "100.15", "100.15", "100.15", 1),
        ("币安人生USDT", 0, "0.00000101", "0.00000101", "0.00000101", "0.00000101", 1),
        ("币安人生USDT", 180_000, "0", "0", "0", "0", 1),
    ]


def test_latest_book(examples: Warehouse) -> None:
    assert examples.query(_sql("latest_book")) == [
        ("BTCUSD_PERP", "100.10", "1", "100.20", "2", "1970-01-01 00:02:00+00:00"),
        ("币安人生USDT", "0", "1", "0.0", "2", "1970-01-01 00:03:00.001000+00:00"),
    ]


def test_duplicates_are_found_and_removed(examples: Warehouse) -> None:
    assert examples.query(_sql("duplicates")) == []
    for row in (BOOKS[2], BOOKS[4], BOOKS[4]):
        _insert(examples, row)
    assert examples.query(_sql("duplicates")) == [("BTCUSD_PERP", 11, 2), ("币安人生USDT", 13, 3)]

    examples.query(_sql("remove_duplicates"))

    assert examples.query(_sql("duplicates")) == []
    assert sorted(examples.query("SELECT symbol, u FROM book_tickers")) == sorted((row[0], row[1]) for row in BOOKS)


def test_pauses(examples: Warehouse) -> None:
    assert examples.query(_sql("pauses")) == [(120_000, 180_001, 60_001)]


def test_shards_are_read_as_one(examples: Warehouse) -> None:
    """Each row of two tables with prefixes; the view takes the place of the one table."""
    for prefix, condition in (("btc_", "= 'BTCUSD_PERP'"), ("others_", "<> 'BTCUSD_PERP'")):
        examples.query(f"CREATE TABLE {prefix}book_tickers AS SELECT * FROM book_tickers WHERE symbol {condition}")
    before = examples.query("SELECT * FROM book_tickers")
    examples.query("DROP VIEW quotes")
    examples.query("DROP TABLE book_tickers")

    examples.query(_sql("shards"))

    assert sorted(examples.query("SELECT * FROM book_tickers"), key=str) == sorted(before, key=str)


def test_sql_runs_over_what_was_loaded(warehouse: Warehouse) -> None:
    """Over the loaded tables themselves, against the same sums in Python."""
    warehouse.query(_sql("quotes"))
    rows = warehouse.query("SELECT symbol, u, event_time, best_bid_price, best_ask_price FROM book_tickers ORDER BY u")
    of_symbol: dict[str, list[Row]] = {}
    for row in rows:
        of_symbol.setdefault(row[0], []).append(row)

    bars = warehouse.query(_sql("bars"))
    latest = {row[0]: row for row in warehouse.query(_sql("latest_book"))}

    assert len(of_symbol) > 30
    assert sum(bar[-1] for bar in bars) == len(rows)
    assert latest.keys() == of_symbol.keys()
    for symbol, updates in of_symbol.items():
        mids = [(Decimal(bid) + Decimal(ask)) / 2 for *_, bid, ask in updates]
        its_bars = [bar for bar in bars if bar[0] == symbol]
        assert abs(Decimal(its_bars[0][2]) - mids[0]) < Decimal("1e-12")
        assert abs(max(Decimal(bar[3]) for bar in its_bars) - max(mids)) < Decimal("1e-12")
        assert abs(min(Decimal(bar[4]) for bar in its_bars) - min(mids)) < Decimal("1e-12")
        assert abs(Decimal(its_bars[-1][5]) - mids[-1]) < Decimal("1e-12")
        assert (latest[symbol][1], latest[symbol][3]) == updates[-1][3:]
    assert warehouse.query(_sql("duplicates")) == []


def test_every_sql_file_is_tested() -> None:
    tested = {"quotes", "spread", "bars", "latest_book", "duplicates", "remove_duplicates", "pauses", "shards"}
    assert {path.stem for path in SQL.glob("*")} == tested


def _sql(name: str) -> str:
    return (SQL / f"{name}.sql").read_text(encoding="utf-8")


def _insert(warehouse: Warehouse, row: Row) -> None:
    symbol, u, event_time, bid, ask = row
    ((copies,),) = warehouse.query("SELECT count(*) FROM book_tickers")
    warehouse.query(
        "INSERT INTO book_tickers (symbol, u, event_time, best_bid_price, best_bid_qty, best_ask_price, best_ask_qty,"
        " _airbyte_raw_id, _airbyte_extracted_at)"
        f" VALUES ('{symbol}', {u}, {event_time}, '{bid}', '1', '{ask}', '2', 'raw{copies}', '2026-10-06 00:00:00')"
    )


def _numbers(rows: list[Row]) -> list[Row]:
    """Decimals, which come as text with as many zeros as the database likes, in their shortest form."""

    def shortest(value: object) -> object:
        if not isinstance(value, str) or not value[0].isdigit():
            return value
        return f"{Decimal(value).normalize():f}"

    return [tuple(map(shortest, row)) for row in rows]


def _stretches(positions: list[int]) -> list[tuple[int, int]]:
    """The first and last of each run of whole numbers without a gap."""
    stretches: list[tuple[int, int]] = []
    for position in positions:
        if stretches and position == stretches[-1][1] + 1:
            stretches[-1] = (stretches[-1][0], position)
        else:
            stretches.append((position, position))
    return stretches
