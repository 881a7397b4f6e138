"""Every change of every COIN-M contract by default: found through the samples, followed by their own streams."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any
from urllib.parse import unquote

import pytest

from local_exchange import ExchangeConnection, LocalExchange, made_up_coin_m, made_up_usds_m
from local_exchange.updates import own_stream

from .harness.connector import Connector, Output, side_by_side
from .harness.driving import Driven
from .harness.judging import judge, not_overtaken, own_records, uncovered

RATE = 1000.0
COIN_M, USDS_M = made_up_coin_m(30), made_up_usds_m(20)
FOLLOWED_WITHIN = 8.0  # seconds; a round of samples takes five
OWN_STREAMS = {own_stream(symbol) for symbol in COIN_M}
EXPIRED = ("ETHUSD_240628", f"SOLUSD_{date.today() - timedelta(days=30):%y%m%d}")
JUST_EXPIRED = f"XRPUSD_{date.today() - timedelta(days=4):%y%m%d}"


@dataclass(frozen=True)
class Sync:
    """A sync that has ended. `opened_at` is when its first connection was open, in epoch seconds."""

    output: Output
    exchange: LocalExchange
    connections: list[ExchangeConnection]
    opened_at: float

    @property
    def said(self) -> str:
        return "\n".join(self.output.logs())


def market(**options: Any) -> LocalExchange:
    return LocalExchange(rate=RATE, coin_m_symbols=COIN_M, usds_m_symbols=USDS_M, **options)


def listen(connector: Connector, exchange: LocalExchange, until: Callable[[Driven], object], **options: Any) -> Sync:
    before = len(exchange.every_connection)
    driven = Driven(connector, exchange, **{"book_ticker_symbols": [], **options})
    driven.wait_for(lambda: len(exchange.every_connection) > before)
    opened_at = time.time() - time.monotonic() + exchange.every_connection[before].opened_at
    until(driven)
    output = driven.stop()
    return Sync(output, exchange, exchange.every_connection[before:], opened_at)


def all_followed_for(seconds: float, streams: set[str] = OWN_STREAMS) -> Callable[[Driven], None]:
    """Waits until every contract's own stream is delivered, and so much longer."""

    def wait(driven: Driven) -> None:
        def are_followed() -> bool:
            return any(streams <= connection.delivered for connection in driven.exchange.connections)

        driven.wait_for(are_followed)
        time.sleep(seconds)

    return wait


def for_seconds(seconds: float) -> Callable[[Driven], None]:
    """So long after the first record."""

    def wait(driven: Driven) -> None:
        driven.wait_for_updates(1)
        time.sleep(seconds)

    return wait


def two_syncs(connector: Connector) -> tuple[Sync, Sync]:
    with market() as exchange:
        first = listen(connector, exchange, all_followed_for(7))  # a round of samples after what settles
        states = first.output.states
        second = listen(
            connector, exchange, all_followed_for(4), state=[state_of(states[-1], (*EXPIRED, JUST_EXPIRED))]
        )
        return first, second


def state_of(state: dict[str, Any], more: tuple[str, ...]) -> dict[str, Any]:
    """The last state of a sync, as if some other contracts had been traded before."""
    inner = state["stream"]["stream_state"]
    inner = {**inner, "u": {**inner["u"], **dict.fromkeys(more, 5)}}
    return {"type": "STREAM", "stream": {**state["stream"], "stream_state": inner}}


def sampled(connector: Connector) -> Sync:
    with market() as exchange:
        return listen(connector, exchange, for_seconds(8), book_ticker_pace="sampled")


def sampled_both(connector: Connector) -> Sync:
    with market() as exchange:
        options = {"book_ticker_pace": "sampled", "include_usds_margined": True}
        return listen(connector, exchange, for_seconds(7), **options)


def new_listing(connector: Connector) -> Sync:
    """A contract that is listed in the middle of a sync."""

    def until(driven: Driven) -> None:
        all_followed_for(0)(driven)
        driven.exchange.list_contract("NEWUSD_PERP")
        all_followed_for(2, {"newusd_perp@bookTicker"})(driven)

    with market() as exchange:
        return listen(connector, exchange, until)


def unanswered(connector: Connector) -> Sync:
    with market(sample_every=1.0) as exchange:
        exchange.ignore_subscriptions(1)
        return listen(connector, exchange, all_followed_for(9))


def refused(connector: Connector) -> Sync:
    with market(sample_every=1.0) as exchange:
        exchange.refuse_subscriptions(None)
        return listen(connector, exchange, all_followed_for(9))


def refused_for_good(connector: Connector) -> Sync:
    """More names than an address may hold, and every message is refused: some cannot be followed."""
    names = made_up_usds_m(200)
    with LocalExchange(rate=RATE, usds_m_symbols=names) as exchange:
        exchange.refuse_subscriptions(None)

        def until(driven: Driven) -> None:
            driven.wait_for_text("are not followed")
            driven.wait_for_text("took over")
            driven.wait_for_updates()

        return listen(connector, exchange, until, usds_margined=True, book_ticker_symbols=names)


@pytest.fixture(scope="module")
def syncs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Future[Any]]]:
    stories: list[Callable[[Connector], Any]] = [
        two_syncs,
        refused_for_good,
        unanswered,
        refused,
        new_listing,
        sampled,
        sampled_both,
    ]
    jobs = {story.__name__: story for story in stories}
    with side_by_side(tmp_path_factory.mktemp("every"), jobs, at_once=4) as futures:
        yield futures


@pytest.fixture
def first(syncs: dict[str, Future[Any]]) -> Sync:
    found: Sync = syncs["two_syncs"].result(110)[0]
    return found


@pytest.fixture
def second(syncs: dict[str, Future[Any]]) -> Sync:
    found: Sync = syncs["two_syncs"].result(110)[1]
    return found


def test_a_first_sync_follows_every_contract_soon_and_loses_nothing_from_then_on(first: Sync) -> None:
    followed_at: dict[str, float] = {}
    for record in own_records(first.output):
        followed_at.setdefault(record["symbol"], record["received_at_us"] / 1e6)
    assert set(followed_at) == set(COIN_M)
    assert max(followed_at.values()) - first.opened_at < FOLLOWED_WITHIN
    verdict = judge(first.exchange, first.output, each_from_its_own=True)
    assert (verdict.lost, verdict.faults, verdict.gaps) == (0, (0, 0, 0), [])
    last = max(followed_at.values())
    from_then_on = judge(first.exchange, first.output, symbols=COIN_M, since=last)
    assert (from_then_on.lost, from_then_on.faults) == (0, (0, 0, 0))
    assert len(first.output.updates) > 6 * RATE / 2 * 0.8
    assert uncovered(first.exchange, first.output) == []


def test_the_next_sync_loses_nothing_from_its_connection_on(second: Sync) -> None:
    (connection,) = second.connections
    assert streams_of_address(connection) == {"!bookTicker", *OWN_STREAMS}
    assert connection.control_messages == [], "all of them are in the address"
    verdict = judge(second.exchange, second.output, symbols=COIN_M, since=second.opened_at + 0.05)
    assert not_overtaken(verdict.untold, second.output) == []
    assert (verdict.lost - len(verdict.untold), verdict.faults[1:], verdict.gaps) == (0, (0, 0), [])
    assert uncovered(second.exchange, second.output) == []


def test_what_has_expired_is_not_asked_for_and_leaves_the_state_later(second: Sync) -> None:
    assert not {own_stream(symbol) for symbol in (*EXPIRED, JUST_EXPIRED)} & streams_of_address(second.connections[0])
    assert set(second.output.last_state["u"]) == {*COIN_M, JUST_EXPIRED}


def test_nothing_of_the_other_market_is_asked_for_or_comes(first: Sync) -> None:
    assert {symbol for symbol, _ in first.output.updates} == set(COIN_M)
    (connection,) = first.connections
    assert asked_for(connection) == {"!bookTicker", *OWN_STREAMS}


def test_control_messages_are_few(first: Sync, syncs: dict[str, Future[Any]]) -> None:
    """Binance allows ten a second."""
    every = [
        *first.connections,
        *(c for name in ("new_listing", "refused") for c in syncs[name].result(110).connections),
    ]
    for connection in every:
        times = [at for at, _ in connection.control_messages]
        assert all(later - at >= 1.0 for at, later in zip(times, times[4:], strict=False)), "at most four a second"
    assert 1 <= len(first.connections[0].control_messages) <= 25, "one for all that appeared within a moment"


def test_samples_confirm_what_the_own_streams_brought(first: Sync) -> None:
    (found,) = re.findall(r"Samples confirmed: ([\d,]+) of ([\d,]+)\.", first.said)
    confirmed, compared = (int(number.replace(",", "")) for number in found)
    assert confirmed == compared > 0


def test_a_quiet_contract_has_its_row_from_a_sample_and_no_promise(first: Sync) -> None:
    samples = [record for record in first.output.records("book_tickers") if "covered_since_us" not in record]
    assert {record["symbol"] for record in samples} == set(COIN_M), "each begins with what showed it"
    assert {(record["symbol"], record["u"]) for record in samples} <= set(first.exchange.samples_pushed)


def test_the_log_does_not_list_every_name(first: Sync) -> None:
    assert "new contracts are followed from now on" in first.said
    assert all(sum(symbol in line for symbol in COIN_M) <= 10 for line in first.output.logs())


@pytest.mark.parametrize(("name", "symbols"), [("sampled", COIN_M), ("sampled_both", COIN_M + USDS_M)])
def test_sampled_gives_samples_only_and_subscribes_to_nothing(
    name: str, symbols: list[str], syncs: dict[str, Future[Any]]
) -> None:
    sync: Sync = syncs[name].result(110)
    assert [connection.path for connection in sync.connections] == ["/stream?streams=!bookTicker"]
    assert sync.connections[0].control_messages == []
    assert set(sync.output.updates) <= set(sync.exchange.samples_pushed)
    assert {symbol for symbol, _ in sync.output.updates} == set(symbols)
    assert len(sync.output.updates) < 4 * len(symbols)
    assert own_records(sync.output) == [], "samples promise nothing"
    verdict = judge(sync.exchange, sync.output)
    assert (verdict.twice, verdict.out_of_order, verdict.gaps) == (0, 0, [])


def test_a_new_listing_is_followed_within_a_second_of_its_first_sample(syncs: dict[str, Future[Any]]) -> None:
    sync: Sync = syncs["new_listing"].result(110)
    records = [record for record in sync.output.records("book_tickers") if record["symbol"] == "NEWUSD_PERP"]
    own = own_records(sync.output, "NEWUSD_PERP")
    assert own[0]["received_at_us"] - records[0]["received_at_us"] < 1_500_000
    verdict = judge(sync.exchange, sync.output, each_from_its_own=True)
    assert (verdict.lost, verdict.faults, verdict.gaps) == (0, (0, 0, 0), [])


@pytest.mark.parametrize(
    ("name", "why"),
    [("unanswered", "a subscription was not acknowledged within 5 seconds"), ("refused", "Too many subscriptions")],
)
def test_a_subscription_that_fails_replaces_the_connection(name: str, why: str, syncs: dict[str, Future[Any]]) -> None:
    sync: Sync = syncs[name].result(110)
    assert f"A fresh connection replaces the one in use: {why}" in sync.said.replace(
        "the exchange refused a subscription (Too many subscriptions)", "Too many subscriptions"
    )
    assert {record["symbol"] for record in own_records(sync.output)} == set(COIN_M)
    assert len(sync.connections) >= 2
    verdict = judge(sync.exchange, sync.output, each_from_its_own=True)
    assert verdict.faults == (0, 0, 0), verdict.untold[:3]
    assert uncovered(sync.exchange, sync.output) == []


def test_a_subscription_that_fails_again_and_again_is_told(syncs: dict[str, Future[Any]]) -> None:
    sync: Sync = syncs["refused_for_good"].result(110)
    (told,) = re.findall(r"These contracts are not followed: (.+)\. Cause: (.+)\.", sync.said)
    assert told[1] == "the exchange refused a subscription (Too many subscriptions)"
    assert all(len(connection.path) <= 4000 for connection in sync.connections)
    assert len(sync.connections) == 2, "it is tried once more, and not again and again"
    in_address = {stream.partition("@")[0].upper() for stream in streams_of_address(sync.connections[-1])}
    assert {record["symbol"] for record in own_records(sync.output)} <= in_address
    assert not in_address & set(told[0].partition(" and ")[0].split(", "))
    verdict = judge(sync.exchange, sync.output, symbols=in_address, each_from_its_own=True)
    assert (verdict.lost, verdict.faults) == (0, (0, 0, 0))


def streams_of_address(connection: ExchangeConnection) -> set[str]:
    return set(unquote(connection.path).partition("streams=")[2].split("/"))


def asked_for(connection: ExchangeConnection) -> set[str]:
    """By the address and by messages."""
    messages = [message for _, message in connection.control_messages]
    assert all(message["method"] == "SUBSCRIBE" for message in messages)
    return streams_of_address(connection).union(*(message["params"] for message in messages))
