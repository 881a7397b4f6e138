"""What the answers to `ticker.price` say, which failure each refusal is, and what a request costs."""

from __future__ import annotations

import json
from typing import Any

import pytest

from source_binance_futures.binance.errors import (
    BinanceError,
    ExchangeUnavailable,
    Owner,
    RateLimited,
    RequestRefused,
    SymbolRefused,
    UnknownSymbols,
    UnreadableAnswer,
)
from source_binance_futures.binance.websocket_api.prices import (
    ALL_SYMBOLS_WEIGHT,
    HANDSHAKE_WEIGHT,
    ONE_SYMBOL_WEIGHT,
    Answer,
    WeightBudget,
    WeightUsed,
    chosen_rows,
    parse_answer,
    price_record,
    request,
)

NOW = 1_790_000_000.0
ROW = {"symbol": "BTCUSDT", "price": "6000.01", "time": 1589437530011}
WEIGHT = {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 2400, "count": 7}


def parsed(content: Any, symbol: str | None = None, request_id: str = "a") -> Answer | None:
    payload = content if isinstance(content, bytes) else json.dumps(content).encode()
    return parse_answer(payload, request_id, symbol, "ws-fapi.binance.com", NOW)


def answer(content: Any, symbol: str | None = None) -> Answer:
    found = parsed(content, symbol)
    assert found is not None
    return found


def failure(status: int, code: Any, text: str = "Some text.", symbol: str | None = None, **more: Any) -> BinanceError:
    error = answer({"id": "a", "status": status, "error": {"code": code, "msg": text, **more}}, symbol).error
    assert error is not None
    return error


def test_requests() -> None:
    for_all = {"id": "c0ffee", "method": "ticker.price"}
    assert json.loads(request("c0ffee", None)) == for_all
    assert json.loads(request("c0ffee", "币安人生USDT")) == for_all | {"params": {"symbol": "币安人生USDT"}}
    assert (HANDSHAKE_WEIGHT, ONE_SYMBOL_WEIGHT, ALL_SYMBOLS_WEIGHT) == (5, 1, 2)


@pytest.mark.parametrize(
    ("result", "symbol", "rows"),
    [
        (ROW, "BTCUSDT", [ROW]),
        ([ROW], None, [ROW]),
        ([ROW, {**ROW, "symbol": "1000SATSUSDT", "price": "0.00001870"}], None, None),
        ([{"symbol": "币安人生USDT", "price": "0.13270"}], None, None),
        ([{**ROW, "new": 1}, 5], None, None),
        ([], None, []),
    ],
)
def test_rows_are_taken_as_sent(result: Any, symbol: str | None, rows: Any) -> None:
    found = answer({"id": "a", "status": 200, "result": result}, symbol)
    assert found.rows == (result if rows is None else rows)
    assert found.error is None


def test_the_record_of_a_row() -> None:
    assert price_record({**ROW, "new": 1}) == ROW
    untimed = {"symbol": "BTCUSDT", "price": "6000.010"}
    assert price_record(untimed) == {**untimed, "time": None}


@pytest.mark.parametrize(
    "content",
    [
        {"id": "b", "status": 200, "result": [ROW]},
        {"id": "b", "status": 400, "error": {"code": -1121, "msg": "Invalid symbol."}},
        {"id": None, "status": 200, "result": [ROW]},
        {"status": 200, "result": [ROW]},
        {"e": "serverShutdown", "E": 1770123456789},
        {"stream": "!serverShutdown", "data": {"e": "serverShutdown"}},
        {"result": None, "id": 1},
    ],
)
def test_frames_that_answer_somebody_else(content: dict[str, Any]) -> None:
    assert parsed(content) is None


@pytest.mark.parametrize(
    ("content", "symbol", "named"),
    [
        (b"<html>502 Bad Gateway</html>", None, "<html>502"),
        *[(payload, None, "not JSON") for payload in (b"\xff\xfe", b"")],
        ([ROW], None, "not an object"),
        *[({"id": "a", "status": 200} | more, None, "no list") for more in ({}, {"result": ROW})],
        *[({"id": "a", "status": 200} | more, "BTCUSDT", "`symbol`") for more in ({}, {"result": "x"})],
        *[
            ({"id": "a", "status": 200, "result": [{"symbol": "BTCUSDT"} | more]}, "BTCUSDT", "`price`")
            for more in ({}, {"price": None}, {"price": 6000.01})
        ],
    ],
)
def test_unreadable_answers(content: Any, symbol: str | None, named: str) -> None:
    with pytest.raises(UnreadableAnswer, match=named) as refused:
        chosen_rows(answer(content, symbol).rows, ["BTCUSDT"])
    assert refused.value.owner is Owner.US


@pytest.mark.parametrize(
    ("status", "code", "kind", "owner"),
    [
        *[(400, code, ExchangeUnavailable, Owner.EXCHANGE) for code in (-1000, -1001, -1006, -1007, -1008, -1016)],
        *[(status, None, ExchangeUnavailable, Owner.EXCHANGE) for status in (500, 502, 503, 504)],
        (429, -1003, RateLimited, Owner.EXCHANGE),
        (418, -1003, RateLimited, Owner.EXCHANGE),
        # No symbol was asked for, so no user can mend -1121.
        *[(400, code, RequestRefused, Owner.US) for code in (-1102, -1135, -1121)],
        *[(status, None, RequestRefused, Owner.US) for status in (403, 499)],
        (200, -1102, RequestRefused, Owner.US),
        (401, -2015, RequestRefused, Owner.US),
    ],
)
def test_whose_turn_a_refusal_is(status: int, code: int | None, kind: type[BinanceError], owner: Owner) -> None:
    error = failure(status, code)
    assert type(error) is kind
    assert error.owner is owner
    if kind is RequestRefused:
        assert f"status {status}, code {code}: Some text." in str(error)


def test_an_unknown_symbol_is_named() -> None:
    error = failure(400, -1121, symbol="NOSUCHUSDT")
    assert isinstance(error, UnknownSymbols)
    assert error.owner is Owner.USER
    assert "does not list NOSUCHUSDT among" in str(error)
    with pytest.raises(UnknownSymbols, match="does not list S0, S1, S2, S3, S4, S5, S6, S7, S8, S9 and 3 more among"):
        chosen_rows([], [f"S{number}" for number in range(13)])


@pytest.mark.parametrize(("status", "shown"), [(403, 403), ("403", 0), (None, 0)])
def test_an_answer_that_is_neither_rows_nor_an_error(status: Any, shown: int) -> None:
    error = answer({"id": "a", "status": status, "result": [ROW]}).error
    assert isinstance(error, RequestRefused)
    assert f"status {shown}, code None: it gave no reason. Please" in str(error)


def test_maintenance_in_its_own_form_and_an_error_without_an_id() -> None:
    found = answer({"239999": "The system is under maintenance, please try again later."})
    assert isinstance(found.error, ExchangeUnavailable)
    assert "maintenance" in str(found.error)
    found = answer({"id": None, "status": 401, "error": {"code": -2015, "msg": "Invalid API-key."}})
    assert isinstance(found.error, RequestRefused)


AT = int((NOW + 30) * 1000)
BANNED = f"Way too much request weight used; IP banned until {AT}. Please use WebSocket Streams."


@pytest.mark.parametrize(
    ("more", "text", "retry_at"),
    [
        *[({"data": {"retryAfter": value}}, "x", NOW + 30) for value in (AT, 30, "30")],
        ({"data": {"retryAfter": 0}}, "x", NOW),
        *[({"data": {"retryAfter": value}}, BANNED, NOW + 30) for value in (None, "soon")],
        ({}, BANNED, NOW + 30),
        *[({"data": {"retryAfter": value}}, "x", NOW + 60) for value in (-5, -0.5, "nan")],
        *[({"data": data}, "x", NOW + 60) for data in (["x"], dict[str, Any](), "x", None)],
        ({}, "Too many requests.", NOW + 60),
        ({"data": {"retryAfter": 10**11 + 1}}, "in seconds 3,000 years, as a moment in ms 1973", (10**11 + 1) / 1000),
        *[({"data": {"retryAfter": value}}, "for ever", NOW + 7 * 86400) for value in (10**11, 1e300, "inf", 10**18)],
    ],
)
def test_when_to_ask_again(more: dict[str, Any], text: str, retry_at: float) -> None:
    error = failure(418, -1003, text, **more)
    assert isinstance(error, RateLimited)
    assert error.retry_at == retry_at


@pytest.mark.parametrize(
    ("rate_limits", "weight"),
    [
        ([WEIGHT], WeightUsed(7, 2400)),
        ([{**WEIGHT, "rateLimitType": "ORDERS", "count": 1}, WEIGHT], WeightUsed(7, 2400)),
        ([5, None, WEIGHT], WeightUsed(7, 2400)),
        *[([{**WEIGHT, "count": count}], None) for count in ("7", None)],
        ([], None),
        (None, None),
        ("x", None),
    ],
)
def test_the_weight_used(rate_limits: Any, weight: WeightUsed | None) -> None:
    assert answer({"id": "a", "status": 200, "result": [ROW], "rateLimits": rate_limits}).weight == weight
    refused = {"id": "a", "status": 429, "error": {"code": -1003, "msg": ""}, "rateLimits": rate_limits}
    assert answer(refused).weight == weight


@pytest.mark.parametrize("error", [{"code": "x" * 5000}, {"code": -1102, "msg": "y" * 5000}, {"code": ["x" * 5000]}])
@pytest.mark.parametrize("status", [400, 503])
def test_a_failure_quotes_little(status: int, error: dict[str, Any]) -> None:
    for content in ({"id": "a", "status": status, "error": error}, {"239999": "z" * 5000}):
        assert len(str(answer(content).error)) < 600


ODD = [
    *({"symbol": "A", "price": None}, {"symbol": "B", "price": ""}, {"symbol": "C", "price": 0}, {"symbol": "D"}),
    *({"price": "1"}, {"symbol": "", "price": "1"}, 5),
]


@pytest.mark.parametrize("odd", ODD)
def test_an_odd_row_among_all_is_left_out_and_named_and_not_judged_where_nobody_asked_for_it(odd: Any) -> None:
    other = {**ROW, "symbol": "ETHUSDT"}
    assert chosen_rows([odd, ROW, other], ["ETHUSDT", "BTCUSDT"]) == ([other, ROW], None)
    rows, sentence = chosen_rows(answer({"id": "a", "status": 200, "result": [ROW, odd]}).rows, ())
    assert rows == [ROW]
    assert sentence is not None
    assert sentence.startswith("1 of 2 rows of Binance's answer have no usable price and were left out: ")
    assert f" is missing in {json.dumps(odd, separators=(',', ':'))}." in sentence


def test_an_odd_row_that_was_asked_for_or_no_usable_row_fails() -> None:
    for rows, symbols in (([ROW, ODD[0]], ["BTCUSDT", "A"]), (ODD, ())):
        with pytest.raises(UnreadableAnswer, match="`price` is missing in"):
            chosen_rows(rows, symbols)
    assert chosen_rows([], ()) == ([], None)


@pytest.mark.parametrize(
    ("code", "text"),
    [(-1122, "Invalid status."), (-1100, "Illegal."), (-1130, "Wrong data."), (-4141, "Symbol is closed.")],
)
def test_a_refusal_of_the_one_symbol_is_the_users_turn(code: int, text: str) -> None:
    error = failure(400, code, text, symbol="BTCSTUSDT")
    assert (type(error), error.owner) == (SymbolRefused, Owner.USER)
    assert f"`price_symbols`: Binance gives no price of BTCSTUSDT: {text[:-1]} (code {code})." in str(error)
    assert isinstance(failure(400, code, text), RequestRefused), "of all symbols it is no user's"


def nested(depth: int) -> bytes:
    return b'{"symbol":"A","price":"1","time":' + b"[" * depth + b"]" * depth + b"}"


def test_a_row_nested_too_deeply_to_be_written_again_fails_and_among_all_is_left_out() -> None:
    found = parsed(b'{"id":"a","status":200,"result":[' + nested(900) + b"]}", "A")
    assert found is not None
    with pytest.raises(UnreadableAnswer, match="nested too deeply"):
        chosen_rows(found.rows, ["A"])
    found = parsed(b'{"id":"a","status":200,"result":[{"symbol":"B","price":"1"},' + nested(1000) + b"]}")
    assert found is not None
    rows, sentence = chosen_rows(found.rows, ())
    assert rows == [{"symbol": "B", "price": "1"}]
    assert sentence is not None
    assert sentence.endswith("left out: nested too deeply: the row of A.")


# --- the weight of requests ---


MINUTE_BEGINS = 1795293300.0  # a multiple of 60


def watch(count: int, limit: int = 2400, reported_after: float = 10.0) -> WeightBudget:
    found = WeightBudget()
    found.record(WeightUsed(count, limit), MINUTE_BEGINS + reported_after)
    return found


@pytest.mark.parametrize(
    ("count", "cost", "wait"), [(0, 7, 0), (2158, 2, 0), (2159, 2, 45), (2153, 7, 0), (2154, 7, 45), (5000, 1, 45)]
)
def test_it_waits_where_nine_tenths_of_the_limit_would_be_passed(count: int, cost: int, wait: float) -> None:
    assert watch(count).seconds_to_wait(cost, MINUTE_BEGINS + 15) == wait


def test_the_limit_is_the_one_that_binance_says_and_before_nothing_is_waited_for() -> None:
    assert WeightBudget().seconds_to_wait(7, 0.0) == 0
    assert watch(90, limit=100).seconds_to_wait(1, MINUTE_BEGINS + 15) == 45
    assert watch(89, limit=100).seconds_to_wait(1, MINUTE_BEGINS + 15) == 0


@pytest.mark.parametrize(("reported", "asked"), [(59.9, 60.0), (10, 130), (0, -0.1)])
def test_the_weight_of_another_minute_is_forgotten(reported: float, asked: float) -> None:
    assert watch(2400, reported_after=reported).seconds_to_wait(2, MINUTE_BEGINS + asked) == 0


def test_the_newest_word_counts_and_what_was_asked_since_though_nothing_was_answered() -> None:
    found = watch(2400)
    found.record(WeightUsed(2150, 2400), MINUTE_BEGINS + 20)
    assert found.seconds_to_wait(7, MINUTE_BEGINS + 20) == 0
    found.spend(7)
    assert found.used == WeightUsed(2157, 2400)
    assert found.seconds_to_wait(7, MINUTE_BEGINS + 20) == 40
