"""The WebSocket API of USDⓈ-M futures: one request, its answer, within Binance's limits."""

from __future__ import annotations

import contextlib
import logging
import uuid
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any

import tenacity

from .. import errors
from ..clock import LOOK_EVERY, Stop
from ..transport.address import host_of
from ..transport.connection import Connection, connect
from ..transport.proxy import Route
from .prices import ALL_SYMBOLS_WEIGHT, HANDSHAKE_WEIGHT, ONE_SYMBOL_WEIGHT, Answer, WeightBudget, parse_answer, request

MAX_MESSAGE_BYTES = 16 * 1024 * 1024  # all prices are 60 kB in 2026
CONNECT_TIMEOUT = 10.0
ANSWER_TIMEOUT = 10.0
ATTEMPTS = 4  # one, and three more
LONGEST_WAIT = 60.0  # seconds at once for Binance's limits; beyond that the next sync is the better place
AT_LEAST = 30.0  # seconds for a call, however short the window
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 4.0  # seconds between tries


@dataclass
class WebSocketApi:
    """Asks `ticker.price`; every try opens a connection of its own and leaves it.

    It takes no longer than `window` (seconds), or 30 seconds where that is more, and waits for Binance's limits within
    `window` only; where that is 0, nothing is tried twice. `budget` is that of the process.
    """

    url: str
    route: Route
    stop: Stop
    _: KW_ONLY
    window: float
    logger: logging.Logger
    budget: WeightBudget
    timeout: float = ANSWER_TIMEOUT

    def __post_init__(self) -> None:
        self._clock = self.stop.clock
        self._wait_until = self._clock.deadline(self.window)
        self._end = self._clock.deadline(max(self.window, AT_LEAST))

    def latest_prices(self, symbols: Sequence[str]) -> Sequence[Any]:
        """Return the rows to choose from, as sent: of one symbol (weight 1), or all for none or several (weight 2).

        The handshake costs 5 more. Raises a `BinanceError` whose owner says who must act; temporary failures only after
        the tries are used up.
        """
        retrying = tenacity.Retrying(
            stop=lambda state: state.attempt_number >= ATTEMPTS or self._end.expired or not self.window,
            wait=tenacity.wait_exponential(FIRST_PAUSE, LONGEST_PAUSE) + tenacity.wait_random(0, FIRST_PAUSE),
            retry=tenacity.retry_if_exception(self._is_worth_another_try),
            sleep=self.stop.sleep,
            before_sleep=self._before_next_try,
            reraise=True,
        )
        return retrying(self._ask, symbols[0] if len(symbols) == 1 else None)

    def _ask(self, symbol: str | None) -> Sequence[Any]:
        cost = HANDSHAKE_WEIGHT + (ALL_SYMBOLS_WEIGHT if symbol is None else ONE_SYMBOL_WEIGHT)
        self._wait_for_weight(cost)
        self.budget.spend(cost)
        within = min(CONNECT_TIMEOUT, self.timeout, self._end.remaining())
        connection = connect(self.url, self.route, self.stop, within, MAX_MESSAGE_BYTES)
        with contextlib.closing(connection):
            answer = self._exchange(connection, symbol)
        if answer.weight is not None:
            self.budget.record(answer.weight, self._clock.epoch())
            self.logger.info(
                f"Request weight used by this IP address this minute: {answer.weight.count} of {answer.weight.limit}."
            )
        if answer.error is not None:
            raise answer.error
        return answer.rows

    def _exchange(self, connection: Connection, symbol: str | None) -> Answer:
        host, request_id, deadline = host_of(self.url), uuid.uuid4().hex, self._end.or_after(self.timeout)
        connection.send_text(request(request_id, symbol))
        while connection.loss is None and not deadline.expired:
            connection.wait(min(deadline.remaining(), LOOK_EVERY))
            for payload in connection.receive().payloads:
                answer = parse_answer(payload, request_id, symbol, host, self._clock.epoch())
                if answer is not None:
                    return answer
                self.logger.debug("A frame that answers another request was ignored.")
            if self.stop.requested:
                raise errors.Interrupted
        raise connection.loss or errors.NoAnswer(host, self.timeout)

    def _wait_for_weight(self, cost: int) -> None:
        """Wait for the next minute of the UTC clock where this request would bring the IP address near its limit."""
        used, wait = self.budget.used, self.budget.seconds_to_wait(cost, self._clock.epoch())
        if 0 < wait <= self._may_wait():
            self.logger.warning(
                f"This IP address has used {used.count} of {used.limit} request weight in this minute. "
                f"Waiting {wait:.0f} seconds for the next one."
            )
            self.stop.sleep(wait)

    def _may_wait(self) -> float:
        """Return how many seconds may be waited for Binance's limits now."""
        return min(self._wait_until.remaining(), LONGEST_WAIT)

    # --- trying again ---

    def _is_worth_another_try(self, error: BaseException) -> bool:
        if isinstance(error, errors.RateLimited):
            return error.retry_at - self._clock.epoch() <= self._may_wait()
        is_temporary = isinstance(error, errors.BinanceError) and error.owner is errors.Owner.EXCHANGE
        return is_temporary and not isinstance(error, errors.Interrupted)

    def _before_next_try(self, state: tenacity.RetryCallState) -> None:
        """Report why a try failed, and wait until the moment that Binance named, if any; a growing pause follows."""
        error = state.outcome and state.outcome.exception()
        self.logger.warning(f"Asking for prices failed (try {state.attempt_number} of {ATTEMPTS}): {error}")
        if error:
            self.logger.debug(errors.causes_of(error))
        if isinstance(error, errors.RateLimited):
            self.stop.sleep(error.retry_at - self._clock.epoch())
