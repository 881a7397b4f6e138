"""`check` against a real server: it tries both endpoints, tells their failures apart, and always gives a status.

The clock is virtual and passes where a test says so. That a process answers within 15 seconds needs a real one.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from local_exchange import LocalExchange, NoAnswer
from source_binance_futures.binance.clock import Clock, Stop
from source_binance_futures.binance.websocket_api.prices import WeightBudget
from source_binance_futures.check import FIRST_UPDATE_WITHIN, Check
from source_binance_futures.config import Config
from unit_tests.virtual_time import VirtualTime

from .harness.connector import DEADLINE, Connector, Output
from .harness.warm import CONNECTOR

WITHIN = 15.0  # seconds, which are promised
LATE = 3.0  # seconds by which a process may exceed what is promised, most of them at the end of Python
SLOW_TO_START = """
import time
from source_binance_futures import entrypoint

launch = entrypoint.launch
entrypoint.launch = lambda *arguments: time.sleep(8) or launch(*arguments)
"""
HOST = "127.0.0.1:PORT"
TIME = VirtualTime()


@dataclass
class Case:
    """What the exchange does, the options, and what each sentence contains; without one the check succeeds.

    Where it `listens` to the end of its time, it passes once the prices have their answer and the stream is open; where
    the prices stay `unanswered`, once they were asked for.
    """

    arrange: Callable[[LocalExchange], object] = lambda _: None
    options: dict[str, Any] = field(default_factory=dict)
    sentences: tuple[str, ...] = ()
    listens: bool = False
    unanswered: bool = False
    warning: str = ""


def banned_and_quiet(exchange: LocalExchange) -> None:
    exchange.refuse(418, {"Retry-After": "7200"}, endpoint="api")
    exchange.set_rate(0)


def limited_and_refused(exchange: LocalExchange) -> None:
    exchange.refuse(403, endpoint="market", times=None)
    exchange.script_answer({"status": 429, "error": {"code": -1003, "msg": "", "data": {"retryAfter": 30}}})


CASES = {
    "both work": Case(options={"price_symbols": ["btcusdt"], "book_ticker_symbols": ["btcusd_perp"]}),
    "banned at the API's door, and a quiet market": Case(
        banned_and_quiet,
        sentences=(f"symbol_prices: {HOST} has banned this IP address",),
        listens=True,
        warning="no book ticker came within 10 seconds. The market may be quiet",
    ),
    "a wrong book ticker symbol": Case(
        options={"book_ticker_symbols": ["BTCUSD_PERP", "BTCUSD"]},
        sentences=(
            "book_tickers: `book_ticker_symbols`: Binance does not list BTCUSD (did you mean BTCUSD_PERP?). Cor",
        ),
        listens=True,
    ),
    "prices limited, and the market stream refused": Case(
        limited_and_refused,
        sentences=(
            f"book_tickers: {HOST} refused the connection with HTTP status 403",
            f"symbol_prices: {HOST} has received too many requests from this IP address",
        ),
    ),
    "both refused alike": Case(
        lambda exchange: exchange.refuse(451, times=None),
        sentences=(f"{HOST} refused the connection with HTTP status 451. Binance does not serve the country",),
    ),
    "prices unanswered": Case(
        lambda exchange: exchange.script_answer(NoAnswer),
        sentences=(f"symbol_prices: {HOST} gave no answer to ticker.price within 6 seconds",),
        unanswered=True,
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_one_sentence_for_what_does_not_work(name: str, caplog: pytest.LogCaptureFixture) -> None:
    case, stop = CASES[name], Stop(TIME.clock())
    # In real time: a sample of what was traded before the market fell quiet would be a book ticker.
    with (
        LocalExchange(rate=500, sample_every=None, ping_interval=0.05) as exchange,
        caplog.at_level("DEBUG", logger="check"),
    ):
        case.arrange(exchange)
        config = Config.from_mapping({"environment": exchange.environment(), **case.options})

        def both_are_met() -> bool:
            return "symbol_prices: " in caplog.text and any(each.pongs for each in exchange.connections)

        def pass_by() -> None:
            if case.unanswered:
                exchange.wait_for(lambda: exchange.requests and exchange.connections, DEADLINE)
                TIME.pass_by(7.0)
            if case.listens:
                exchange.wait_for(both_are_met, DEADLINE)
                TIME.pass_by(FIRST_UPDATE_WITHIN)

        passing = threading.Thread(target=pass_by)
        passing.start()
        found = Check(config, stop, logging.getLogger("check"), WeightBudget()).failures()
        passing.join()
    said = [sentence.replace(str(exchange.port), "PORT") for sentence in found]
    assert len(said) == len(case.sentences), said
    assert all(sentence.startswith(expected) for sentence, expected in zip(said, case.sentences, strict=True)), said
    assert case.warning in caplog.text
    if name == "both work":
        assert "book_tickers: connected, and the first book ticker came." in caplog.messages
        assert "symbol_prices: ticker.price answered with 1 prices." in caplog.messages


def test_an_address_that_is_gone_is_left_for_the_next_as_in_a_sync(caplog: pytest.LogCaptureFixture) -> None:
    with LocalExchange(rate=500) as exchange, caplog.at_level("INFO", logger="check"):
        found = Config.from_mapping({"environment": exchange.environment()}).environment
        bases = (f"{found.coin_m_bases[0]}/gone", *found.coin_m_bases)
        config = Config(environment=replace(found, coin_m_bases=bases))
        assert Check(config, Stop(Clock()), logging.getLogger("check"), WeightBudget()).failures() == []
    assert "book_tickers: connected, and the first book ticker came." in caplog.messages


def answer_within_15_seconds(connector: Connector, exchange: LocalExchange) -> Output:
    output = connector.run("check", {"environment": exchange.environment()})
    assert output.exit_code == 0
    assert output.status[0] == "FAILED"
    assert output.is_plain
    assert output.seconds < WITHIN + LATE
    return output


@pytest.mark.slow
def test_endpoints_that_are_silent_have_their_answer_in_time(connector: Connector) -> None:
    with LocalExchange(rate=0) as exchange:
        exchange.slow_handshake(60, times=None)
        output = answer_within_15_seconds(connector, exchange)
    assert "did not complete the WebSocket handshake: no answer in time" in output.status[1]


@pytest.mark.slow
def test_a_process_that_is_slow_to_start_has_its_answer_in_time(tmp_path: Path) -> None:
    """The 15 seconds are counted from its start: here its imports take 8 seconds."""
    with LocalExchange(rate=0) as exchange, Connector(tmp_path, SLOW_TO_START + CONNECTOR) as connector:
        exchange.slow_handshake(60, endpoint="api")
        output = answer_within_15_seconds(connector, exchange)
    assert output.status[1].startswith("symbol_prices: ")
    (warning,) = output.logs("WARN")
    assert warning.startswith("book_tickers: connected, but no book ticker came within")
