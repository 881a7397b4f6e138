"""What one connection listens to: the streams of its address, and those that are asked for by messages. Pure.

SUBSCRIBE and its answer [binance-facts 1, 2.5]; Binance takes 10 control messages a second, and these are few:

    {"method":"SUBSCRIBE","params":["btcusd_perp@bookTicker","ethusd_perp@bookTicker"],"id":1}
    {"result":null,"id":1}
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import orjson

from ..text import told

MESSAGE_EVERY = 0.3  # seconds
NAMES_A_MESSAGE = 100
ANSWER_WITHIN = 5.0  # seconds


class ControlAnswer(NamedTuple):
    """The answer to a control message: `error` is what the server has against it, None where it was accepted."""

    request_id: int | None
    error: str | None


def control_answer(payload: bytes) -> ControlAnswer | None:
    """The answer in a frame, None if it is something else [binance-facts 2.5].

    {"result":null,"id":1}
    {"error":{"code":4,"msg":"Too many subscriptions"}}
    {"code":2,"msg":"Invalid request: request ID must be an unsigned integer"}
    """
    try:
        frame = orjson.loads(payload)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(frame, dict) or "stream" in frame or "e" in frame:
        return None
    request_id = frame.get("id") if type(frame.get("id")) is int else None
    error = frame.get("error", frame if "msg" in frame else None)
    if error is not None:
        said = error.get("msg") if isinstance(error, dict) else error
        return ControlAnswer(request_id, told(said))
    return ControlAnswer(request_id, None) if "result" in frame and request_id is not None else None


class Subscriptions:
    """`streams` is the list of the feed, which only grows; the first `named` of them stand in the address.

    All moments are monotonic seconds.
    """

    def __init__(self, streams: Sequence[str], named: int) -> None:
        self._streams = streams
        self._named = named
        self._asked = named
        self._confirmed = named  # all before it
        self._confirmed_at: float | None = None
        self._next_message_at = 0.0
        self._waiting: dict[int, tuple[int, float]] = {}  # request id: (asked from, sent at)
        self._failed: list[str] = []
        self._ids = 0

    @property
    def expects_answer(self) -> bool:
        return bool(self._waiting)

    def message(self, now: float) -> str | None:
        """The control message that is due, if any."""
        if self._asked >= len(self._streams) or now < self._next_message_at:
            return None
        names = self._streams[self._asked : self._asked + NAMES_A_MESSAGE]
        self._ids += 1
        self._waiting[self._ids] = self._asked, now
        self._asked += len(names)
        self._next_message_at = now + MESSAGE_EVERY
        return orjson.dumps({"method": "SUBSCRIBE", "params": names, "id": self._ids}).decode()

    def answered(self, answer: ControlAnswer, now: float) -> str | None:
        """Takes an answer; why the server refused, if it did."""
        if answer.error is not None:
            self._fail(answer.request_id or self._ids)
            return f"the exchange refused a subscription ({answer.error})"
        if self._waiting.pop(answer.request_id or 0, None) is not None:
            self._confirmed = min((asked_from for asked_from, _ in self._waiting.values()), default=self._asked)
            self._confirmed_at = now
        return None

    def fault(self, now: float) -> str | None:
        """What is wrong: a message that was not answered in time. Told once."""
        late = [request for request, (_, sent_at) in self._waiting.items() if now - sent_at >= ANSWER_WITHIN]
        for request in late:
            self._fail(request)
        return f"a subscription was not acknowledged within {ANSWER_WITHIN:g} seconds" if late else None

    @property
    def failed(self) -> list[str]:
        """The streams that were asked for in vain."""
        return list(self._failed)

    def unconfirmed(self, now: float, seconds: float) -> list[str]:
        """The streams that are not known to have been listened to for so many seconds."""
        is_fresh = self._confirmed_at is not None and now - self._confirmed_at < seconds
        return list(dict.fromkeys([*self._failed, *self._streams[self._named if is_fresh else self._confirmed :]]))

    def _fail(self, request: int) -> None:
        asked_from, _ = self._waiting.pop(request, (self._asked, 0.0))
        self._failed += self._streams[asked_from : min(asked_from + NAMES_A_MESSAGE, self._asked)]
