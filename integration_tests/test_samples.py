"""Samples beside the contracts' own streams: they may run ahead and drop nothing, and they show when one has died."""

from __future__ import annotations

import re
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass

import pytest

from local_exchange import LocalExchange, made_up_coin_m
from local_exchange.connection import ExchangeConnection
from local_exchange.contracts import coin_m_contracts
from local_exchange.updates import own_stream

from .harness.connector import Connector, Output, side_by_side, state_message
from .harness.driving import Driven
from .harness.judging import Verdict, are_stretches, judge, own_records, uncovered

LISTED = [contract.symbol for contract in coin_m_contracts(None)]
OWN_STREAMS = set(map(own_stream, LISTED))
VICTIM = "ETHUSD_PERP"
MANY = 205  # contracts, more than one connection takes
AHEAD = 1.0  # seconds by which samples are ahead of own streams


@dataclass(frozen=True)
class Story:
    output: Output
    verdict: Verdict
    exchange: LocalExchange
    killed_at: float = 0.0  # epoch seconds
    ready_at: float = 0.0  # when every contract was followed

    @property
    def said(self) -> str:
        return "\n".join(self.output.logs())


def finished(driven: Driven, killed_at: float = 0.0, ready_at: float = 0.0) -> Story:
    output = driven.stop()
    verdict = judge(driven.exchange, output, each_from_its_own=True)
    return Story(output, verdict, driven.exchange, killed_at, ready_at)


def wait_until_followed(driven: Driven, connections: int = 1) -> None:
    """By each of so many connections."""

    def are_followed() -> bool:
        following = [c for c in driven.exchange.connections if c.delivered >= OWN_STREAMS]
        return len(following) == connections

    driven.wait_for(are_followed)


def running_ahead(connector: Connector) -> Story:
    with LocalExchange(rate=300, mix_usds_margined=False, sample_every=0.5, own_stream_lag=AHEAD) as exchange:
        driven = Driven(connector, exchange, book_ticker_symbols=[])
        wait_until_followed(driven)
        ready_at = time.time() + AHEAD
        time.sleep(AHEAD + 6)
        return finished(driven, ready_at=ready_at)


def dying(*, standby: bool) -> Callable[[Connector], Story]:
    """One own stream dies on the connection in use, while its samples and all else go on."""

    def tell(connector: Connector) -> Story:
        with LocalExchange(rate=300, mix_usds_margined=False, sample_every=1.0) as exchange:
            driven = Driven(connector, exchange, book_ticker_symbols=[], standby_connection=standby)
            wait_until_followed(driven, 1 + standby)
            active = exchange.connections[0]
            time.sleep(5)  # a connection's first samples may be older than it, and are not compared
            killed_at = time.time()
            exchange.kill_stream(VICTIM, active)
            driven.wait_for_text("only: the own stream")
            driven.wait_for(lambda: not active.is_open)
            shown = driven.updates
            driven.wait_for(lambda: driven.updates > shown + 600)
            return finished(driven, killed_at)

    return tell


def dying_unread(connector: Connector) -> Story:
    """One own stream dies while the connector is not given the processor; its last updates are received afterwards."""
    with LocalExchange(rate=300, mix_usds_margined=False, sample_every=1.0) as exchange:
        driven = Driven(connector, exchange, book_ticker_symbols=[])
        wait_until_followed(driven)
        time.sleep(5)  # a connection's first samples may be older than it, and are not compared
        driven.running.process.send_signal(signal.SIGSTOP)
        time.sleep(0.2)
        killed_at = time.time()
        exchange.kill_stream(VICTIM, exchange.connections[0])
        time.sleep(0.7)  # below the second from which on a read counts as late
        driven.running.process.send_signal(signal.SIGCONT)
        driven.wait_for_text("only: the own stream")
        return finished(driven, killed_at)


def dying_elsewhere(connector: Connector) -> Story:
    """One own stream dies on another connection than that of the samples; afterwards it rests once more."""
    names = made_up_coin_m(MANY)
    with LocalExchange(rate=600, coin_m_symbols=names, mix_usds_margined=False, sample_every=1.0) as exchange:
        known = {"environment": f"custom {exchange.market_stream_url}", "u": dict.fromkeys(names, 1)}
        driven = Driven(connector, exchange, book_ticker_symbols=[], state=[state_message(known)])
        mine = own_stream(names[-1])

        def bringing() -> list[ExchangeConnection]:
            return [c for c in exchange.connections if mine in c.delivered and not c.dead_streams]

        driven.wait_for(lambda: len(exchange.connections) == 2 and bringing())
        time.sleep(5)  # a connection's first samples may be older than it, and are not compared
        (victim,) = bringing()
        killed_at = time.time()
        exchange.kill_stream(names[-1], victim)
        driven.wait_for(lambda: not victim.is_open and bringing())
        time.sleep(4)
        exchange.rest_stream(names[-1], bringing()[0], 6.0)
        driven.wait_for(lambda: driven.said(f"{names[-1]} only: ") >= 3)
        return finished(driven, killed_at)


def never_alive(connector: Connector) -> Story:
    """One own stream is acknowledged and never brings anything, on any connection; its samples go on counting."""
    with LocalExchange(rate=300, mix_usds_margined=False, sample_every=1.0) as exchange:
        driven = Driven(connector, exchange, book_ticker_symbols=[])
        exchange.late_subscriptions(0.5)  # time enough to kill it before its first update
        over_at: list[float] = []

        def is_over() -> bool:
            for connection in exchange.connections:
                if own_stream(VICTIM) in connection.streams and not connection.dead_streams:
                    exchange.kill_stream(VICTIM, connection)
            if driven.said("took over") and not over_at:
                over_at.append(time.monotonic() + 5)
            return bool(over_at) and time.monotonic() > over_at[0]

        driven.wait_for(is_over)
        return finished(driven)


@pytest.fixture(scope="module")
def stories(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Future[Story]]]:
    jobs: dict[str, Callable[[Connector], Story]] = {
        "ahead": running_ahead,
        "dying": dying(standby=False),
        "dying, standby": dying(standby=True),
        "dying, unread": dying_unread,
        "never alive": never_alive,
        "dying elsewhere": dying_elsewhere,
    }
    with side_by_side(tmp_path_factory.mktemp("samples"), jobs, at_once=4) as futures:
        yield futures


def test_a_sample_that_runs_ahead_drops_nothing(stories: dict[str, Future[Story]]) -> None:
    """Under one cursor for both each sample would make a second of real updates look old."""
    story = stories["ahead"].result(110)
    assert (story.verdict.lost, story.verdict.faults, story.verdict.gaps) == (0, (0, 0, 0), [])
    everything = judge(story.exchange, story.output, symbols=LISTED, since=story.ready_at)
    assert (everything.lost, everything.faults) == (0, (0, 0, 0))
    assert len(own_records(story.output)) > 1000
    assert uncovered(story.exchange, story.output, own_stream_lag=AHEAD) == []


def test_samples_of_a_contract_count_until_its_own_stream_has_spoken_and_promise_nothing(
    stories: dict[str, Future[Story]],
) -> None:
    records = stories["ahead"].result(110).output.records("book_tickers")
    for symbol in LISTED:
        are_own = ["covered_since_us" in record for record in records if record["symbol"] == symbol]
        assert not are_own[0]
        assert are_own == sorted(are_own), "samples first, and none afterwards"


@pytest.mark.parametrize("name", ["dying", "dying, standby"])
def test_an_own_stream_that_dies_is_noticed_replaced_and_told(name: str, stories: dict[str, Future[Story]]) -> None:
    story = stories[name].result(110)
    assert story.verdict.faults == (0, 0, 0), story.verdict.untold[:3]
    gap, *until_the_fresh_one = story.verdict.gaps
    assert {each.symbol for each in story.verdict.gaps} == {VICTIM}
    assert [each.since for each in until_the_fresh_one] in ([], [pytest.approx(gap.until, abs=0.01)])
    assert gap.since == pytest.approx(story.killed_at, abs=1.0)
    assert 2 < gap.seconds < 8
    replaced = f"A fresh connection replaces the one in use: the own stream of {VICTIM} has not brought"
    assert replaced in story.said or "took over without a gap" in story.said
    after = [record for record in own_records(story.output, VICTIM) if record["received_at_us"] / 1e6 > gap.until]
    assert len(after) > 10, "it is followed again"
    assert uncovered(story.exchange, story.output) == []
    # Its promise ends, and begins anew.
    assert are_stretches(story.output, {VICTIM: 2})


def test_one_that_dies_while_nobody_reads_is_told_from_its_last_push_on(stories: dict[str, Future[Story]]) -> None:
    """Its last update is received 0.7 seconds after the first that is missing was pushed."""
    story = stories["dying, unread"].result(110)
    assert story.verdict.lost > 0
    assert story.verdict.faults == (0, 0, 0), story.verdict.untold[:3]
    assert uncovered(story.exchange, story.output, under_way=1.0) == [], "what README leaves out of the promise"


def test_one_that_dies_on_another_connection_is_replaced_there(stories: dict[str, Future[Story]]) -> None:
    """And what it lacks within the half minute in which no other alarm is given is told, and not vouched for."""
    story = stories["dying elsewhere"].result(110)
    assert re.search("Connection 2 of 2 .* A fresh connection replaces the one in use: the own stream of ", story.said)
    assert "Connection 1 of 2 (127.0.0.1): A fresh connection" not in story.said
    assert story.verdict.faults == (0, 0, 0), story.verdict.untold[:3]
    assert uncovered(story.exchange, story.output) == []


def test_only_the_promise_of_the_dead_stream_begins_anew(stories: dict[str, Future[Story]]) -> None:
    story = stories["dying"].result(110)
    assert are_stretches(story.output, {symbol: 1 + (symbol == VICTIM) for symbol in LISTED})


def test_samples_that_were_not_confirmed_are_in_the_summary(stories: dict[str, Future[Story]]) -> None:
    for name, all_confirmed in (("ahead", True), ("dying", False)):
        (found,) = re.findall(r"Samples confirmed: ([\d,]+) of ([\d,]+)\.", stories[name].result(110).said)
        confirmed, compared = (int(number.replace(",", "")) for number in found)
        assert 0 < confirmed <= compared
        assert (confirmed == compared) is all_confirmed, name


def test_a_stream_that_never_lives_is_told_and_not_asked_for_without_end(stories: dict[str, Future[Story]]) -> None:
    story = stories["never alive"].result(110)
    assert {gap.symbol for gap in story.verdict.gaps} == {VICTIM}
    assert len(story.verdict.gaps) <= 2, "when it is noticed, and at the end"
    assert own_records(story.output, VICTIM) == []
    assert len(story.output.records("book_tickers")) > 1000, "all else goes on"
    assert VICTIM in {symbol for symbol, _ in story.output.updates}, "by its samples"
    assert len(story.exchange.handshakes) == 2, "an alarm rests for half a minute"
