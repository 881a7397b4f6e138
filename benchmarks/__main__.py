"""`make bench`: every figure in one run and in turns, so that a noisy machine cancels out of the ratios.

It prints a table and writes `build/bench/bench.json` and `build/bench/bench.svg`.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.table import Table

from .figures import GOALS, idle_share, memory, startup, throughput
from .plot import draw
from .processes import ROOT

REPORT = ROOT / "build" / "bench"


def main() -> None:
    parser = argparse.ArgumentParser(description="Throughput and memory of the connector, in ratios.")
    parser.add_argument("--rounds", type=int, default=5, help="how often the contenders take turns")
    parser.add_argument("--updates", type=int, default=300_000, help="updates of one contender in one round")
    parser.add_argument("--flood", type=int, default=10_000_000, help="updates of the memory run")
    arguments = parser.parse_args()
    console = Console()
    samples: dict[str, list[float]] = {}

    def take(what: str, measure: Callable[[Path], dict[str, float]]) -> None:
        console.print(f"  {what} ...", highlight=False)
        with tempfile.TemporaryDirectory() as folder:
            for name, value in measure(Path(folder)).items():
                samples.setdefault(name, []).append(value)

    for number in range(1, arguments.rounds + 1):
        console.print(f"Round {number} of {arguments.rounds}")
        take("whole reads, and what they are measured against", lambda folder: throughput(folder, arguments.updates))
        take("start-up of spec", lambda _folder: startup())
    take("an idle sync, 6 updates a second for 20 seconds", idle_share)
    take(f"memory under a flood of {arguments.flood:,} updates", lambda folder: memory(folder, arguments.flood))

    medians = {name: statistics.median(values) for name, values in samples.items()}
    table = Table("figure", "median", "from", "to", "goal")
    for name, values in samples.items():
        goal = GOALS.get(name)
        shown = [
            f"{value:,.2f}" if abs(value) < 100 else f"{value:,.0f}"
            for value in (medians[name], min(values), max(values))
        ]
        table.add_row(name, *shown, goal.text(medians[name]) if goal else "")
    console.print(table)
    REPORT.mkdir(parents=True, exist_ok=True)
    (REPORT / "bench.json").write_text(json.dumps({"medians": medians, "samples": samples}, indent=2))
    (REPORT / "bench.svg").write_text(draw(medians))
    console.print(f"Written to {REPORT.relative_to(ROOT)}/bench.json and bench.svg")


if __name__ == "__main__":
    main()
