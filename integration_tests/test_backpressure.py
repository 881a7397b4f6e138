"""A reader of stdout that stops reading: the exchange must not notice, memory must not grow without end."""

from __future__ import annotations

import signal
import time

from local_exchange import ExchangeConnection, LocalExchange
from source_binance_futures.binance.market_stream.items import Outbox

from .harness.accounts import EVERY_COIN_M
from .harness.connector import Connector
from .harness.failing import PATIENCE, Capture, follows_all
from .harness.listening import listen_to
from .harness.patience import SOON

RATE = 3000


def followed(exchange: LocalExchange) -> ExchangeConnection:
    """The one connection, once every contract is followed over it."""
    exchange.wait_for(lambda: exchange.connections and follows_all(exchange.connections[0]), PATIENCE)
    (connection,) = exchange.connections
    return connection


def test_seven_blocked_seconds_lose_nothing_and_keep_the_connection(connector: Connector) -> None:
    with LocalExchange(rate=RATE, mix_usds_margined=False, ping_interval=1.0) as exchange:
        capture = Capture(connector, exchange, standby=False)
        connection = followed(exchange)  # nobody reads so far, and the pipe holds a few hundred records
        pongs_before, sent_before = len(connection.pongs), connection.frames_sent
        time.sleep(7)
        pongs_while_blocked = len(connection.pongs) - pongs_before
        sent_by_then = connection.frames_sent
        with capture:
            capture.wait_for(lambda: capture.account.received > sent_by_then)
            assert exchange.connections == [connection]
        assert len(exchange.handshakes) == 1
    assert pongs_while_blocked >= 5
    assert sent_by_then - sent_before >= 7 * RATE * 0.8
    assert capture.account.sums == (0, 0, 0, 0)
    assert len(capture.account.counted) == len(EVERY_COIN_M)
    assert capture.gaps == []
    assert capture.exit_code == 0


def test_a_stop_signal_in_the_middle_of_a_blocked_write_cuts_nothing_off(connector: Connector) -> None:
    """What the state vouches for has been written. Python without buffers drops the rest of an interrupted write."""
    with LocalExchange(rate=RATE, mix_usds_margined=False) as exchange:
        capture = Capture(connector, exchange, standby=False, variables={"PYTHONUNBUFFERED": "1"})
        followed(exchange)
        time.sleep(0.5)
        capture.running.process.send_signal(signal.SIGTERM)
        time.sleep(0.5)
        capture.begin_to_read()
        capture.end()
    assert capture.account.received > 100
    assert capture.account.sums == (0, 0, 0, 0)
    assert capture.last_state["u"] == capture.newest
    assert capture.exit_code == 0


def test_at_the_limit_it_stops_reading_says_so_and_goes_on_later() -> None:
    limit = 512 * 1024
    with LocalExchange(rate=RATE, mix_usds_margined=False) as exchange:
        outbox = Outbox(limit, limit // 2)
        listener = listen_to(exchange, takes_at_once=False, outbox=outbox)
        with listener:
            (connection,) = exchange.wait_for(lambda: exchange.connections, SOON)
            listener.wait_for(lambda: outbox.waiting_bytes >= limit)
            time.sleep(0.5)
            stopped_at = outbox.waiting_bytes
            time.sleep(1.5)
            assert outbox.waiting_bytes == stopped_at, "not one read more"
            assert stopped_at < limit + 1024 * 1024, "one read is the most by which it is exceeded"
            sent_by_then = connection.frames_sent
            exchange.set_rate(RATE / 10)
            listener.begin_to_take()
            listener.wait_for(lambda: listener.account.received > sent_by_then)
            listener.wait_for_updates(RATE // 10)  # a second later it has long caught up
            listener.wait_for(lambda: listener.state == "single")
            assert exchange.connections == [connection]
        assert len(exchange.handshakes) == 1
    assert listener.account.lost == 0
    (warning,) = listener.warnings
    assert "wait for the destination, which reads too slowly" in warning
    assert listener.gaps == []


def test_a_standby_does_not_take_over_because_nobody_reads() -> None:
    limit = 256 * 1024
    with LocalExchange(rate=RATE, mix_usds_margined=False) as exchange:
        outbox = Outbox(limit, limit // 2)
        listener = listen_to(exchange, standby=True, takes_at_once=False, outbox=outbox)
        with listener:
            exchange.wait_for(lambda: len(exchange.connections) == 2, SOON)
            exchange.wait_for(lambda: outbox.waiting_bytes >= limit, SOON)
            time.sleep(4)
            sent_by_then = exchange.connections[0].frames_sent
            exchange.set_rate(RATE / 10)
            listener.begin_to_take()
            listener.wait_for(lambda: listener.account.received > sent_by_then)
            listener.wait_for_updates(RATE // 10)  # a second later it has long caught up
            listener.wait_for(lambda: listener.state == "covered")
        assert len(exchange.handshakes) == 2
    assert (listener.account.lost, listener.market.reconnects, listener.gaps) == (0, 0, [])
    assert "took over" not in listener.said
