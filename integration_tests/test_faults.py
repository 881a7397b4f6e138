"""Connections taken away in every way under 3,000 updates a second, from the connector as a process.

It captures as by default: contracts are found by samples, and followed by their own streams.
"""

from __future__ import annotations

import pytest

from local_exchange import LocalExchange

from .harness.accounts import Account, Update
from .harness.connector import Connector
from .harness.failing import EVERY_KIND, IMMEDIATE, Capture, Kind, Saboteur
from .harness.patience import patient

RATE = 3000


def test_with_a_standby_nothing_is_lost(connector: Connector) -> None:
    plan: list[tuple[Kind, int]] = [(kind, 0) for kind in EVERY_KIND] + [(kind, 0) for kind in IMMEDIATE] * 2
    plan += [("rst", 1), ("cut", 1), ("rst", 0)]
    with LocalExchange(rate=RATE, mix_usds_margined=False) as exchange:
        with Capture(connector, exchange, standby=True) as capture:
            capture.wait_until_all_are_followed()
            saboteur = Saboteur(exchange, capture, standby=True)
            for kind, position in plan:
                saboteur.strike(kind, position)
        account = capture.account
        assert saboteur.faults.total() == len(plan) >= 20
        assert account.received > RATE * 5
        assert account.sums == (0, 0, 0, 0)
        assert (capture.gaps, capture.summary) == ([], (0, 0.0))
        assert len(exchange.handshakes) == 2 + len(plan) + saboteur.faults["refusal"], "one new one for each that went"
    assert (capture.exit_code, capture.errors) == (0, [])


def test_without_a_standby_it_is_back_within_a_second_and_tells_the_gap(connector: Connector) -> None:
    plan: list[Kind] = [*IMMEDIATE, "shutdown", "slow handshake", "refusal"]
    with LocalExchange(rate=RATE, mix_usds_margined=False) as exchange:
        with Capture(connector, exchange, standby=False) as capture:
            capture.wait_until_all_are_followed()
            saboteur = Saboteur(exchange, capture, standby=False)
            for kind in plan:
                saboteur.strike(kind)
        account = capture.account
        assert len(exchange.handshakes) == 1 + len(plan) + 1
    assert saboteur.slowest_return < patient(1.0)
    assert (account.twice, account.out_of_order) == (0, 0)
    assert account.broken_promises == 0, "after a gap no record says that nothing is missing since before"
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


def test_the_account_holds_records_to_what_they_say_of_their_cover() -> None:
    """Each symbol counts from its first covered update; a stretch with the same beginning has no hole."""
    account = Account(list(PUSHED), of_covered=True)
    for update, covered_since in [(PUSHED[0], None), (PUSHED[4], 100), (PUSHED[6], 100)]:
        account.receive(update, covered_since)
    assert account.sums == (0, 0, 0, 0), "A 4 was pushed while A was not covered, B never was"

    account = Account(list(PUSHED), of_covered=True)
    for update, covered_since in [(PUSHED[0], 100), (PUSHED[1], 200), (PUSHED[4], 300), (PUSHED[6], 300)]:
        account.receive(update, covered_since)
    assert account.sums == (2, 0, 0, 0), "A 4 and B 3 are lost, and nobody says otherwise"

    account = Account(list(PUSHED), of_covered=True)
    for update, covered_since in [(PUSHED[0], 100), (PUSHED[4], 100)]:
        account.receive(update, covered_since)
    assert account.sums == (1, 0, 0, 1), "A 4 is lost, though A says that it is covered since 100"
