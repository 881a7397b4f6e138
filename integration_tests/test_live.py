"""The exchange itself, asked: every belief held against local exchanges that keep it, and against some that break it.

The runs go side by side, each as long as it takes to see what it is about. `BROKEN` says what each contradicts over
real sockets. unit_tests/live contradicts every belief by facts, and `frame_rate` there alone: it would measure this
machine.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import trustme

from local_exchange import LocalExchange
from local_exchange.answers import NoAnswer
from local_exchange.connection import ExchangeConnection
from source_binance_futures.binance.clock import Clock, Stop
from source_binance_futures.binance.endpoints import Environment
from source_binance_futures.binance.transport.route import Route
from source_binance_futures.live.about_prices import BELIEFS as ABOUT_PRICES
from source_binance_futures.live.belief import Judged, Verdict
from source_binance_futures.live.facts import Facts
from source_binance_futures.live.judge import BELIEFS, judge
from source_binance_futures.live.observation import Observation
from source_binance_futures.live.prices import ask_prices

from .harness.patience import SOON, patient

ROOT = Path(__file__).resolve().parents[1]
CONTRACTS = ["BTCUSD_PERP", "ETHUSD_PERP", "SOLUSD_PERP"]
USDS_M = ["BTCUSDT", "ETHUSDT"]
SIDE_BY_SIDE = 6
ONE_ADDRESS = {"coin_m_public"}
LOCAL_PINGS = {"ping_interval"}  # the local exchange pings every 3 seconds


Trouble = Callable[[LocalExchange], None]


@dataclass(frozen=True)
class Asked:
    """A run in this process, over real sockets."""

    facts: Facts
    judged: list[Judged]
    exchange: LocalExchange

    @property
    def verdicts(self) -> dict[str, Verdict]:
        return {each.belief.name: each.finding.verdict for each in self.judged}

    def named(self, verdict: Verdict) -> set[str]:
        return {name for name, found in self.verdicts.items() if found is verdict}

    def seen(self, name: str) -> str:
        return next(each.finding.seen for each in self.judged if each.belief.name == name)


def environment_of(exchange: LocalExchange, *, both: bool = False) -> Environment:
    """As production names its addresses; `both`: with the second one of COIN-M's host."""
    plain = exchange.market_stream_url
    bases = (plain, f"{plain}/public") if both else (plain,)
    return Environment("custom", bases, (exchange.usds_margined_stream_url,), exchange.websocket_api_url)


def ask(
    exchange: LocalExchange,
    seconds: float,
    meanwhile: Trouble = lambda _: None,
    *,
    before: Trouble = lambda _: None,
    both: bool = False,
) -> Asked:
    """Asks the exchange, before and while something happens to it."""
    with exchange, ThreadPoolExecutor(1) as pool:
        before(exchange)
        trouble = pool.submit(meanwhile, exchange)
        observation = Observation(environment_of(exchange, both=both), Route(), Stop(Clock()), seconds, lambda _: None)
        facts = observation.run()
        trouble.result(SOON)
    return Asked(facts, judge(facts), exchange)


def until(exchange: LocalExchange, condition: Callable[[], Any]) -> Any:
    return exchange.wait_for(condition, SOON)


def main_connections(exchange: LocalExchange) -> list[ExchangeConnection]:
    """Those of COIN-M's host, at the first address, oldest first."""
    return [each for each in exchange.every_connection if each.path.startswith("/stream")]


def first_main(exchange: LocalExchange, position: int = 0) -> ExchangeConnection:
    """The connection in use, or the one that succeeds it."""
    connections = until(exchange, lambda: main_connections(exchange)[position:])
    connection = connections[0]
    assert isinstance(connection, ExchangeConnection)
    return connection


def usds_m_connection(exchange: LocalExchange, position: int = 0) -> ExchangeConnection:
    def found() -> list[ExchangeConnection]:
        return [each for each in exchange.every_connection if each.path.startswith("/usds/public/")][position:]

    connection = until(exchange, found)[0]
    assert isinstance(connection, ExchangeConnection)
    until(exchange, lambda: connection.frames_sent)
    return connection


def keep_at_it(act: Callable[[], None], seconds: float, every: float = 0.5) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        act()
        time.sleep(every)


def listed(**options: Any) -> LocalExchange:
    chosen: dict[str, Any] = {"rate": 100, "coin_m_symbols": CONTRACTS, "usds_m_symbols": USDS_M}
    return LocalExchange(**chosen | options)


# --- exchanges that break a belief ---


def wrong_addresses() -> Asked:
    """Plain paths are dead, as those of fstream were; those of fstream are not; hosts carry each other's contracts."""
    return ask(listed(sample_every=0.5, silent_prefixes={""}, cross_market=True), 20.0, both=True)


def one_market() -> Asked:
    """No contract of USDⓈ-M trades, its host is silent, and the second address of COIN-M's answers 404."""
    silent = {"/usds", "/usds/public"}
    exchange = listed(sample_every=0.5, mix_usds_margined=False, missing_prefixes={"/public"}, silent_prefixes=silent)
    return ask(exchange, 18.0, both=True)


def odd_frames() -> Asked:
    """Frames of every odd kind among sound ones."""

    def meanwhile(exchange: LocalExchange) -> None:
        first = first_main(exchange)
        until(exchange, lambda: first.frames_sent > 100)
        book = {
            "e": "bookTicker",
            "s": "BTCUSD_PERP",
            "ps": "BTCUSD",
            "st": 2,
            "B": "1",
            "A": "1",
            "b": "1.1",
            "a": "1.2",
        }
        book |= {"u": 1000, "T": 1_600_000_000_000, "E": 1_600_000_000_000}  # long past
        exchange.push_updates([book, {**book, "b": 1.1}, {**book, "new": 1}, {**book, "b": "1.2"}])
        exchange.push_updates([{key: value for key, value in book.items() if key not in ("st", "ps")}])
        exchange.push(json.dumps(book))  # without a wrapper
        exchange.push('{"stream":"!serverShutdown","data":{"e":"serverShutdown","E":1770123456789}}')
        exchange.push(json.dumps({"stream": "!bookTicker", "data": book}))

    return ask(listed(sample_every=0.5), 14.0, meanwhile)


def bad_connections() -> Asked:
    """Odd pings, no answers to messages, data that is late, a connection that ends and one that falls silent."""

    def meanwhile(exchange: LocalExchange) -> None:
        first = first_main(exchange)
        exchange.lag(first, 3.0)
        exchange.fault("raw", first, data=b"\x89\x03abc")
        exchange.fault("rst", usds_m_connection(exchange))
        exchange.fault("silence", usds_m_connection(exchange, 1))

    return ask(listed(sample_every=0.5), 22.0, meanwhile, before=lambda exchange: exchange.ignore_subscriptions(None))


def refused_names() -> Asked:
    """SUBSCRIBE is answered with an error."""
    return ask(listed(sample_every=0.5), 14.0, before=lambda exchange: exchange.refuse_subscriptions(None))


def late_and_dead_own_streams() -> Asked:
    """Samples run ahead by 3 seconds, and some show what never comes; one own stream is dead, another dies later."""

    def meanwhile(exchange: LocalExchange) -> None:
        exchange.kill_stream("BTCUSD_PERP", first_main(exchange))
        began = time.monotonic()
        book = {"e": "bookTicker", "s": "ETHUSD_PERP", "ps": "ETHUSD", "st": 2, "T": 1, "E": 1}
        book |= {"b": "2500.1", "B": "100", "a": "2500.2", "A": "1000"}

        def push() -> None:
            if time.monotonic() - began > 7.0:  # the own stream is late by 3 seconds, and looked at 3 seconds later
                exchange.show_what_never_comes(book)

        keep_at_it(push, 10.0)
        exchange.kill_stream("SOLUSD_PERP", first_main(exchange, 1))

    return ask(listed(sample_every=0.5, own_stream_lag=3.0), 24.0, meanwhile)


def orderly_and_fat() -> Asked:
    """Ids that never go back, in frames that are twice as large."""

    def meanwhile(exchange: LocalExchange) -> None:
        first_main(exchange)
        update_id = 1000

        def push() -> None:
            nonlocal update_id
            now = time.time_ns() // 1_000_000
            book = {"e": "bookTicker", "ps": "-" * 200, "B": "1", "A": "1", "b": "1.1", "a": "1.2", "T": now, "E": now}
            exchange.push_updates(
                {**book, "s": CONTRACTS[number % 3], "u": update_id + number, "st": 2} for number in range(30)
            )
            update_id += 30

        keep_at_it(push, 8.0)

    return ask(listed(rate=0, sample_every=0.5), 12.0, meanwhile)


def quiet() -> Asked:
    """Nothing is pushed any more."""

    def meanwhile(exchange: LocalExchange) -> None:
        until(exchange, lambda: first_main(exchange).frames_sent > 100)
        exchange.pause()

    return ask(listed(), 42.0, meanwhile)


def flapping() -> Asked:
    """Each connection ends once it has brought data."""

    def meanwhile(exchange: LocalExchange) -> None:
        def lose() -> None:
            for connection in exchange.connections:
                if connection.frames_sent:
                    exchange.fault("rst", connection)

        keep_at_it(lose, 20.0)

    return ask(listed(sample_every=0.5), 24.0, meanwhile)


def closed_at_once() -> Asked:
    return ask(listed(), 60.0, before=lambda exchange: exchange.close_at_once(times=None))


RUNS: dict[str, Callable[[], Asked]] = {
    "quiet": quiet,
    "sampled": lambda: ask(listed(), 24.0),
    "real time": lambda: ask(listed(sample_every=None), 24.0),
    "wrong addresses": wrong_addresses,
    "one market": one_market,
    "odd frames": odd_frames,
    "bad connections": bad_connections,
    "refused names": refused_names,
    "late and dead own streams": late_and_dead_own_streams,
    "orderly and fat": orderly_and_fat,
    "flapping": flapping,
    "closed at once": closed_at_once,
}
# What each run contradicts, and how the table says so. `sample_pace` differs in most: to be short, they sample often.
BROKEN: dict[str, dict[str, str]] = {
    "real time": {"sample_pace": r"median of \d+ distances 0\.\d\d s"},
    "wrong addresses": {
        "coin_m_address": "market_stream_url: 0 samples, 0 own updates",
        "wrong_path": r"without /public: .* in \d+ s",
        "cross_host": r"[\d,]+ frames in",
        "sample_pace": "0.5. s",
    },
    "one market": {
        "coin_m_public": "HTTP status 404",
        "merged": r"COIN-M host: \d+ of COIN-M$",
        "usds_m_address": "usds_margined_stream_url: 0 samples, 0 own updates",
        "sample_pace": "0.5. s",
    },
    "odd frames": {
        "field_types": r"b: number \(\d\)$",
        "ids_rise": r"[1-9]\d* steps? back and [1-9]\d* repeats?",
        "other_frames": "serverShutdown",
        "pair": "^[1-9]",
        "sample_ids": "^[1-9]",
        "sound_books": "^[1-9]",
        "symbol_type": "^[1-9]",
        "times_across": r"\d,\d{3} ms",
        "times_rise": "E [1-9].*T [1-9]",
        "unknown_keys": "new",
        "wrapper": "no wrapper",
        "sample_pace": "0.5. s",
    },
    "bad connections": {
        "acknowledged": "^0 of",
        "client_ping": r"[1-9]\d* of [1-9]\d* answered",
        "connections_last": r"1 of \d lost \(ConnectionLost\)",
        "lag": r"median 3,\d{3} ms",
        "ping_payload": "^1 of",
        "unknown_name": "0 refused, [1-9] unanswered",
        "sample_pace": "0.5. s",
    },
    "refused names": {"acknowledged": "^0 of", "unknown_name": "[1-9] refused", "sample_pace": "0.5. s"},
    "late and dead own streams": {
        "lag": r"median 3,\d{3} ms",
        "own_pace": "BTCUSD_PERP",
        "samples_ahead": r"at most 3,\d{3} ms ahead",
        "samples_found": r"\d+ of \d+ samples found again",
        "times_rise": "E [1-9]",
        "replacement": "[1-9].* over the second only",
        "sample_pace": "0.5. s",
    },
    "orderly and fat": {
        "frame_size": r"median 3\d\d bytes",
        "ids_across": "0.0% of",
        "merged": "of COIN-M; ",
        "sample_pace": "0.5. s",
    },
    "quiet": {"longest_silence": r"[34]\d\.\d s in 4\d s"},
}  # fmt: skip


@pytest.fixture(scope="module")
def runs() -> Iterator[dict[str, Future[Asked]]]:
    """They wait for the exchange most of the time, so many are under way at once, the longest first."""
    with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        yield {name: pool.submit(run) for name, run in RUNS.items()}


@pytest.fixture
def asked(runs: dict[str, Future[Asked]]) -> Callable[[str], Asked]:
    return lambda name: runs[name].result(patient(110.0))


def test_samples_every_five_seconds_are_what_is_believed(asked: Callable[[str], Asked]) -> None:
    found = asked("sampled")
    told = {name: found.seen(name) for name in found.named(Verdict.DIFFERS) | found.named(Verdict.UNSEEN)}
    assert found.named(Verdict.DIFFERS) == LOCAL_PINGS, told
    assert found.named(Verdict.UNSEEN) == ONE_ADDRESS | {"longest_silence"}, told
    assert re.search(r"median of \d+ distances (4\.9|5\.0)", found.seen("sample_pace"))


@pytest.mark.parametrize("name", BROKEN)
def test_what_the_exchange_contradicts_differs_and_nothing_else(asked: Callable[[str], Asked], name: str) -> None:
    found = asked(name)
    told = {each: found.seen(each) for each in found.named(Verdict.DIFFERS)}
    assert told.keys() - LOCAL_PINGS == BROKEN[name].keys(), told
    for belief, says in BROKEN[name].items():
        assert re.search(says, told[belief]), (belief, told[belief])


def test_every_belief_but_one_about_the_streams_is_contradicted_over_sockets() -> None:
    about_prices = {belief.name for belief in ABOUT_PRICES}
    contradicted = set().union(*BROKEN.values()) | LOCAL_PINGS
    assert {belief.name for belief in BELIEFS} - about_prices - contradicted == {"frame_rate"}


def test_it_asks_for_little(asked: Callable[[str], Asked]) -> None:
    for name in RUNS:
        found = asked(name)
        assert found.exchange.weight_spent == 16, name
        assert len(found.exchange.handshakes) <= found.facts.connections < 10, name
        messages = [each for connection in found.exchange.every_connection for each in connection.control_messages]
        assert len(messages) < 20, name


def test_the_planned_reconnect_brings_the_same_over_both(asked: Callable[[str], Asked]) -> None:
    for name in ("sampled", "real time"):
        overlap = asked(name).facts.overlap
        assert overlap is not None
        assert overlap.both > 50
        assert (overlap.only_first, overlap.only_second) == (0, 0)


def test_connections_that_are_lost_again_and_again_are_few(asked: Callable[[str], Asked]) -> None:
    found = asked("flapping")
    assert found.facts.connections == 9
    assert found.verdicts["connections_last"] is Verdict.DIFFERS


def test_where_every_connection_is_closed_at_once_it_ends_early(asked: Callable[[str], Asked]) -> None:
    found = asked("closed at once")
    assert found.facts.seconds < patient(40.0)
    assert found.facts.stopped_early
    assert "ClosedByExchange" in found.seen("connections_last")


# --- the WebSocket API ---


def weighing(*counts: int, limit: int = 2400) -> list[dict[str, Any]]:
    """Answers to the five requests of a run, with this weight used."""
    row = {"symbol": "BTCUSDT", "price": "6000.01", "time": 1589437530011}
    bodies: list[dict[str, Any]] = [
        {"status": 200, "result": row},
        {"status": 200, "result": [row]},
        {"status": 400, "error": {"code": -1121, "msg": "Invalid symbol."}},
        {"status": 200, "result": row},
        {"status": 200, "result": row},
    ]
    limits = [[{"rateLimitType": "REQUEST_WEIGHT", "limit": limit, "count": count}] for count in counts]
    return [{**body, "rateLimits": used} for body, used in zip(bodies, limits, strict=True)]


def prices_of(exchange: LocalExchange) -> dict[str, tuple[Verdict, str]]:
    facts, _ = ask_prices(exchange.websocket_api_url, Route(), Stop(Clock()), Clock().deadline(SOON))
    run = Facts("custom", 0, 0.0, prices=facts)
    return {
        each.belief.name: (each.finding.verdict, each.finding.seen)
        for each in judge(run)
        if each.belief in ABOUT_PRICES
    }


def differing(found: dict[str, tuple[Verdict, str]]) -> dict[str, str]:
    return {name: seen for name, (verdict, seen) in found.items() if verdict is Verdict.DIFFERS}


def test_prices_are_as_believed() -> None:
    with listed() as exchange:
        found = prices_of(exchange)
        assert {name: each for name, each in found.items() if each[0] is not Verdict.HOLDS} == {}
        assert exchange.weight_spent == 16


ROW = {"symbol": "BTCUSDT", "price": "6000.01", "time": 1}
GOOD = weighing(6, 8, 9, 15, 16)


@pytest.mark.parametrize(
    ("answers", "differs"),
    [
        ([{"status": 200, "result": [ROW]}], {"one_symbol": "a list for one symbol"}),
        ([{"status": 200, "result": {**ROW, "price": 6000.01}}], {"one_symbol": "UnreadableAnswer"}),
        ([{"status": 200, "result": {**ROW, "price": "6e3"}}], {"one_symbol": "a price that is no decimal"}),
        ([{"status": 200, "result": {"symbol": "BTCUSDT", "price": "1"}}], {"one_symbol": "no time"}),
        (["not JSON"], {"one_symbol": "UnreadableAnswer"}),
        ([{"id": "other", "status": 200, "result": ROW}], {"one_symbol": "another id"}),
        ([GOOD[0], {"status": 200, "result": ROW}], {"all_symbols": "UnreadableAnswer"}),
        ([*GOOD[:2], {"status": 200, "result": ROW}], {"unknown_symbol": "status 200, code None"}),
        ([*GOOD[:2], {"status": 404, "error": {"code": -1100}}], {"unknown_symbol": "status 404, code -1100"}),
        (weighing(6, 46, 47, 53, 54), {"price_weight": "1 for one symbol, 40 for all"}),
        (weighing(6, 8, 9, 16, 18), {"price_weight": "2 for one symbol, 2 for all"}),
        (weighing(6, 8, 9, 14, 15), {"handshake_weight": "4"}),
        (weighing(6, 8, 9, 15, 16, limit=6000), {"weight_limit": "6,000"}),
    ],
)
def test_what_the_api_contradicts_differs_and_nothing_else(answers: list[Any], differs: dict[str, str]) -> None:
    with listed() as exchange:
        exchange.script_answer(*answers)
        assert differing(prices_of(exchange)) == differs


def test_coin_m_contracts_among_the_prices_are_told() -> None:
    with listed() as exchange:
        exchange.prices["BTCUSD_PERP"] = ("1.0", 1)
        assert differing(prices_of(exchange)) == {"only_usds_m": "1 of 7 rows are COIN-M's"}


def test_an_api_that_does_not_answer_could_not_be_seen() -> None:
    with listed() as exchange:
        exchange.script_answer(NoAnswer)
        facts, error = ask_prices(exchange.websocket_api_url, Route(), Stop(Clock()), Clock().deadline(1.0))
    assert facts.failure == "NoAnswer" == type(error).__name__
    assert facts.one_fault is None


# --- the command ---


def command(exchange: LocalExchange, minutes: float, folder: Path, *, usds_margined: bool = True) -> list[str]:
    environment = exchange.environment(usds_margined=usds_margined)
    addresses = [f"--{key.replace('_', '-')}={value}" for key, value in environment.items() if key != "name"]
    return [
        *(sys.executable, "-m", "source_binance_futures.live", "--environment", "custom", *addresses),
        *("--minutes", str(minutes), "--folder", str(folder)),
    ]


def run(words: list[str], **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        words,
        cwd=ROOT,
        env=os.environ | variables,
        capture_output=True,
        text=True,
        timeout=patient(90.0),
        check=False,
    )


def test_the_command_prints_a_table_and_writes_what_can_be_handed_back(tmp_path: Path) -> None:
    with listed() as exchange:
        output = run(command(exchange, 0.25, tmp_path / "live"))
        assert output.returncode == 0, output.stderr
        assert exchange.weight_spent < 50
        assert len(exchange.handshakes) < 10
    page = (tmp_path / "live" / "report.md").read_text(encoding="utf-8")
    file = (tmp_path / "live" / "report.json").read_text(encoding="utf-8")
    said = output.stdout.split("\n")
    assert max(map(len, (line for line in said if str(tmp_path) not in line))) <= 100
    assert f"Of {len(BELIEFS)} beliefs" in output.stdout
    assert len(json.loads(file)["beliefs"]) == len(BELIEFS)
    assert sum(line.startswith("| ") for line in page.split("\n")) == len(BELIEFS) + 1
    for text in (page, file):
        for of_the_user in ("127.0.0.1", str(exchange.port), str(tmp_path), sys.platform, socket.gethostname()):
            assert of_the_user not in text


def test_over_tls_and_where_one_address_serves_both_markets(tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    with listed(ssl_context=context, sample_every=0.5, cross_market=True) as exchange:
        words = command(exchange, 0.25, tmp_path / "live", usds_margined=False)
        output = run(words, SSL_CERT_FILE=str(tmp_path / "ca.pem"))
        assert output.returncode == 0, output.stderr
        refused = run(words, SSL_CERT_FILE="")
    beliefs = json.loads((tmp_path / "live" / "report.json").read_bytes())["beliefs"]
    verdicts = {each["name"]: each["verdict"] for each in beliefs}
    held = ("coin_m_address", "usds_m_address", "own_pace", "ids_rise", "acknowledged", "replacement", "one_symbol")
    assert {name: verdicts[name] for name in held} == dict.fromkeys(held, "holds")
    assert {name for name, verdict in verdicts.items() if verdict == "differs"} <= {"ping_interval", "sample_pace"}
    assert verdicts["cross_host"] == verdicts["wrong_path"] == "could not be seen"
    assert refused.returncode == 1
    assert "Binance cannot be reached: The secure connection to localhost failed" in refused.stderr


def test_ctrl_c_ends_it_with_what_it_has(tmp_path: Path) -> None:
    with listed() as exchange:
        process = subprocess.Popen(
            command(exchange, 60, tmp_path), cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        with process:
            try:
                until(exchange, lambda: exchange.connections and exchange.connections[0].frames_sent > 300)
                process.send_signal(signal.SIGINT)
                stdout, stderr = process.communicate(timeout=SOON)
            finally:
                process.kill()
    assert process.returncode == 0, stderr
    assert f"Of {len(BELIEFS)} beliefs" in stdout
    assert "Traceback" not in stderr
    assert "stopped early" in (tmp_path / "report.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("status", "says"),
    [
        (451, "Binance does not serve this location (HTTP status 451): "),
        (403, "Binance's web firewall refuses this location or address (HTTP status 403): "),
        (503, "Binance cannot be reached: 127.0.0.1:"),
    ],
)
def test_a_refusal_is_told_in_one_sentence(tmp_path: Path, status: int, says: str) -> None:
    with listed() as exchange:
        exchange.refuse(status, times=None)
        output = run(command(exchange, 60, tmp_path / "live"))
    assert output.returncode == 1
    assert output.stderr.rstrip().split("\n")[-1].startswith(says)
    assert output.stdout == ""
    assert "Traceback" not in output.stderr
    assert not (tmp_path / "live").exists()


def test_where_only_the_streams_refuse_the_location_the_table_is_there_and_the_sentence_too(tmp_path: Path) -> None:
    with listed() as exchange:
        exchange.refuse(451, times=None, endpoint="market")
        output = run(command(exchange, 60, tmp_path))
    assert output.returncode == 0
    assert "HTTP status 451" in output.stdout
    assert "Binance does not serve this location" in output.stdout


def test_an_exchange_that_is_not_there(tmp_path: Path) -> None:
    with listed() as exchange:
        words = command(exchange, 60, tmp_path)
    output = run(words)
    assert output.returncode == 1
    last = output.stderr.rstrip().split("\n")[-1]
    assert last.startswith("Binance cannot be reached: 127.0.0.1 could not be reached on port")
    assert last.count(". ") == 0


def test_handshakes_without_an_answer_end_with_the_time(tmp_path: Path) -> None:
    with listed() as exchange:
        exchange.slow_handshake(60.0, times=None)
        began = time.monotonic()
        output = run(command(exchange, 0.05, tmp_path))
        took = time.monotonic() - began
    assert output.returncode == 1
    assert "Binance cannot be reached: 127.0.0.1:" in output.stderr
    assert "no answer in time" in output.stderr
    assert took < patient(20.0)


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
def test_make_live_asks_production_for_three_minutes_unless_told_otherwise() -> None:
    def words(*arguments: str, **variables: str) -> str:
        of_this_make = ("ENVIRONMENT", "MINUTES", "MAKEFLAGS", "MFLAGS", "MAKEOVERRIDES", "MAKELEVEL")
        inherited = {name: value for name, value in os.environ.items() if name not in of_this_make}
        output = subprocess.run(
            ["make", "--dry-run", "live", *arguments],
            cwd=ROOT,
            env=inherited | variables,
            capture_output=True,
            text=True,
            timeout=SOON,
            check=True,
        )
        return output.stdout.rstrip().split(" -m source_binance_futures.live ")[-1]

    assert words() == "--environment production --minutes 3"
    assert words("ENVIRONMENT=testnet", "MINUTES=10") == "--environment testnet --minutes 10"
    assert words(ENVIRONMENT="testnet", MINUTES="1") == "--environment testnet --minutes 1"


def test_a_command_that_makes_no_sense_is_answered_in_a_sentence(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "source_binance_futures.live", "--folder", str(tmp_path), "--environment"]
    without = run([*words, "custom"])
    assert without.returncode == 2
    assert without.stderr.startswith("`environment.market_stream_url` is missing;")
    assert run([*words, "local"]).returncode == 2
    assert run([*words, "testnet", "--minutes", "0"]).returncode == 2
