"""`symbol_prices` over a real connection: each answer and refusal, the requests it took and the weight it cost.

The clock is virtual: the pauses between tries pass at once, and are known exactly.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from airbyte_cdk.models import SyncMode

from local_exchange import Answer, CloseConnection, DropConnection, Fragmented, LocalExchange, NoAnswer
from source_binance_futures.binance.clock import Stop
from source_binance_futures.binance.websocket_api.prices import WeightBudget
from source_binance_futures.config import Config
from source_binance_futures.failures import ReportedFailure
from source_binance_futures.streams.symbol_prices import SymbolPrices
from unit_tests.virtual_time import VirtualTime

from .harness.connector import environment_at

Arrangement = Callable[[LocalExchange], object]
HANDSHAKE, ONE, ALL = 5, 1, 2  # weights [binance-facts 1]
MAINTENANCE = '{"239999":"The system is under maintenance, please try again later."}'

MANY_ROWS: list[dict[str, Any]] = [
    {"symbol": f"币安{number}USDT", "price": f"{number}.010", "time": number} for number in range(5000)
]
ROWS = [{"symbol": "BTCUSDT", "price": "6000.010", "time": 1589437530011}]
BANNED, LIMITED = "has banned this IP address and answers", "has received too many requests from this IP address"
TIME = VirtualTime()
"""Passes only while the client sleeps, and where an answer lets it."""
TEN_SECONDS_LEFT = 50.0  # of the minute of Binance's limit, when a sync begins


@dataclass
class Case:
    """One sync of `symbol_prices`: what the exchange does, and what is expected.

    `says` is the failure's type and what its sentence contains; without it the sync succeeds.
    """

    arrange: Arrangement = lambda _: None
    requests: int = 1
    handshakes: int = 1
    says: tuple[str, str] | None = None
    options: dict[str, Any] = field(default_factory=dict)
    rows: list[dict[str, Any]] | None = None
    weight: int | None = None
    waits: tuple[float, float] = (0.0, 0.0)
    """The least and the most seconds of pauses; each pause has half a second of chance."""


SOMEBODY_ELSES: list[Answer] = [
    {"id": "somebody-else", "status": 200, "result": [{"symbol": "WRONG", "price": "1", "time": 1}]},
    {"id": "somebody-else", "status": 400, "error": {"code": -1121, "msg": "Invalid symbol."}},
    {"id": 17, "result": None},
    '{"stream":"!serverShutdown","data":{"e":"serverShutdown","E":1770123456789}}',
    {"id": None, "status": 200, "result": ROWS},
]


def refusal(status: int, code: int, text: str = "Some text.", **data: Any) -> dict[str, Any]:
    return {"status": status, "error": {"code": code, "msg": text, **({"data": data} if data else {})}}


def weighty(count: int) -> Answer:
    """A temporary failure that tells how much weight this IP address has used."""
    limits = [
        {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 2400, "count": count}
    ]
    return {**refusal(503, -1008, "Server is currently overloaded."), "rateLimits": limits}


def too_late(_request: dict[str, Any]) -> Answer:
    """No answer, and ten seconds pass."""
    TIME.pass_by(10.0)
    return NoAnswer


def limited(seconds: float) -> Answer:
    """429 with `retryAfter` as a number of seconds."""
    return refusal(429, -1003, retryAfter=seconds)


def limited_at_the_door(exchange: LocalExchange) -> None:
    exchange.refuse(429, {"Retry-After": "1"}, endpoint="api")
    exchange.script_answer(too_late)


def in_ms(_request: dict[str, Any]) -> Answer:
    """429 with `retryAfter` two seconds ahead, as an epoch time."""
    return refusal(429, -1003, retryAfter=int((TIME.clock().epoch() + 2) * 1000))


def banned(seconds: float) -> Answer:
    """418 with the end of a ban in its text."""

    def answer(_request: dict[str, Any]) -> Answer:
        until = int((TIME.clock().epoch() + seconds) * 1000)
        return refusal(418, -1003, f"Way too much; IP banned until {until}. Please use streams.")

    return answer


def answers(*script: Answer) -> Arrangement:
    """These answers to the next requests."""
    return lambda exchange: exchange.script_answer(*script)


CASES = {
    "all": Case(weight=HANDSHAKE + ALL),
    "one": Case(options={"price_symbols": ["btcUSDT"]}, weight=HANDSHAKE + ONE),
    "several": Case(
        options={"price_symbols": ["ethusdt", "币安人生usdt", "1000SATSUSDT", "EthUsdt", "btcusdt_260626"]},
        weight=HANDSHAKE + ALL,
    ),
    "unknown, one": Case(
        options={"price_symbols": ["nosuchusdt"]},
        says=("config_error", "`price_symbols`: Binance does not list NOSUCHUSDT among"),
    ),
    "unknown, a hundred thousand": Case(
        options={"price_symbols": [f"NOSUCH{number}USDT" for number in range(100_000)]},
        says=("config_error", "NOSUCH9USDT and 99990 more among its USDⓈ-M futures."),
    ),
    "other frames, then 5,000 rows in fragments": Case(
        answers([*SOMEBODY_ELSES, Fragmented({"status": 200, "result": MANY_ROWS}, pieces=997)]), rows=MANY_ROWS
    ),
    "limited at the door, then no answer": Case(
        limited_at_the_door,
        requests=2,
        handshakes=3,
        waits=(12.5, 13.5),
    ),
    "limited, said in three forms": Case(
        answers(in_ms, limited(2), banned(2)), requests=4, handshakes=4, weight=4 * (HANDSHAKE + ALL), waits=(9.5, 11)
    ),
    "limited for a minute and more, as it listens that long": Case(
        answers(limited(40), limited(50)), options={"listen_seconds": 600}, requests=3, handshakes=3, waits=(91, 95)
    ),
    "banned for an hour": Case(answers(banned(3600)), says=("transient_error", f"{BANNED} again after ")),
    "banned at the door": Case(
        lambda exchange: exchange.refuse(418, {"Retry-After": "7200"}, endpoint="api"),
        requests=0,
        says=("transient_error", BANNED),
        weight=0,
    ),
    "limited for longer than it listens": Case(
        answers(limited(20)), options={"listen_seconds": 1}, says=("transient_error", LIMITED)
    ),
    # The weight is below nine tenths of the limit in the one, and the window too short to wait in the other.
    "four temporary failures": Case(
        answers(weighty(2100), *[refusal(400, code) for code in (-1000, -1001, -1006)]),
        requests=4,
        handshakes=4,
        says=("transient_error", "Try again in a few minutes."),
        weight=4 * (HANDSHAKE + ALL),
        waits=(3.5, 5),
    ),
    "three temporary failures": Case(
        answers(refusal(400, -1007), refusal(400, -1016), weighty(2399)),
        options={"listen_seconds": 1},
        requests=4,
        handshakes=4,
        weight=4 * (HANDSHAKE + ALL),
        waits=(3.5, 5),
    ),
    "lost twice, then maintenance": Case(
        answers(DropConnection, CloseConnection(1008, "Too many requests"), MAINTENANCE),
        requests=4,
        handshakes=4,
        weight=4 * (HANDSHAKE + ALL),
        waits=(3.5, 5),
    ),
    "near the limit": Case(answers(weighty(2147), DropConnection), requests=3, handshakes=3, waits=(10.0, 12.0)),
}


@dataclass(frozen=True)
class Outcome:
    records: list[Any]
    failure: ReportedFailure | None
    log: list[str]
    requests: list[dict[str, Any]]
    prices: dict[str, tuple[str, int]]


def run(name: str, caplog: pytest.LogCaptureFixture) -> Outcome:
    """One sync in this process, held to what is expected of it."""
    case = CASES[name]
    caplog.clear()
    TIME.wall_ahead += TEN_SECONDS_LEFT - TIME.clock().epoch() % 60
    clock = TIME.clock()
    began = clock.monotonic()
    records, failure = [], None
    with LocalExchange(rate=0) as exchange:
        case.arrange(exchange)
        config = Config.from_mapping({"environment": exchange.environment(), **case.options})
        stream = SymbolPrices(config, Stop(clock), WeightBudget())
        try:
            records = list(stream.read_records(SyncMode.full_refresh))
        except ReportedFailure as error:
            failure = error
        requests, weight, prices = exchange.requests, exchange.weight.spent, dict(exchange.prices)
        handshakes = len(exchange.handshakes)
    least, most = case.waits
    assert least <= round(clock.monotonic() - began, 6) <= most
    assert (len(requests), handshakes) == (case.requests, case.handshakes)
    assert len({request["id"] for request in requests}) == len(requests)
    assert {request["method"] for request in requests} <= {"ticker.price"}
    assert case.weight in (None, weight)
    return Outcome(records, failure, list(caplog.messages), requests, prices)


@pytest.mark.parametrize("name", CASES)
def test_each_answer_and_refusal(name: str, caplog: pytest.LogCaptureFixture) -> None:
    case, outcome = CASES[name], run(name, caplog)
    if case.says is None:
        assert outcome.failure is None
        assert outcome.records
    else:
        assert outcome.records == []  # nothing half
        assert outcome.failure is not None
        failure_type, part = case.says
        sentence = outcome.failure.message or ""
        assert (outcome.failure.failure_type.value, part in sentence) == (failure_type, True), sentence
        assert len(sentence) < 500
    if case.rows is not None:
        assert outcome.records == case.rows


def test_all_rows_are_emitted_exactly_as_sent(caplog: pytest.LogCaptureFixture) -> None:
    outcome = run("all", caplog)
    assert {row["symbol"]: (row["price"], row["time"]) for row in outcome.records} == outcome.prices
    assert len(outcome.records) == len(outcome.prices)
    assert "params" not in outcome.requests[0]
    # Padded with zeros, months old, digits first, an underscore, Chinese: all of them are there.
    assert outcome.prices["BTCUSDT"][0] == "85999.90"
    assert outcome.prices["LUNAUSDT"][1] < (time.time() - 100 * 86400) * 1000
    assert {"1000SATSUSDT", "BTCUSDT_260626", "币安人生USDT"} <= outcome.prices.keys()
    assert "Request weight used by this IP address this minute: 7 of 2400." in outcome.log


def test_the_cheapest_request_that_answers_the_question(caplog: pytest.LogCaptureFixture) -> None:
    one, several = run("one", caplog), run("several", caplog)
    assert [request["params"] for request in one.requests] == [{"symbol": "BTCUSDT"}]
    assert [row["symbol"] for row in one.records] == ["BTCUSDT"]
    assert "params" not in several.requests[0]
    symbols = ["ETHUSDT", "币安人生USDT", "1000SATSUSDT", "BTCUSDT_260626"]
    assert [row["symbol"] for row in several.records] == symbols
    assert all(several.prices[row["symbol"]][0] == row["price"] for row in several.records)


def test_a_ban_names_the_time(caplog: pytest.LogCaptureFixture) -> None:
    for name, seconds in (("banned for an hour", 3600), ("banned at the door", 7200)):
        failure = run(name, caplog).failure
        moment = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(TIME.clock().epoch() + seconds))
        assert f"answers again after {moment}" in str(failure and failure.message)


def test_each_try_is_reported(caplog: pytest.LogCaptureFixture) -> None:
    tries = [line for line in run("four temporary failures", caplog).log if "Asking for prices failed" in line]
    assert [f"(try {number} of 4)" in line for number, line in enumerate(tries, 1)] == [True] * 3


def test_an_address_near_its_limit_waits_for_the_next_minute(caplog: pytest.LogCaptureFixture) -> None:
    """The weight of a request that nothing answered counts too, and that of the next handshake."""
    (line,) = [line for line in run("near the limit", caplog).log if "has used 2154 of 2400 request weight" in line]
    assert line.endswith("seconds for the next one.")


@pytest.fixture
def deaf_server() -> Iterator[socket.socket]:
    """Takes connections, and never answers on one."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(60)
        yield server


def prices_of(server: socket.socket, stop: Stop) -> None:
    config = Config.from_mapping({"environment": environment_at(server.getsockname()[1])})
    with pytest.raises(ReportedFailure, match="The sync was asked to stop before Binance had answered"):
        list(SymbolPrices(config, stop, WeightBudget()).read_records(SyncMode.full_refresh))


def attempts() -> list[threading.Thread]:
    """The connections that are being opened."""
    return [thread for thread in threading.enumerate() if thread.name.startswith("connect to")]


def test_a_stop_while_prices_connect_is_heard(deaf_server: socket.socket) -> None:
    stop = Stop(TIME.clock())
    clients: list[socket.socket] = []

    def accept() -> None:
        clients.append(deaf_server.accept()[0])
        stop.request()

    thread = threading.Thread(target=accept)
    thread.start()
    prices_of(deaf_server, stop)
    assert attempts(), "it is not waited for"
    thread.join()
    clients[0].close()


def test_after_a_stop_nothing_is_asked(deaf_server: socket.socket) -> None:
    for attempt in attempts():
        attempt.join()
    stop = Stop(TIME.clock())
    stop.request()
    prices_of(deaf_server, stop)
    assert not attempts()
