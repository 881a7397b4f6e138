"""What the frames of the market stream say, and what is said of those that are not sound."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from source_binance_futures.binance.endpoints import Market
from source_binance_futures.binance.market_stream import messages
from source_binance_futures.binance.market_stream.messages import (
    MalformedFrame,
    NoBookTicker,
    OtherFrame,
    book_ticker_record,
    is_shutdown_notice,
    market_of_book_ticker,
    may_be_book_ticker,
    parse_frame,
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
RECORD = {
    "event_type": "bookTicker",
    "u": 11660059839759,
    "symbol": "BTCUSD_PERP",
    "pair": "BTCUSD",
    "best_bid_price": "83732.4",
    "best_bid_qty": "680",
    "best_ask_price": "83732.50",
    "best_ask_qty": "2458",
    "transaction_time": 1790373637547,
    "event_time": 1790373637548,
    "symbol_type": 2,
    "received_at_us": 1790373637600123,
    "covered_since_us": 1790373600000000,
}


def frame(content: Any) -> bytes:
    return json.dumps(content).encode()


def wrapped(content: Any) -> bytes:
    return frame({"stream": "btcusd_perp@bookTicker", "data": content})


def record_of(payload: bytes) -> dict[str, Any]:
    book_ticker, _ = parse_frame(payload)
    return book_ticker_record(book_ticker, 1790373637600123, 1790373600000000)


@pytest.mark.parametrize("payload", [frame(BOOK_TICKER), wrapped(BOOK_TICKER)], ids=["raw", "wrapped"])
def test_a_payload_as_binance_sends_it(payload: bytes) -> None:
    assert record_of(payload) == RECORD
    assert may_be_book_ticker(payload)


def test_key_order_does_not_matter() -> None:
    assert record_of(frame(dict(reversed(BOOK_TICKER.items())))) == RECORD


@pytest.mark.parametrize("field", sorted(RECORD.keys() - {"u", "symbol", "received_at_us", "covered_since_us"}))
def test_a_missing_key_is_null(field: str) -> None:
    without = {key: value for key, value in BOOK_TICKER.items() if value != RECORD[field]}
    assert record_of(frame(without)) == {**RECORD, field: None}


def test_unknown_keys_are_ignored() -> None:
    assert record_of(frame({**BOOK_TICKER, "new": {"deep": [1]}})) == RECORD


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
        (b"", "JSON"),
        (b"{", "JSON"),
        (b"\xff\xfe", "JSON"),
        (frame(BOOK_TICKER)[:-1], "JSON"),
        (frame(BOOK_TICKER).replace(b"BTCUSD_PERP", b"BTC\xffUSD"), "JSON"),
        (b"[" * 100_000, "JSON"),
        (b"NaN", "JSON"),
        (b"null", "object"),
        (b"17", "object"),
        (frame([BOOK_TICKER]), "object"),
        (frame("bookTicker"), "object"),
        (frame({"stream": "!bookTicker"}), "data"),
        (wrapped(None), "data"),
        (wrapped([BOOK_TICKER]), "data"),
        (frame({**BOOK_TICKER, "s": ""}), "symbol"),
        (frame({**BOOK_TICKER, "s": None}), "symbol"),
        (frame({**BOOK_TICKER, "s": 5}), "symbol"),
        (frame({**BOOK_TICKER, "s": "X" * 101}), "symbol"),
        (frame({"e": "bookTicker", "u": 1}), "symbol"),
        (frame({"e": "bookTicker", "s": "X" * 101, "u": 1}), "symbol"),
        (frame({**BOOK_TICKER, "u": 0}), "update id"),
        (frame({**BOOK_TICKER, "u": -1}), "update id"),
        (frame({**BOOK_TICKER, "u": 1.0}), "update id"),
        (frame({**BOOK_TICKER, "u": True}), "update id"),
        (frame({**BOOK_TICKER, "u": "11660059839759"}), "update id"),
        (frame({**BOOK_TICKER, "u": None}), "update id"),
        (frame({**BOOK_TICKER, "u": 2**63}), "update id"),
        (frame({**BOOK_TICKER, "u": 2**64 + 1}), "update id"),
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


@pytest.mark.parametrize(
    "content",
    [
        BOOK_TICKER,
        {**BOOK_TICKER, "u": 1},
        {**BOOK_TICKER, "u": 2**63 - 1},
        {**BOOK_TICKER, "s": "X"},
        {**BOOK_TICKER, "s": "X" * 100},
    ],
)
def test_a_usual_frame_is_understood_at_the_first_look(
    content: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second one, for everything rare, would come to the same; it costs as much again."""
    monkeypatch.delattr(messages, "_judge_rare_frame")
    assert parse_frame(frame(content)) == (content, None)
    assert parse_frame(wrapped(content)) == (content, "btcusd_perp@bookTicker")


@pytest.mark.parametrize(
    "content",
    [
        {"s": "X", "u": 1},
        {"s": "X" * 100, "u": 2**63 - 1},
        {"s": "X", "u": 1, "e": None},
    ],
)
def test_what_says_not_of_which_kind_it_is_is_taken_for_a_book_ticker(content: dict[str, Any]) -> None:
    assert parse_frame(frame(content)) == (content, None)


@pytest.mark.parametrize("update_id", [1, 2**53 + 1, 2**63 - 1])
def test_update_ids_up_to_int64_are_exact(update_id: int) -> None:
    assert record_of(frame({**BOOK_TICKER, "u": update_id}))["u"] == update_id


@settings(max_examples=300, deadline=None)
@given(
    st.binary(max_size=60)
    | st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
        lambda inner: (
            st.dictionaries(st.sampled_from(["e", "u", "s", "stream", "data", "st", "x"]), inner, max_size=5)
            | st.lists(inner, max_size=2)
        ),
        max_leaves=8,
    ).map(frame)
)
def test_any_frame_gives_a_book_ticker_or_says_that_it_is_none(payload: bytes) -> None:
    try:
        book_ticker, _ = parse_frame(payload)
    except NoBookTicker:
        return
    record = book_ticker_record(book_ticker, 1, None)
    assert isinstance(record["symbol"], str)
    assert isinstance(record["u"], int)
    assert market_of_book_ticker(book_ticker) in Market


@pytest.mark.parametrize(
    ("symbol", "symbol_type", "expected"),
    [
        ("BTCUSD_PERP", 2, True),
        ("BTCUSDT", 1, False),
        ("BTCUSD_PERP", 1, False),  # what Binance says counts, not the looks
        ("NEWSHAPE", 2, True),
        ("BTCUSD_PERP", None, True),
        ("BTCUSD_260626", None, True),
        ("1000SATSUSD_PERP", None, True),
        ("BTCUSDT", None, False),
        ("BTCUSDT_260626", None, False),
        ("BTCUSDC", None, False),
        ("BTCUSD", None, False),
        ("BTCUSD_PERPX", None, False),
        ("BTCUSD_PERP\n", None, False),
        ("BTCUSD_2606", None, False),
        ("币安人生USDT", None, False),
        ("BTCUSD_PERP", 3, False),
    ],
)
def test_which_market_a_symbol_is_of(symbol: str, symbol_type: int | None, expected: bool) -> None:
    market = Market.COIN_M if expected else Market.USDS_M
    assert market_of_book_ticker({"s": symbol, "st": symbol_type}) is market
    if symbol_type is None:
        assert market_of_book_ticker({"s": symbol}) is market


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (frame({"stream": "!serverShutdown", "data": {"e": "serverShutdown", "E": 1770123456789}}), True),
        (frame({"e": "serverShutdown", "E": 1770123456789}), True),
        (frame({"e": "other", "note": "serverShutdown"}), False),
        (b"serverShutdown", False),
        (frame(["serverShutdown"]), False),
        (frame(BOOK_TICKER), False),
    ],
)
def test_the_notice_of_a_shutdown(payload: bytes, expected: bool) -> None:
    assert is_shutdown_notice(payload) is expected
    assert may_be_book_ticker(payload) is (payload == frame(BOOK_TICKER))


@pytest.mark.parametrize(
    ("payload", "expected"), [(b'{"u":1,"s":"X"}', True), (b'{"u":1}', False), (b'{"s":"X"}', False), (b"us", False)]
)
def test_a_cheap_look_wants_an_update_id_and_a_symbol(payload: bytes, expected: bool) -> None:
    assert may_be_book_ticker(payload) is expected
