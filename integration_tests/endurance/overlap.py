"""The overlap recipe at its real scale, with its figures: two sources half a window apart, by the exchange's account.

    python -m integration_tests.endurance.overlap [--windows 4] [--seconds 60] [--between 5] [--contracts 30]

They start as two cron schedules start them, at fixed moments, and where a window is not over by then, as soon as it is.
Anything that both together miss, or a contract with more than one covered interval, makes it exit with code 1.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from local_exchange import LocalExchange, made_up_coin_m

from ..harness.connector import INCREMENTAL, Connector, Output, catalog

EVEN, ODD = "even", "odd"
LONGEST_END = 60.0  # seconds after its window, when a process is given up
SOURCES = {"even": (EVEN,), "odd": (ODD,), "both": (EVEN, ODD)}


@dataclass(frozen=True)
class Recipe:
    """`windows` of each source, `listen_seconds` long, one each `period` seconds; the odd ones half a period later."""

    windows: int
    listen_seconds: int
    period: float
    contracts: Sequence[str]


@dataclass(frozen=True)
class Windows:
    """What the windows of each source gave, in their order."""

    outputs: Mapping[str, list[Output]]

    def records(self, *sources: str) -> list[dict[str, Any]]:
        """The rows that these sources loaded."""
        return [r for source in sources for output in self.outputs[source] for r in output.records("book_tickers")]

    def updates(self, *sources: str) -> list[tuple[str, int]]:
        return [(record["symbol"], record["u"]) for record in self.records(*sources)]


def follow(recipe: Recipe, exchange: LocalExchange, folder: Path) -> Windows:
    """Runs all windows of both sources against `exchange`; each hands its last state to the next."""
    catalog(INCREMENTAL)  # asked for now, since it starts a process of its own
    config = {
        "environment": exchange.environment(),
        "listen_seconds": recipe.listen_seconds,
        "book_ticker_symbols": list(recipe.contracts),
    }

    def run(connector: Connector, first_at: float) -> list[Output]:
        outputs: list[Output] = []
        for number in range(recipe.windows):
            time.sleep(max(first_at + number * recipe.period - time.monotonic(), 0))
            state = outputs[-1].states[-1:] if outputs else None
            running = connector.start_read(config, book_tickers=INCREMENTAL, state=state)
            outputs.append(running.finish(recipe.listen_seconds + LONGEST_END))
        return outputs

    with (
        Connector(folder / EVEN) as even,
        Connector(folder / ODD) as odd,
        ThreadPoolExecutor(2) as pool,
    ):
        now = time.monotonic()
        futures = {
            EVEN: pool.submit(run, even, now),
            ODD: pool.submit(run, odd, now + recipe.period / 2),
        }
        return Windows({name: future.result() for name, future in futures.items()})


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m integration_tests.endurance.overlap", description=__doc__)
    parser.add_argument("--windows", type=int, default=4, help="of each source")
    parser.add_argument("--seconds", type=int, default=60, help="how long each window listens")
    parser.add_argument("--between", type=float, default=5.0, help="seconds from its end to the next start")
    parser.add_argument("--contracts", type=int, default=30)
    parser.add_argument("--rate", type=float, default=500.0, help="updates a second")
    options = parser.parse_args(arguments)
    names = made_up_coin_m(options.contracts)
    recipe = Recipe(options.windows, options.seconds, options.seconds + options.between, names)
    print(
        f"{options.windows} windows of {options.seconds} s each, every {recipe.period:g} s, {options.contracts} "
        f"contracts, {options.rate:g} updates a second",
        flush=True,
    )
    with (
        tempfile.TemporaryDirectory() as folder,
        LocalExchange(rate=options.rate, coin_m_symbols=names, mix_usds_margined=False) as exchange,
    ):
        windows = follow(recipe, exchange, Path(folder))
        return _report(windows, exchange.pushed, names)


def _report(windows: Windows, pushed: list[tuple[str, int]], names: list[str]) -> int:
    print(f"{'':6}{'pushed':>10}{'received':>10}{'missing':>10}{'intervals':>11}{'holes of a contract':>26}")
    wrong = False
    for name, sources in SOURCES.items():
        received = set(windows.updates(*sources))
        came = [number for number, update in enumerate(pushed) if update in received]
        span = pushed[came[0] : came[-1] + 1]
        missing = sum(update not in received for update in span)
        intervals = _intervals(windows.records(*sources))
        count = sum(map(len, intervals.values()))
        holes = [after[0] - before[1] for of_one in intervals.values() for before, after in pairwise(of_one)]
        lengths = f"{min(holes) / 1e6:.1f} to {max(holes) / 1e6:.1f} s" if holes else "none"
        print(f"{name:6}{len(span):10,}{len(received):10,}{missing:10,}{count:11,}{lengths:>26}")
        if name == "both":
            wrong = bool(missing) or count != len(names)
    print("NOT as it should be." if wrong else "As it should be.")
    return 1 if wrong else 0


def _intervals(records: Iterable[dict[str, Any]]) -> dict[str, list[tuple[int, int]]]:
    """As coverage.sql makes them of rows: for each contract what is covered, in order, overlaps merged."""
    captures: dict[tuple[str, int], int] = defaultdict(int)
    for record in records:
        if "covered_since_us" in record:
            key = record["symbol"], record["covered_since_us"]
            captures[key] = max(captures[key], record["received_at_us"])
    merged: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for (symbol, since), until in sorted(captures.items()):
        intervals = merged[symbol]
        if intervals and since <= intervals[-1][1]:
            intervals[-1] = intervals[-1][0], max(until, intervals[-1][1])
        else:
            intervals.append((since, until))
    return merged


if __name__ == "__main__":
    sys.exit(main())
