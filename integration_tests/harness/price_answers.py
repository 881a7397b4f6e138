"""What a test makes the exchange answer to `ticker.price`, and what requests weigh."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from local_exchange import Answer, LocalExchange
from local_exchange.handshakes import Endpoint

Arrangement = Callable[[LocalExchange], None]

HANDSHAKE, ONE, ALL = 5, 1, 2  # weights [binance-facts 1]


def refusal(status: int, code: int, text: str = "Some text.", **data: Any) -> dict[str, Any]:
    return {"status": status, "error": {"code": code, "msg": text, **({"data": data} if data else {})}}


def in_seconds(seconds: float) -> int:
    """An epoch time in ms."""
    return int((time.time() + seconds) * 1000)


def answers(*script: Answer) -> Arrangement:
    """These answers to the next requests."""
    return lambda exchange: exchange.script_answer(*script)


def limited(**form: float) -> Answer:
    """429 with `retryAfter` so many seconds ahead: `ms` as an epoch time, `seconds` as a number, `text` in the text."""

    def answer(_request: dict[str, Any]) -> Answer:
        if "text" in form:
            return refusal(418, -1003, f"Way too much; IP banned until {in_seconds(form['text'])}. Please use streams.")
        after = in_seconds(form["ms"]) if "ms" in form else form["seconds"]
        return refusal(429, -1003, retryAfter=after)

    return answer


def nothing(_exchange: LocalExchange) -> None:
    pass


def weighty(count: int) -> Answer:
    """A temporary failure that tells how much weight this IP address has used."""
    limits = [
        {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 2400, "count": count}
    ]
    return {**refusal(503, -1008, "Server is currently overloaded."), "rateLimits": limits}


MAINTENANCE = '{"239999":"The system is under maintenance, please try again later."}'


def refused(
    endpoint: Endpoint | None, status: int, retry_after: int | None = None, times: int | None = None
) -> Arrangement:
    """Handshakes of one endpoint, or of both, are refused."""
    headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
    return lambda exchange: exchange.refuse(status, headers, endpoint=endpoint, times=times)


def together(*arrangements: Arrangement) -> Arrangement:
    def arrange(exchange: LocalExchange) -> None:
        for arrangement in arrangements:
            arrangement(exchange)

    return arrange
