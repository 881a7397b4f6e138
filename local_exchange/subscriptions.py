"""What each connection listens to: the streams in its address, its control messages, and what goes wrong with them.

SUBSCRIBE, UNSUBSCRIBE and LIST_SUBSCRIPTIONS are answered as Binance documents it: binance-facts sections 1 and 2.5;
"Live Subscribing/Unsubscribing to streams" in Binance's documentation. An acknowledgement proves nothing: an unknown or
uppercase stream name is accepted, and then stays silent.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import orjson
from websockets.frames import CloseCode

from .connection import ExchangeConnection

T = TypeVar("T")
Answer = Mapping[str, Any]

_CONTROL_MESSAGES_A_SECOND = 10
_MOST_STREAMS = 1024
_METHODS = ("SUBSCRIBE", "UNSUBSCRIBE", "LIST_SUBSCRIPTIONS")


@dataclass
class Rule(Generic[T]):
    """What the next `times` handshakes or subscriptions meet, for ever with None; `endpoint` None: at either."""

    met: T
    times: int | None
    endpoint: str | None = None


def next_met(rules: list[Rule[T]], endpoints: Collection[str] = ()) -> T | None:
    """What the next one at an endpoint of these names meets: the oldest rule that applies to it, which is used up."""
    for rule in rules:
        if rule.endpoint is None or rule.endpoint in endpoints:
            if rule.times is not None:
                rule.times -= 1
                if rule.times == 0:
                    rules.remove(rule)
            return rule.met
    return None


class Subscriptions:
    """Answers control messages. `changed` is called whenever a connection gets other streams than before.

    `rules`: what the next SUBSCRIBE messages meet, an answer made from their `id` or None for none; they are not
    carried out. `late`: the data of each new stream begins so many seconds later; it is acknowledged at once all the
    same.
    """

    def __init__(self, *, silent_prefixes: frozenset[str], changed: Callable[[], None]) -> None:
        self.changed = changed
        self.rules: list[Rule[Callable[[Any], Answer | None]]] = []
        self.late = 0.0
        self._silent_prefixes = silent_prefixes

    def open(self, connection: ExchangeConnection) -> None:
        """Begin with the streams in the address."""
        self._set(connection, frozenset(connection.address.streams))

    def kill(self, connection: ExchangeConnection, stream: str) -> None:
        """Deliver a stream no longer, whatever is asked for afterwards."""
        connection.dead_streams.add(stream)
        connection.delivered -= {stream}
        self.changed()

    async def answer(self, connection: ExchangeConnection) -> None:
        """Answer control messages until the connection ends."""
        received_at: deque[float] = deque(maxlen=_CONTROL_MESSAGES_A_SECOND + 1)
        async for message in connection:
            received_at.append(asyncio.get_running_loop().time())
            request: Any = message
            answer: Answer | None = None
            try:
                request = orjson.loads(message)
            except orjson.JSONDecodeError as error:
                answer = {"code": 3, "msg": f"Invalid JSON: {error}"}
            connection.control_messages.append((received_at[-1], request))
            if len(received_at) > _CONTROL_MESSAGES_A_SECOND and received_at[-1] - received_at[0] < 1.0:
                await connection.close(CloseCode.POLICY_VIOLATION, "Too many requests")
                return
            answer = answer or self._answer_to(connection, request)
            if answer is not None and connection.gets_data:
                await connection.send(orjson.dumps(answer), text=True)

    def _answer_to(self, connection: ExchangeConnection, request: Any) -> Answer | None:
        """Carry out a control message and return its answer; None for none."""
        is_one_to_subscribe = isinstance(request, dict) and request.get("method") == "SUBSCRIBE"
        if is_one_to_subscribe and self.rules and (met := next_met(self.rules)) is not None:
            return met(request.get("id"))
        if (fault := _fault(request)) is not None:
            return {"code": 2, "msg": f"Invalid request: {fault}"}
        number = request["id"]
        if request["method"] == "LIST_SUBSCRIPTIONS":
            return {"result": sorted(connection.streams), "id": number}
        change = frozenset.union if is_one_to_subscribe else frozenset.difference
        streams = change(connection.streams, request["params"])
        if len(streams) > _MOST_STREAMS:
            return too_many(number)
        self._set(connection, streams)
        return {"result": None, "id": number}

    def _set(self, connection: ExchangeConnection, streams: frozenset[str]) -> None:
        added = streams - connection.streams
        connection.streams = streams
        connection.delivered &= streams
        if connection.address.prefix in self._silent_prefixes:
            return
        if self.late:
            asyncio.get_running_loop().call_later(self.late, self._begin, connection, added)
        else:
            self._begin(connection, added)
        self.changed()

    def _begin(self, connection: ExchangeConnection, streams: frozenset[str]) -> None:
        connection.delivered |= (streams & connection.streams) - connection.dead_streams
        self.changed()


def too_many(number: Any) -> Answer:
    """Binance's error for more streams than a connection may have."""
    return {"error": {"code": 4, "msg": "Too many subscriptions"}, "id": number}


def _fault(request: Any) -> str | None:
    """What is wrong with a control message; None for one that can be carried out."""
    if not isinstance(request, dict):
        return "expected an object"
    number, names = request.get("id"), request.get("params")
    if not isinstance(number, int) or isinstance(number, bool) or number < 0:
        return "request ID must be an unsigned integer"
    if request.get("method") not in _METHODS:
        return f"unknown variant `{request.get('method')}`, expected one of {', '.join(_METHODS)}"
    if request["method"] == "LIST_SUBSCRIPTIONS":
        return None
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        return "params must be an array of stream names"
    return None
