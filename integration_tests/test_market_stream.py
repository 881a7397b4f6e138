"""One connection to a real server, taken away in every way: when it comes back, and what is said of the gap."""

from __future__ import annotations

import dataclasses
import re
import time
from collections.abc import Iterator
from itertools import pairwise

import pytest

from local_exchange import LocalExchange
from local_exchange.faults import FaultKind
from source_binance_futures.binance.market_stream import backoff as redial
from source_binance_futures.binance.market_stream.line import Timing

from .harness.listening import Listener, listen_to
from .harness.patience import SOON, patient

# Deadlines long enough for a busy machine to keep, short enough to wait for.
SHORT = Timing(connect=5, ping_after=1.0, pong_within=1.0, overlap=0.3, takeover_after=1.0)
IMPATIENT = dataclasses.replace(SHORT, first_patience=1.0, patience=1.0)
UPDATE = {"e": "bookTicker", "s": "BTCUSD_PERP", "ps": "BTCUSD", "b": "1.0", "B": "1", "a": "1.1", "A": "1", "st": 2}


@pytest.fixture
def exchange() -> Iterator[LocalExchange]:
    with LocalExchange(rate=500, mix_usds_margined=False) as exchange:
        yield exchange


@pytest.fixture
def quiet() -> Iterator[LocalExchange]:
    """It pushes what the test pushes, and sends no pings."""
    with LocalExchange(rate=0, mix_usds_margined=False, ping_interval=None) as exchange:
        yield exchange


def push(exchange: LocalExchange, update_id: int) -> None:
    now = time.time_ns() // 1_000_000
    exchange.push_updates([{**UPDATE, "u": update_id, "T": now, "E": now}])


def handshakes(exchange: LocalExchange) -> int:
    return len(exchange.handshakes)


def pauses(exchange: LocalExchange) -> list[float]:
    return [later[0] - earlier[0] for earlier, later in pairwise(exchange.handshakes)]


@pytest.mark.parametrize(
    ("kind", "cause"),
    [
        ("rst", "the connection broke (connection reset by peer)"),
        ("fin", "the connection ended without a close frame"),
        ("close", "the exchange closed the connection with code 1012 (restart)"),
        ("cut", "the connection broke (connection reset by peer)"),
    ],
)
def test_a_loss_is_made_good_at_once_and_its_gap_is_told(exchange: LocalExchange, kind: FaultKind, cause: str) -> None:
    with listen_to(exchange) as listener:
        listener.wait_for_updates(100)
        taken_at = time.time()
        exchange.fault(kind, code=1012, reason="restart")
        lost_by = time.time()
        listener.wait_for(lambda: listener.gaps)
        listener.wait_for_updates(100)
        time.sleep(0.7)  # a second attempt for the same loss would come half a second later
        assert handshakes(exchange) == 2
        back_at = exchange.connections[0].opened_at - time.monotonic() + time.time()
    (gap,) = listener.gaps
    assert gap.cause == cause
    assert taken_at - 1 < gap.since <= lost_by + 1, "when something was last heard"
    assert back_at - 0.05 <= gap.until <= back_at + 1.1, "the first update on the new connection, or its handshake"
    assert gap.seconds == pytest.approx(gap.until - gap.since, abs=0.01)
    assert gap.seconds < patient(1.5)
    assert listener.market.reconnects == 1
    assert listener.warnings == []
    assert listener.account.out_of_order == 0


def test_pauses_grow_as_long_as_connecting_fails_and_are_told_ever_more_seldom(exchange: LocalExchange) -> None:
    exchange.refuse(503, times=None)
    with listen_to(exchange) as listener:
        exchange.wait_for(lambda: handshakes(exchange) >= 4, SOON)
        exchange.accept_handshakes()
        listener.wait_for_updates()
        tried = pauses(exchange)
        exchange.fault("rst")
        lost_at = time.monotonic()
        listener.wait_for_updates(10)
        listener.wait_for(lambda: listener.market.reconnects == 1)
        assert exchange.handshakes[-1][0] - lost_at < patient(1.0), "a message has reset the pauses"
    assert all(pause >= least for pause, least in zip(tried, [0.5, 0.5, 1.0, 2.0], strict=True))
    told = [warning for warning in listener.warnings if "503" in warning]
    assert [warning.partition(")")[0] for warning in told] == [
        "Connecting failed (attempt 1 in a row",
        "Connecting failed (attempt 2 in a row",
        "Connecting failed (attempt 4 in a row",
    ]
    assert "HTTP status 503" in listener.gaps[0].cause
    assert listener.gaps[0].seconds >= sum(tried)


def test_a_server_that_accepts_and_closes_without_a_message_is_not_hammered(quiet: LocalExchange) -> None:
    with listen_to(quiet):
        deadline = time.monotonic() + 3.0
        while time.monotonic() < deadline:
            if quiet.connections:
                quiet.fault("rst")
            time.sleep(0.01)
    assert 2 <= handshakes(quiet) <= 5, quiet.handshakes
    assert all(pause >= least for pause, least in zip(pauses(quiet), [0.5, 0.5, 1.0, 2.0], strict=False))


def test_there_is_a_ceiling_for_a_server_that_dies_after_each_message(
    quiet: LocalExchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redial, "MAX_ATTEMPTS", 6)
    with listen_to(quiet) as listener:
        for update_id in range(1, 7):
            quiet.wait_for(lambda: quiet.connections, SOON)
            push(quiet, update_id)
            listener.wait_for(lambda: listener.account.received == update_id)  # noqa: B023
            quiet.fault("rst")
            quiet.wait_for(lambda: not quiet.connections, SOON)
        time.sleep(1.2)
        assert handshakes(quiet) == 6
    assert quiet.handshakes[-1][0] - quiet.handshakes[0][0] < patient(10)


def test_silence_is_asked_about_and_no_answer_is_a_loss(quiet: LocalExchange) -> None:
    with listen_to(quiet, timing=SHORT) as listener:
        quiet.wait_for(lambda: quiet.connections, SOON)
        push(quiet, 1)
        listener.wait_for_updates(0)
        last_heard = time.monotonic()
        quiet.fault("silence")
        quiet.wait_for(lambda: handshakes(quiet) == 2, SOON)
        assert quiet.handshakes[-1][0] - last_heard >= 1.5, "a second of silence, a second for the answer"
        push(quiet, 2)
        listener.wait_for(lambda: listener.gaps)
    assert "nothing was heard for 2 seconds and a ping was not answered" in listener.gaps[0].cause
    assert listener.gaps[0].seconds >= 1.5


def test_silence_is_no_stall_where_pings_are_answered(quiet: LocalExchange) -> None:
    with listen_to(quiet, timing=SHORT) as listener:
        quiet.wait_for(lambda: quiet.connections, SOON)
        push(quiet, 1)
        quiet.wait_for(lambda: quiet.connections[0].pings_received >= 3, SOON)
        push(quiet, 2)
        listener.wait_for(lambda: listener.account.received == 2)
    assert handshakes(quiet) == 1
    assert (listener.gaps, listener.warnings) == ([], [])


def test_without_a_first_update_fresh_connections_are_tried_ever_more_seldom(quiet: LocalExchange) -> None:
    """A quiet market looks like a dead route; where the fresh one is silent too, it stays, and nothing is a gap."""
    with listen_to(quiet, timing=IMPATIENT) as listener:
        quiet.wait_for(lambda: handshakes(quiet) == 3, SOON)
        assert all(pause >= least for pause, least in zip(pauses(quiet), [1.0, 2.0], strict=True))
        listener.wait_for(lambda: sum("Staying on it" in warning for warning in listener.warnings) == 2)
        quiet.wait_for(lambda: len(quiet.connections) == 1, SOON)
        push(quiet, 1)
        listener.wait_for(lambda: listener.account.received == 1)
        listener.wait_for(lambda: listener.silences)
    fresh, staying, *again = listener.warnings
    assert "A fresh connection replaces the one in use: no update came for 1 seconds" in fresh
    assert "there may be nothing to send. Staying on it" in staying
    assert again == [fresh.replace("for 1", "for 2"), staying]
    (silence,) = listener.silences
    assert silence.seconds >= 3.0, "from the beginning to the first update"
    assert "Most likely nothing was pushed" in str(silence)
    assert listener.gaps == []
    assert listener.market.reconnects == 0


def test_a_dead_route_is_left_for_a_fresh_connection_and_the_time_on_it_is_a_gap(quiet: LocalExchange) -> None:
    with listen_to(quiet, timing=IMPATIENT) as listener:
        first = quiet.wait_for(lambda: quiet.connections, SOON)[0]
        quiet.fault("mute")
        quiet.set_rate(200)
        listener.wait_for_updates(50)
        quiet.wait_for(lambda: not first.is_open, SOON)
        listener.wait_for_updates(50)
    assert handshakes(quiet) == 2
    (gap,) = listener.gaps
    assert gap.seconds >= 1.0
    assert re.match(r"no update came for|the connection in use was silent for", gap.cause), "whichever is noticed first"
    assert "no update came for 1 seconds" in listener.warnings[0]
    assert listener.account.lost == 0, "from the first update on"


def test_at_its_age_a_connection_is_replaced_before_it_is_left(exchange: LocalExchange) -> None:
    timing = Timing(rotate_after=1.0, overlap=0.3)
    with listen_to(exchange, timing=timing) as listener:
        listener.wait_for(lambda: sum("has been open" in note for note in listener.notes) >= 6)
        assert len(exchange.connections) <= 2
    assert all(pause >= 1.0 for pause in pauses(exchange))
    assert (listener.gaps, listener.warnings, listener.market.reconnects) == ([], [], 0)
    assert (listener.account.lost, listener.account.out_of_order) == (0, 0)
    assert sum("took over without a gap: it has been open" in note for note in listener.notes) >= 3


def test_an_announced_shutdown_is_followed_before_it_comes(exchange: LocalExchange) -> None:
    with listen_to(exchange, timing=SHORT) as listener:
        listener.wait_for_updates(100)
        leaving = exchange.fault("shutdown", after=5)
        listener.wait_for(
            lambda: any("took over without a gap: the server announced" in note for note in listener.notes)
        )
        listener.wait_for(lambda: not leaving.is_open)
        listener.wait_for_updates(100)
    assert handshakes(exchange) == 2
    assert (listener.gaps, listener.warnings, listener.market.reconnects) == ([], [], 0)
    assert (listener.account.lost, listener.account.out_of_order) == (0, 0)


def test_what_is_missing_at_the_end_is_told_too(exchange: LocalExchange) -> None:
    with listen_to(exchange) as listener:
        listener.wait_for_updates(100)
        exchange.refuse(503, times=None)
        exchange.fault("rst")
        listener.wait_for(lambda: listener.warnings)
        time.sleep(0.5)
    (gap,) = listener.gaps
    assert gap.seconds >= 0.5
    assert "connection reset" in gap.cause


def test_the_reading_thread_goes_where_the_listener_goes(exchange: LocalExchange) -> None:
    with listen_to(exchange) as listener:
        listener.wait_for_updates()
        leaving = exchange.connections[0]
    # One that is closing is not open any more, and has no code yet.
    assert exchange.wait_for(lambda: leaving.close_code, SOON) == 1000
    assert isinstance(listener, Listener)
    assert not listener.market._thread.is_alive()
