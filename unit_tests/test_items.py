"""The queue between reading and writing: its order, its limit in bytes, and what it says of a gap."""

from __future__ import annotations

import sys
import threading

import pytest

from source_binance_futures.binance.market_stream.items import Batch, Failed, Gap, Item, LogLine, Outbox


def batch(count: int = 1, length: int = 200) -> Batch:
    return Batch([b"x" * length for _ in range(count)], count * length, 1)


def test_everything_comes_out_in_order() -> None:
    outbox = Outbox()
    items: list[Item] = [LogLine("info", "one"), batch(), Gap(0, 1, 2, "cause"), batch(), Failed(ValueError())]
    for item in items:
        outbox.put(item)
    assert [outbox.take(0) for _ in items] == items
    assert outbox.take(0) is None


def sized(size: int) -> Batch:
    return Batch([], size - Batch([], 0, 1).size, 1)


def test_reading_pauses_at_64_mib_and_goes_on_at_48() -> None:
    outbox = Outbox()
    for size in (16 * 2**20 - 1, 1, 48 * 2**20 - 1):
        outbox.put(sized(size))
    assert not outbox.is_full(), "it was not full before"
    outbox.put(sized(1))
    outbox.put(LogLine("info", "said, though there is no room for data"))
    assert outbox.is_full()
    outbox.take(0)
    assert outbox.waiting_bytes == 48 * 2**20 + 1
    assert outbox.is_full()
    outbox.take(0)
    assert not outbox.is_full()
    outbox.put(sized(16 * 2**20 - 1))
    assert not outbox.is_full(), "no flutter between the marks"
    while outbox.take(0) is not None:
        assert not outbox.is_full()
    assert outbox.waiting_bytes == 0


@pytest.mark.parametrize("length", [1, 180, 1000])
@pytest.mark.parametrize("count", [1, 50, 1000])
def test_the_size_of_a_batch_is_what_it_holds_in_memory(count: int, length: int) -> None:
    """The limit is a promise about memory: 64 MiB of short payloads must not be 200 MiB of Python objects."""
    made = batch(count, length)
    held = sys.getsizeof(made) + sys.getsizeof(made.payloads) + sum(map(sys.getsizeof, made.payloads))
    assert held <= made.size <= 2 * held + 300


def test_taking_waits_for_what_is_put_and_not_longer_than_asked() -> None:
    outbox = Outbox()
    threading.Timer(0.1, outbox.put, [LogLine("info", "late")]).start()
    assert outbox.take(60) == LogLine("info", "late")
    assert outbox.take(0.1) is None
    assert outbox.take(-0.5) is None


def test_a_gap_says_from_when_to_when_how_long_and_why() -> None:
    text = str(Gap(0, 1795293300.123, 1795293302.5, "the connection broke (connection reset by peer)"))
    assert "from 2026-11-21 20:35:00.123 UTC to 2026-11-21 20:35:02.500 UTC" in text
    assert "Gap of 2.4 seconds" in text
    assert "Cause: the connection broke (connection reset by peer)." in text


def test_a_silence_is_reported_as_the_milder_finding() -> None:
    text = str(Gap(0, 1795293300.123, 1795293331.5, "the window ended in silence", is_silence=True))
    assert text.startswith(
        "Nothing came for 31.4 seconds, from 2026-11-21 20:35:00.123 UTC to 2026-11-21 20:35:31.500 UTC"
    )
    assert "if anything was, it is missing" in text
    assert "Gap" not in text


def test_when_a_batch_was_pushed_is_known_by_the_exchanges_clock_or_else_by_ours() -> None:
    batch = Batch([b"a"], 1, 5_000_000)
    assert (batch.pushed_from, batch.pushed_by, batch.feed, batch.line, batch.is_complete) == (None, None, 0, 0, True)
    assert batch.pushed_within_us == (5_000_000, 5_000_000)
    batch = batch._replace(pushed_by=65.0)
    assert batch.pushed_within_us == (65_000_000, 65_000_000)
    assert batch._replace(pushed_from=64.123456).pushed_within_us == (64_123_456, 65_000_000)
    assert batch._replace(pushed_from=65.1).pushed_within_us == (65_000_000, 65_000_000), "clocks differ"
