"""Some hundred windows of the simulation; `make simulate` runs thousands."""

from __future__ import annotations

import pytest

from . import simulate
from .judge import SLACK
from .schedule import draw

SEEDS_OF_A_TEST = 25


@pytest.mark.parametrize("first", range(0, 300, SEEDS_OF_A_TEST))
def test_no_rule_is_broken(first: int) -> None:
    broken = {outcome.seed: outcome.broken for outcome in map(simulate, range(first, first + SEEDS_OF_A_TEST))}
    assert not {seed: rules for seed, rules in broken.items() if rules}, "replay one with: make simulate SEED=n"


def test_the_schedules_are_worth_their_name() -> None:
    """Every kind of fault occurs, with a standby and without, and many windows do have gaps."""
    schedules = [draw(seed) for seed in range(300)]
    kinds = {fault.kind for schedule in schedules for fault in schedule.faults}
    assert len(kinds) == 15
    assert {schedule.standby for schedule in schedules} == {schedule.has_event_times for schedule in schedules}
    assert {schedule.pace for schedule in schedules} == {"busy", "slow", "samples", "quiet"}
    assert sum(simulate(seed).gaps for seed in range(30)) > 30
    assert SLACK < 0.2, "losses of a fifth of a second are not overlooked"


def test_a_seed_is_replayed_exactly() -> None:
    lines: list[list[str]] = [[], []]
    for said in lines:
        simulate(7, lambda at, text, said=said: said.append(f"{at} {text}"))  # type: ignore[misc]
    assert lines[0] == lines[1]
    assert len(lines[0]) > 10
