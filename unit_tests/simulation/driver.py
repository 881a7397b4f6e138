"""The shell in simulated time: what `reader.py` does with sockets and a clock, done with a world and a number.

Around it a consumer that takes what waits, or stalls. What came out, what was told and every rule that is judged on the
way stands in `Course`.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable

from source_binance_futures.binance.market_stream import failover as events
from source_binance_futures.binance.market_stream.backoff import Backoff, Ceiling, Refusal
from source_binance_futures.binance.market_stream.exchange_clock import ExchangeClock
from source_binance_futures.binance.market_stream.failover import Action, Failover, State
from source_binance_futures.binance.market_stream.items import Batch, Gap, LogLine, Silence
from source_binance_futures.binance.market_stream.messages import Read

from .course import Course
from .mischief import Mischief, refusal_of
from .referee import Referee
from .schedule import BEGAN, TICK, Fault, Schedule
from .world import EPOCH, NEVER, Connection, Push, World

MOST_STEPS, MOST_BROKEN = 200_000, 20


class Driver:
    """Drives one machine through one schedule."""

    def __init__(self, schedule: Schedule, watch: Callable[[float, str], None] | None = None) -> None:
        self.schedule = schedule
        self.course = Course()
        self._rng = random.Random(schedule.seed + 1)
        self.world = World(self._rng, schedule.pushes)
        backoff = Backoff(self._rng.random, Ceiling(), schedule.ends_at)
        self.machine = Failover(schedule.timing, ExchangeClock(EPOCH), backoff, standby=schedule.standby, began=BEGAN)
        self._referee = Referee(schedule, self.machine)
        self._mischief = Mischief(self.machine, self.world, self._act)
        self._watch = watch
        self._now = BEGAN
        self._open: dict[int, Connection] = {}
        self._paused: set[int] = set()
        self._attempts: deque[tuple[float, Refusal | None, Fault | None]] = deque()
        self._outbox: deque[Batch | Gap] = deque()
        self._waiting = 0
        self._full = False
        self._steps = 0
        self._took_over = False

    def run(self) -> Course:
        """To the end of the window."""
        faults = deque(self.schedule.faults)
        next_tick = BEGAN
        while self._now < self.schedule.ends_at and self.course.gave_up is None and not self._is_hopeless():
            if self._now >= next_tick:
                self._act(self.machine.tick(self._now))
                next_tick = self._now + TICK
            while faults and faults[0].at <= self._now:
                self._strike(faults.popleft())
            self._mind_the_outbox()
            self._end_attempts()
            self._read()
            self._consume()
            moments = [next_tick, self.schedule.ends_at, faults[0].at if faults else NEVER]
            moments += [attempt[0] for attempt in self._attempts]
            moments += [self.world.next_arrival(c) for n, c in self._open.items() if n not in self._paused]
            self._now = max(min(moments), self._now + 1e-6)
        self._finish()
        return self.course

    def _is_hopeless(self) -> bool:
        """A machine that breaks a rule at every step, or never lets the clock go on, is not driven for ever."""
        self._steps += 1
        if self._steps == MOST_STEPS:
            self._referee.broken.append(f"{MOST_STEPS} steps, and the window is not over")
        return self._steps >= MOST_STEPS or len(self._referee.broken) > MOST_BROKEN

    def _finish(self) -> None:
        course = self.course
        self._now = min(self._now, self.schedule.ends_at)
        course.ended_at = self._now
        was_paused = bool(self._paused)
        self._referee.is_over = True
        self._took_over = False
        self._act(self.machine.window_ended(self._now))
        course.ended_paused = was_paused and not self._took_over
        self._mischief.stalled_until = 0.0
        self._consume()
        course.accounted_until = self.machine.watermark
        course.dials = self._referee.dials
        course.broken = self._referee.broken
        if self._open:
            course.broken.append("a connection is left open at the end")

    # --- what the machine asks for ---

    def _act(self, actions: list[Action]) -> None:
        for action in actions:
            self._watch_action(action)
            if isinstance(action, Batch):
                self._referee.emitted(action, self._now, was_covered_at=self.course.was_covered_at)
                self._outbox.append(action)
                self._waiting += len(action.payloads)
            elif isinstance(action, events.Dial):
                self._dial()
            elif isinstance(action, (events.Close, events.Ping, events.Pause, events.Resume)):
                self._act_on_line(action)
            else:
                self._note(action)
        self._referee.looked(self._open, self._paused, self._now)

    def _act_on_line(self, action: events.Close | events.Ping | events.Pause | events.Resume) -> None:
        connection = self._open.get(action.line)
        if connection is None:
            self._referee.broken.append(f"line {action.line} is gone, and yet: {action}")
        elif isinstance(action, events.Ping):
            self.world.ping(connection, self._now)
        elif isinstance(action, events.Pause):
            self._paused.add(action.line)
        else:
            self._paused.discard(action.line)
            self._referee.resumed(action.line, self._now)
            if isinstance(action, events.Close):
                del self._open[action.line]
                connection.left_at = self._now
                self.course.reasons += 1
                self._referee.closed(connection, self._now)

    def _note(self, action: Action) -> None:
        course = self.course
        if isinstance(action, Gap):
            (course.silences if isinstance(action, Silence) else course.gaps).append(action)
            self._outbox.append(action)
        elif isinstance(action, LogLine):
            course.reasons += "A fresh connection replaces" in action.text
            if action.text.endswith(f"-> {State.COVERED.value}"):
                course.was_covered_at = min(course.was_covered_at, self._now)
        elif isinstance(action, events.TookOver):
            self._took_over = True
        elif isinstance(action, events.GiveUp):
            course.gave_up = action.error

    def _dial(self) -> None:
        self._referee.dialled(self._now, attempts=len(self._attempts))
        fault = self._mischief.next_handshake()
        takes = self._rng.uniform(0.02, 0.3)
        self._attempts.append((self._now + takes, refusal_of(fault, self._now), fault))

    def _end_attempts(self) -> None:
        while self._attempts and self._attempts[0][0] <= self._now:
            _, refusal, fault = self._attempts.popleft()
            self.course.reasons += 1
            if refusal is not None:
                self._act(self.machine.refused(refusal, self._now))
                continue
            kind = "" if fault is None else fault.kind
            late = self._rng.choice([0.0, 0.0, 0.05])
            if fault is not None and kind == "late subscription":
                late = fault.seconds
            connection = self.world.connect(self._now, subscribed_after=late)
            self._open[connection.number] = connection
            if kind == "mute from the start":
                connection.muted_at = self._now
            elif kind == "accept and close":
                connection.closed_at = self._now
            self._act(self.machine.opened(connection.number, self._now))

    # --- reading and taking ---

    def _read(self) -> None:
        for number, connection in list(self._open.items()):
            if number in self._paused:
                self.world.cut_slow_reader(connection, self._now)
                continue
            while number in self._open and number not in self._paused and not self._is_hopeless():
                if self.world.next_arrival(connection) > self._now:
                    break
                self._read_once(number, connection)
                self._mind_the_outbox()

    def _read_once(self, number: int, connection: Connection) -> None:
        read = self.world.read(connection, self._now)
        has_data = bool(read.pushes)
        taken = Read(
            list(read.pushes),  # type: ignore[arg-type]  # a push in place of its payload
            160 * len(read.pushes),
            int(self._now * 1e6),
            has_data,
            has_data,
            read.pushes[0].event_time if has_data else None,
            read.pushes[-1].event_time if has_data else None,
            heard=read.heard,
            drained=read.drained,
            retiring=read.notice,
            ended=read.end is not None,
        )
        self._act(self.machine.received(number, taken, self._now))
        if read.end is not None and number in self._open:
            self._act(self.machine.lost(number, read.end, self._now))

    def _mind_the_outbox(self) -> None:
        limit = self.schedule.outbox_updates
        if self._waiting >= limit:
            self._full = True
        elif self._waiting <= limit // 2:
            self._full = False
        self._act(self.machine.outbox_full(self._now) if self._full else self.machine.outbox_free(self._now))

    def _consume(self) -> None:
        if self._now < self._mischief.stalled_until:
            return
        while self._outbox:
            item = self._outbox.popleft()
            self.course.table.take(item)
            if isinstance(item, Batch):
                self._waiting -= len(item.payloads)

    # --- what happens ---

    def _strike(self, fault: Fault) -> None:
        self.course.faults += 1
        if self._watch:
            self._watch(self._now, f"FAULT {fault}")
        self._mischief.strike(fault, self._open, self._now)

    def _watch_action(self, action: Action) -> None:
        if self._watch is None:
            return
        if isinstance(action, Batch):
            pushes: list[Push] = action.payloads  # type: ignore[assignment]
            moments = f"pushed {pushes[0].at:.3f} to {pushes[-1].at:.3f}"
            self._watch(self._now, f"emit {len(pushes)} of line {action.line}, {moments}")
        else:
            self._watch(self._now, str(action))
