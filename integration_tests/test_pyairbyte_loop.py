"""The loop of docs/warehouse.md: windows one after the other, until Ctrl-C ends it well or a kill does not.

Each window is three seconds of a local exchange that pushes all the time.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from local_exchange import LocalExchange

from .harness.connector import ROOT, variables_without_proxies
from .harness.local_command import write
from .harness.markdown import blocks_of
from .warehouse.databases import DUCKDB, Row, duckdb_warehouse, pyairbyte_python
from .warehouse.loading import code_of_docs

pytestmark = [
    pytest.mark.timeout(600),
    pytest.mark.skipif(not pyairbyte_python().exists(), reason="PyAirbyte's environment is missing"),
]

RATE = 200.0
WINDOW_SECONDS = 3
LONGER_THAN_A_WINDOW = 8.0
DEADLINE = 240.0  # seconds: importing PyAirbyte takes ten of a quiet machine, and many times that on a busy one


def test_ctrl_c_loads_what_the_open_window_has_read(tmp_path: Path) -> None:
    """And a window that failed before is reported, and the loop goes on."""
    with LocalExchange(rate=RATE, sample_every=None) as exchange, looping(exchange, tmp_path) as loop:
        wait_for_a_long_window(exchange, loop, tmp_path)
        for connector in psutil.Process(loop.pid).children(recursive=True):
            connector.kill()
        wait_for(lambda: "What this window had read is lost" in output_of(tmp_path), loop, tmp_path)
        wait_for_a_long_window(exchange, loop, tmp_path)

        os.killpg(loop.pid, signal.SIGINT)
        loop.wait(DEADLINE)

        assert loop.returncode == 0, output_of(tmp_path)
    of_windows = loaded(tmp_path)
    rows = rows_of(tmp_path)
    assert of_windows[-1] > RATE * LONGER_THAN_A_WINDOW * 0.25  # half of what is pushed is of the other market
    assert len(rows) == sum(of_windows)
    assert [update for update, copies in Counter(rows).items() if copies > 1] == []
    assert set(rows) <= set(exchange.pushed)


def test_a_kill_costs_the_open_window_and_no_other(tmp_path: Path) -> None:
    with LocalExchange(rate=RATE, sample_every=None) as exchange, looping(exchange, tmp_path) as loop:
        wait_for_a_long_window(exchange, loop, tmp_path)
        of_windows = loaded(tmp_path)

        os.killpg(loop.pid, signal.SIGKILL)
        loop.wait(DEADLINE)

    assert loaded(tmp_path) == of_windows
    assert len(rows_of(tmp_path)) == sum(of_windows) > 0


def wait_for_a_long_window(exchange: LocalExchange, loop: subprocess.Popen[bytes], folder: Path) -> None:
    """Until two windows are loaded and another, of ten minutes, has been open for some seconds."""

    wait_for(lambda: len(loaded(folder)) >= 2, loop, folder)
    set_window(exchange, folder, 600)
    seen: dict[int, float] = {}

    def is_open_for_long() -> bool:
        now = time.monotonic()
        return any(now - seen.setdefault(id(each), now) > LONGER_THAN_A_WINDOW for each in exchange.connections)

    wait_for(is_open_for_long, loop, folder)


def wait_for(condition: Callable[[], bool], loop: subprocess.Popen[bytes], folder: Path) -> None:
    deadline = time.monotonic() + DEADLINE
    while not condition():
        assert loop.poll() is None, output_of(folder)
        assert time.monotonic() < deadline, output_of(folder)
        time.sleep(0.1)


def set_window(exchange: LocalExchange, folder: Path, seconds: int) -> None:
    """How long the windows are that begin from now on."""
    write(folder / "bin", {"environment": exchange.environment(), "listen_seconds": seconds})


def loaded(folder: Path) -> list[int]:
    """How many updates each window so far has loaded, as the loop tells it."""
    return [int(count) for count in re.findall(r"^(\d+) updates loaded$", output_of(folder), re.MULTILINE)]


def rows_of(folder: Path) -> list[Row]:
    with duckdb_warehouse(folder / "market.duckdb") as warehouse:
        return warehouse.query("SELECT symbol, u FROM book_tickers")


def output_of(folder: Path) -> str:
    return (folder / "output").read_text(encoding="utf-8", errors="replace")


@contextmanager
def looping(exchange: LocalExchange, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The loop of the docs after the code that makes its source and cache, in a process group of its own."""
    set_window(exchange, folder, WINDOW_SECONDS)
    setup, reads = code_of_docs(DUCKDB).split("source.read", 1)
    assert "book_tickers" in reads
    (loop,) = [block.code for block in blocks_of(ROOT / "docs" / "warehouse.md") if "while not stops" in block.code]
    (folder / "loop.py").write_text(setup + loop, encoding="utf-8")
    variables = variables_without_proxies()
    variables["PATH"] = f"{folder / 'bin'}{os.pathsep}{variables.get('PATH', '')}"
    with (folder / "output").open("wb") as output:
        process = subprocess.Popen(
            [str(pyairbyte_python()), "loop.py"],
            cwd=folder,
            env=variables,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(DEADLINE)
