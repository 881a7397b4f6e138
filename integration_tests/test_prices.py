"""`symbol_prices` through the real process: each answer and refusal, the requests it took and the weight it cost."""

from __future__ import annotations

import functools
import json
import signal
import socket
import time
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from airbyte_cdk.models import SyncMode

from local_exchange import Answer, CloseConnection, Delayed, DropConnection, Fragmented, LocalExchange, NoAnswer
from source_binance_futures.binance.clock import Clock, Stop
from source_binance_futures.binance.websocket_api.prices import WeightBudget
from source_binance_futures.config import Config
from source_binance_futures.failures import ReportedFailure
from source_binance_futures.streams.symbol_prices import SymbolPrices

from .harness.connector import FULL_REFRESH, Connector, Output, side_by_side
from .harness.price_answers import (
    ALL,
    HANDSHAKE,
    MAINTENANCE,
    ONE,
    Arrangement,
    answers,
    limited,
    nothing,
    refusal,
    refused,
    together,
    weighty,
)

MANY_ROWS: list[dict[str, Any]] = [
    {"symbol": f"币安{number}USDT", "price": f"{number}.010", "time": number} for number in range(5000)
]
DEEP = "[" * 1000 + "]" * 1000  # orjson reads it; neither orjson nor, before 3.12, Python writes it
ROWS = [{"symbol": "BTCUSDT", "price": "6000.010", "time": 1589437530011}]


@dataclass
class Case:
    """One sync of `symbol_prices`: what the exchange does, and what is expected.

    `says` is the failure's type and what its sentence contains; without it the sync succeeds.
    """

    arrange: Arrangement
    requests: int = 1
    handshakes: int = 1
    says: tuple[str, str] | None = None
    options: dict[str, Any] = field(default_factory=dict)
    rows: list[dict[str, Any]] | None = None
    weight: int | None = None
    lasts: float = 0.0
    """Seconds that the sync waits at least."""


SOMEBODY_ELSES: list[Answer] = [
    {"id": "somebody-else", "status": 200, "result": [{"symbol": "WRONG", "price": "1", "time": 1}]},
    {"id": "somebody-else", "status": 400, "error": {"code": -1121, "msg": "Invalid symbol."}},
    {"id": 17, "result": None},
    '{"stream":"!serverShutdown","data":{"e":"serverShutdown","E":1770123456789}}',
    {"id": None, "status": 200, "result": ROWS},
]

CASES = {
    # What waits longest begins first.
    "limited at the door, then no answer": Case(
        together(refused("api", 429, retry_after=1, times=1), answers(NoAnswer)),
        requests=2,
        handshakes=3,
        lasts=11,
    ),
    "limited, told in three forms": Case(
        answers(limited(ms=2), limited(seconds=2), limited(text=2)), requests=4, weight=HANDSHAKE + 4 * ALL, lasts=5.5
    ),
    "all": Case(nothing, weight=HANDSHAKE + ALL),
    "one": Case(nothing, options={"price_symbols": ["btcUSDT"]}, weight=HANDSHAKE + ONE),
    "several": Case(
        nothing,
        options={"price_symbols": ["ethusdt", "币安人生usdt", "1000SATSUSDT", "EthUsdt", "btcusdt_260626"]},
        weight=HANDSHAKE + ALL,
    ),
    "unknown, one": Case(
        nothing,
        options={"price_symbols": ["nosuchusdt"]},
        says=("config_error", "`price_symbols`: Binance does not list NOSUCHUSDT among"),
        weight=HANDSHAKE + ONE,
    ),
    "unknown, two of three": Case(
        nothing,
        options={"price_symbols": ["NOSUCHUSDT", "BTCUSDT", "币USDT"]},
        says=("config_error", "`price_symbols`: Binance does not list NOSUCHUSDT, 币USDT among"),
        weight=HANDSHAKE + ALL,
    ),
    "other frames, then 5,000 rows in fragments": Case(
        answers([*SOMEBODY_ELSES, Delayed(Fragmented({"status": 200, "result": MANY_ROWS}, pieces=997), 1.0)]),
        rows=MANY_ROWS,
        lasts=1.0,
    ),
    "banned for an hour": Case(
        answers(limited(text=3600)), says=("transient_error", "has banned this IP address and answers")
    ),
    "limited for longer than it listens": Case(
        answers(limited(seconds=20), limited(seconds=20), limited(seconds=20)),
        options={"listen_seconds": 1},
        says=("transient_error", "has received too many requests from this IP address"),
    ),
    "delisted": Case(
        answers(refusal(400, -1122, "Invalid symbol status.")),
        options={"price_symbols": ["BTCSTUSDT"]},
        says=("config_error", "Binance gives no price of BTCSTUSDT: Invalid symbol status (code -1122)."),
    ),
    "banned at the door": Case(
        refused("api", 418, retry_after=7200),
        requests=0,
        says=("transient_error", "has banned this IP address and answers"),
        weight=0,
    ),
    # The weight is below nine tenths of the limit in the one, and the window too short to wait in the other.
    "four temporary failures": Case(
        answers(weighty(2100), *[refusal(400, code) for code in (-1000, -1001, -1006)]),
        requests=4,
        says=("transient_error", "Try again in a few minutes."),
        weight=HANDSHAKE + 4 * ALL,
        lasts=3.5,  # 0.5, 1 and 2 seconds of back-off, and chance
    ),
    "three temporary failures": Case(
        answers(refusal(400, -1007), refusal(400, -1016), weighty(2399)),
        options={"listen_seconds": 1},
        requests=4,
        weight=HANDSHAKE + 4 * ALL,
    ),
    "lost twice, then maintenance": Case(
        answers(DropConnection, CloseConnection(1008, "Too many requests"), MAINTENANCE),
        requests=4,
        handshakes=3,
        weight=3 * HANDSHAKE + 4 * ALL,
    ),
    "refused": Case(
        answers(refusal(400, -1102, "Mandatory parameter was not sent.")),
        says=("system_error", "status 400, code -1102: Mandatory parameter was not sent."),
    ),
    "refused without an id": Case(
        answers({"id": None, **refusal(401, -2015, "Invalid API-key, IP, or permissions for action.")}),
        says=("system_error", "code -2015"),
    ),
    "not JSON": Case(
        answers("<html>502 Bad Gateway</html>"), says=("system_error", "not JSON: <html>502 Bad Gateway</html>")
    ),
    "a reason nested too deeply": Case(
        answers(lambda request: f'{{"id":"{request["id"]}","status":400,"error":{{"code":-1,"msg":{DEEP}}}}}'),
        says=("system_error", "status 400, code -1: "),
    ),
    "a price nested too deeply": Case(
        answers(lambda request: f'{{"id":"{request["id"]}","status":200,"result":[{{"symbol":"A","time":{DEEP}}}]}}'),
        says=("system_error", "nested too deeply: "),
    ),
    "a row without a price": Case(
        answers({"status": 200, "result": [*ROWS, {"symbol": "ETHUSDT", "time": 1}]}), rows=ROWS
    ),
}


@dataclass(frozen=True)
class Outcome:
    output: Output
    requests: list[dict[str, Any]]
    api_handshakes: int
    weight_spent: int
    prices: dict[str, tuple[str, int]]


def run(case: Case, connector: Connector) -> Outcome:
    with LocalExchange(rate=0) as exchange:
        case.arrange(exchange)
        config = {"environment": exchange.environment(), **case.options}
        output = connector.read(config, symbol_prices=FULL_REFRESH)
        handshakes = [path for _, path, _ in exchange.handshakes if path.startswith("/ws-fapi")]
        return Outcome(output, exchange.requests, len(handshakes), exchange.weight_spent, dict(exchange.prices))


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Future[Outcome]]]:
    jobs = {name: functools.partial(run, case) for name, case in CASES.items()}
    with side_by_side(tmp_path_factory.mktemp("prices"), jobs) as futures:
        yield futures


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.lasts])
def test_what_is_waited_for_takes_its_time(name: str, outcomes: dict[str, Future[Outcome]]) -> None:
    assert outcomes[name].result(180).output.seconds >= CASES[name].lasts


@pytest.mark.parametrize("name", CASES)
def test_each_answer_and_refusal(name: str, outcomes: dict[str, Future[Outcome]]) -> None:
    case, outcome = CASES[name], outcomes[name].result(180)
    output = outcome.output
    assert (len(outcome.requests), outcome.api_handshakes) == (case.requests, case.handshakes)
    assert len({request["id"] for request in outcome.requests}) == len(outcome.requests)
    assert {request["method"] for request in outcome.requests} <= {"ticker.price"}
    if case.weight is not None:
        assert outcome.weight_spent == case.weight
    assert output.is_plain
    if case.says is None:
        assert output.exit_code == 0
        assert output.statuses("symbol_prices")[-1] == "COMPLETE"
        assert not output.errors
        assert output.records("symbol_prices")
    else:
        assert output.exit_code == 1
        assert output.statuses("symbol_prices")[-1] == "INCOMPLETE"
        assert not output.records("symbol_prices")  # nothing half
        failure_type, part = case.says
        assert (output.errors[0]["failure_type"], part in output.errors[0]["message"]) == (failure_type, True)
    if case.rows is not None:
        assert output.records("symbol_prices") == case.rows


def test_all_rows_are_emitted_exactly_as_sent(outcomes: dict[str, Future[Outcome]]) -> None:
    outcome = outcomes["all"].result(180)
    rows = outcome.output.records("symbol_prices")
    assert {row["symbol"]: (row["price"], row["time"]) for row in rows} == outcome.prices
    assert len(rows) == len(outcome.prices)
    assert "params" not in outcome.requests[0]
    # Padded with zeros, months old, digits first, an underscore, Chinese: all of them are there.
    assert outcome.prices["BTCUSDT"][0] == "85999.90"
    assert outcome.prices["LUNAUSDT"][1] < (time.time() - 100 * 86400) * 1000
    assert {"1000SATSUSDT", "BTCUSDT_260626", "币安人生USDT"} <= outcome.prices.keys()
    weight = "Request weight used by this IP address this minute: 7 of 2400."
    assert weight in outcome.output.logs("INFO")


def test_the_cheapest_request_that_answers_the_question(outcomes: dict[str, Future[Outcome]]) -> None:
    one, several = outcomes["one"].result(180), outcomes["several"].result(180)
    assert [request["params"] for request in one.requests] == [{"symbol": "BTCUSDT"}]
    assert [row["symbol"] for row in one.output.records("symbol_prices")] == ["BTCUSDT"]
    assert "params" not in several.requests[0]
    symbols = ["ETHUSDT", "币安人生USDT", "1000SATSUSDT", "BTCUSDT_260626"]
    assert [row["symbol"] for row in several.output.records("symbol_prices")] == symbols
    assert all(several.prices[row["symbol"]][0] == row["price"] for row in several.output.records("symbol_prices"))


def test_a_ban_names_the_time(outcomes: dict[str, Future[Outcome]]) -> None:
    for name, hours in (("banned for an hour", 1), ("banned at the door", 2)):
        output = outcomes[name].result(180).output
        # The day and the hour at least: when exactly the answer came is not known here.
        moments = [time.strftime("%Y-%m-%d %H:", time.gmtime(time.time() + hours * 3600 - ago)) for ago in (0, 180)]
        assert any(f"answers again after {moment}" in output.errors[0]["message"] for moment in moments)


def test_each_try_is_told(outcomes: dict[str, Future[Outcome]]) -> None:
    warnings = outcomes["four temporary failures"].result(180).output.logs("WARN")
    tries = [line for line in warnings if line.startswith("Asking for prices failed")]
    assert [f"(try {number} of 4)" in line for number, line in enumerate(tries, 1)] == [True] * 3


def early_in_a_minute() -> None:
    """The minute must not change while the process starts."""
    while time.time() % 60 > 40:
        time.sleep(0.5)


def test_an_address_near_its_limit_waits_for_the_next_minute(connector: Connector) -> None:
    with LocalExchange(rate=0) as exchange:
        early_in_a_minute()
        exchange.script_answer(weighty(2159))
        running = connector.start_read({"environment": exchange.environment()}, symbol_prices=FULL_REFRESH)
        running.wait_for_text("has used 2159 of 2400 request weight")
        time.sleep(1.5)  # longer than any back-off after a first failure
        assert len(exchange.requests) == 1
        running.process.send_signal(signal.SIGTERM)
        output = running.finish(20)
    assert any(line.endswith("seconds for the next one.") for line in output.logs("WARN"))
    assert not output.records("symbol_prices")
    assert output.is_plain


def test_the_weight_of_a_handshake_is_minded_too(connector: Connector) -> None:
    """The second request passes below nine tenths, on the open connection, and counts though nothing answered it."""
    with LocalExchange(rate=0) as exchange:
        early_in_a_minute()
        exchange.script_answer(weighty(2154), DropConnection)
        running = connector.start_read({"environment": exchange.environment()}, symbol_prices=FULL_REFRESH)
        running.wait_for_text("has used 2156 of 2400 request weight")
        assert len(exchange.requests) == 2
        assert len(exchange.handshakes) == 1
        running.process.send_signal(signal.SIGTERM)
        running.finish(20)


@pytest.fixture
def deaf_server() -> Iterator[socket.socket]:
    """Takes connections, and never answers on one."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(60)
        yield server


def environment_with(server: socket.socket) -> dict[str, str]:
    url = f"ws://127.0.0.1:{server.getsockname()[1]}"
    return {"name": "custom", "market_stream_url": url, "websocket_api_url": f"{url}/ws-fapi/v1"}


def test_a_stop_while_prices_connect_is_heard(connector: Connector, deaf_server: socket.socket) -> None:
    config = {"environment": environment_with(deaf_server)}
    running = connector.start_read(config, symbol_prices=FULL_REFRESH)
    client, _ = deaf_server.accept()
    with client:
        running.process.send_signal(signal.SIGTERM)
        output = running.finish(20)
    assert output.exit_code == 1
    assert output.statuses("symbol_prices")[-1] == "INCOMPLETE"
    assert "The sync was asked to stop before Binance had answered" in output.errors[0]["message"]
    assert output.is_plain


def test_after_a_stop_nothing_is_asked(deaf_server: socket.socket) -> None:
    stop = Stop(Clock())
    stop.request()
    config = Config.from_mapping({"environment": environment_with(deaf_server)})
    with pytest.raises(ReportedFailure, match="asked to stop before Binance had answered"):
        list(SymbolPrices(config, stop, WeightBudget()).read_records(SyncMode.full_refresh))
    deaf_server.settimeout(0.5)
    with pytest.raises(TimeoutError):
        deaf_server.accept()


def test_a_hundred_thousand_unknown_symbols_are_named_in_a_sentence(connector: Connector) -> None:
    with LocalExchange(rate=0) as exchange:
        symbols = [f"NOSUCH{number}USDT" for number in range(100_000)]
        config = {"environment": exchange.environment(), "price_symbols": symbols}
        output = connector.read(config, symbol_prices=FULL_REFRESH)
    told = output.errors[0]["message"]
    assert "Binance does not list NOSUCH0USDT, NOSUCH1USDT," in told
    assert "NOSUCH9USDT and 99990 more among its USDⓈ-M futures." in told
    assert len(output.stdout) + len(output.stderr) < 20_000


def test_a_scheme_in_capitals_is_understood(connector: Connector) -> None:
    with LocalExchange(rate=100) as exchange:
        environment = {name: value.replace("ws://", "WS://") for name, value in exchange.environment().items()}
        assert environment["websocket_api_url"].startswith("WS://")
        assert connector.run("check", {"environment": environment}).status[0] == "SUCCEEDED"


@pytest.mark.parametrize("option", ["market_stream_url", "websocket_api_url"])
def test_half_a_surrogate_pair_in_an_address_is_told(
    connector: Connector, deaf_server: socket.socket, tmp_path: Path, option: str
) -> None:
    environment = environment_with(deaf_server)
    environment[option] += "/\ud800"
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"environment": environment}))
    output = connector.run("check", config)
    assert output.status[0] == "FAILED"
    assert "config.json cannot be used: " in output.status[1]
    assert output.is_plain
