"""The overlap recipe at its real scale, with its figures: two sources half a window apart, by the exchange's account.

    python -m integration_tests.endurance.overlap [--windows 4] [--seconds 60] [--between 5] [--contracts 30]

Anything that both together miss, or a contract with more than one stretch, makes it exit with code 1.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path
from typing import Any

from local_exchange import LocalExchange, made_up_coin_m

from ..harness.judging import Pushed, pushes
from ..harness.overlap import EVEN, ODD, Recipe, Windows, follow

SOURCES = {"even": (EVEN,), "odd": (ODD,), "both": (EVEN, ODD)}


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
        return _report(windows, pushes(exchange), names)


def _report(windows: Windows, pushed: list[Pushed], names: list[str]) -> int:
    print(f"{'':6}{'pushed':>10}{'received':>10}{'missing':>10}{'stretches':>11}{'holes of a contract':>26}")
    wrong = False
    for name, sources in SOURCES.items():
        received = set(windows.updates(*sources))
        came = [number for number, update in enumerate(pushed) if update[:2] in received]
        span = pushed[came[0] : came[-1] + 1]
        missing = sum(update[:2] not in received for update in span)
        stretches = _stretches(windows.records(*sources))
        count = sum(map(len, stretches.values()))
        holes = [after[0] - before[1] for of_one in stretches.values() for before, after in pairwise(of_one)]
        lengths = f"{min(holes) / 1e6:.1f} to {max(holes) / 1e6:.1f} s" if holes else "none"
        print(f"{name:6}{len(span):10,}{len(received):10,}{missing:10,}{count:11,}{lengths:>26}")
        if name == "both":
            wrong = bool(missing) or count != len(names)
    print("NOT as it should be." if wrong else "As it should be.")
    return 1 if wrong else 0


def _stretches(records: Iterable[dict[str, Any]]) -> dict[str, list[tuple[int, int]]]:
    """As coverage.sql makes them of rows: for each contract what is covered, in order, overlaps merged."""
    captures: dict[tuple[str, int], int] = defaultdict(int)
    for record in records:
        if "covered_since_us" in record:
            key = record["symbol"], record["covered_since_us"]
            captures[key] = max(captures[key], record["received_at_us"])
    merged: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for (symbol, since), until in sorted(captures.items()):
        stretches = merged[symbol]
        if stretches and since <= stretches[-1][1]:
            stretches[-1] = stretches[-1][0], max(until, stretches[-1][1])
        else:
            stretches.append((since, until))
    return merged


if __name__ == "__main__":
    sys.exit(main())
