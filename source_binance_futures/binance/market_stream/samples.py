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
SHORTEST_US = 2_000  # of a gap: sentences show milliseconds, and it must not look like none
FIRST_REST_US, LONGEST_REST_US = 30_000_000, 900_000_000  # between two alarms for the same contract


class Alarm(NamedTuple):
    """An own stream is overdue or dead: a fresh connection may help. `feed` and `line` brought the sample."""

    symbol: str
    feed: int
    line: int

    @property
    def reason(self) -> str:
        return f"the own stream of {self.symbol} has not brought what the all-market stream shows"


class Lost(NamedTuple):
    """What was pushed to an own stream between two moments may be missing: microseconds of the exchange's clock."""

    symbol: str
    since_us: int
    until_us: int
    cause: str


class _Lack(NamedTuple):
    """What an own stream may lack, and what is not reported yet, by the exchange's clock.

    Its next update tells: nothing is missing where that is `expected`, or older. `shown` is what a sample showed.
    """

    since_us: int
    until_us: int
    expected: int
    shown: int
    cause: str
    is_reported: bool = False  # in part

    def lost(self, symbol: str, until_us: int) -> Lost:
        return Lost(symbol, self.since_us, max(until_us, self.since_us + SHORTEST_US), self.cause)


class _Contract:
    __slots__ = (
        "alarms",
        "current_us",
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
        self.current_us = 0  # when this was the newest update of all, as far as is known, by the same clock
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
        self._lost: list[Lost] = []

    def own(self, symbol: str, update_id: int, earliest_pushed_us: int, latest_pushed_us: int) -> bool:
        """Take an update of a contract's own stream; return True if it comes after something that is missing.

        What is missing lies between two updates, so it begins at the earliest push of one, and ends at the latest of
        the next: on a busy machine an update is received long after its push.
        """
        contract = self._contract(symbol)
        is_missing = contract.lack is not None and self._resolve(symbol, contract, update_id, latest_pushed_us)
        if update_id > contract.newest:
            contract.newest = update_id
            contract.newest_pushed_us = contract.current_us = earliest_pushed_us
            contract.own.append(update_id)
            if contract.waits_for is not None and update_id >= contract.waits_for[0]:
                self._compare(update_id == contract.waits_for[0])
                contract.waits_for = None
                contract.alarms = 0
                del self._waiting[symbol]
        return is_missing

    def _contract(self, symbol: str) -> _Contract:
        contract = self._contracts.get(symbol)
        if contract is None:
            contract = self._contracts[symbol] = _Contract()
        return contract

    def _resolve(self, symbol: str, contract: _Contract, update_id: int, pushed_us: int) -> bool:
        """Return whether an own stream has passed over what it may lack; else it was late, or had it already."""
        lack = contract.lack
        assert lack is not None
        if update_id <= contract.newest and update_id != lack.expected:
            return False
        contract.lack = None
        if update_id <= lack.expected:
            return lack.is_reported
        until_us = min(pushed_us, lack.until_us + SHOWN_WITHIN_US)
        if until_us > lack.since_us:
            self._lost.append(lack.lost(symbol, until_us))
        return True

    def recheck(self, symbols: Iterable[str], covers_from_us: float, pushed_us: int) -> None:
        """Another connection goes on, which brings what was pushed to these own streams since `covers_from_us`.

        Whatever the one before did not bring until then, because a stream was dead or late, and until `pushed_us` now,
        may be missing. Nothing is where this one, too, brings the newest update, or a sample shows no newer one.
        """
        for symbol in symbols:
            contract = self._contracts.get(symbol)
            if contract is None or contract.newest_pushed_us is None or contract.current_us >= covers_from_us:
                continue
            self.forget((symbol,))
            lack, newest = contract.lack, contract.newest
            cause = "the connection that took over may have missed early updates of it"
            lack = lack or _Lack(contract.newest_pushed_us, pushed_us, newest, newest, cause)
            contract.lack = lack._replace(expected=newest)  # what was late over the one before will not come any more

    def sample(self, symbol: str, update_id: int, at: int, shown_us: int, *, feed: int, line: int) -> bool:
        """Take a sample of a contract, which shows what was newest at `shown_us`; return True if it is an update."""
        contract = self._contract(symbol)
        if contract.line != line:
            contract.line, contract.first_at, contract.sampled = line, at, None
        is_settled = at - contract.first_at >= SETTLED_AFTER_US
        if update_id == contract.newest:
            contract.current_us = max(shown_us, contract.current_us)
            if is_settled and contract.lack is not None and update_id == contract.lack.expected:
                contract.lack = None
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

    def overdue(self, now: int, pushed_us: int, *, at_end: bool = False) -> list[Alarm | Lost]:
        """Return what own streams have lost, and an alarm for each that is overdue; then it rests for a while.

        What was received until `now` was pushed until `pushed_us`. Whether an overdue stream has lost anything, or was
        late, its next update tells; one that is dead is reported with each further alarm, and `at_end`.
        """
        found: list[Alarm | Lost] = [*self._lost]
        self._lost = []
        for symbol, contract in list(self._waiting.items()):
            assert contract.waits_for is not None
            shown, at, feed = contract.waits_for
            if now - at < LATE_AFTER_US:
                continue
            contract.waits_for = None
            del self._waiting[symbol]
            self._compare(False)
            is_first = contract.lack is None
            since_us = contract.newest_pushed_us or pushed_us - (now - contract.first_at)
            alarm = Alarm(symbol, feed, contract.line)
            lack = contract.lack or _Lack(since_us, pushed_us, shown, shown, alarm.reason)
            contract.lack = lack = lack._replace(until_us=max(pushed_us, lack.since_us))
            if now < contract.rest_until:
                continue
            contract.rest_until = now + min(FIRST_REST_US << contract.alarms, LONGEST_REST_US)
            contract.alarms = min(contract.alarms + 1, 5)
            found.append(alarm)
            if not is_first:
                lost = lack.lost(symbol, lack.until_us)
                found.append(lost)
                contract.lack = lack._replace(since_us=lost.until_us, until_us=lost.until_us, is_reported=True)
        for symbol, contract in self._contracts.items() if at_end else ():
            if contract.lack is not None and max(contract.lack.shown, contract.sampled or 0) > contract.newest:
                if contract.lack.until_us > contract.lack.since_us:
                    found.append(contract.lack.lost(symbol, contract.lack.until_us))
                contract.lack = None
        return found
