"""`python -m source_binance_futures.chain`: its windows lose nothing, a stop ends it, a state is never lost."""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import duckdb
import psutil
import pytest

from local_exchange import LocalExchange, NoAnswer
from source_binance_futures import chain
from source_binance_futures.binance.clock import Clock

from .harness.capturing import EVERY_COIN_M
from .harness.connector import FULL_REFRESH, INCREMENTAL, ROOT, catalog, environment_at
from .harness.warm import CONNECTOR, warm_command

CLOCK = Clock()
DEADLINE = 240.0
WINDOWS = 4
OWN_ROW = b'"stream":"book_tickers","data"'
OWN_STATE = b'"stream_state":{"version"'
OLD_STATE = {
    "environment": "custom ws://127.0.0.1:9",
    "u": {"BTCUSD_PERP": 7},
    "newest_transaction_time": 1790373637547,
}
OFTEN = f"from source_binance_futures.streams import book_tickers as it; it.CHECKPOINT_EVERY = 1.0; {CONNECTOR}"
RUN = "import sys; from source_binance_futures import chain; sys.exit(chain.main(sys.argv[2:], sys.argv[1].split('@')))"

pytestmark = pytest.mark.timeout(300)


@contextmanager
def chained(folder: Path, config: dict[str, Any], *options: str) -> Iterator[subprocess.Popen[bytes]]:
    """A chain in `folder`, whose windows start warm and write a STATE each second."""
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "catalog.json").write_text(json.dumps(catalog(INCREMENTAL, FULL_REFRESH)))
    files = ("--config", "config.json", "--catalog", "catalog.json", "--state", "state.json")
    command = [sys.executable, "-c", RUN, "@".join(warm_command(OFTEN)), *files, *options]
    with (folder / "log").open("wb") as log:
        variables = {"PYTHONPATH": str(ROOT)}
        process = subprocess.Popen(command, cwd=folder, stderr=log, env=variables, start_new_session=True)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(DEADLINE)


def wait_for(condition: Callable[[], object], folder: Path) -> None:
    deadline = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < deadline, (folder / "log").read_text()[-3000:]
        time.sleep(0.05)


def messages(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text().splitlines()]


def windows(folder: Path) -> list[Path]:
    return sorted(folder.glob("window-*.jsonl"))


def updates(file: Path) -> list[tuple[str, int]]:
    found = [message["record"] for message in messages(file) if message["type"] == "RECORD"]
    return [(row["data"]["symbol"], row["data"]["u"]) for row in found if row["stream"] == "book_tickers"]


def state_of(folder: Path) -> dict[str, Any]:
    """Of `book_tickers`."""
    states = [state["stream"] for state in json.loads((folder / "state.json").read_text())]
    found = {state["stream_descriptor"]["name"]: state["stream_state"] for state in states}
    return dict(found.get("book_tickers", {}))


def goes_on(state: dict[str, Any], folder: Path) -> bool:
    """Whether the state of the folder is this one or a later one."""
    after = state_of(folder)["u"]
    return all(after[symbol] >= u for symbol, u in state["u"].items())


def test_windows_lose_nothing(tmp_path: Path) -> None:
    """The next one may start from the first seconds of a window on, so that no machine is too slow to be in time."""
    with LocalExchange(rate=200.0, mix_usds_margined=False, sample_every=None) as exchange:
        config = {
            "environment": exchange.environment(),
            "listen_seconds": 600,
            "book_ticker_symbols": EVERY_COIN_M,
        }
        options = ("--early", "599", "--overlap", "1", "--windows", str(WINDOWS))
        with chained(tmp_path, config, *options) as chain:
            wait_for(lambda: len(windows(tmp_path)) == WINDOWS, tmp_path)
            last = windows(tmp_path)[-1]
            wait_for(lambda: OWN_ROW in last.read_bytes() and len(exchange.connections) == 1, tmp_path)
            chain.send_signal(signal.SIGTERM)
            assert chain.wait(DEADLINE) == 0, (tmp_path / "log").read_text()[-3000:]
        pushed = list(exchange.pushed)
    each = [updates(file) for file in windows(tmp_path)]
    assert all(each)
    assert all(len(found) == len(set(found)) for found in each)
    received = {update for found in each for update in found}
    came = [number for number, update in enumerate(pushed) if update in received]
    assert set(pushed[came[0] : came[-1] + 1]) == received
    assert sum(map(len, each)) > len(received), "windows overlap"
    newest = dict(sorted(received))
    assert state_of(tmp_path)["u"] == newest
    assert not [line for line in (tmp_path / "log").read_text().splitlines() if "failed" in line]
    (tmp_path / "window-half-written.jsonl").write_text('{"type":"RECORD","record":{"stream":"book_ti')
    load = (ROOT / "docs/sql/duckdb/windows.sql").read_text().replace("windows/window", f"{tmp_path}/window")
    with duckdb.connect() as market:
        for _ in range(2):
            market.execute(load)
            assert sorted(market.execute("SELECT symbol, u FROM book_tickers").fetchall()) == sorted(received)


def test_windows_that_find_their_contracts_lose_nothing_where_they_join(tmp_path: Path) -> None:
    """Nothing is named and there is no state yet: the next one waits for one, and has no hole to speak of."""
    with LocalExchange(rate=200.0, mix_usds_margined=False, sample_every=0.5) as exchange:
        config = {"environment": exchange.environment(), "listen_seconds": 600}
        with chained(tmp_path, config, "--early", "600", "--windows", "2") as chain:
            wait_for(lambda: len(windows(tmp_path)) == 2, tmp_path)
            first, second = windows(tmp_path)
            assert OWN_STATE in first.read_bytes()
            wait_for(lambda: OWN_ROW in second.read_bytes() and len(exchange.connections) == 1, tmp_path)
            seen = second.stat().st_size
            wait_for(lambda: second.stat().st_size > seen, tmp_path)
            chain.send_signal(signal.SIGTERM)
            assert chain.wait(DEADLINE) == 0, (tmp_path / "log").read_text()[-3000:]
        pushed = list(exchange.pushed)
    older, newer = map(updates, (first, second))
    received = {*older, *newer}
    joined = pushed.index(newer[0])
    until = max(number for number, update in enumerate(pushed) if update in received)
    assert set(pushed[joined : until + 1]) <= received
    assert "a hole of" not in (tmp_path / "log").read_text()


@pytest.mark.parametrize(
    ("asked", "code", "is_hole"),
    [
        pytest.param(False, None, False, id="listens"),
        pytest.param(True, 0, False, id="asked to end"),
        pytest.param(False, 0, True, id="gone"),
        pytest.param(None, None, True, id="never was"),
    ],
)
def test_the_line_of_a_hole_is_left_out_only_where_the_window_before_listens(
    asked: bool | None, code: int | None, is_hole: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before: Any = SimpleNamespace(asked_to_end=asked, process=SimpleNamespace(poll=lambda: code))
    hole = {"type": "LOG", "log": {"level": "INFO", "message": f"{chain.HOLE}2026-09-25: a hole of 3.0 seconds."}}
    options = argparse.Namespace(into=tmp_path, config="c", catalog="c", state=tmp_path / "none")
    options.command = (sys.executable, "-c", "")
    window = chain.Window(options, CLOCK, None if asked is None else before)
    window.process.wait(DEADLINE)
    window.file.write_text(json.dumps(hole, separators=(",", ":")) + "\n")
    window.read(0.0)
    assert ("a hole of 3.0 seconds" in capsys.readouterr().err) is is_hole


def test_a_window_that_is_killed_costs_no_state_and_the_next_one_begins(tmp_path: Path) -> None:
    with LocalExchange(rate=200.0, sample_every=None) as exchange:
        config = {"environment": exchange.environment(), "listen_seconds": 600}
        with chained(tmp_path, config) as chain:
            wait_for(lambda: windows(tmp_path) and OWN_STATE in windows(tmp_path)[0].read_bytes(), tmp_path)
            wait_for(lambda: "u" in state_of(tmp_path), tmp_path)
            state = state_of(tmp_path)
            exchange.refuse(503)
            (window,) = psutil.Process(chain.pid).children()
            window.kill()
            wait_for(lambda: len(windows(tmp_path)) == 2, tmp_path)
            assert goes_on(state, tmp_path)
            chain.send_signal(signal.SIGINT)
            assert chain.wait(DEADLINE) == 0
        assert len(windows(tmp_path)) == 2, "a stop stops the chain"
        assert goes_on(state, tmp_path)
    log = (tmp_path / "log").read_text()
    assert "failed with exit code -9" in log


def test_ctrl_c_before_the_prices_have_come_is_no_failure(tmp_path: Path) -> None:
    """A terminal sends it to all processes that it has started; the chain asks its windows to stop, each once."""
    with LocalExchange(rate=200.0, mix_usds_margined=False, sample_every=None) as exchange:
        exchange.script_answer(NoAnswer)
        config = {"environment": exchange.environment(), "listen_seconds": 600, "book_ticker_symbols": EVERY_COIN_M}
        with chained(tmp_path, config) as chain:
            wait_for(lambda: exchange.requests and exchange.pushed and exchange.connections, tmp_path)
            os.killpg(chain.pid, signal.SIGINT)
            assert chain.wait(DEADLINE) == 0
    log = (tmp_path / "log").read_text()
    assert not [line for line in log.splitlines() if re.search("FATAL|ERROR|failed|Traceback", line)], log
    assert "INFO During the sync, the following streams did not sync successfully: symbol_prices: The sync was" in log
    (window,) = windows(tmp_path)
    assert state_of(tmp_path)["u"] == dict(sorted(updates(window)))


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"listen_seconds": 0}, "`listen_seconds` is 0"),
        (
            {"listen_seconds": 1, "price_symbols": ["BTCUSDT"], "environment": environment_at()},
            "failed with exit code 1",
        ),
    ],
    ids=["a configuration", "nobody there"],
)
def test_what_never_works_ends_the_chain_and_leaves_the_state(
    config: dict[str, Any], said: str, tmp_path: Path
) -> None:
    state = {"type": "STREAM", "stream": {"stream_descriptor": {"name": "book_tickers"}, "stream_state": OLD_STATE}}
    (tmp_path / "state.json").write_text(json.dumps([state]))
    with chained(tmp_path, config) as chain:
        assert chain.wait(DEADLINE) == 1
    assert said in (tmp_path / "log").read_text()
    assert state_of(tmp_path)["u"] == OLD_STATE["u"]
