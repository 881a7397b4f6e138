"""Since when a contract's own stream has missed nothing: what `covered_since_us` of a record says. Pure.

Strict on one side: never too early. A covered interval begins with the first update of the contract's own stream that
is kept after a reset, since everything that is pushed after it comes over the same connection, in order. Two intervals
of a contract never touch: whoever reads the rows would take them for one, and what is missing between them for covered.
"""

from __future__ import annotations

from collections.abc import Iterable


class Coverage:
    """For each contract the beginning of its covered interval, in microseconds since 1970; none after a reset.

    `rows_until_us` is the newest `received_at_us` of all rows that earlier syncs have written.
    """

    def __init__(self, rows_until_us: int = 0) -> None:
        self.since: dict[str, int] = {}
        self.intervals = 0  # that have begun so far
        self.contracts: set[str] = set()  # that have had at least one
        self._rows_until_us = rows_until_us
        self._newest_rows_us: dict[int, int] = {}  # feeds: the newest read that gave rows
        self._feeds_end_us: dict[int, int] = {}  # feeds: where their intervals ended at the last reset, at the latest
        self._ends_us: dict[str, int] = {}  # contracts: the same
        self._of_feed: dict[int, set[str]] = {}
        self._feed_of: dict[str, int] = {}

    def begin(self, symbol: str, feed: int, received_at_us: int) -> int | None:
        """Return where the interval of an update begins that came over the contract's own stream and is kept.

        None where an interval would begin with it, and rows were written that are as new or newer: the clock was ahead
        in the sync before, or a standby had read this before the last read of the line that it replaced. None also for
        what a standby had read before the interval began.
        """
        if symbol in self.since:
            return self.since[symbol] if self.since[symbol] <= received_at_us else None
        ended_us = max(self._rows_until_us, self._feeds_end_us.get(feed, 0), self._ends_us.get(symbol, 0))
        if received_at_us <= ended_us:
            return None
        self.since[symbol] = received_at_us
        self._of_feed.setdefault(feed, set()).add(symbol)
        self._feed_of[symbol] = feed
        self.intervals += 1
        self.contracts.add(symbol)
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
        for symbol in self._of_feed.pop(feed, ()):
            self.since.pop(symbol, None)

    def followed_over(self, feed: int) -> frozenset[str]:
        """Return the contracts that have had an interval over a feed since all of it was reset."""
        return frozenset(self._of_feed.get(feed, ()))
