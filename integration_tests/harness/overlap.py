"""Two sources with the same contracts, each in windows one after the other, half a window apart: the overlap recipe.

They start as two cron schedules start them, at fixed moments, and where a window is not over by then, as soon as it is.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local_exchange import LocalExchange

from .connector import INCREMENTAL, Connector, Output, catalog
from .patience import patient

EVEN, ODD = "even", "odd"
LONGEST_END = patient(60.0)  # seconds after its window, when a process is given up


@dataclass(frozen=True)
class Recipe:
    """`windows` of each source, `listen_seconds` long, one each `period` seconds; the odd ones half a period later."""

    windows: int
    listen_seconds: int
    period: float
    contracts: Sequence[str]


@dataclass(frozen=True)
class Windows:
    """What the windows of each source gave, in their order, and when each was started (epoch seconds)."""

    outputs: Mapping[str, list[Output]]
    started: Mapping[str, list[float]]

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
    started: dict[str, list[float]] = {EVEN: [], ODD: []}

    def run(connector: Connector, name: str, first_at: float) -> list[Output]:
        outputs: list[Output] = []
        for number in range(recipe.windows):
            time.sleep(max(first_at + number * recipe.period - time.monotonic(), 0))
            started[name].append(time.time())
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
            EVEN: pool.submit(run, even, EVEN, now),
            ODD: pool.submit(run, odd, ODD, now + recipe.period / 2),
        }
        return Windows({name: future.result() for name, future in futures.items()}, started)
