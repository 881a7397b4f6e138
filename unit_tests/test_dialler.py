"""Connections opened in the background: each is handed over or left, and whatever an attempt comes to has an owner."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

import pytest

from source_binance_futures import check, output
from source_binance_futures.binance.clock import Clock, Deadline, Stop
from source_binance_futures.binance.endpoints import PRODUCTION
from source_binance_futures.binance.errors import (
    BinanceError,
    HandshakeFailed,
    Interrupted,
    NoThread,
    Owner,
    UnexpectedFailure,
)
from source_binance_futures.binance.market_stream.contracts import venues_of
from source_binance_futures.binance.market_stream.reader import MarketStream
from source_binance_futures.binance.transport.connection import (
    Connection,
    Dialler,
    HandOver,
    connect,
    open_in_background,
)
from source_binance_futures.binance.transport.proxy import Route
from source_binance_futures.binance.websocket_api.prices import WeightBudget
from source_binance_futures.config import Config

from .sockets import PATIENCE, ScriptedStream

URL = "wss://dstream.example/stream"
LIMIT = 1000


class Attempts:
    """Openings that end when a test says so, in its own thread."""

    def __init__(self) -> None:
        self.hand_over: list[HandOver] = []

    def __call__(self, url: str, route: Route, deadline: Deadline, max_message_bytes: int, hand_over: HandOver) -> None:
        assert (url, max_message_bytes, deadline.expired, route.proxy_url) == (URL, LIMIT, False, None)
        self.hand_over.append(hand_over)


def connection() -> tuple[Connection, ScriptedStream]:
    stream = ScriptedStream([], ends=False)
    return Connection(stream, LIMIT, Clock()), stream


def dialler(attempts: Attempts, wake: Callable[[], None] = lambda: None) -> Dialler[str]:
    return Dialler(Route(), Clock(), LIMIT, wake=wake, opening=attempts)


def test_each_attempt_is_met_with_what_it_was_dialled_with() -> None:
    attempts, woken = Attempts(), []
    calls = dialler(attempts, lambda: woken.append(1))
    calls.dial(URL, 5, "a")
    calls.dial(URL, 5, "b")
    assert (calls.under_way, calls.outcome()) == (2, None)
    opened, _ = connection()
    attempts.hand_over[1](opened)
    failure = HandshakeFailed("dstream.example", "no answer in time")
    attempts.hand_over[0](failure)
    assert calls.outcome() == ("b", opened)
    assert calls.outcome() == ("a", failure)
    assert (calls.under_way, calls.outcome(), woken) == (0, None, [1, 1])


@pytest.mark.parametrize("when", ["before", "after"])
def test_what_was_opened_and_never_met_is_left(when: str) -> None:
    attempts = Attempts()
    calls = dialler(attempts)
    calls.dial(URL, 5, "a")
    opened, stream = connection()
    if when == "before":
        attempts.hand_over[0](opened)
    calls.close()
    if when == "after":
        attempts.hand_over[0](opened)
    assert stream.is_closed
    assert stream.sent[:1] == b"\x88", "a close frame: it is left in good order"
    assert calls.outcome() is None


def test_nothing_that_was_met_is_left() -> None:
    attempts = Attempts()
    calls = dialler(attempts)
    calls.dial(URL, 5, "a")
    opened, stream = connection()
    attempts.hand_over[0](opened)
    assert calls.outcome() is not None
    calls.close()
    assert not stream.is_closed


def test_an_error_that_nobody_thought_of_is_ours_and_not_quoted() -> None:
    attempts = Attempts()
    calls = dialler(attempts)
    calls.dial(URL, 5, "a")
    error = ValueError("Geheim")
    attempts.hand_over[0](error)
    _, outcome = calls.outcome() or ("", None)
    assert isinstance(outcome, UnexpectedFailure)
    assert outcome.owner is Owner.US
    assert outcome.__cause__ is error
    assert "Geheim" not in str(outcome)


@pytest.mark.parametrize("error", [HandshakeFailed("h", "x"), RuntimeError("unforeseen")])
def test_whatever_opening_raises_is_handed_over(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> Connection:
        raise error

    monkeypatch.setattr(Connection, "open", fail)
    calls: Dialler[str] = Dialler(Route(), Clock(), LIMIT)
    calls.dial(URL, 5, "a")
    _, outcome = calls.outcome(PATIENCE) or ("", None)
    assert isinstance(outcome, BinanceError)
    assert error in (outcome, outcome.__cause__)


def test_a_stop_ends_the_wait_and_a_connection_that_comes_later_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    stop, is_open = Stop(Clock()), threading.Event()
    opened, stream = connection()
    is_left = threading.Event()
    monkeypatch.setattr(stream, "close", is_left.set)

    def open_late(*_: object) -> Connection:
        stop.request()
        assert is_open.wait(PATIENCE)
        return opened

    monkeypatch.setattr(Connection, "open", open_late)
    with pytest.raises(Interrupted):
        connect(URL, Route(), stop, 60, LIMIT)
    is_open.set()
    assert is_left.wait(PATIENCE)


@pytest.fixture
def no_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that starts no more threads, as `pids` of a container has it."""

    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)


@pytest.mark.usefixtures("no_threads")
def test_an_attempt_without_a_thread_is_a_failure_of_its_own() -> None:
    calls: Dialler[str] = Dialler(Route(), Clock(), LIMIT, opening=open_in_background)
    calls.dial(URL, 5, "a")
    _, outcome = calls.outcome() or ("", None)
    assert isinstance(outcome, NoThread)
    assert "No connection to dstream.example was tried: this machine starts no more threads." in str(outcome)


@pytest.mark.usefixtures("no_threads")
def test_a_market_stream_without_a_thread_is_told_and_leaves_nothing_open() -> None:
    clock = Clock()
    venues = venues_of(Config().wishes, PRODUCTION, (), clock.today())
    market = MarketStream(venues, Route(), clock, standby=False, window_ends=clock.monotonic() + 60)
    with pytest.raises(NoThread, match="The market stream cannot be read: this machine starts no more threads"):
        market.start()
    market.stop()
    assert market._selector.get_map() is None


@pytest.mark.usefixtures("no_threads")
def test_a_check_without_threads_is_told() -> None:
    stop = Stop(Clock())
    told = check.failures_of(Config(), stop, logging.getLogger("check"), WeightBudget(), stop.clock.deadline(PATIENCE))
    assert len(told) == 2
    assert all("could not be checked: this machine starts no more threads. Raise" in sentence for sentence in told)


@pytest.mark.usefixtures("no_threads")
def test_a_sync_whose_output_nobody_watches_begins() -> None:
    output.watch(Stop(Clock()), output.Output(1, Clock()))
