"""Faults by name, for the command line: each happens to whoever is connected when its time comes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import cycle
from types import MappingProxyType
from typing import NamedTuple

from .connection import ExchangeConnection
from .local_exchange import LocalExchange
from .updates import ALL_BOOK_TICKERS

_LAG = 10.0
_LATE = 10.0
_MASKED_FRAME = b"\x81\x81\x00\x00\x00\x00x"
"""A server must not mask: RFC 6455, 5.1."""


class NamedFault(NamedTuple):
    """`says` completes the name to a sentence; `happen` returns the connection it met, None where it waits for one.

    `happen` raises LookupError where nobody is there for it.
    """

    says: str
    happen: Callable[[LocalExchange], ExchangeConnection | None]


def _lag(exchange: LocalExchange) -> ExchangeConnection:
    connection = exchange.oldest_connection()
    exchange.lag(connection, _LAG)
    return connection


def _kill_stream(exchange: LocalExchange) -> ExchangeConnection:
    """The first stream of the first connection that has one of a contract's own."""
    for connection in exchange.connections:
        for stream in sorted(connection.delivered - {ALL_BOOK_TICKERS}):
            return exchange.kill_stream(stream.partition("@")[0], connection)
    raise LookupError("no connection listens to a contract's own stream")


NAMED_FAULTS: Mapping[str, NamedFault] = MappingProxyType(
    {
        "rst": NamedFault("a TCP reset", lambda exchange: exchange.fault("rst")),
        "fin": NamedFault("the end of the stream without a close frame", lambda exchange: exchange.fault("fin")),
        "close": NamedFault("a close frame with code 1001", lambda exchange: exchange.fault("close")),
        "cut": NamedFault("half a frame, then a reset", lambda exchange: exchange.fault("cut")),
        "silence": NamedFault("open, but nothing is sent or answered", lambda exchange: exchange.fault("silence")),
        "mute": NamedFault("no data any more, pings go on", lambda exchange: exchange.fault("mute")),
        "shutdown": NamedFault("serverShutdown, closed 3 s later", lambda exchange: exchange.fault("shutdown")),
        "raw": NamedFault(
            "a masked frame, which no server may send", lambda exchange: exchange.fault("raw", data=_MASKED_FRAME)
        ),
        "lag": NamedFault(f"all data {_LAG:.0f} s late from now on", _lag),
        "kill-stream": NamedFault("one contract's own stream dies, all else goes on", _kill_stream),
        "refuse": NamedFault("the next handshake is answered 503", lambda exchange: exchange.refuse(503)),
        "close-at-once": NamedFault(
            "the next connection is accepted and closed", lambda exchange: exchange.close_at_once()
        ),
        "ignore-subscriptions": NamedFault(
            "the next SUBSCRIBE is not answered", lambda exchange: exchange.ignore_subscriptions()
        ),
        "refuse-subscriptions": NamedFault(
            "the next SUBSCRIBE is answered with an error", lambda exchange: exchange.refuse_subscriptions()
        ),
        "late-subscriptions": NamedFault(
            f"data of new streams begins {_LATE:.0f} s late from now on",
            lambda exchange: exchange.late_subscriptions(_LATE),
        ),
    }
)


class FaultPlan:
    """The named faults in turn, one every so many seconds. `due` is asked again and again with the monotonic time."""

    def __init__(self, names: list[str], every: float, began: float) -> None:
        self._names: Iterator[str] = cycle(names)
        self._every = every
        self._next = began + every

    def due(self, now: float, exchange: LocalExchange) -> str | None:
        """Let the next fault happen if it is due, and say so in a line; None if it is not.

        Where nobody is there for it, its turn is over and the line says that.
        """
        if now < self._next:
            return None
        self._next = now + self._every
        name = next(self._names)
        says, happen = NAMED_FAULTS[name]
        try:
            connection = happen(exchange)
        except LookupError as error:
            return f"{name}: {error}"
        return f"{name}: {says}" + (f"; it met {_shortened(connection.path)}" if connection is not None else "")


def _shortened(path: str) -> str:
    return path if len(path) <= 60 else f"{path[:57]}..."
