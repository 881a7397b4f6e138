"""`received_at_us` and `covered_since_us` of every row: what they promise is there, through faults of every kind."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass

import pytest

from local_exchange import LocalExchange
from local_exchange.updates import own_stream

from .harness.connector import Connector, Output, side_by_side
from .harness.driving import LISTED, Driven, hurried
from .harness.judging import Pushed, Verdict, are_stretches, judge, own_records, stretches_of, uncovered
from .harness.patience import patient

RATE = 300.0
VICTIM = "ETHUSD_PERP"
BLOCKED = 7.0  # seconds


@dataclass(frozen=True)
class Story:
    output: Output
    verdict: Verdict
    broken: list[Pushed]  # promised and not there

    @property
    def stretches(self) -> list[int]:
        """How many there are of each contract."""
        return [len(since) for since in stretches_of(self.output).values()]


def exchange_of(**options: object) -> LocalExchange:
    defaults = {"rate": RATE, "mix_usds_margined": False, "sample_every": None, "ping_interval": 0.5}
    return LocalExchange(**{**defaults, **options})  # type: ignore[arg-type]


def finished(driven: Driven) -> Story:
    driven.wait_for_updates()
    return of(driven, driven.stop())


def of(driven: Driven, output: Output) -> Story:
    return Story(output, judge(driven.exchange, output), uncovered(driven.exchange, output))


def cut(connector: Connector) -> Story:
    """Without a standby, twice."""
    with exchange_of() as exchange:
        driven = Driven(connector, exchange)
        for times in (1, 2):
            driven.wait_for_updates()
            exchange.fault("rst")
            driven.wait_for(lambda times=times: driven.said("Gap of") == times)  # type: ignore[misc]
        return finished(driven)


def cut_with_a_standby(connector: Connector) -> Story:
    with exchange_of() as exchange:
        driven = Driven(connector, exchange, standby_connection=True)
        for times in (1, 2):
            active, standby = driven.wait_for_connections(2)
            # What it has only just begun to follow is promised anew.
            driven.wait_for(lambda standby=standby: time.monotonic() - standby.opened_at > 1.5)  # type: ignore[misc]
            driven.wait_for_updates(300)
            exchange.fault("rst", active)
            driven.wait_for(lambda times=times: driven.said("took over") == times)  # type: ignore[misc]
        return finished(driven)


def late_on_the_standby(connector: Connector) -> Story:
    """A new listing, of which the standby brings nothing at first; the one in use is cut then."""
    with exchange_of(sample_every=1.0) as exchange:
        driven = Driven(connector, exchange, book_ticker_symbols=[], standby_connection=True)
        wanted = set(map(own_stream, LISTED))
        driven.wait_for(lambda: sum(wanted <= c.delivered for c in exchange.connections) == 2)
        active, standby = exchange.connections
        exchange.list_contract("NEWUSD_PERP")
        new = own_stream("NEWUSD_PERP")
        driven.wait_for(lambda: new in active.delivered)
        driven.wait_for(lambda: new in standby.streams)
        exchange.rest_stream("NEWUSD_PERP", standby, 2.0)
        driven.wait_for_updates(200)
        exchange.fault("rst", active)
        driven.wait_for_text("took over")
        driven.wait_for_updates(300)
        return finished(driven)


def own_stream_dies(connector: Connector) -> Story:
    with exchange_of(sample_every=1.0) as exchange:
        driven = Driven(connector, exchange, book_ticker_symbols=[])
        wanted = set(map(own_stream, LISTED))
        driven.wait_for(lambda: any(wanted <= connection.delivered for connection in exchange.connections))
        time.sleep(5)
        exchange.kill_stream(VICTIM)
        driven.wait_for_text("took over")
        driven.wait_for_updates(300)
        return finished(driven)


def slow_destination(connector: Connector) -> Story:
    """Nothing is read for six seconds, and reading from the exchange pauses in the end."""
    with exchange_of() as exchange:
        driven = Driven(connector, exchange, blocked=True)
        (active,) = driven.wait_for_connections(1)
        driven.wait_until_unread(active)
        driven.begin_to_read()
        driven.wait_until_current()
        return finished(driven)


def blocked_for_seven_seconds(connector: Connector) -> Story:
    """Nothing is read for so long, and what comes meanwhile fits into memory."""
    with exchange_of() as exchange:
        driven = Driven(connector, exchange, blocked=True)
        driven.wait_for_connections(1)
        time.sleep(BLOCKED)
        driven.begin_to_read()
        driven.wait_until_current()
        return finished(driven)


def cut_while_paused(connector: Connector) -> Story:
    with exchange_of() as exchange:
        driven = Driven(connector, exchange, blocked=True)
        (active,) = driven.wait_for_connections(1)
        driven.wait_until_unread(active)
        exchange.fault("fin", active)
        time.sleep(1)
        driven.begin_to_read()
        driven.wait_for_text("Gap of")
        driven.wait_until_current()
        return finished(driven)


def stopped_in_full_flow(connector: Connector) -> Story:
    """A stop signal while more is waiting than can be written."""
    with exchange_of(rate=3000.0) as exchange:
        driven = Driven(connector, exchange, blocked=True)
        driven.wait_for_connections(1)
        time.sleep(2)
        return of(driven, driven.stop())


def enough(connector: Connector) -> Story:
    """`max_book_tickers` ends it in the middle of the second read, of which 50 updates are left out."""
    with exchange_of(rate=0) as exchange:
        driven = Driven(connector, exchange, max_book_tickers=150)
        driven.wait_for(lambda: exchange.connections)
        for first in (1, 101):
            exchange.push_updates([book_ticker(update_id) for update_id in range(first, first + 100)])
            driven.wait_for(lambda first=first: driven.updates >= min(first + 99, 150))  # type: ignore[misc]
        return of(driven, driven.end())


def book_ticker(update_id: int) -> dict[str, object]:
    now = time.time_ns() // 1_000_000
    prices = {"b": "86135.4", "B": "680", "a": "86135.5", "A": "2458"}
    return {
        "e": "bookTicker",
        "u": update_id,
        "s": "BTCUSD_PERP",
        "ps": "BTCUSD",
        **prices,
        "T": now,
        "E": now,
        "st": 2,
    }


PAUSING = hurried(high_water=128 * 1024)
STORIES: dict[str, Callable[[Connector], Story]] = {
    story.__name__: story
    for story in (
        own_stream_dies,
        late_on_the_standby,
        slow_destination,
        blocked_for_seven_seconds,
        cut_while_paused,
        cut,
        cut_with_a_standby,
        stopped_in_full_flow,
        enough,
    )
}


def pausing(story: Callable[[Connector], Story]) -> Callable[[Connector], Story]:
    def tell(connector: Connector) -> Story:
        with Connector(connector.folder, PAUSING) as other:
            return story(other)

    return tell


@pytest.fixture(scope="module")
def stories(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Future[Story]]]:
    paused = ("slow_destination", "cut_while_paused")
    jobs = {name: pausing(story) if name in paused else story for name, story in STORIES.items()}
    with side_by_side(tmp_path_factory.mktemp("promises"), jobs, at_once=5) as futures:
        yield futures


@pytest.mark.parametrize("name", STORIES)
def test_what_is_promised_is_there(name: str, stories: dict[str, Future[Story]]) -> None:
    story = stories[name].result(110)
    assert story.broken == []
    assert len(own_records(story.output)) >= 100
    assert story.verdict.faults[1:] == (0, 0)
    for record in own_records(story.output):
        assert record["covered_since_us"] <= record["received_at_us"]


def test_a_loss_ends_every_promise_of_the_connection(stories: dict[str, Future[Story]]) -> None:
    assert stories["cut"].result(110).stretches == [3] * len(LISTED)


def test_with_a_standby_a_loss_moves_no_promise(stories: dict[str, Future[Story]]) -> None:
    story = stories["cut_with_a_standby"].result(110)
    assert are_stretches(story.output, dict.fromkeys(LISTED, 1))
    assert story.verdict.lost == 0


def test_a_slow_destination_moves_neither_receipt_nor_promise(stories: dict[str, Future[Story]]) -> None:
    """As long as nothing had to wait unread."""
    story = stories["slow_destination"].result(110)
    records = [record for record in story.output.of_type("RECORD") if record["stream"] == "book_tickers"]
    late = [r for r in records if r["emitted_at"] - r["data"]["received_at_us"] / 1000 > 1000]
    assert len(late) > 300, "most were written long after they came"
    read_at_once = records[:300]
    delays = [r["data"]["received_at_us"] / 1e6 - r["data"]["event_time"] / 1e3 for r in read_at_once]
    assert max(delays) < 1.0
    assert all("covered_since_us" in record["data"] for record in read_at_once)


def test_receipt_follows_the_push_by_milliseconds_however_long_stdout_is_blocked(
    stories: dict[str, Future[Story]],
) -> None:
    """An event time of the exchange is up to 45 ms before the push."""
    story = stories["blocked_for_seven_seconds"].result(110)
    records = [record for record in story.output.of_type("RECORD") if record["stream"] == "book_tickers"]
    held_up = [r["data"] for r in records if r["emitted_at"] - r["data"]["received_at_us"] / 1000 > 1000]
    assert len(held_up) > RATE * (BLOCKED - 3), "most were written seconds after they came"
    delays = sorted(data["received_at_us"] / 1000 - data["event_time"] for data in held_up)
    assert delays[len(delays) // 2] < patient(100)
    assert delays[-1] < 1000
    assert are_stretches(story.output, dict.fromkeys(LISTED, 1))


def test_a_dead_own_stream_ends_the_promise_of_its_contract(stories: dict[str, Future[Story]]) -> None:
    """On a machine so busy that a read comes a second late, what it brings vouches for nothing either."""
    output = stories["own_stream_dies"].result(110).output
    others = dict.fromkeys(set(LISTED) - {VICTIM}, 1)
    assert are_stretches(output, {**others, VICTIM: len(stretches_of(output)[VICTIM])})
    assert len(stretches_of(output)[VICTIM]) > 1


def test_a_read_that_was_cut_short_promises_nothing(stories: dict[str, Future[Story]]) -> None:
    records = stories["enough"].result(110).output.records("book_tickers")
    assert [record["u"] for record in records] == list(range(1, 151))
    assert ["covered_since_us" in record for record in records] == [True] * 100 + [False] * 50


def test_samples_promise_nothing(stories: dict[str, Future[Story]]) -> None:
    records = stories["own_stream_dies"].result(110).output.records("book_tickers")
    assert sum("covered_since_us" not in record for record in records) >= len(LISTED)
    assert all(type(record["received_at_us"]) is int for record in records)


def test_what_may_have_come_late_over_the_standby_is_promised_anew(stories: dict[str, Future[Story]]) -> None:
    output = stories["late_on_the_standby"].result(110).output
    assert are_stretches(output, {"NEWUSD_PERP": 2})
    (told,) = [line for line in output.logs("INFO") if "may have missed early updates" in line]
    assert "NEWUSD_PERP" in told
