"""`make live` as a process against the local exchange: what it prints and writes, and how it ends.

What it expects of Binance is tested without a clock: see unit_tests/live.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from local_exchange import LocalExchange
from source_binance_futures.live.expectations import EXPECTATIONS

from .harness.connector import DEADLINE

ROOT = Path(__file__).resolve().parents[1]
LIVE = (sys.executable, "-m", "source_binance_futures.live")
SHORT, LONG = "0.05", "60"  # minutes: three seconds, and one that ends by itself or by a signal


def listed(**options: Any) -> LocalExchange:
    chosen: dict[str, Any] = {"rate": 100, "coin_m_symbols": ["BTCUSD_PERP"], "usds_m_symbols": ["BTCUSDT"]}
    return LocalExchange(**chosen | options)


@pytest.fixture
def exchange() -> Iterator[LocalExchange]:
    with listed() as exchange:
        yield exchange


def command(exchange: LocalExchange, minutes: str, folder: Path) -> list[str]:
    environment = exchange.environment(usds_margined=True)
    addresses = [f"--{key.replace('_', '-')}={value}" for key, value in environment.items() if key != "name"]
    return [*LIVE, *addresses, "--minutes", minutes, "--folder", str(folder)]


def run(words: list[str], **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        words, cwd=ROOT, env=os.environ | variables, capture_output=True, text=True, timeout=DEADLINE * 3, check=False
    )


def test_it_prints_80_columns_and_writes_what_can_be_handed_back(exchange: LocalExchange, tmp_path: Path) -> None:
    local = [*LIVE, "--environment", "local", "--port", str(exchange.port), "--minutes", SHORT]
    output = run([*local, "--folder", str(tmp_path / "live")])
    assert output.returncode == 0, output.stderr
    assert exchange.weight.spent < 50
    assert len(exchange.handshakes) < 10
    page = (tmp_path / "live" / "report.md").read_text(encoding="utf-8")
    file = (tmp_path / "live" / "report.json").read_text(encoding="utf-8")
    shown = output.stdout[: output.stdout.index(str(tmp_path))].strip("\n")
    assert max(map(len, shown.split("\n"))) <= 80
    assert f"Of {len(EXPECTATIONS)} expectations" in shown
    assert f"```text\n{shown}\n```" in page
    assert len(json.loads(file)["expectations"]) == len(EXPECTATIONS)
    for text in (page, file):
        for of_the_user in ("127.0.0.1", str(exchange.port), str(tmp_path), sys.platform, socket.gethostname()):
            assert of_the_user not in text


def test_ctrl_c_ends_it_with_what_it_has(exchange: LocalExchange, tmp_path: Path) -> None:
    words = command(exchange, LONG, tmp_path)
    with subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            exchange.wait_for(lambda: len(exchange.requests) >= 5, DEADLINE)
            process.send_signal(signal.SIGINT)
            stdout, stderr = process.communicate(timeout=DEADLINE)
        finally:
            process.kill()
    assert process.returncode == 0, stderr
    assert f"Of {len(EXPECTATIONS)} expectations" in stdout
    assert "Traceback" not in stderr
    assert "stopped early" in (tmp_path / "report.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("status", "says"),
    [
        (451, "451. Binance does not serve the country or network that this machine is in. Run the connector where"),
        (
            403,
            "403. If this lasts, wait some minutes, or connect from another network or through a proxy (`proxy_url`).",
        ),
        (503, "503. If this lasts, wait some minutes"),
    ],
)
def test_a_refusal_is_reported_with_what_to_do(exchange: LocalExchange, tmp_path: Path, status: int, says: str) -> None:
    exchange.refuse(status, times=None)
    output = run(command(exchange, LONG, tmp_path / "live"))
    assert output.returncode == 1
    last = output.stderr.rstrip().split("\n")[-1]
    assert last.startswith("Binance cannot be reached: 127.0.0.1:")
    assert f"refused the connection with HTTP status {says}" in last
    assert last.endswith(" A proxy is taken from HTTPS_PROXY.")
    assert output.stdout == ""
    assert "Traceback" not in output.stderr
    assert not (tmp_path / "live").exists()


def test_where_only_the_streams_refuse_the_location_the_table_is_there_and_the_sentence_too(
    exchange: LocalExchange, tmp_path: Path
) -> None:
    exchange.refuse(451, times=None, endpoint="market")
    output = run(command(exchange, SHORT, tmp_path))
    assert output.returncode == 0
    assert "HTTP status 451" in output.stdout
    assert "Binance does not serve the country or network that this machine is in." in output.stdout


def test_an_exchange_that_is_not_there(tmp_path: Path) -> None:
    with listed() as exchange:
        words = command(exchange, LONG, tmp_path)
    output = run(words)
    assert output.returncode == 1
    last = output.stderr.rstrip().split("\n")[-1]
    assert last.startswith("Binance cannot be reached: 127.0.0.1 could not be reached on port")


def test_handshakes_without_an_answer_end_with_the_time(exchange: LocalExchange, tmp_path: Path) -> None:
    exchange.slow_handshake(60.0, times=None)
    output = run(command(exchange, "0.02", tmp_path))
    assert output.returncode == 1
    assert "Binance cannot be reached: no connection came about within 0.02 minutes." in output.stderr


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--environment", "custom"], "`environment.market_stream_url` is missing;"),
        (["--environment", "locale"], "argument --environment: invalid choice: 'locale' (choose from"),
        (["--minutes", "0"], "--minutes is 0; write a number above 0 and up to 1440"),
        (["--minutes", "x"], "argument --minutes: invalid float value: 'x'"),
    ],
)
def test_a_command_that_makes_no_sense_is_answered_in_a_sentence(words: list[str], says: str) -> None:
    output = run([*LIVE, *words])
    assert output.returncode == 2
    assert f"error: {says}" in output.stderr.rstrip().split("\n")[-1]


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
def test_make_live_asks_production_for_three_minutes_unless_reported_otherwise() -> None:
    def words(*arguments: str, **variables: str) -> str:
        of_this_make = ("ENVIRONMENT", "MINUTES", "PORT", "MAKEFLAGS", "MFLAGS", "MAKEOVERRIDES", "MAKELEVEL")
        inherited = {name: value for name, value in os.environ.items() if name not in of_this_make}
        make = ["make", "--dry-run", "live", *arguments]
        output = subprocess.run(
            make, cwd=ROOT, env=inherited | variables, capture_output=True, text=True, timeout=DEADLINE, check=True
        )
        return output.stdout.rstrip().split(" -m source_binance_futures.live ")[-1]

    assert words() == "--environment production --minutes 3"
    assert words("ENVIRONMENT=testnet", "MINUTES=10") == "--environment testnet --minutes 10"
    assert words(ENVIRONMENT="testnet", MINUTES="1") == "--environment testnet --minutes 1"
    assert words("ENVIRONMENT=local", "PORT=9000") == "--environment local --minutes 3 --port 9000"
    given = words("ENVIRONMENT=custom", "MARKET_STREAM_URL=wss://a", "WEBSOCKET_API_URL=wss://b/c")
    assert given == "--environment custom --minutes 3 --market-stream-url wss://a --websocket-api-url wss://b/c"
