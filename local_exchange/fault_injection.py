"""What a test can let go wrong while the exchange runs: at the door, on a connection, with subscriptions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from .connection import ExchangeConnection
from .faults import Fault, FaultKind, inject
from .handshakes import ClosedAtOnce, Door, EndlessHeaders, Endpoint, HandshakeFault, Refusal, SlowHandshake
from .loop_thread import LoopThread
from .market_stream import MarketStream
from .updates import own_stream, update_from


class FaultInjection:
    """The part of `LocalExchange` that makes trouble. Where a method takes `times`, None means always."""

    def __init__(self, thread: LoopThread, door: Door, market: MarketStream) -> None:
        self._thread = thread
        self._door = door
        self._market = market

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
        self._at_the_door(Refusal(status, headers or {}, body), times, endpoint)

    def slow_handshake(self, seconds: float, times: int | None = 1, endpoint: Endpoint | None = None) -> None:
        """Answer the next handshakes only after `seconds`."""
        self._at_the_door(SlowHandshake(seconds), times, endpoint)

    def endless_handshake_headers(self, times: int | None = 1, endpoint: Endpoint | None = None) -> None:
        """Answer the next handshakes with header lines without end."""
        self._at_the_door(EndlessHeaders(), times, endpoint)

    def close_at_once(
        self, times: int | None = 1, *, code: int = 1001, reason: str = "", endpoint: Endpoint = "market"
    ) -> None:
        """Accept the next handshakes, and close the connections with `code` before anything else."""
        self._at_the_door(ClosedAtOnce(code, reason), times, endpoint)

    def accept_handshakes(self) -> None:
        """Forget what `refuse` and the others asked for."""
        self._thread.call(self._door.clear)

    # On a connection.

    def oldest_connection(self) -> ExchangeConnection:
        """The one that a fault meets by default: the oldest open one without a fault so far, or else the oldest.

        LookupError where no market connection is open.
        """
        opened = self._market.open_connections
        if not opened:
            raise LookupError("no market connection is open")
        return next((connection for connection in opened if not connection.faults), opened[0])

    def fault(
        self,
        kind: FaultKind,
        connection: ExchangeConnection | None = None,
        *,
        code: int = 1001,
        reason: str = "",
        data: bytes = b"",
        after: float = 3.0,
    ) -> ExchangeConnection:
        """Let something happen to a connection and return it: by default the oldest open one without a fault so far.

        "rst": TCP reset. "fin": end of stream without a close frame. "close": close frame with `code` and `reason`.
        "cut": half a frame, then a reset. "silence": nothing is sent or answered any more. "mute": no data any more,
        pings go on. "shutdown": announced by `serverShutdown`, closed `after` seconds. "raw": `data` is written as is.
        LookupError where no market connection is open.
        """
        chosen = connection or self.oldest_connection()
        fault = Fault(code=code, reason=reason, data=data, after=after)
        self._thread.run(inject(kind, chosen, fault))
        return chosen

    def lag(self, connection: ExchangeConnection, seconds: float) -> None:
        """Delay all data of a connection by `seconds` from now on; answers and pings come in time.

        With 0 it comes in time again, after what is still held back.
        """

        def begin() -> None:
            connection.faults.append("lag")
            connection.lag = seconds

        self._thread.call(begin)

    def late_contracts(self, connection: ExchangeConnection, seconds: float, symbols: Iterable[str]) -> None:
        """Delay the own streams of these contracts on a connection by `seconds` from now on; all else comes in time."""
        names = [own_stream(symbol) for symbol in symbols]

        def begin() -> None:
            connection.faults.append("late contracts")
            connection.late_streams.update(dict.fromkeys(names, seconds))
            self._market.subscriptions.changed()

        self._thread.call(begin)

    def kill_stream(self, symbol: str, connection: ExchangeConnection | None = None) -> ExchangeConnection:
        """Let a contract's own stream die on a connection, for good, while all else goes on; return the connection.

        By default on the oldest open connection where it lives. LookupError where none listens to it.
        """
        if connection is None:
            listening = self._market.listening_to(symbol)
            if not listening:
                raise LookupError(f"no open connection listens to {own_stream(symbol)}")
            connection = listening[0]
        chosen = connection
        self._thread.call(lambda: self._market.subscriptions.kill(chosen, own_stream(symbol)))
        return chosen

    def rest_stream(self, symbol: str, connection: ExchangeConnection, seconds: float) -> None:
        """Let a contract's own stream bring nothing on a connection for so long; what is pushed meanwhile is lost."""
        self._thread.call(lambda: self._market.subscriptions.rest(connection, own_stream(symbol), seconds))

    def show_what_never_comes(self, book_ticker: Mapping[str, Any]) -> None:
        """Push a sample of an id that the own stream of the contract never brings, and an update with the one after it.

        Both at once: a sample in between would go back to the id before.
        """

        def push() -> None:
            newest = max(
                (update_id for symbol, update_id in self._market.pushed if symbol == book_ticker["s"]), default=0
            )
            sample = {"stream": "!bookTicker", "data": {**book_ticker, "u": newest + 1}}
            self._market.push_texts([orjson.dumps(sample)])
            now = self._market.clock.now_us() // 1000
            self._market.push([update_from({**book_ticker, "u": newest + 2, "T": now, "E": now})])

        self._thread.call(push)

    # With subscriptions.

    def ignore_subscriptions(self, times: int | None = 1) -> None:
        """Neither acknowledge nor carry out the next SUBSCRIBE messages, on whatever connection."""
        self._thread.call(lambda: self._market.subscriptions.swallow(times))

    def refuse_subscriptions(self, times: int | None = 1, answer: Mapping[str, Any] | None = None) -> None:
        """Refuse the next SUBSCRIBE messages, by default with error 4, "Too many subscriptions", and their `id`.

        `answer` is sent as it is in its place.
        """
        self._thread.call(lambda: self._market.subscriptions.refuse(times, answer))

    def late_subscriptions(self, seconds: float) -> None:
        """Begin the data of each new stream only `seconds` after its handshake or acknowledgement, from now on."""
        self._thread.call(lambda: self._market.subscriptions.delay(seconds))

    def accept_subscriptions(self) -> None:
        """Forget what the last three asked for."""
        self._thread.call(self._market.subscriptions.accept)

    def _at_the_door(self, fault: HandshakeFault, times: int | None, endpoint: Endpoint | None) -> None:
        self._thread.call(lambda: self._door.add(fault, endpoint=endpoint, times=times))
