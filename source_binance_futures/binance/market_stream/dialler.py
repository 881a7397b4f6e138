"""Opens connections in the background, one at a time, at the pace of `Redial`; knows when a try makes no sense."""

from __future__ import annotations

import queue
import random
import time
from collections.abc import Callable

from ..deadline import Deadline
from ..errors import BinanceError, NeverConnected, Owner, RateLimited
from ..transport.address import host_of
from ..transport.connection import Connection, open_in_background
from ..transport.route import Route
from .backoff import Redial

MAX_MESSAGE_BYTES = 1024 * 1024  # a book ticker has 200; what is larger is no market data
STANDBY_REFUSED_PAUSE = 300.0  # seconds, where a standby is refused for good but the first connection lives


class Dialler:
    """Connects to one market stream address.

    `wake` is called from another thread when there is something to `take`. `window_ends` (monotonic seconds) is the
    moment until which waiting for the exchange makes sense.
    """

    def __init__(
        self, url: str, route: Route, connect_within: float, window_ends: float, wake: Callable[[], None]
    ) -> None:
        self.failures_in_a_row = 0
        self._url = url
        self._route = route
        self._connect_within = connect_within
        self._window_ends = window_ends
        self._wake = wake
        self._redial = Redial(random.random)
        self._began = time.monotonic()
        self._under_way = False
        self._over = False
        self._outcomes: queue.SimpleQueue[Connection | Exception] = queue.SimpleQueue()
        self._ever_opened = False
        self._last_failure: BinanceError | None = None
        self._ban: RateLimited | None = None  # it lasts beyond the window
        self._no_standby_before = 0.0

    def dial_if_due(self, now: float, *, alive: bool) -> None:
        """Begins an attempt, unless one is under way or the next one is not yet due.

        Raises the ban that lasts beyond the window once no connection is `alive` any more.
        """
        if self._ban is not None and not alive:
            raise self._ban
        if self._under_way or now < self._redial.next_attempt_at() or (alive and now < self._no_standby_before):
            return
        self._redial.attempted(now)
        self._under_way = True
        open_in_background(
            self._url, self._route, Deadline(now + self._connect_within), MAX_MESSAGE_BYTES, self._opened
        )

    def take(self, now: float, *, alive: bool) -> Connection | BinanceError | None:
        """The outcome of an attempt that has ended, if any.

        Raises the failure where another attempt makes no sense: what the user must mend, or a ban beyond the window.
        While a connection is `alive` such a failure only means that there is no second one.
        """
        if self._outcomes.empty():
            return None
        outcome = self._outcomes.get()
        self._under_way = False
        if isinstance(outcome, Connection):
            self._ever_opened = True
            self.failures_in_a_row = 0
            return outcome
        if not isinstance(outcome, BinanceError):
            raise outcome
        self._last_failure = outcome
        self.failures_in_a_row += 1
        if isinstance(outcome, RateLimited):
            self._redial.wait_until(now + outcome.retry_at - time.time())
            hopeless = self._redial.next_attempt_at() >= self._window_ends
        else:
            hopeless = outcome.owner is Owner.USER
        if hopeless and not alive:
            raise outcome
        if hopeless:
            self._no_standby_before = now + STANDBY_REFUSED_PAUSE
            self._ban = outcome if isinstance(outcome, RateLimited) else None
        return outcome

    def proven(self) -> None:
        """A message came over the newest connection: the next attempt may be made at once."""
        self._redial.proven()

    def failure_of_window(self) -> NeverConnected | None:
        """The failure of a window in which no connection ever came about."""
        if self._ever_opened:
            return None
        cause = str(self._last_failure or f"{host_of(self._url)} has not answered yet.")
        return NeverConnected(round(time.monotonic() - self._began), cause)

    @property
    def ever_opened(self) -> bool:
        return self._ever_opened

    def close(self) -> None:
        """No connection is wanted any more: one that is still being opened is left at once."""
        self._over = True

    def _opened(self, outcome: Connection | Exception) -> None:
        self._outcomes.put(outcome)
        if self._over and isinstance(outcome, Connection):
            outcome.close()
        self._wake()
