"""Whether a market's streams can be reached and really send: a data frame is the only proof."""

from __future__ import annotations

import contextlib

from .clock import LOOK_EVERY, Deadline, Stop
from .endpoints import ALL_MARKET_STREAM, own_stream, stream_address
from .market_stream.contracts import MOST_CONTRACTS, Venue
from .market_stream.dialling import MAX_MESSAGE_BYTES
from .market_stream.messages import NoBookTicker, parse_frame
from .transport.connection import Connection, wait_for_any
from .transport.dialler import Dialler
from .transport.route import Route

CONNECT_WITHIN = 6.0  # seconds
NEXT_BASE_AFTER = 4.0  # seconds without data; then the next address of the list is tried beside the first


class Probe:
    """Listens at one venue until a book ticker of each named contract has come over its own stream.

    `heard` are the symbols that came so, `shown` those that the all-market stream shows meanwhile. `symbols` are what
    is waited for where the venue follows no contract.
    """

    def __init__(self, venue: Venue, route: Route, stop: Stop, symbols: tuple[str, ...] = ()) -> None:
        self.symbols = venue.symbols or symbols
        self.heard: set[str] = set()
        self._bases = venue.bases
        self._follows = bool(venue.symbols)
        self._stop = stop
        self.shown: set[str] = set()
        self._streams = [ALL_MARKET_STREAM, *map(own_stream, venue.symbols)]
        self._dialler: Dialler[None] = Dialler(route, stop.clock, MAX_MESSAGE_BYTES)
        self._open: list[Connection] = []
        self._failure: Exception | None = None

    def symbols_heard(self, deadline: Deadline) -> frozenset[str]:
        """The symbols of the first book tickers that come until `deadline`; it ends as early as it can.

        Raises a `ConnectFailed`, `RateLimited` or `ConnectionLost` where no address can be reached.
        """
        heard = self.heard
        bases = list(self._bases)
        self._dial(bases.pop(0))
        next_base = deadline.clock.deadline(NEXT_BASE_AFTER)
        try:
            while not (deadline.expired or self._stop.requested):
                self._meet(0)
                for connection in list(self._open):
                    self._read(connection)
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

    def _read(self, connection: Connection) -> None:
        for payload in connection.receive().payloads:
            with contextlib.suppress(NoBookTicker):
                book_ticker, stream = parse_frame(payload)
                is_sample = stream == ALL_MARKET_STREAM
                if is_sample and len(self.shown) < MOST_CONTRACTS:
                    self.shown.add(book_ticker["s"])
                if not (is_sample and self._follows):
                    self.heard.add(book_ticker["s"])
        if connection.loss is not None:
            self._failure = connection.loss
            self._open.remove(connection)
            connection.close()

    def _wait(self, seconds: float) -> None:
        """For data over any connection, or for a connection."""
        if self._open:
            wait_for_any(self._open, seconds)
        else:
            self._meet(seconds)
