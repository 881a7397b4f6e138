"""The exchange that the demo reads from: the local one, started and ended here, or Binance."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

START_TIMEOUT = 20.0
STOP_TIMEOUT = 5.0
UPDATES_A_SECOND = 50
CONFIGURATION = "Configuration:"
"""The line of the local exchange that tells how to reach it."""


class ExchangeDidNotStart(Exception):
    pass


@contextmanager
def local_exchange(python: Path, log: Path) -> Iterator[dict[str, Any]]:
    """Run the local exchange on a free port; yields the connector's configuration for it."""
    command = [str(python), "-m", "local_exchange", "--port", "0", "--rate", str(UPDATES_A_SECOND), "--samples", "off"]
    with log.open("w", encoding="utf-8") as output:
        exchange = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
    try:
        yield _configuration(exchange, log)
    finally:
        exchange.terminate()
        try:
            exchange.wait(STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            exchange.kill()
            exchange.wait()


def _configuration(exchange: subprocess.Popen[bytes], log: Path) -> dict[str, Any]:
    deadline = time.monotonic() + START_TIMEOUT
    while time.monotonic() < deadline and exchange.poll() is None:
        for line in log.read_text(encoding="utf-8").splitlines(keepends=True):
            if line.startswith(CONFIGURATION) and line.endswith("\n"):
                configuration: dict[str, Any] = json.loads(line.removeprefix(CONFIGURATION))
                return configuration
        time.sleep(0.1)
    raise ExchangeDidNotStart(f"The local exchange did not start; what it said is in {log}.")
