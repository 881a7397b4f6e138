"""What one read of a connection gives to the machine."""

from __future__ import annotations

import select
import socket
import time

import pytest

from source_binance_futures.binance.clock import Clock
from source_binance_futures.binance.market_stream.messages import Read
from source_binance_futures.binance.market_stream.subscriptions import Subscriptions
from source_binance_futures.binance.market_stream.wire import Wire
from source_binance_futures.binance.transport.connection import Connection

from .sockets import PATIENCE, plain_channel

PAYLOAD = b'{"e":"bookTicker","u":7,"s":"BTCUSD_PERP","E":1790373637547,"b":"1","B":"2","a":"3","A":"4"}'
FRAME = b"\x81" + bytes([len(PAYLOAD)]) + PAYLOAD


def read(wire: Wire) -> Read:
    assert wire.connection.wait(PATIENCE)
    return wire.read(time.monotonic())


@pytest.mark.parametrize("over", [False, True])
def test_a_read_knows_whether_the_connection_is_over_right_after_it(over: bool) -> None:
    with plain_channel() as (channel, server):
        connection = Connection(channel, 1 << 20, Clock())
        wire = Wire(connection, Subscriptions([], 0), Clock(), base=0, own_streams=True)
        server.sendall(FRAME)
        if over:
            server.shutdown(socket.SHUT_WR)
            poller = select.poll()
            poller.register(channel.fileno(), select.POLLRDHUP)
            assert poller.poll(PATIENCE * 1000)
        found = read(wire)
        assert (found.payloads, found.ended, found.lost) == ([PAYLOAD], over, None)
        if over:
            after = read(wire)
            assert after.lost is not None
            assert (after.payloads, after.ended) == ([], False)
