"""What Binance's frames say: pure functions from bytes to records, and a cheap scan of frames that are not parsed yet.

The keys of the market stream stand here only.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from orjson import JSONDecodeError, JSONEncodeError, dumps, loads

from ..endpoints import Market, market_of

WIRE_KEYS = ("e", "u", "s", "ps", "b", "B", "a", "A", "T", "E", "st")
COIN_M_SYMBOL_TYPE = 2
SHUTDOWN_NOTICE = re.compile(rb'"e":\s*"serverShutdown"')
MOST_LOOKED_AT = 128  # frames of one read whose event times are looked at
SAMPLE_MARK = b'"!bookTicker"'
EVENT_TIME = re.compile(rb'"E":\s*(\d{1,16})')
MAX_UPDATE_ID = 2**63 - 1  # what an integer column of a warehouse holds
MAX_SYMBOL_LENGTH = 100  # characters; the longest symbol seen has 22
MAY_BE_DEEP = 500  # bytes; orjson writes 254 lists inside each other, which take two bytes each, and reads 1,024

_ALL_MISSING: Mapping[str, None] = dict.fromkeys(WIRE_KEYS)


class NoBookTicker(ValueError):
    """A frame that holds no usable book ticker; one of the two below."""


class OtherFrame(NoBookTicker):
    """A sound frame that is something else: a control reply, another event, an error object."""


class MalformedFrame(NoBookTicker):
    """A frame that is not JSON, or a book ticker without what it must have; `str()` says which."""


def parse_frame(payload: bytes) -> tuple[dict[str, Any], str | None]:
    """The book ticker in a frame of the market stream, with the keys of the wire, and the stream that brought it.

    The stream is None for a frame without wrapper. Raises `OtherFrame` or `MalformedFrame`. The `s` (string) and `u`
    (positive int64) are usable; every other key may be missing, unknown ones may be there. [binance-facts 2.1, 2.5]

    A payload, wrapped as `/stream` sends it, and raw as `/ws` does:

        {"stream":"btcusd_perp@bookTicker","data":{"e":"bookTicker","u":11660059839759,"s":"BTCUSD_PERP","ps":"BTCUSD",
         "b":"83732.4","B":"680","a":"83732.5","A":"2458","T":1790373637547,"E":1790373637547,"st":2}}
        {"e":"bookTicker","u":11660059839759,"s":"BTCUSD_PERP",...}

    `b`, `a` are prices in quote currency, `B`, `A` quantities in contracts (USDⓈ-M: in the base asset), all decimal
    strings; `T` is the transaction time and `E` the event time, in ms since 1970 UTC.
    """
    stream = None
    try:
        frame = loads(payload)
        if "stream" in frame:
            stream, frame = frame["stream"], frame["data"]
        symbol, update_id = frame["s"], frame["u"]
        is_usual = type(symbol) is str and type(update_id) is int and 0 < update_id <= MAX_UPDATE_ID
        is_usual = is_usual and frame["e"] == "bookTicker" and 0 < len(symbol) <= MAX_SYMBOL_LENGTH
    except JSONDecodeError as error:
        raise MalformedFrame("not JSON in UTF-8") from error
    except (KeyError, TypeError):
        is_usual = False
    if not is_usual:
        _judge_rare_frame(frame)
    if len(payload) > MAY_BE_DEEP:
        try:
            dumps([frame.get(key) for key in WIRE_KEYS])
        except JSONEncodeError as error:
            raise MalformedFrame("a book ticker with a value that is nested too deeply") from error
    return frame, stream


def _judge_rare_frame(frame: Any) -> None:
    """Raises what `parse_frame` does; a book ticker that does not say so is one all the same."""
    if not isinstance(frame, dict) or "stream" in frame:
        raise MalformedFrame("not an object, or a wrapped one without data")
    symbol, update_id, event = frame.get("s"), frame.get("u"), frame.get("e")
    if event != "bookTicker" and (event is not None or symbol is None or update_id is None):
        raise OtherFrame("no book ticker")
    has_symbol = type(symbol) is str and 0 < len(symbol) <= MAX_SYMBOL_LENGTH
    if not has_symbol or type(update_id) is not int or not 0 < update_id <= MAX_UPDATE_ID:
        raise MalformedFrame("a book ticker without a usable symbol (s) or update id (u)")


def market_of_book_ticker(book_ticker: Mapping[str, Any]) -> Market:
    """The market of a parsed book ticker: by `st`, or where that is no number by the symbol's shape.

    The all-market stream of either host carries both markets since 2026-06 [binance-facts 2.2].
    """
    symbol_type = book_ticker.get("st")
    if type(symbol_type) is int:
        return Market.COIN_M if symbol_type == COIN_M_SYMBOL_TYPE else Market.USDS_M
    return market_of(book_ticker["s"])


def book_ticker_record(
    book_ticker: Mapping[str, Any], received_at_us: int | None, covered_since_us: int | None
) -> dict[str, Any]:
    """The record of a parsed book ticker: strings and integers exactly as sent, a missing key is null.

    Every key but `u`, which users quote, gets a word: `b`/`B`, `a`/`A` and `e`/`E` are one column in a warehouse.
    Of our own are `received_at_us`, when the frame was read from the socket, and `covered_since_us`, since when every
    update of the contract was received; both in microseconds since 1970 UTC.
    """
    try:
        return {
            "event_type": book_ticker["e"],
            "u": book_ticker["u"],
            "symbol": book_ticker["s"],
            "pair": book_ticker["ps"],
            "best_bid_price": book_ticker["b"],
            "best_bid_qty": book_ticker["B"],
            "best_ask_price": book_ticker["a"],
            "best_ask_qty": book_ticker["A"],
            "transaction_time": book_ticker["T"],
            "event_time": book_ticker["E"],
            "symbol_type": book_ticker["st"],
            "received_at_us": received_at_us,
            "covered_since_us": covered_since_us,
        }
    except KeyError:
        return book_ticker_record({**_ALL_MISSING, **book_ticker}, received_at_us, covered_since_us)


def may_be_book_ticker(payload: bytes) -> bool:
    """A cheap look at an unparsed frame: only data proves that a stream is alive, an acknowledgement does not."""
    return b'"u"' in payload and b'"s"' in payload


# --- the scan: what the failover must know before anything is parsed ---


class Read(NamedTuple):
    """What one read of a connection gave; event times are epoch seconds."""

    payloads: list[bytes]  # the messages for the consumer
    characters: int = 0  # of them in all
    received_at_us: int = 0
    has_data: bool = False  # a book ticker is among them; an acknowledgement proves nothing
    has_update: bool = False  # one that the feed accounts for
    earliest: float | None = None  # the event times of those
    newest: float | None = None
    samples: Sequence[bytes] = ()  # frames of the all-market stream beside own streams
    heard: bool = True  # any frame, control frames included
    drained: bool = True  # nothing more waits to be read
    retiring: bool = False  # the server announced its end
    ended: bool = False  # the connection was found to be over right after


def scan(payloads: list[bytes], *, own_streams: bool) -> Read:
    """Scan the frames of one read, all in one piece where that is enough: it costs less than one by one.

    With `own_streams` contracts are followed by their own streams, and samples of the all-market stream prove nothing
    of those. Without, a sample is an update; its event time may be that of a change long past, so it says nothing. The
    notice by which a server announces its end is taken out [binance-facts 2.5].

    {"stream":"!serverShutdown","data":{"e":"serverShutdown","E":1770123456789}}
    """
    joined = b"".join(payloads)
    received = len(payloads)
    if b"serverShutdown" in joined:
        payloads = [payload for payload in payloads if not SHUTDOWN_NOTICE.search(payload)]
    own: list[bytes] = payloads
    samples: list[bytes] = []
    if own_streams and SAMPLE_MARK in joined:
        samples = [payload for payload in payloads if SAMPLE_MARK in payload]
        own = [payload for payload in payloads if SAMPLE_MARK not in payload]
    has_update = any(map(may_be_book_ticker, own))
    earliest, newest = _event_times(own) if has_update and own_streams else (None, None)
    return Read(
        payloads,
        len(joined),
        has_data=has_update or bool(samples),
        has_update=has_update,
        earliest=earliest,
        newest=newest,
        samples=samples,
        retiring=len(payloads) < received,
    )


def _event_times(payloads: list[bytes]) -> tuple[float | None, float | None]:
    """The earliest and the newest event time of updates, in epoch seconds; of many a part is looked at.

    Binance writes all of them alike, so the time stands at the same distance from the end, and the least and the
    greatest of what stands there show whether it does in all.
    """
    step = len(payloads) // MOST_LOOKED_AT + 1
    some = [*payloads[len(payloads[-1]) % step :: step], payloads[0], payloads[-1]]
    distance = len(payloads[0]) - payloads[0].rfind(b'"E":')
    ends = [payload[-distance:] for payload in some]
    first, last = (EVENT_TIME.match(end) for end in (min(ends), max(ends)))
    if first and last and first.end() == last.end():
        return int(first.group(1)) / 1000, int(last.group(1)) / 1000
    found = [EVENT_TIME.search(payload) for payload in some if may_be_book_ticker(payload)]
    times = [int(match.group(1)) / 1000 for match in found if match]
    return min(times, default=None), max(times, default=None)
