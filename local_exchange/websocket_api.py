"""The USDⓈ-M WebSocket API: `ticker.price` and `ticker.book`, with weights and limits, and whatever a test scripted.

Facts: binance-facts section 3.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from websockets.exceptions import ConnectionClosed

from source_binance_futures.binance.clock import Clock

from .connection import ExchangeConnection
from .contracts import DELISTED_PRICES, USDS_MARGINED, Contract
from .streams import Update

PATH = "/ws-fapi/v1"
_HANDSHAKE_WEIGHT = 5
_WEIGHT_PER_MINUTE = 2400
_DELISTED_AGE = 200 * 86_400_000
_SPREAD_OF_TIMES = 45_000


@dataclass(frozen=True)
class CloseConnection:
    """The connection ends with a close frame, or with a TCP reset where the code is 0."""

    code: int = 1001
    reason: str = ""


@dataclass(frozen=True)
class Fragmented:
    """The answer comes in `pieces` fragments, cut at bytes: a character may lie across two of them."""

    answer: Mapping[str, Any] | str | bytes
    pieces: int = 3


@dataclass(frozen=True)
class Delayed:
    """The answer comes after `seconds`; other requests are answered meanwhile."""

    answer: Answer
    seconds: float


Answer = (
    Mapping[str, Any]
    | str
    | bytes
    | CloseConnection
    | Fragmented
    | Delayed
    | Sequence["Answer"]
    | Callable[[dict[str, Any]], "Answer"]
)
"""A mapping is sent as JSON with the request's `id`, unless it brings its own; text and bytes are one text frame as
they are; a sequence is sent in order; a callable is asked with the request."""

NoAnswer: Answer = ()
"""The request is swallowed; the connection stays open."""
DropConnection = CloseConnection(0)
"""The connection ends with a TCP reset."""


class Weight:
    """The request weight of one IP address. The window is the UTC clock minute."""

    def __init__(self, clock: Clock) -> None:
        self.spent = 0
        self._used_in = Counter[int]()
        self._clock = clock

    @property
    def minute(self) -> int:
        """Minutes since 1970, UTC."""
        return int(self._clock.epoch() // 60)

    @property
    def used(self) -> int:
        """The weight used in the present minute."""
        return self._used_in[self.minute]

    @used.setter
    def used(self, weight: int) -> None:
        self._used_in[self.minute] = weight

    def charge(self, weight: int) -> None:
        self.used += weight
        self.spent += weight

    def rate_limits(self) -> list[dict[str, Any]]:
        """The `rateLimits` that come with every answer."""
        limit = {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1}
        return [{**limit, "limit": _WEIGHT_PER_MINUTE, "count": self.used}]


class WebSocketApi:
    """Answers requests. `prices` maps a symbol to its price and `time` (ms), and may be changed at any time.

    `newest` is the newest update of each contract, as its own stream brings it.
    """

    def __init__(self, contracts: Iterable[Contract], newest: Mapping[str, Update], clock: Clock) -> None:
        self._newest = newest
        self._clock = clock
        self.prices = _listed_prices(contracts, clock.now_us() // 1000)
        self.weight = Weight(clock)
        self.requests: list[dict[str, Any]] = []
        self.script: deque[Answer] = deque()
        self.connections: list[ExchangeConnection] = []

    async def serve(self, connection: ExchangeConnection) -> None:
        """Answer each request in a task of its own: a delayed answer holds up no other."""
        self.weight.charge(_HANDSHAKE_WEIGHT)
        self.connections.append(connection)
        answering: set[asyncio.Task[None]] = set()
        try:
            async for message in connection:
                task = asyncio.create_task(self._answer(connection, message))
                answering.add(task)
                task.add_done_callback(answering.discard)
        finally:
            self.connections.remove(connection)
            for task in answering:
                task.cancel()

    async def _answer(self, connection: ExchangeConnection, message: str | bytes) -> None:
        try:
            request = orjson.loads(message)
        except orjson.JSONDecodeError:
            request = None
        if not isinstance(request, dict):
            await self._send(connection, {}, self._error(400, -1135, "Invalid JSON Request"))
            return
        self.requests.append(request)
        # Charged before it is answered, also where the answer is scripted: a refused request counts at Binance too.
        answer: Answer = self._true_answer(request)
        if request.get("method") == "ticker.price" and self.script:
            answer = self.script.popleft()
        await self._send(connection, request, answer)

    async def _send(self, connection: ExchangeConnection, request: dict[str, Any], answer: Answer) -> None:
        """Carry out one answer. A client that has left meanwhile misses it."""
        try:
            if callable(answer):
                await self._send(connection, request, answer(request))
            elif not connection.gets_data:
                return
            elif answer is DropConnection:
                await connection.reset()
            elif isinstance(answer, CloseConnection):
                await connection.close(answer.code, answer.reason)
            elif isinstance(answer, Delayed):
                await asyncio.sleep(answer.seconds)
                await self._send(connection, request, answer.answer)
            elif isinstance(answer, Fragmented):
                await connection.send(_pieces(_payload(answer.answer, request), answer.pieces), text=True)
            elif isinstance(answer, (str, bytes, Mapping)):
                await connection.send(_payload(answer, request), text=True)
            else:
                for item in answer:
                    await self._send(connection, request, item)
        except ConnectionClosed:
            return

    def _true_answer(self, request: dict[str, Any]) -> dict[str, Any]:
        method, params = request.get("method"), request.get("params", {})
        if method == "ticker.book":
            return self._book(params.get("symbol") if isinstance(params, dict) else None)
        if method != "ticker.price":
            return self._error(400, -1020, "This operation is not supported.")
        if not isinstance(params, dict) or set(params) - {"symbol"}:
            return self._error(400, -1101, "Too many parameters sent for this endpoint.")
        self.weight.charge(1 if "symbol" in params else 2)
        if self.weight.used > _WEIGHT_PER_MINUTE:
            return self._limit_exceeded()
        rows = [{"symbol": symbol, "price": price, "time": at} for symbol, (price, at) in list(self.prices.items())]
        if "symbol" not in params:
            return self._result(rows)
        row = next((row for row in rows if row["symbol"] == params["symbol"]), None)
        return self._error(400, -1121, "Invalid symbol.") if row is None else self._result(row)

    def _book(self, symbol: Any) -> dict[str, Any]:
        """Answer both sides of one contract's book, with the id of the update that they stand at."""
        self.weight.charge(2)
        newest = self._newest.get(symbol) if isinstance(symbol, str) else None
        if newest is None or newest.market != USDS_MARGINED:
            return self._error(400, -1121, "Invalid symbol.")
        found = orjson.loads(newest.payload)
        sides = zip(("bidPrice", "bidQty", "askPrice", "askQty", "time"), ("b", "B", "a", "A", "T"), strict=True)
        row = {"symbol": newest.symbol, "lastUpdateId": newest.update_id}
        return self._result(row | {name: found.get(key) for name, key in sides})

    def _result(self, rows: Any) -> dict[str, Any]:
        return {"status": 200, "result": rows, "rateLimits": self.weight.rate_limits()}

    def _limit_exceeded(self) -> dict[str, Any]:
        text = (
            f"Too many requests; current limit of IP is {_WEIGHT_PER_MINUTE} requests per minute. "
            "Please use WebSocket Streams for live updates to avoid polling the API."
        )
        data = {"serverTime": self._clock.now_us() // 1000, "retryAfter": (self.weight.minute + 1) * 60_000}
        return self._error(429, -1003, text, data=data)

    def _error(self, status: int, code: int, message: str, **more: Any) -> dict[str, Any]:
        error = {"code": code, "msg": message, **more}
        return {"status": status, "error": error, "rateLimits": self.weight.rate_limits()}


def _payload(answer: Mapping[str, Any] | str | bytes, request: dict[str, Any]) -> bytes:
    if isinstance(answer, bytes):
        return answer
    if isinstance(answer, str):
        return answer.encode()
    return orjson.dumps({"id": request.get("id"), **answer})


def _pieces(payload: bytes, count: int) -> list[bytes]:
    """The payload cut into `count` pieces of nearly the same length."""
    return [payload[len(payload) * i // count : len(payload) * (i + 1) // count] for i in range(count)]


def _listed_prices(contracts: Iterable[Contract], now: int) -> dict[str, tuple[str, int]]:
    """Prices of the listed contracts, with times spread over the last 45 seconds, and of delisted ones, months old."""
    contracts = list(contracts)
    prices = {
        contract.symbol: (contract.price, now - _SPREAD_OF_TIMES * i // len(contracts))
        for i, contract in enumerate(contracts)
    }
    delisted = {symbol: (price, now - _DELISTED_AGE) for symbol, price in DELISTED_PRICES.items()}
    return prices | delisted
