"""Connections for one feed: which address, in the background, and what a failure means."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from ..clock import Clock
from ..endpoints import stream_address
from ..errors import AddressRefused, BinanceError, Owner, RateLimited
from ..transport.connection import Connection, Dialler, Opening, open_in_background
from ..transport.proxy import Route
from .backoff import Refusal
from .subscriptions import FeedPlan

MAX_MESSAGE_BYTES = 1024 * 1024  # a book ticker has 200; what is larger is no market data


class Opened(NamedTuple):
    """A connection to the base with this position in the list, whose address names the first `named` streams."""

    connection: Connection
    base: int
    named: int


class Dialling:
    """Attempts at the addresses of one feed, one at a time. `wake` is called from another thread when one has ended.

    The base that brought data is kept; where one is refused or brings nothing, the next one of the list is tried.
    """

    def __init__(
        self,
        plan: FeedPlan,
        route: Route,
        clock: Clock,
        *,
        connect_within: float,
        wake: Callable[[], None],
        opening: Opening = open_in_background,
    ) -> None:
        self.trouble: BinanceError | None = None  # why the newest failed attempt failed
        self._plan = plan
        self._clock = clock
        self._connect_within = connect_within
        self._dialler: Dialler[tuple[int, int]] = Dialler(route, clock, MAX_MESSAGE_BYTES, wake=wake, opening=opening)
        self._base = 0
        self._in_use = 0  # the base that is thought to be the right one
        self._refused = 0  # bases in a row

    @property
    def is_under_way(self) -> bool:
        return self._dialler.under_way > 0

    def dial(self, *, other_than: int | None = None) -> None:
        """Begins an attempt, at another base than this one where there is any."""
        base = self._base if other_than is None else (other_than + 1) % len(self._plan.bases)
        address, named = stream_address(self._plan.bases[base], self._plan.streams)
        self._dialler.dial(address, self._connect_within, (base, named))

    def outcome(self, now: float) -> Opened | Refusal | None:
        """How an attempt has ended, if one has."""
        outcome = self._dialler.outcome()
        if outcome is None:
            return None
        (base, named), ended = outcome
        if isinstance(ended, Connection):
            self._refused = 0
            return Opened(ended, base, named)
        self.trouble = ended
        return self._refusal(ended, base, now)

    def _refusal(self, error: BinanceError, base: int, now: float) -> Refusal:
        if isinstance(error, AddressRefused):
            self._refused += 1
            self._base = (base + 1) % len(self._plan.bases)
            return Refusal(error, for_good=self._refused >= len(self._plan.bases))
        if isinstance(error, RateLimited):
            return Refusal(error, listens_again_at=now + error.retry_at - self._clock.epoch())
        return Refusal(error, for_good=error.owner is not Owner.EXCHANGE)

    def brings_data(self, base: int) -> str | None:
        """Data came from this base, so it is the one to use; a sentence where that is news."""
        self._base = base
        if base == self._in_use:
            return None
        self._in_use = base
        return f"{self._plan.bases[base]} brings data, and is used from now on."

    def close(self) -> None:
        """No connection is wanted any more: one that is still being opened is left at once."""
        self._dialler.close()
