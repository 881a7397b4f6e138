"""Whole runs in virtual time: what keeps every expectation, and what breaks some over the connections themselves."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import orjson
import pytest

from local_exchange.connection import ExchangeConnection
from local_exchange.contracts import coin_m_contracts
from local_exchange.streams import SILENT_PREFIXES
from local_exchange.websocket_api import NoAnswer
from source_binance_futures.binance.clock import Stop
from source_binance_futures.binance.endpoints import PRODUCTION, TESTNET, Environment
from source_binance_futures.binance.transport.proxy import Route
from source_binance_futures.live.expectations import Judged, judge
from source_binance_futures.live.probe import (
    API_CONNECTIONS,
    MOST_CONNECTIONS,
    Probe,
    ask_for_prices,
    note_book,
    roles_of,
)
from source_binance_futures.live.stats import Stats

from ..simulation.exchange import HOST, USDS_MARGINED, SimulatedExchange
from ..simulation.network import VirtualSelector
from ..virtual_time import VirtualTime

CONTRACTS = ("BTCUSD_PERP", "ETHUSD_PERP", "SOLUSD_PERP")
USDS_M = ("BTCUSDT", "ETHUSDT")
TWO_HOSTS = Environment("custom", (HOST,), (USDS_MARGINED,), f"{HOST}/ws-fapi/v1")
AS_THE_TESTNET = Environment("testnet", (HOST, f"{HOST}/public"), (USDS_MARGINED, f"{HOST}/usds"), f"{HOST}/ws-fapi/v1")


def quietly(_: object) -> None:
    """Let nothing happen."""


@dataclass(frozen=True)
class Asked:
    stats: Stats
    judged: list[Judged]
    exchange: SimulatedExchange
    reports: list[str]

    def seen(self, verdict: str) -> dict[str, str]:
        """What was seen of the expectations with this verdict."""
        return {each.name: each.seen for each in self.judged if each.verdict == verdict}


class Scene(SimulatedExchange):
    """The exchange, with what a script needs: moments, and the connections that it is about."""

    def __init__(self, **options: Any) -> None:
        market: dict[str, Any] = {"sample_every": 5.0, "own_stream_lag": 0.005, "cross_market": False}
        market |= {"silent_prefixes": SILENT_PREFIXES, "keep_pushed": True, "tick": 0.1}
        chosen: dict[str, Any] = {"coin_m": CONTRACTS, "usds_m": USDS_M, "rate": 50, "ping_interval": 180.0}
        chosen |= {name: value for name, value in options.items() if name not in market}
        market |= {name: value for name, value in options.items() if name in market}
        super().__init__(VirtualTime(), random.Random(1), tick=0.1, options=market, **chosen)

    def at(self, seconds: float, act: Callable[[], object]) -> None:
        """Do something so many seconds after the beginning."""
        self.loop.call_later(seconds, act)

    def every(self, moments: Iterable[float], act: Callable[[], object]) -> None:
        for moment in moments:
            self.at(moment, act)

    def coin_m(self, number: int = 0) -> ExchangeConnection:
        """The `number`-th connection to COIN-M's plain address."""
        return [each for each in self.market.every_connection if each.path.startswith("/stream")][number]

    def usds_m(self, number: int = 0) -> ExchangeConnection:
        return [each for each in self.market.every_connection if each.path.startswith("/usds/public/")][number]


def ask(
    seconds: float,
    script: Callable[[Scene], object] = quietly,
    *,
    environment: Environment = TWO_HOSTS,
    **options: Any,
) -> Asked:
    """Ask the exchange for so many seconds while a script goes on."""
    scene, reports = Scene(**options), list[str]()
    script(scene)
    selector = VirtualSelector(scene.loop)
    stop = Stop(scene.time.clock())
    scene.at(1e9, lambda: None)
    probe = Probe(
        environment, Route(), stop, seconds, report=reports.append, opening=scene.opening(selector), selector=selector
    )
    try:
        stats = probe.run()
    finally:
        scene.loop.run_until(scene.time.now + 5.0)  # until all that was left has ended for the exchange too
        scene.close()
    return Asked(stats, judge(stats), scene, reports)


BOOK = {"e": "bookTicker", "s": "BTCUSD_PERP", "ps": "BTCUSD", "st": 2, "B": "1", "A": "1", "b": "1.1", "a": "1.2"}
LONG_PAST = {"u": 1000, "T": 1_600_000_000_000, "E": 1_600_000_000_000}
PING_ABC = b"\x89\x03abc"


def push(scene: Scene, *frames: dict[str, Any]) -> None:
    scene.market.push_texts([orjson.dumps(frame) for frame in frames])


def own(**changes: Any) -> dict[str, Any]:
    data = {**BOOK, **LONG_PAST, **changes}
    return {"stream": f"{data['s'].lower()}@bookTicker", "data": data}


@pytest.fixture(scope="module")
def ten_minutes() -> Asked:
    def script(scene: Scene) -> None:
        (contract,) = coin_m_contracts(["NEWUSD_PERP"])
        scene.at(300.0, lambda: scene.market.announce(contract))

    return ask(600.0, script, environment=AS_THE_TESTNET, rate=8)


def test_in_ten_minutes_every_expectation_is_seen_to_hold(ten_minutes: Asked) -> None:
    assert ten_minutes.seen("differs") == ten_minutes.seen("unseen") == {}
    assert "Another connection took over: to see whether it brings the same." in ten_minutes.reports[-1]
    assert not ten_minutes.stats["stopped_early"]


def test_it_asks_for_little(ten_minutes: Asked) -> None:
    assert ten_minutes.exchange.api.weight.spent == 26
    assert len(ten_minutes.exchange.attempts) == ten_minutes.stats["connections"] == 8
    for connection in ten_minutes.exchange.market.every_connection:
        assert len(connection.control_messages) < 20


def odd_frames(scene: Scene) -> None:
    sample = {"stream": "!bookTicker", "data": {**BOOK, **LONG_PAST}}
    frames = [own(), own(b=1.1), own(new=1), own(b="1.2"), own(ps=None), {**BOOK, **LONG_PAST}, sample]
    without = {key: value for key, value in own()["data"].items() if key not in ("st", "ps")}
    frames.append({"stream": "btcusd_perp@bookTicker", "data": without})
    frames.append({"stream": "!serverShutdown", "data": {"e": "serverShutdown", "E": 1770123456789}})
    frames.append({"stream": "!contractInfo", "data": {"e": "contractInfo", "s": "NEWUSDT"}})
    scene.at(12.0, lambda: push(scene, *frames))


def bad_connections(scene: Scene) -> None:
    scene.ignore_subscriptions(None)
    scene.at(2.0, lambda: scene.lag(scene.coin_m(), 3.0))
    scene.at(3.0, lambda: scene.fault("raw", scene.coin_m(), data=PING_ABC))
    scene.at(4.0, lambda: scene.fault("rst", scene.usds_m()))
    scene.at(12.0, lambda: scene.fault("silence", scene.usds_m(1)))


def dead_own_streams(scene: Scene) -> None:
    scene.at(1.0, lambda: scene.kill_stream("BTCUSD_PERP", scene.coin_m()))
    book = {**BOOK, "s": "ETHUSD_PERP", "ps": "ETHUSD", "T": 1, "E": 1}
    scene.every([10.0, 10.5, 11.0, 11.5, 12.0], lambda: scene.show_what_never_comes(book))
    scene.at(15.0, lambda: scene.kill_stream("SOLUSD_PERP", scene.coin_m(1)))


def orderly_and_fat(scene: Scene) -> None:
    ids = iter(range(1000, 10**6))

    def burst() -> None:
        now = scene.clock.now_us() // 1000
        frames = [own(s=CONTRACTS[number % 3], ps="-" * 200, u=next(ids), T=now, E=now) for number in range(30)]
        push(scene, *frames)

    scene.every([1.0 + number / 2 for number in range(16)], burst)


ONE_ADDRESS = Environment("custom", (HOST,), (HOST,), f"{HOST}/ws-fapi/v1")
OFTEN: dict[str, Any] = {"sample_every": 0.5}
MOVED = OFTEN | {"silent_prefixes": {"", "/usds"}, "cross_market": True, "environment": AS_THE_TESTNET}
LONE = {"usds_m": (), "silent_prefixes": {"/usds", "/usds/public", "/usds/market"}}
# the script, how long and with which exchange, and what differs; `sample_pace` does wherever samples come often
# fmt: off
RUNS: list[tuple[Callable[[Scene], object], float, dict[str, Any], str]] = [
    (quietly, 24.0, {"sample_every": None}, "sample_pace"),
    (quietly, 20.0, {"environment": ONE_ADDRESS, "cross_market": True}, ""),
    (quietly, 20.0, MOVED, "coin_m_address plain_path both_routes wrong_path cross_host sample_pace"),
    (quietly, 18.0, LONE, "merged usds_m_address plain_path one_symbol book_ids"),
    (odd_frames, 14.0, OFTEN, "field_types ids_rise other_frames pair sample_ids sound_books symbol_type times_across "
        "times_rise unknown_keys wrapper contract_info sample_pace"),
    (bad_connections, 39.0, OFTEN,
        "acknowledged client_ping connections_last lag ping_payload unknown_name sample_pace"),
    (lambda scene: scene.refuse_subscriptions(None), 14.0, OFTEN, "acknowledged unknown_name sample_pace"),
    (dead_own_streams, 24.0, OFTEN | {"own_stream_lag": 3.0},
        "lag own_pace samples_ahead samples_found times_rise replacement sample_pace"),
    (orderly_and_fat, 12.0, {"rate": 0}, "frame_size ids_across book_ids"),
    (lambda scene: scene.at(5.0, scene.market.pause), 42.0, {}, "longest_silence"),
]
# fmt: on


@pytest.mark.parametrize(("script", "seconds", "options", "differs"), RUNS)
def test_what_the_exchange_contradicts_differs_and_nothing_else(
    script: Callable[[Scene], object], seconds: float, options: dict[str, Any], differs: str
) -> None:
    found = ask(seconds, script, **options)
    assert found.seen("differs").keys() == set(differs.split()), found.seen("differs")
    assert len(found.exchange.attempts) == found.stats["connections"] <= MOST_CONNECTIONS < 10
    if options.get("environment") is ONE_ADDRESS:
        assert {"usds_m_address", "plain_path", "wrong_path", "cross_host"} <= found.seen("unseen").keys()


def test_where_every_connection_is_closed_at_once_it_ends_early() -> None:
    found = ask(60.0, lambda scene: scene.close_at_once(times=None), environment=AS_THE_TESTNET)
    assert found.stats["stopped_early"]
    assert "ClosedByExchange" in found.seen("differs")["connections_last"]
    refused = ask(60.0, lambda scene: scene.refuse(404, times=None, endpoint="market"), environment=AS_THE_TESTNET)
    assert refused.stats["stopped_early"]
    assert "HTTP status 404" in refused.seen("differs")["coin_m_public"]
    assert refused.seen("holds").keys() >= {"one_symbol", "price_weight"}


def test_an_api_that_does_not_answer_could_not_be_seen() -> None:
    found = ask(20.0, lambda scene: scene.api.script.append(NoAnswer))
    assert found.seen("unseen")["one_symbol"] == "0 one symbol faults in 0 answers: NoAnswer"


# --- the WebSocket API, without a connection ---

ROW = {"symbol": "BTCUSDT", "price": "6000.01", "time": 1589437530011}
BOOK_ANSWER = {"lastUpdateId": 7, "bidPrice": "1", "bidQty": "1", "askPrice": "2", "askQty": "1", "time": 1}

USUAL = (6, 8, 9, 15, 16)  # the weight that each answer says is used


def priced(result: Any) -> dict[str, Any]:
    return {"status": 200, "result": result}


def answered(used: tuple[int, ...] = USUAL, *, limit: int = 2400, last_at: float = 0.0, **changes: Any) -> Stats:
    """What five answers about prices say; `one`, `every`, `unknown` change an answer."""
    unknown = {"status": 400, "error": {"code": -1121, "msg": "Invalid symbol."}}
    bodies: dict[str, Any] = {"one": priced(ROW), "every": priced([ROW]), "unknown": unknown}
    bodies |= {"again": priced(ROW), "last": priced(ROW)} | changes
    stats, coming = Stats(), iter(zip(bodies.values(), used, strict=True))
    moments = iter((0.0, last_at))

    def ask(_method: str, _symbol: str | None) -> dict[str, Any]:
        body, count = next(coming)
        stats["answers"] += 1
        limits = [{"rateLimitType": "REQUEST_WEIGHT", "limit": limit, "count": count}]
        return {"rateLimits": limits, **body}

    ask_for_prices(ask, lambda: None, stats, lambda: 1_790_000_000.0 + next(moments))
    return stats


# fmt: off
CONTRADICTED: list[tuple[dict[str, Any], str, str]] = [
    ({}, "", ""),
    ({"one": priced([ROW])}, "one_symbol", "no object (1)"),
    ({"one": priced({**ROW, "price": 6.1})}, "one_symbol", "price: number"),
    ({"one": priced({**ROW, "price": "6e3"})}, "one_symbol", "price: string"),
    ({"one": priced({**ROW, "time": None})}, "one_symbol", "time: missing"),
    ({"every": priced(ROW)}, "all_symbols", "no object (1)"),
    ({"every": priced([ROW, {}])}, "all_symbols", "symbol: missing (1), price: missing (1), time: missing (1) among"),
    ({"unknown": priced(ROW)}, "unknown_symbol", "status 200 and code None"),
    ({"unknown": {"status": 404, "error": {"code": -1100}}}, "unknown_symbol", "404 and code -1100"),
    ({"every": priced([ROW, {**ROW, "symbol": "BTCUSD_PERP"}])}, "only_usds_m", "1 coin m row in 2 rows"),
    ({"used": (6, 46, 47, 53, 54)}, "price_weight", "1 and 40"),
    ({"used": (6, 8, 9, 16, 18)}, "price_weight", "2 and 2"),
    ({"used": (6, 8, 9, 14, 15)}, "handshake_weight", "4 handshake weight in 1 weight"),
    ({"limit": 6000}, "weight_limit", "6,000 weight limit in 5 answers"),
]
# fmt: on


@pytest.mark.parametrize(("changes", "differs", "says"), CONTRADICTED)
def test_what_the_api_contradicts_differs_and_nothing_else(changes: dict[str, Any], differs: str, says: str) -> None:
    judged = [each for each in judge(answered(**changes)) if each.verdict == "differs"]
    assert [each.name for each in judged] == differs.split()
    assert all(says in each.seen for each in judged)


def test_weights_are_compared_within_one_minute_only() -> None:
    stats = answered(last_at=60.0)
    assert (stats["weights"], stats["weight_limit"]) == (0, 2400)


def test_ids_of_books_are_kept_and_faults_counted() -> None:
    stats = Stats()
    books: list[Any] = [BOOK_ANSWER, {**BOOK_ANSWER, "lastUpdateId": "7"}, [], {**BOOK_ANSWER, "bidQty": 1}]
    for book in books:
        note_book(stats, book)
    assert stats["books"] == [7]
    assert stats["book_faults"] == {"lastUpdateId: decimal": 1, "no object": 1, "bidQty: integer": 1}


# --- addresses ---


def test_each_address_of_an_environment_is_asked_and_fstream_plain_and_wrong() -> None:
    dstream, fstream = "wss://dstream.binance.com", "wss://fstream.binance.com"
    assert roles_of(PRODUCTION) == {
        dstream: "coin_m_address",
        f"{dstream}/public": "coin_m_public",
        f"{fstream}/public": "usds_m_address",
        fstream: "plain_path",
        f"{fstream}/market": "wrong_path",
    }
    planned_replacement = 1
    assert len(roles_of(PRODUCTION)) + API_CONNECTIONS + planned_replacement <= MOST_CONNECTIONS
    assert set(roles_of(TESTNET).values()) == set(roles_of(PRODUCTION).values())
    assert set(roles_of(TWO_HOSTS).values()) == set(roles_of(PRODUCTION).values()) - {"coin_m_public"}
    assert roles_of(ONE_ADDRESS) == {HOST: "coin_m_address"}
