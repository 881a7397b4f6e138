"""The overlap recipe of docs/scaling.md: each source alone misses what falls between its windows, both miss nothing.

Two sources follow the same contracts of a local exchange, over real sockets and each window in a process of its own, in
four windows each, half a window apart. docs/sql says of the rows what the exchange knows of its pushes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import pytest

from local_exchange import LocalExchange

from .harness.driving import LISTED
from .harness.judging import Pushed, pushes, stretches_of
from .harness.overlap import EVEN, ODD, Recipe, Windows, follow
from .harness.patience import patient
from .warehouse.databases import DUCKDB, POSTGRES, Warehouse
from .warehouse.examples import Tables, example_tables, sql_of

RATE = 150.0
RECIPE = Recipe(windows=4, listen_seconds=round(patient(7)), period=patient(9.0), contracts=LISTED)
SLACK = 20_000  # microseconds between a push and its receipt
TABLES = {EVEN: "even_book_tickers", ODD: "odd_book_tickers"}
BOTH = "all_book_tickers"

pytestmark = pytest.mark.timeout(patient(300))  # two minutes where five other processes want the same two cores

Stretches = dict[str, list[tuple[int, int]]]


@dataclass(frozen=True)
class Captured:
    """What the windows brought, what the exchange pushed, and for each database the stretches and the holes.

    Both by source, EVEN, ODD and BOTH; microseconds since 1970, and seconds.
    """

    windows: Windows
    pushed: list[Pushed]
    stretches: dict[str, dict[str, Stretches]]
    holes: dict[str, dict[str, list[tuple[str, float]]]]

    def span(self, *sources: str) -> list[Pushed]:
        """What was pushed from the first to the last update that these sources received."""
        received = set(self.windows.updates(*sources))
        came = [number for number, update in enumerate(self.pushed) if update[:2] in received]
        return self.pushed[came[0] : came[-1] + 1]

    def missed(self, *sources: str) -> list[Pushed]:
        """What of it did not come."""
        received = set(self.windows.updates(*sources))
        return [update for update in self.span(*sources) if update[:2] not in received]


@pytest.fixture(scope="module")
def captured(tmp_path_factory: pytest.TempPathFactory, databases: dict[str, Warehouse]) -> Captured:
    folder = tmp_path_factory.mktemp("overlap")
    with LocalExchange(rate=RATE, mix_usds_margined=False, sample_every=None) as exchange:
        windows = follow(RECIPE, exchange, folder / "windows")
        pushed = pushes(exchange)
    found = {name: asked(name, databases[name], windows) for name in databases}
    return Captured(
        windows,
        pushed,
        {name: stretches for name, (stretches, _) in found.items()},
        {name: holes for name, (_, holes) in found.items()},
    )


def asked(
    name: str, warehouse: Warehouse, windows: Windows
) -> tuple[dict[str, Stretches], dict[str, list[tuple[str, float]]]]:
    """Loads the rows of each source into a table of its own, and asks coverage.sql and holes.sql."""
    stretches: dict[str, Stretches] = {}
    holes: dict[str, list[tuple[str, float]]] = {}
    with example_tables(name, warehouse) as tables:
        for source, table in TABLES.items():
            tables.create(table)
            load(tables, table, windows.records(source))
        tables.query(sql_of("overlap"))
        for source, table in {**TABLES, BOTH: BOTH}.items():
            tables.query(sql_of("coverage").replace("FROM book_tickers", f"FROM {table}"))
            of_contract = stretches.setdefault(source, {})
            for symbol, since, until in tables.query(
                "SELECT symbol, since_us, until_us FROM coverage ORDER BY symbol, since_us"
            ):
                of_contract.setdefault(symbol, []).append((since, until))
            holes[source] = [(row[0], float(row[1])) for row in tables.query(sql_of("holes"))]
            tables.query("DROP VIEW coverage")
    return stretches, holes


def load(tables: Tables, table: str, records: list[dict[str, Any]], at_once: int = 500) -> None:
    columns = sorted({column for record in records for column in record})
    for start in range(0, len(records), at_once):
        rows = (
            "(" + ", ".join(literal(record.get(column)) for column in columns) + ")"
            for record in records[start : start + at_once]
        )
        tables.query(f"INSERT INTO {table} ({', '.join(columns)}) VALUES {', '.join(rows)}")


def literal(value: object) -> str:
    return "NULL" if value is None else f"'{value}'" if isinstance(value, str) else str(value)


@pytest.fixture(params=[DUCKDB, POSTGRES])
def database(request: pytest.FixtureRequest) -> str:
    return str(request.param)


# --- what came, by the exchange's own account ---


def test_every_window_ended_well_and_went_on_where_the_last_one_ended(captured: Captured) -> None:
    for source in (EVEN, ODD):
        outputs = captured.windows.outputs[source]
        assert [output.exit_code for output in outputs] == [0] * RECIPE.windows
        assert not any("Gap of" in line for output in outputs for line in output.logs())
        updates = captured.windows.updates(source)
        assert len(updates) == len(set(updates))


@pytest.mark.parametrize("source", [EVEN, ODD])
def test_each_alone_misses_what_falls_between_its_windows(source: str, captured: Captured) -> None:
    outputs = captured.windows.outputs[source]
    missed = {update[:2] for update in captured.missed(source)}
    position = {update[:2]: number for number, update in enumerate(captured.pushed)}
    between: set[tuple[str, int]] = set()
    for before, after in pairwise(outputs):
        first, last = max(map(position.__getitem__, before.updates)), min(map(position.__getitem__, after.updates))
        of_hole = {update[:2] for update in captured.pushed[first + 1 : last]}
        assert len(of_hole) > 10, "otherwise nothing was missed there"
        between |= of_hole
    assert missed == between


def test_both_together_miss_nothing(captured: Captured) -> None:
    assert captured.missed(EVEN, ODD) == []
    assert len(captured.span(EVEN, ODD)) > len(captured.span(EVEN)), "the odd windows end later"
    assert {update.symbol for update in captured.span(EVEN, ODD)} == set(LISTED)


# --- what the rows say, by docs/sql ---


@pytest.mark.parametrize("source", [EVEN, ODD])
def test_each_alone_has_a_stretch_for_each_window_and_a_hole_between(
    source: str, captured: Captured, database: str
) -> None:
    stretches = captured.stretches[database][source]
    assert {symbol: len(found) for symbol, found in stretches.items()} == dict.fromkeys(LISTED, RECIPE.windows)
    holes = captured.holes[database][source]
    assert sorted(symbol for symbol, _ in holes) == sorted(LISTED * (RECIPE.windows - 1))
    assert all(seconds > 0 for _, seconds in holes)


def test_both_together_have_one_unbroken_stretch_and_no_hole(captured: Captured, database: str) -> None:
    stretches = captured.stretches[database][BOTH]
    assert {symbol: len(found) for symbol, found in stretches.items()} == dict.fromkeys(LISTED, 1)
    assert captured.holes[database][BOTH] == []
    for symbol, ((since, until),) in stretches.items():
        alone = [captured.stretches[database][source][symbol] for source in (EVEN, ODD)]
        assert since == min(found[0][0] for found in alone)
        assert until == max(found[-1][1] for found in alone)


@pytest.mark.parametrize("source", [EVEN, ODD])
def test_whatever_is_missing_lies_outside_every_stretch(source: str, captured: Captured, database: str) -> None:
    stretches = captured.stretches[database][source]
    vouched_for = [
        update
        for update in captured.missed(source)
        if any(since + SLACK <= update.at * 1e6 <= until - SLACK for since, until in stretches[update.symbol])
    ]
    assert vouched_for == []


# --- what the log says ---


def test_the_log_tells_the_hole_before_each_window(captured: Captured) -> None:
    for source in (EVEN, ODD):
        outputs = captured.windows.outputs[source]
        started = captured.windows.started[source]
        assert not [line for line in outputs[0].logs("INFO") if "a hole of" in line]
        for (before, after), began in zip(pairwise(outputs), started[1:], strict=True):
            (line,) = [line for line in after.logs("INFO") if "a hole of" in line]
            told = re.search(r"a hole of ([\d.]+) seconds until now", line)
            assert told is not None
            newest = max(record["transaction_time"] for record in before.records("book_tickers")) / 1000
            first = min(record["received_at_us"] for record in after.records("book_tickers")) / 1e6
            assert began - newest - 0.1 <= float(told[1]) <= first - newest + 0.1


def test_the_summary_tells_stretches_and_the_longest_pause(captured: Captured) -> None:
    for output in (*captured.windows.outputs[EVEN], *captured.windows.outputs[ODD]):
        (summary,) = [line for line in output.logs("INFO") if line.startswith("Captured ")]
        stretches = stretches_of(output)
        count = sum(map(len, stretches.values()))
        assert f"Covered intervals: {count}, of {len(stretches)} contracts." in summary
        reads = sorted({record["received_at_us"] for record in output.records("book_tickers")})
        longest = max(after - before for before, after in pairwise(reads)) / 1e6
        told = re.search(r"Longest pause: ([\d.]+) seconds\.", summary)
        assert told is not None
        assert float(told[1]) == pytest.approx(longest, abs=0.06)
