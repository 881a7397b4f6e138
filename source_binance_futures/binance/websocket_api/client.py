"""The WebSocket API of USDⓈ-M futures: one request, its answer, within Binance's limits."""

from __future__ import annotations

import logging
import uuid
from dataclasses import KW_ONLY, dataclass
from typing import Any

import tenacity

from ..clock import LOOK_EVERY, Stop
from ..errors import (
    BinanceError,
    ConnectFailed,
    ConnectionLost,
    ExchangeUnavailable,
    Interrupted,
    NoAnswer,
    Owner,
    RateLimited,
    causes_of,
)
from ..transport.address import host_of
from ..transport.connection import Connection, connect, wait_for_any
from ..transport.proxy import Route
from .prices import Answer, WeightBudget, cost_of, parse_answer, request

MAX_MESSAGE_BYTES = 16 * 1024 * 1024  # all prices are 60 kB in 2026
CONNECT_TIMEOUT = 10.0
ANSWER_TIMEOUT = 10.0
ATTEMPTS = 4  # one, and three more
LONGEST_WAIT = 60.0  # seconds for Binance's limits; beyond that the next sync is the better place
AT_LEAST = 30.0  # seconds for a call, however short the window
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 4.0  # seconds between tries


@dataclass
class WebSocketApi:
    """Asks `ticker.price`. Every call opens a connection of its own and leaves it.

    `window` is how long a call may wait for Binance's limits in all, in seconds; with `attempts=1` nothing is tried
    twice. A call takes no longer than `window`, or 30 seconds where that is more. `budget` is that of the process.
    """

    url: str
    route: Route
    stop: Stop
    _: KW_ONLY
    window: float
    logger: logging.Logger
    budget: WeightBudget
    attempts: int = ATTEMPTS
    timeout: float = ANSWER_TIMEOUT

    def __post_init__(self) -> None:
        self._host = host_of(self.url)
        self._clock = self.stop.clock
        self._wait_until = self._end = self._clock.deadline(self.window)
        self._connection: Connection | None = None

    def latest_prices(self, symbol: str | None) -> tuple[Any, ...]:
        """The rows of all symbols (weight 2) as sent, or of one (weight 1); the handshake costs 5 more.

        Raises a `BinanceError` whose owner says who must act; temporary failures only after the tries are used up.
        """
        self._wait_until = self._clock.deadline(self.window)
        self._end = self._clock.deadline(max(self.window, AT_LEAST))
        retrying = tenacity.Retrying(
            stop=lambda state: state.attempt_number >= self.attempts or self._end.expired,
            wait=self._pause,
            retry=tenacity.retry_if_exception(self._is_worth_another_try),
            sleep=self._sleep,
            before_sleep=self._tell,
            reraise=True,
        )
        try:
            return retrying(self._ask, symbol)
        finally:
            self._leave()

    def _ask(self, symbol: str | None) -> tuple[Any, ...]:
        cost = cost_of(symbol, connected=self._connection is not None)
        self._wait_for_weight(cost)
        self.budget.spent(cost, self._clock.epoch())
        if self._connection is None:
            self._connection = self._open()
        try:
            answer = self._exchange(self._connection, symbol)
        except BinanceError:
            self._leave()
            raise
        if answer.weight is not None:
            self.budget.record(answer.weight, self._clock.epoch())
            self.logger.info(
                f"Request weight used by this IP address this minute: {answer.weight.count} of {answer.weight.limit}."
            )
        if answer.error is not None:
            raise answer.error
        return answer.rows

    def _exchange(self, connection: Connection, symbol: str | None) -> Answer:
        request_id = uuid.uuid4().hex
        deadline = self._end.or_after(self.timeout)
        connection.send_text(request(request_id, symbol))
        while True:
            for payload in connection.receive().payloads:
                answer = parse_answer(payload, request_id, symbol, self._host, self._clock.epoch())
                if answer is not None:
                    return answer
                self.logger.debug("A frame that answers another request was ignored.")
            if connection.loss is not None:
                raise connection.loss
            if self.stop.requested:
                raise Interrupted
            if deadline.expired:
                raise NoAnswer(self._host, self.timeout)
            wait_for_any([connection], min(deadline.remaining(), LOOK_EVERY))

    def _open(self) -> Connection:
        within = min(CONNECT_TIMEOUT, self.timeout, self._end.remaining())
        return connect(self.url, self.route, self.stop, within, MAX_MESSAGE_BYTES)

    def _leave(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _wait_for_weight(self, cost: int) -> None:
        """Waits for the next minute of the UTC clock where this request would bring the IP address near its limit."""
        now = self._clock.epoch()
        used, wait = self.budget.used(now), self.budget.seconds_to_wait(cost, now)
        if used is None or not 0 < wait <= self._may_wait():
            return
        self.logger.warning(
            f"This IP address has used {used.count} of {used.limit} request weight in this minute. "
            f"Waiting {wait:.0f} seconds for the next one."
        )
        self._sleep(wait)

    def _may_wait(self) -> float:
        """How many seconds may be waited for Binance's limits now."""
        return min(self._wait_until.remaining(), LONGEST_WAIT)

    # --- trying again ---

    def _is_worth_another_try(self, error: BaseException) -> bool:
        if isinstance(error, RateLimited):
            return error.retry_at - self._clock.epoch() <= self._may_wait()
        temporary = (ConnectFailed, ConnectionLost, ExchangeUnavailable, NoAnswer)
        return isinstance(error, temporary) and error.owner is Owner.EXCHANGE

    def _pause(self, state: tenacity.RetryCallState) -> float:
        """Growing pauses; at least until the moment that Binance named, however the clocks differ."""
        growing = tenacity.wait_exponential(multiplier=FIRST_PAUSE, max=LONGEST_PAUSE)(state)
        growing += tenacity.wait_random(0, FIRST_PAUSE)(state)
        error = state.outcome.exception() if state.outcome else None
        return max(error.retry_at - self._clock.epoch(), growing) if isinstance(error, RateLimited) else growing

    def _tell(self, state: tenacity.RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        self.logger.warning(f"Asking for prices failed (try {state.attempt_number} of {self.attempts}): {error}")
        if error is not None:
            self.logger.debug(causes_of(error))

    def _sleep(self, seconds: float) -> None:
        if not self.stop.sleep_until(self._clock.monotonic() + seconds):
            raise Interrupted
