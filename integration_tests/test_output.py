"""An output that takes nothing: one line on stderr says so, and the exit code is 1."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import orjson
import pytest

from local_exchange import LocalExchange

from .harness.connector import COMMAND, FULL_REFRESH, INCREMENTAL, ROOT, catalog

SAYS = "source-binance-futures: "
OUTPUTS = {
    # redirection of a shell -> what is said of it
    ">/dev/full": "The output cannot be written: there is no space left. Ending here.",
    ">&-": "There is no stdout to write to. Ending here.",
    "</dev/null >&0": "The output cannot be written: it is closed, or not open for writing. Ending here.",
    "| true": "The output cannot be written: nobody reads it any more. Ending here.",
}
COMMANDS = {
    "spec": ["spec"],
    "check": ["check", "--config", "config"],
    "discover": ["discover", "--config", "config"],
    "read": ["read", "--config", "config", "--catalog", "catalog"],
    "help": ["--help"],
}


def shell(arguments: list[str], redirection: str, folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Runs the connector with its output redirected by a shell; the exit code is the connector's."""
    line = f'set -o pipefail; "$@" {redirection}; exit ${{PIPESTATUS[0]}}'
    return subprocess.run(
        ["bash", "-c", line, "bash", *COMMAND, *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), **variables},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str], subprocess.CompletedProcess[str]]:
    """Every command with every output, begun at once and a few at a time."""
    folder = tmp_path_factory.mktemp("outputs")
    with LocalExchange(rate=500) as exchange, ThreadPoolExecutor(3) as pool:
        (folder / "config").write_bytes(
            orjson.dumps({"environment": exchange.environment(), "listen_seconds": 3600, "price_symbols": ["BTCUSDT"]})
        )
        (folder / "catalog").write_bytes(orjson.dumps(catalog(INCREMENTAL, FULL_REFRESH)))
        futures = {
            (command, redirection): pool.submit(shell, arguments, redirection, folder)
            for command, arguments in COMMANDS.items()
            for redirection in OUTPUTS
        }
        results = {key: future.result(120) for key, future in futures.items()}
    return lambda command, redirection: results[command, redirection]


@pytest.mark.parametrize("redirection", OUTPUTS)
@pytest.mark.parametrize("command", COMMANDS)
def test_an_output_that_takes_nothing(
    command: str, redirection: str, ended: Callable[[str, str], subprocess.CompletedProcess[str]]
) -> None:
    done = ended(command, redirection)
    if (command, redirection) == ("help", "| true") and not done.returncode:
        return  # a pipe takes so short a text before its reader has gone
    assert (done.returncode, done.stderr, done.stdout) == (1, f"{SAYS}{OUTPUTS[redirection]}\n", "")


def test_a_closed_stderr_is_no_place_to_write_to(tmp_path: Path) -> None:
    """The next file or socket that is opened would get its number."""
    with LocalExchange(rate=500) as exchange:
        (tmp_path / "config").write_bytes(orjson.dumps({"environment": exchange.environment()}))
        done = shell(COMMANDS["check"], "2>&-", tmp_path)
        failed = shell(COMMANDS["check"], ">/dev/full 2>&-", tmp_path)
        unread = list(exchange.requests)
    assert done.returncode == 0
    assert '"SUCCEEDED"' in done.stdout
    assert (failed.returncode, failed.stderr) == (1, "")
    assert len(unread) <= 2


def test_what_python_itself_warns_of_goes_to_stderr(tmp_path: Path) -> None:
    """The CDK lets stderr run into stdout, where every line is a message."""
    code = """
import sys, warnings
from source_binance_futures.source import SourceBinanceFutures
SourceBinanceFutures.discover = lambda *_: (warnings.warn("a stray warning"), sys.exit(3))
from source_binance_futures.cli import run
run()
"""
    (tmp_path / "config").write_text("{}")
    done = subprocess.run(
        [sys.executable, "-c", code, *COMMANDS["discover"]],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 3
    assert "a stray warning" in done.stderr
    assert [orjson.loads(line)["type"] for line in done.stdout.splitlines()]


def test_an_output_that_does_not_wait_is_waited_for(tmp_path: Path) -> None:
    """Some programs hand over a pipe in which no write waits; Python would end with a BlockingIOError."""
    import threading
    import time

    with LocalExchange(rate=0) as exchange:
        exchange.prices.update({f"X{number}USDT": ("1.5", 1) for number in range(2000)})
        (tmp_path / "config").write_bytes(orjson.dumps({"environment": exchange.environment()}))
        (tmp_path / "catalog").write_bytes(orjson.dumps(catalog("", FULL_REFRESH)))
        reader, writer = os.pipe()
        os.set_blocking(writer, False)
        process = subprocess.Popen(
            [*COMMAND, *COMMANDS["read"]],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=writer,
            stderr=subprocess.PIPE,
        )
        os.close(writer)
        exchange.wait_for(lambda: exchange.requests, 60)
        time.sleep(1)
        timer = threading.Timer(60, process.kill)
        timer.start()
        with os.fdopen(reader, "rb") as pipe:
            rows = [line for line in pipe if b'"RECORD"' in line]
        timer.cancel()
        _, stderr = process.communicate(timeout=60)
    assert (process.returncode, stderr) == (0, b"")
    assert len(rows) == len(exchange.prices)


def test_a_last_line_that_finds_no_space(tmp_path: Path) -> None:
    """It is printed without a flush: what fails when Python ends is a stack trace."""
    code = """
import resource, sys
most = int(sys.argv.pop(1))
resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
from source_binance_futures.cli import run
run()
"""

    def written(most: int) -> tuple[bytes, int, bytes]:
        arguments = [sys.executable, "-c", code, str(most), *COMMANDS["read"]]  # its files are not there
        with (tmp_path / "stdout").open("wb") as stdout:
            done = subprocess.run(
                arguments,
                cwd=tmp_path,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
                stdout=stdout,
                stderr=subprocess.PIPE,
                timeout=60,
                check=False,
            )
        return (tmp_path / "stdout").read_bytes(), done.returncode, done.stderr

    whole, code_of_failure, _ = written(1 << 20)
    assert code_of_failure == 1
    lines = whole.splitlines(keepends=True)
    assert orjson.loads(lines[-1])["type"] == "TRACE"
    _, exit_code, stderr = written(len(whole) - len(lines[-1]))
    assert (exit_code, stderr) == (
        1,
        f"{SAYS}The output cannot be written: File too large. Ending here.\n".encode(),
    )
