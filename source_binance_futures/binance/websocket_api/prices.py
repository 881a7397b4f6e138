"""What `ticker.price` answers and what it costs. Pure: from bytes to rows, or to the exception that fits; no clock."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from ..errors import (
    DEFAULT_PAUSE,
    RATE_LIMIT_STATUSES,
    BinanceError,
    ExchangeUnavailable,
    RateLimited,
    RequestRefused,
    SymbolRefused,
    UnknownSymbols,
    UnreadableAnswer,
)
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


@dataclass(frozen=True)
class Answer:
    """One answer: `rows` where there are any, as sent, else `error`; `weight` where the answer has one."""

    rows: tuple[Any, ...]
    error: BinanceError | None
    weight: WeightUsed | None


def request(request_id: str, symbol: str | None, method: str = METHOD) -> str:
    """The text of a request: one symbol (weight 1), or all (weight 2) [binance-facts 3].

    {"id":"c0ffee","method":"ticker.price","params":{"symbol":"BTCUSDT"}}
    """
    content: dict[str, Any] = {"id": request_id, "method": method}
    if symbol is not None:
        content["params"] = {"symbol": symbol}
    return orjson.dumps(content).decode()


def parse_answer(payload: bytes, request_id: str, symbol: str | None, host: str, now: float) -> Answer | None:
    """The answer to the request `request_id`; None for frames that answer somebody else, or nothing.

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
        raise UnreadableAnswer(f"not JSON: {quoted(payload)}") from fault
    if not isinstance(answer, dict):
        raise UnreadableAnswer(f"not an object: {quoted(payload)}")
    if MAINTENANCE_KEY in answer:
        return Answer((), ExchangeUnavailable(sanitized(answer[MAINTENANCE_KEY])), None)
    anonymous_error = answer.get("id") is None and "error" in answer
    if answer.get("id") != request_id and not anonymous_error:
        return None
    weight = weight_of(answer.get("rateLimits"))
    status, error = answer.get("status"), answer.get("error")
    if isinstance(error, dict) or status != 200:
        return Answer((), _failure(status, error if isinstance(error, dict) else {}, symbol, host, now), weight)
    return Answer(_rows(answer.get("result"), symbol, payload), None, weight)


def _rows(result: Any, symbol: str | None, payload: bytes) -> tuple[Any, ...]:
    """The rows as sent. Only the row of one symbol is judged here: of all, most may not be wanted."""
    if symbol is not None:
        rows = result if isinstance(result, list) else [result]
        for fault in filter(None, map(fault_of_row, rows)):
            raise UnreadableAnswer(fault)
        return tuple(rows)
    if not isinstance(result, list):
        raise UnreadableAnswer(f"no list of prices: {quoted(payload)}")
    return tuple(result)


def fault_of_row(row: Any) -> str | None:
    """Return what keeps a row from being a record, None where nothing does."""
    try:
        written = orjson.dumps(row)
    except orjson.JSONEncodeError:
        name = row.get("symbol") if isinstance(row, dict) else None
        return f"nested too deeply: the row of {sanitized(name) if isinstance(name, str) else 'no symbol'}"
    if not isinstance(row, dict):
        return f"no price in {quoted(written)}"
    for field in ("symbol", "price"):
        if not isinstance(row.get(field), str) or not row[field]:
            return f"`{field}` is missing in {quoted(written)}"
    return None


def chosen_rows(rows: Sequence[Any], symbols: Sequence[str]) -> tuple[list[dict[str, Any]], str | None]:
    """Return the rows of `symbols`, or all that are usable, and a sentence about the others.

    Raises `UnknownSymbols` with all the names that Binance does not list, and `UnreadableAnswer` where a row that was
    asked for by its name is unusable, or none of all is usable.
    """
    if symbols:
        by_symbol = {row["symbol"]: row for row in rows if isinstance(row, dict) and isinstance(row.get("symbol"), str)}
        unknown = [symbol for symbol in symbols if symbol not in by_symbol]
        if unknown:
            raise UnknownSymbols(first_of(unknown))
        wanted = [by_symbol[symbol] for symbol in symbols]
        for unusable in filter(None, map(fault_of_row, wanted)):
            raise UnreadableAnswer(unusable)
        return wanted, None
    faults = [(row, fault) for row, fault in zip(rows, map(fault_of_row, rows), strict=True) if fault is not None]
    if not faults:
        return list(rows), None
    if len(faults) == len(rows):
        raise UnreadableAnswer(faults[0][1])
    names = [
        sanitized(row.get("symbol")) if isinstance(row, dict) and row.get("symbol") else "a row without a name"
        for row, _ in faults
    ]
    usable = [row for row in rows if fault_of_row(row) is None]
    return usable, (
        f"{len(faults)} of {len(rows)} rows of Binance's answer have no usable price and were left out: "
        f"{first_of(names)}. The first: {faults[0][1]}."
    )


def price_record(row: Mapping[str, Any]) -> dict[str, Any]:
    """The record of one row, strings and integers exactly as sent; `time` is null where it is missing."""
    return {"symbol": row["symbol"], "price": row["price"], "time": row.get("time")}


def _failure(status: Any, error: Mapping[str, Any], symbol: str | None, host: str, now: float) -> BinanceError:
    code, text = error.get("code"), sanitized(error.get("msg", ""))
    status = status if isinstance(status, int) else 0
    if status in RATE_LIMIT_STATUSES:
        return RateLimited(host, status, _retry_at(error, now), now)
    if code in RETRYABLE_CODES or status >= 500:
        return ExchangeUnavailable(f"status {status}, code {sanitized(code)}: {text}")
    if code == INVALID_SYMBOL and symbol is not None:
        return UnknownSymbols(first_of([symbol]))
    if symbol is not None and 400 <= status < 500 and (code in SYMBOL_CODES or "symbol" in text.lower()):
        return SymbolRefused(symbol, text.rstrip(". "), sanitized(code))
    return RequestRefused(status, sanitized(code), text.rstrip(". ") or "it gave no reason")


def _retry_at(error: Mapping[str, Any], now: float) -> float:
    """Epoch seconds: from `retryAfter` (documented for Spot, in ms), from the text, or a minute from now."""
    data = error.get("data")
    value = data.get("retryAfter") if isinstance(data, dict) else None
    try:
        number = float(value)  # type: ignore[arg-type]  # None and other kinds are what TypeError is for
    except (TypeError, ValueError):
        found = BANNED_UNTIL.search(sanitized(error.get("msg")))
        number = float(found.group(1)) if found else DEFAULT_PAUSE
    if not number >= 0:
        number = DEFAULT_PAUSE
    return number / 1000 if number > EPOCH_MS_FROM else now + number


def weight_of(rate_limits: Any) -> WeightUsed | None:
    """From `[{"rateLimitType":"REQUEST_WEIGHT","interval":"MINUTE","intervalNum":1,"limit":2400,"count":2}]`."""
    for limit in rate_limits if isinstance(rate_limits, list) else []:
        if isinstance(limit, dict) and limit.get("rateLimitType") == "REQUEST_WEIGHT":
            count, ceiling = limit.get("count"), limit.get("limit")
            if isinstance(count, int) and isinstance(ceiling, int):
                return WeightUsed(count, ceiling)
    return None


@dataclass(frozen=True)
class WeightUsed:
    """How much of the weight of its minute the IP address has used, this connector's own included, as Binance said."""

    count: int
    limit: int


def cost_of(symbol: str | None, *, connected: bool) -> int:
    """What `ticker.price` of one symbol, or of all, costs; a connection that is still to be opened costs more."""
    cost = ONE_SYMBOL_WEIGHT if symbol else ALL_SYMBOLS_WEIGHT
    return cost if connected else cost + HANDSHAKE_WEIGHT


class WeightBudget:
    """What the IP address has used in this minute: what Binance said last, and what was asked since.

    One for a process, whatever it asks. Moments are seconds since 1970.
    """

    def __init__(self) -> None:
        self._used: WeightUsed | None = None
        self._reported_at = 0.0

    def record(self, used: WeightUsed, now: float) -> None:
        """An answer that came `now` said so."""
        self._used, self._reported_at = used, now

    def spent(self, cost: int, now: float) -> None:
        """A request of this cost leaves `now`; it may never be answered."""
        used = self.used(now)
        if used is not None:
            self._used = WeightUsed(used.count + cost, used.limit)

    def used(self, now: float) -> WeightUsed | None:
        """What is known of the present minute; another minute's weight says nothing."""
        return self._used if self._reported_at // MINUTE == now // MINUTE else None

    def seconds_to_wait(self, cost: int, now: float) -> float:
        """Until the next minute, where a request of this cost would bring the address near its limit; else 0."""
        used = self.used(now)
        if used is None or used.count + cost <= CAREFUL_ABOVE * used.limit:
            return 0.0
        return MINUTE - now % MINUTE
