"""hypothesis drives the machine, so that a failure shrinks to the few events that it takes.

A shell in miniature: at most two lines, each a list of updates under way. What was pushed, emitted and reported is
compared at every step. docs/failover.md draws the states: each of them is stored, each arrow happens, and no other.
"""

from __future__ import annotations

import random
import re
from collections import deque
from dataclasses import dataclass, field
from math import inf
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from source_binance_futures.binance.market_stream.backoff import Backoff, Refusal
from source_binance_futures.binance.market_stream.exchange_clock import ExchangeClock
from source_binance_futures.binance.market_stream.failover import Action, Command, Failover, Missing, State
from source_binance_futures.binance.market_stream.items import Batch, Gap, LogLine
from source_binance_futures.binance.market_stream.line import Timing
from source_binance_futures.binance.market_stream.messages import Read

EPOCH, BEGAN, SLACK = 1_790_000_000.0, 1000.0, 0.05


@dataclass
class Wire:
    """Updates that were pushed over it, not yet read; `pushes` is off once it is mute."""

    pushes: bool = True
    waiting: list[tuple[int, float]] = field(default_factory=list)  # id, pushed at
    pinged: bool = False
    paused: bool = False


class Exchange(RuleBasedStateMachine):
    """Every update is emitted, or reported as missing, whatever happens in whatever order."""

    def __init__(self) -> None:
        super().__init__()
        self.now = BEGAN
        self.wires: dict[int, Wire] = {}
        self.opened = 0
        self.dialling = False
        self.pushed: list[tuple[int, float]] = []
        self.emitted: list[int] = []
        self.reported: list[tuple[float, float]] = []
        self.transitions: set[tuple[str, str]] = set()
        self.machine = Failover(
            Timing(),
            ExchangeClock(EPOCH),
            Backoff(lambda: 0.5, deque(maxlen=250), 1e9),
            standby=self.standby,
            began=BEGAN,
        )
        self.act(self.machine.tick(self.now))

    standby = False

    def act(self, actions: list[Action]) -> None:
        for action in actions:
            if isinstance(action, Batch):
                self.emitted += [int(payload) for payload in action.payloads]
            elif isinstance(action, Gap):
                assert action.since < action.until
                self.reported.append((action.since - EPOCH, action.until - EPOCH))
            elif isinstance(action, Command):
                self.carry_out(action)
            elif isinstance(action, LogLine) and action.level == "debug":
                before, after = action.text.split(" -> ")
                self.transitions.add((before, after.partition(" (")[0]))
        assert len(self.wires) <= 2
        assert {line.number for line in self.machine.lines} == set(self.wires)

    def carry_out(self, command: Command) -> None:
        if command.verb == "dial":
            assert not self.dialling
            self.dialling = True
        elif command.verb == "close":
            del self.wires[command.line]
        elif command.verb == "ping":
            self.wires[command.line].pinged = True
        else:
            self.wires[command.line].paused = command.verb == "pause"

    def some_wire(self, number: int) -> int | None:
        numbers = sorted(self.wires)
        return numbers[number % len(numbers)] if numbers else None

    @rule(seconds=st.sampled_from([0.01, 0.3, 1.0, 3.0, 11.0, 31.0]))
    def time_passes(self, seconds: float) -> None:
        for _ in range(4):
            self.now += seconds / 4
            self.act(self.machine.tick(self.now))

    @rule(count=st.integers(1, 3))
    def updates_are_pushed(self, count: int) -> None:
        for _ in range(count):
            self.now += 0.02
            update = len(self.pushed), self.now
            self.pushed.append(update)
            for wire in self.wires.values():
                if wire.pushes:
                    wire.waiting.append(update)

    @rule(number=st.integers(0, 1), most=st.sampled_from([1, 100]))
    def a_line_is_read(self, number: int, most: int) -> None:
        chosen = self.some_wire(number)
        if chosen is None or self.wires[chosen].paused:
            return
        wire = self.wires[chosen]
        taken, wire.waiting = wire.waiting[:most], wire.waiting[most:]
        heard = bool(taken) or wire.pinged
        wire.pinged = False
        times = [pushed + EPOCH for _, pushed in taken]
        read = Read(
            [str(update_id).encode() for update_id, _ in taken],
            200 * len(taken),
            has_data=bool(taken),
            has_update=bool(taken),
            earliest=min(times, default=None),
            newest=max(times, default=None),
            heard=heard,
            drained=not wire.waiting,
        )
        self.act(self.machine.received(chosen, read, self.now))

    @rule(number=st.integers(0, 1), happens=st.sampled_from(["lost", "mute", "reconnect"]))
    def a_line_fails(self, number: int, happens: str) -> None:
        chosen = self.some_wire(number)
        if chosen is None:
            return
        if happens == "lost":
            self.act(self.machine.lost(chosen, "a reset", self.now))
        elif happens == "mute":
            self.wires[chosen].pushes = False
        else:
            self.act(self.machine.request_reconnect(chosen, "its contents", self.now))

    @precondition(lambda self: self.dialling)
    @rule(mute=st.booleans())
    def an_attempt_succeeds(self, mute: bool) -> None:
        self.dialling = False
        number, self.opened = self.opened, self.opened + 1
        self.wires[number] = Wire(pushes=not mute)
        self.act(self.machine.opened(number, self.now))

    @precondition(lambda self: self.dialling)
    @rule()
    def an_attempt_fails(self) -> None:
        self.dialling = False
        self.act(self.machine.refused(Refusal(OSError("it was refused")), self.now))

    @rule(full=st.booleans())
    def the_outbox_fills_or_empties(self, full: bool) -> None:
        self.act(self.machine.pause_or_resume(self.now, full=full))

    @invariant()
    def nothing_is_emitted_out_of_order_unless_it_was_there(self) -> None:
        newest, seen = -1, set()
        for update_id in self.emitted:
            at = self.pushed[update_id][1]
            reported = any(since - SLACK <= at <= until + SLACK for since, until in self.reported)
            assert update_id > newest or update_id in seen or reported
            newest = max(newest, update_id)
            seen.add(update_id)

    def teardown(self) -> None:
        self.act(self.machine.window_ended(self.now))
        assert not self.wires
        seen = set(self.emitted)
        until = self.machine.watermark
        if until == -inf:
            return
        begins = min([self.pushed[update_id][1] for update_id in seen] + [since for since, _ in self.reported])
        lost = [
            update
            for update in self.pushed
            if update[0] not in seen
            and begins <= update[1] <= until - EPOCH - SLACK
            and not any(since - SLACK <= update[1] <= reported + SLACK for since, reported in self.reported)
        ]
        assert not lost, f"lost and not reported: {lost}"


class ExchangeWithStandby(Exchange):
    standby = True


stateful = settings(
    max_examples=60, stateful_step_count=60, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True
)
Exchange.TestCase.settings = stateful
ExchangeWithStandby.TestCase.settings = stateful
TestAlone = Exchange.TestCase
TestWithStandby = ExchangeWithStandby.TestCase


DRAWING = Path(__file__).resolve().parents[2] / "docs" / "failover.md"
ARROW = re.compile(r"^ *(\S.*?) --> (.*?): .+$", re.MULTILINE)
WALKS, STEPS = 150, 200


def drawn() -> list[set[tuple[str, str]]]:
    """The arrows of each drawing, but for where it begins."""
    drawings = re.findall(r"```mermaid\n(.*?)```", DRAWING.read_text(encoding="utf-8"), re.DOTALL)
    return [set(ARROW.findall(drawing.replace("_", " "))) for drawing in drawings]


def walk(seed: int) -> set[tuple[str, str]]:
    """What changed while anything happened, in any order, until the window ended."""
    rng = random.Random(seed)
    it = rng.choice([Exchange, ExchangeWithStandby])()
    for _ in range(STEPS):
        it.time_passes(rng.choice([0.01, 0.3, 1.0, 3.0, 11.0]))
        happens = rng.choice(
            ["data", "data", "data", "read", "lost", "mute", "reconnect", "dialled", "dialled", "outbox"]
        )
        number = rng.randrange(2)
        if happens == "data":
            it.updates_are_pushed(1)
        if happens in ("data", "read"):
            for each in [0, 1] if rng.random() < 0.8 else [number]:
                it.a_line_is_read(each, 100)
        elif happens == "reconnect" or (happens in ("lost", "mute") and rng.random() < 0.3):
            it.a_line_fails(number, happens)
        elif happens == "dialled" and it.dialling and rng.random() < 0.2:
            it.an_attempt_fails()
        elif happens == "dialled" and it.dialling:
            it.an_attempt_succeeds(mute=rng.random() < 0.2)
        elif happens == "outbox":
            it.the_outbox_fills_or_empties(full=rng.random() < 0.5)
    it.teardown()
    return it.transitions


def test_every_state_is_drawn_and_every_arrow_is_taken_and_no_other() -> None:
    connections, losses = drawn()
    seen = set().union(*map(walk, range(WALKS)))
    names = {state.value for state in State}
    assert connections == {arrow for arrow in seen if set(arrow) <= names}
    assert losses == {arrow for arrow in seen if not set(arrow) <= names}
    assert set().union(*connections) == names
    assert set().union(*losses) == {missing.value for missing in Missing}
