"""What a sync says in passing: before it begins, while nothing comes, at its end, and before an error."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future

import pytest

from local_exchange import LocalExchange
from source_binance_futures.streams import book_tickers

from .harness.connector import INCREMENTAL, Connector, Output, side_by_side, state_message
from .harness.driving import Driven
from .harness.listening import listen_to
from .harness.patience import SOON, patient
from .harness.warm import CONNECTOR

THREE_HOURS = 3 * 3600.0  # without a message Airbyte takes a source for dead [airbyte-facts]
NEWEST = 1795293300123  # a transaction time in ms


def with_setting(module: str, assignment: str) -> str:
    """The script of a connector in which one constant is another one."""
    return f"import {module} as it; it.{assignment}; {CONNECTOR}"


def quiet_for_a_while(connector: Connector) -> Output:
    with LocalExchange(rate=0, sample_every=None) as exchange:
        config = {"environment": exchange.environment(), "listen_seconds": 6}
        return connector.read(config, book_tickers=INCREMENTAL)


def more_contracts_than_there_are(connector: Connector) -> Output:
    with LocalExchange(rate=500, sample_every=None) as exchange:
        config = {"environment": exchange.environment(), "listen_seconds": 2}
        return connector.read(config | {"include_usds_margined": True}, book_tickers=INCREMENTAL)


def continued(connector: Connector) -> Output:
    with LocalExchange(rate=0, sample_every=None) as exchange:
        identity = f"custom {exchange.market_stream_url}"
        state = {"environment": identity, "u": {"BTCUSD_PERP": 1}, "newest_transaction_time": NEWEST}
        config = {"environment": exchange.environment(), "listen_seconds": 1}
        return connector.read(config, book_tickers=INCREMENTAL, state=[state_message(state)])


def begun(connector: Connector) -> Output:
    with LocalExchange(rate=0, sample_every=None) as exchange:
        config = {"environment": exchange.environment(), "listen_seconds": 1}
        return connector.read(config, book_tickers=INCREMENTAL)


def enough_of_one_of_two(connector: Connector) -> Output:
    with LocalExchange(rate=500, sample_every=None) as exchange:
        options = {"book_ticker_symbols": ["BTCUSD_PERP", "NOSUCHUSD_PERP"], "max_book_tickers": 20}
        config = {"environment": exchange.environment(), "listen_seconds": 60, **options}
        return connector.read(config, book_tickers=INCREMENTAL)


def refused_in_the_middle(connector: Connector) -> Output:
    """Connecting again is refused for good, so that the window ends before its time."""
    with LocalExchange(rate=500, mix_usds_margined=False, sample_every=None) as exchange:
        driven = Driven(connector, exchange)
        driven.wait_for_updates(100)
        exchange.refuse(451, times=None)
        exchange.fault("rst")
        return driven.end()


SYNCS: dict[str, tuple[Callable[[Connector], Output], str]] = {
    "quiet": (quiet_for_a_while, with_setting("source_binance_futures.streams.book_tickers", "SIGN_OF_LIFE_EVERY = 1")),
    "more": (more_contracts_than_there_are, with_setting("source_binance_futures.streams.cursor", "MAX_SYMBOLS = 3")),
    "continued": (continued, CONNECTOR),
    "begun": (begun, CONNECTOR),
    "enough": (enough_of_one_of_two, CONNECTOR),
    "refused": (refused_in_the_middle, CONNECTOR),
}


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Future[Output]]]:
    def job(name: str) -> Callable[[Connector], Output]:
        sync, command = SYNCS[name]

        def run(connector: Connector) -> Output:
            with Connector(connector.folder, command) as other:
                return sync(other)

        return run

    with side_by_side(tmp_path_factory.mktemp("told"), {name: job(name) for name in SYNCS}, at_once=2) as futures:
        yield futures


def told(outputs: dict[str, Future[Output]], name: str) -> Output:
    return outputs[name].result(patient(110))


def lines(output: Output, text: str, *levels: str) -> list[str]:
    return [line for line in output.logs(*levels) if text in line]


def test_a_sync_of_which_nothing_comes_gives_a_sign_of_life(outputs: dict[str, Future[Output]]) -> None:
    output = told(outputs, "quiet")
    assert output.exit_code == 0
    assert output.updates == []
    assert len(output.states) >= 4, "one each second, and one at the end"
    assert output.record_counts == [0] * len(output.states)
    assert book_tickers.SIGN_OF_LIFE_EVERY == THREE_HOURS / 12


def test_updates_of_ever_more_symbols_are_left_out_and_told(outputs: dict[str, Future[Output]]) -> None:
    output = told(outputs, "more")
    assert len({symbol for symbol, _ in output.updates}) == 3
    (warning,) = lines(output, "no exchange lists so many", "WARN")
    assert int(warning.split()[0]) > 0
    assert warning.endswith(" updates of ever more symbols were left out; no exchange lists so many.")
    assert not lines(told(outputs, "refused"), "no exchange lists so many")


def test_a_sync_that_continues_says_since_when_nothing_was_listened_to(outputs: dict[str, Future[Output]]) -> None:
    (line,) = lines(told(outputs, "continued"), "The state ends with", "INFO")
    assert re.fullmatch(
        r"The state ends with an update of 2026-11-21 20:35:00\.123 UTC(: a hole of \d+ seconds "
        r"until the end of this sync, in which no update came)?\. "
        r"What Binance pushed since then, while nothing listened, cannot be had any more\.",
        line,
    )
    assert not lines(told(outputs, "begun"), "The state ends with")


def test_where_enough_came_no_symbol_was_silent(outputs: dict[str, Future[Output]]) -> None:
    output = told(outputs, "enough")
    assert len(output.updates) == 20
    assert not lines(output, "Check the spelling")
    assert not output.logs("WARN")


def test_the_gap_before_an_error_is_told_and_then_the_state(outputs: dict[str, Future[Output]]) -> None:
    output = told(outputs, "refused")
    assert output.exit_code == 1
    kinds = [
        "gap" if message["type"] == "LOG" and message["log"]["message"].startswith("Gap of ") else message["type"]
        for message in output.messages
        if not (message["type"] == "TRACE" and message["trace"]["type"] != "ERROR")
    ]
    (gap,) = lines(output, "Gap of ", "WARN")
    assert "connection reset by peer" in gap
    assert kinds.index("gap") < kinds.index("STATE") < kinds.index("TRACE")
    assert output.last_state["u"] == dict(output.updates)
    assert lines(output, "Gaps: 1, ", "INFO")


def test_a_connection_that_comes_too_late_is_left_in_good_order() -> None:
    """The window ends while it is being opened."""
    with LocalExchange(rate=200) as exchange:
        exchange.slow_handshake(2.0)
        with listen_to(exchange) as listener:
            listener.wait_for(lambda: any(thread.name.startswith("connect to") for thread in threading.enumerate()))
        assert not exchange.handshakes, "it is not answered yet"
        (late,) = exchange.wait_for(lambda: exchange.every_connection, SOON)
        # One that is closing is not open any more, and has no code yet.
        assert exchange.wait_for(lambda: late.close_code, SOON) == 1000
        assert listener.account.received == 0
