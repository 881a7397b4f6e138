"""A second connection stays open: what it covers, and what is said while it is missing."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from local_exchange import ExchangeConnection, LocalExchange
from local_exchange.faults import FaultKind

from .harness.accounts import EVERY_COIN_M
from .harness.connector import Connector
from .harness.driving import Driven
from .harness.listening import Listener, listen_to
from .harness.patience import SOON
from .test_market_stream import SHORT, UPDATE, handshakes, push


@pytest.fixture
def exchange() -> Iterator[LocalExchange]:
    with LocalExchange(rate=1500, mix_usds_margined=False) as exchange:
        yield exchange


def both_open(exchange: LocalExchange, listener: Listener) -> tuple[ExchangeConnection, ExchangeConnection]:
    """The connection in use and the standby, once the second has proven itself."""
    listener.wait_for(lambda: listener.state == "covered" and len(exchange.connections) == 2)
    active, standby = exchange.connections
    return active, standby


def nothing_lost(listener: Listener) -> None:
    account = listener.account
    assert (account.lost, account.twice, account.out_of_order, listener.gaps) == (0, 0, 0, [])


@pytest.mark.parametrize("kind", ["rst", "fin", "close", "cut"])
def test_it_takes_over_where_the_connection_in_use_is_lost(exchange: LocalExchange, kind: FaultKind) -> None:
    with listen_to(exchange, standby=True) as listener:
        active, standby = both_open(exchange, listener)
        exchange.fault(kind, active)
        listener.wait_for(lambda: listener.market.reconnects == 1)
        exchange.wait_for(lambda: len(exchange.connections) == 2, SOON)
        listener.wait_for_updates(500)
        time.sleep(0.6)
        assert handshakes(exchange) == 3, "one loss, one new connection"
        assert standby.is_open
    nothing_lost(listener)
    assert any("took over without a gap" in note for note in listener.notes)
    assert listener.warnings == []


@pytest.mark.parametrize("kind", ["silence", "mute"])
def test_it_takes_over_after_silence(exchange: LocalExchange, kind: FaultKind) -> None:
    with listen_to(exchange, standby=True) as listener:
        active, standby = both_open(exchange, listener)
        exchange.fault(kind, active)
        fell_silent = time.monotonic()
        listener.wait_for(lambda: listener.market.reconnects == 1)
        assert time.monotonic() - fell_silent >= 1.9
        listener.wait_for_updates(500)
        assert standby.is_open
    nothing_lost(listener)
    assert any("the connection in use was silent for 2." in note for note in listener.notes)


def test_losing_the_standby_costs_nothing_and_is_told(exchange: LocalExchange) -> None:
    with listen_to(exchange, standby=True) as listener:
        active, standby = both_open(exchange, listener)
        exchange.fault("rst", standby)
        listener.wait_for(lambda: listener.warnings)
        exchange.wait_for(lambda: len(exchange.connections) == 2, SOON)
        listener.wait_for_updates(500)
        assert active.is_open
    nothing_lost(listener)
    assert listener.market.reconnects == 0
    (warning,) = listener.warnings
    assert "The standby connection is missing" in warning
    assert "connection reset by peer" in warning


def test_a_standby_that_falls_silent_is_replaced_before_it_is_needed(exchange: LocalExchange) -> None:
    """It still answers pings. Promoted later, it would bring nothing and claim that nothing was lost."""
    with listen_to(exchange, standby=True) as listener:
        active, standby = both_open(exchange, listener)
        exchange.fault("mute", standby)
        listener.wait_for(lambda: listener.warnings)
        exchange.wait_for(lambda: not standby.is_open, SOON)
        exchange.wait_for(lambda: len(exchange.connections) == 2, SOON)
        listener.wait_for_updates(500)
        exchange.fault("rst", active)
        listener.wait_for(lambda: listener.market.reconnects == 1)
        listener.wait_for_updates(500)
    nothing_lost(listener)
    (warning,) = listener.warnings
    assert "The standby connection is missing" in warning
    assert "it was silent for 2." in warning


def test_losing_both_at_once_is_a_gap_and_two_new_connections(exchange: LocalExchange) -> None:
    with listen_to(exchange, standby=True) as listener:
        lost = both_open(exchange, listener)
        for connection in lost:
            exchange.fault("rst", connection)
        exchange.wait_for(lambda: len(exchange.connections) == 2, SOON)
        listener.wait_for_updates(500)
        time.sleep(0.6)
        assert handshakes(exchange) == 4
    assert len(listener.gaps) == 1
    assert listener.account.out_of_order == 0


def test_without_a_standby_it_goes_on_with_one(exchange: LocalExchange) -> None:
    with listen_to(exchange, standby=True) as listener:
        exchange.wait_for(lambda: exchange.connections, SOON)
        both_open(exchange, listener)
        exchange.refuse(503, times=None)
        exchange.fault("rst", exchange.connections[1])
        listener.wait_for(lambda: any("attempt 2 in a row" in warning for warning in listener.warnings))
        listener.wait_for_updates(500)
        exchange.accept_handshakes()
        exchange.wait_for(lambda: len(exchange.connections) == 2, SOON)
    nothing_lost(listener)
    assert "The standby connection is missing (attempt 1 in a row)" in listener.said
    assert "HTTP status 503" in listener.said


def test_a_refusal_for_good_of_the_standby_does_not_end_the_capture(exchange: LocalExchange) -> None:
    with listen_to(exchange, standby=True) as listener:
        both_open(exchange, listener)
        exchange.refuse(451, times=None)
        exchange.fault("rst", exchange.connections[1])
        listener.wait_for(lambda: any("451" in warning for warning in listener.warnings))
        time.sleep(1.5)
        assert handshakes(exchange) == 3, "not tried again soon"
        listener.wait_for_updates(500)
    nothing_lost(listener)
    assert listener.failure is None


def test_retry_after_of_the_standby_is_kept_whatever_the_first_connection_hears() -> None:
    with (
        LocalExchange(rate=0, ping_interval=None) as exchange,
        listen_to(exchange, standby=True) as listener,
    ):
        exchange.wait_for(lambda: exchange.connections, SOON)
        exchange.refuse(429, {"Retry-After": "3"})
        listener.wait_for(lambda: any("too many requests" in warning for warning in listener.warnings))
        push(exchange, 1)
        listener.wait_for(lambda: listener.account.received == 1)
        exchange.wait_for(lambda: handshakes(exchange) == 3, SOON)
        assert exchange.handshakes[2][0] - exchange.handshakes[1][0] >= 2.9


def test_a_five_second_cadence_is_no_silence() -> None:
    """Both hear the same updates at the same moments, and then nothing for longer than a take-over waits."""
    with (
        LocalExchange(rate=0, ping_interval=None) as exchange,
        listen_to(exchange, standby=True) as listener,
    ):
        exchange.wait_for(lambda: exchange.connections, SOON)
        push(exchange, 1)
        exchange.wait_for(lambda: len(exchange.connections) == 2, SOON)
        for update_id in range(2, 4):
            now = time.time_ns() // 1_000_000
            exchange.push_updates(
                [{**UPDATE, "u": update_id, "s": symbol, "T": now, "E": now} for symbol in EVERY_COIN_M]
            )
            listener.wait_for(lambda: listener.account.received == 1 + len(EVERY_COIN_M) * (update_id - 1))  # noqa: B023
            time.sleep(2.6)
    assert handshakes(exchange) == 2
    assert listener.market.reconnects == 0
    nothing_lost(listener)
    assert listener.warnings == []


def test_both_connections_age_and_nothing_is_lost(exchange: LocalExchange) -> None:
    timing = type(SHORT)(rotate_after=1.5, overlap=0.3)
    with listen_to(exchange, standby=True, timing=timing) as listener:
        exchange.wait_for(lambda: handshakes(exchange) >= 6, SOON)
        listener.wait_for_updates(500)
        assert len(exchange.connections) <= 3
    nothing_lost(listener)


# The system's limit of threads or processes is reached once the first connection is open.
NO_THREADS = """
import threading
from source_binance_futures import cli
start, started = threading.Thread.start, []
def scarce(thread):
    if thread.name.startswith({name!r}):
        if started:
            raise RuntimeError("can't start new thread")
        started.append(thread)
    start(thread)
threading.Thread.start = scarce
cli.run()
"""


@pytest.mark.parametrize("name", ["connect to", "resolve"])
def test_a_machine_that_starts_no_more_threads_ends_nothing(exchange: LocalExchange, tmp_path: Path, name: str) -> None:
    with Connector(tmp_path, (sys.executable, "-c", NO_THREADS.format(name=name))) as connector:
        driven = Driven(connector, exchange, standby_connection=True)
        driven.wait_for_text("this machine starts no more threads")
        driven.wait_for_updates()
        output = driven.stop()
    assert output.exit_code == 0
    assert output.is_plain
    assert [
        line for line in output.logs("WARN") if line.startswith("The standby connection is missing (attempt 1 in a")
    ]
