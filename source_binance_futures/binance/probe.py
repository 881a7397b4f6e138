"""Whether the market stream can be reached and really sends: a data frame is the only proof."""

from __future__ import annotations

from collections.abc import Sequence

from .deadline import Deadline
from .endpoints import market_stream_address
from .market_stream.dialler import MAX_MESSAGE_BYTES
from .market_stream.messages import MalformedFrame, parse_book_ticker
from .stop import LOOK_EVERY, Stop
from .transport.connection import Connection
from .transport.route import Route

CONNECT_WITHIN, FIRST_UPDATE_WITHIN = 4.0, 10.0  # seconds
BOTH_WITHIN = 12.0  # seconds; with the start of the process a check ends within 15


def symbols_heard(base: str, symbols: Sequence[str], route: Route, stop: Stop) -> frozenset[str]:
    """The symbols of the first book tickers that come soon after connecting; it ends as early as it can.

    With `symbols` it waits for one update of each. Raises a `ConnectFailed`, `RateLimited` or `ConnectionLost`.
    """
    both = Deadline.after(BOTH_WITHIN)
    url = market_stream_address(base, symbols)
    connection = Connection.open(url, route, Deadline.after(CONNECT_WITHIN), MAX_MESSAGE_BYTES)
    deadline = both.or_after(FIRST_UPDATE_WITHIN)
    heard: set[str] = set()
    try:
        while not (deadline.expired or stop.requested):
            heard.update(_symbols_in(connection.receive().payloads))
            if heard and heard.issuperset(symbols):
                break
            if connection.loss is not None:
                raise connection.loss
            connection.wait(min(deadline.remaining(), LOOK_EVERY))
        return frozenset(heard)
    finally:
        connection.close()


def _symbols_in(payloads: Sequence[bytes]) -> set[str]:
    symbols = set()
    for payload in payloads:
        try:
            book_ticker = parse_book_ticker(payload)
        except MalformedFrame:
            continue
        if book_ticker is not None:
            symbols.add(book_ticker["s"])
    return symbols
