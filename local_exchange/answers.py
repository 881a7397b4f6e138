"""What a test can make the WebSocket API answer instead of the truth."""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any


class _Act(enum.Enum):
    NO_ANSWER = enum.auto()
    DROP_CONNECTION = enum.auto()


NoAnswer = _Act.NO_ANSWER
"""The request is swallowed; the connection stays open."""
DropConnection = _Act.DROP_CONNECTION
"""The connection ends with a TCP reset."""


@dataclass(frozen=True)
class CloseConnection:
    """The connection ends with a close frame."""

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
    | _Act
    | CloseConnection
    | Fragmented
    | Delayed
    | Sequence["Answer"]
    | Callable[[dict[str, Any]], "Answer"]
)
"""A mapping is sent as JSON with the request's `id`, unless it brings its own; text and bytes are one text frame as
they are; a sequence is sent in order; a callable is asked with the request."""
