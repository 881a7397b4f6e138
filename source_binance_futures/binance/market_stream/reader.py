"""The market stream: one event loop reads the sockets of all feeds and hands over what counts; a thread turns it.

It never logs and never waits for the consumer: what it has to say goes through the same queue as the data, since a
blocked reader of stdout would otherwise block it too, and the exchange would cut it off.
"""

from __future__ import annotations

import contextlib
import queue
import random
import selectors
import socket
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY, dataclass, field

from ..clock import Clock, start_thread
from ..endpoints import own_stream
from ..errors import NoThread
from ..text import first_of
from ..transport.address import host_of
from ..transport.connection import Dialler, Opening, open_in_background
from ..transport.proxy import Route
from .backoff import MAX_ATTEMPTS, Backoff
from .coverage import Alarm
from .exchange_clock import ExchangeClock
from .failover import Failover
from .feed import MAX_MESSAGE_BYTES, Feed
from .items import Failed, Item, LogLine, Outbox
from .line import Timing
from .subscriptions import EndpointGroup

TICK = 0.25  # seconds between looks at the clocks
FIRST_PATIENCE = 10.0  # seconds without data, where another address is worth a try
STOP_WITHIN = 5.0  # seconds; at once, but where the machine is busy, or a dead peer takes no last frame
REPORT_EVERY = 6.0  # seconds; a round of samples takes five


class WakingSelector(selectors.DefaultSelector):
    """A selector that another thread can wake; what wakes it has no data."""

    def __init__(self) -> None:
        super().__init__()
        self._reader, self._writer = socket.socketpair()
        self._reader.setblocking(False)
        self.register(self._reader, selectors.EVENT_READ)

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(timeout)
        if any(key.fileobj is self._reader for key, _ in ready):
            self._reader.recv(4096)
        return ready

    def wake(self) -> None:
        with contextlib.suppress(OSError):  # the reading thread may just have ended
            self._writer.send(b"\0")

    def close(self) -> None:
        super().close()
        self._reader.close()
        self._writer.close()


@dataclass
class MarketStream:
    """Reads everything that `groups` ask for, and keeps it to be taken.

    A thread of its own turns it: `start`, once or more often, then `take`, then `stop`; or somebody who calls `open`,
    `turn` and `end`. `began` and `window_ends` are moments of the steady clock; the end only serves to judge whether
    waiting for the exchange makes sense. The clock, the selector, the opening of connections and chance (in [0, 1)) are
    what virtual time brings along.
    """

    groups: Sequence[EndpointGroup]
    route: Route
    clock: Clock
    _: KW_ONLY
    standby: bool
    window_ends: float
    timing: Timing = field(default_factory=Timing)
    outbox: Outbox = field(default_factory=Outbox)
    selector: WakingSelector = field(default_factory=WakingSelector)
    opening: Opening = open_in_background
    chance: Callable[[], float] = random.random

    def __post_init__(self) -> None:
        self.feeds: list[Feed] = []
        self.began = self.clock.monotonic()
        self._attempts: deque[float] = deque(maxlen=MAX_ATTEMPTS)
        self._pause_was_reported = self._is_over = False
        self.alarms: queue.SimpleQueue[Alarm] = queue.SimpleQueue()  # by the consumer; the next turn sees to them
        self._next_tick = 0.0
        self._next_report = self.began + REPORT_EVERY
        self._thread: threading.Thread | None = None
        self._is_stopping = False

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
        deadline = self.clock.deadline(seconds)
        while not deadline.expired and any(feed.machine.primary is None for feed in self.feeds):
            self.clock.sleep(0.005)

    def stop(self) -> None:
        """Stop reading, leave the connections, and report what may be missing; what has arrived can still be taken."""
        self._is_stopping = True
        if self._thread is not None:
            self.selector.wake()
            self._thread.join(STOP_WITHIN)

    def take(self, seconds: float) -> Item | None:
        """Return the next item, in order; None if none comes within so many seconds. For the consumer's thread."""
        return self.outbox.take(seconds)

    def failure_of_window(self) -> Exception | None:
        """Return, after the end, why a feed had to end, or brought nothing in a window full of failures."""
        now = self.clock.monotonic()
        silent = [feed.nothing_heard(now, self.began, self.window_ends) for feed in self.feeds]
        return next(filter(None, [*(feed.machine.failure for feed in self.feeds), *silent]), None)

    def open(self) -> None:
        """Make a feed for each list of streams that has none; the next `turn` connects it."""
        for group in self.groups:
            for streams in group.feeds:
                if all(feed.streams is not streams for feed in self.feeds):
                    self.feeds.append(self._feed(group, streams))
        if len(self.feeds) > 1:
            for number, feed in enumerate(self.feeds, 1):
                host = host_of(feed.group.bases[0])
                feed.machine.name = f"Connection {number} of {len(self.feeds)} ({host})"

    def _feed(self, group: EndpointGroup, streams: list[str]) -> Feed:
        timing, clock, selector = self.timing, self.clock, self.selector
        if len(group.bases) > 1:
            timing = timing._replace(first_patience=min(FIRST_PATIENCE, timing.first_patience))
        machine = Failover(
            timing,
            ExchangeClock(clock.epoch_offset),
            Backoff(self.chance, self._attempts, self.window_ends),
            standby=self.standby,
            began=clock.monotonic(),
            feed=len(self.feeds),
        )
        dialler = Dialler[tuple[str, int]](
            self.route, clock, MAX_MESSAGE_BYTES, wake=selector.wake, opening=self.opening
        )
        return Feed(group, streams, machine, dialler, self.outbox, selector, timing)

    def turn(self) -> bool:
        """Wait for data, at most a tick, and do what is due; return False once the stream has ended by itself.

        What ended it is put into the outbox, after what may be missing because of it.
        """
        if self._is_over:
            return False
        try:
            if any(feed.machine.failure is None or feed.is_busy for feed in self.feeds):
                self._turn()
                return True
            failure = self.feeds[0].machine.failure
        except Exception as error:  # whatever it is, the consumer must hear of it
            failure = error
        self.end(failure)
        return False

    def end(self, failure: Exception | None = None) -> None:
        """Leave every connection, report what may be missing at the end, and why the stream ended by itself.

        What fails on the way spares the other feeds, and is reported after `failure`. Does nothing the second time.
        """
        if self._is_over:
            return
        self._is_over = True
        failures = [failure]
        for feed in self.feeds:
            try:
                feed.end(self.clock.monotonic())
            except Exception as error:  # noqa: PERF203  # there are few feeds
                failures.append(error)
        for why in filter(None, failures):
            self.outbox.put(Failed(why))
        self.selector.close()

    def _run(self) -> None:
        while not self._is_stopping and self.turn():
            pass
        self.end()

    def _turn(self) -> None:
        self._pause_or_resume(self.clock.monotonic())
        pending = [(feed, line) for feed in self.feeds for line in feed.pending]
        ready = [key.data for key, _ in self.selector.select(0 if pending else TICK)]
        for feed, line in dict.fromkeys([*filter(None, ready), *pending]):
            feed.read(line, self.clock.monotonic())
        now = self.clock.monotonic()
        while not self.alarms.empty():
            alarm = self.alarms.get()
            # The contract may be followed over another feed than the one that brought the sample.
            shown_by = self.feeds[alarm.feed]
            feed = next((feed for feed in self.feeds if own_stream(alarm.symbol) in feed.streams), shown_by)
            line = alarm.line if feed is shown_by else None
            feed.do(feed.machine.request_reconnect(line, alarm.reason, now))
        for feed in self.feeds:
            feed.meet_new_connections(now)
        if now >= self._next_tick:
            self._next_tick = now + TICK
            for feed in self.feeds:
                feed.tick(now)
            self.open()
            appeared = [symbol for group in self.groups for symbol in group.appeared]
            if appeared and now >= self._next_report:  # one line for many: in a first sync they come one by one
                self._next_report = now + REPORT_EVERY
                text = f"{len(appeared)} new contracts are followed from now on: {first_of(appeared)}."
                self.outbox.put(LogLine("info", text))
                for group in self.groups:
                    group.appeared.clear()

    def _pause_or_resume(self, now: float) -> None:
        """Pauses reading where the consumer is far behind; each turn anew, since connections come and go."""
        is_full = self.outbox.is_full()
        if is_full and not self._pause_was_reported:
            self._pause_was_reported = True
            waits = f"{self.outbox.waiting_bytes / 2**20:.0f} MiB of updates wait for the destination"
            why = "which reads too slowly. Reading from the exchange pauses; it may cut the connection."
            self.outbox.put(LogLine("warning", f"{waits}, {why}"))
        for feed in self.feeds:
            if feed.machine.paused is not is_full:
                feed.do(feed.machine.pause_or_resume(now, full=is_full))
