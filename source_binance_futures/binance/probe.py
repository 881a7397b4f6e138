"""Whether a market's streams can be reached and really send: a data frame is the only proof."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .clock import LOOK_EVERY, Deadline, Stop
from .endpoints import ALL_MARKET_STREAM, own_stream, stream_address
from .market_stream.contracts import Venue
from .market_stream.dialling import MAX_MESSAGE_BYTES
from .market_stream.messages import contracts_in
from .transport.connection import Connection, wait_for_any
from .transport.dialler import Dialler
from .transport.route import Route

CONNECT_WITHIN = 6.0  # seconds
NEXT_BASE_AFTER = 4.0  # seconds without data; then the next address of the list is tried beside the first


class Probe:
    """Listens at one venue until a book ticker of each of its contracts has come."""

    def __init__(self, venue: Venue, route: Route, stop: Stop) -> None:
        self.symbols = venue.symbols
        self._bases = venue.bases
        self._stop = stop
        self._streams = [own_stream(symbol) for symbol in venue.symbols] or [ALL_MARKET_STREAM]
        self._dialler: Dialler[None] = Dialler(route, stop.clock, MAX_MESSAGE_BYTES)
        self._open: list[Connection] = []
        self._failure: Exception | None = None

    def symbols_heard(self, deadline: Deadline) -> frozenset[str]:
        """The symbols of the first book tickers that come until `deadline`; it ends as early as it can.

        Raises a `ConnectFailed`, `RateLimited` or `ConnectionLost` where no address can be reached.
        """
        heard: set[str] = set()
        bases = list(self._bases)
        self._dial(bases.pop(0))
        next_base = deadline.clock.deadline(NEXT_BASE_AFTER)
        try:
            while not (deadline.expired or self._stop.requested):
                self._meet(0)
                heard.update(symbol for connection in list(self._open) for symbol in self._read(connection))
                if heard and heard.issuperset(self.symbols):
                    break
                if bases and not heard and (next_base.expired or self._failure is not None):
                    self._dial(bases.pop(0))
                if self._failure is not None and not (self._open or self._dialler.under_way):
                    raise self._failure
                self._wait(min(deadline.remaining(), LOOK_EVERY))
            return frozenset(heard)
        finally:
            self._dialler.close()
            for connection in self._open:
                connection.close()

    def _dial(self, base: str) -> None:
        self._failure = None
        self._dialler.dial(stream_address(base, self._streams)[0], CONNECT_WITHIN, None)

    def _meet(self, seconds: float) -> None:
        """Take the outcomes of attempts that have ended, waiting at most so many seconds for the first."""
        while (outcome := self._dialler.outcome(seconds)) is not None:
            if outcome.connection is not None:
                self._open.append(outcome.connection)
            else:
                self._failure = outcome.error
            seconds = 0

    def _read(self, connection: Connection) -> list[str]:
        found: Sequence[dict[str, Any]] = contracts_in(connection.receive().payloads)
        if connection.loss is not None:
            self._failure = connection.loss
            self._open.remove(connection)
            connection.close()
        return [str(book_ticker["s"]) for book_ticker in found]

    def _wait(self, seconds: float) -> None:
        """For data over any connection, or for a connection."""
        if self._open:
            wait_for_any(self._open, seconds)
        else:
            self._meet(seconds)
