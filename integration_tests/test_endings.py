"""How a sync ends that did not go well: what the state vouches for, whose turn it is, what is said at last."""

from __future__ import annotations

import functools
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path

import pytest

from local_exchange import LocalExchange

from .harness.connector import FULL_REFRESH, INCREMENTAL, Connector, Output, side_by_side, state_message

SPOILED = """
from source_binance_futures.streams.cursor import Cursor
advance, taken = Cursor.advance, []
def spoiled(cursor, symbol, update_id, transaction_time):
    taken.append(update_id)
    if len(taken) > 500:
        raise RuntimeError("nobody foresaw this")
    return advance(cursor, symbol, update_id, transaction_time)
Cursor.advance = spoiled
from source_binance_futures.cli import run
run()
"""


def test_the_state_before_an_unknown_error_is_what_was_written(tmp_path: Path) -> None:
    """Also where the error comes in the middle of a block: what the cursor has seen by then is written first."""
    with (
        LocalExchange(rate=2000, sample_every=None) as exchange,
        Connector(tmp_path, SPOILED) as connector,
    ):
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


def bound_to_fail(arrange: Callable[[LocalExchange], None], options: dict[str, object], connector: Connector) -> Output:
    with LocalExchange(rate=200, sample_every=None) as exchange:
        arrange(exchange)
        config = {"environment": exchange.environment(), "listen_seconds": 2, **options}
        return connector.read(config, symbol_prices=FULL_REFRESH, book_tickers=INCREMENTAL)


def no_connection(exchange: LocalExchange) -> None:
    exchange.refuse(503, times=None)


def no_market_stream(exchange: LocalExchange) -> None:
    exchange.refuse(503, times=None, endpoint="market")


def an_unknown_answer(exchange: LocalExchange) -> None:
    exchange.script_answer("no JSON at all")
    no_market_stream(exchange)


FAILED: dict[str, tuple[Callable[[LocalExchange], None], dict[str, object], list[str], str]] = {
    # what happens, the options, the types of the streams' failures, the type of the end
    "both for a passing reason": (no_connection, {}, ["transient_error", "transient_error"], "transient_error"),
    "one for the user, one passing": (
        no_market_stream,
        {"price_symbols": ["NOSUCHUSDT"]},
        ["config_error", "transient_error"],
        "transient_error",
    ),
    "one for the user": (lambda _: None, {"price_symbols": ["NOSUCHUSDT"]}, ["config_error"], "config_error"),
    "a bug, and one passing": (
        an_unknown_answer,
        {},
        ["system_error", "transient_error"],
        "system_error",
    ),
}


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Future[Output]]]:
    jobs = {
        name: functools.partial(bound_to_fail, arrange, options) for name, (arrange, options, _, _) in FAILED.items()
    }
    with side_by_side(tmp_path_factory.mktemp("failed"), jobs) as futures:
        yield futures


@pytest.mark.parametrize("name", FAILED)
def test_the_last_trace_says_whose_turn_it_is(name: str, outputs: dict[str, Future[Output]]) -> None:
    """Airbyte tries again where it is told that this may help: the CDK's own last trace says `config_error` always."""
    output = outputs[name].result(120)
    *of_streams, last = output.errors
    _, _, types, expected = FAILED[name]
    assert [error["failure_type"] for error in of_streams] == types
    assert last["failure_type"] == expected
    assert last["message"].startswith("During the sync, the following streams did not sync successfully")
    assert "stream_descriptor" not in last
    assert output.exit_code == 1
    assert output.is_plain


def test_a_stop_among_malformed_frames_is_a_good_end(connector: Connector) -> None:
    """A window of nothing but malformed frames fails; one that was cut short may have gone well."""
    with LocalExchange(rate=0, sample_every=None) as exchange:
        running = connector.start_read({"environment": exchange.environment()}, book_tickers=INCREMENTAL)
        exchange.wait_for(lambda: exchange.connections, 60)
        exchange.push(b"no JSON")
        running.wait_for_text("A malformed frame was left out")
        running.process.send_signal(signal.SIGTERM)
        output = running.finish()
    assert output.exit_code == 0
    assert output.statuses("book_tickers") == ["STARTED", "COMPLETE"]
    assert not output.errors


def test_the_log_does_not_repeat_the_state(connector: Connector) -> None:
    """It has 25 kB and more; the CDK writes the whole of it into one line."""
    known = {f"X{number}USD_PERP": number for number in range(1, 800)}
    with LocalExchange(rate=200, sample_every=None) as exchange:
        identity = connector.read(
            {"environment": exchange.environment(), "listen_seconds": 1}, book_tickers=INCREMENTAL
        ).last_state["environment"]
        state = [state_message({"environment": identity, "u": known, "newest_transaction_time": 1})]
        config = {"environment": exchange.environment(), "listen_seconds": 1}
        output = connector.read(config, book_tickers=INCREMENTAL, state=state)
    assert output.exit_code == 0
    assert known.items() <= output.last_state["u"].items()
    assert "Setting state of source-binance-futures stream to the one of the last sync" in output.logs("INFO")
    assert not [line for line in output.logs() if "X7USD_PERP" in line and len(line) > 500]
