"""Since when a contract's own stream has missed nothing."""

from __future__ import annotations

from source_binance_futures.binance.market_stream.coverage import Coverage


def test_a_stretch_begins_with_the_first_update_and_stays() -> None:
    coverage = Coverage()
    assert coverage.since("BTCUSD_PERP", 0, 1000) == 1000
    assert coverage.since("BTCUSD_PERP", 0, 2000) == 1000
    assert coverage.since("ETHUSD_PERP", 0, 3000) == 3000, "each contract has its own"


def test_a_doubt_of_a_contract_begins_its_stretch_anew() -> None:
    coverage = Coverage()
    for symbol in ("BTCUSD_PERP", "ETHUSD_PERP"):
        coverage.since(symbol, 0, 1000)
    coverage.doubt(["BTCUSD_PERP", "NEVERSEENUSD_PERP"])
    assert coverage.since("BTCUSD_PERP", 0, 2000) == 2000
    assert coverage.since("ETHUSD_PERP", 0, 2000) == 1000


def test_a_doubt_of_a_feed_is_one_of_all_its_contracts_and_of_no_other() -> None:
    coverage = Coverage()
    coverage.since("BTCUSD_PERP", 0, 1000)
    coverage.since("ETHUSD_PERP", 0, 1000)
    coverage.since("BNBUSD_PERP", 1, 1000)
    coverage.doubt_feed(0)
    coverage.doubt_feed(7)
    assert coverage.since("BTCUSD_PERP", 0, 2000) == 2000
    assert coverage.since("BNBUSD_PERP", 1, 2000) == 1000
    coverage.doubt_feed(0)
    assert coverage.since("BTCUSD_PERP", 0, 3000) == 3000, "and again"
    assert coverage.since("ETHUSD_PERP", 0, 3000) == 3000


def test_stretches_are_counted_and_their_contracts() -> None:
    coverage = Coverage()
    assert (coverage.stretches, coverage.contracts) == (0, set())
    for symbol in ("BTCUSD_PERP", "ETHUSD_PERP", "BTCUSD_PERP"):
        coverage.since(symbol, 0, 1000)
    assert coverage.stretches == 2
    coverage.doubt(["BTCUSD_PERP"])
    coverage.since("BTCUSD_PERP", 0, 2000)
    assert (coverage.stretches, coverage.contracts) == (3, {"BTCUSD_PERP", "ETHUSD_PERP"})


def test_after_a_doubt_no_stretch_reaches_back_before_the_newest_read() -> None:
    coverage = Coverage()
    assert coverage.since("A", 0, 100) == 100
    coverage.doubt_feed(0, 200)
    assert coverage.since("A", 0, 199) is None
    assert coverage.since("B", 1, 150) == 150, "another feed"
    assert coverage.since("A", 0, 200) == 200
    assert coverage.since("A", 0, 250) == 200
    coverage.doubt_feed(0)
    assert coverage.since("A", 0, 199) is None, "nothing was read since then"
    assert coverage.stretches == 3


def test_the_contracts_of_a_feed_are_those_that_had_a_stretch_over_it() -> None:
    coverage = Coverage()
    coverage.since("A", 0, 100)
    coverage.since("B", 1, 100)
    coverage.doubt(["A"])
    assert coverage.followed_over(0) == {"A"}
    coverage.doubt_feed(0)
    assert not coverage.followed_over(0)
    assert coverage.followed_over(1) == {"B"}
