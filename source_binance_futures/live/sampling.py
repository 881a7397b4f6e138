"""Samples of the all-market stream beside the contracts' own streams over one connection: found again, and when. Pure.

The connector makes the same comparison to find an own stream that has died (`market_stream/samples.py`); here it is
kept in full, with the time between the two. All moments are seconds of one clock.
"""

from __future__ import annotations

from collections import deque
from statistics import median

from ..binance.market_stream.samples import LATE_AFTER_US, SETTLED_AFTER_US
from .facts import SampleFacts

SETTLED_AFTER = SETTLED_AFTER_US / 1e6  # seconds after an own stream's first frame
OVERDUE_AFTER = 10.0  # seconds after which what has not come at the end is thought not to come any more
LATE_AFTER = LATE_AFTER_US / 1e6  # seconds after which the connector takes an own stream for dead
REMEMBERED = 8192  # updates of each contract
LEADS_KEPT = 20_000


class _Contract:
    __slots__ = ("newest", "order", "own", "sampled", "since", "waiting")

    def __init__(self) -> None:
        self.since: float | None = None  # of the own stream's first frame
        self.newest = -1
        self.own: dict[int, float] = {}
        self.order: deque[int] = deque()
        self.sampled: int | None = None
        self.waiting: dict[int, float] = {}


class SampleComparison:
    """Takes own updates and samples as they come."""

    def __init__(self) -> None:
        self._contracts: dict[str, _Contract] = {}
        self._missing = 0
        self._compared = 0
        self._leads: deque[float] = deque(maxlen=LEADS_KEPT)  # seconds by which a sample came first
        self._furthest: float | None = None

    def own(self, symbol: str, update_id: int, at: float) -> None:
        """An update of a contract's own stream."""
        contract = self._contracts.setdefault(symbol, _Contract())
        if contract.since is None:
            contract.since = at
        if update_id <= contract.newest:
            return
        contract.newest = update_id
        contract.own[update_id] = at
        contract.order.append(update_id)
        if len(contract.order) > REMEMBERED:
            del contract.own[contract.order.popleft()]
        for waiting in [each for each in contract.waiting if each <= update_id]:
            sampled_at = contract.waiting.pop(waiting)
            if waiting == update_id:
                self._found(at - sampled_at)
            else:
                self._lacks()

    def sample(self, symbol: str, update_id: int, at: float) -> None:
        """A frame of the all-market stream; it is compared where it shows a change since the one before."""
        contract = self._contracts.setdefault(symbol, _Contract())
        settled = contract.since is not None and at - contract.since >= SETTLED_AFTER
        known, contract.sampled = contract.sampled, update_id
        if not settled or known is None or update_id <= known:
            return
        if update_id > contract.newest:
            if len(contract.waiting) < REMEMBERED:
                contract.waiting[update_id] = at
        elif update_id in contract.own:
            self._found(contract.own[update_id] - at)
        elif update_id > contract.order[0]:
            self._lacks()

    def facts(self, now: float) -> SampleFacts:
        """What was found until now."""
        overdue = sum(
            now - at >= OVERDUE_AFTER for contract in self._contracts.values() for at in contract.waiting.values()
        )
        return SampleFacts(
            self._compared + overdue,
            self._missing,
            overdue,
            round((self._furthest or 0.0) * 1000, 1),
            round(median(self._leads) * 1000, 1) if self._leads else 0.0,
        )

    def _found(self, lead: float) -> None:
        self._compared += 1
        self._leads.append(lead)
        self._furthest = lead if self._furthest is None else max(self._furthest, lead)

    def _lacks(self) -> None:
        self._compared += 1
        self._missing += 1
