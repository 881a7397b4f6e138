"""Stop signals from the first moment on: before anything of the CDK is there, and in the middle of a command."""

from __future__ import annotations

import contextlib
import functools
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path

import orjson
import pytest

from local_exchange import LocalExchange

from .harness.capturing import Capture
from .harness.connector import (
    COMMAND,
    FULL_REFRESH,
    INCREMENTAL,
    ROOT,
    Connector,
    Output,
    Running,
    catalog,
    environment_at,
    side_by_side,
)
from .harness.markdown import blocks_of
from .harness.warm import warm_command

pytestmark = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="no /proc to see a handler in")

SIGINT, SIGTERM, SIGHUP = signal.SIGINT, signal.SIGTERM, signal.SIGHUP
SCRIPT = (str(Path(sys.executable).with_name("source-binance-futures")),)
NOWHERE = {"environment": environment_at(), "listen_seconds": 3600}


def signals_of(running: Running, what: str) -> int:
    """The signals that the process has caught (SigCgt) or ignored (SigIgn), a bit each."""
    status = Path(f"/proc/{running.process.pid}/status").read_text()
    (found,) = [line.split()[1] for line in status.splitlines() if line.startswith(f"{what}:")]
    return int(found, 16)


def obeys(running: Running) -> bool:
    """Whether the process has handlers for SIGTERM and, unless that is ignored, SIGHUP, which Python itself has not."""
    handled = signals_of(running, "SigCgt") | signals_of(running, "SigIgn")
    return all(handled & 1 << (number - 1) for number in (SIGTERM, SIGHUP))


def early(
    what: str, numbers: tuple[signal.Signals, ...], command: tuple[str, ...], connector: Connector
) -> tuple[Output, int]:
    """A cold start that gets signals as soon as it obeys them, before it says anything; and those that it ignores."""
    with Connector(connector.folder, command) as cold:
        if what in ("book_tickers", "symbol_prices"):
            mode = {what: INCREMENTAL if what == "book_tickers" else FULL_REFRESH}
            running = cold.start_read(NOWHERE, **mode)
        else:
            running = cold.start(what, None if what == "spec" else NOWHERE)
        running.wait_for(lambda: obeys(running))
        assert not running.count("{"), "that was too late for a test of the first seconds"
        ignored = signals_of(running, "SigIgn")
        for number in numbers:
            running.process.send_signal(number)
        return running.finish(), ignored


STARTS: dict[str, tuple[str, tuple[signal.Signals, ...], tuple[str, ...]]] = {
    "read": ("book_tickers", (SIGINT,), COMMAND),
    # A wrapper and the process group send it within milliseconds, of one kind or of two.
    "twice": ("book_tickers", (SIGTERM, SIGHUP), COMMAND),
    "console script": ("book_tickers", (SIGTERM,), SCRIPT),
    "nohup": ("book_tickers", (SIGTERM,), ("nohup", *COMMAND)),
    "prices": ("symbol_prices", (SIGTERM,), COMMAND),
    "spec": ("spec", (SIGINT,), COMMAND),
    "check": ("check", (SIGTERM,), COMMAND),
    "discover": ("discover", (SIGHUP,), COMMAND),
}


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Future[tuple[Output, int]]]]:
    jobs = {name: functools.partial(early, *start) for name, start in STARTS.items()}
    with side_by_side(tmp_path_factory.mktemp("signals"), jobs) as futures:
        yield futures


@pytest.mark.parametrize("name", ["read", "twice", "console script", "nohup"])
def test_a_sync_that_has_not_begun_ends_in_good_order(
    name: str, outputs: dict[str, Future[tuple[Output, int]]]
) -> None:
    output, ignored = outputs[name].result(120)
    assert (output.exit_code, output.stderr) == (0, "")
    assert output.is_plain
    assert output.statuses("book_tickers") == ["STARTED", "COMPLETE"]
    assert output.states
    assert bool(ignored & 1 << (SIGHUP - 1)) is (name == "nohup"), "there a closed terminal is none"


def test_prices_that_were_not_asked_for_are_incomplete(outputs: dict[str, Future[tuple[Output, int]]]) -> None:
    """A full table must not be replaced by an empty one."""
    output, _ = outputs["prices"].result(120)
    assert (output.exit_code, output.stderr) == (1, "")
    assert output.is_plain
    assert output.statuses("symbol_prices") == ["STARTED", "INCOMPLETE"]
    assert "asked to stop" in output.errors[0]["message"]


@pytest.mark.parametrize(("command", "number"), [("spec", SIGINT), ("check", SIGTERM), ("discover", SIGHUP)])
def test_a_command_without_an_answer_is_ended_by_the_signal(
    command: str, number: signal.Signals, outputs: dict[str, Future[tuple[Output, int]]]
) -> None:
    """As if nothing had caught it: PyAirbyte ends `discover` with SIGTERM, and takes 0 or -15 of it."""
    output, _ = outputs[command].result(120)
    assert (output.exit_code, output.stdout, output.stderr) == (-number, "", "")


def test_a_later_signal_ends_it_at_once(connector: Connector) -> None:
    """Nobody reads its output, so the first one cannot have ended it."""
    with LocalExchange(rate=0) as exchange:
        exchange.prices.update({f"X{number}USDT": ("1.5", 1) for number in range(3000)})
        config = {"environment": exchange.environment()}
        running = connector.start_read(config, symbol_prices=FULL_REFRESH, blocked=True)
        running.wait_for(running.is_blocked)
        running.process.send_signal(SIGINT)
        time.sleep(1.1)  # a second one counts from a second on
        running.process.send_signal(SIGTERM)
        assert running.process.wait(60) == -SIGTERM


def test_a_stop_signal_in_the_middle_of_a_blocked_write_cuts_nothing_off(cold_connector: Connector) -> None:
    """What the state covers has been written. Python without buffers drops the rest of an interrupted write."""
    with LocalExchange(rate=3000, mix_usds_margined=False) as exchange:
        capture = Capture(cold_connector, exchange, standby=False, variables={"PYTHONUNBUFFERED": "1"})
        capture.wait_for(capture.running.is_blocked)
        capture.running.process.send_signal(SIGTERM)
        capture.begin_to_read()
        capture.end()
    assert capture.account.received > 100
    assert capture.account.sums == (0, 0, 0, 0)
    assert capture.last_state["u"] == capture.newest
    assert capture.exit_code == 0


def test_ctrl_c_reaches_a_whole_pipeline_and_the_state_is_written(tmp_path: Path) -> None:
    """A terminal sends it to everything that was started on it: here the command of README, word for word."""
    (shown,) = [block for block in blocks_of(ROOT / "README.md") if "| tee " in block.code or "; tee " in block.code]
    script = tmp_path / "bin" / "source-binance-futures"
    script.parent.mkdir()
    script.write_text(f'#!/bin/sh\nexec {shlex.join(warm_command())} "$@"\n')
    script.chmod(0o755)
    with LocalExchange(rate=50) as exchange:
        config = {"environment": exchange.environment(), "listen_seconds": 3600}
        (tmp_path / "config.json").write_bytes(orjson.dumps(config))
        (tmp_path / "catalog.json").write_bytes(orjson.dumps(catalog(INCREMENTAL)))
        sync = tmp_path / "sync.jsonl"
        variables = {**os.environ, "PATH": f"{script.parent}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}
        with (tmp_path / "shown").open("wb") as log:
            pipeline = subprocess.Popen(
                ["bash", "-c", shown.code], cwd=tmp_path, env=variables, stdout=log, start_new_session=True
            )
        try:
            exchange.wait_for(lambda: sync.exists() and b'"RECORD"' in sync.read_bytes(), 60)
            os.killpg(pipeline.pid, SIGINT)
            pipeline.wait(60)
            # A shell that was interrupted does not wait for the rest of its pipeline.
            exchange.wait_for(lambda: b"Captured " in (tmp_path / "shown").read_bytes(), 60)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(pipeline.pid, signal.SIGKILL)
    messages = [orjson.loads(line) for line in sync.read_bytes().splitlines()]
    rows = [message["record"]["data"] for message in messages if message["type"] == "RECORD"]
    states = [message["state"]["stream"]["stream_state"] for message in messages if message["type"] == "STATE"]
    assert states[-1]["u"] == {row["symbol"]: row["u"] for row in rows}


def test_a_check_under_way_is_interrupted_without_a_trace(connector: Connector, tmp_path: Path) -> None:
    with LocalExchange(rate=0) as exchange:
        config = {"environment": exchange.environment()}
        running = connector.start("check", config, variables={"TMPDIR": str(tmp_path)})
        exchange.wait_for(lambda: exchange.connections and exchange.requests, 60)
        running.process.send_signal(SIGINT)
        output = running.finish()
    assert (output.exit_code, output.stderr) == (-SIGINT, "")
    assert output.is_plain
    assert not output.of_type("CONNECTION_STATUS")
    assert [path.name for path in tmp_path.iterdir()] == ["connector"], "the CDK's temporary folder was left behind"


def test_nothing_heavy_is_imported_before_signals_are_obeyed() -> None:
    code = """
import os, signal, sys
from source_binance_futures.cli import run
heavy = {"airbyte_cdk", "orjson", "jsonschema", "websocket", "ssl", "asyncio", "requests"}
def watched(number, act):
    print(number.name, heavy.intersection(sys.modules), flush=True)
    if number == signal.SIGTERM:
        os._exit(0)
signal.signal = watched
run(["read", "--config", "none", "--catalog", "none"])
"""
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "SIGINT set()\nSIGTERM set()\n"
