"""What can happen to an open connection, and the same by name, as the command line lets it happen."""

from __future__ import annotations

import json
from typing import get_args

import pytest
from websockets.exceptions import ConnectionClosedError

from local_exchange import LocalExchange
from local_exchange.connection import FaultKind
from local_exchange.faults import NAMED_FAULTS, happen
from local_exchange.streams import text_frame

from .clients import ALL, WAIT, listening, listening_raw, read_to_the_end


def test_reset_and_end_of_stream(exchange: LocalExchange) -> None:
    with listening(exchange) as reset, listening(exchange) as finished:
        exchange.push("last")
        assert exchange.fault("rst").path == ALL
        exchange.fault("fin")
        frames, end = read_to_the_end(reset)
        assert (frames, end.rcvd) == (["last"], None)
        assert isinstance(end.__cause__, ConnectionResetError)
        frames, end = read_to_the_end(finished)
        assert (frames, end.rcvd) == (["last"], None)
        assert not isinstance(end.__cause__, ConnectionResetError)
        exchange.wait_for(lambda: not exchange.connections, WAIT)


def test_cut_in_a_frame(exchange: LocalExchange) -> None:
    with listening_raw(exchange) as client:
        exchange.fault("cut")
        received = client.recv(1000)
        assert received[:2] == b"\x81\x7e"
        assert len(received) < int.from_bytes(received[2:4], "big")
        with pytest.raises(ConnectionResetError):
            client.recv(1000)


def test_shutdown_is_announced_and_the_next_fault_meets_another_connection(exchange: LocalExchange) -> None:
    with listening(exchange) as raw, listening(exchange, "/stream?streams=!bookTicker") as wrapped:
        first = exchange.fault("shutdown", after=0.2)
        second = exchange.fault("shutdown", after=0.2)
        assert first is not second
        exchange.push("still")
        (announced, *rest), end = read_to_the_end(raw)
        assert (json.loads(announced)["e"], rest) == ("serverShutdown", ["still"])
        assert end.rcvd is not None
        assert end.rcvd.code == 1001
        (announced, *rest), _ = read_to_the_end(wrapped)
        assert json.loads(announced)["stream"] == "!serverShutdown"
        assert json.loads(announced)["data"].keys() == {"e", "E"}


def test_what_lagged_comes_before_what_does_not(exchange: LocalExchange) -> None:
    with listening(exchange) as client:
        (connection,) = exchange.connections
        exchange.lag(connection, 0.2)
        exchange.push("1")
        exchange.lag(connection, 0)
        exchange.push("2")
        assert [client.recv(WAIT) for _ in range(2)] == ["1", "2"]


def test_what_a_lagging_connection_holds_back_is_bounded() -> None:
    with LocalExchange(rate=0, unsent_limit=2**20) as exchange, listening(exchange):
        exchange.lag(exchange.connections[0], 60)
        for _ in range(3):
            exchange.push("x" * 2**19)
        exchange.wait_for(lambda: not exchange.connections, WAIT)
        with listening(exchange, max_size=None) as client:
            exchange.lag(exchange.connections[0], 0.01)
            for _ in range(5):
                exchange.push("x" * 2**19)
                assert client.recv(WAIT), "what has been sent no longer counts"


@pytest.mark.parametrize("kind", ["mute", "rst"])
def test_what_is_held_back_is_not_sent_after_another_fault(exchange: LocalExchange, kind: FaultKind) -> None:
    with listening(exchange) as client:
        (connection,) = exchange.connections
        connection.lag = 0.1

        async def push_and_inject() -> None:
            """Without a moment in between, however slow the machine is."""
            connection.push([text_frame(b"held back")])
            await connection.inject(kind)

        exchange._call(push_and_inject)
        with pytest.raises((TimeoutError, ConnectionClosedError)):
            client.recv(0.3)
    with listening(exchange) as client:
        exchange.push("next")
        assert client.recv(WAIT) == "next"


BTC, ETH = "btcusd_perp@bookTicker", "ethusd_perp@bookTicker"
TWO = f"/stream?streams=!bookTicker/{BTC}/{ETH}"


@pytest.mark.parametrize("name", sorted(NAMED_FAULTS.keys() - {"kill-stream"}))
def test_each_says_what_it_does_and_meets_the_oldest_connection(exchange: LocalExchange, name: str) -> None:
    with listening(exchange, ping_interval=None, close_timeout=0.1), listening(exchange):
        oldest, other = exchange.connections
        line = happen(exchange, name)
        meets = name in get_args(FaultKind) or name == "lag"
        assert line == f"{name}: {NAMED_FAULTS[name][0]}" + ("; it met /ws/!bookTicker" if meets else "")
        assert (oldest.faults, other.faults) == ([name] if meets else [], [])


def test_a_stream_dies(exchange: LocalExchange) -> None:
    with listening(exchange), listening(exchange, TWO):
        line = happen(exchange, "kill-stream")
        assert line.endswith("; it met /stream?streams=!bookTicker/btcusd_perp@bookTicker/ethusd...")
        happen(exchange, "kill-stream")
        assert [connection.dead_streams for connection in exchange.connections] == [set(), {BTC, ETH}]
        assert happen(exchange, "kill-stream") == "kill-stream: no connection listens to a contract's own stream"


def test_where_nobody_is_there_the_line_says_so(exchange: LocalExchange) -> None:
    assert happen(exchange, "rst") == "rst: no market connection is open"
