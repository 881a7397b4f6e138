"""The connector's connection, with its control frames noted on the way."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from ..binance.transport.connection import Connection
from ..binance.transport.framing import PING, PONG, ControlFrame
from .facts import PingFacts

PINGS_KEPT = 1000
PONG_WITHIN = 10.0  # seconds, as the connector waits
FAR_OFF_MS = 86_400_000  # a payload further from our clock is no time in milliseconds


class WatchedConnection(Connection):
    """Answers pings as the connector does, and remembers them. `pings` and `pongs` carry their monotonic time."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.opened_at = self.clock.monotonic()
        self.pings: list[tuple[float, bytes]] = []
        self.pongs: list[float] = []
        self._asked: list[float] = []

    def ping(self) -> None:
        """Asks for a sign of life, and remembers when."""
        self._asked.append(self.clock.monotonic())
        super().ping()

    def _answer(self, controls: Sequence[ControlFrame]) -> None:
        now = self.clock.monotonic()
        for opcode, payload in controls:
            if opcode == PING and len(self.pings) < PINGS_KEPT:
                self.pings.append((now, payload))
            elif opcode == PONG and len(self.pongs) < PINGS_KEPT:
                self.pongs.append(now)
        super()._answer(controls)

    def ping_facts(self, now: float, epoch_offset: float) -> PingFacts:
        """What is known `now` (monotonic); `epoch_offset` is the wall clock minus the monotonic one."""
        offsets, odd = [], 0
        for at, payload in self.pings:
            offset = (at + epoch_offset) * 1000 - int(payload) if payload.isdigit() else None
            if offset is None or abs(offset) > FAR_OFF_MS:
                odd += 1
            else:
                offsets.append(round(offset, 1))
        moments = [at for at, _ in self.pings]
        waits = [next((pong - asked for pong in self.pongs if pong >= asked), None) for asked in self._asked]
        answered = [wait for wait in waits if wait is not None and wait <= PONG_WITHIN]
        due = sum(
            wait is not None or now - asked >= PONG_WITHIN for wait, asked in zip(waits, self._asked, strict=True)
        )
        return PingFacts(
            len(self.pings),
            odd,
            tuple(round(later - earlier, 1) for earlier, later in pairwise(moments)),
            tuple(offsets),
            due,
            len(answered),
            round(max(answered, default=0.0), 3),
        )
