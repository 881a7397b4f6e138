"""An output that takes nothing: one line on stderr says so, and the exit code is 1."""

from __future__ import annotations

import json
import os
import select
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from local_exchange import LocalExchange

from .harness.connector import COMMAND, FULL_REFRESH, INCREMENTAL, ROOT, catalog, variables_without_proxies
from .harness.warm import CONNECTOR, warm_command

SAYS = "source-binance-futures: "
OUTPUTS = {
    # redirection of a shell -> what is said of it
    ">/dev/full": "The output cannot be written: No space left on device. Ending here.",
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
ENVIRONMENT = {**variables_without_proxies(), "PYTHONPATH": str(ROOT)}
WARNS = f"""
import sys, warnings
from source_binance_futures.source import SourceBinanceFutures
SourceBinanceFutures.discover = lambda *_: (warnings.warn("a stray warning"), sys.exit(3))
{CONNECTOR}
"""
IN_SO_MANY_BYTES = f"""
import resource, sys
most = int(sys.argv.pop(1))
resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
{CONNECTOR}
"""


@pytest.fixture(scope="module")
def exchange() -> Iterator[LocalExchange]:
    with LocalExchange(rate=500) as exchange:
        exchange.prices.update({f"X{number}USDT": ("1.5", 1) for number in range(2000)})  # more than a pipe holds
        yield exchange


@pytest.fixture
def folder(exchange: LocalExchange, tmp_path: Path) -> Path:
    """With the files that the commands name."""
    (tmp_path / "config").write_text(json.dumps({"environment": exchange.environment(), "listen_seconds": 3600}))
    (tmp_path / "catalog").write_text(json.dumps(catalog(INCREMENTAL, FULL_REFRESH)))
    return tmp_path


def shell(
    arguments: list[str], redirection: str, folder: Path, script: str = CONNECTOR
) -> subprocess.CompletedProcess[str]:
    """Runs the connector with its output redirected by a shell; the exit code is the connector's.

    Where there is no stdout it ends before anything is imported.
    """
    started = COMMAND if redirection == ">&-" else warm_command(script)
    line = f'set -o pipefail; "$@" {redirection}; exit ${{PIPESTATUS[0]}}'
    command = ["bash", "-c", line, "bash", *started, *arguments]
    return subprocess.run(
        command, cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, timeout=100, check=False
    )


@pytest.mark.parametrize("redirection", OUTPUTS)
@pytest.mark.parametrize("command", COMMANDS)
def test_an_output_that_takes_nothing(command: str, redirection: str, folder: Path) -> None:
    done = shell(COMMANDS[command], redirection, folder)
    if (command, redirection) == ("help", "| true") and not done.returncode:
        return  # a pipe takes so short a text before its reader has gone
    assert (done.returncode, done.stderr, done.stdout) == (1, f"{SAYS}{OUTPUTS[redirection]}\n", "")


def test_a_closed_stderr_is_no_place_to_write_to(folder: Path) -> None:
    """The next file or socket that is opened would get its number."""
    done = shell(COMMANDS["check"], "2>&-", folder)
    failed = shell(COMMANDS["check"], ">/dev/full 2>&-", folder)
    assert done.returncode == 0
    assert '"SUCCEEDED"' in done.stdout
    assert (failed.returncode, failed.stderr) == (1, "")


def test_what_python_itself_warns_of_goes_to_stderr(folder: Path) -> None:
    """The CDK lets stderr run into stdout, where every line is a message."""
    done = shell(COMMANDS["discover"], "", folder, WARNS)
    assert done.returncode == 3
    assert "a stray warning" in done.stderr
    assert [json.loads(line)["type"] for line in done.stdout.splitlines()]


def test_an_output_that_does_not_wait_is_waited_for(exchange: LocalExchange, folder: Path) -> None:
    """Some programs hand over a pipe in which no write waits; Python would end with a BlockingIOError."""
    (folder / "catalog").write_text(json.dumps(catalog("", FULL_REFRESH)))
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    command = [*warm_command(), *COMMANDS["read"]]
    process = subprocess.Popen(command, cwd=folder, env=ENVIRONMENT, stdout=writer, stderr=subprocess.PIPE)
    exchange.wait_for(lambda: not select.select([], [writer], [], 0)[1], 60)
    os.close(writer)
    guard = threading.Timer(60, process.kill)
    guard.start()
    with os.fdopen(reader, "rb") as pipe:
        rows = [line for line in pipe if b'"RECORD"' in line]
    guard.cancel()
    _, stderr = process.communicate(timeout=60)
    assert (process.returncode, stderr) == (0, b"")
    assert len(rows) == len(exchange.prices)


def test_a_last_line_that_finds_no_space(tmp_path: Path) -> None:
    """It is printed without a flush: what fails when Python ends is a stack trace."""

    def written(most: int) -> subprocess.CompletedProcess[str]:
        return shell([str(most), *COMMANDS["read"]], "> stdout", tmp_path, IN_SO_MANY_BYTES)  # its files are not there

    assert written(1 << 20).returncode == 1
    whole = (tmp_path / "stdout").read_bytes()
    last = whole.splitlines(keepends=True)[-1]
    assert json.loads(last)["type"] == "TRACE"
    done = written(len(whole) - len(last))
    assert (done.returncode, done.stderr) == (1, f"{SAYS}The output cannot be written: File too large. Ending here.\n")


def test_nobody_reads_any_more(folder: Path) -> None:
    """`read | head -1` ends soon, with a sentence."""
    done = shell(COMMANDS["read"], "| head -1", folder)
    assert done.returncode == 1
    assert done.stdout.startswith("{")
    assert done.stderr == f"{SAYS}{OUTPUTS['| true']}\n"
