"""What was once lost without a word, through the process: each way either loses nothing now, or tells what it lost."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from typing import Any

import orjson
import pytest

from local_exchange import ExchangeConnection, LocalExchange
from local_exchange.faults import FaultKind

from .harness.connector import Connector, Output, side_by_side
from .harness.driving import Authority, Driven, hurried
from .harness.judging import GAP, Told, Verdict, judge, told

RATE = 200.0
HIGH_WATER = 128 * 1024  # bytes
SLOW_RATE = 40.0
"""Updates a second at which all that is sent in a pause still arrives: an operating system keeps some 100 KB, 400 of
them, for one who does not read, and at 200 a second that is full before a test can know that nobody reads."""
LATE = 5.0  # seconds


@dataclass(frozen=True)
class Story:
    """What became of one capture: what it said, what the judge says, and when (epoch seconds) the fault was.

    That is when the connection was sent its last: on a busy machine an exchange may have sent nothing for a while.
    """

    output: Output
    verdict: Verdict
    fault_at: float = 0.0
    handshakes: int = 0

    @property
    def gap(self) -> Told:
        """The only one."""
        (gap,) = self.verdict.gaps
        return gap


Tell = Callable[[Connector], Story]


class Teller:
    """Each method lets one thing happen to a capture. `tls` puts TLS between both sides."""

    def __init__(self, authority: Authority, *, tls: bool = False) -> None:
        self._authority = authority
        self._tls = tls

    def exchange(self, **options: Any) -> LocalExchange:
        context = self._authority.context() if self._tls else None
        options = {"rate": RATE, "mix_usds_margined": False, "sample_every": None, "ping_interval": 0.5, **options}
        return LocalExchange(ssl_context=context, tls_record_per_frame=self._tls, **options)

    def driven(self, connector: Connector, exchange: LocalExchange, **options: Any) -> Driven:
        return Driven(connector, exchange, variables=self._authority.variables, **options)

    def muted(self, connector: Connector) -> Story:
        """The only connection brings updates, then none, while pings go on."""
        with self.exchange() as exchange:
            driven = self.driven(connector, exchange)
            driven.wait_for_updates()
            cut = exchange.fault("mute")
            driven.wait_for_text("Gap of")
            driven.wait_for_updates()
            return finished(driven, cut.sent_at)

    def cut_while_paused(
        self, kind: FaultKind, *, standby: bool = False, told: str = "Gap of", rate: float = RATE
    ) -> Tell:
        """Reading pauses since nobody takes the output, and the server ends the connection meanwhile."""

        def tell(connector: Connector) -> Story:
            with self.exchange(rate=rate) as exchange:
                driven = self.driven(connector, exchange, blocked=True, standby_connection=standby)
                active, *_ = driven.wait_for_connections(1 + standby)
                driven.wait_until_unread(active)
                exchange.fault(kind, active)
                time.sleep(2)
                driven.begin_to_read()
                driven.wait_for_text(told)
                driven.wait_for_updates()
                return finished(driven, active.sent_at)

        return tell

    def window_ends_while_paused(self, connector: Connector) -> Story:
        with self.exchange() as exchange:
            driven = self.driven(connector, exchange, blocked=True, seconds=8)
            (active,) = driven.wait_for_connections(1)
            window_ends = time.time() - time.monotonic() + active.requested_at + 8
            driven.wait_until_unread(active)
            time.sleep(max(window_ends - time.time(), 0) + 1)
            output = driven.end()
            return Story(output, judge(exchange, output, until=window_ends - 0.5), window_ends)

    def late_standby(self, connector: Connector) -> Story:
        """The standby is open for seconds before anything is subscribed for it, and the one in use is cut before."""
        with self.exchange() as exchange:
            driven = self.driven(connector, exchange, standby_connection=True)
            active, standby = driven.wait_for_connections(2)
            exchange.late_subscriptions(LATE)
            exchange.fault("rst", standby)
            opened = driven.wait_for(lambda: newest_beside(exchange, active))
            assert opened is not None
            time.sleep(2)
            exchange.fault("rst", active)
            driven.wait_for_text("Gap of")
            driven.wait_for_updates()
            return finished(driven, active.sent_at)

    def falls_behind(self, connector: Connector) -> Story:
        """The one in use comes ever later, by up to 40 seconds, without ever being silent."""
        with self.exchange() as exchange:
            driven = self.driven(connector, exchange, standby_connection=True)
            active, _ = driven.wait_for_connections(2)
            fault_at = time.time()
            lag = 0.0
            while active.is_open and lag < 40:
                lag += 0.08
                exchange.lag(active, lag)
                time.sleep(0.1)
            driven.wait_for_text("took over")
            driven.wait_for_updates()
            return finished(driven, fault_at)

    def behind_and_cut(self, connector: Connector) -> Story:
        """The one in use is 40 seconds behind, and cut before anybody could notice."""
        with self.exchange() as exchange:
            driven = self.driven(connector, exchange, standby_connection=True)
            active, _ = driven.wait_for_connections(2)
            driven.wait_for_updates()
            fault_at = time.time()
            exchange.lag(active, 40)
            time.sleep(0.7)
            exchange.fault("rst", active)
            driven.wait_for_text("took over")
            driven.wait_for_updates()
            return finished(driven, fault_at)

    def paused_beside_a_standby_for_long(self, connector: Connector) -> Story:
        """The one in use is left unread for longer than a backlog would last by the clock, and cut then."""
        with self.exchange() as exchange:
            driven = self.driven(connector, exchange, blocked=True, standby_connection=True)
            active, _ = driven.wait_for_connections(2)
            driven.wait_until_unread(active)
            time.sleep(34)
            fault_at = time.time()
            exchange.fault("rst", active)
            driven.begin_to_read()
            driven.wait_for_text("took over")
            driven.wait_for_updates()
            return finished(driven, fault_at)

    def dark_twice(self, connector: Connector) -> Story:
        """The one in use falls mute, the fresh one never brings anything and is accepted as silent, then it is dead."""
        with self.exchange() as exchange:
            driven = self.driven(connector, exchange)
            driven.wait_for_updates()
            exchange.late_subscriptions(10_000)
            first = exchange.fault("mute")
            driven.wait_for_text("The fresh connection is silent too")
            driven.wait_for(lambda: not first.is_open)
            (fresh,) = exchange.connections
            exchange.accept_subscriptions()
            exchange.fault("silence", fresh)
            driven.wait_for_updates()
            return finished(driven, first.sent_at)

    def closed_at_once(self, connector: Connector) -> Story:
        with self.exchange() as exchange:
            exchange.close_at_once(times=None)
            output = self.driven(connector, exchange, seconds=4).end()
            return Story(output, Verdict([], []), handshakes=len(exchange.handshakes))

    def refused_all_along(self, connector: Connector) -> Story:
        with self.exchange() as exchange:
            exchange.refuse(503, times=None)
            return Story(self.driven(connector, exchange, seconds=4).end(), Verdict([], []))

    def nobody_there(self, connector: Connector) -> Story:
        with socket.socket() as reserved, self.exchange() as exchange:
            reserved.bind(("127.0.0.1", 0))  # it does not listen
            port = reserved.getsockname()[1]
            environment = {**exchange.environment(), "market_stream_url": f"ws://127.0.0.1:{port}"}
            driven = self.driven(connector, exchange, seconds=4, environment=environment)
            return Story(driven.end(), Verdict([], []))

    def cut_in_full_flow(self, connector: Connector) -> Story:
        """Several losses at a high rate: each gap is short."""
        with self.exchange(rate=1500) as exchange:
            driven = self.driven(connector, exchange)
            kinds: tuple[FaultKind, ...] = ("rst", "fin", "close", "cut")
            for number, kind in enumerate(kinds):
                driven.wait_for_updates(500)
                exchange.fault(kind)
                driven.wait_for(partial(has_shaken_hands, exchange, number + 2))
            driven.wait_for_connections(1)
            driven.wait_for_updates(500)
            return finished(driven, 0.0)


def has_shaken_hands(exchange: LocalExchange, times: int) -> bool:
    return len(exchange.handshakes) >= times


def newest_beside(exchange: LocalExchange, active: ExchangeConnection) -> ExchangeConnection | None:
    """The other open one, once it shook hands."""
    others = [connection for connection in exchange.connections if connection is not active and not connection.faults]
    return others[-1] if others else None


def finished(driven: Driven, fault_at: float) -> Story:
    driven.wait_until_current()
    driven.wait_for_updates(100)  # reading goes on within a moment
    output = driven.stop()
    return Story(output, judge(driven.exchange, output), fault_at, len(driven.exchange.handshakes))


@pytest.fixture(scope="module")
def stories(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Future[Story]]]:
    """All of them at once, each against an exchange of its own: they wait most of the time. The longest come first."""
    folder = tmp_path_factory.mktemp("losses")
    authority = Authority(folder)
    plain, tls = Teller(authority), Teller(authority, tls=True)
    pausing, pausing_early = hurried(high_water=HIGH_WATER), hurried(high_water=HIGH_WATER // 4)
    impatient = hurried(patience=4.0, first_patience=4.0, ping_after=1.0, pong_within=1.5)
    jobs: dict[str, Tell] = {
        "paused beside a standby": with_command(pausing, plain.paused_beside_a_standby_for_long),
        "muted": plain.muted,
        "muted, tls": tls.muted,
        "dark twice": with_command(impatient, plain.dark_twice),
        "behind": plain.falls_behind,
        "behind and cut": plain.behind_and_cut,
        "late standby": plain.late_standby,
        "window ends, paused": with_command(pausing, plain.window_ends_while_paused),
        "window ends, paused, tls": with_command(pausing, tls.window_ends_while_paused),
        "closed at once": plain.closed_at_once,
        "closed at once, tls": tls.closed_at_once,
        "refused": plain.refused_all_along,
        "nobody there": plain.nobody_there,
        "in full flow": plain.cut_in_full_flow,
    }
    for teller, name in ((plain, ""), (tls, ", tls")):
        jobs["fin, paused" + name] = with_command(pausing_early, teller.cut_while_paused("fin", rate=SLOW_RATE))
        jobs["rst, paused" + name] = with_command(pausing, teller.cut_while_paused("rst"))
    jobs["rst, paused, standby, tls"] = with_command(
        pausing, tls.cut_while_paused("rst", standby=True, told="took over")
    )
    jobs["rst, paused, standby that forgets"] = with_command(
        hurried(high_water=HIGH_WATER, backlog_bytes=32 * 1024), plain.cut_while_paused("rst", standby=True)
    )
    with side_by_side(folder, jobs, at_once=9) as futures:
        yield futures


def with_command(command: tuple[str, ...], tell: Tell) -> Tell:
    """The same with another command for the connector."""

    def told(connector: Connector) -> Story:
        with Connector(connector.folder, command) as other:
            return tell(other)

    return told


BOTH = ("", ", tls")
TOLD = {
    *(name + way for name in ("muted", "fin, paused", "rst, paused", "window ends, paused") for way in BOTH),
    "dark twice",
    "late standby",
    "rst, paused, standby that forgets",
    "in full flow",
}
TAKEN_OVER = {"behind", "behind and cut", "paused beside a standby", "rst, paused, standby, tls"}


def story_of(stories: dict[str, Future[Story]], name: str) -> Story:
    return stories[name].result(110)


def summary_of(story: Story) -> str:
    (summary,) = [line for line in story.output.logs("INFO") if line.startswith("Captured ")]
    return summary


@pytest.mark.parametrize("name", sorted(TOLD))
def test_what_is_lost_is_told(name: str, stories: dict[str, Future[Story]]) -> None:
    story = story_of(stories, name)
    assert story.verdict.faults == (0, 0, 0), story.verdict.untold[:3]
    assert story.verdict.lost > 0, "otherwise nothing was proven"
    assert story.verdict.gaps
    assert story.output.exit_code == 0


@pytest.mark.parametrize("name", sorted(TAKEN_OVER))
def test_a_standby_takes_over_without_a_gap(name: str, stories: dict[str, Future[Story]]) -> None:
    story = story_of(stories, name)
    assert story.verdict.faults == (0, 0, 0), story.verdict.untold[:3]
    assert (story.verdict.lost, story.verdict.gaps, story.verdict.silences) == (0, [], [])
    assert story.output.exit_code == 0


@pytest.mark.parametrize("way", BOTH)
def test_silence_is_replaced_after_half_a_minute_and_told_from_the_last_data_on(
    way: str, stories: dict[str, Future[Story]]
) -> None:
    story = story_of(stories, "muted" + way)
    assert story.gap.since == pytest.approx(story.fault_at, abs=1.0)
    assert 29 < story.gap.seconds < 45
    assert story.handshakes == 2
    assert "no update came for 30 seconds" in " ".join(story.output.logs("WARN"))


@pytest.mark.parametrize("way", BOTH)
def test_the_gap_of_a_cut_during_a_pause_begins_at_the_cut(way: str, stories: dict[str, Future[Story]]) -> None:
    """What arrived before it is delivered, however late it is read."""
    story = story_of(stories, "fin, paused" + way)
    assert story.gap.since == pytest.approx(story.fault_at, abs=1.0)
    assert story.gap.seconds > 1.5, "nobody read for two seconds"


@pytest.mark.parametrize("way", BOTH)
def test_the_gap_of_a_reset_during_a_pause_begins_where_the_data_ends(
    way: str, stories: dict[str, Future[Story]]
) -> None:
    story = story_of(stories, "rst, paused" + way)
    until_then = [
        record["event_time"] / 1000
        for record in story.output.records("book_tickers")
        if record["event_time"] / 1000 <= story.gap.since + 0.05
    ]
    assert story.gap.since == pytest.approx(max(until_then), abs=0.1)
    assert story.gap.since <= story.fault_at + 1


@pytest.mark.parametrize("way", BOTH)
def test_a_window_that_ends_during_a_pause_tells_what_was_left(way: str, stories: dict[str, Future[Story]]) -> None:
    story = story_of(stories, "window ends, paused" + way)
    assert story.gap.until >= story.fault_at - 0.5
    assert "the window ended while reading paused" in story.gap.cause
    assert "Gaps: 1, " in summary_of(story)


def test_two_silent_connections_are_one_gap_from_the_first_silence_on(stories: dict[str, Future[Story]]) -> None:
    story = story_of(stories, "dark twice")
    assert story.gap.since == pytest.approx(story.fault_at, abs=1.0)
    assert story.gap.seconds > 7.5, "the patience for both"
    assert "a ping was not answered" in " ".join(story.output.logs("INFO"))


def test_the_gap_of_a_late_standby_begins_with_the_loss(stories: dict[str, Future[Story]]) -> None:
    story = story_of(stories, "late standby")
    assert story.gap.since == pytest.approx(story.fault_at, abs=1.0)
    assert 1 < story.gap.seconds < LATE + 3


def test_short_gaps_have_a_length(stories: dict[str, Future[Story]]) -> None:
    story = story_of(stories, "in full flow")
    assert len(story.verdict.gaps) == 4
    assert all(0 < gap.seconds < 3 for gap in story.verdict.gaps)


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("closed at once", "Every connection was lost before its first update"),
        ("closed at once, tls", "Every connection was lost before its first update"),
        ("refused", "No connection came about"),
        ("nobody there", "No connection came about"),
    ],
)
def test_a_window_without_any_update_fails_and_its_gap_is_told(
    name: str, sentence: str, stories: dict[str, Future[Story]]
) -> None:
    story = story_of(stories, name)
    error = story.output.errors[0]
    assert sentence in error["message"]
    assert (error["failure_type"], story.output.exit_code) == ("transient_error", 1)
    assert story.output.is_plain
    (gap,) = told(story.output, GAP)
    assert 3 < gap.seconds < 6, "the whole window"
    assert f"Gaps: 1, {gap.seconds:.1f} seconds in all" in summary_of(story)


@pytest.mark.parametrize("standby", [False, True])
def test_one_event_time_that_is_hours_ahead_shortens_no_gap(connector: Connector, standby: bool) -> None:
    """Gaps are told from the newest event time on: once it was this one, and seconds were told as a quarter of one."""
    with LocalExchange(rate=RATE, mix_usds_margined=False, sample_every=None) as exchange:
        driven = Driven(connector, exchange, standby_connection=standby)
        driven.wait_for_connections(1 + standby)
        driven.wait_for_updates()
        ahead = {"e": "bookTicker", "u": 7, "s": "BTCUSD_PERP", "E": int((time.time() + 3 * 3600) * 1000)}
        exchange.push(orjson.dumps({"stream": "btcusd_perp@bookTicker", "data": ahead}))
        driven.wait_for_updates()
        exchange.refuse(503, times=2)
        for connection in exchange.connections:
            exchange.fault("rst", connection)
        driven.wait_for_text("Gap of")
        driven.wait_for_updates()
        story = finished(driven, time.time())
    assert story.verdict.lost > 0
    assert story.verdict.faults == (0, 0, 0)
    assert len(story.verdict.gaps) == 1
