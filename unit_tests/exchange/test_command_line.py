"""`python -m local_exchange`, as a person starts it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys

import pytest

from .clients import ALL, ROOT, WAIT, connect


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_command_line(number: signal.Signals) -> None:
    command = [sys.executable, "-m", "local_exchange", "--port", "0", "--rate", "100"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(4)]
        environment = json.loads(lines[3].partition("Configuration:")[2])["environment"]
        with connect(environment["market_stream_url"] + ALL) as client:
            assert json.loads(client.recv(WAIT))["e"] == "bookTicker"
        process.send_signal(number)
        output, _ = process.communicate(timeout=WAIT)
    assert output == "The exchange is closed.\n"
    assert process.returncode == 0


def test_the_command_line_says_what_it_cannot_open() -> None:
    command = [sys.executable, "-m", "local_exchange", "--port", "0", "--recording", "no-such-file"]
    process = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=WAIT, check=False)
    assert process.returncode == 1
    assert process.stderr.startswith("The exchange cannot open: ")
    assert "no-such-file" in process.stderr
    assert "Traceback" not in process.stderr
