"""Runs one contender as a process, reads its output like a destination, and tells what it cost."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

READ_BYTES = 1 << 20
RECORD_MARK = b'"type":"RECORD"'
LONGEST_RUN = 600.0  # seconds
ROOT = Path(__file__).resolve().parent.parent
CATALOG = {
    "streams": [
        {
            "stream": {
                "name": "book_tickers",
                "json_schema": {},
                "supported_sync_modes": ["full_refresh", "incremental"],
            },
            "sync_mode": "incremental",
            "destination_sync_mode": "append",
            "cursor_field": ["u"],
        }
    ]
}


@dataclass(frozen=True)
class Run:
    """One run: `records` a second after start-up, CPU seconds and the highest memory of the whole process."""

    records: int
    records_per_second: float
    cpu_seconds: float
    peak_megabytes: float


def read_command(url: str, folder: Path, most: int, **options: Any) -> list[str]:
    """The command line of a `read` of book_tickers from `url` that ends after so many records."""
    environment = {"name": "custom", "market_stream_url": url, "websocket_api_url": url}
    config = {"listen_seconds": int(LONGEST_RUN), "max_book_tickers": most, "environment": environment, **options}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "catalog.json").write_text(json.dumps(CATALOG))
    files = ["--config", str(folder / "config.json"), "--catalog", str(folder / "catalog.json")]
    return [sys.executable, "-m", "source_binance_futures", "read", *files]


def run(command: list[str], after_each_read: Callable[[int, psutil.Process], None] | None = None) -> Run:
    """Runs a command that writes Airbyte messages; `after_each_read` is told the records so far, and may be slow."""
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert process.stdout is not None
    watched = psutil.Process(process.pid)
    began = time.monotonic()
    first_at = last_at = 0.0
    in_first_read = records = 0
    rest = b""
    while chunk := os.read(process.stdout.fileno(), READ_BYTES):
        found = (rest + chunk).count(RECORD_MARK) - rest.count(RECORD_MARK)
        rest = chunk[-len(RECORD_MARK) :]
        if found:
            last_at = time.perf_counter()
            if not records:
                first_at, in_first_read = last_at, found
            records += found
        if after_each_read is not None:
            after_each_read(records, watched)
        if time.monotonic() - began > LONGEST_RUN:
            process.kill()
    _, _, usage = os.wait4(process.pid, 0)
    process.returncode = 0
    process.stdout.close()
    rate = (records - in_first_read) / (last_at - first_at) if last_at > first_at else 0.0
    return Run(records, rate, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


@contextmanager
def flood(count: int, rate: float = 0.0) -> Iterator[str]:
    """A flooding market stream in a process of its own; gives its base address."""
    command = [sys.executable, "-m", "benchmarks.flood", str(count), "--rate", str(rate)]
    server = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE)
    assert server.stdout is not None
    try:
        yield f"ws://127.0.0.1:{int(server.stdout.readline())}"
    finally:
        server.terminate()
        server.wait(timeout=10)
        server.stdout.close()
