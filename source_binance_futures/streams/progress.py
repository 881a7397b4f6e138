"""The line that tells, while a sync goes on, that it does. Pure: no clock, no log."""

from __future__ import annotations

from ..binance.market_stream.items import ConnectivityChanged
from ..binance.text import duration

AT_FIRST = 60.0  # seconds in which somebody may be watching
EVERY_AT_FIRST = 10.0  # seconds between two lines
EVERY = 60.0


class Progress:
    """What came since the last line, and which feeds have no connection. Times are monotonic seconds."""

    def __init__(self, began: float) -> None:
        self._began = began
        self._told_at = began
        self._told = 0
        self._lost_at: dict[int, float | None] = {}  # by feed

    def reach(self, change: ConnectivityChanged) -> None:
        """A feed has got a connection, or was left without one."""
        self._lost_at[change.feed] = change.lost_at

    def is_due(self, now: float) -> bool:
        """Every ten seconds in the first minute, every minute after it."""
        every = EVERY_AT_FIRST if self._told_at - self._began < AT_FIRST else EVERY
        return now >= self._told_at + every

    def line(self, now: float, emitted: int, symbols: int, left: float) -> str:
        """How many updates of how many symbols came, how fast since the last line; `left` seconds of the window."""
        rate = (emitted - self._told) / max(now - self._told_at, 0.001)
        self._told, self._told_at = emitted, now
        line = f"{emitted} updates of {symbols} symbols, {rate:.0f} a second, {left:.0f} seconds left."
        return " ".join(filter(None, (line, self._unreached(now))))

    def _unreached(self, now: float) -> str:
        """The feeds without a connection, in a sentence; nothing where each has one."""
        lost_at = [moment for moment in self._lost_at.values() if moment is not None]
        if not lost_at:
            return ""
        longest = duration(now - min(lost_at))
        if len(self._lost_at) == 1:
            return f"Not connected for {longest}."
        return f"{len(lost_at)} of {len(self._lost_at)} connections are missing, the longest for {longest}."
