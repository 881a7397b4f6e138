"""One market update and its way into WebSocket frames."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any, NamedTuple

import orjson
from websockets.frames import Frame, Opcode

ALL_BOOK_TICKERS = "!bookTicker"
"""The all-market stream, merged USDⓈ-M and COIN-M since 2026-06."""


class Update(NamedTuple):
    """One book ticker as it is pushed: `payload` is the JSON text that a raw stream carries, byte for byte."""

    symbol: str
    update_id: int
    payload: bytes


class Frames(NamedTuple):
    """Several whole frames in one piece of bytes, ready for the transport, and how many frames they are."""

    data: bytes
    frames: int


def update_from(book_ticker: Mapping[str, Any]) -> Update:
    """The update that pushes this book ticker, keys in the order given."""
    return Update(book_ticker["s"], book_ticker["u"], orjson.dumps(book_ticker))


def text_frame(payload: bytes) -> bytes:
    """A whole text frame as a server sends it, unmasked. The payload is not checked: a test may want invalid UTF-8."""
    return Frame(Opcode.TEXT, payload).serialize(mask=False)


def wrap(stream: str, payload: bytes) -> bytes:
    """The payload as a combined stream carries it: `{"stream":"!bookTicker","data":{...}}`."""
    return b'{"stream":%b,"data":%b}' % (orjson.dumps(stream), payload)


def encode(updates: Iterable[Update], streams: Collection[str], *, wrapped: bool) -> Frames:
    """The frames of these updates that a connection listening to `streams` gets, in order.

    A connection subscribed to the all-market stream and to a symbol of it gets the update twice, as from Binance.
    """
    frames = [
        text_frame(wrap(stream, update.payload) if wrapped else update.payload)
        for update in updates
        for stream in (ALL_BOOK_TICKERS, f"{update.symbol.lower()}@bookTicker")
        if stream in streams
    ]
    return Frames(b"".join(frames), len(frames))
