"""SIGINT and SIGTERM from the first moment on: before anything of the CDK is there, and in the middle of a command."""

from __future__ import annotations

import functools
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path

import pytest

from local_exchange import LocalExchange

from .harness.connector import FULL_REFRESH, INCREMENTAL, ROOT, Connector, Output, Running, side_by_side

pytestmark = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="no /proc to see a handler in")

SIGNALS = (signal.SIGINT, signal.SIGTERM)
SCRIPT = (str(Path(sys.executable).with_name("source-binance-futures")),)
NOWHERE = {
    "environment": {
        "name": "custom",
        "market_stream_url": "ws://127.0.0.1:9",
        "websocket_api_url": "ws://127.0.0.1:9/ws-fapi/v1",
    },
    "listen_seconds": 3600,
}


def obeys(running: Running) -> bool:
    """Whether the process has a handler for SIGTERM, which Python itself has not."""
    status = Path(f"/proc/{running.process.pid}/status").read_text()
    (caught,) = [line.split()[1] for line in status.splitlines() if line.startswith("SigCgt:")]
    return bool(int(caught, 16) & 1 << (signal.SIGTERM - 1))


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
JOBS["check SIGTERM"] = functools.partial(other, "check", signal.SIGTERM)


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Future[Output]]]:
    with side_by_side(tmp_path_factory.mktemp("signals"), JOBS) as futures:
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
    assert output.seconds < 30, "and not after an hour"


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


@pytest.mark.parametrize("what", ["spec SIGINT", "spec SIGTERM", "check SIGTERM"])
def test_a_command_without_an_answer_is_no_success(what: str, outputs: dict[str, Future[Output]]) -> None:
    """Its exit code is what a shell tells of a command that was interrupted."""
    output = outputs[what].result(120)
    assert (output.exit_code, output.stdout, output.stderr) == (128 + signal.Signals[what.split()[1]], "", "")


def test_the_console_script_obeys_as_early(tmp_path: Path) -> None:
    with Connector(tmp_path, SCRIPT) as connector:
        running = connector.start_read(NOWHERE, book_tickers=INCREMENTAL)
        interrupt_early(running, signal.SIGTERM)
        output = running.finish()
    assert (output.exit_code, output.stderr) == (0, "")


@pytest.mark.parametrize("pause", [0, 0.05])
def test_a_second_signal_ends_it_at_once(connector: Connector, pause: float) -> None:
    """Also one of the same moment, which finds the first not yet heard."""
    running = connector.start_read(NOWHERE, book_tickers=INCREMENTAL)
    interrupt_early(running, signal.SIGINT)
    time.sleep(pause)
    running.process.send_signal(signal.SIGTERM)
    output = running.finish()
    assert (output.exit_code, output.stdout, output.stderr) == (-signal.SIGTERM, "", "")


def test_a_check_under_way_is_interrupted_without_a_trace(connector: Connector, tmp_path: Path) -> None:
    with LocalExchange(rate=0) as exchange:
        config = {"environment": exchange.environment()}
        running = connector.start("check", config, variables={"TMPDIR": str(tmp_path)})
        exchange.wait_for(lambda: exchange.connections, 60)
        time.sleep(0.3)
        running.process.send_signal(signal.SIGINT)
        output = running.finish()
    assert (output.exit_code, output.stderr) == (128 + signal.SIGINT, "")
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
        assert done.stderr.splitlines()[:2] == ["SIGINT False", "SIGTERM False"]
