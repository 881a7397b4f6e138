"""How a sync ends that did not go well: what the state covers, whose turn it is, what is said at last."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from local_exchange import LocalExchange

from .harness.connector import FULL_REFRESH, INCREMENTAL, Connector, state_message
from .harness.warm import CONNECTOR

SPOILED = f"""
from source_binance_futures.streams.cursor import Cursor
advance, taken = Cursor.advance, []
def spoiled(cursor, symbol, update_id, transaction_time):
    taken.append(update_id)
    if len(taken) > 500:
        raise RuntimeError("nobody foresaw this")
    return advance(cursor, symbol, update_id, transaction_time)
Cursor.advance = spoiled
{CONNECTOR}
"""
NO_MORE_THREADS = f"""
import threading
start, started = threading.Thread.start, []
def scarce(thread):
    if thread.name.startswith({{name!r}}):
        if started:
            raise RuntimeError("can't start new thread")
        started.append(thread)
    start(thread)
threading.Thread.start = scarce
{CONNECTOR}
"""


def test_the_state_before_an_unknown_error_is_what_was_written(tmp_path: Path) -> None:
    """Also where the error comes in the middle of a block: what the cursor has seen by then is written first."""
    with LocalExchange(rate=2000, sample_every=None) as exchange, Connector(tmp_path, SPOILED) as connector:
        config = {"environment": exchange.environment(), "listen_seconds": 60}
        output = connector.read(config, book_tickers=INCREMENTAL)
    assert output.exit_code == 1
    assert output.statuses("book_tickers") == ["STARTED", "RUNNING", "INCOMPLETE"]
    assert output.updates
    assert output.last_state["u"] == dict(output.updates), "the last id of each symbol"
    assert sum(output.record_counts) == len(output.updates)
    types = [error["failure_type"] for error in output.errors]
    assert types == ["system_error", "system_error"]
    assert "nobody foresaw this" in output.errors[0]["internal_message"]
    assert "spoiled" in output.errors[0]["stack_trace"], "a bug keeps its stack trace"


def no_market_stream(exchange: LocalExchange) -> None:
    exchange.refuse(403, times=None, endpoint="market")


def no_connection(exchange: LocalExchange) -> None:
    exchange.refuse(418, {"Retry-After": "7200"}, endpoint="api")
    no_market_stream(exchange)


def an_unknown_answer(exchange: LocalExchange) -> None:
    exchange.script_answer("no JSON at all")
    no_market_stream(exchange)


@pytest.mark.parametrize(
    ("arrange", "symbols", "types", "expected"),
    [
        (no_connection, [], ["transient_error", "transient_error"], "transient_error"),
        (no_market_stream, ["NOSUCHUSDT"], ["config_error", "transient_error"], "transient_error"),
        (lambda _: None, ["NOSUCHUSDT"], ["config_error"], "config_error"),
        (an_unknown_answer, [], ["system_error", "transient_error"], "system_error"),
    ],
    ids=["both for a passing reason", "one for the user, one passing", "one for the user", "a bug, and one passing"],
)
def test_the_last_trace_says_whose_turn_it_is(
    connector: Connector,
    arrange: Callable[[LocalExchange], None],
    symbols: list[str],
    types: list[str],
    expected: str,
) -> None:
    """Airbyte tries again if the failure type says so; the last trace of the CDK itself always has `config_error`."""
    with LocalExchange(rate=200, sample_every=None) as exchange:
        arrange(exchange)
        config = {"environment": exchange.environment(), "listen_seconds": 1, "price_symbols": symbols}
        output = connector.read(config, symbol_prices=FULL_REFRESH, book_tickers=INCREMENTAL)
    *of_streams, last = output.errors
    assert [error["failure_type"] for error in of_streams] == types
    assert last["failure_type"] == expected
    assert last["message"].startswith("During the sync, the following streams did not sync successfully")
    assert "stream_descriptor" not in last
    assert output.exit_code == 1
    assert output.is_plain


def test_the_log_does_not_repeat_the_state(connector: Connector) -> None:
    """It has 25 kB and more; the CDK writes the whole of it into one line."""
    known = {f"X{number}USD_PERP": number for number in range(1, 800)}
    with LocalExchange(rate=200, sample_every=None) as exchange:
        environment = f"custom {exchange.market_stream_url}"
        state = [state_message({"environment": environment, "u": known, "newest_transaction_time": 1})]
        config = {"environment": exchange.environment(), "listen_seconds": 60, "max_book_tickers": 1}
        output = connector.read(config, book_tickers=INCREMENTAL, state=state)
    assert output.exit_code == 0
    assert known.items() <= output.last_state["u"].items()
    assert not [line for line in output.logs() if "X7USD_PERP" in line]


@pytest.mark.parametrize("name", ["connect to", "resolve"])
def test_a_machine_that_starts_no_more_threads_ends_nothing(tmp_path: Path, name: str) -> None:
    """What is connected goes on."""
    with (
        LocalExchange(rate=500, mix_usds_margined=False) as exchange,
        Connector(tmp_path, NO_MORE_THREADS.format(name=name)) as connector,
    ):
        config = {"environment": exchange.environment(), "listen_seconds": 3600, "standby_connection": True}
        running = connector.start_read(config, book_tickers=INCREMENTAL)
        running.wait_for_text("this machine starts no more threads")
        records = running.count('"type":"RECORD"')
        running.wait_for(lambda: running.count('"type":"RECORD"') > records + 100)
        running.process.terminate()
        output = running.finish(check_records=False)
    assert output.exit_code == 0
    assert output.is_plain
    missing = [line for line in output.logs("WARN") if line.startswith("The standby connection is missing (attempt 1 ")]
    assert len(missing) == 1
