"""Samples, looked for among the updates of the contract's own stream."""

from __future__ import annotations

from source_binance_futures.live.facts import SampleFacts
from source_binance_futures.live.sampling import OVERDUE_AFTER, REMEMBERED, SETTLED_AFTER, SampleComparison

BTC, ETH = "BTCUSD_PERP", "ETHUSD_PERP"
SETTLED = SETTLED_AFTER + 0.1


def settled(first: int = 1) -> SampleComparison:
    """One contract whose own stream has spoken for a while, and whose first sample is known."""
    comparison = SampleComparison()
    comparison.own(BTC, first, 0.0)
    comparison.sample(BTC, first, SETTLED)
    return comparison


def test_a_sample_that_the_own_stream_has_brought_before() -> None:
    comparison = settled()
    comparison.own(BTC, 5, 4.0)
    comparison.sample(BTC, 5, 4.25)
    assert comparison.facts(9.0) == SampleFacts(compared=1, ahead_ms=-250.0, ahead_median_ms=-250.0)


def test_a_sample_that_runs_ahead() -> None:
    comparison = settled()
    comparison.sample(BTC, 5, 4.0)
    comparison.own(BTC, 4, 4.5)
    comparison.own(BTC, 5, 5.5)
    comparison.sample(BTC, 6, 6.0)
    comparison.own(BTC, 6, 6.5)
    comparison.own(BTC, 7, 6.5)
    comparison.sample(BTC, 7, 6.5)
    assert comparison.facts(9.0) == SampleFacts(compared=3, ahead_ms=1500.0, ahead_median_ms=500.0)


def test_samples_that_the_own_stream_goes_past() -> None:
    comparison = settled()
    comparison.sample(BTC, 5, 4.0)
    comparison.own(BTC, 6, 4.5)  # 5 will not come any more
    comparison.own(BTC, 9, 4.6)
    comparison.sample(BTC, 8, 5.0)  # nor has 8 come
    assert comparison.facts(9.0) == SampleFacts(compared=2, missing=2)


def test_a_sample_that_is_still_waited_for_is_overdue_only_after_a_while() -> None:
    comparison = settled()
    comparison.sample(BTC, 5, 4.0)
    assert comparison.facts(4.0 + OVERDUE_AFTER - 0.1) == SampleFacts()
    assert comparison.facts(4.0 + OVERDUE_AFTER) == SampleFacts(compared=1, overdue=1)


def test_what_tells_nothing_is_not_compared() -> None:
    comparison = SampleComparison()
    comparison.sample(ETH, 5, 4.0)  # its own stream has never spoken
    comparison.sample(ETH, 6, 9.0)
    comparison.own(BTC, 10, 5.0)
    comparison.sample(BTC, 9, 5.1)  # its own stream has just begun
    comparison.sample(BTC, 9, 5.0 + SETTLED)  # no change
    comparison.own(BTC, 12, 9.0)
    assert comparison.facts(20.0) == SampleFacts()


def test_a_sample_that_shows_no_change_is_not_compared_again() -> None:
    comparison = settled()
    comparison.sample(BTC, 1, 9.0)
    assert comparison.facts(20.0) == SampleFacts()
    comparison.own(BTC, 2, 10.0)
    comparison.sample(BTC, 2, 10.5)
    comparison.own(BTC, 2, 11.0)  # nor does a repeat count anew
    comparison.sample(BTC, 2, 15.5)
    assert comparison.facts(20.0) == SampleFacts(compared=1, ahead_ms=-500.0, ahead_median_ms=-500.0)


def test_the_first_sample_after_it_has_settled_may_be_older_than_the_own_stream() -> None:
    comparison = SampleComparison()
    comparison.own(BTC, 10, 0.0)
    comparison.sample(BTC, 7, SETTLED)
    assert comparison.facts(20.0) == SampleFacts()


def test_updates_are_remembered_up_to_a_number() -> None:
    comparison = settled()
    for number in range(2, REMEMBERED + 100):
        comparison.own(BTC, number * 2, 4.0)
    comparison.sample(BTC, 5, 5.0)  # long forgotten, so nothing can be said
    assert comparison.facts(9.0) == SampleFacts()
    comparison.sample(BTC, REMEMBERED * 2 + 1, 5.0)
    assert comparison.facts(9.0) == SampleFacts(compared=1, missing=1)
