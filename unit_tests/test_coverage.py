"""Since when a contract's own stream has missed nothing."""

from __future__ import annotations

import pytest

from source_binance_futures.binance.market_stream.coverage import Coverage


def read(coverage: Coverage, at: int, *symbols: str, feed: int = 0) -> list[int | None]:
    """One read with an update of each symbol: since when each is covered."""
    found = [coverage.since.get(symbol) or coverage.begin(symbol, feed, at) for symbol in symbols]
    coverage.rows_of(feed, at)
    return found


def test_an_interval_begins_with_the_first_update_and_stays() -> None:
    coverage = Coverage()
    assert read(coverage, 1000, "A") == [1000]
    assert read(coverage, 2000, "A", "B") == [1000, 2000]
    assert (coverage.intervals, coverage.contracts) == (2, {"A", "B"})


def test_a_reset_of_a_contract_begins_its_interval_anew() -> None:
    coverage = Coverage()
    read(coverage, 1000, "A", "B")
    coverage.reset(["A", "NEVERSEEN"])
    assert read(coverage, 2000, "A", "B") == [2000, 1000]
    assert (coverage.intervals, coverage.contracts) == (3, {"A", "B"})


def test_a_reset_of_a_feed_is_one_of_its_contracts_and_of_no_other() -> None:
    coverage = Coverage()
    read(coverage, 1000, "A", "B")
    read(coverage, 9000, "C", feed=1)
    coverage.reset_feed(0)
    coverage.reset_feed(7)
    assert coverage.followed_over(0) == frozenset()
    assert coverage.followed_over(1) == {"C"}
    assert read(coverage, 2000, "A") == [2000], "older than the newest read of another feed"
    assert read(coverage, 9500, "C", feed=1) == [9000]
    assert coverage.followed_over(0) == {"A"}


@pytest.mark.parametrize("at", [199, 200])
def test_no_interval_begins_where_rows_were_written_already(at: int) -> None:
    """By the line before, by another read of it, by a sync before: it would touch the interval that they belong to."""
    coverage = Coverage(rows_until_us=200)
    assert read(coverage, at, "A") == [None]
    coverage = Coverage()
    read(coverage, 100, "A", "B")
    read(coverage, 200, "A")
    coverage.reset(["A"])
    assert read(coverage, at, "A", "B") == [None, 100]
    coverage.reset_feed(0)
    assert read(coverage, at, "A", "B") == [None, None], "the newest read of the feed counts"
    assert read(coverage, 201, "A", "B") == [201, 201]
    coverage.rows_of(0, 150)  # a standby's
    coverage.reset_feed(0)
    assert read(coverage, 201, "A") == [None]


def test_what_a_standby_had_read_before_an_interval_began_is_not_covered() -> None:
    coverage = Coverage()
    read(coverage, 500, "A")
    assert not coverage.is_older(0, 500)
    assert coverage.is_older(0, 499)
    assert not coverage.is_older(1, 499)
    assert [coverage.begin("A", 0, at) for at in (499, 500, 501)] == [None, 500, 500]
    assert coverage.intervals == 1


def test_an_update_of_a_read_that_may_lack_something_ends_the_interval() -> None:
    coverage = Coverage()
    read(coverage, 100, "A", "B")
    coverage.interrupt("A", 0, 200)
    coverage.rows_of(0, 200)
    assert coverage.since == {"B": 100}
    assert read(coverage, 300, "A") == [300]
