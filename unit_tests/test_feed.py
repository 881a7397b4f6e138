"""What one read of a connection gives to the machine."""

from __future__ import annotations

import select
import socket
import time

import pytest

from source_binance_futures.binance.clock import Clock
from source_binance_futures.binance.market_stream.feed import FeedConnection
from source_binance_futures.binance.market_stream.messages import Read
from source_binance_futures.binance.market_stream.subscriptions import Subscriptions
from source_binance_futures.binance.transport.connection import Connection, Received
from source_binance_futures.binance.transport.sockets import ByteStream

from .sockets import PATIENCE, plain_stream
from .virtual_time import EPOCH, VirtualTime

PAYLOAD = b'{"e":"bookTicker","u":7,"s":"BTCUSD_PERP","E":1790373637547,"b":"1","B":"2","a":"3","A":"4"}'
CLOSE_FRAME = b"\x88\x02\x03\xe8"
FRAME = b"\x81" + bytes([len(PAYLOAD)]) + PAYLOAD


def read(connection: FeedConnection) -> Read:
    assert connection.websocket.wait(PATIENCE)
    return connection.read(time.monotonic(), own_streams=True)


class Ending(Connection):
    """The exchange closes it while it is read: the close frame and the end arrive after the last byte was taken."""

    def __init__(self, stream: ByteStream, server: socket.socket, clock: Clock) -> None:
        super().__init__(stream, 1 << 20, clock)
        self._server = server

    def receive(self) -> Received:
        received = super().receive()
        self.clock.sleep(0.5)
        self._server.sendall(CLOSE_FRAME)
        self._server.shutdown(socket.SHUT_WR)
        assert self.wait(PATIENCE)
        return received


def test_rows_cover_nothing_after_the_read_in_which_they_came() -> None:
    """A close frame that waits behind it looks like any other byte, so the end is not seen yet."""
    time_of_test = VirtualTime()
    with plain_stream() as (stream, server):
        websocket = Ending(stream, server, time_of_test.clock())
        connection = FeedConnection(websocket, websocket.stream.fileno(), Subscriptions([], 0), "")
        server.sendall(FRAME)
        assert websocket.wait(PATIENCE)
        found = connection.read(time_of_test.now, own_streams=True)
        assert (found.payloads, found.ended) == ([PAYLOAD], False)
        assert found.received_at_us == round(EPOCH * 1e6), "the connection lived then"


@pytest.mark.parametrize("over", [False, True])
def test_a_read_knows_whether_the_connection_is_over_right_after_it(over: bool) -> None:
    with plain_stream() as (stream, server):
        websocket = Connection(stream, 1 << 20, Clock())
        connection = FeedConnection(websocket, websocket.stream.fileno(), Subscriptions([], 0), "")
        server.sendall(FRAME)
        if over:
            server.shutdown(socket.SHUT_WR)
            poller = select.poll()
            poller.register(stream.fileno(), select.POLLRDHUP)
            assert poller.poll(PATIENCE * 1000)
        found = read(connection)
        assert (found.payloads, found.ended, websocket.loss) == ([PAYLOAD], over, None)
        if over:
            after = read(connection)
            assert websocket.loss is not None
            assert (after.payloads, after.ended) == ([], False)
