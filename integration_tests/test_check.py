"""`check` through the real process: it tries both endpoints, tells their failures apart, and always gives a status."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from local_exchange import DropConnection, LocalExchange, NoAnswer

from .harness.connector import Connector, Output, side_by_side
from .harness.patience import FACTOR, patient
from .harness.price_answers import Arrangement, answers, limited, nothing, refused, together
from .harness.warm import CONNECTOR

WITHIN = patient(15.0)  # seconds, which are promised
LATE = patient(3.0)  # seconds by which a busy machine may exceed what is promised, most of them at the end of Python
# Where the machine is said to be slow, with as much more time.
PATIENT = f"from source_binance_futures import check\ncheck.CHECK_WITHIN *= {FACTOR}\n"
SLOW_TO_START = """
import time
from source_binance_futures import entrypoint

launch = entrypoint.launch
entrypoint.launch = lambda *arguments: time.sleep(8) or launch(*arguments)
"""

CHECKS: dict[str, tuple[Arrangement, dict[str, Any], str, list[str]]] = {
    # What waits longest begins first.
    "a slow handshake, and a quiet market": (
        together(lambda exchange: exchange.slow_handshake(2, times=None), lambda exchange: exchange.set_rate(0)),
        {},
        "SUCCEEDED",
        [],
    ),
    "a wrong book ticker symbol": (
        nothing,
        {"book_ticker_symbols": ["BTCUSD_PERP", "BTCUSD"]},
        "FAILED",
        ["book_tickers: `book_ticker_symbols`: BTCUSD is not listed. Did you mean BTCUSD_PERP?"],
    ),
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


def check(name: str, connector: Connector) -> Output:
    arrange, options, _, _ = CHECKS[name]
    # In real time: a sample of what was traded before the market fell quiet would be a book ticker.
    with LocalExchange(rate=500, sample_every=None) as exchange:
        arrange(exchange)
        return connector.run("check", {"environment": exchange.environment(), **options})


@pytest.fixture(scope="module")
def checks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Future[Output]]]:
    jobs = {name: functools.partial(check, name) for name in CHECKS}
    with side_by_side(tmp_path_factory.mktemp("checks"), jobs, command=PATIENT + CONNECTOR) as futures:
        yield futures


@pytest.mark.parametrize("name", CHECKS)
def test_check_always_answers_with_a_status(name: str, checks: dict[str, Future[Output]]) -> None:
    output = checks[name].result(patient(180))
    _, _, expected, parts = CHECKS[name]
    status, sentence = output.status
    assert (output.exit_code, status) == (0, expected), sentence
    assert all(part in sentence for part in parts), sentence
    assert not sentence.startswith("'")
    # One endpoint is not blamed for the other.
    assert all(other not in sentence for other in ("book_tickers:", "symbol_prices:") if other not in " ".join(parts))
    assert output.is_plain


@pytest.mark.slow
@pytest.mark.parametrize("name", CHECKS)
def test_check_answers_in_time(name: str, checks: dict[str, Future[Output]]) -> None:
    assert checks[name].result(patient(180)).seconds < WITHIN + LATE


def test_what_check_tells_of_what_works(checks: dict[str, Future[Output]]) -> None:
    works = checks["both work"].result(patient(180))
    assert "book_tickers: connected, and the first book ticker came." in works.logs("INFO")
    assert "symbol_prices: ticker.price answered with 1 prices." in works.logs("INFO")
    quiet = checks["banned at the API's door, and a quiet market"].result(patient(180))
    (warning,) = quiet.logs("WARN")
    assert re.search(r"no book ticker came within \d+ seconds\. The market may be quiet", warning)


@pytest.mark.slow
def test_a_process_that_is_slow_to_start_has_its_answer_in_time(tmp_path: Path) -> None:
    """The 15 seconds are counted from its start: here its imports take 8 seconds."""
    with (
        LocalExchange(rate=0) as exchange,
        Connector(tmp_path / "slow", PATIENT + SLOW_TO_START + CONNECTOR) as connector,
    ):
        exchange.slow_handshake(60, endpoint="api")
        output = connector.run("check", {"environment": exchange.environment()})
    assert output.status[0] == "FAILED"
    assert output.status[1].startswith("symbol_prices: ")
    (warning,) = output.logs("WARN")
    assert warning.startswith("book_tickers: connected, but no book ticker came within")
    assert output.seconds < WITHIN + LATE
