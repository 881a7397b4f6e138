"""The market stream: one thread reads the sockets of all feeds, and hands over what counts.

It never logs and never waits for the consumer: what it has to say goes through the same queue as the data, since a
blocked reader of stdout would otherwise block it too, and the exchange would cut it off.
"""

from __future__ import annotations

import contextlib
import dataclasses
import queue
import random
import selectors
import socket
import threading
import time
from collections.abc import Sequence
from datetime import date

from ..endpoints import Market
from ..errors import NothingHeard
from ..text import first_of
from ..transport.address import host_of
from ..transport.route import Route
from .backoff import Backoff, Ceiling
from .contracts import Contracts, FeedPlan, Venue
from .failover import Failover
from .feed import Feed, Surroundings
from .glance import contracts_in
from .line import Timing
from .messages import market_of_book_ticker
from .outbox import Failed, Item, Noted, Outbox, Warned
from .push_clock import PushClock

TICK = 0.25  # seconds between looks at the clocks
FIRST_PATIENCE = 10.0  # seconds without data, where another address is worth a try
TELL_EVERY = 6.0  # seconds; a round of samples takes five


class MarketStream:
    """A capture of everything that `venues` ask for.

    `start`, then `take` until the window ends, then `stop`. `window_ends` is a point on the monotonic clock; it is
    only used to judge whether waiting for the exchange makes sense.
    """

    def __init__(
        self,
        venues: Sequence[Venue],
        route: Route,
        *,
        standby: bool,
        window_ends: float,
        today: date,
        timing: Timing | None = None,
        outbox: Outbox | None = None,
    ) -> None:
        self._timing = timing or Timing()
        self._standby = standby
        self._window_ends = window_ends
        self._contracts = [Contracts(venue, today) for venue in venues]
        self._contracts_of: dict[int, Contracts] = {}  # by the number of the feed
        self._feeds: list[Feed] = []
        self._ceiling = Ceiling()
        self._outbox = outbox or Outbox()
        self._was_full = self._pause_was_told = False
        self._failures_told: set[int] = set()
        self._doubts: queue.SimpleQueue[tuple[str, int, int, str]] = queue.SimpleQueue()
        self._stopping = False
        self._appeared: list[str] = []
        self._began = self._next_tick = self._next_telling = 0.0
        self._thread = threading.Thread(target=self._run, name="market stream", daemon=True)
        self._around = Surroundings(route, self._outbox, selectors.DefaultSelector(), self._wake, self._timing)
        self._wake_reader, self._wake_writer = socket.socketpair()

    # --- for the consumer's thread ---

    def start(self) -> None:
        self._began = time.monotonic()
        self._next_telling = self._began + TELL_EVERY
        self._wake_reader.setblocking(False)
        self._around.selector.register(self._wake_reader, selectors.EVENT_READ)
        self._open_feeds()
        self._thread.start()

    def take(self, seconds: float) -> Item | None:
        """The next item, in order; None if none comes within so many seconds."""
        return self._outbox.take(seconds)

    def doubt(self, symbol: str, feed: int, line: int, why: str) -> None:
        """Asks for a fresh connection in place of the one that does not bring a contract as it should.

        What tells it, a sample, came over `line` of `feed`; the contract may be followed over another feed.
        """
        self._doubts.put((symbol, feed, line, why))
        self._wake()

    def stop(self) -> None:
        """Stops reading and leaves the connections; what has arrived can still be taken. Returns within a second."""
        self._stopping = True
        if self._thread.ident is not None:
            self._wake()
            self._thread.join(timeout=1.0)

    def markets_of(self, feed: int) -> frozenset[Market]:
        """The markets whose samples count where a feed brings them."""
        return self._contracts_of[feed].markets

    @property
    def reconnects(self) -> int:
        """How often a connection in use was lost."""
        return sum(feed.machine.losses for feed in self._feeds)

    def failure_of_window(self) -> Exception | None:
        """After `stop`: why a feed had to end, or brought nothing in a window full of failures."""
        for feed in self._feeds:
            if feed.failure is not None:
                return feed.failure
        is_over = time.monotonic() >= self._window_ends
        for feed in self._feeds:
            trouble = feed.trouble or (feed.unanswered if is_over else None)
            if not feed.brought_data and trouble is not None:
                return NothingHeard(round(time.monotonic() - self._began), trouble, connected=feed.was_connected)
        return None

    # --- the reading thread ---

    def _run(self) -> None:
        try:
            while not self._stopping and not self._has_given_up():
                self._turn()
        except Exception as error:  # whatever it is, the consumer must hear of it
            self._end_feeds()
            self._outbox.put(Failed(error))
        else:
            self._end_feeds()
            if self._has_given_up():
                self._outbox.put(Failed(next(feed.failure for feed in self._feeds if feed.failure is not None)))
        finally:
            self._around.selector.close()
            self._wake_reader.close()
            self._wake_writer.close()

    def _turn(self) -> None:
        """Waits for data, at most a tick, and does what is due."""
        self._mind_the_outbox(time.monotonic())
        pending = [(feed, line) for feed in self._feeds for line in feed.pending]
        ready = [key.data for key, _ in self._around.selector.select(0 if pending else TICK)]
        if None in ready:
            self._wake_reader.recv(4096)
        for feed, line in dict.fromkeys([*filter(None, ready), *pending]):
            samples = feed.read(line, time.monotonic())
            if samples:
                self._discover(feed, samples)
        now = time.monotonic()
        while not self._doubts.empty():
            symbol, number, line, why = self._doubts.get()
            feed = next((feed for feed in self._feeds if feed.follows(symbol)), self._feeds[number])
            feed.doubt(line if feed.number == number else None, why, now)
        for feed in self._feeds:
            feed.meet_new_connections(now)
        if now >= self._next_tick:
            self._next_tick = now + TICK
            for feed in self._feeds:
                feed.tick(now)
            self._tell_what_appeared(now)

    def _mind_the_outbox(self, now: float) -> None:
        """Pauses reading where the consumer is far behind; each turn anew, since connections come and go."""
        is_full = self._outbox.is_full()
        if not is_full and not self._was_full:
            return
        self._was_full = is_full
        if is_full and not self._pause_was_told:
            self._pause_was_told = True
            self._outbox.put(
                Warned(
                    f"{self._outbox.waiting_bytes / 2**20:.0f} MiB of updates wait for the destination, which reads "
                    "too slowly. Reading from the exchange pauses; it may cut the connection."
                )
            )
        for feed in self._feeds:
            feed.mind_the_outbox(full=is_full, now=now)

    def _discover(self, feed: Feed, samples: Sequence[bytes]) -> None:
        """Follows the contracts that appear for the first time, on this feed or, where it is full, on another one."""
        contracts = self._contracts_of[feed.number]
        new = []
        for book_ticker in contracts_in(samples):
            symbol = str(book_ticker["s"])
            if contracts.appeared(symbol, market_of_book_ticker(book_ticker)):
                new.append(symbol)
        if new:
            self._appeared += new
            self._open_feeds()

    def _tell_what_appeared(self, now: float) -> None:
        """In one line for many: at the beginning of a first sync they come one by one."""
        if self._appeared and now >= self._next_telling:
            named = first_of(self._appeared)
            self._outbox.put(Noted(f"{len(self._appeared)} new contracts are followed from now on: {named}."))
            self._appeared = []
            self._next_telling = now + TELL_EVERY

    def _open_feeds(self) -> None:
        """A feed for each plan that has none yet."""
        planned = [(contracts, plan) for contracts in self._contracts for plan in contracts.feeds]
        for contracts, plan in planned:
            if all(feed.plan is not plan for feed in self._feeds):
                number = len(self._feeds)
                self._contracts_of[number] = contracts
                self._feeds.append(self._feed(number, contracts, plan))
        if len(self._feeds) > 1:
            for feed in self._feeds:
                feed.name = f"Connection {feed.number + 1} of {len(self._feeds)} ({host_of(feed.plan.bases[0])})"

    def _feed(self, number: int, contracts: Contracts, plan: FeedPlan) -> Feed:
        timing = self._timing
        if len(plan.bases) > 1:
            timing = dataclasses.replace(timing, first_patience=min(FIRST_PATIENCE, timing.first_patience))
        machine = Failover(
            timing,
            PushClock(time.time() - time.monotonic()),
            Backoff(random.random, self._ceiling, self._window_ends),
            standby=self._standby,
            began=time.monotonic(),
        )
        return Feed(number, plan, machine, self._around, own_streams=contracts.follows)

    def _has_given_up(self) -> bool:
        """Whether no feed has a connection, or an attempt at one, and at least one needs no other try."""
        failed = [feed for feed in self._feeds if feed.failure is not None]
        for feed in failed:
            if feed.number not in self._failures_told and len(self._feeds) > len(failed):
                self._failures_told.add(feed.number)
                self._outbox.put(Warned(f"{feed.name}: {feed.failure} What else is connected goes on until the end."))
        return bool(failed) and not any(feed.is_busy for feed in self._feeds)

    def _end_feeds(self) -> None:
        now = time.monotonic()
        for feed in self._feeds:
            feed.end(now)

    def _wake(self) -> None:
        with contextlib.suppress(OSError):  # the reading thread may just have ended
            self._wake_writer.send(b"\0")
