"""One connection as the failover sees it: its clocks, and the backlog of what it heard lately. Pure.

*At* is the monotonic clock, in seconds: for deadlines. *Pushed* is the exchange's clock, in epoch seconds: for what was
delivered, since one connection may be later than the other.
"""

from __future__ import annotations

from collections import deque
from math import inf
from typing import NamedTuple

from .exchange_clock import ExchangeClock
from .items import Batch
from .messages import Read

BEHIND_AFTER = 1.0  # seconds of lateness from which on a read is not complete
BACK_COUNTS = 2.0  # seconds for which, at least, push times that went back show that some contracts are late
CAUGHT_UP_AFTER = 1.0  # seconds of reading everything that comes, where frames do not say when they were pushed


class Timing(NamedTuple):
    """Every deadline of a feed, in seconds, and what it keeps; tests make them shorter."""

    connect: float = 10.0
    ping_after: float = 20.0  # of silence; any frame is a sign of life
    pong_within: float = 10.0
    first_patience: float = 30.0  # without data after the handshake, where there is only one address
    patience: float = 30.0  # without data later, before a fresh connection is asked whether there is any; 5 are normal
    longest_patience: float = 900.0  # where the fresh connection was silent too, again and again
    rotate_after: float = 23 * 3600.0  # Binance cuts at 24 h
    overlap: float = 7.0  # both are read for so long when one replaces the other: each contract has a sample in it
    takeover_after: float = 2.0  # of silence, or lateness, of one connection while the other brings data
    backlog: float = 30.0  # of what the primary has brought already
    backlog_bytes: int = 32 * 1024 * 1024


class Line:
    """An open connection: when it was heard, and up to which push it has brought everything.

    As a standby it keeps, unparsed, what the primary has not brought yet, and some seconds more, so that it can take
    over from the last update of each symbol.
    """

    def __init__(self, number: int, opened_at: float, timing: Timing, clock: ExchangeClock, feed: int = 0) -> None:
        self.number = number
        self.opened_at = opened_at
        self.last_heard_at = opened_at
        self.pinged_at = inf  # at; it was not heard since
        self.answered = False  # anything at all came over it
        self.has_data = False
        self.last_data_at = opened_at  # pings and acknowledgements go on where data has stopped
        self.alone_since = inf  # it brings data while the other line brings none
        self.behind_since = inf  # it is later than the other line
        self.retiring = False  # the server announced its end
        self.patience = timing.first_patience
        self.ended = False  # it was found to be over
        self.begins = inf  # from which push on it brings everything; never before its first update
        self.reached = -inf  # up to which push it has brought everything
        self.lag = 0.0  # seconds between that push and its arrival, beyond the fastest of all
        self._feed = feed
        self._timing = timing
        self._clock = clock
        self._restarts = clock.restarts  # of the clock that all of this is pushed by
        self._newest = -inf  # when the newest update that it brought was pushed
        self._back = self._back_before = 0.0  # by how many seconds push times went back lately, and before that
        self._back_since = opened_at
        self._unread_since = inf  # not everything that arrived has been read since then (at)
        self._drained_since = inf
        self._backlog: deque[tuple[float, Batch]] = deque()  # with the newest push in each
        self._backlog_bytes = 0
        self._dropped_until = -inf  # pushed

    def receive(self, now: float, read: Read, *, other_has_rest: bool = False) -> Batch | None:
        """Takes note of one read, and returns its messages; what it lacks if it ended, another line may bring."""
        if read.heard:
            self.last_heard_at, self.pinged_at = now, inf
            self.answered = True
        if read.drained:
            # One that was cut while nobody read ends right after what had still arrived; one that lives on was not.
            self._drained_since = min(self._drained_since, now)
            if now - self._drained_since >= CAUGHT_UP_AFTER:
                self._unread_since = inf
        else:
            self.pause(now)
        self.retiring = self.retiring or read.retiring
        self.ended = self.ended or read.ended
        earliest = self._date(now, read) if read.has_data else None
        if not read.payloads:
            return None
        return Batch(
            read.payloads,
            read.characters,
            read.received_at_us,
            pushed_from=earliest,
            pushed_by=self._clock.now(now) if read.has_data else None,
            feed=self._feed,
            line=self.number,
            is_complete=not (read.has_data and self.lag > BEHIND_AFTER) and (other_has_rest or not read.ended),
        )

    def _date(self, now: float, read: Read) -> float | None:
        """Takes note of when updates were pushed, and returns when the earliest of them was, if that is known."""
        self.has_data = True
        self.last_data_at, self.patience = now, self._timing.patience
        times = self._clock.read(self.number, now, read.earliest, read.newest)
        if self._restarts != self._clock.restarts:
            self._restarts = self._clock.restarts
            self.begins, self.reached, self._newest, self._dropped_until = inf, -inf, -inf, -inf
            self._back = self._back_before = 0.0
        if times is not None:
            self._measure_lag(now, *times)
        elif self._clock.ahead is None:
            self.lag = max(now - self._unread_since, 0.0)
        else:
            return None
        if read.has_update:
            if self.begins == inf:
                # Without a time in its first frame it may have been pushed just now, however long nobody read. What
                # was pushed before it was opened proves nothing: some contracts may be later than others.
                opened = self._clock.now(self.opened_at)
                self.begins = self._clock.now(now) if times is None else max(times[0], opened)
            self.reached = self._clock.now(now) - self.lag
        return None if times is None else times[0]

    def _measure_lag(self, now: float, earliest: float, newest: float) -> None:
        """Where some contracts are late, times go back by more than neighbours do; what lies between may yet come."""
        back = max(self._newest - earliest, 0.0)
        self._newest = max(self._newest, newest)
        if back > self._clock.uncertainty:
            back = self._newest - earliest
        if now - self._back_since >= BACK_COUNTS:
            self._back_before = self._back if now - self._back_since < 2 * BACK_COUNTS else 0.0
            self._back, self._back_since = 0.0, now
        self._back = max(self._back, back)
        self.lag = self._clock.now(now) - self._newest + max(self._back, self._back_before)

    def pause(self, now: float) -> None:
        """Nobody reads from now on: what arrives may be lost, if the server tires of waiting."""
        self._unread_since = min(self._unread_since, now)
        self._drained_since = inf

    def keep(self, batch: Batch, delivered: float) -> None:
        """Puts a batch on the backlog; drops what is too much, and what the primary had `delivered` long ago."""
        self._backlog.append((max(self._newest, self.reached), batch))
        self._backlog_bytes += batch.size
        needed = delivered - self._timing.backlog
        while self._backlog and (self._backlog[0][0] < needed or self._backlog_bytes > self._timing.backlog_bytes):
            pushed, oldest = self._backlog.popleft()
            self._backlog_bytes -= oldest.size
            if pushed > -inf:
                self._dropped_until = pushed

    def unwind(self) -> list[Batch]:
        """Hands out the backlog, oldest first, and empties it."""
        batches = [batch for _, batch in self._backlog]
        self._backlog.clear()
        self._backlog_bytes = 0
        return batches

    @property
    def covers_from(self) -> float:
        """From which push on this line has brought and kept everything; never, as long as no update proves it alive."""
        return max(self.begins, self._dropped_until) if self._restarts == self._clock.restarts else inf

    def silent_for(self, now: float) -> float:
        """Seconds without data."""
        return now - self.last_data_at

    def is_silent(self, now: float) -> bool:
        """Whether it is time to ask a fresh connection if there is data. A dead route looks like a quiet market."""
        return self.silent_for(now) >= self.patience

    def outlived(self, now: float) -> str | None:
        """Why it will end soon; else None."""
        if self.retiring:
            return "the server announced its shutdown"
        age = now - self.opened_at
        return f"it has been open for {age / 3600:.1f} hours" if age >= self._timing.rotate_after else None
