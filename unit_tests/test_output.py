"""Writing: the lines of a block, how long a sync writes on once it is over, and when the watchdog ends it."""

from __future__ import annotations

import os
from typing import Any

import pytest
from airbyte_cdk.entrypoint import AirbyteEntrypoint
from airbyte_cdk.models import Type
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from source_binance_futures.binance.clock import Clock, Stop
from source_binance_futures.entrypoint import RECORDS_OF_A_PIECE, lines_of
from source_binance_futures.output import PATIENCE, Output, blocked_for
from source_binance_futures.streams.book_tickers import WRITE_AFTER_STOP, WRITE_AFTER_WINDOW, Block, LastWrites

VALUES: Any = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text(),
    lambda inside: st.lists(inside, max_size=3) | st.dictionaries(st.text(max_size=5), inside, max_size=3),
    max_leaves=8,
)
RECORDS = st.lists(
    st.dictionaries(st.sampled_from(["u", "symbol", "a", ":null", "},{"]), VALUES), min_size=1, max_size=5
)


def lines_of_the_cdk(block: Block) -> bytes:
    return b"".join(
        f"{AirbyteEntrypoint.airbyte_message_to_string(message)}\n".encode() for message in block.messages()
    )


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(RECORDS, st.integers(0, 2**63 - 1))
def test_any_records(records: list[dict[str, Any]], emitted_at: int) -> None:
    block = Block("book_tickers", records, emitted_at)
    assert b"".join(lines_of(block)) == lines_of_the_cdk(block)


@pytest.mark.parametrize("symbol", ["A", ',"covered_since_us":null'])
@pytest.mark.parametrize("other", [{}, {"pair": None, "covered_since_us": None}])
def test_a_row_that_is_not_covered_is_written_without_that_field(symbol: str, other: dict[str, Any]) -> None:
    rows: list[dict[str, Any]] = [{"symbol": symbol, "covered_since_us": covered} for covered in (None, 5)]
    block = Block("book_tickers", [*rows, {"u": 1} | other], 3)
    assert b"".join(lines_of(block)) == lines_of_the_cdk(block)


@pytest.mark.parametrize("count", [1, RECORDS_OF_A_PIECE, RECORDS_OF_A_PIECE + 1, 3 * RECORDS_OF_A_PIECE - 1])
def test_any_number_of_records(count: int) -> None:
    odd: list[Any] = [None, 2**64, {1: 2}, "\ud800"]  # a null, and what orjson cannot write
    block = Block("book_tickers", [{"u": u, "a": odd[u % 90] if u % 90 < 4 else "1.0"} for u in range(count)], 1)
    pieces = list(lines_of(block))
    assert b"".join(pieces) == lines_of_the_cdk(block)
    assert max(piece.count(b"\n") for piece in pieces) <= RECORDS_OF_A_PIECE


def test_to_whoever_knows_no_blocks_it_is_its_first_record() -> None:
    block = Block("book_tickers", [{"u": 1}, {"u": 2}], 3)
    first, second = block.messages()
    assert (block.type, block.record) == (Type.RECORD, first.record)
    assert second.record is not None
    assert (second.record.stream, second.record.data, second.record.emitted_at) == ("book_tickers", {"u": 2}, 3)


def test_after_a_slow_write_the_next_is_small_so_that_a_slow_reader_shows() -> None:
    moments = iter([0.0, 0.0, 1.5, 2.0, 2.5, 3.0, 3.0])
    reader, writer = os.pipe()
    try:
        output = Output(writer, Clock(lambda: next(moments)))
        assert [output.write(bytes(20_000)) for _ in range(3)] == [16384, 4096, 16384]
    finally:
        os.close(reader)
        os.close(writer)


# --- the last writes ---

READ = 500  # updates of one read


def drain(backlog: int, pace: float, *, pauses: float = 0.0) -> tuple[int, float]:
    """How many updates are written after a stop, and when that ends; the destination takes `pace` a second."""
    now = pauses
    writes = LastWrites(now)
    written = 0
    while written < backlog and writes.allow(READ, now, WRITE_AFTER_STOP):
        written += READ
        now += READ / pace
    return written, now


@pytest.mark.parametrize(
    ("backlog", "pace", "pauses", "written", "at_most"),
    [
        pytest.param(13_000, 100_000, 0.0, 13_000, 1.0, id="it keeps up"),
        *[(many, pace, 0.0, many, WRITE_AFTER_STOP) for many, pace in [(13_000, 3e3), (23_000, 3e3), (3_500, 5e2)]],
        pytest.param(1_000, 100_000, 7.0, 1_000, WRITE_AFTER_STOP, id="it begins to read meanwhile"),
        pytest.param(1_000, 100_000, 8.5, 0, 8.5, id="it begins to read too late"),
        # What was begun must be taken before whoever stopped it kills it: that is why it estimates.
        *[(1_000_000, pace, 0.0, None, max(WRITE_AFTER_STOP, READ / pace)) for pace in (10.0, 500.0, 3_000.0)],
    ],
)
def test_a_destination_gets_everything_that_it_takes_within_eight_seconds_of_a_stop(
    backlog: int, pace: float, pauses: float, written: int | None, at_most: float
) -> None:
    taken, seconds = drain(backlog, pace, pauses=pauses)
    assert taken == written or (written is None and taken >= READ)
    assert seconds <= at_most


def test_nothing_is_written_after_the_first_that_was_not() -> None:
    """A smaller read behind it would fit, and leave a hole."""
    writes = LastWrites(0.0)
    assert writes.allow(1000, 0.0, 8.0)
    assert not writes.allow(9000, 1.0, 8.0)
    assert not writes.allow(1, 1.0, 8.0)


def test_a_stop_after_the_window_shortens_what_is_left() -> None:
    writes = LastWrites(0.0)
    assert writes.allow(1000, 0.0, 45.0)
    assert writes.allow(1000, 5.0, 45.0)
    assert not writes.allow(1000, 10.0, 13.0)


def test_it_ends_before_others_end_it() -> None:
    assert WRITE_AFTER_STOP == 8.0, "as README says; PyAirbyte kills after ten seconds"
    assert 2 <= WRITE_AFTER_WINDOW < PATIENCE - 10
    assert PATIENCE == 60.0, "README: a minute later"


# --- the watchdog ---


@pytest.mark.parametrize(
    ("requested_at", "window_ends", "writing", "seconds"),
    [
        (None, None, 10.0, 0.0),  # a sync that goes on: a slow destination is waited for
        (None, 101.0, 10.0, -1.0),
        (None, 20.0, None, 0.0),  # over, and nothing waits to be written
        (None, 20.0, 10.0, 80.0),  # blocked since before the end: the patience begins with the end
        (None, 20.0, 30.0, 70.0),  # bytes went out after the end
        (50.0, None, 10.0, 50.0),
        (50.0, 101.0, 10.0, 50.0),
        (99.0, 70.0, 10.0, 30.0),
    ],
)
def test_for_how_long_stdout_has_been_blocked_after_the_end(
    requested_at: float | None, window_ends: float | None, writing: float | None, seconds: float
) -> None:
    stop = Stop(Clock())
    stop.requested_at, stop.window_ends = requested_at, window_ends
    assert blocked_for(stop, writing, 100.0) == seconds
