"""The failover in simulated time: a world of updates, connections and faults from one seed, and a judge.

`make simulate SEEDS=10000` runs many, `make simulate SEED=7` replays one with every event.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from .driver import Driver
from .judge import judge
from .schedule import draw


@dataclass(frozen=True)
class Outcome:
    """What became of one schedule; `broken` is empty where every rule was kept."""

    seed: int
    broken: list[str]
    seconds: float
    faults: int
    updates: int
    gaps: int


def simulate(seed: int, watch: Callable[[float, str], None] | None = None) -> Outcome:
    """Draws the schedule of a seed, drives the machine through it, and judges."""
    schedule = draw(seed)
    driver = Driver(schedule, watch)
    course = driver.run()
    broken = judge(schedule, course, driver.world.connections)
    return Outcome(seed, broken, schedule.seconds, course.faults, len(course.emitted), len(course.gaps))
