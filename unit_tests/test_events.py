"""What a batch and an arrival say where nothing else is said."""

from __future__ import annotations

from source_binance_futures.binance.market_stream.events import Arrival, Batch, Refusal


def test_a_batch_says_where_it_comes_from() -> None:
    batch = Batch([b"a", b"b"], 2, 7.0, received_at_us=8, pushed_from=1.0, pushed_at=2.0, feed=3, line=4)
    assert (batch.payloads, batch.received_at, batch.received_at_us) == ([b"a", b"b"], 7.0, 8)
    assert (batch.pushed_from, batch.pushed_at, batch.feed, batch.line) == (1.0, 2.0, 3, 4)
    assert not batch.behind
    assert batch.size == 2 + 2 * 64 + 256


def test_a_batch_that_says_nothing_of_itself() -> None:
    batch = Batch([], 0, 7.0)
    assert (batch.received_at_us, batch.pushed_from, batch.pushed_at, batch.feed, batch.line) == (0, None, None, 0, 0)
    assert batch.pushed_by is None


def test_when_a_batch_was_pushed_is_known_by_the_exchanges_clock_or_else_by_ours() -> None:
    batch = Batch([b"a"], 1, 7.0, received_at_us=5_000_000)
    assert batch.pushed_within_us == (5_000_000, 5_000_000)
    batch.pushed_by = 65.0
    assert batch.pushed_within_us == (65_000_000, 65_000_000)
    batch.pushed_from = 64.123456
    assert batch.pushed_within_us == (64_123_456, 65_000_000)
    batch.pushed_from = 65.5
    assert batch.pushed_within_us == (65_000_000, 65_000_000), "neighbours go back by some milliseconds"


def test_a_refusal_is_for_a_while_unless_it_says_otherwise() -> None:
    refusal = Refusal(OSError("it was refused"))
    assert (refusal.for_good, refusal.listens_again_at) == (False, None)
    assert str(refusal) == "it was refused"


def test_an_arrival_announces_no_end() -> None:
    arrival = Arrival(None, has_data=False, has_update=False, heard=True, drained=True)
    assert (arrival.retiring, arrival.ended) == (False, False)
