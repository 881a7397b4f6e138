"""A cheap look at the unparsed frames of one read: what the failover must know before anything is parsed. Pure."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from orjson import JSONDecodeError, loads

from ..text import told
from .messages import NoBookTicker, is_shutdown_notice, may_be_book_ticker, parse_frame

SAMPLE_MARK = b'"!bookTicker"'
SHUTDOWN_MARK = b"serverShutdown"
EVENT_TIME = re.compile(rb'"E":\s*(\d{1,16})')


class Glance(NamedTuple):
    """`has_update`: an update of a contract's own stream is among the frames, or of any where none is followed.

    `pushed_from` and `pushed_at`: event times of the first and the last of those, in epoch seconds, None where they say
    none. `samples`: the frames of the all-market stream. `retiring`: the server announces its end.
    """

    has_data: bool
    has_update: bool
    pushed_from: float | None
    pushed_at: float | None
    samples: list[bytes]
    retiring: bool


def glance(payloads: Sequence[bytes], joined: bytes, *, own_streams: bool) -> Glance:
    """Looks at the frames of one read, which `joined` holds in one piece: one look at all costs less than one at each.

    With `own_streams` contracts are followed by their own streams, and samples of the all-market stream prove nothing
    of those. Without, a sample is an update; its event time may be that of a change long past, so it says nothing.
    """
    retiring = SHUTDOWN_MARK in joined and any(map(is_shutdown_notice, payloads))
    if not own_streams:
        has_data = _first(payloads) is not None
        return Glance(has_data, has_data, None, None, [], retiring)
    samples: list[bytes] = []
    own = payloads
    if SAMPLE_MARK in joined:
        samples = [payload for payload in payloads if SAMPLE_MARK in payload]
        own = [payload for payload in payloads if SAMPLE_MARK not in payload]
    first = _first(own)
    if first is None:
        return Glance(bool(samples), False, None, None, samples, retiring)
    return Glance(True, True, _event_time(first), _event_time(_first(reversed(own)) or first), samples, retiring)


def _first(payloads: Iterable[bytes]) -> bytes | None:
    return next(filter(may_be_book_ticker, payloads), None)


def _event_time(payload: bytes) -> float | None:
    found = EVENT_TIME.search(payload)
    return int(found.group(1)) / 1000 if found else None


def contracts_in(samples: Sequence[bytes]) -> list[dict[str, object]]:
    """The book tickers in frames of the all-market stream; what is malformed is left to who counts that."""
    found = []
    for payload in samples:
        with contextlib.suppress(NoBookTicker):
            found.append(parse_frame(payload)[0])
    return found


class Answer(NamedTuple):
    """The answer to a control message: `error` is what the server has against it, None where it was accepted."""

    request_id: int | None
    error: str | None


def control_answer(payload: bytes) -> Answer | None:
    """The answer in a frame, None if it is something else [binance-protocol 2.5].

    {"result":null,"id":1}
    {"error":{"code":4,"msg":"Too many subscriptions"}}
    {"code":2,"msg":"Invalid request: request ID must be an unsigned integer"}
    """
    try:
        frame = loads(payload)
    except JSONDecodeError:
        return None
    if not isinstance(frame, dict) or "stream" in frame or "e" in frame:
        return None
    request_id = frame.get("id") if type(frame.get("id")) is int else None
    error = frame.get("error", frame if "msg" in frame else None)
    if error is not None:
        said = error.get("msg") if isinstance(error, dict) else error
        return Answer(request_id, told(said))
    return Answer(request_id, None) if "result" in frame and request_id is not None else None
