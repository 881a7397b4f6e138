"""Hundreds of contracts over several connections with a standby each, while connections are taken away."""

from __future__ import annotations

from pathlib import Path

import pytest

from .harness.connector import Connector
from .harness.many import Siege, besiege

COIN_M, USDS_M = 20, 390
RATE = 1500.0


@pytest.fixture(scope="module")
def siege(tmp_path_factory: pytest.TempPathFactory) -> Siege:
    folder: Path = tmp_path_factory.mktemp("many")
    with Connector(folder) as connector:
        return besiege(connector, coin_m=COIN_M, usds_m=USDS_M, rate=RATE, seconds=12, kill_every=2)


def test_nothing_is_lost_nothing_comes_twice_and_every_contract_keeps_its_order(siege: Siege) -> None:
    assert siege.connections == 6
    assert siege.killed >= 4
    verdict = siege.verdict
    assert (verdict.lost, verdict.faults, verdict.gaps, verdict.silences) == (0, (0, 0, 0), [], [])
    assert siege.updates > RATE * 10
    assert siege.output.exit_code == 0


def test_every_row_keeps_its_promise(siege: Siege) -> None:
    assert siege.uncovered == []


def test_a_connection_that_went_is_replaced_by_one(siege: Siege) -> None:
    assert siege.opened == siege.connections + siege.killed
    assert all(len(path) <= 4000 for path in siege.paths)
    for times in siege.control_messages:
        assert all(later - at >= 1.0 for at, later in zip(times, times[4:], strict=False)), "at most four a second"


def test_the_state_has_every_contract_and_the_log_does_not(siege: Siege) -> None:
    assert len(siege.output.last_state["u"]) == COIN_M + USDS_M
    assert siege.longest_log_line < 500
    assert len(siege.output.states) >= 2
    assert siege.seconds_to_first_state < 20, "written every ten seconds, and fifteen are promised"
