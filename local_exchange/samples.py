"""The all-market stream as it is since June 2026: of each contract one sample about every five seconds.

Facts: binance-facts 2.3. A sample shows the book as it stands, so it repeats the update id of the last one where
nothing has changed, and skips what lay between. It comes from a pipeline of its own and may run ahead of the contract's
own stream.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable

from .updates import Update

_GOLDEN_RATIO = 0.6180339887498949
"""Its multiples, less their whole part, lie evenly between 0 and 1 however many there are."""


class Samples:
    """The newest update of each contract, and whose sample is due. Pure: times are given, in seconds of one clock."""

    def __init__(self, every: float) -> None:
        self._every = every
        self._newest: dict[str, Update] = {}
        self._due: list[tuple[float, str]] = []

    def note(self, updates: Iterable[Update], now: float) -> None:
        """Keep the newest update of each contract. A new contract gets a time of its own within the next period."""
        for update in updates:
            if update.symbol not in self._newest:
                phase = len(self._newest) * _GOLDEN_RATIO % 1.0
                heapq.heappush(self._due, (now + phase * self._every, update.symbol))
            self._newest[update.symbol] = update

    def due(self, now: float) -> list[Update]:
        """The samples due by now, one of each contract at most, in the order of their times."""
        samples = []
        while self._due and self._due[0][0] <= now:
            due, symbol = self._due[0]
            missed_as_well = (now - due) // self._every
            heapq.heapreplace(self._due, (due + (missed_as_well + 1) * self._every, symbol))
            samples.append(self._newest[symbol])
        return samples

    def of(self, symbols: Iterable[str] | None) -> list[Update]:
        """The samples of these contracts as they stand, or of all; KeyError for one that had no update."""
        return [self._newest[symbol] for symbol in (self._newest if symbols is None else symbols)]
