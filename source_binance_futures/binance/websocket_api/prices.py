"""What `ticker.price` answers and what it costs. Pure: from bytes to rows, or to the exception that fits; no clock."""

from __future__ import annotations

import contextlib
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import orjson

from .. import errors
from ..text import first_of, quoted, sanitized

METHOD = "ticker.price"
RETRYABLE_CODES = (-1000, -1001, -1006, -1007, -1008, -1016)
INVALID_SYMBOL = -1121
SYMBOL_CODES = (-1100, -1122, -1130)  # of the symbol, where that is all that was sent; -1122: it is delisted
MAINTENANCE_KEY = "239999"
BANNED_UNTIL = re.compile(r"banned until (\d{10,})")
HANDSHAKE_WEIGHT, ONE_SYMBOL_WEIGHT, ALL_SYMBOLS_WEIGHT = 5, 1, 2
MINUTE = 60.0  # seconds; the window of the weight is the minute of the UTC clock [binance-facts 3]
CAREFUL_ABOVE = 0.9  # of the limit of weight
EPOCH_MS_FROM = 1e11  # a `retryAfter` above this is a time in ms, below it a number of seconds


@dataclass
class WeightUsed:
    """How much of the weight of its minute the IP address has used, this connector's own included, as Binance said."""

    count: int = 0
    limit: int = sys.maxsize


class Answer(NamedTuple):
    """One answer: `rows` as sent, unless there is an `error`; `weight` where the answer has one."""

    rows: Sequence[Any]
    error: errors.BinanceError | None = None
    weight: WeightUsed | None = None


def request(request_id: str, symbol: str | None, method: str = METHOD) -> str:
    """Return the text of a request: one symbol (weight 1), or all (weight 2) [binance-facts 3].

    {"id":"c0ffee","method":"ticker.price","params":{"symbol":"BTCUSDT"}}
    """
    params = {} if symbol is None else {"params": {"symbol": symbol}}
    return orjson.dumps({"id": request_id, "method": method, **params}).decode()


def parse_answer(payload: bytes, request_id: str, symbol: str | None, host: str, now: float) -> Answer | None:
    """Return the answer to the request `request_id`; None for frames that answer somebody else, or nothing.

    An error with `id: null` counts as ours: one request at a time is under way on a connection, and that is how the
    API answers what it could not read. Payloads [binance-facts 3]:

        {"id":"a","status":200,"result":{"symbol":"BTCUSDT","price":"6000.01","time":1589437530011},"rateLimits":[...]}
        {"id":"a","status":200,"result":[{"symbol":"BTCUSDT","price":"6000.01","time":1589437530011}]}
        {"id":"a","status":400,"error":{"code":-1121,"msg":"Invalid symbol."}}

    `price` is a decimal string in quote currency, `time` in ms since 1970 UTC. `now` (seconds since 1970) is
    what a wait in seconds counts from. Raises `UnreadableAnswer`.
    """
    try:
        answer = orjson.loads(payload)
    except orjson.JSONDecodeError as fault:
        raise errors.UnreadableAnswer(f"not JSON: {quoted(payload)}") from fault
    if not isinstance(answer, dict):
        raise errors.UnreadableAnswer(f"not an object: {quoted(payload)}")
    if MAINTENANCE_KEY in answer:
        return Answer((), errors.ExchangeUnavailable(sanitized(answer[MAINTENANCE_KEY])))
    status, error, result = answer.get("status"), answer.get("error"), answer.get("result")
    if answer.get("id") != request_id and (answer.get("id") is not None or error is None):
        return None
    weight = weight_of(answer.get("rateLimits"))
    if isinstance(error, dict) or status != 200:
        return Answer((), _failure(status, error if isinstance(error, dict) else {}, symbol, host, now), weight)
    if isinstance(result, list):
        return Answer(result, None, weight)
    if symbol is None:
        raise errors.UnreadableAnswer(f"no list of prices: {quoted(payload)}")
    return Answer([result], None, weight)


def fault_of_row(row: Any) -> str | None:
    """Return what keeps a row from being a record, None where nothing does."""
    try:
        written = quoted(orjson.dumps(row))
    except orjson.JSONEncodeError:
        symbol = row.get("symbol") if isinstance(row, dict) else None
        return f"nested too deeply: the row of {sanitized(symbol) if isinstance(symbol, str) else 'no symbol'}"
    for field in ("symbol", "price"):
        if not isinstance(row, dict) or not isinstance(row.get(field), str) or not row[field]:
            return f"`{field}` is missing in {written}"
    return None


def chosen_rows(rows: Sequence[Any], symbols: Sequence[str]) -> tuple[list[dict[str, Any]], str | None]:
    """Return the rows of `symbols`, or all that are usable, and a sentence about the others.

    Raises `UnknownSymbols` with all the names that Binance does not list, and `UnreadableAnswer` where a row that was
    asked for by its name is unusable, or none of all is usable.
    """
    judged = [(row, fault_of_row(row)) for row in rows]
    usable = [row for row, fault in judged if fault is None]
    faults = [fault for _, fault in judged if fault is not None]
    if faults and not usable:
        raise errors.UnreadableAnswer(faults[0])
    if symbols:
        by_symbol = {row["symbol"]: row for row in usable}
        unknown = [symbol for symbol in symbols if symbol not in by_symbol]
        for row, fault in judged:
            if fault is not None and isinstance(row, dict) and row.get("symbol") in unknown:
                raise errors.UnreadableAnswer(fault)
        if unknown:
            raise errors.UnknownSymbols(first_of(unknown))
        return [by_symbol[symbol] for symbol in symbols], None
    if not faults:
        return usable, None
    left_out = f"{len(faults)} of {len(rows)} rows of Binance's answer have no usable price and were left out"
    return usable, f"{left_out}: {first_of(faults)}."


def price_record(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the record of one row, strings and integers exactly as sent; `time` is null where it is missing."""
    return {"symbol": row["symbol"], "price": row["price"], "time": row.get("time")}


def _failure(status: Any, error: Mapping[str, Any], symbol: str | None, host: str, now: float) -> errors.BinanceError:
    code, text = error.get("code"), sanitized(error.get("msg", ""))
    status = status if isinstance(status, int) else 0
    if status in errors.RATE_LIMIT_STATUSES:
        return errors.RateLimited(host, status, _retry_at(error.get("data"), text, now), now)
    if code in RETRYABLE_CODES or status >= 500:
        return errors.ExchangeUnavailable(f"status {status}, code {sanitized(code)}: {text}")
    if code == INVALID_SYMBOL and symbol is not None:
        return errors.UnknownSymbols(first_of([symbol]))
    if symbol is not None and status >= 400 and (code in SYMBOL_CODES or "symbol" in text.lower()):
        return errors.SymbolRefused(symbol, text.rstrip(". "), sanitized(code))
    return errors.RequestRefused(status, sanitized(code), text.rstrip(". ") or "it gave no reason")


def _retry_at(data: Any, text: str, now: float) -> float:
    """Return epoch seconds: from `retryAfter` (documented for Spot, in ms), from the text, or a minute from now."""
    banned = BANNED_UNTIL.search(text)
    number = float(banned[1]) if banned else errors.DEFAULT_PAUSE
    with contextlib.suppress(KeyError, TypeError, ValueError):
        number = float(data["retryAfter"])
    if not number >= 0:
        number = errors.DEFAULT_PAUSE
    return number / 1000 if number > EPOCH_MS_FROM else now + number


def weight_of(rate_limits: Any) -> WeightUsed | None:
    """From `[{"rateLimitType":"REQUEST_WEIGHT","interval":"MINUTE","intervalNum":1,"limit":2400,"count":2}]`."""
    for rate_limit in rate_limits if isinstance(rate_limits, list) else []:
        match rate_limit:
            case {"rateLimitType": "REQUEST_WEIGHT", "count": int(count), "limit": int(limit)}:
                return WeightUsed(count, limit)
    return None


class WeightBudget:
    """What the IP address has used in a minute: what Binance said last, and what was asked since. One for a process."""

    def __init__(self) -> None:
        self.used = WeightUsed()
        self._minute = 0.0

    def record(self, used: WeightUsed, now: float) -> None:
        """Take what an answer said that came `now` (seconds since 1970)."""
        self.used, self._minute = used, now // MINUTE

    def spend(self, cost: int) -> None:
        """Add a request of this cost, which may never be answered."""
        self.used.count += cost

    def seconds_to_wait(self, cost: int, now: float) -> float:
        """Return the time until the next minute, where this cost would bring the address near its limit; else 0."""
        is_near = self.used.count + cost > CAREFUL_ABOVE * self.used.limit
        return MINUTE - now % MINUTE if is_near and now // MINUTE == self._minute else 0.0
