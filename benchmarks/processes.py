"""Runs one contender as a process, reads its output like a destination, and tells what it cost."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from .flood import ROOT, SYMBOLS

READ_BYTES = 1 << 20
RECORD_MARK = b'"type":"RECORD"'
LONGEST_RUN = 600.0  # seconds
BOOK_TICKERS = {"name": "book_tickers", "json_schema": {}, "supported_sync_modes": ["full_refresh", "incremental"]}
MODES = {"sync_mode": "incremental", "destination_sync_mode": "append", "cursor_field": ["u"]}
CATALOG = {"streams": [{"stream": BOOK_TICKERS, **MODES}]}


@dataclass(frozen=True)
class Run:
    """One run: records a second after start-up, CPU seconds and the highest memory of the whole process."""

    records_per_second: float
    cpu_seconds: float
    peak_megabytes: float


def read_arguments(url: str, folder: Path, most: int) -> list[str]:
    """The arguments of a `read` of book_tickers of ten named contracts that ends after so many records."""
    config: dict[str, Any] = {
        "listen_seconds": int(LONGEST_RUN),
        "max_book_tickers": most,
        "book_ticker_symbols": list(SYMBOLS),
        "environment": {"name": "custom", "market_stream_url": url, "websocket_api_url": url},
    }
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "catalog.json").write_text(json.dumps(CATALOG))
    return ["read", "--config", str(folder / "config.json"), "--catalog", str(folder / "catalog.json")]


def read_command(url: str, folder: Path, most: int) -> list[str]:
    """The same as users run it."""
    return [sys.executable, "-m", "source_binance_futures", *read_arguments(url, folder, most)]


def run(
    command: list[str],
    after_each_read: Callable[[int, psutil.Process], None] | None = None,
    variables: dict[str, str] | None = None,
) -> Run:
    """Runs a command that writes Airbyte messages; `after_each_read` gets the number of records so far, and may block.

    RuntimeError where it fails.
    """
    environment = os.environ | (variables or {})
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
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
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    process.stdout.close()
    if process.returncode != 0:
        raise RuntimeError(f"exit code {process.returncode} after {records} records: {' '.join(command)}")
    rate = (records - in_first_read) / (last_at - first_at) if last_at > first_at else 0.0
    return Run(rate, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)
