"""`make bench`: every figure in one run and in turns, so that a noisy machine cancels out of the ratios.

It prints a table and writes `build/bench/bench.json`. `--profile`, which is `make profile`, draws a flame graph of a
whole `read` under flood, by py-spy, to `build/bench/profile.svg`.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import psutil
from rich.console import Console
from rich.table import Table

from local_exchange import LocalExchange

from .flood import ROOT, SYMBOLS, Encryption, flood
from .processes import read_arguments, read_command, run

REPORT = ROOT / "build" / "bench"
PROFILED_UPDATES = 1_000_000
MEGABYTE = 1 << 20
WHOLE = "whole read, ws"
BY_TLS = "whole read, wss, records of 16 KiB"
BY_SMALL_RECORDS = "whole read, wss, one per frame"
SINGLE = "through the CDK's entry point, ws"
CDK = "the CDK alone"
NAIVE = "naive source, ws"
BOUND = "no CDK at all, ws"
SLOW_READER_PAUSE = 0.002  # seconds after each 64 KiB: slower than the connector writes, so that its queue is full
SPARE = 20_000  # more than is asked for, so that the flood never ends first
ENCRYPTIONS: dict[str, Encryption] = {
    WHOLE: "none",
    BY_TLS: "records of 16 KiB",
    BY_SMALL_RECORDS: "a record for each frame",
}


def main() -> int:
    parser = argparse.ArgumentParser(description="Throughput and memory of the connector, in ratios.")
    parser.add_argument("--rounds", type=int, default=5, help="how often the contenders take turns")
    parser.add_argument("--updates", type=int, default=300_000, help="updates of one contender in one round")
    parser.add_argument("--flood", type=int, default=10_000_000, help="updates of the memory run")
    parser.add_argument("--profile", action="store_true", help="draw a flame graph in place of all that")
    arguments = parser.parse_args()
    if arguments.profile:
        return profile()
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
        shown = [
            f"{value:,.2f}" if abs(value) < 100 else f"{value:,.0f}"
            for value in (medians[name], min(values), max(values))
        ]
        table.add_row(name, *shown, _beside_its_goal(name, medians[name]))
    console.print(table)
    REPORT.mkdir(parents=True, exist_ok=True)
    (REPORT / "bench.json").write_text(json.dumps({"medians": medians, "samples": samples}, indent=2))
    console.print(f"Written to {REPORT.relative_to(ROOT)}/bench.json")
    return 0


GOALS = {
    "whole read / CDK alone": (2.3, "at least"),
    "whole read / naive source": (12, "at least"),
    "whole read / the bound without the CDK": (0.55, "at least"),
    "wss / ws, records of 16 KiB": (0.85, "at least"),
    "wss / ws, a record for each frame": (0.6, "at least"),
    "CPU seconds for a million updates": (5, "at most"),
    "peak memory, 2 million (MB)": (200, "at most"),
    "peak memory, 10 million / 2 million": (1.03, "at most"),
    "idle sync (% of a core)": (1, "at most"),
}


def _beside_its_goal(name: str, value: float) -> str:
    if name not in GOALS:
        return ""
    bound, which = GOALS[name]
    met = value <= bound if which == "at most" else value >= bound
    return f"{which} {bound:,g}: {'reached' if met else 'MISSED'}"


def throughput(folder: Path, updates: int) -> dict[str, float]:
    """Every contender in turn; the naive one gets a quarter of the work."""
    rivals = [sys.executable, "-m", "benchmarks.rivals"]
    rates: dict[str, float] = {}
    for name, encryption in ENCRYPTIONS.items():
        with flood(updates + SPARE, folder, encryption) as source:
            whole = run(read_command(source.url, folder, updates), variables=source.variables)
        rates[name] = whole.records_per_second
        if name == WHOLE:
            cpu = whole.cpu_seconds
    with flood(updates + SPARE, folder) as source:
        started = run(read_command(source.url, folder, 1))
        contenders = {
            SINGLE: ["single", *read_arguments(source.url, folder, updates)],
            NAIVE: ["naive", source.streams_url, str(updates // 4)],
            CDK: ["cdk", source.url, str(updates)],
            BOUND: ["bound", source.streams_url, str(updates)],
        }
        for name, arguments in contenders.items():
            rates[name] = run([*rivals, *arguments]).records_per_second
    return rates | {
        "whole read / CDK alone": rates[WHOLE] / rates[CDK],
        "whole read / naive source": rates[WHOLE] / rates[NAIVE],
        "whole read / the bound without the CDK": rates[WHOLE] / rates[BOUND],
        "wss / ws, records of 16 KiB": rates[BY_TLS] / rates[WHOLE],
        "wss / ws, a record for each frame": rates[BY_SMALL_RECORDS] / rates[WHOLE],
        "CPU seconds for a million updates": (cpu - started.cpu_seconds) / updates * 1e6,
    }


def startup() -> dict[str, float]:
    """Seconds of CPU until `spec` is printed, over those of importing the CDK."""

    def cpu(*arguments: str) -> float:
        before = psutil.Process().cpu_times()
        subprocess.run([sys.executable, *arguments], cwd=ROOT, stdout=subprocess.DEVNULL, check=True, timeout=60)
        after = psutil.Process().cpu_times()
        return after.children_user + after.children_system - before.children_user - before.children_system

    floor, spec = cpu("-c", "import airbyte_cdk"), cpu("-m", "source_binance_futures", "spec")
    return {"`spec` over the import of airbyte_cdk (CPU s)": spec - floor}


def idle_share(folder: Path) -> dict[str, float]:
    """Share of a core that a sync takes at 6 updates a second, after its start."""
    with LocalExchange(coin_m_symbols=SYMBOLS, rate=6, mix_usds_margined=False, sample_every=None) as exchange:
        command = read_command(exchange.market_stream_url, folder, 10**9)
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            exchange.wait_for(lambda: exchange.connections, 30)
            time.sleep(2)
            watched = psutil.Process(process.pid)
            before, began = sum(watched.cpu_times()[:2]), time.monotonic()
            time.sleep(20)
            share = (sum(watched.cpu_times()[:2]) - before) / (time.monotonic() - began)
        finally:
            process.terminate()
            process.wait(timeout=10)
    return {"idle sync (% of a core)": share * 100}


def memory(folder: Path, updates: int) -> dict[str, float]:
    """Peak memory of the connector after 2 million updates and at the end of the flood, its output read slowly."""
    peak = after_two_million = 0.0

    def slowly(records: int, process: psutil.Process) -> None:
        nonlocal peak, after_two_million
        try:
            peak = max(peak, process.memory_info().rss / MEGABYTE)
        except psutil.Error:
            return
        if records < 2_000_000:
            after_two_million = peak
        time.sleep(SLOW_READER_PAUSE)

    with flood(updates + SPARE, folder) as source:
        whole = run(read_command(source.url, folder, updates), slowly)
    return {
        "peak memory, 2 million (MB)": after_two_million,
        "peak memory, 10 million / 2 million": max(whole.peak_megabytes, peak) / after_two_million,
    }


def profile() -> int:
    """Draw the flame graph; return py-spy's exit code."""
    target = REPORT / "profile.svg"
    target.parent.mkdir(parents=True, exist_ok=True)
    py_spy = str(Path(sys.executable).with_name("py-spy"))
    with tempfile.TemporaryDirectory() as name, flood(PROFILED_UPDATES * 2, folder := Path(name)) as source:
        record = [py_spy, "record", "--threads", "--gil", "--rate", "200", "--output", str(target), "--"]
        command = [*record, *read_command(source.url, folder, PROFILED_UPDATES)]
        print(f"Reading {PROFILED_UPDATES:,} updates under py-spy ...", flush=True)
        done = subprocess.run(command, cwd=ROOT, stdout=subprocess.DEVNULL, check=False, timeout=600)
    print(f"Written to {target.relative_to(ROOT)}" if done.returncode == 0 else "py-spy could not record; see above.")
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
