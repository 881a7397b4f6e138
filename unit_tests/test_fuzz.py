"""Bytes from outside against each parser that meets them: sound ones, damaged in every way that a strategy finds.

`python -m unit_tests.test_fuzz --seconds 60 [TARGET ...]` runs the targets for as long as one likes; with the other
tests each runs for a moment. Nothing but the documented exceptions leaves a parser, in bounded time and memory. What
fails is shrunk, and shown with its seed.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from source_binance_futures.binance.clock import Clock
from source_binance_futures.binance.errors import BinanceError, ConnectFailed, RateLimited, UnreadableAnswer, refusal
from source_binance_futures.binance.market_stream.messages import (
    NoBookTicker,
    book_ticker_record,
    market_of_book_ticker,
    parse_frame,
    scan,
)
from source_binance_futures.binance.market_stream.subscriptions import control_answer
from source_binance_futures.binance.transport.connection import Connection
from source_binance_futures.binance.transport.handshake import MAX_HEAD_BYTES
from source_binance_futures.binance.transport.proxy import Proxy, pass_through
from source_binance_futures.binance.websocket_api.prices import fault_of_row, parse_answer, price_record

from .sockets import PATIENCE, AnsweringServer, ScriptedStream, frame, route_to
from .test_messages import BOOK_TICKER
from .test_prices import NOW, ROW, WEIGHT

Pieces = list[bytes]  # of one stream, as they arrive

EXAMPLES = 500  # of one seed, by hand
MAX_MESSAGE_BYTES = 5000
LONGEST_SENTENCE = 2000  # characters
CPU_SECONDS = 2.0  # for one input of some kilobytes
MEMORY_BYTES, MEMORY_PER_BYTE = 2**20, 200
ACCEPT = b"{accept}"  # stands for the `Sec-WebSocket-Accept` that belongs to a request
PASSWORD = "geheim"
BAN = "Way too much request weight used; IP banned until 1659146400000. Please use WebSocket Streams."
PRICE_ANSWERS: list[dict[str, Any]] = [
    {"id": "a", "status": 200, "result": [ROW, ROW], "rateLimits": [WEIGHT]},
    {"id": "a", "status": 200, "result": ROW},
    {"id": "a", "status": 400, "error": {"code": -1121, "msg": "Invalid symbol."}},
    {"id": None, "status": 401, "error": {"code": -2015, "msg": "Invalid API-key."}},
    {"id": "a", "status": 418, "error": {"code": -1003, "msg": BAN, "data": {"retryAfter": 1659146400000}}},
    {"239999": "The system is under maintenance, please try again later."},
]
MARKET_MESSAGES: list[dict[str, Any]] = [
    BOOK_TICKER,
    {"stream": "btcusd_perp@bookTicker", "data": BOOK_TICKER},
    {"stream": "!serverShutdown", "data": {"e": "serverShutdown", "E": 1770123456789}},
    {"result": None, "id": 1},
    {"error": {"code": 4, "msg": "Too many subscriptions"}},
]


def damaged(sound: SearchStrategy[bytes]) -> SearchStrategy[Pieces]:
    """Something sound with some bytes taken out and others put in, in pieces."""

    def damage(data: bytes, wounds: list[tuple[int, int, bytes]], places: list[int]) -> Pieces:
        for place, taken, put in wounds:
            start = place % (len(data) + 1)
            data = data[:start] + put + data[start + taken :]
        ends = sorted(place % (len(data) + 1) for place in places)
        return [data[start:end] for start, end in zip([0, *ends], [*ends, len(data)], strict=True) if end > start]

    wounds = st.tuples(st.integers(0, 2**16), st.sampled_from([0, 0, 1, 2, 50]), st.binary(max_size=8))
    return st.builds(
        damage, sound, st.lists(wounds, max_size=3), st.lists(st.integers(0, 2**16), max_size=4)
    ) | st.binary(max_size=300).map(lambda data: [data])


odd_texts = st.one_of(
    st.text(max_size=20),
    st.from_regex(r"[0-9]{0,40}", fullmatch=True),
    st.sampled_from(["websocket", "Upgrade", "5", "-1"]),
    st.from_regex(r"(Mon, )?\d{1,3} (Jan|13) \d{1,30} \d\d:\d\d:\d\d (GMT|[+-]\d{1,25})", fullmatch=True),
    st.integers(0, 40).map(lambda size: "x" * (size or 70_000)),  # rarely more than a head may have
).map(lambda text: text.encode("utf-8", "surrogatepass"))

status_lines = st.builds(
    b"%b %d%b%b".__mod__,
    st.tuples(
        st.sampled_from([b"HTTP/1.1", b"HTTP/1.0", b"HTTP/2", b""]),
        st.one_of(st.sampled_from([101, 200, 301, 404, 407, 418, 429, 451, 503]), st.integers(-5, 10**6)),
        st.sampled_from([b" ", b""]),
        odd_texts,
    ),
)
header_names = st.sampled_from(
    [b"Upgrade", b"Connection", b"Sec-WebSocket-Accept", b"Retry-After", b"Content-Length", b"Set-Cookie", b"Location"]
)
heads = st.builds(
    lambda line, headers, end, eol: eol.join([line, *(name + b":" + value for name, value in headers), b""]) + end,
    st.just(b"HTTP/1.1 101 Switching Protocols") | status_lines,
    st.one_of(
        st.just([(b"Upgrade", b"websocket"), (b"Connection", b"Upgrade"), (b"Sec-WebSocket-Accept", ACCEPT)]),
        st.lists(st.tuples(header_names | odd_texts, odd_texts | st.just(ACCEPT)), max_size=6),
    ),
    st.sampled_from([b"\r\n", b"\n", b"", b"\r\nbehind it"]),
    st.sampled_from([b"\r\n", b"\r\n", b"\n"]),
)
socks_answers = st.builds(
    bytes.__add__,
    st.sampled_from([b"\x05\x00", b"\x05\x02\x01\x00", b"\x05\x02\x01\x01", b"\x05\xff"]),
    st.sampled_from(
        [b"\x05\x00\x00\x01\x7f\x00\x00\x01\x01\xbb", b"\x05\x00\x00\x03\x02\xff\xfe\x01\xbb", b"\x05\x05\x00"]
    ),
)
# A control frame may be too long or in fragments.
frames = st.builds(
    lambda opcode, payload, final: frame(opcode, payload, final=final),
    st.sampled_from([0, 1, 1, 2, 8, 9, 10]),
    st.one_of(
        st.binary(max_size=130),
        st.integers(0, 6000).map(lambda size: b"x" * size),
        st.builds(lambda code, reason: code.to_bytes(2, "big") + reason, st.integers(0, 65535), st.binary(max_size=20)),
    ),
    st.sampled_from([True, True, False]),
)
values: SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.integers(-(10**40), 10**40) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)
DEEP = [b"[" * 100_000, b'{"a":' * 50_000, b"[" * 2000 + b"]" * 2000]


def documents(samples: Sequence[dict[str, Any]]) -> SearchStrategy[Pieces]:
    """One of the samples with some of its values exchanged, taken out or added, at any depth, as one payload."""

    def exchange(sample: dict[str, Any], changes: list[tuple[str, Any, bool]]) -> bytes:
        document = json.loads(json.dumps(sample))
        for key, value, remove in changes:
            for place in [document, *(inner for inner in document.values() if isinstance(inner, dict))]:
                if key in place or place is document:
                    place.pop(key, None)
                    if not remove:
                        place[key] = value
        return json.dumps(document, ensure_ascii=False).encode("utf-8", "surrogatepass")

    def keys_of(value: Any) -> set[str]:
        inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
        return set(value if isinstance(value, dict) else ()).union(*map(keys_of, inner))

    keys = st.sampled_from(sorted(keys_of(list(samples))))
    changes = st.lists(st.tuples(keys, values | st.just("x" * 5000), st.booleans()), max_size=3)
    sound = st.builds(exchange, st.sampled_from(samples), changes)
    other = (values.map(lambda value: json.dumps(value).encode()) | st.sampled_from(DEEP)).map(lambda data: [data])
    return st.one_of(damaged(sound), damaged(sound), other).map(lambda pieces: [b"".join(pieces)])


def said(error: Exception) -> None:
    """What is said is neither nothing nor the whole answer, and shows no password."""
    assert 0 < len(str(error)) < LONGEST_SENTENCE
    assert PASSWORD not in str(error)


def check_handshake(pieces: Pieces) -> None:
    server = AnsweringServer(lambda accept: [piece.replace(ACCEPT, accept.encode()) for piece in pieces])
    url = "wss://dstream.binance.com/ws/!bookTicker"
    try:
        Connection.open(url, route_to(server), Clock().deadline(PATIENCE), MAX_MESSAGE_BYTES)
    except BinanceError as error:
        said(error)
        assert server.is_closed
    else:
        assert b"".join(pieces).startswith((b"HTTP/1.1 101", b"HTTP/1.0 101"))
    assert server.received <= MAX_HEAD_BYTES


def check_retry_after(pieces: Pieces) -> None:
    limited = refusal("host", 429, {"retry-after": b"".join(pieces).decode("latin-1")}, NOW)
    assert isinstance(limited, RateLimited)
    assert NOW <= limited.retry_at <= NOW + 7 * 86400
    said(limited)


def check_proxy(scheme: str) -> Callable[[Pieces], None]:
    def check(pieces: Pieces) -> None:
        stream = ScriptedStream(pieces)
        proxy = Proxy.parse(f"{scheme}://user:{PASSWORD}@proxy", "`proxy_url`")
        try:
            pass_through(stream, proxy, "host", 443, Clock().deadline(PATIENCE))
        except ConnectFailed as error:
            said(error)
        assert stream.received <= MAX_HEAD_BYTES

    return check


def check_frames(pieces: Pieces) -> None:
    connection = Connection(ScriptedStream(pieces), MAX_MESSAGE_BYTES, Clock())
    size = 0
    while connection.loss is None:
        payloads = connection.receive().payloads
        assert all(len(payload) <= MAX_MESSAGE_BYTES for payload in payloads)
        size += sum(map(len, payloads))
    assert size <= sum(map(len, pieces))
    said(connection.loss)


def check_prices(pieces: Pieces) -> None:
    for symbol in (None, "BTCUSDT"):
        try:
            answer = parse_answer(pieces[0], "a", symbol, "ws-fapi.binance.com", 0.0)
        except UnreadableAnswer as error:
            said(error)
            continue
        if answer is None:
            continue
        if answer.error is not None:
            said(answer.error)
            assert answer.rows == ()
        for row in (row for row in answer.rows if fault_of_row(row) is None):
            record = price_record(row)
            assert record["symbol"]
            assert record["price"]


def check_market(pieces: Pieces) -> None:
    (payload,) = pieces
    control_answer(payload)
    scan([payload], own_streams=True)
    try:
        book_ticker, _ = parse_frame(payload)
    except NoBookTicker as error:
        said(error)
        return
    market_of_book_ticker(book_ticker)
    record = book_ticker_record(book_ticker, 1, None)
    assert isinstance(record["symbol"], str)
    assert isinstance(record["u"], int)


class Target(NamedTuple):
    inputs: SearchStrategy[Pieces]
    check: Callable[[Pieces], None]


TARGETS = {
    "handshake": Target(damaged(heads), check_handshake),
    "retry-after": Target(damaged(odd_texts), check_retry_after),
    "connect": Target(damaged(heads), check_proxy("http")),
    "socks": Target(damaged(socks_answers), check_proxy("socks5h")),
    "frames": Target(damaged(st.lists(frames, max_size=10).map(b"".join)), check_frames),
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


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m unit_tests.test_fuzz", description="Fuzz each parser of outside bytes."
    )
    parser.add_argument("--seconds", type=float, default=60.0, help="for all targets together")
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=", ".join(TARGETS))
    options = parser.parse_args()
    names = options.targets or list(TARGETS)
    unknown = sorted(set(names) - set(TARGETS))
    if unknown:
        parser.error(f"no such target: {', '.join(unknown)}")
    for name in names:
        deadline = Clock().deadline(options.seconds / len(names))
        inputs = 0
        while not deadline.expired:
            inputs += run(TARGETS[name], examples=EXAMPLES, number=random.randrange(2**32))
        print(f"{name}: {inputs} inputs, and nothing came out that is not documented", flush=True)


@pytest.mark.parametrize("name", TARGETS)
def test_nothing_but_what_is_documented_leaves_a_parser(name: str) -> None:
    number = random.randrange(2**32)
    print(f"seed {number}")  # shown where it fails
    assert run(TARGETS[name], examples=100, number=number)


def test_what_takes_too_much_is_found() -> None:
    with pytest.raises(AssertionError):
        bounded(lambda pieces: pieces.extend([b""] * 10**6), [b"x"])


def test_by_hand() -> None:
    command = [sys.executable, "-m", "unit_tests.test_fuzz", "--seconds", "1", "frames", "market"]
    root = Path(__file__).parent.parent
    output = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=100, check=True).stdout
    assert [line.partition(":")[0] for line in output.splitlines()] == ["frames", "market"]
    refused = subprocess.run([*command, "nothing"], cwd=root, capture_output=True, text=True, timeout=100, check=False)
    assert refused.returncode == 2
    assert "no such target: nothing" in refused.stderr


if __name__ == "__main__":
    main()
