"""Connections taken away in every way under 3,000 updates a second, from the connector as a process."""

from __future__ import annotations

import pytest

from local_exchange import LocalExchange

from .harness.accounts import Account, Update
from .harness.connector import Connector
from .harness.failing import EVERY_KIND, IMMEDIATE, Capture, Kind, Saboteur

RATE = 3000


def test_with_a_standby_nothing_is_lost(connector: Connector) -> None:
    plan: list[tuple[Kind, int]] = [(kind, 0) for kind in EVERY_KIND] + [(kind, 0) for kind in IMMEDIATE] * 2
    plan += [("rst", 1), ("cut", 1), ("rst", 0)]
    with LocalExchange(rate=RATE, mix_usds_margined=False, sample_every=None) as exchange:
        with Capture(connector, exchange, standby=True) as capture:
            saboteur = Saboteur(exchange, capture, standby=True)
            for kind, position in plan:
                saboteur.strike(kind, position)
        account = capture.account
        assert saboteur.faults.total() == len(plan) >= 20
        assert account.received > RATE * 5
        assert (account.lost, account.twice, account.out_of_order) == (0, 0, 0)
        assert (capture.gaps, capture.summary) == ([], (0, 0.0))
        assert len(exchange.handshakes) == 2 + len(plan) + saboteur.faults["refusal"], "one new one for each that went"
    assert (capture.exit_code, capture.errors) == (0, [])


def test_without_a_standby_it_is_back_within_a_second_and_tells_the_gap(connector: Connector) -> None:
    plan: list[Kind] = [*IMMEDIATE, "shutdown", "slow handshake", "refusal"]
    with LocalExchange(rate=RATE, mix_usds_margined=False, sample_every=None) as exchange:
        with Capture(connector, exchange, standby=False) as capture:
            saboteur = Saboteur(exchange, capture, standby=False)
            for kind in plan:
                saboteur.strike(kind)
        account = capture.account
        assert len(exchange.handshakes) == 1 + len(plan) + 1
    assert saboteur.slowest_return < 1.0
    assert (account.twice, account.out_of_order) == (0, 0)
    assert len(capture.gaps) == len(plan) - 1, "an announced shutdown is no loss"
    told = sum(seconds for seconds, _ in capture.gaps)
    count, seconds = capture.summary
    assert count == len(capture.gaps)
    assert seconds == pytest.approx(told, abs=0.05 * count + 0.05)
    assert told > 0.7, "the slow handshake alone"
    assert 0 < account.lost < 1.5 * RATE * told + 0.5 * RATE, "what is lost is lost within the gaps"
    assert (capture.exit_code, capture.errors) == (0, [])


def account_of(pushed: list[Update], received: list[Update]) -> tuple[int, int, int]:
    account = Account(list(pushed))
    for update in received:
        account.receive(update)
    return account.lost, account.twice, account.out_of_order


PUSHED = [("A", 1), ("B", 2), ("A", 4), ("B", 3), ("A", 5), ("C", 9), ("A", 6)]


def test_the_account_counts_what_it_is_to_count() -> None:
    assert account_of(PUSHED, PUSHED) == (0, 0, 0)
    assert account_of(PUSHED, PUSHED[2:5]) == (0, 0, 0), "before the first and after the last nobody listened"
    assert account_of(PUSHED, PUSHED[:1] + PUSHED[-1:]) == (5, 0, 0)
    assert account_of(PUSHED, PUSHED + PUSHED[1:3]) == (0, 2, 0)
    assert account_of(PUSHED, [("A", 1), ("B", 3), ("B", 2), ("A", 6)]) == (3, 0, 1)
    with pytest.raises(AssertionError, match="never pushed"):
        account_of(PUSHED, [("A", 3)])
