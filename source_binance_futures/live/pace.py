"""How often frames of a contract come, over its own stream and among the samples of all. Pure.

Only contracts whose own stream is followed over the same connection are looked at, since those tell whether a contract
that is seldom sampled is sampled, or just quiet. All moments are seconds of one clock.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import median

from .facts import PaceFacts
from .sampling import SETTLED_AFTER

KEPT = 200  # distances of each contract and kind
BUSY_FROM = 0.5  # own updates a second
ENOUGH = 10  # distances of one contract, to take their median
TWICE = 2  # a contract that changed more than once while its own stream was followed has one that is dead


class _Contract:
    __slots__ = (
        "changes",
        "followed_at",
        "own",
        "own_at",
        "own_distances",
        "sample_distances",
        "sampled",
        "sampled_at",
    )

    def __init__(self, followed_at: float) -> None:
        self.followed_at = followed_at
        self.own = 0
        self.own_at: float | None = None
        self.own_distances: list[float] = []
        self.sampled: int | None = None
        self.sampled_at: float | None = None
        self.sample_distances: list[float] = []
        self.changes = 0


class Pace:
    """Takes frames of the contracts that were followed before."""

    def __init__(self) -> None:
        self._contracts: dict[str, _Contract] = {}

    def follow(self, symbol: str, at: float) -> None:
        self._contracts.setdefault(symbol, _Contract(at))

    def own(self, symbol: str, at: float) -> None:
        contract = self._contracts.get(symbol)
        if contract is None:
            return
        contract.own += 1
        if contract.own_at is not None and len(contract.own_distances) < KEPT:
            contract.own_distances.append(at - contract.own_at)
        contract.own_at = at

    def sample(self, symbol: str, update_id: int, at: float) -> None:
        contract = self._contracts.get(symbol)
        if contract is None or at - contract.followed_at < SETTLED_AFTER:
            return
        contract.changes += contract.sampled is not None and update_id > contract.sampled
        contract.sampled = update_id
        if contract.sampled_at is not None and len(contract.sample_distances) < KEPT:
            contract.sample_distances.append(at - contract.sampled_at)
        contract.sampled_at = at

    def facts(self, seconds: float) -> PaceFacts:
        """What was seen in so many seconds. Distances are those of busy contracts, or of all where none is busy."""
        contracts = list(self._contracts.values())
        busy = [each for each in contracts if each.own >= BUSY_FROM * seconds] or contracts
        sampled = _all(each.sample_distances for each in busy)
        own = _all(each.own_distances for each in contracts)
        medians = [median(each.own_distances) for each in contracts if len(each.own_distances) >= ENOUGH]
        return PaceFacts(
            len(sampled),
            round(median(sampled), 3) if sampled else 0.0,
            len(own),
            round(median(own), 3) if own else 0.0,
            round(min(medians), 3) if medians else None,
            sum(each.own for each in contracts),
            sum(each.changes for each in contracts),
            tuple(sorted(name for name, each in self._contracts.items() if each.changes >= TWICE and not each.own)),
        )


def _all(lists: Iterable[Sequence[float]]) -> list[float]:
    return [each for one in lists for each in one]
