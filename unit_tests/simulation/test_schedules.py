"""Some hundred chains of the simulation; `make simulate` runs thousands."""

from __future__ import annotations

from collections.abc import Sequence
from typing import get_args

import pytest

from . import simulate
from .schedule import Kind, draw

SEEDS_OF_A_TEST = 25
ONCE_BROKEN = (365, 1010, 1021, 1492, 1822)  # a contract that was dead or late when another connection took over
OPTIONS = {"book_ticker_symbols", "book_ticker_pace", "include_usds_margined", "standby_connection"}


@pytest.mark.parametrize(
    "seeds",
    [*(range(first, first + SEEDS_OF_A_TEST) for first in range(0, 300, SEEDS_OF_A_TEST)), ONCE_BROKEN],
    ids=str,
)
def test_no_rule_is_broken(seeds: Sequence[int]) -> None:
    broken = {outcome.seed: outcome.broken for outcome in map(simulate, seeds)}
    assert not {seed: rules for seed, rules in broken.items() if rules}, "replay one with: make simulate SEED=n"


def test_the_schedules_are_worth_their_name() -> None:
    """Every kind of fault occurs, with a standby and without, and many chains do have gaps."""
    schedules = [draw(seed) for seed in range(300)]
    assert {fault.kind for schedule in schedules for fault in schedule.faults} == set(get_args(Kind))
    assert {schedule.standby for schedule in schedules} == {True, False}
    assert {len(schedule.windows) for schedule in schedules} == {1, 3}
    assert {option for schedule in schedules for option in schedule.options} >= OPTIONS
    outcomes = [simulate(seed) for seed in range(20)]
    assert sum(outcome.gaps for outcome in outcomes) > 10
    assert sum(outcome.updates for outcome in outcomes) > 5000


def test_a_seed_is_replayed_exactly() -> None:
    lines: list[list[str]] = [[], []]
    for said in lines:
        simulate(7, lambda at, text, said=said: said.append(f"{at} {text}"))  # type: ignore[misc]
    assert lines[0] == lines[1]
    assert len(lines[0]) > 100
