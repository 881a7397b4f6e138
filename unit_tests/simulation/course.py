"""What came of a simulated window."""

from __future__ import annotations

from dataclasses import dataclass, field

from source_binance_futures.binance.market_stream.items import Gap

from .vouching import Table
from .world import NEVER, Push


@dataclass
class Course:
    """How a window went."""

    table: Table = field(default_factory=Table)
    gaps: list[Gap] = field(default_factory=list)
    silences: list[Gap] = field(default_factory=list)
    dials: list[float] = field(default_factory=list)
    reasons: int = 0  # to dial
    faults: int = 0
    ended_at: float = 0.0
    ended_paused: bool = False
    gave_up: Exception | None = None
    was_covered_at: float = NEVER  # when the standby was first proven
    accounted_until: float | None = None
    broken: list[str] = field(default_factory=list)  # rules, with what broke them

    @property
    def emitted(self) -> list[Push]:
        return self.table.taken
