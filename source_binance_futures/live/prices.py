"""The WebSocket API, asked as the connector asks it: few requests, their answers, and what they cost."""

from __future__ import annotations

import contextlib
import queue
import threading
import uuid
from typing import Any

from orjson import JSONDecodeError, loads

from ..binance.clock import LOOK_EVERY, Deadline, Stop
from ..binance.endpoints import Market, market_of
from ..binance.errors import BinanceError, HandshakeRefused, NoAnswer, RateLimited, UnexpectedFailure
from ..binance.transport.address import host_of
from ..binance.transport.connection import Connection
from ..binance.transport.dialler import connect
from ..binance.transport.route import Route
from ..binance.websocket_api.client import MAX_MESSAGE_BYTES
from ..binance.websocket_api.prices import fault_of_row, parse_answer, request
from ..binance.websocket_api.weight import MINUTE
from .contents import DECIMAL
from .facts import PriceFacts

LISTED, UNLISTED = "BTCUSDT", "NOSUCHUSDT"
CONNECT_WITHIN = 10.0  # seconds
ANSWER_WITHIN = 10.0
ASKING_TAKES = 10.0  # seconds; all of it belongs into one minute, since the weight is counted by that
CONNECTIONS = 2


def ask_prices(url: str, route: Route, stop: Stop, deadline: Deadline) -> tuple[PriceFacts, BinanceError | None]:
    """Asks for one symbol, for all and for one not listed, then for one twice over a second connection: weight 16.

    What was learned, and the error that ended it, if one did.
    """
    asking = _Asking(url, route, stop, deadline)
    try:
        asking.run()
    except BinanceError as error:
        asking.known["failure"] = type(error).__name__
        asking.known["status"] = error.status if isinstance(error, HandshakeRefused | RateLimited) else None
        return PriceFacts(**asking.known), error
    return PriceFacts(**asking.known), None


class PriceAsking:
    """Does it in a thread of its own. `facts` is None until it has ended, `error` why it ended early, if it did."""

    def __init__(self, url: str, route: Route, stop: Stop) -> None:
        self.facts: PriceFacts | None = None
        self.error: BinanceError | None = None
        self._url = url
        self._route = route
        self._stop = stop
        self._outcomes: queue.SimpleQueue[tuple[PriceFacts, BinanceError | None]] = queue.SimpleQueue()

    def start(self, end: Deadline) -> None:
        threading.Thread(target=self._ask, args=(end,), name="ask prices", daemon=True).start()

    def meet(self, seconds: float) -> None:
        """Waits so long for it to end."""
        if self.facts is None:
            with contextlib.suppress(queue.Empty):
                self.facts, self.error = self._outcomes.get(block=seconds > 0, timeout=seconds or None)

    def _ask(self, end: Deadline) -> None:
        try:
            outcome = ask_prices(self._url, self._route, self._stop, end)
        except Exception as error:  # whatever it is, the thread that waits must hear of it
            outcome = PriceFacts(failure=type(error).__name__), UnexpectedFailure(error)
        self._outcomes.put(outcome)


class _Asking:
    def __init__(self, url: str, route: Route, stop: Stop, deadline: Deadline) -> None:
        self.known: dict[str, Any] = {}
        self._url = url
        self._host = host_of(url)
        self._route = route
        self._stop = stop
        self._deadline = deadline

    def run(self) -> None:
        until_next_minute = MINUTE - self._stop.clock.epoch() % MINUTE
        if until_next_minute < ASKING_TAKES < self._deadline.remaining() - until_next_minute:
            self._stop.sleep_until(self._stop.clock.monotonic() + until_next_minute)
        first = self._open()
        minute = int(self._stop.clock.epoch() // MINUTE)
        try:
            one = self._ask(first, LISTED)
            self.known["one_fault"] = self._fault(one, LISTED)
            every = self._ask(first, None)
            self.known["all_fault"] = self._fault(every, None)
            self._rows(every)
            unknown = self._ask(first, UNLISTED)
            self._unknown(unknown)
        finally:
            first.close()
        second_connection = self._open()
        try:
            again = self._ask(second_connection, LISTED)
            last = self._ask(second_connection, LISTED)
        finally:
            second_connection.close()
        if int(self._stop.clock.epoch() // MINUTE) == minute:
            self._weigh(*(_count(answer) for answer in (one, every, unknown, again, last)))
        self.known["weight_limit"] = _limit(one).get("limit")

    def _weigh(self, *counts: int | None) -> None:
        """Differences only: how much other programs behind this address have used is nobody's business."""
        known = [count for count in counts if count is not None]
        if len(known) < len(counts):
            return
        one, every, unknown, again, last = known
        self.known["weight_all"] = every - one
        self.known["weight_one"] = last - again
        self.known["weight_handshake"] = again - unknown - self.known["weight_one"]

    def _fault(self, answer: dict[str, Any], symbol: str | None) -> str:
        """What the connector, and the schema, have against an answer; "" for nothing."""
        try:
            parsed = parse_answer(answer["payload"], answer["request"], symbol, self._host, self._stop.clock.epoch())
        except BinanceError as error:
            return type(error).__name__
        if parsed is None:
            return "another id"
        if isinstance(parsed.error, RateLimited):
            raise parsed.error
        if parsed.error is not None:
            return type(parsed.error).__name__
        if symbol is not None and isinstance(answer["frame"].get("result"), list):
            return "a list for one symbol"
        return next(filter(None, (fault_of_row(row) or _fault_of_row(row) for row in parsed.rows)), "")

    def _rows(self, answer: dict[str, Any]) -> None:
        result = answer["frame"].get("result")
        rows = [row for row in result if isinstance(row, dict)] if isinstance(result, list) else []
        self.known["rows"] = len(rows)
        self.known["coin_m_rows"] = sum(market_of(str(row.get("symbol"))) is Market.COIN_M for row in rows)

    def _unknown(self, answer: dict[str, Any]) -> None:
        status, error = answer["frame"].get("status"), answer["frame"].get("error")
        code = error.get("code") if isinstance(error, dict) else None
        self.known["unknown_status"] = status if isinstance(status, int) else None
        self.known["unknown_code"] = code if isinstance(code, int) else None

    def _open(self) -> Connection:
        within = min(self._deadline.remaining(), CONNECT_WITHIN)
        return connect(self._url, self._route, self._stop, within, MAX_MESSAGE_BYTES)

    def _ask(self, connection: Connection, symbol: str | None) -> dict[str, Any]:
        """The answer as it came: `payload`, `frame` as parsed, and the `request` that it answers."""
        request_id = uuid.uuid4().hex
        deadline = self._deadline.or_after(ANSWER_WITHIN)
        connection.send_text(request(request_id, symbol))
        while not (deadline.expired or self._stop.requested):
            for payload in connection.receive().payloads:
                return {"payload": payload, "frame": _object(payload), "request": request_id}
            if connection.loss is not None:
                raise connection.loss
            connection.wait(min(deadline.remaining(), LOOK_EVERY))
        raise NoAnswer(self._host, ANSWER_WITHIN)


def _fault_of_row(row: dict[str, Any]) -> str:
    if not DECIMAL.match(row["price"]):
        return "a price that is no decimal"
    return "" if type(row.get("time")) is int else "no time"


def _object(payload: bytes) -> dict[str, Any]:
    try:
        frame = loads(payload)
    except JSONDecodeError:
        return {}
    return frame if isinstance(frame, dict) else {}


def _limit(answer: dict[str, Any]) -> dict[str, Any]:
    limits = answer["frame"].get("rateLimits")
    for limit in limits if isinstance(limits, list) else []:
        if isinstance(limit, dict) and limit.get("rateLimitType") == "REQUEST_WEIGHT":
            return limit
    return {}


def _count(answer: dict[str, Any]) -> int | None:
    count = _limit(answer).get("count")
    return count if isinstance(count, int) else None
