"""`check` through the real process: it tries both endpoints, tells their failures apart, and always gives a status."""

from __future__ import annotations

import functools
import time
from collections.abc import Iterator
from concurrent.futures import Future
from typing import Any

import pytest

from local_exchange import DropConnection, LocalExchange, NoAnswer

from .harness.connector import Connector, Output, side_by_side
from .harness.price_answers import Arrangement, answers, limited, nothing, refused, together

CHECKS: dict[str, tuple[Arrangement, dict[str, Any], str, list[str]]] = {
    # What waits longest begins first.
    "a slow handshake, and a quiet market": (
        together(lambda exchange: exchange.slow_handshake(3.5, times=None), lambda exchange: exchange.set_rate(0)),
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
    """What the check said, and the seconds from the connector's first connection to its end."""
    arrange, options, _, _ = CHECKS[name]
    with LocalExchange(rate=500, sample_every=None) as exchange:
        arrange(exchange)
        output = connector.run("check", {"environment": exchange.environment(), **options})
        ended = time.monotonic()
        return output, ended - exchange.handshakes[0][0] if exchange.handshakes else 0.0


@pytest.fixture(scope="module")
def checks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Future[tuple[Output, float]]]]:
    jobs = {name: functools.partial(check, name) for name in CHECKS}
    with side_by_side(tmp_path_factory.mktemp("checks"), jobs) as futures:
        yield futures


@pytest.mark.parametrize("name", CHECKS)
def test_check_always_answers_with_a_status(name: str, checks: dict[str, Future[tuple[Output, float]]]) -> None:
    output, seconds = checks[name].result(180)
    _, _, expected, parts = CHECKS[name]
    status, sentence = output.status
    assert (output.exit_code, status) == (0, expected)
    assert all(part in sentence for part in parts), sentence
    assert not sentence.startswith("'")
    # One endpoint is not blamed for the other.
    assert all(other not in sentence for other in ("book_tickers:", "symbol_prices:") if other not in " ".join(parts))
    assert output.is_plain
    assert seconds < 13, "with the start of the process it is within 15"


def test_what_check_tells_of_what_works(checks: dict[str, Future[tuple[Output, float]]]) -> None:
    works, _ = checks["both work"].result(180)
    assert "book_tickers: connected, and the first book ticker came." in works.logs("INFO")
    assert "symbol_prices: ticker.price answered with 1 prices." in works.logs("INFO")
    quiet, _ = checks["banned at the API's door, and a quiet market"].result(180)
    assert any("no book ticker came within 10 seconds" in line for line in quiet.logs("WARN"))
    wrong, _ = checks["a wrong book ticker symbol"].result(180)
    (warning,) = wrong.logs("WARN")
    assert "no book ticker of NOSUCH came" in warning
