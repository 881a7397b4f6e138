"""`check` through the real process: it tries both endpoints, tells their failures apart, and always gives a status."""

from __future__ import annotations

import functools
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from local_exchange import DropConnection, LocalExchange, NoAnswer
from source_binance_futures import connection_check

from .harness.connector import Connector, Output, side_by_side
from .harness.patience import FACTOR, patient
from .harness.price_answers import Arrangement, answers, limited, nothing, refused, together

WITHIN = patient(15.0)  # seconds, which are promised
LATE = patient(3.0)  # seconds by which a busy machine may exceed what is promised, most of them at the end of Python


def noting(begins: str) -> tuple[str, ...]:
    """The command as users run it, but that it notes how many seconds its start took, beside its configuration.

    It `begins` when the process `began`, or once everything is imported: `started`.
    """
    code = f"""
import pathlib, sys, time
from source_binance_futures import run

began = run.process_began()
from source_binance_futures import connection_check, entrypoint

started = time.monotonic()
pathlib.Path(sys.argv[-1]).with_suffix(".start").write_text(str(started - began))
connection_check.CHECK_WITHIN *= {FACTOR}
run.process_began = lambda: {begins}
run.run()
"""
    return sys.executable, "-c", code


def start_of(folder: Path) -> float:
    """How many seconds the start of the process took that ran there."""
    (note,) = folder.rglob("*.start")
    return float(note.read_text())


CHECKS: dict[str, tuple[Arrangement, dict[str, Any], str, list[str]]] = {
    # What waits longest begins first.
    "a slow handshake, and a quiet market": (
        together(lambda exchange: exchange.slow_handshake(2, times=None), lambda exchange: exchange.set_rate(0)),
        {},
        "SUCCEEDED",
        [],
    ),
    "a wrong book ticker symbol": (nothing, {"book_ticker_symbols": ["BTCUSD_PERP", "NOSUCH"]}, "SUCCEEDED", []),
    "banned at the API's door, and a quiet market": (
        together(refused("api", 418, retry_after=7200), lambda exchange: exchange.set_rate(0)),
        {},
        "FAILED",
        ["symbol_prices: 127.0.0.1", "has banned this IP address"],
    ),
    "both work": (nothing, {"price_symbols": ["btcusdt"], "book_ticker_symbols": ["btcusd_perp"]}, "SUCCEEDED", []),
    "unknown price symbols": (
        nothing,
        {"price_symbols": ["NOSUCHUSDT", "BTCUSDT", "币USDT"]},
        "FAILED",
        ["symbol_prices: `price_symbols`: Binance does not list NOSUCHUSDT, 币USDT among"],
    ),
    "prices limited, and the market stream refused": (
        together(refused("market", 403), answers(limited(seconds=30))),
        {},
        "FAILED",
        [
            "book_tickers: 127.0.0.1",
            "refused the connection with HTTP status 403",
            "symbol_prices: 127.0.0.1",
            "too many requests from this IP address",
        ],
    ),
    "both refused alike": (
        refused(None, 451),
        {},
        "FAILED",
        ["refused the connection with HTTP status 451. Binance does not serve the country"],
    ),
    "prices lost": (answers(DropConnection), {}, "FAILED", ["symbol_prices: The connection to Binance was lost"]),
    "prices unanswered": (answers(NoAnswer), {}, "FAILED", ["symbol_prices:", "no answer to ticker.price within"]),
    "both endpoints silent": (
        lambda exchange: exchange.slow_handshake(60, times=None),
        {},
        "FAILED",
        ["did not complete the WebSocket handshake: no answer in time"],
    ),
}


def check(name: str, connector: Connector) -> tuple[Output, float]:
    """What it gave, and how many seconds it took from its start on: on a busy machine that takes as long again."""
    arrange, options, _, _ = CHECKS[name]
    # In real time: a sample of what was traded before the market fell quiet would be a book ticker.
    command = noting("started")
    with LocalExchange(rate=500, sample_every=None) as exchange, Connector(connector.folder, command) as started:
        arrange(exchange)
        output = started.run("check", {"environment": exchange.environment(), **options})
        return output, output.seconds - start_of(connector.folder)


@pytest.fixture(scope="module")
def checks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Future[tuple[Output, float]]]]:
    jobs = {name: functools.partial(check, name) for name in CHECKS}
    with side_by_side(tmp_path_factory.mktemp("checks"), jobs) as futures:
        yield futures


@pytest.mark.parametrize("name", CHECKS)
def test_check_always_answers_with_a_status(name: str, checks: dict[str, Future[tuple[Output, float]]]) -> None:
    output, seconds = checks[name].result(patient(180))
    _, _, expected, parts = CHECKS[name]
    status, sentence = output.status
    assert (output.exit_code, status) == (0, expected), sentence
    assert all(part in sentence for part in parts), sentence
    assert not sentence.startswith("'")
    # One endpoint is not blamed for the other.
    assert all(other not in sentence for other in ("book_tickers:", "symbol_prices:") if other not in " ".join(parts))
    assert output.is_plain
    assert seconds < WITHIN + LATE


def test_what_check_tells_of_what_works(checks: dict[str, Future[tuple[Output, float]]]) -> None:
    works, _ = checks["both work"].result(patient(180))
    assert "book_tickers: connected, and the first book ticker came." in works.logs("INFO")
    assert "symbol_prices: ticker.price answered with 1 prices." in works.logs("INFO")
    quiet, _ = checks["banned at the API's door, and a quiet market"].result(patient(180))
    (warning,) = quiet.logs("WARN")
    assert re.search(r"no book ticker came within \d+ seconds\. The market may be quiet", warning)
    wrong, _ = checks["a wrong book ticker symbol"].result(patient(180))
    (warning,) = wrong.logs("WARN")
    assert "no book ticker of NOSUCH came" in warning


def test_a_process_that_is_slow_to_start_has_its_answer_in_time(tmp_path: Path) -> None:
    """The 15 seconds are counted from its start: here it takes 6 seconds longer than on this machine."""
    python, option, code = noting("began")
    slow = (python, option, f"import time; time.sleep(6)\n{code}")
    with LocalExchange(rate=0) as exchange, Connector(tmp_path, slow) as connector:
        exchange.slow_handshake(60, endpoint="api")
        output = connector.run("check", {"environment": exchange.environment()})
    assert output.status[0] == "FAILED"
    assert output.status[1].startswith("symbol_prices: ")
    (warning,) = output.logs("WARN")
    assert warning.startswith("book_tickers: connected, but no book ticker came within")
    assert output.seconds < max(WITHIN, start_of(tmp_path) + connection_check.AT_LEAST) + LATE


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="no /proc to read the start of a process from")
def test_when_the_process_began() -> None:
    code = "import time; time.sleep(2); from source_binance_futures.run import process_began as began; "
    code += "print(time.monotonic() - began())"
    started = time.monotonic()
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True).stdout
    assert 1.9 < float(told) < time.monotonic() - started + 0.1
