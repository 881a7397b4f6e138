"""SUBSCRIBE, UNSUBSCRIBE and LIST_SUBSCRIPTIONS on a market stream, answered as Binance documents it.

Facts: binance-facts sections 1 and 2.5; "Live Subscribing/Unsubscribing to streams" in Binance's documentation. An
acknowledgement proves nothing: an unknown or uppercase stream name is accepted, and then stays silent.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import orjson

_MOST_STREAMS = 1024


class Answered(NamedTuple):
    """The answer to a control message, and the streams that the connection listens to from then on."""

    answer: dict[str, Any]
    streams: frozenset[str]


class _InvalidRequest(Exception):
    """Carries the answer."""

    def __init__(self, code: int, message: str) -> None:
        self.answer = {"code": code, "msg": message}
        super().__init__(message)


def answer_control_message(message: str | bytes, streams: frozenset[str]) -> Answered:
    """Answer a control message of a connection that listens to `streams`."""
    try:
        request = _parse(message)
        if request["method"] == "LIST_SUBSCRIPTIONS":
            return Answered({"result": sorted(streams), "id": request["id"]}, streams)
        names = _stream_names(request)
    except _InvalidRequest as invalid:
        return Answered(invalid.answer, streams)
    changed = streams.union(names) if request["method"] == "SUBSCRIBE" else streams.difference(names)
    if len(changed) > _MOST_STREAMS:
        return Answered({"error": {"code": 4, "msg": "Too many subscriptions"}, "id": request["id"]}, streams)
    return Answered({"result": None, "id": request["id"]}, changed)


def _parse(message: str | bytes) -> dict[str, Any]:
    """The request in a message, its `id` and `method` checked."""
    try:
        request = orjson.loads(message)
    except orjson.JSONDecodeError as error:
        raise _InvalidRequest(3, f"Invalid JSON: {error}") from None
    if not isinstance(request, dict):
        raise _InvalidRequest(2, "Invalid request: expected an object")
    request_id = request.get("id")
    if not isinstance(request_id, int) or isinstance(request_id, bool) or request_id < 0:
        raise _InvalidRequest(2, "Invalid request: request ID must be an unsigned integer")
    methods = ("SUBSCRIBE", "UNSUBSCRIBE", "LIST_SUBSCRIPTIONS")
    if request.get("method") not in methods:
        raise _InvalidRequest(
            2, f"Invalid request: unknown variant `{request.get('method')}`, expected one of {', '.join(methods)}"
        )
    return request


def _stream_names(request: dict[str, Any]) -> list[str]:
    names = request.get("params")
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise _InvalidRequest(2, "Invalid request: params must be an array of stream names")
    return names
