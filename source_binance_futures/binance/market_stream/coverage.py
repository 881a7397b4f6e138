"""Since when a contract's own stream has missed nothing: what `covered_since_us` of a record says. Pure.

Strict on one side: never too early. A stretch begins with the first update of the contract's own stream that is kept
after a doubt, since everything that is pushed after it comes over the same connection, in order.
"""

from __future__ import annotations

from collections.abc import Iterable


class Coverage:
    """For each contract the beginning of its stretch, in microseconds since 1970; none while there is a doubt."""

    def __init__(self) -> None:
        self._since: dict[str, int] = {}
        self._of_feed: dict[int, set[str]] = {}
        self._doubted_at: dict[int, int] = {}  # feeds: the newest read before the doubt
        self.stretches = 0  # that have begun so far
        self.contracts: set[str] = set()  # of which at least one has

    def since(self, symbol: str, feed: int, received_at_us: int) -> int | None:
        """Where the stretch of an update begins that came over the contract's own stream and is kept.

        None for what a spare has read before the last read of the line that it replaced, where something was lost
        between: a stretch that reached back so far would touch the one before, and both would be taken for one.
        """
        since = self._since.get(symbol)
        if since is None:
            if received_at_us < self._doubted_at.get(feed, received_at_us):
                return None
            self._since[symbol] = since = received_at_us
            self._of_feed.setdefault(feed, set()).add(symbol)
            self.stretches += 1
            self.contracts.add(symbol)
        return since if since <= received_at_us else None  # what a spare has read before the stretch began

    def doubt(self, symbols: Iterable[str]) -> None:
        """Something may be missing of these contracts, or may yet prove to be."""
        for symbol in symbols:
            self._since.pop(symbol, None)

    def doubt_feed(self, feed: int, read_at_us: int | None = None) -> None:
        """The same for all contracts of a feed, of which the newest read so far was at this moment."""
        if read_at_us is not None:
            self._doubted_at[feed] = read_at_us
        self.doubt(self._of_feed.pop(feed, ()))

    def followed_over(self, feed: int) -> frozenset[str]:
        """The contracts that have had a stretch over a feed since the last doubt of all of it."""
        return frozenset(self._of_feed.get(feed, ()))
