"""Since when a contract's own stream has missed nothing, and the samples that check it. Pure.

A covered interval begins with the first update of the contract's own stream that is kept after a reset, since all that
is pushed after it comes over the same connection, in order. Two intervals of a contract never touch: whoever reads the
rows would take them for one, and what is missing between them for covered.

Samples are those of the all-market stream. They come from another pipeline, and may carry an id that the own stream has
not delivered yet [binance-facts 2.3]: under one cursor that would make real updates look old. So a contract's samples
count until its own stream has spoken, and check it from then on.
"""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

NO_ID = 2**63  # greater than any; infinity would be slower to compare with
REMEMBERED = 1024  # update ids of each contract: some seconds of the busiest
SETTLED_AFTER_US = 3_000_000  # after a contract's first frame on a line; what a sample shows before may be older
LATE_AFTER_US = 2_000_000  # so much later than a newer sample an own stream is dead or behind
SHOWN_WITHIN_US = 10_000_000  # what an own stream still lacks; a contract has a sample every five seconds
SHORTEST_US = 2_000  # of a gap: sentences show milliseconds, and it must not look like none
FIRST_REST_US, LONGEST_REST_US = 30_000_000, 900_000_000  # between two alarms for the same contract


class Coverage:
    """For each contract the beginning of its covered interval, in microseconds since 1970; none after a reset."""

    def __init__(self, rows_until_us: int = 0) -> None:
        self.since: dict[str, int] = {}
        self.intervals: Counter[str] = Counter()  # that have begun so far, by contract
        self._rows_until_us = rows_until_us  # the newest receipt of all rows that earlier syncs have written
        self._newest_rows_us: dict[int, int] = {}  # feeds: the newest read that gave rows
        self._feeds_end_us: dict[int, int] = {}  # feeds: where their intervals ended at the last reset, at the latest
        self._ends_us: dict[str, int] = {}  # contracts: the same
        self._feed_of: dict[str, int] = {}  # of contracts that have had an interval since their feed was reset

    def begin(self, symbol: str, feed: int, received_at_us: int) -> int | None:
        """Return where the interval of an update begins that came over the contract's own stream and is kept.

        None for what a standby had read before the interval began; or where one would begin with it, and rows are as
        new: the clock was ahead in the sync before, or a standby had read this before the last read of its primary.
        """
        if symbol in self.since:
            return self.since[symbol] if self.since[symbol] <= received_at_us else None
        ended_us = max(self._rows_until_us, self._feeds_end_us.get(feed, 0), self._ends_us.get(symbol, 0))
        if received_at_us <= ended_us:
            return None
        self.since[symbol] = received_at_us
        self._feed_of[symbol] = feed
        self.intervals[symbol] += 1
        return received_at_us

    def interrupt(self, symbol: str, _feed: int, _received_at_us: int) -> None:
        """Take an update of an own stream that is kept, out of a read that may lack something: it is not covered."""
        self.reset((symbol,))

    def is_older(self, feed: int, received_at_us: int) -> bool:
        """Return whether a read was made before one of the same feed that gave rows: a standby had kept it."""
        return received_at_us < self._newest_rows_us.get(feed, 0)

    def rows_of(self, feed: int, received_at_us: int) -> None:
        """Take note of a read of a feed that gave rows."""
        self._newest_rows_us[feed] = max(received_at_us, self._newest_rows_us.get(feed, 0))

    def reset(self, symbols: Iterable[str]) -> None:
        """End the intervals of contracts: something may be missing after their newest row."""
        for symbol in symbols:
            if self.since.pop(symbol, None) is not None:
                self._ends_us[symbol] = self._newest_rows_us.get(self._feed_of[symbol], 0)

    def reset_feed(self, feed: int) -> None:
        """The same for all contracts of a feed."""
        self._feeds_end_us[feed] = self._newest_rows_us.get(feed, 0)
        for symbol in self.followed_over(feed):
            del self._feed_of[symbol]
            self.since.pop(symbol, None)

    def followed_over(self, feed: int) -> frozenset[str]:
        """Return the contracts that have had an interval over a feed since all of it was reset."""
        return frozenset(symbol for symbol, its_feed in self._feed_of.items() if its_feed == feed)


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
    """What an own stream may lack, and what is not reported yet, by the exchange's clock."""

    since_us: int
    until_us: int
    expected: int  # nothing is missing where its next update is this one, or older
    shown: int  # by a sample
    cause: str
    is_reported: bool = False  # in part

    def lost(self, symbol: str, until_us: int) -> Lost:
        return Lost(symbol, self.since_us, max(until_us, self.since_us + SHORTEST_US), self.cause)


@dataclass(slots=True)
class _Contract:
    own: deque[int] = field(default_factory=lambda: deque(maxlen=REMEMBERED))
    newest: int = 0
    newest_pushed_us: int = 0  # by the exchange's clock, or earlier
    current_us: int = 0  # when this was the newest update of all, as far as is known, by the same clock
    line: int = -1  # that the following two belong to
    first_at: int = 0
    sampled: int = 0  # the newest id that a sample has shown
    waits_for: int = NO_ID  # the id of a sample that runs ahead
    lack: _Lack | None = None
    rest_us: int = FIRST_REST_US  # after the next alarm
    rest_until: int = 0


class Samples:
    """`confirmed` of `compared` samples were found again among the updates of the own streams.

    All moments are microseconds since 1970: `at` and `now` as we receive, `pushed` by the exchange's clock.
    """

    def __init__(self) -> None:
        self.compared = 0
        self.confirmed = 0
        self._contracts: defaultdict[str, _Contract] = defaultdict(_Contract)
        self._waiting: dict[str, tuple[int, int, int]] = {}  # id, microseconds, feed
        self._lost: list[Lost] = []

    def own(self, symbol: str, update_id: int, earliest_pushed_us: int, latest_pushed_us: int) -> bool:
        """Take an update of a contract's own stream; return True if it comes after something that is missing.

        That begins at the earliest push of one update, and ends at the latest of the next: both are received late.
        """
        contract = self._contracts[symbol]
        lack = contract.lack
        is_missing = lack is not None and self._resolve(symbol, contract, lack, update_id, latest_pushed_us)
        if update_id > contract.newest:
            contract.newest = update_id
            contract.newest_pushed_us = contract.current_us = earliest_pushed_us
            contract.own.append(update_id)
            if update_id >= contract.waits_for:
                self._compare(update_id == contract.waits_for)
                contract.waits_for, contract.rest_us = NO_ID, FIRST_REST_US
                del self._waiting[symbol]
        return is_missing

    def _resolve(self, symbol: str, contract: _Contract, lack: _Lack, update_id: int, pushed_us: int) -> bool:
        """Return whether an own stream has passed over what it may lack; else it was late, or had it already."""
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

        Whatever a dead or late stream of the one before did not bring until `pushed_us` now may be missing. Nothing is
        where this one, too, brings the newest update, or a sample shows no newer one.
        """
        for symbol in symbols:
            contract = self._contracts.get(symbol)
            if contract is None or not contract.newest or contract.current_us >= covers_from_us:
                continue
            self.forget((symbol,))
            lack, newest = contract.lack, contract.newest
            cause = "the connection that took over may have missed early updates of it"
            lack = lack or _Lack(contract.newest_pushed_us, pushed_us, newest, newest, cause)
            contract.lack = lack._replace(expected=newest)  # what was late over the one before will not come any more

    def sample(self, symbol: str, update_id: int, at: int, shown_us: int, *, feed: int, line: int) -> bool:
        """Take a sample of a contract, which shows what was newest at `shown_us`; return True if it is an update."""
        contract = self._contracts[symbol]
        if contract.line != line:
            contract.line, contract.first_at, contract.sampled = line, at, 0
        is_settled = at - contract.first_at >= SETTLED_AFTER_US
        if update_id == contract.newest:
            contract.current_us = max(shown_us, contract.current_us)
            if is_settled and contract.lack is not None and update_id == contract.lack.expected:
                contract.lack = None
        shows_change = 0 < contract.sampled < update_id
        if shows_change or (is_settled and not contract.sampled):
            contract.sampled = update_id
        # The own stream has brought a change, or will at once.
        if shows_change and update_id > contract.newest:
            if symbol not in self._waiting:
                contract.waits_for = update_id
                self._waiting[symbol] = update_id, at, feed
        elif shows_change and contract.own and update_id >= contract.own[0]:
            self._compare(update_id in contract.own)
        return not contract.newest

    def _compare(self, found: bool) -> None:
        self.compared += 1
        self.confirmed += found

    def forget(self, symbols: Iterable[str]) -> None:
        """The connection of these own streams was lost, or is a fresh one: what samples show may be older than it."""
        for symbol in symbols:
            contract = self._contracts.get(symbol)
            if contract is not None:
                contract.line, contract.waits_for = -1, NO_ID
                self._waiting.pop(symbol, None)

    def overdue(self, now: int, pushed_us: int, *, at_end: bool) -> list[Alarm | Lost]:
        """Return what own streams have lost, and an alarm for each that is overdue; then it rests for a while.

        Whether that one has lost anything, or was late, its next update tells; a dead one is reported with each further
        alarm, and `at_end`. What was received until `now` was pushed until `pushed_us`.
        """
        found: list[Alarm | Lost] = [*self._lost]
        self._lost = []
        for symbol, (shown, at, feed) in list(self._waiting.items()):
            if now - at < LATE_AFTER_US:
                continue
            contract = self._contracts[symbol]
            contract.waits_for = NO_ID
            del self._waiting[symbol]
            self._compare(False)
            known = contract.lack
            since_us = contract.newest_pushed_us or pushed_us - (now - contract.first_at)
            alarm = Alarm(symbol, feed, contract.line)
            lack = known or _Lack(since_us, pushed_us, shown, shown, alarm.reason)
            contract.lack = lack = lack._replace(until_us=max(pushed_us, lack.since_us))
            if now < contract.rest_until:
                continue
            contract.rest_until = now + contract.rest_us
            contract.rest_us = min(2 * contract.rest_us, LONGEST_REST_US)
            found.append(alarm)
            if known is not None:
                lost = lack.lost(symbol, lack.until_us)
                found.append(lost)
                contract.lack = lack._replace(since_us=lost.until_us, until_us=lost.until_us, is_reported=True)
        for symbol, contract in self._contracts.items() if at_end else ():
            if contract.lack is not None and max(contract.lack.shown, contract.sampled) > contract.newest:
                if contract.lack.until_us > contract.lack.since_us:
                    found.append(contract.lack.lost(symbol, contract.lack.until_us))
                contract.lack = None
        return found
