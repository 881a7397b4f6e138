"""The market stream: one event loop reads the sockets of all feeds and hands over what counts; a thread turns it.

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
from collections import deque
from collections.abc import Callable, Sequence

from ..clock import Clock, start_thread
from ..endpoints import Market
from ..errors import NoThread
from ..text import first_of
from ..transport.address import host_of
from ..transport.connection import Opening, open_in_background
from ..transport.proxy import Route
from .backoff import MAX_ATTEMPTS, Backoff
from .exchange_clock import ExchangeClock
from .failover import Failover
from .feed import Feed, Surroundings
from .items import Failed, Item, LogLine, Outbox
from .line import Timing
from .messages import contracts_in, market_of_book_ticker
from .subscriptions import Contracts, EndpointGroup, FeedPlan

TICK = 0.25  # seconds between looks at the clocks
FIRST_PATIENCE = 10.0  # seconds without data, where another address is worth a try
REPORT_EVERY = 6.0  # seconds; a round of samples takes five


class EventLoop:
    """Reads everything that `groups` ask for, and keeps it to be taken. It belongs to whoever calls `turn`.

    `began` and `window_ends` are moments of the steady clock; the end only serves to judge whether waiting for the
    exchange makes sense. The clock, the selector, the opening of connections and chance (in [0, 1)) are what virtual
    time brings along.
    """

    def __init__(
        self,
        groups: Sequence[EndpointGroup],
        route: Route,
        clock: Clock,
        *,
        standby: bool,
        window_ends: float,
        timing: Timing | None = None,
        outbox: Outbox | None = None,
        selector: WakingSelector | None = None,
        opening: Opening = open_in_background,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self.feeds: list[Feed] = []
        self.began = clock.monotonic()
        self.window_ends = window_ends
        self._clock = clock
        self._outbox = outbox or Outbox()
        self._selector = selector or WakingSelector()
        self._standby = standby
        self._chance = chance
        self._timing = timing or Timing()
        self._around = Surroundings(
            route, clock, self._outbox, self._selector, self._selector.wake, opening, self._timing
        )
        self._contracts = [Contracts(group, clock.today()) for group in groups]
        self._attempts: deque[float] = deque(maxlen=MAX_ATTEMPTS)
        self._was_full = self._pause_was_reported = self._is_over = False
        self._failures_reported: set[int] = set()
        self._requests: queue.SimpleQueue[tuple[str, int, int, str]] = queue.SimpleQueue()
        self._appeared: list[str] = []
        self._next_tick = 0.0
        self._next_report = self.began + REPORT_EVERY

    def take(self, seconds: float) -> Item | None:
        """Return the next item, in order; None if none comes within so many seconds. For the consumer's thread."""
        return self._outbox.take(seconds)

    def request_reconnect(self, symbol: str, feed: int, line: int, why: str) -> None:
        """Ask for a fresh connection in place of the one that does not bring a contract as it should.

        A sample that came over `line` of `feed` shows it; the contract may be followed over another feed. The next turn
        sees to it. For the consumer's thread.
        """
        self._requests.put((symbol, feed, line, why))
        self._selector.wake()

    def markets_of(self, feed: int) -> frozenset[Market]:
        """Return the markets whose samples count where a feed brings them."""
        return self.feeds[feed].contracts.markets

    @property
    def reconnects(self) -> int:
        """How often a connection in use was lost."""
        return sum(feed.machine.losses for feed in self.feeds)

    def failure_of_window(self) -> Exception | None:
        """Return, after the end, why a feed had to end, or brought nothing in a window full of failures."""
        now = self._clock.monotonic()
        silent = [feed.nothing_heard(now, self.began, self.window_ends) for feed in self.feeds]
        return next(filter(None, [*(feed.machine.failure for feed in self.feeds), *silent]), None)

    def open(self) -> None:
        """Plan the feeds; the first `turn` connects them."""
        for contracts in self._contracts:
            for plan in contracts.feeds:
                if all(feed.plan is not plan for feed in self.feeds):
                    self.feeds.append(self._feed(len(self.feeds), contracts, plan))
        if len(self.feeds) > 1:
            for feed in self.feeds:
                feed.machine.name = f"Connection {feed.number + 1} of {len(self.feeds)} ({host_of(feed.plan.bases[0])})"

    def turn(self) -> bool:
        """Wait for data, at most a tick, and do what is due; return False once the stream has ended by itself.

        What ended it is put into the outbox, after what may be missing because of it.
        """
        try:
            if not self._is_over and not self._has_given_up():
                self._turn()
                return True
            failure = next(filter(None, (feed.machine.failure for feed in self.feeds)), None)
        except Exception as error:  # whatever it is, the consumer must hear of it
            failure = error
        if not self._is_over:
            self.end(failure)
        return False

    def end(self, failure: Exception | None = None) -> None:
        """Leave every connection, report what may be missing at the end, and why the stream ended by itself.

        What fails on the way spares the other feeds, and is reported after `failure`.
        """
        self._is_over = True
        failures = [self._end_feed(feed) for feed in self.feeds]
        for error in filter(None, [failure, *failures]):
            self._outbox.put(Failed(error))
        self._selector.close()

    def _end_feed(self, feed: Feed) -> Exception | None:
        try:
            feed.end(self._clock.monotonic())
        except Exception as error:
            return error
        return None

    def _turn(self) -> None:
        self._pause_or_resume(self._clock.monotonic())
        pending = [(feed, line) for feed in self.feeds for line in feed.pending]
        ready = [key.data for key, _ in self._selector.select(0 if pending else TICK)]
        for feed, line in dict.fromkeys([*filter(None, ready), *pending]):
            samples = feed.read(line, self._clock.monotonic())
            if samples:
                self._discover(feed, samples)
        now = self._clock.monotonic()
        while not self._requests.empty():
            symbol, number, line, why = self._requests.get()
            feed = next((feed for feed in self.feeds if feed.follows(symbol)), self.feeds[number])
            feed.request_reconnect(line if feed.number == number else None, why, now)
        for feed in self.feeds:
            feed.meet_new_connections(now)
        if now >= self._next_tick:
            self._next_tick = now + TICK
            for feed in self.feeds:
                feed.tick(now)
            self._report_what_appeared(now)

    def _pause_or_resume(self, now: float) -> None:
        """Pauses reading where the consumer is far behind; each turn anew, since connections come and go."""
        is_full = self._outbox.is_full()
        if not is_full and not self._was_full:
            return
        self._was_full = is_full
        if is_full and not self._pause_was_reported:
            self._pause_was_reported = True
            self._outbox.put(
                LogLine(
                    "warning",
                    f"{self._outbox.waiting_bytes / 2**20:.0f} MiB of updates wait for the destination, which reads "
                    "too slowly. Reading from the exchange pauses; it may cut the connection.",
                )
            )
        for feed in self.feeds:
            feed.pause_or_resume(full=is_full, now=now)

    def _discover(self, feed: Feed, samples: Sequence[bytes]) -> None:
        """Follows the contracts that appear for the first time, on this feed or, where it is full, on another one."""
        new = []
        for book_ticker in contracts_in(samples):
            symbol = str(book_ticker["s"])
            if feed.contracts.appeared(symbol, market_of_book_ticker(book_ticker)):
                new.append(symbol)
        if new:
            self._appeared += new
            self.open()

    def _report_what_appeared(self, now: float) -> None:
        """In one line for many: at the beginning of a first sync they come one by one."""
        if self._appeared and now >= self._next_report:
            named = first_of(self._appeared)
            self._outbox.put(LogLine("info", f"{len(self._appeared)} new contracts are followed from now on: {named}."))
            self._appeared = []
            self._next_report = now + REPORT_EVERY

    def _feed(self, number: int, contracts: Contracts, plan: FeedPlan) -> Feed:
        timing = self._timing
        if len(plan.bases) > 1:
            timing = dataclasses.replace(timing, first_patience=min(FIRST_PATIENCE, timing.first_patience))
        machine = Failover(
            timing,
            ExchangeClock(self._clock.epoch_offset),
            Backoff(self._chance, self._attempts, self.window_ends),
            standby=self._standby,
            began=self._clock.monotonic(),
            feed=number,
        )
        return Feed(number, contracts, plan, machine, self._around)

    def _has_given_up(self) -> bool:
        """Whether every feed has failed for good, and none has a connection or an attempt at one left."""
        failed = [feed for feed in self.feeds if feed.machine.failure is not None]
        for feed in failed:
            if feed.number not in self._failures_reported and len(self.feeds) > len(failed):
                self._failures_reported.add(feed.number)
                text = f"{feed.machine.failure} What else is connected goes on until the end."
                self._outbox.put(LogLine("warning", feed.machine.named(text)))
        return 0 < len(failed) == len(self.feeds) and not any(feed.is_busy for feed in self.feeds)


class MarketStream(EventLoop):
    """An event loop that a thread of its own turns: `start`, once or more often, then `take`, then `stop`."""

    _thread: threading.Thread | None = None
    _is_stopping = False

    def start(self) -> None:
        """Begin to read, if it has not begun; what comes waits to be taken. Raises `NoThread`."""
        if self._thread is not None:
            return
        self.open()
        try:
            self._thread = start_thread("market stream", self._run, "The market stream cannot be read")
        except NoThread:
            self.end()
            raise

    def wait_for_connections(self, seconds: float) -> None:
        """Wait until each feed has a connection, at most so many seconds."""
        deadline = self._clock.deadline(seconds)
        while not deadline.expired and any(feed.machine.primary is None for feed in self.feeds):
            self._clock.sleep(0.005)

    def stop(self) -> None:
        """Stop reading and leave the connections; what has arrived can still be taken. Returns within a second."""
        self._is_stopping = True
        if self._thread is not None:
            self._selector.wake()
            self._thread.join(timeout=1.0)

    def _run(self) -> None:
        while not self._is_stopping:
            if not self.turn():
                return
        self.end()


class WakingSelector(selectors.DefaultSelector):
    """A selector that another thread can wake; what wakes it is not among what `select` returns."""

    def __init__(self) -> None:
        super().__init__()
        self._reader, self._writer = socket.socketpair()
        self._reader.setblocking(False)
        self.register(self._reader, selectors.EVENT_READ)

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(timeout)
        if all(key.fileobj is not self._reader for key, _ in ready):
            return ready
        self._reader.recv(4096)
        return [(key, events) for key, events in ready if key.fileobj is not self._reader]

    def wake(self) -> None:
        with contextlib.suppress(OSError):  # the reading thread may just have ended
            self._writer.send(b"\0")

    def close(self) -> None:
        super().close()
        self._reader.close()
        self._writer.close()
