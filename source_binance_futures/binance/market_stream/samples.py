"""The samples of the all-market stream beside the contracts' own streams: which count, and what they prove. Pure.

The two come from different pipelines, and a sample may carry an id that the own stream has not delivered yet
[binance-protocol 2.3]. Under one cursor it would make real updates look old. So a contract's samples count until its
own stream has spoken, and never after; from then on they are an independent check of it.
"""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

REMEMBERED = 1024  # update ids of each contract: some seconds of the busiest
SETTLED_AFTER_US = (
    3_000_000  # after a contract's first frame on a line; what a sample shows before may be older than it
)
LATE_AFTER_US = 2_000_000  # so much later than a newer sample an own stream is dead or behind
FIRST_REST_US, LONGEST_REST_US = 30_000_000, 900_000_000  # between two alarms for the same contract


class Dead(NamedTuple):
    """An own stream that has not brought what a sample showed: since when (microseconds), and on which line."""

    symbol: str
    feed: int
    line: int
    since_us: int
    until_us: int


class _Contract:
    __slots__ = ("alarms", "first_at", "line", "newest", "newest_at", "own", "rest_until", "sampled", "waits_for")

    def __init__(self) -> None:
        self.own: deque[int] = deque(maxlen=REMEMBERED)
        self.newest = -1
        self.newest_at: int | None = None
        self.line = -1  # that the following two belong to
        self.first_at = 0
        self.sampled: int | None = None  # the newest id that a sample has shown
        self.waits_for: tuple[int, int, int] | None = None  # id, microseconds, feed
        self.alarms = 0
        self.rest_until = 0


class Samples:
    """`confirmed` of `compared` samples were found again among the updates of the own streams.

    All moments are microseconds since 1970, as the frames were received.
    """

    def __init__(self) -> None:
        self.compared = 0
        self.confirmed = 0
        self._contracts: dict[str, _Contract] = {}
        self._waiting: dict[str, _Contract] = {}

    def own(self, symbol: str, update_id: int, at: int) -> None:
        """An update of a contract's own stream."""
        contract = self._contracts.get(symbol)
        if contract is None:
            contract = self._contracts[symbol] = _Contract()
        if update_id > contract.newest:
            contract.newest = update_id
            contract.newest_at = at
            contract.own.append(update_id)
            if contract.waits_for is not None and update_id >= contract.waits_for[0]:
                self._compare(update_id == contract.waits_for[0])
                contract.waits_for = None
                contract.alarms = 0
                del self._waiting[symbol]

    def sample(self, symbol: str, update_id: int, at: int, *, feed: int, line: int) -> bool:
        """A sample of a contract; True if it counts as an update."""
        contract = self._contracts.get(symbol)
        if contract is None:
            contract = self._contracts[symbol] = _Contract()
        if contract.line != line:
            contract.line, contract.first_at, contract.sampled = line, at, None
        is_settled = at - contract.first_at >= SETTLED_AFTER_US
        if contract.sampled is None:
            contract.sampled = update_id if is_settled else None
        elif update_id > contract.sampled:
            contract.sampled = update_id
            self._judge(symbol, contract, update_id, at, feed)
        return contract.newest_at is None

    def _judge(self, symbol: str, contract: _Contract, update_id: int, at: int, feed: int) -> None:
        """A sample that shows a change since the one before: the own stream has brought it, or will at once."""
        if update_id > contract.newest:
            if contract.waits_for is None:
                contract.waits_for = update_id, at, feed
                self._waiting[symbol] = contract
        elif contract.own and update_id >= contract.own[0]:
            self._compare(update_id in contract.own)

    def _compare(self, found: bool) -> None:
        self.compared += 1
        self.confirmed += found

    def dead(self, now: int) -> list[Dead]:
        """The own streams that are overdue; each is told, and then rests for a while."""
        if not self._waiting:
            return []
        told = []
        for symbol, contract in list(self._waiting.items()):
            assert contract.waits_for is not None
            _, at, feed = contract.waits_for
            if now - at < LATE_AFTER_US:
                continue
            contract.waits_for = None
            del self._waiting[symbol]
            self._compare(False)
            if now >= contract.rest_until:
                rest = min(FIRST_REST_US << contract.alarms, LONGEST_REST_US)
                contract.alarms = min(contract.alarms + 1, 5)
                contract.rest_until = now + rest
                told.append(Dead(symbol, feed, contract.line, contract.newest_at or contract.first_at, now))
        return told
