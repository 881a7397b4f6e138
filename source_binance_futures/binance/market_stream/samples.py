"""The samples of the all-market stream beside the contracts' own streams: which count, and what they prove. Pure.

The two come from different pipelines, and a sample may carry an id that the own stream has not delivered yet
[binance-facts 2.3]. Under one cursor it would make real updates look old. So a contract's samples count until its
own stream has spoken, and never after; from then on they are an independent check of it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import NamedTuple

REMEMBERED = 1024  # update ids of each contract: some seconds of the busiest
SETTLED_AFTER_US = (
    3_000_000  # after a contract's first frame on a line; what a sample shows before may be older than it
)
LATE_AFTER_US = 2_000_000  # so much later than a newer sample an own stream is dead or behind
SHOWN_WITHIN_US = 10_000_000  # what an own stream still lacks; a contract has a sample every five seconds
SHORTEST_US = 2_000  # of what is told: sentences show milliseconds, and a gap must not look like none
FIRST_REST_US, LONGEST_REST_US = 30_000_000, 900_000_000  # between two alarms for the same contract


class Dead(NamedTuple):
    """An own stream that has not brought what a sample showed: what was pushed between two moments may be missing.

    They are microseconds since 1970 by the exchange's clock. `feed` and `line` brought the sample. `is_news` where a
    fresh connection may help; else only the time is news.
    """

    symbol: str
    feed: int
    line: int
    since_us: int
    until_us: int
    is_news: bool = True


class _Lack(NamedTuple):
    """What an own stream has not brought and is not told yet, by the exchange's clock: `shown` was the first id."""

    since_us: int
    until_us: int
    shown: int


def _lacked(symbol: str, since_us: int, until_us: int) -> Dead:
    return Dead(symbol, 0, 0, since_us, max(until_us, since_us + SHORTEST_US), is_news=False)


class _Contract:
    __slots__ = (
        "alarms",
        "first_at",
        "lack",
        "line",
        "newest",
        "newest_pushed_us",
        "own",
        "rest_until",
        "sampled",
        "waits_for",
    )

    def __init__(self) -> None:
        self.own: deque[int] = deque(maxlen=REMEMBERED)
        self.newest = -1
        self.newest_pushed_us: int | None = None  # by the exchange's clock, or earlier
        self.line = -1  # that the following two belong to
        self.first_at = 0
        self.sampled: int | None = None  # the newest id that a sample has shown
        self.waits_for: tuple[int, int, int] | None = None  # id, microseconds, feed
        self.lack: _Lack | None = None
        self.alarms = 0
        self.rest_until = 0


class Samples:
    """`confirmed` of `compared` samples were found again among the updates of the own streams.

    All moments are microseconds since 1970: `at` and `now` as we receive, `pushed` by the exchange's clock.
    """

    def __init__(self) -> None:
        self.compared = 0
        self.confirmed = 0
        self._contracts: dict[str, _Contract] = {}
        self._waiting: dict[str, _Contract] = {}
        self._back: list[Dead] = []

    def own(self, symbol: str, update_id: int, earliest_pushed_us: int, latest_pushed_us: int) -> bool:
        """An update of a contract's own stream; True if it comes after something that is missing.

        What is missing lies between two updates, so it begins at the earliest push of one, and ends at the latest of
        the next: on a busy machine an update is received long after its push.
        """
        contract = self._contracts.get(symbol)
        if contract is None:
            contract = self._contracts[symbol] = _Contract()
        if update_id > contract.newest:
            contract.newest = update_id
            contract.newest_pushed_us = earliest_pushed_us
            contract.own.append(update_id)
            if contract.waits_for is not None and update_id >= contract.waits_for[0]:
                self._compare(update_id == contract.waits_for[0])
                contract.waits_for = None
                contract.alarms = 0
                del self._waiting[symbol]
            if contract.lack is not None:
                return self._speaks_again(symbol, contract, update_id, latest_pushed_us)
        return False

    def _speaks_again(self, symbol: str, contract: _Contract, update_id: int, pushed_us: int) -> bool:
        """Whether a dead own stream has passed over what a sample had shown; else it was late, and goes on."""
        lack, contract.lack = contract.lack, None
        assert lack is not None
        if update_id <= lack.shown:
            return False
        until = min(pushed_us, lack.until_us + SHOWN_WITHIN_US)
        if until > lack.since_us:
            self._back.append(_lacked(symbol, lack.since_us, until))
        return True

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
        return contract.newest_pushed_us is None

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

    def forget(self, symbols: Iterable[str]) -> None:
        """The connection of these own streams was lost, or is a fresh one: what samples show may be older than it."""
        for symbol in symbols:
            contract = self._contracts.get(symbol)
            if contract is not None:
                contract.line, contract.waits_for = -1, None
                self._waiting.pop(symbol, None)

    def dead(self, now: int, pushed_us: int, *, at_end: bool = False) -> list[Dead]:
        """The own streams that are overdue; each is told, and then rests for a while.

        What was received until `now` was pushed until `pushed_us`. What an own stream lacks in its rest is told once it
        speaks again, or `at_end`.
        """
        told, self._back = self._back, []
        for symbol, contract in list(self._waiting.items()):
            assert contract.waits_for is not None
            shown, at, feed = contract.waits_for
            if now - at < LATE_AFTER_US:
                continue
            contract.waits_for = None
            del self._waiting[symbol]
            self._compare(False)
            since_us = contract.newest_pushed_us or pushed_us - (now - contract.first_at)
            lack = contract.lack or _Lack(since_us, pushed_us, shown)
            until_us = max(pushed_us, lack.since_us + SHORTEST_US)  # feeds know the exchange's clock more or less well
            contract.lack = lack._replace(until_us=until_us)
            if now >= contract.rest_until:
                rest = min(FIRST_REST_US << contract.alarms, LONGEST_REST_US)
                contract.alarms = min(contract.alarms + 1, 5)
                contract.rest_until = now + rest
                contract.lack = contract.lack._replace(since_us=until_us)
                told.append(Dead(symbol, feed, contract.line, lack.since_us, until_us))
        for symbol, contract in self._contracts.items() if at_end else ():
            if contract.lack is not None and contract.lack.until_us > contract.lack.since_us:
                told.append(_lacked(symbol, contract.lack.since_us, contract.lack.until_us))
                contract.lack = None
        return told
