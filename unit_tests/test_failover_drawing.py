"""docs/failover.md draws the states of the failover: each that is drawn is stored, each arrow happens, and no other."""

from __future__ import annotations

import random
import re
from pathlib import Path

from source_binance_futures.binance.market_stream.backoff import Backoff, Ceiling, Refusal
from source_binance_futures.binance.market_stream.exchange_clock import ExchangeClock
from source_binance_futures.binance.market_stream.failover import Action, Close, Dial, Failover, Missing, State
from source_binance_futures.binance.market_stream.items import LogLine
from source_binance_futures.binance.market_stream.line import Timing
from source_binance_futures.binance.market_stream.messages import Read

DRAWING = Path(__file__).resolve().parents[1] / "docs" / "failover.md"
ARROW = re.compile(r"^ *(\S.*?) --> (.*?): .+$", re.MULTILINE)
WALKS, STEPS = 300, 120


def drawn() -> list[set[tuple[str, str]]]:
    """The arrows of each drawing, but for where it begins."""
    drawings = re.findall(r"```mermaid\n(.*?)```", DRAWING.read_text(encoding="utf-8"), re.DOTALL)
    return [set(ARROW.findall(drawing.replace("_", " "))) for drawing in drawings]


def walk(seed: int) -> set[tuple[str, str]]:
    """What changed while anything happened, in any order, until the window ended."""
    rng = random.Random(seed)
    now, opened, dials = 1000.0, 0, 0
    machine = Failover(
        Timing(), ExchangeClock(0.0), Backoff(rng.random, Ceiling(), 1e9), standby=rng.random() < 0.5, began=now
    )
    seen: set[tuple[str, str]] = set()

    def take(actions: list[Action]) -> None:
        nonlocal dials
        for action in actions:
            dials += isinstance(action, Dial)
            if isinstance(action, LogLine) and action.level == "debug":
                before, after = action.text.split(" -> ")
                seen.add((before, after.partition(" (")[0]))
        assert not any(isinstance(action, Close) and machine.line(action.line) for action in actions)

    for _ in range(STEPS):
        now += rng.choice([0.01, 0.3, 1.0, 3.0, 11.0, 31.0])
        take(machine.tick(now))
        line = rng.choice(machine.lines) if machine.lines else None
        event = rng.choice(["data", "data", "data", "pong", "lost", "dialled", "dialled", "full", "free", "contents"])
        if event == "dialled" and dials:
            dials -= 1
            if rng.random() < 0.8:
                take(machine.opened(opened, now))
                opened += 1
            else:
                take(machine.refused(Refusal(OSError("refused")), now))
        elif event in {"full", "free"}:
            take(machine.mind_the_outbox(now, full=event == "full"))
        elif line is None:
            continue
        elif event == "lost" and rng.random() < 0.3:
            take(machine.lost(line.number, "reset", now))
        elif event == "contents":
            take(machine.request_reconnect(line.number, "its contents", now))
        elif event == "pong":
            for each in machine.lines:
                take(machine.received(each.number, Read([]), now))
        elif event == "data":
            for each in machine.lines if rng.random() < 0.8 else [line]:
                read = Read([b"x"], 1, 0, True, True, now, now)
                take(machine.received(each.number, read, now))
    take(machine.window_ended(now))
    return seen


def test_every_state_is_drawn_and_every_arrow_is_taken_and_no_other() -> None:
    connections, losses = drawn()
    seen = set().union(*map(walk, range(WALKS)))
    names = {state.value for state in State}
    assert connections == {arrow for arrow in seen if set(arrow) <= names}
    assert losses == {arrow for arrow in seen if not set(arrow) <= names}
    assert set().union(*connections) == names
    assert set().union(*losses) == {missing.value for missing in Missing}
