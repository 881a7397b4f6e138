"""What each connection listens to: the streams in its address, its control messages, and what goes wrong with them."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import orjson
from websockets.frames import CloseCode

from .connection import ExchangeConnection
from .control_messages import answer_control_message

_CONTROL_MESSAGES_A_SECOND = 10


Answer = Mapping[str, Any]
_TOO_MANY = MappingProxyType({"code": 4, "msg": "Too many subscriptions"})


@dataclass
class _Rule:
    """What the next SUBSCRIBE messages meet: an answer made from their `id`, or none; `times` None: for ever."""

    answer: Callable[[Any], Answer | None]
    times: int | None


class Subscriptions:
    """Answers control messages. `changed` is called whenever a connection gets other streams than before."""

    def __init__(self, *, silent_prefixes: frozenset[str], changed: Callable[[], None]) -> None:
        self._late = 0.0
        self._silent_prefixes = silent_prefixes
        self.changed = changed
        self._rules: deque[_Rule] = deque()

    def swallow(self, times: int | None) -> None:
        """Neither answer nor carry out the next SUBSCRIBE messages."""
        self._rules.append(_Rule(lambda _: None, times))

    def refuse(self, times: int | None, answer: Answer | None) -> None:
        """Answer the next SUBSCRIBE messages with this as it is, or with Binance's error and their `id`; do nothing."""
        error = {"error": dict(_TOO_MANY)}
        self._rules.append(_Rule(lambda number: answer or {**error, "id": number}, times))

    def delay(self, seconds: float) -> None:
        """Begin the data of each new stream so much later, from now on; it is acknowledged at once all the same."""
        self._late = seconds

    def accept(self) -> None:
        """Forget what was asked for."""
        self._late = 0.0
        self._rules.clear()

    def open(self, connection: ExchangeConnection) -> None:
        """Begin with the streams in the address."""
        self._set(connection, frozenset(connection.address.streams))

    def kill(self, connection: ExchangeConnection, stream: str) -> None:
        """Deliver a stream no longer, whatever is asked for afterwards."""
        connection.dead_streams.add(stream)
        connection.delivered -= {stream}
        self.changed()

    def rest(self, connection: ExchangeConnection, stream: str, seconds: float) -> None:
        """Deliver nothing of a stream for so long."""
        connection.delivered -= {stream}
        asyncio.get_running_loop().call_later(seconds, self._begin, connection, frozenset({stream}))
        self.changed()

    async def answer(self, connection: ExchangeConnection) -> None:
        """Answer control messages until the connection ends."""
        received_at: deque[float] = deque(maxlen=_CONTROL_MESSAGES_A_SECOND + 1)
        async for message in connection:
            received_at.append(asyncio.get_running_loop().time())
            connection.control_messages.append((received_at[-1], _parsed(message)))
            if len(received_at) > _CONTROL_MESSAGES_A_SECOND and received_at[-1] - received_at[0] < 1.0:
                await connection.close(CloseCode.POLICY_VIOLATION, "Too many requests")
                return
            answer = self._answer_to(connection, message)
            if answer is not None and connection.gets_data:
                await connection.send(orjson.dumps(answer), text=True)

    def _answer_to(self, connection: ExchangeConnection, message: str | bytes) -> Answer | None:
        """Carry out a control message and return its answer; None for none."""
        answer, streams = answer_control_message(message, connection.streams)
        request = connection.control_messages[-1][1]
        if isinstance(request, dict) and request.get("method") == "SUBSCRIBE":
            rule = self._next_rule()
            if rule is not None:
                return rule.answer(request.get("id"))
        self._set(connection, streams)
        return answer

    def _next_rule(self) -> _Rule | None:
        if not self._rules:
            return None
        rule = self._rules[0]
        if rule.times is not None:
            rule.times -= 1
            if rule.times == 0:
                self._rules.popleft()
        return rule

    def _set(self, connection: ExchangeConnection, streams: frozenset[str]) -> None:
        added = streams - connection.streams
        connection.streams = streams
        connection.delivered &= streams
        if connection.address.prefix in self._silent_prefixes:
            return
        if self._late:
            asyncio.get_running_loop().call_later(self._late, self._begin, connection, added)
        else:
            self._begin(connection, added)
        self.changed()

    def _begin(self, connection: ExchangeConnection, streams: frozenset[str]) -> None:
        connection.delivered |= (streams & connection.streams) - connection.dead_streams
        self.changed()


def _parsed(message: str | bytes) -> Any:
    """The control message as JSON, or as it came where it is none."""
    try:
        return orjson.loads(message)
    except orjson.JSONDecodeError:
        return message
