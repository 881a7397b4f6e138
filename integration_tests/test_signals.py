"""Stop signals from the first moment on: before anything of the CDK is there, and in the middle of a command."""

from __future__ import annotations

import contextlib
import functools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path

import orjson
import pytest

from local_exchange import LocalExchange

from .harness.connector import (
    COMMAND,
    FULL_REFRESH,
    INCREMENTAL,
    ROOT,
    Connector,
    Output,
    Running,
    catalog,
    side_by_side,
)
from .harness.markdown import blocks_of

pytestmark = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="no /proc to see a handler in")

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
SCRIPT = (str(Path(sys.executable).with_name("source-binance-futures")),)
NOWHERE = {
    "environment": {
        "name": "custom",
        "market_stream_url": "ws://127.0.0.1:9",
        "websocket_api_url": "ws://127.0.0.1:9/ws-fapi/v1",
    },
    "listen_seconds": 3600,
}


def signals_of(running: Running, what: str) -> int:
    """The signals that the process has caught (SigCgt) or ignored (SigIgn), a bit each."""
    status = Path(f"/proc/{running.process.pid}/status").read_text()
    (found,) = [line.split()[1] for line in status.splitlines() if line.startswith(f"{what}:")]
    return int(found, 16)


@pytest.fixture
def connector(cold_connector: Connector) -> Connector:
    return cold_connector


def obeys(running: Running) -> bool:
    """Whether the process has handlers for SIGTERM and, unless that is ignored, SIGHUP, which Python itself has not."""
    handled = signals_of(running, "SigCgt") | signals_of(running, "SigIgn")
    return all(handled & 1 << (number - 1) for number in (signal.SIGTERM, signal.SIGHUP))


def interrupt_early(running: Running, number: signal.Signals) -> None:
    """Sends the signal as soon as it is obeyed, which is before the process has anything to say."""
    running.wait_for(lambda: obeys(running))
    assert not running.count("{"), "that was too late for a test of the first seconds"
    running.process.send_signal(number)


def read(number: signal.Signals, connector: Connector) -> Output:
    running = connector.start_read(NOWHERE, book_tickers=INCREMENTAL)
    interrupt_early(running, number)
    return running.finish()


def read_prices(number: signal.Signals, connector: Connector) -> Output:
    running = connector.start_read(NOWHERE, symbol_prices=FULL_REFRESH)
    interrupt_early(running, number)
    return running.finish()


def other(command: str, number: signal.Signals, connector: Connector) -> Output:
    running = connector.start(command, None if command == "spec" else NOWHERE)
    interrupt_early(running, number)
    return running.finish()


JOBS: dict[str, Callable[[Connector], Output]] = {
    f"{what} {number.name}": functools.partial(job, number)
    for number in SIGNALS
    for what, job in (("read", read), ("prices", read_prices), ("spec", functools.partial(other, "spec")))
}
JOBS |= {f"{command} SIGTERM": functools.partial(other, command, signal.SIGTERM) for command in ("check", "discover")}


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Future[Output]]]:
    with side_by_side(tmp_path_factory.mktemp("signals"), JOBS, command=COMMAND) as futures:
        yield futures


@pytest.mark.parametrize("number", SIGNALS)
def test_a_sync_that_has_not_begun_ends_in_good_order(
    number: signal.Signals, outputs: dict[str, Future[Output]]
) -> None:
    output = outputs[f"read {number.name}"].result(120)
    assert (output.exit_code, output.stderr) == (0, "")
    assert output.is_plain
    assert output.statuses("book_tickers") == ["STARTED", "COMPLETE"]
    assert output.states


@pytest.mark.parametrize("number", SIGNALS)
def test_prices_that_were_not_asked_for_are_incomplete(
    number: signal.Signals, outputs: dict[str, Future[Output]]
) -> None:
    """A full table must not be replaced by an empty one."""
    output = outputs[f"prices {number.name}"].result(120)
    assert (output.exit_code, output.stderr) == (1, "")
    assert output.is_plain
    assert output.statuses("symbol_prices") == ["STARTED", "INCOMPLETE"]
    assert "asked to stop" in output.errors[0]["message"]


@pytest.mark.parametrize("what", [what for what in JOBS if what.split()[0] in ("spec", "check", "discover")])
def test_a_command_without_an_answer_is_ended_by_the_signal(what: str, outputs: dict[str, Future[Output]]) -> None:
    """As if nothing had caught it: PyAirbyte ends `discover` with SIGTERM, and takes 0 or -15 of it."""
    output = outputs[what].result(120)
    assert (output.exit_code, output.stdout, output.stderr) == (-signal.Signals[what.split()[1]], "", "")


def test_the_console_script_obeys_as_early(tmp_path: Path) -> None:
    with Connector(tmp_path, SCRIPT) as connector:
        running = connector.start_read(NOWHERE, book_tickers=INCREMENTAL)
        interrupt_early(running, signal.SIGTERM)
        output = running.finish()
    assert (output.exit_code, output.stderr) == (0, "")


@pytest.mark.parametrize("second", SIGNALS)
def test_a_stop_that_comes_twice_at_once_is_one(connector: Connector, second: signal.Signals) -> None:
    """A wrapper and the process group send it within milliseconds, of one kind or of two."""
    running = connector.start_read(NOWHERE, book_tickers=INCREMENTAL)
    interrupt_early(running, signal.SIGTERM)
    running.process.send_signal(second)
    output = running.finish()
    assert (output.exit_code, output.stderr) == (0, "")
    assert output.states


def test_a_later_signal_ends_it_at_once(cold_connector: Connector) -> None:
    """Nobody reads its output, so the first one cannot have ended it."""
    with LocalExchange(rate=0) as exchange:
        exchange.prices.update({f"X{number}USDT": ("1.5", 1) for number in range(3000)})
        config = {"environment": exchange.environment()}
        running = cold_connector.start_read(config, symbol_prices=FULL_REFRESH, blocked=True)
        running.wait_for(running.is_blocked)
        running.process.send_signal(signal.SIGINT)
        time.sleep(1.1)  # a second one counts from a second on
        running.process.send_signal(signal.SIGTERM)
        assert running.process.wait(60) == -signal.SIGTERM


def test_under_nohup_a_closed_terminal_is_none(tmp_path: Path) -> None:
    with Connector(tmp_path, ("nohup", *COMMAND)) as connector:
        running = connector.start_read(NOWHERE, book_tickers=INCREMENTAL)
        running.wait_for(lambda: obeys(running))
        ignored = signals_of(running, "SigIgn")
        interrupt_early(running, signal.SIGTERM)
        assert running.finish().exit_code == 0
    assert ignored & 1 << (signal.SIGHUP - 1)


def test_ctrl_c_reaches_a_whole_pipeline_and_the_state_is_written(tmp_path: Path) -> None:
    """A terminal sends it to everything that was started on it: here the command of README, word for word."""
    (shown,) = [block for block in blocks_of(ROOT / "README.md") if "| tee " in block.code or "; tee " in block.code]
    script = tmp_path / "bin" / "source-binance-futures"
    script.parent.mkdir()
    script.write_text(f'#!/bin/sh\nexec {" ".join(COMMAND)} "$@"\n')
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
            os.killpg(pipeline.pid, signal.SIGINT)
            pipeline.wait(60)
            # A shell that was interrupted does not wait for the rest of its pipeline.
            exchange.wait_for(lambda: b"Captured " in (tmp_path / "shown").read_bytes(), 60)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(pipeline.pid, signal.SIGKILL)
    messages = [orjson.loads(line) for line in sync.read_bytes().splitlines()]
    newest = {
        (message["record"]["data"]["symbol"]): message["record"]["data"]["u"]
        for message in messages
        if message["type"] == "RECORD"
    }
    states = [message["state"]["stream"]["stream_state"] for message in messages if message["type"] == "STATE"]
    assert states[-1]["u"] == newest


def test_a_check_under_way_is_interrupted_without_a_trace(connector: Connector, tmp_path: Path) -> None:
    with LocalExchange(rate=0) as exchange:
        config = {"environment": exchange.environment()}
        running = connector.start("check", config, variables={"TMPDIR": str(tmp_path)})
        exchange.wait_for(lambda: exchange.connections, 60)
        time.sleep(0.3)
        running.process.send_signal(signal.SIGINT)
        output = running.finish()
    assert (output.exit_code, output.stderr) == (-signal.SIGINT, "")
    assert output.is_plain
    assert not output.of_type("CONNECTION_STATUS")
    assert [path.name for path in tmp_path.iterdir()] == ["connector"], "the CDK's temporary folder was left behind"


def test_nothing_heavy_is_imported_before_signals_are_obeyed() -> None:
    code = "import source_binance_futures.cli, sys; print([name for name in sys.modules if name in sys.argv])"
    heavy = ["airbyte_cdk", "orjson", "jsonschema", "websocket", "ssl", "asyncio", "requests"]
    loaded = subprocess.run(
        [sys.executable, "-c", code, *heavy], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )
    assert loaded.stdout == "[]\n"


def test_nothing_heavy_is_imported_by_the_command_before_signals_are_obeyed() -> None:
    code = """
import signal, sys
from source_binance_futures.cli import run
handle = signal.signal
def watched(number, act):
    print(number.name, "airbyte_cdk" in sys.modules, file=sys.stderr)
    return handle(number, act)
signal.signal = watched
run()
"""
    for command in (["spec"], ["read", "--config", "none", "--catalog", "none"]):
        arguments = [sys.executable, "-c", code, *command]
        done = subprocess.run(arguments, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
        assert done.stderr.splitlines()[:3] == ["SIGINT False", "SIGTERM False", "SIGHUP False"]
