"""The watchdog exits if stdout stays blocked after the sync should have ended; a sync that goes on waits for ever."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from local_exchange import LocalExchange

from .harness.capturing import EVERY_COIN_M
from .harness.connector import FULL_REFRESH, INCREMENTAL, ROOT, Connector, Running, catalog

PATIENCE = 2.0
# The real patience is a minute; what comes of it is the same after two seconds.
IMPATIENT = (
    sys.executable,
    "-c",
    f"from source_binance_futures import cli, output; output.PATIENCE = {PATIENCE}; cli.run()",
)
SAID = "source-binance-futures: No byte could be written for 2 seconds, and the sync {} before that. Ending here.\n"
SHOULD_HAVE_ENDED = SAID.format("should have ended")


@pytest.fixture
def impatient(tmp_path: Path) -> Iterator[Connector]:
    with Connector(tmp_path / "connector", IMPATIENT) as connector:
        yield connector


@pytest.fixture
def exchange() -> Iterator[LocalExchange]:
    """Its prices are more than a pipe holds."""
    with LocalExchange(rate=3000) as exchange:
        exchange.prices.update({f"X{number}USDT": ("1.5", 1) for number in range(3000)})
        yield exchange


def stderr_of(tmp_path: Path) -> str:
    return (tmp_path / "connector" / "0-read" / "stderr").read_text()


def lines(running: Running, most: int | None = None) -> list[dict[str, Any]]:
    """What the process writes from now on, to its end or up to so many lines."""
    assert running.process.stdout
    found = []
    for line in running.process.stdout:
        found.append(orjson.loads(line))
        if len(found) == most:
            break
    return found


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="no /proc to look at the stdout of a process")
@pytest.mark.parametrize("ended_by", ["the window", "a stop signal"])
def test_the_process_does_not_outlive_its_window_where_nobody_reads(
    impatient: Connector, exchange: LocalExchange, tmp_path: Path, ended_by: str
) -> None:
    seconds = 5 if ended_by == "the window" else 3600
    config = {"environment": exchange.environment(), "listen_seconds": seconds, "book_ticker_symbols": EVERY_COIN_M}
    running = impatient.start_read(config, book_tickers=INCREMENTAL, blocked=True)
    over_at = exchange.wait_for(lambda: exchange.connections, 60)[0].opened_at + seconds
    why = "should have ended"
    if ended_by == "a stop signal":
        running.wait_for(running.is_blocked)
        time.sleep(0.5)  # so that more has arrived than the last page of the pipe could still take
        running.process.send_signal(signal.SIGTERM)
        over_at, why = time.monotonic(), "was asked to stop"
    code = running.process.wait(60)
    assert code == 1
    assert time.monotonic() - over_at > PATIENCE - 0.5
    assert stderr_of(tmp_path) == SAID.format(why)


def test_prices_that_nobody_takes_end_after_a_while(
    impatient: Connector, exchange: LocalExchange, tmp_path: Path
) -> None:
    running = impatient.start_read({"environment": exchange.environment()}, symbol_prices=FULL_REFRESH, blocked=True)
    assert running.process.wait(60) == 1
    assert stderr_of(tmp_path) == SHOULD_HAVE_ENDED


def test_before_and_within_the_window_a_destination_may_take_its_time(
    impatient: Connector, exchange: LocalExchange, tmp_path: Path
) -> None:
    """It does not read while prices are written, nor for some seconds of the window, each time beyond the patience."""
    config = {"environment": exchange.environment(), "listen_seconds": 3600}
    running = impatient.start_read(config, symbol_prices=FULL_REFRESH, book_tickers=INCREMENTAL, blocked=True)
    for _ in ("prices", "the window"):
        running.wait_for(running.is_blocked)
        time.sleep(PATIENCE + 2.5)
        assert running.process.poll() is None, stderr_of(tmp_path)
        lines(running, len(exchange.prices))
    running.process.send_signal(signal.SIGTERM)
    messages = lines(running)
    assert running.process.wait(60) == 0
    assert [message for message in messages if message["type"] == "STATE"]
    assert stderr_of(tmp_path) == ""


def test_a_slow_reader_is_not_one_that_does_not_read(
    impatient: Connector, exchange: LocalExchange, tmp_path: Path
) -> None:
    running = impatient.start_read({"environment": exchange.environment()}, symbol_prices=FULL_REFRESH, blocked=True)
    exchange.wait_for(lambda: exchange.requests, 60)
    assert running.process.stdout
    descriptor = running.process.stdout.fileno()
    began = time.monotonic()
    said = b""
    while time.monotonic() < began + 3 * PATIENCE:
        said += os.read(descriptor, 4096)
        time.sleep(0.25)
    while piece := os.read(descriptor, 65536):
        said += piece
    assert running.process.wait(60) == 0, stderr_of(tmp_path)
    rows = [line for line in said.splitlines() if orjson.loads(line)["type"] == "RECORD"]
    assert len(rows) == len(exchange.prices)


def test_a_stderr_that_is_the_same_blocked_pipe_does_not_hold_it(tmp_path: Path, exchange: LocalExchange) -> None:
    (tmp_path / "config").write_bytes(orjson.dumps({"environment": exchange.environment()}))
    (tmp_path / "catalog").write_bytes(orjson.dumps(catalog("", FULL_REFRESH)))
    arguments = [*IMPATIENT, "read", "--config", str(tmp_path / "config"), "--catalog", str(tmp_path / "catalog")]
    reader, writer = os.pipe()
    process = subprocess.Popen(arguments, cwd=ROOT, stdout=writer, stderr=writer)
    filler = os.open(f"/proc/self/fd/{writer}", os.O_WRONLY | os.O_NONBLOCK)
    try:
        exchange.wait_for(lambda: exchange.requests and not select.select([], [writer], [], 0)[1], 60)
        with contextlib.suppress(BlockingIOError):  # a write that waits for more leaves the rest of the last page
            while True:
                os.write(filler, b" ")
        assert process.wait(30) == 1
    finally:
        process.kill()
        process.wait()
        for descriptor in (reader, writer, filler):
            os.close(descriptor)
