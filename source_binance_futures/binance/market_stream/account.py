"""The one number of a feed: until when everything that was pushed is accounted for. Pure.

*Accounted until*: everything pushed before it was emitted, or is told as missing. Only an update of the line in use
moves it, since silence, a ping that is answered and an acknowledgement prove nothing; and a gap is a jump of it.
"""

from __future__ import annotations

from .events import TellGap, TellSilence
from .line import Line
from .push_clock import PushClock

SHORTEST_GAP = 0.001  # seconds; what is shorter lies within the doubt about when things were pushed


class Account:
    """`until` is epoch seconds of the exchange's clock, None before the first update.

    `outage` says why updates may be missing since then, None where none may be. `silence` is the milder doubt: nothing
    came since then over connections that answer, so most likely nothing was pushed.
    """

    def __init__(self, clock: PushClock, began: float) -> None:
        self.until: float | None = None
        self.outage: str | None = None
        self.silence: str | None = None
        self._clock = clock
        self._began = began  # monotonic seconds

    @property
    def is_open(self) -> bool:
        """Whether something may be missing since `until` that is not told yet."""
        return self.outage is not None or self.silence is not None

    def open_outage(self, cause: str) -> None:
        """From the last update on, or from the very beginning, something may be missing. The first cause stays."""
        self.outage = cause if self.outage is None else self.outage
        self.silence = None

    def open_silence(self, cause: str) -> None:
        """The same, where connections answer and bring nothing. An outage stays one."""
        if self.outage is None:
            self.silence = cause

    def emitted(self, line: Line) -> list[TellGap | TellSilence]:
        """What the line in use has brought was emitted; its first update ends what was open."""
        if line.reached is None or line.covers_from is None:
            return []
        told = self.told_until(line.covers_from)
        self.until = line.reached if self.until is None else max(self.until, line.reached)
        return told

    def told_until(self, until: float) -> list[TellGap | TellSilence]:
        """The jump to `until` over what is open, if anything is."""
        if not self.is_open:
            return []
        # The beginning is known by our own clock, and what the exchange's says then only after its first frame.
        accounted = self._clock.now(self._began) if self.until is None else self.until
        told: list[TellGap | TellSilence] = []
        if self.outage is not None:
            since = accounted if until - accounted >= SHORTEST_GAP else until - self._clock.doubt
            told = [TellGap(since, until, self.outage)]
        elif self.silence is not None and until - accounted >= SHORTEST_GAP:
            told = [TellSilence(accounted, until, self.silence)]
        self.until = max(accounted, until)
        self.outage = self.silence = None
        return told

    def would_lose_nothing(self, spare: Line) -> bool:
        """Whether `spare` has everything that was not emitted, beyond any doubt about times."""
        if spare.covers_from is None or self.until is None:
            return False
        return self.until - spare.covers_from >= self._clock.doubt
