"""`book_tickers` through the real process: each update once, a state that can be trusted, an end in good order."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from concurrent.futures import Future
from typing import Any

import pytest

from local_exchange import LocalExchange
from local_exchange.streams import own_stream

from .harness.accounts import EVERY_COIN_M, Account
from .harness.connector import DEADLINE, FULL_REFRESH, INCREMENTAL, Connector, Output, side_by_side, state_message
from .harness.failing import follows_all
from .harness.patience import SOON, patient

NOW = 1795000000000
"""A transaction time, in ms; before the ones that the local exchange sends."""
ONE_CONNECTION = pytest.mark.parametrize(
    "options",
    [
        {"book_ticker_pace": "sampled"},
        {"book_ticker_symbols": ["BTCUSD_PERP", "ETHUSD_PERP", "BNBUSD_PERP", "NEWUSD_PERP"]},
    ],
    ids=["all-market stream", "own streams"],
)
"""For tests of what lies behind the reading: one connection that brings each update once, from the first moment."""


@pytest.fixture
def exchange() -> Iterator[LocalExchange]:
    """A round of samples takes a second, so all contracts are soon found."""
    with LocalExchange(rate=1000, sample_every=1.0) as exchange:
        yield exchange


@pytest.fixture
def quiet() -> Iterator[LocalExchange]:
    """An exchange that sends only what a test pushes."""
    with LocalExchange(rate=0, sample_every=None) as exchange:
        yield exchange


@pytest.fixture(scope="module", autouse=True)
def long_sync(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Future[tuple[Output, float]]]:
    """A sync of 13 seconds, and when its first STATE came; it goes on beside the other tests."""

    def sync(connector: Connector) -> tuple[Output, float]:
        with LocalExchange(rate=100) as exchange:
            running = connector.start_read(config_for(exchange, listen_seconds=13), book_tickers=INCREMENTAL)
            exchange.wait_for(lambda: exchange.connections, DEADLINE)
            began = time.monotonic()
            running.wait_for_text('"type":"STATE"')
            first_state_after = time.monotonic() - began
            return running.finish(), first_state_after

    with side_by_side(tmp_path_factory.mktemp("long"), {"sync": sync}) as futures:
        yield futures["sync"]


def config_for(exchange: LocalExchange, **options: Any) -> dict[str, Any]:
    return {"environment": exchange.environment(), **options}


def update(symbol: str, update_id: int, transaction_time: int | None = NOW, **more: Any) -> dict[str, Any]:
    book_ticker = {"e": "bookTicker", "u": update_id, "s": symbol, "b": "1", "B": "2", "a": "3", "A": "4", "st": 2}
    return {**book_ticker, "T": transaction_time, "E": transaction_time, **more}


def state_for(exchange: LocalExchange, update_ids: dict[str, int], newest: int | None = NOW) -> list[dict[str, Any]]:
    identity = f"custom {exchange.market_stream_url}"
    return [state_message({"environment": identity, "u": update_ids, "newest_transaction_time": newest})]


def account_of(output: Output, pushed: list[tuple[str, int]]) -> Account:
    """Each update once, in the order of its symbol, and none missing from the first on that claims to be covered."""
    account = Account(list(pushed), of_covered=True)
    for record in output.records("book_tickers"):
        account.receive((record["symbol"], record["u"]), record.get("covered_since_us"))
    return account


def line_of(output: Output, beginning: str, level: str = "INFO") -> str:
    (line,) = [line for line in output.logs(level) if line.startswith(beginning)]
    return line


def test_two_syncs_on_a_running_exchange(connector: Connector, exchange: LocalExchange) -> None:
    config = config_for(exchange, listen_seconds=3)
    first = connector.read(config, book_tickers=INCREMENTAL)
    second = connector.read(config, book_tickers=INCREMENTAL, state=first.states[-1:])
    for output in (first, second):
        assert output.exit_code == 0
        assert output.statuses("book_tickers")[-1] == "COMPLETE"
        assert sum(output.record_counts) == len(output.updates) > 500
        account = account_of(output, exchange.pushed)
        assert account.sums == (0, 0, 0, 0)
        assert account.counted == set(EVERY_COIN_M)
    last_of_first, first_of_second = dict(first.updates), dict(reversed(second.updates))
    assert all(first_of_second[symbol] > last_of_first[symbol] for symbol in EVERY_COIN_M)
    newest: dict[str, int] = dict(first.updates + second.updates)
    assert second.last_state["u"] == newest
    times = [record["transaction_time"] for record in second.records("book_tickers")]
    assert second.last_state["newest_transaction_time"] == max(times)
    assert not first.logs("WARN") + second.logs("WARN")
    # What the state knows stands in the address, so that it is listened to from the first moment.
    paths = [path for _, path, _ in exchange.handshakes]
    assert paths[0] == "/stream?streams=!bookTicker"
    assert sorted(paths[1].partition("=")[2].split("/")) == sorted(["!bookTicker", *map(own_stream, EVERY_COIN_M)])


@ONE_CONNECTION
def test_what_a_state_does(options: dict[str, Any], connector: Connector) -> None:
    """Silent symbols are kept, known ids are skipped, a restarted counter is accepted, in one sync."""
    with LocalExchange(rate=0, sample_every=None) as quiet:
        known = {"SILENTUSD_PERP": 7, "BTCUSD_PERP": 1000, "ETHUSD_PERP": 1000, "BNBUSD_PERP": 1000}
        config = config_for(quiet, listen_seconds=60, max_book_tickers=5, **options)
        running = connector.start_read(config, book_tickers=INCREMENTAL, state=state_for(quiet, known))
        quiet.wait_for(lambda: quiet.connections, DEADLINE)
        later = NOW + 60_001
        quiet.push_updates(
            [
                update("BTCUSD_PERP", 999, later - 1),  # known
                update("BTCUSD_PERP", 1001, later),
                update("ETHUSD_PERP", 3, later),  # restarted
                update("ETHUSD_PERP", 2, later + 60_001),  # soon after that, no other restart
                update("ETHUSD_PERP", 4, later),
                update("BNBUSD_PERP", 1000, NOW + 60_000),  # not more than a minute
                update("NEWUSD_PERP", 5, NOW - 10**6),
                update("BTCUSD_PERP", 1001, later),  # again
                update("BTCUSD_PERP", 1003, None),
            ]
        )
        output = running.finish()
    assert output.exit_code == 0
    assert output.updates == [
        ("BTCUSD_PERP", 1001),
        ("ETHUSD_PERP", 3),
        ("ETHUSD_PERP", 4),
        ("NEWUSD_PERP", 5),
        ("BTCUSD_PERP", 1003),
    ]
    assert output.last_state["u"] == {
        "SILENTUSD_PERP": 7,
        "BTCUSD_PERP": 1003,
        "ETHUSD_PERP": 4,
        "BNBUSD_PERP": 1000,
        "NEWUSD_PERP": 5,
    }
    assert output.last_state["newest_transaction_time"] == later
    restart = line_of(output, "The exchange's counter of ETHUSD_PERP has restarted", "WARN")
    assert "update id 3 after 1000. Its updates are taken as new." in restart
    assert "Skipped without loss: 4 known already" in line_of(output, "Captured 5 updates of 4 symbols")


def test_a_counter_that_restarts_within_a_window_is_told_and_followed(connector: Connector) -> None:
    """After a minute of the exchange's own times, in which its updates are left out, and told as a gap."""
    with LocalExchange(rate=0, sample_every=None) as quiet:
        config = config_for(quiet, listen_seconds=3600, max_book_tickers=4, book_ticker_symbols=["BTCUSD_PERP"])
        running = connector.start_read(config, book_tickers=INCREMENTAL)
        quiet.wait_for(lambda: quiet.connections, DEADLINE)
        ids = {1000: 0, 3: 500, 4: 60_500, 5: 60_501, 6: 60_502, 7: 60_503}
        for update_id, after in ids.items():
            quiet.push_updates([update("BTCUSD_PERP", update_id, NOW + after)])
        output = running.finish()
    assert output.updates == [("BTCUSD_PERP", update_id) for update_id in (1000, 5, 6, 7)]
    assert line_of(output, "The exchange's counter of BTCUSD_PERP has restarted: update id 5 after 1000.", "WARN")
    assert "BTCUSD_PERP only: it took so long to be sure" in line_of(output, "Gap of 60 seconds", "WARN")
    assert output.last_state["u"] == {"BTCUSD_PERP": 7}


def test_a_counter_that_restarts_shortly_before_the_end_is_told(connector: Connector) -> None:
    """It takes a minute to be sure of one; until then its updates are left out."""
    with LocalExchange(rate=0, sample_every=None) as quiet:
        config = config_for(quiet, listen_seconds=3, book_ticker_symbols=["BTCUSD_PERP"])
        running = connector.start_read(config, book_tickers=INCREMENTAL)
        quiet.wait_for(lambda: quiet.connections, DEADLINE)
        quiet.push_updates([update("BTCUSD_PERP", 1000, NOW), update("BTCUSD_PERP", 3, NOW + 500)])
        output = running.finish()
    assert output.updates == [("BTCUSD_PERP", 1000)]
    assert "BTCUSD_PERP only: newer updates had lower ids" in line_of(output, "Gap of 0.001 seconds", "WARN")
    assert "Gaps: 1, 0.001 seconds in all" in line_of(output, "Captured 1 updates")


@pytest.mark.parametrize("mode", [INCREMENTAL, FULL_REFRESH])
def test_a_state_that_is_not_applied(mode: str, connector: Connector, exchange: LocalExchange) -> None:
    """That of another environment, and any state in a full refresh."""
    known = dict.fromkeys(["BTCUSD_PERP", "ETHUSD_PERP", "SILENTUSD_PERP"], 2**62)
    state = state_for(exchange, known, NOW * 2)
    if mode == INCREMENTAL:
        state[0]["stream"]["stream_state"]["environment"] = "production"
    output = connector.read(config_for(exchange, listen_seconds=2), book_tickers=mode, state=state)
    assert output.exit_code == 0
    assert account_of(output, exchange.pushed).sums == (0, 0, 0, 0)
    assert output.last_state["u"] == dict(output.updates)
    assert output.last_state["environment"] == f"custom {exchange.market_stream_url}"
    told = [line for line in output.logs("WARN") if "belongs to environment 'production'" in line]
    assert len(told) == (1 if mode == INCREMENTAL else 0)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_signal_ends_it_in_good_order(number: int, connector: Connector, exchange: LocalExchange) -> None:
    running = connector.start_read(config_for(exchange, listen_seconds=3600), book_tickers=INCREMENTAL)
    running.wait_for(lambda: exchange.connections and follows_all(exchange.connections[0]))
    running.wait_for(lambda: all(running.count(f'"symbol":"{symbol}"') > 20 for symbol in EVERY_COIN_M))
    running.process.send_signal(number)
    output = running.finish()
    assert output.exit_code == 0
    assert output.statuses("book_tickers")[-1] == "COMPLETE"
    assert sum(output.record_counts) == len(output.updates)
    assert output.last_state["u"] == dict(output.updates)
    account = account_of(output, exchange.pushed)
    assert account.sums == (0, 0, 0, 0)
    assert account.counted == set(EVERY_COIN_M)
    assert not output.errors
    assert output.is_plain
    assert not exchange.connections


def test_a_second_signal_ends_it_at_once(connector: Connector, exchange: LocalExchange) -> None:
    """Even where nobody reads what it writes."""
    exchange.set_rate(3000)
    running = connector.start_read(config_for(exchange, listen_seconds=3600), book_tickers=INCREMENTAL, blocked=True)
    exchange.wait_for(lambda: exchange.connections, DEADLINE)
    exchange.wait_for(lambda: exchange.connections[0].frames_sent > 4000, SOON)
    time.sleep(0.5)
    running.process.send_signal(signal.SIGTERM)
    time.sleep(1)
    assert running.process.poll() is None  # blocked: it cannot write its state
    running.process.send_signal(signal.SIGINT)
    running.process.wait(patient(2))
    assert running.process.returncode in (-signal.SIGINT, -signal.SIGTERM)


@pytest.mark.parametrize("hosts", [1, 2])
def test_max_book_tickers_and_the_other_market(connector: Connector, hosts: int) -> None:
    """Over one connection where one host carries both markets, else over one to each."""
    with LocalExchange(rate=1000, sample_every=1.0, cross_market=hosts == 1) as exchange:
        environment = exchange.environment(usds_margined=hosts == 2)
        config = {"environment": environment, "listen_seconds": 60, "max_book_tickers": 2000}
        output = connector.read(config | {"include_usds_margined": True}, book_tickers=INCREMENTAL)
        paths = sorted(path for _, path, _ in exchange.handshakes)
        account = account_of(output, exchange.pushed)
    assert output.exit_code == 0
    assert len(output.updates) == 2000
    assert output.record_counts == [2000]
    assert account.sums[1:] == (0, 0, 0)
    assert {record["symbol_type"] for record in output.records("book_tickers")} == {1, 2}
    summary = line_of(output, "Captured 2000 updates of")
    if hosts == 1:
        assert account.lost == 0
        assert paths == ["/stream?streams=!bookTicker"]
        assert "of other contracts" not in summary
    else:
        assert paths == ["/stream?streams=!bookTicker", "/usds/public/stream?streams=!bookTicker"]
        assert "of other contracts" in summary, "each host samples the contracts of both"


def test_chosen_symbols_are_named_in_the_url(connector: Connector) -> None:
    """In any case and any margin type, each once; a wrong name stays silent and is named at the end."""
    asked = ["btcusd_perp", "BTCUSD_PERP", "EthUsd_Perp", "BTCUSDT", "NOSUCHUSD_PERP", "币安人生usdt"]
    with LocalExchange(rate=2000, cross_market=True) as exchange:
        config = config_for(exchange, listen_seconds=3, book_ticker_symbols=asked)
        output = connector.read(config, book_tickers=INCREMENTAL)
        ((_, path, _),) = exchange.handshakes
        chosen = ("BTCUSD_PERP", "ETHUSD_PERP", "BTCUSDT", "币安人生USDT")
        account = Account([update for update in exchange.pushed if update[0] in chosen])
        for emitted in output.updates:
            account.receive(emitted)
        assert account.sums == (0, 0, 0, 0)
    streams = ["btcusd_perp", "ethusd_perp", "btcusdt", "nosuchusd_perp", "%E5%B8%81%E5%AE%89%E4%BA%BA%E7%94%9Fusdt"]
    assert path == "/stream?streams=" + "/".join(f"{symbol}@bookTicker" for symbol in streams)
    assert output.exit_code == 0
    assert {symbol for symbol, _ in output.updates} == set(chosen)
    warning = line_of(output, "`book_ticker_symbols`", "WARN")
    assert "no update came for NOSUCHUSD_PERP. Check the spelling" in warning


def test_checkpoints_come_by_time_and_progress_is_told(long_sync: Future[tuple[Output, float]]) -> None:
    output, first_state_after = long_sync.result(patient(120))
    assert 5 < first_state_after < 15  # not too often either: it stays cheap with a thousand symbols
    assert len(output.states) == 2
    assert all(count > 0 for count in output.record_counts)
    assert sum(output.record_counts) == len(output.updates)
    # A state vouches for the records before it and for nothing after it.
    emitted: dict[str, int] = {}
    for message in output.messages:
        if message["type"] == "RECORD":
            emitted[message["record"]["data"]["symbol"]] = message["record"]["data"]["u"]
        elif message["type"] == "STATE":
            assert message["state"]["stream"]["stream_state"]["u"] == emitted
    progress = [line for line in output.logs("INFO") if "seconds left" in line]
    assert len(progress) == 1
    assert " updates of 10 symbols, " in progress[0]
    assert " a second, 3 seconds left." in progress[0]
