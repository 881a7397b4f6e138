"""Frames of the market stream: what each says, and the cheap scan of unparsed ones."""

from __future__ import annotations

import functools
import json
from collections.abc import Sequence
from typing import Any

import pytest

from source_binance_futures.binance.endpoints import Market
from source_binance_futures.binance.market_stream import messages
from source_binance_futures.binance.market_stream.messages import (
    MalformedFrame,
    OtherFrame,
    Read,
    book_ticker_record,
    market_of_book_ticker,
    may_be_book_ticker,
    parse_frame,
    scan,
)

BOOK_TICKER = {
    "e": "bookTicker",
    "u": 11660059839759,
    "s": "BTCUSD_PERP",
    "ps": "BTCUSD",
    "b": "83732.4",
    "B": "680",
    "a": "83732.50",
    "A": "2458",
    "T": 1790373637547,
    "E": 1790373637548,
    "st": 2,
}
OF_OUR_OWN = {"received_at_us": 1790373637600123, "covered_since_us": 1790373600000000}
NAMES = (
    *("event_type", "u", "symbol", "pair", "best_bid_price", "best_bid_qty", "best_ask_price", "best_ask_qty"),
    *("transaction_time", "event_time", "symbol_type"),
)
RECORD = dict(zip(NAMES, BOOK_TICKER.values(), strict=True)) | OF_OUR_OWN
NOTICE = b'{"stream":"!serverShutdown","data":{"e":"serverShutdown","E":1770123456789}}'
ACKNOWLEDGEMENT = b'{"result":null,"id":1}'


def frame(content: Any) -> bytes:
    return json.dumps(content).encode()


def wrapped(content: Any) -> bytes:
    return frame({"stream": "btcusd_perp@bookTicker", "data": content})


def record_of(payload: bytes) -> dict[str, Any]:
    book_ticker, _ = parse_frame(payload)
    return book_ticker_record(book_ticker, *OF_OUR_OWN.values())


@pytest.mark.parametrize(
    "payload",
    [
        pytest.param(frame(BOOK_TICKER), id="raw"),
        pytest.param(wrapped(BOOK_TICKER), id="wrapped"),
        pytest.param(frame(dict(reversed(BOOK_TICKER.items()))), id="in another order"),
        pytest.param(frame({**BOOK_TICKER, "new": {"deep": [1]}}), id="with an unknown key"),
    ],
)
def test_a_payload_as_binance_sends_it(payload: bytes) -> None:
    assert record_of(payload) == RECORD
    assert may_be_book_ticker(payload)


@pytest.mark.parametrize("field", sorted(RECORD.keys() - {"u", "symbol", *OF_OUR_OWN}))
def test_a_missing_key_is_null(field: str) -> None:
    without = {key: value for key, value in BOOK_TICKER.items() if value != RECORD[field]}
    assert record_of(frame(without)) == {**RECORD, field: None}


@pytest.mark.parametrize("price", ["0", "", "1e-8", "0.00000000", "9" * 40, None, 83732.4])
def test_values_are_taken_as_sent(price: Any) -> None:
    assert record_of(frame({**BOOK_TICKER, "b": price}))["best_bid_price"] == price


@pytest.mark.parametrize(
    "payload",
    [
        {"result": None, "id": 1},
        {"id": 1, "result": None},
        {"error": {"code": 4, "msg": "Too many subscriptions"}},
        {"code": 2, "msg": "Invalid request: request ID must be an unsigned integer"},
        {"stream": "!serverShutdown", "data": {"e": "serverShutdown", "E": 1770123456789}},
        {**BOOK_TICKER, "e": "aggTrade"},
        {"e": "bookTickerX", "u": 1, "s": "BTCUSD_PERP"},
        {},
    ],
)
def test_sound_frames_of_another_kind(payload: dict[str, Any]) -> None:
    with pytest.raises(OtherFrame):
        parse_frame(frame(payload))


@pytest.mark.parametrize(
    "frame", [b'{"e":"bookTicker","u":5,"s":"BTCUSD_PERP","b":%b}', b'{"u":5,"s":"BTCUSD_PERP","b":%b}']
)
def test_what_is_nested_too_deeply_to_be_written_again_is_malformed(frame: bytes) -> None:
    depth = 253
    book_ticker, _ = parse_frame(frame % (b"[" * depth + b"]" * depth))
    assert json.dumps(book_ticker["b"]) == "[" * depth + "]" * depth
    depth += 1
    with pytest.raises(MalformedFrame, match="nested too deeply"):
        parse_frame(frame % (b"[" * depth + b"]" * depth))


@pytest.mark.parametrize(
    ("payload", "why"),
    [
        *[(payload, "JSON") for payload in (b"", b"{", b"\xff\xfe", b"[" * 100_000, b"NaN", frame(BOOK_TICKER)[:-1])],
        (frame(BOOK_TICKER).replace(b"BTCUSD_PERP", b"BTC\xffUSD"), "JSON"),
        *[(payload, "object") for payload in (b"null", b"17", frame([BOOK_TICKER]), frame("bookTicker"))],
        *[(payload, "data") for payload in (frame({"stream": "!bookTicker"}), wrapped(None), wrapped([BOOK_TICKER]))],
        *[(frame({**BOOK_TICKER, "s": symbol}), "symbol") for symbol in ("", None, 5, "X" * 101)],
        (frame({"e": "bookTicker", "u": 1}), "symbol"),
        (frame({"e": "bookTicker", "s": "X" * 101, "u": 1}), "symbol"),
        *[(frame({**BOOK_TICKER, "u": number}), "update id") for number in (0, -1, 1.0, True, "1", None, 2**63, 2**65)],
        (frame({"e": "bookTicker", "s": "BTCUSD_PERP"}), "update id"),
    ],
)
def test_malformed_frames_say_why(payload: bytes, why: str) -> None:
    with pytest.raises(MalformedFrame, match=why):
        parse_frame(payload)


@pytest.mark.parametrize("stream", ["btcusd_perp@bookTicker", "!bookTicker"])
def test_a_wrapped_frame_tells_the_stream_that_brought_it(stream: str) -> None:
    assert parse_frame(frame({"stream": stream, "data": BOOK_TICKER})) == (BOOK_TICKER, stream)
    assert parse_frame(frame({"data": BOOK_TICKER, "stream": stream})) == (BOOK_TICKER, stream)
    assert parse_frame(frame(BOOK_TICKER)) == (BOOK_TICKER, None)


@pytest.mark.parametrize("more", [{}, {"u": 1}, {"u": 2**53 + 1}, {"u": 2**63 - 1}, {"s": "X"}, {"s": "X" * 100}])
def test_a_usual_frame_is_understood_at_the_first_look(more: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """The second one, for everything rare, would come to the same; it costs as much again. Ids are exact."""
    monkeypatch.delattr(messages, "_judge_rare_frame")
    content = {**BOOK_TICKER, **more}
    assert parse_frame(frame(content)) == (content, None)
    assert parse_frame(wrapped(content)) == (content, "btcusd_perp@bookTicker")


@pytest.mark.parametrize(
    "content", [{"s": "X", "u": 1}, {"s": "X" * 100, "u": 2**63 - 1}, {"s": "X", "u": 1, "e": None}]
)
def test_what_says_not_of_which_kind_it_is_is_taken_for_a_book_ticker(content: dict[str, Any]) -> None:
    assert parse_frame(frame(content)) == (content, None)


@pytest.mark.parametrize(
    ("symbol", "symbol_type", "market"),
    [
        ("BTCUSDT", 1, Market.USDS_M),
        ("BTCUSD_PERP", 1, Market.USDS_M),  # what Binance says counts, not the looks
        ("NEWSHAPE", 2, Market.COIN_M),
        ("BTCUSD_PERP", 3, Market.USDS_M),
        ("BTCUSD_PERP", None, Market.COIN_M),
        ("BTCUSDT_260626", None, Market.USDS_M),
    ],
)
def test_which_market_a_book_ticker_is_of(symbol: str, symbol_type: int | None, market: Market) -> None:
    assert market_of_book_ticker({"s": symbol, "st": symbol_type}) is market
    if symbol_type is None:
        assert market_of_book_ticker({"s": symbol}) is market


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (NOTICE, True),
        (frame({"e": "serverShutdown", "E": 1770123456789}), True),
        (frame({"e": "other", "note": "serverShutdown"}), False),
        (b"serverShutdown", False),
        (frame(["serverShutdown"]), False),
        (frame(BOOK_TICKER), False),
    ],
)
def test_the_notice_of_a_shutdown_is_taken_out(payload: bytes, expected: bool) -> None:
    read = scan([frame(BOOK_TICKER), payload], own_streams=True)
    assert read.retiring is expected
    assert read.payloads == [frame(BOOK_TICKER), payload][: 1 if expected else 2]


@pytest.mark.parametrize(
    ("payload", "expected"), [(b'{"u":1,"s":"X"}', True), (b'{"u":1}', False), (b'{"s":"X"}', False), (b"us", False)]
)
def test_a_cheap_look_wants_an_update_id_and_a_symbol(payload: bytes, expected: bool) -> None:
    assert may_be_book_ticker(payload) is expected


# --- the scan of unparsed frames ---


def update_of(stream: str, event_time: int | None) -> bytes:
    data = {"e": "bookTicker", "u": 7, "s": "BTCUSD_PERP", **({} if event_time is None else {"E": event_time})}
    return frame({"stream": stream, "data": data}).replace(b" ", b"")


def own(event_time: int | None = 1_790_373_637_547) -> bytes:
    return update_of("btcusd_perp@bookTicker", event_time)


SAMPLE = update_of("!bookTicker", 1_790_000_000_000)


Seen = functools.partial(Read, [], 0, 0)


def look(*payloads: bytes, own_streams: bool = True) -> Read:
    read = scan(list(payloads), own_streams=own_streams)
    assert read.payloads == [payload for payload in payloads if payload != NOTICE]
    assert read.characters == sum(map(len, payloads))
    return read._replace(payloads=[], characters=0, samples=tuple(read.samples))


ELSE = NOTICE.replace(b"!serverShutdown", b"else").replace(b"erverS", b"")
THREE = (own(1_000_500), own(9_000_250), own(2_000_000))
SCANS: dict[str, tuple[Sequence[bytes], Read, Read]] = {  # beside own streams, and where none is followed
    "no data": ((ACKNOWLEDGEMENT, b'{"u"', b'{"s"'), Seen(False, False), Seen(False, False)),
    "updates of own streams say when they were pushed": (THREE, Seen(True, True, 1000.5, 9000.25), Seen(True, True)),
    "also beside others": ((ELSE, *THREE, ELSE), Seen(True, True, 1000.5, 9000.25), Seen(True, True)),
    "one": ((own(1_000_500),), Seen(True, True, 1000.5, 1000.5), Seen(True, True)),
    "one without a time": ((own(None), own(2_000_000)), Seen(True, True, 2000.0, 2000.0), Seen(True, True)),
    "a sample is no update": ((SAMPLE,), Seen(True, False, samples=(SAMPLE,)), Seen(True, True)),
    "samples around an update": (
        (SAMPLE, own(1_000_500), SAMPLE),
        Seen(True, True, 1000.5, 1000.5, (SAMPLE, SAMPLE)),
        Seen(True, True),
    ),
    "the notice of a shutdown and more": (
        (own(2_000_000), NOTICE, SAMPLE),
        Seen(True, True, 2000.0, 2000.0, (SAMPLE,), retiring=True),
        Seen(True, True, retiring=True),
    ),
}


@pytest.mark.parametrize("name", SCANS)
def test_what_a_scan_sees(name: str) -> None:
    payloads, beside_own, alone = SCANS[name]
    assert look(*payloads) == beside_own
    assert look(*payloads, own_streams=False) == alone


def test_the_oldest_of_very_many_counts_where_it_is_looked_at() -> None:
    payloads = [own(2_000_000 + count) for count in range(1000)]
    assert look(*payloads) == Seen(True, True, 2000.0, 2000.999)
    late = [own(1_000_000) if count % 31 == 3 else payload for count, payload in enumerate(payloads)]
    assert look(*late) == Seen(True, True, 1000.0, 2000.999)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        (b'"E": 1500', 1.5),
        (b'"E":9999999999999999', 9999999999999.999),
        (b'"E":"1500"', None),
        (b'"E":-1', None),
        (b'"T":1500', None),
    ],
)
def test_event_times(text: bytes, seconds: float | None) -> None:
    payload = b'{"u":1,"s":"X",' + text + b"}"
    assert look(payload) == Seen(True, True, seconds, seconds)
