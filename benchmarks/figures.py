"""The figures of a benchmark run, each named as the table shows it, and the goals that some of them have."""

from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

from local_exchange import LocalExchange

from .flood import SYMBOLS
from .processes import ROOT, Encryption, flood, read_arguments, read_command, run

MEGABYTE = 1 << 20
WHOLE, BY_TLS, BY_SMALL_RECORDS = (
    "whole read, ws",
    "whole read, wss, records of 16 KiB",
    "whole read, wss, one per frame",
)
SINGLE, CDK, NAIVE, BOUND = (
    "through the CDK's entry point, ws",
    "the CDK alone",
    "naive source, ws",
    "no CDK at all, ws",
)
RATES = (BOUND, WHOLE, BY_TLS, BY_SMALL_RECORDS, SINGLE, CDK, NAIVE)
"""In updates a second, as the picture shows them."""
SLOW_READER_PAUSE = 0.002  # seconds after each 64 KiB: slower than the connector writes, so that its queue is full
SPARE = 20_000  # more than is asked for, so that the flood never ends first
ENCRYPTIONS: dict[str, Encryption] = {
    WHOLE: "none",
    BY_TLS: "records of 16 KiB",
    BY_SMALL_RECORDS: "a record for each frame",
}


@dataclass(frozen=True)
class Goal:
    bound: float
    at_most: bool = False

    def text(self, value: float) -> str:
        met = value <= self.bound if self.at_most else value >= self.bound
        return f"{'at most' if self.at_most else 'at least'} {self.bound:,g}: {'reached' if met else 'MISSED'}"


GOALS = {
    "whole read / CDK alone": Goal(2.3),
    "whole read / naive source": Goal(12),
    "whole read / the bound without the CDK": Goal(0.55),
    "wss / ws, records of 16 KiB": Goal(0.85),
    "wss / ws, a record for each frame": Goal(0.6),
    "CPU seconds for a million updates": Goal(5, at_most=True),
    "peak memory, 2 million (MB)": Goal(200, at_most=True),
    "peak memory, 10 million / 2 million": Goal(1.03, at_most=True),
    "idle sync (% of a core)": Goal(1, at_most=True),
}


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
    """Seconds of CPU until `spec` is told, over those of importing the CDK."""

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
