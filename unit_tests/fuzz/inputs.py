"""What comes in: sound answers, frames and messages, damaged in every way that a strategy finds."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

Pieces = list[bytes]  # of one stream, as they arrive
ACCEPT = b"{accept}"  # stands for the `Sec-WebSocket-Accept` that belongs to a request


def cut(data: bytes, places: Sequence[int]) -> Pieces:
    ends = sorted(place % (len(data) + 1) for place in places)
    return [data[start:end] for start, end in zip([0, *ends], [*ends, len(data)], strict=True) if end > start]


def damaged(sound: SearchStrategy[bytes]) -> SearchStrategy[Pieces]:
    """Something sound with some bytes taken out and others put in, in pieces."""

    def damage(data: bytes, wounds: list[tuple[int, int, bytes]], places: list[int]) -> Pieces:
        for place, taken, put in wounds:
            start = place % (len(data) + 1)
            data = data[:start] + put + data[start + taken :]
        return cut(data, places)

    wounds = st.tuples(st.integers(0, 2**16), st.sampled_from([0, 0, 1, 2, 50]), st.binary(max_size=8))
    return st.builds(
        damage, sound, st.lists(wounds, max_size=3), st.lists(st.integers(0, 2**16), max_size=4)
    ) | st.binary(max_size=300).map(lambda data: [data])


odd_texts = st.one_of(
    st.text(max_size=20),
    st.from_regex(r"[0-9]{0,40}", fullmatch=True),
    st.sampled_from(["websocket", "Upgrade", "5", "-1", "Mon, 01 Jan 2026 00:00:00 +99999999999999999999"]),
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


def frame(opcode: int, payload: bytes, final: bool) -> bytes:
    """As a server sends it, sound or not: a control frame may be too long or in fragments."""
    size = len(payload)
    length = bytes([size]) if size < 126 else b"\x7e" + size.to_bytes(2, "big")
    return bytes([opcode | (0x80 if final else 0)]) + length + payload


frames = st.builds(
    frame,
    st.sampled_from([0, 1, 1, 2, 8, 9, 10]),
    st.one_of(
        st.binary(max_size=130),
        st.integers(0, 6000).map(lambda size: b"x" * size),
        st.builds(lambda code, reason: code.to_bytes(2, "big") + reason, st.integers(0, 65535), st.binary(max_size=20)),
    ),
    st.sampled_from([True, True, False]),
)
streams = st.lists(frames, max_size=10).map(b"".join)

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

    keys = sorted({key for sample in samples for key in _keys(sample)})
    changes = st.lists(st.tuples(st.sampled_from(keys), values | st.just("x" * 5000), st.booleans()), max_size=3)
    sound = st.builds(exchange, st.sampled_from(samples), changes)
    other = (values.map(lambda value: json.dumps(value).encode()) | st.sampled_from(DEEP)).map(lambda data: [data])
    return st.one_of(damaged(sound), damaged(sound), other).map(lambda pieces: [b"".join(pieces)])


def _keys(value: Any) -> set[str]:
    if isinstance(value, list):
        return {key for item in value for key in _keys(item)}
    if isinstance(value, dict):
        return set(value) | {key for item in value.values() for key in _keys(item)}
    return set()


ROW = {"symbol": "BTCUSDT", "price": "6000.01", "time": 1589437530011}
LIMITS = [{"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 2400, "count": 2}]
BAN = "Way too much request weight used; IP banned until 1659146400000. Please use WebSocket Streams."
PRICE_ANSWERS: list[dict[str, Any]] = [
    {"id": "a", "status": 200, "result": [ROW, ROW], "rateLimits": LIMITS},
    {"id": "a", "status": 200, "result": ROW},
    {"id": "a", "status": 400, "error": {"code": -1121, "msg": "Invalid symbol."}},
    {"id": None, "status": 401, "error": {"code": -2015, "msg": "Invalid API-key."}},
    {"id": "a", "status": 418, "error": {"code": -1003, "msg": BAN, "data": {"retryAfter": 1659146400000}}},
    {"239999": "The system is under maintenance, please try again later."},
]
BOOK_TICKER = {
    "e": "bookTicker",
    "u": 11660059839759,
    "s": "BTCUSD_PERP",
    "ps": "BTCUSD",
    "b": "83732.4",
    "B": "680",
    "a": "83732.5",
    "A": "2458",
    "T": 1790373637547,
    "E": 1790373637547,
    "st": 2,
}
MARKET_MESSAGES: list[dict[str, Any]] = [
    BOOK_TICKER,
    {"stream": "btcusd_perp@bookTicker", "data": BOOK_TICKER},
    {"stream": "!serverShutdown", "data": {"e": "serverShutdown", "E": 1770123456789}},
    {"result": None, "id": 1},
    {"error": {"code": 4, "msg": "Too many subscriptions"}},
]
