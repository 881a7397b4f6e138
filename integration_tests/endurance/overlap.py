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
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import Any

from local_exchange import LocalExchange, made_up_coin_m

from ..harness.connector import INCREMENTAL, Connector, catalog

LONGEST_END = 60.0  # seconds after its window, when a process is given up
Rows = list[dict[str, Any]]


def rows_of(folder: Path, config: dict[str, Any], starts: Sequence[float]) -> Rows:
    """The rows of one source, whose windows begin at these moments; each hands its last state to the next."""
    rows: Rows = []
    state = None
    with Connector(folder) as connector:
        for start in starts:
            time.sleep(max(start - time.monotonic(), 0))
            running = connector.start_read(config, book_tickers=INCREMENTAL, state=state)
            output = running.finish(config["listen_seconds"] + LONGEST_END)
            state = output.states[-1:]
            rows += output.records("book_tickers")
    return rows


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m integration_tests.endurance.overlap", description=__doc__)
    parser.add_argument("--windows", type=int, default=4, help="of each source")
    parser.add_argument("--seconds", type=int, default=60, help="how long each window listens")
    parser.add_argument("--between", type=float, default=5.0, help="seconds from its end to the next start")
    parser.add_argument("--contracts", type=int, default=30)
    parser.add_argument("--rate", type=float, default=500.0, help="updates a second")
    options = parser.parse_args(arguments)
    names = made_up_coin_m(options.contracts)
    period = options.seconds + options.between
    print(
        f"{options.windows} windows of {options.seconds} s each, every {period:g} s, {options.contracts} "
        f"contracts, {options.rate:g} updates a second",
        flush=True,
    )
    catalog(INCREMENTAL)  # asked for now, since it starts a process of its own
    with (
        tempfile.TemporaryDirectory() as folder,
        LocalExchange(rate=options.rate, coin_m_symbols=names, mix_usds_margined=False) as exchange,
        ThreadPoolExecutor(2) as pool,
    ):
        environment = exchange.environment()
        config = {"environment": environment, "listen_seconds": options.seconds, "book_ticker_symbols": names}
        first = time.monotonic()
        starts = [[first + (number + half) * period for number in range(options.windows)] for half in (0.0, 0.5)]
        both = [pool.submit(rows_of, Path(folder, str(n)), config, each) for n, each in enumerate(starts)]
        even, odd = (future.result() for future in both)
        return _report({"even": even, "odd": odd, "both": even + odd}, exchange.pushed, names)


def _report(sources: dict[str, Rows], pushed: list[tuple[str, int]], names: list[str]) -> int:
    print(f"{'':6}{'pushed':>10}{'received':>10}{'missing':>10}{'intervals':>11}{'holes of a contract':>26}")
    wrong = False
    for name, rows in sources.items():
        received = {(row["symbol"], row["u"]) for row in rows}
        came = [number for number, update in enumerate(pushed) if update in received]
        span = pushed[came[0] : came[-1] + 1]
        missing = sum(update not in received for update in span)
        intervals = _intervals(rows)
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
