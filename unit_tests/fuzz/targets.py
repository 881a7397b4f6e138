"""What is made of it: nothing but the documented exceptions leaves a parser, in bounded time and memory."""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable
from typing import NamedTuple, cast

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.strategies import SearchStrategy

from source_binance_futures.binance.clock import Clock
from source_binance_futures.binance.errors import BinanceError, ConnectFailed, UnreadableAnswer, refusal
from source_binance_futures.binance.market_stream.messages import (
    NoBookTicker,
    book_ticker_record,
    is_shutdown_notice,
    market_of_book_ticker,
    parse_frame,
    scan,
)
from source_binance_futures.binance.market_stream.subscriptions import control_answer
from source_binance_futures.binance.transport.connection import Connection
from source_binance_futures.binance.transport.handshake import MAX_HEAD_BYTES
from source_binance_futures.binance.transport.proxy import Proxy, Route, pass_through
from source_binance_futures.binance.websocket_api.prices import fault_of_row, parse_answer, price_record

from ..sockets import PATIENCE, ScriptedStream, accept_for
from .inputs import (
    ACCEPT,
    MARKET_MESSAGES,
    PRICE_ANSWERS,
    Pieces,
    damaged,
    documents,
    heads,
    odd_texts,
    socks_answers,
    streams,
)

MAX_MESSAGE_BYTES = 5000
LONGEST_SENTENCE = 2000  # characters
CPU_SECONDS = 2.0  # for one input of some kilobytes
MEMORY_BYTES, MEMORY_PER_BYTE = 2**20, 200
PASSWORD = "geheim"


class Target(NamedTuple):
    inputs: SearchStrategy[Pieces]
    check: Callable[[Pieces], None]


class AnsweringServer(ScriptedStream):
    """Puts what belongs there in the place of `ACCEPT`, once it has been asked."""

    def __init__(self, pieces: Pieces) -> None:
        super().__init__(piece.replace(ACCEPT, accept_for(self.sent).encode()) for piece in pieces)


class RouteTo:
    """A route that leads to a stream."""

    def __init__(self, stream: ScriptedStream) -> None:
        self._stream = stream

    def open(self, *_: object) -> ScriptedStream:
        return self._stream


def told(error: Exception) -> None:
    """What is said is neither nothing nor the whole answer, and shows no password."""
    assert 0 < len(str(error)) < LONGEST_SENTENCE
    assert PASSWORD not in str(error)


def check_handshake(pieces: Pieces) -> None:
    server = AnsweringServer(pieces)
    route = cast(Route, RouteTo(server))
    try:
        Connection.open(
            "wss://dstream.binance.com/ws/!bookTicker", route, Clock().deadline(PATIENCE), MAX_MESSAGE_BYTES
        )
    except BinanceError as error:
        told(error)
        assert server.is_closed
    else:
        assert b"".join(pieces).startswith((b"HTTP/1.1 101", b"HTTP/1.0 101"))
    assert server.received <= MAX_HEAD_BYTES


def check_retry_after(pieces: Pieces) -> None:
    told(refusal("host", 429, {"retry-after": b"".join(pieces).decode("latin-1")}, 0.0))


def check_connect(pieces: Pieces) -> None:
    _check_proxy(f"http://user:{PASSWORD}@proxy", pieces)


def check_socks(pieces: Pieces) -> None:
    _check_proxy(f"socks5h://user:{PASSWORD}@proxy", pieces)


def _check_proxy(url: str, pieces: Pieces) -> None:
    stream = ScriptedStream(pieces)
    try:
        pass_through(stream, Proxy.parse(url, "`proxy_url`"), "host", 443, Clock().deadline(PATIENCE))
    except ConnectFailed as error:
        told(error)
    assert stream.received <= MAX_HEAD_BYTES


def check_frames(pieces: Pieces) -> None:
    stream = ScriptedStream(pieces)
    connection = Connection(stream, MAX_MESSAGE_BYTES, Clock())
    size = 0
    while connection.loss is None:
        payloads = connection.receive().payloads
        assert all(len(payload) <= MAX_MESSAGE_BYTES for payload in payloads)
        size += sum(map(len, payloads))
    assert size <= sum(map(len, pieces))
    told(connection.loss)


def check_prices(pieces: Pieces) -> None:
    for symbol in (None, "BTCUSDT"):
        try:
            answer = parse_answer(pieces[0], "a", symbol, "ws-fapi.binance.com", 0.0)
        except UnreadableAnswer as error:
            told(error)
            continue
        if answer is None:
            continue
        if answer.error is not None:
            told(answer.error)
            assert answer.rows == ()
        for row in (row for row in answer.rows if fault_of_row(row) is None):
            record = price_record(row)
            assert record["symbol"]
            assert record["price"]


def check_market(pieces: Pieces) -> None:
    (payload,) = pieces
    is_shutdown_notice(payload)
    control_answer(payload)
    scan([payload], own_streams=True)
    try:
        book_ticker, _ = parse_frame(payload)
    except NoBookTicker as error:
        told(error)
        return
    market_of_book_ticker(book_ticker)
    record = book_ticker_record(book_ticker, 1, None)
    assert isinstance(record["symbol"], str)
    assert isinstance(record["u"], int)


TARGETS = {
    "handshake": Target(damaged(heads), check_handshake),
    "retry-after": Target(damaged(odd_texts), check_retry_after),
    "connect": Target(damaged(heads), check_connect),
    "socks": Target(damaged(socks_answers), check_socks),
    "frames": Target(damaged(streams), check_frames),
    "prices": Target(documents(PRICE_ANSWERS), check_prices),
    "market": Target(documents(MARKET_MESSAGES), check_market),
}


def run(target: Target, *, examples: int, number: int) -> int:
    """Runs so many inputs of one seed; the number of those that were made. What fails is shrunk and shown."""
    count = 0

    @seed(number)
    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=(Phase.generate, Phase.shrink),
    )
    @given(target.inputs)
    def each(pieces: Pieces) -> None:
        nonlocal count
        count += 1
        bounded(target.check, pieces)

    each()
    return count


def bounded(check: Callable[[Pieces], None], pieces: Pieces) -> None:
    """Runs a check, and holds it to its time and memory."""
    tracemalloc.start()
    began = time.thread_time()
    try:
        check(pieces)
        seconds, peak = time.thread_time() - began, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert seconds < CPU_SECONDS
    assert peak < MEMORY_BYTES + MEMORY_PER_BYTE * sum(map(len, pieces))
