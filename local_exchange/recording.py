"""Plays recorded frames at the pace of the recording, with USDⓈ-M frames mixed in as on the merged stream of today."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from .engine import Engine
from .updates import Update, market_of

_MIXED_IN_CHANCE = 0.5
_BEFORE_THE_MERGE_CHANCE = 0.3
"""How many of the frames mixed in look as before 2026-06, when USDⓈ-M frames had neither `st` nor `ps`."""


class RecordedUpdate(NamedTuple):
    """An update of the recording and when it came: seconds since the first one, on the receiver's clock."""

    offset: float
    update: Update


class Recording:
    """A source of updates like the engine, but read from a file. It waits for `start()` and ends once."""

    def __init__(self, path: Path, *, speed: float, usds_m: Engine | None, seed: int) -> None:
        self._speed = speed
        self._usds_m = usds_m
        self._random = random.Random(seed)
        self._ahead = deque(read_recording(path))
        self._position = 0.0
        self._started = False

    def start(self) -> None:
        self._started = True

    def due(self, elapsed: float) -> list[Update]:
        """The updates of the last `elapsed` seconds. Paused means that nobody asks: the recording then stands still."""
        if not self._started:
            return []
        self._position += elapsed * self._speed
        updates = []
        while self._ahead and self._ahead[0].offset <= self._position:
            updates.append(self._ahead.popleft().update)
            updates.extend(self._mixed_in())
        return updates

    @property
    def is_over(self) -> bool:
        return not self._ahead

    def _mixed_in(self) -> list[Update]:
        if self._usds_m is None or self._random.random() >= _MIXED_IN_CHANCE:
            return []
        updates = self._usds_m.next(1)
        if self._random.random() < _BEFORE_THE_MERGE_CHANCE:
            return [_as_before_the_merge(update) for update in updates]
        return updates


def read_recording(path: Path) -> Iterator[RecordedUpdate]:
    """The updates of a file with lines such as `{"received":1618677480.077,"frame":"{...}"}`, frames raw or wrapped."""
    first: float | None = None
    for line in path.read_bytes().splitlines():
        row = orjson.loads(line)
        first = row["received"] if first is None else first
        yield RecordedUpdate(row["received"] - first, _update_of(row["frame"]))


def _update_of(frame: str) -> Update:
    """The update in a recorded frame. A wrapped payload is cut out as text: to parse and print might change a byte."""
    message: dict[str, Any] = orjson.loads(frame)
    if "data" in message:
        payload = frame[frame.index('"data":') + len('"data":') : frame.rindex("}")]
        message = message["data"]
        if orjson.loads(payload) != message:
            raise ValueError(f"a wrapped frame with keys after its data cannot be played: {frame}")
    else:
        payload = frame
    return Update(message["s"], message["u"], payload.encode(), message.get("st") or market_of(message["s"]))


def _as_before_the_merge(update: Update) -> Update:
    book_ticker = orjson.loads(update.payload)
    del book_ticker["st"], book_ticker["ps"]
    return update._replace(payload=orjson.dumps(book_ticker))
