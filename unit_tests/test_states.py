"""The names of the states that the failover says it is in."""

from __future__ import annotations

import pytest

from source_binance_futures.binance.market_stream.account import Account
from source_binance_futures.binance.market_stream.line import Line, Timing
from source_binance_futures.binance.market_stream.pair import Pair
from source_binance_futures.binance.market_stream.push_clock import PushClock
from source_binance_futures.binance.market_stream.states import Phase, State, state_of


def made(active: float | None = 100.0, spare: float | None = None, until: float | None = 200.0) -> tuple[Pair, Account]:
    """Lines that begin then (0: nothing came yet), and an account until then."""
    account = Account(PushClock(0.0), 0.0)
    account.until = until
    pair = Pair(Timing())
    for place, begins in (("active", active), ("spare", spare)):
        if begins is not None:
            line = Line(0, 0.0, Timing(), PushClock(0.0))
            line.begins = begins or None
            setattr(pair, place, line)
    return pair, account


@pytest.mark.parametrize(
    ("active", "spare", "opened", "replacing", "expected"),
    [
        (None, None, None, None, State(Phase.CONNECTING)),
        (None, None, "outage", None, State(Phase.OUTAGE, "cause", True)),
        (None, None, "silence", None, State(Phase.CONNECTING)),
        (0.0, None, None, None, State(Phase.UNPROVEN, "", True)),
        (0.0, 100.0, "outage", "its age", State(Phase.OUTAGE, "cause", True)),
        (100.0, None, "silence", "its age", State(Phase.SILENT, "cause", True)),
        (100.0, 100.0, None, "its age", State(Phase.REPLACING, "its age", True)),
        (100.0, None, None, None, State(Phase.SINGLE, "", True)),
        (100.0, 100.0, None, None, State(Phase.COVERED, "", True)),
        (100.0, 199.0, None, None, State(Phase.SINGLE, "", True)),
    ],
)
def test_each_state(
    active: float | None, spare: float | None, opened: str | None, replacing: str | None, expected: State
) -> None:
    pair, account = made(active, spare)
    if opened is not None:
        setattr(account, opened, "cause")
    assert state_of(pair, account, replacing=replacing, paused=True) == expected


def test_a_state_is_told_with_its_reason() -> None:
    assert str(State(Phase.SINGLE)) == "single"
    assert str(State(Phase.OUTAGE, "it was reset")) == "outage (it was reset)"
    assert str(State(Phase.REPLACING, "its age", paused=True)) == "replacing (its age), paused"
    assert str(State(Phase.COVERED, paused=True)) == "covered, paused"
