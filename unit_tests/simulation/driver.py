"""The shell in simulated time: what `reader.py` does with sockets and a clock, done with a world and a number.

Around it a consumer that takes what waits, or stalls. What came out, what was told and every rule that is judged on the
way stands in `Course`.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from source_binance_futures.binance.market_stream.backoff import Backoff, Ceiling
from source_binance_futures.binance.market_stream.events import (
    Action,
    Arrival,
    Batch,
    Changed,
    Close,
    Dial,
    Emit,
    GiveUp,
    Note,
    Pause,
    Ping,
    Refusal,
    Resume,
    TellGap,
    TellSilence,
    Warn,
)
from source_binance_futures.binance.market_stream.failover import Failover
from source_binance_futures.binance.market_stream.push_clock import PushClock
from source_binance_futures.binance.market_stream.states import Phase

from .schedule import BEGAN, Fault, Schedule
from .world import EPOCH, NEVER, Connection, Push, World

TICK = 0.25
MOST_STEPS, MOST_BROKEN = 200_000, 20


@dataclass
class Course:
    """How a window went."""

    emitted: list[Push] = field(default_factory=list)
    gaps: list[TellGap] = field(default_factory=list)
    silences: list[TellSilence] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)  # rules, with what broke them
    dials: list[float] = field(default_factory=list)
    reasons: int = 0  # to dial
    faults: int = 0
    ended_at: float = 0.0
    gave_up: Exception | None = None
    was_covered_at: float = NEVER  # when the standby was first proven
    accounted_until: float | None = None


class Driver:
    """Drives one machine through one schedule."""

    def __init__(self, schedule: Schedule, watch: Callable[[float, str], None] | None = None) -> None:
        self.schedule = schedule
        self.course = Course()
        self._rng = random.Random(schedule.seed + 1)
        self.world = World(self._rng, schedule.pushes)
        clock = PushClock(EPOCH)
        backoff = Backoff(self._rng.random, Ceiling(), schedule.ends_at)
        self.machine = Failover(schedule.timing, clock, backoff, standby=schedule.standby, began=BEGAN)
        self._watch = watch
        self._now = BEGAN
        self._open: dict[int, Connection] = {}
        self._paused: set[int] = set()
        self._attempts: deque[tuple[float, Refusal | None, str]] = deque()
        self._handshake_faults: deque[Fault] = deque()
        self._outbox: deque[Batch] = deque()
        self._waiting = 0
        self._stalled_until = 0.0
        self._full = False
        self._steps = 0

    def run(self) -> Course:
        """To the end of the window."""
        faults = deque(self.schedule.faults)
        next_tick = BEGAN
        while self._now < self.schedule.ends_at and self.course.gave_up is None:
            if self._is_hopeless():
                break
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
        if self._steps > MOST_STEPS:
            self.course.broken.append(f"{MOST_STEPS} steps, and the window is not over")
        return self._steps > MOST_STEPS or len(self.course.broken) > MOST_BROKEN

    def _finish(self) -> None:
        self._now = min(self._now, self.schedule.ends_at)
        self.course.ended_at = self._now
        self._act(self.machine.ended(self._now))
        self._stalled_until = 0.0
        self._consume()
        self.course.accounted_until = self.machine.account.until
        if self._open:
            self.course.broken.append("a connection is left open at the end")

    # --- what the machine asks for ---

    def _act(self, actions: list[Action]) -> None:
        for action in actions:
            self._watch_action(action)
            if isinstance(action, Emit):
                self._outbox.append(action.batch)
                self._waiting += len(action.batch.payloads)
            elif isinstance(action, Dial):
                self._dial()
            elif isinstance(action, (Close, Ping, Pause, Resume)):
                self._act_on_line(action)
            else:
                self._note(action)
        self._check_lines()

    def _act_on_line(self, action: Close | Ping | Pause | Resume) -> None:
        connection = self._open.get(action.line)
        if connection is None:
            self.course.broken.append(f"line {action.line} is gone, and yet: {action}")
        elif isinstance(action, Ping):
            self.world.ping(connection, self._now)
        elif isinstance(action, Pause):
            self._paused.add(action.line)
        else:
            self._paused.discard(action.line)
            if isinstance(action, Close):
                del self._open[action.line]
                connection.left_at = self._now
                self.course.reasons += 1

    def _note(self, action: Action) -> None:
        course = self.course
        if isinstance(action, TellGap):
            course.gaps.append(action)
        elif isinstance(action, TellSilence):
            course.silences.append(action)
        elif isinstance(action, (Note, Warn)):
            course.said.append(action.text)
            course.reasons += "A fresh connection replaces" in action.text
        elif isinstance(action, GiveUp):
            course.gave_up = action.error
        elif isinstance(action, Changed) and action.after.phase is Phase.COVERED:
            course.was_covered_at = min(course.was_covered_at, self._now)

    def _check_lines(self) -> None:
        held = {line.number for line in self.machine.pair.lines()}
        if held != set(self._open):
            self.course.broken.append(f"at {self._now:.2f} lines {held} are held, and {set(self._open)} are open")
        if len(held) > 2:
            self.course.broken.append("more than two lines")

    def _dial(self) -> None:
        if self._attempts:
            self.course.broken.append("two attempts at once")
        self.course.dials.append(self._now)
        fault = self._handshake_faults.popleft() if self._handshake_faults else None
        takes = self._rng.uniform(0.02, 0.3)
        kind = fault.kind if fault else ""
        refusal = None
        if fault and kind == "refuse":
            refusal = Refusal(ConnectionRefusedError("it was refused"))
        elif fault and kind == "refuse until":
            refusal = Refusal(ConnectionRefusedError("too many"), listens_again_at=self._now + fault.seconds)
        elif fault and kind == "refuse for good":
            refusal = Refusal(PermissionError("it is forbidden"), for_good=True)
        self._attempts.append((self._now + takes, refusal, kind))
        self._late_by = fault.seconds if fault else 0.0

    def _end_attempts(self) -> None:
        while self._attempts and self._attempts[0][0] <= self._now:
            _, refusal, kind = self._attempts.popleft()
            self.course.reasons += 1
            if refusal is not None:
                self._act(self.machine.refused(refusal, self._now))
                continue
            late = self._late_by if kind == "late subscription" else self._rng.choice([0.0, 0.0, 0.05])
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
        batch = None
        if read.pushes:
            batch = Batch(
                list(read.pushes),  # type: ignore[arg-type]  # a push in place of its payload
                160 * len(read.pushes),
                self._now,
                pushed_from=read.pushes[0].event_time,
                pushed_at=read.pushes[-1].event_time,
                line=number,
            )
        arrival = Arrival(batch, bool(read.pushes), bool(read.pushes), read.heard, read.drained, read.notice)
        self._act(self.machine.received(number, arrival, self._now))
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
        if self._now < self._stalled_until:
            return
        while self._outbox:
            batch = self._outbox.popleft()
            self._waiting -= len(batch.payloads)
            self.course.emitted.extend(batch.payloads)  # type: ignore[arg-type]

    # --- what goes wrong ---

    def _strike(self, fault: Fault) -> None:
        self.course.faults += 1
        if self._watch:
            self._watch(self._now, f"FAULT {fault}")
        if fault.kind == "stall":
            self._stalled_until = max(self._stalled_until, self._now + fault.seconds)
        elif fault.kind == "doubt":
            active = self.machine.pair.active
            if active is not None:
                self._act(self.machine.doubted(active.number, "its contents", self._now))
        elif fault.kind.startswith(("refuse", "accept", "late", "mute from")):
            self._handshake_faults.extend([fault] * fault.times)
        else:
            for connection in self._targets(fault.target):
                self._harm(connection, fault)

    def _targets(self, target: int) -> list[Connection]:
        lines = [self.machine.pair.active, self.machine.pair.spare]
        chosen = lines if target == 2 else [lines[target]]
        return [self._open[line.number] for line in chosen if line is not None]

    def _harm(self, connection: Connection, fault: Fault) -> None:
        if fault.kind == "reset":
            connection.reset_at = min(connection.reset_at, self._now)
        elif fault.kind == "fin":
            connection.closed_at = min(connection.closed_at, self._now)
        elif fault.kind == "dark":
            connection.dark_at = min(connection.dark_at, self._now)
        elif fault.kind == "mute":
            connection.muted_at = min(connection.muted_at, self._now)
        elif fault.kind == "lag" and any(other.first_read for other in self.world.connections):
            connection.lag += fault.seconds  # lateness from the very first update on looks like another clock
        elif fault.kind == "shutdown":
            connection.notice_at = self._now
            connection.closed_at = min(connection.closed_at, self._now + 3 + fault.seconds / 4)

    def _watch_action(self, action: Action) -> None:
        if self._watch is None:
            return
        if isinstance(action, Emit):
            pushes: list[Push] = action.batch.payloads  # type: ignore[assignment]
            self._watch(
                self._now,
                f"emit {len(pushes)} of line {action.batch.line}, pushed {pushes[0].at:.3f} to {pushes[-1].at:.3f}",
            )
        else:
            self._watch(self._now, str(action))
