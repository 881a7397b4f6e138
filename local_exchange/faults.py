"""What can go wrong while the exchange runs: at the door, on a connection, with subscriptions; also by name."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from operator import methodcaller
from types import MappingProxyType
from typing import Any

import orjson

from source_binance_futures.binance.endpoints import ALL_MARKET_STREAM, own_stream

from . import server
from .connection import ExchangeConnection, FaultKind
from .server import Endpoint, Met, Server
from .streams import update_from
from .subscriptions import Rule, too_many


class FaultInjection(ABC):
    """The part of `LocalExchange` that makes trouble. Where a method takes `times`, None means always."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._market = server.market

    @abstractmethod
    def _call(self, action: Callable[[], object]) -> None:
        """Call `action` in the event loop of the exchange, where it is a coroutine function until its end."""

    # At the door.

    def refuse(
        self,
        status: int,
        headers: Mapping[str, str] | None = None,
        body: str = "",
        times: int | None = 1,
        endpoint: Endpoint | None = None,
    ) -> None:
        """Refuse the next handshakes with an HTTP status, at either endpoint or at the one named."""
        self._at_the_door(partial(server.refuse, status=status, headers=headers, body=body), times, endpoint)

    def slow_handshake(self, seconds: float, times: int | None = 1, endpoint: Endpoint | None = None) -> None:
        """Answer the next handshakes only after `seconds`."""
        self._at_the_door(partial(server.answer_late, seconds=seconds), times, endpoint)

    def endless_handshake_headers(self, times: int | None = 1, endpoint: Endpoint | None = None) -> None:
        """Answer the next handshakes with header lines without end."""
        self._at_the_door(server.send_endless_headers, times, endpoint)

    def close_at_once(
        self, times: int | None = 1, *, code: int = 1001, reason: str = "", endpoint: Endpoint = "market"
    ) -> None:
        """Accept the next handshakes, and close the connections with `code` before anything else."""
        self._at_the_door(partial(server.close_at_once, code=code, reason=reason), times, endpoint)

    # On a connection.

    @property
    def connections(self) -> list[ExchangeConnection]:
        """The open market connections, oldest first."""
        return self._market.open_connections

    def oldest_connection(self) -> ExchangeConnection:
        """The one that a fault meets by default: the oldest open one without a fault so far, or else the oldest.

        LookupError where no market connection is open.
        """
        if not (opened := self.connections):
            raise LookupError("no market connection is open")
        return next((connection for connection in opened if not connection.faults), opened[0])

    def fault(self, kind: FaultKind, connection: ExchangeConnection | None = None, **how: Any) -> ExchangeConnection:
        """Let something happen to a connection and return it: by default the oldest open one without a fault so far.

        "rst": TCP reset. "fin": end of stream without a close frame. "close": close frame with `code` and `reason`.
        "cut": half a frame, then a reset. "silence": nothing is sent or answered any more. "mute": no data any more,
        pings go on. "shutdown": announced by `serverShutdown`, closed `after` seconds. "raw": `data` is written as is.
        LookupError where no market connection is open.
        """
        chosen = connection or self.oldest_connection()
        self._call(partial(chosen.inject, kind, **how))
        return chosen

    def lag(self, connection: ExchangeConnection, seconds: float) -> ExchangeConnection:
        """Delay all data of a connection by `seconds` from now on; answers and pings come in time. Return it.

        With 0 it comes in time again, after what is still held back.
        """

        def begin() -> None:
            connection.faults.append("lag")
            connection.lag = seconds

        self._call(begin)
        return connection

    def late_contracts(self, connection: ExchangeConnection, seconds: float, symbols: Iterable[str]) -> None:
        """Delay the own streams of these contracts on a connection by `seconds` from now on; all else comes in time."""
        names = [own_stream(symbol) for symbol in symbols]

        def begin() -> None:
            connection.faults.append("late contracts")
            connection.late_streams.update(dict.fromkeys(names, seconds))
            self._market.subscriptions.changed()

        self._call(begin)

    def kill_stream(self, symbol: str, connection: ExchangeConnection) -> ExchangeConnection:
        """Let a contract's own stream die on a connection, for good, while all else goes on; return the connection."""
        self._call(lambda: self._market.subscriptions.kill(connection, own_stream(symbol)))
        return connection

    def show_what_never_comes(self, book_ticker: Mapping[str, Any]) -> None:
        """Push a sample of an id that the own stream of the contract never brings, and an update with the one after it.

        Both at once: a sample in between would go back to the id before.
        """

        def push() -> None:
            pushed = (update_id for symbol, update_id in self._market.pushed if symbol == book_ticker["s"])
            newest = max(pushed, default=0)
            sample = {"stream": "!bookTicker", "data": {**book_ticker, "u": newest + 1}}
            self._market.push_texts([orjson.dumps(sample)])
            now = self._market.clock.now_us() // 1000
            self._market.push([update_from({**book_ticker, "u": newest + 2, "T": now, "E": now})])

        self._call(push)

    # With subscriptions.

    def ignore_subscriptions(self, times: int | None = 1) -> None:
        """Neither acknowledge nor carry out the next SUBSCRIBE messages, on whatever connection."""
        self._call(lambda: self._market.subscriptions.rules.append(Rule(lambda _: None, times)))

    def refuse_subscriptions(self, times: int | None = 1) -> None:
        """Refuse the next SUBSCRIBE messages with error 4, "Too many subscriptions", and their `id`."""
        self._call(lambda: self._market.subscriptions.rules.append(Rule(too_many, times)))

    def late_subscriptions(self, seconds: float) -> None:
        """Begin the data of each new stream only `seconds` after its handshake or acknowledgement, from now on."""

        def begin() -> None:
            self._market.subscriptions.late = seconds

        self._call(begin)

    def accept_subscriptions(self) -> None:
        """Forget what the last three asked for."""
        self.late_subscriptions(0.0)
        self._call(self._market.subscriptions.rules.clear)

    def _at_the_door(self, met: Met, times: int | None, endpoint: Endpoint | None) -> None:
        self._call(lambda: self._server.rules.append(Rule(met, times, endpoint)))


# By name, for the command line: each happens to whoever is connected when its time comes.

_LATE = 10.0  # seconds
_MASKED_FRAME = b"\x81\x81\x00\x00\x00\x00x"
"""A server must not mask: RFC 6455, 5.1."""


def _kill_stream(exchange: FaultInjection) -> ExchangeConnection:
    """The first stream of the first connection that has one of a contract's own."""
    for connection in exchange.connections:
        for stream in sorted(connection.delivered - {ALL_MARKET_STREAM}):
            return exchange.kill_stream(stream.partition("@")[0], connection)
    raise LookupError("no connection listens to a contract's own stream")


NAMED_FAULTS: Mapping[str, tuple[str, Callable[[FaultInjection], ExchangeConnection | None]]] = MappingProxyType(
    {
        "rst": ("a TCP reset", methodcaller("fault", "rst")),
        "fin": ("the end of the stream without a close frame", methodcaller("fault", "fin")),
        "close": ("a close frame with code 1001", methodcaller("fault", "close")),
        "cut": ("half a frame, then a reset", methodcaller("fault", "cut")),
        "silence": ("open, but nothing is sent or answered", methodcaller("fault", "silence")),
        "mute": ("no data any more, pings go on", methodcaller("fault", "mute")),
        "shutdown": ("serverShutdown, closed 3 s later", methodcaller("fault", "shutdown")),
        "raw": ("a masked frame, which no server may send", methodcaller("fault", "raw", data=_MASKED_FRAME)),
        "lag": (
            f"all data {_LATE:.0f} s late from now on",
            lambda exchange: exchange.lag(exchange.oldest_connection(), _LATE),
        ),
        "kill-stream": ("one contract's own stream dies, all else goes on", _kill_stream),
        "refuse": ("the next handshake is answered 503", methodcaller("refuse", 503)),
        "close-at-once": ("the next connection is accepted and closed", methodcaller("close_at_once")),
        "ignore-subscriptions": ("the next SUBSCRIBE is not answered", methodcaller("ignore_subscriptions")),
        "refuse-subscriptions": ("the next SUBSCRIBE is answered with an error", methodcaller("refuse_subscriptions")),
        "late-subscriptions": (
            f"data of new streams begins {_LATE:.0f} s late from now on",
            methodcaller("late_subscriptions", _LATE),
        ),
    }
)
"""What completes each name to a sentence, and what lets it happen and returns the connection that it met, None where it
waits for one. That raises LookupError where nobody is there for it."""


def happen(exchange: FaultInjection, name: str) -> str:
    """Let a fault happen, and say so in a line; where nobody is there for it, the line says that."""
    says, act = NAMED_FAULTS[name]
    try:
        connection = act(exchange)
    except LookupError as error:
        return f"{name}: {error}"
    if connection is None:
        return f"{name}: {says}"
    path = connection.path
    return f"{name}: {says}; it met {path if len(path) <= 60 else f'{path[:57]}...'}"
