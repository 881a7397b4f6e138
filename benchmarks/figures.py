"""The figures of a benchmark run, each named as the table shows it, and the goals that some of them have."""

from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

from local_exchange import LocalExchange

from .processes import ROOT, flood, read_command, run

MEGABYTE = 1 << 20
WHOLE, NAIVE, CDK = "whole read (updates/s)", "naive source (updates/s)", "CDK alone (records/s)"
POLLED = "whole read through the CDK's Stream.read (updates/s)"
LIBRARY = "websocket-client behind a read buffer (updates/s)"
SLOW_READER_PAUSE = 0.002  # seconds after each 64 KiB: slower than the connector writes, so that its queue is full
SPARE = 20_000  # more than is asked for, so that the flood never ends first


@dataclass(frozen=True)
class Goal:
    bound: float
    at_most: bool = False

    def text(self, value: float) -> str:
        met = value <= self.bound if self.at_most else value >= self.bound
        return f"{'at most' if self.at_most else 'at least'} {self.bound:,g}: {'reached' if met else 'MISSED'}"


GOALS = {
    "whole read / naive source": Goal(4.5),
    "whole read / CDK alone": Goal(0.9),
    "frames and parse (updates/s)": Goal(400_000),
    "spec over the import of airbyte_cdk (s)": Goal(0.2, at_most=True),
    "idle sync (% of a core)": Goal(2, at_most=True),
    "peak memory after 2 million (MB)": Goal(200, at_most=True),
    "peak memory at the end / after 2 million": Goal(1.03, at_most=True),
}


def throughput(folder: Path, updates: int) -> dict[str, float]:
    """The connector, the naive source and the CDK alone in turn; the naive one gets a quarter of the work."""
    rivals = [sys.executable, "-m", "benchmarks.rivals"]
    with flood(updates + SPARE) as url:
        command = read_command(url, folder, updates)
        whole = run(command)
        polled = run([*rivals, "polled", *command[3:]])
        naive = run([*rivals, "naive", f"{url}/ws/!bookTicker", str(updates // 4)])
        cdk = run([*rivals, "cdk", url, str(updates)])
        started = run(read_command(url, folder, 1))
    return {
        WHOLE: whole.records_per_second,
        NAIVE: naive.records_per_second,
        CDK: cdk.records_per_second,
        POLLED: polled.records_per_second,
        "whole read / naive source": whole.records_per_second / naive.records_per_second,
        "whole read / CDK alone": whole.records_per_second / cdk.records_per_second,
        "whole read / through the CDK's Stream.read": whole.records_per_second / polled.records_per_second,
        "CPU seconds per million updates": (whole.cpu_seconds - started.cpu_seconds) / updates * 1e6,
    }


def receiving(updates: int) -> dict[str, float]:
    """Sockets without the CDK: to frames, to parsed book tickers, to records; and websocket-client by itself."""

    def rate(way: str, count: int) -> float:
        command = [sys.executable, "-m", "benchmarks.receiving", way, url, str(count)]
        return float(subprocess.run(command, cwd=ROOT, capture_output=True, check=True, timeout=120).stdout)

    with flood(4 * updates + SPARE) as url:
        frames, parsed, records = (rate(way, 4 * updates) for way in ("cut", "parse", "record"))
        library = rate("library", updates // 2)
    return {
        "frames only (updates/s)": frames,
        "frames and parse (updates/s)": parsed,
        "frames, parse and record (updates/s)": records,
        LIBRARY: library,
        "frames and parse / websocket-client": parsed / library,
    }


def startup() -> dict[str, float]:
    """Seconds of CPU until `spec` is told, over those of importing the CDK."""

    def cpu(*arguments: str) -> float:
        before = psutil.Process().cpu_times()
        subprocess.run([sys.executable, *arguments], cwd=ROOT, stdout=subprocess.DEVNULL, check=True, timeout=60)
        after = psutil.Process().cpu_times()
        return after.children_user + after.children_system - before.children_user - before.children_system

    floor, spec = cpu("-c", "import airbyte_cdk"), cpu("-m", "source_binance_futures", "spec")
    return {
        "import of airbyte_cdk (s)": floor,
        "spec (s)": spec,
        "spec over the import of airbyte_cdk (s)": spec - floor,
    }


def idle_share(folder: Path) -> dict[str, float]:
    """Share of a core that a sync takes at 6 updates a second, after its start."""
    with LocalExchange(rate=6, mix_usds_margined=False, sample_every=None) as exchange:
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
    """Memory of the connector while the exchange floods it and the reader of its output is slow.

    Measured until the flood has been read; `after the whole flood` is the end of it.
    """
    resident: dict[int, float] = {}
    peak = 0.0

    def slowly(records: int, process: psutil.Process) -> None:
        nonlocal peak
        try:
            now = process.memory_info().rss / MEGABYTE
        except psutil.Error:
            return
        peak = max(peak, now)
        for mark in (1_000_000, 2_000_000, updates):
            if records >= mark * 0.995 and mark not in resident:
                resident[mark] = peak if mark == 2_000_000 else now
        time.sleep(SLOW_READER_PAUSE)

    with flood(updates + SPARE) as url:
        whole = run(read_command(url, folder, updates), slowly)
    after_two_million = resident.get(2_000_000, peak)
    return {
        "memory after 1 million (MB)": resident.get(1_000_000, 0.0),
        "peak memory after 2 million (MB)": after_two_million,
        "memory after the whole flood (MB)": resident.get(updates, 0.0),
        "peak memory at the end (MB)": whole.peak_megabytes,
        "peak memory at the end / after 2 million": max(whole.peak_megabytes, peak) / after_two_million,
    }
