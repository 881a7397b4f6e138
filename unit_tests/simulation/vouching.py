"""The consumer in simulated time: which updates become rows, and what each row vouches for."""

from __future__ import annotations

from dataclasses import dataclass

from source_binance_futures.binance.market_stream.coverage import Coverage
from source_binance_futures.binance.market_stream.items import Batch, Gap
from source_binance_futures.binance.market_stream.line import BEHIND_AFTER

from .world import Push

FEED = 0
AT_ITS_BEGINNING = 0.02  # seconds of slack
UNDER_WAY = 0.1  # seconds that an update may be under way over a connection that is not late


@dataclass
class Stretch:
    """From `since` to `until` (seconds of the true clock) nothing of a symbol is missing, say its rows."""

    symbol: int
    since: float
    until: float


class Table:
    """What a warehouse would hold: each update once, and the stretches that its rows vouch for."""

    def __init__(self) -> None:
        self.taken: list[Push] = []
        self.stretches: list[Stretch] = []
        self._newest: dict[int, int] = {}
        self._coverage = Coverage()
        self._open: dict[int, Stretch] = {}
        self._read_at_us = 0

    def take(self, item: Batch | Gap) -> None:
        """The next item of the outbox, handled as `streams/selection.py` does."""
        if not isinstance(item, Batch):
            self._coverage.doubt_feed(FEED, self._read_at_us)
            return
        pushes: list[Push] = item.payloads  # type: ignore[assignment]  # a push in place of its payload
        self.taken += pushes
        self._read_at_us = max(self._read_at_us, item.received_at_us)
        for push in pushes:
            if push.update_id <= self._newest.get(push.symbol, -1):
                continue
            self._newest[push.symbol] = push.update_id
            if not item.is_complete:
                self._coverage.doubt((str(push.symbol),))
            else:
                self._vouch(push.symbol, item.received_at_us / 1e6)

    def _vouch(self, symbol: int, received_at: float) -> None:
        since_us = self._coverage.since(str(symbol), FEED, int(received_at * 1e6))
        if since_us is None:
            return
        since = since_us / 1e6
        stretch = self._open.get(symbol)
        if stretch is None or stretch.since != since:
            self._open[symbol] = stretch = Stretch(symbol, since, received_at)
            self.stretches.append(stretch)
        stretch.until = received_at


def broken_vows(table: Table, pushes: list[Push], *, may_be_late: bool) -> list[str]:
    """The rule that a covered stretch lacks nothing; `may_be_late` where a line may bring everything a while later.

    What was pushed in the last moments before a row was read may have been under way over that very line.
    """
    held = {(push.symbol, push.update_id) for push in table.taken}
    missing = [push for push in pushes if (push.symbol, push.update_id) not in held]
    end = UNDER_WAY + (BEHIND_AFTER if may_be_late else 0.0)
    broken = []
    for stretch in table.stretches:
        lacks = [
            push
            for push in missing
            if push.symbol == stretch.symbol and stretch.since + AT_ITS_BEGINNING < push.at < stretch.until - end
        ]
        if lacks:
            broken.append(f"{stretch} vouches for {len(lacks)} updates that are missing, such as {lacks[0]}")
    return broken
