"""The request weight that Binance allows an IP address in a minute: how much is used, and when to wait. Pure: no clock.

The window is the minute of the UTC clock, and every program behind the address draws on the same 2,400
[binance-facts 3].
"""

from __future__ import annotations

from dataclasses import dataclass

HANDSHAKE_WEIGHT, ONE_SYMBOL_WEIGHT, ALL_SYMBOLS_WEIGHT = 5, 1, 2
MINUTE = 60.0  # seconds
CAREFUL_ABOVE = 0.9  # of the limit


@dataclass(frozen=True)
class WeightUsed:
    """How much of the weight of its minute the IP address has used, this connector's own included, as Binance said."""

    count: int
    limit: int


def cost_of(symbol: str | None, *, connected: bool) -> int:
    """What `ticker.price` of one symbol, or of all, costs; a connection that is still to be opened costs more."""
    cost = ONE_SYMBOL_WEIGHT if symbol else ALL_SYMBOLS_WEIGHT
    return cost if connected else cost + HANDSHAKE_WEIGHT


class WeightBudget:
    """What the IP address has used in this minute: what Binance said last, and what was asked since.

    One for a process, whatever it asks. Moments are seconds since 1970.
    """

    def __init__(self) -> None:
        self._used: WeightUsed | None = None
        self._told_at = 0.0

    def told(self, used: WeightUsed, now: float) -> None:
        """An answer that came `now` said so."""
        self._used, self._told_at = used, now

    def spent(self, cost: int, now: float) -> None:
        """A request of this cost leaves `now`; it may never be answered."""
        used = self.used(now)
        if used is not None:
            self._used = WeightUsed(used.count + cost, used.limit)

    def used(self, now: float) -> WeightUsed | None:
        """What is known of the present minute; another minute's weight says nothing."""
        return self._used if _minute(self._told_at) == _minute(now) else None

    def seconds_to_wait(self, cost: int, now: float) -> float:
        """Until the next minute, where a request of this cost would bring the address near its limit; else 0."""
        used = self.used(now)
        if used is None or used.count + cost <= CAREFUL_ABOVE * used.limit:
            return 0.0
        return MINUTE - now % MINUTE


def _minute(moment: float) -> int:
    return int(moment // MINUTE)
