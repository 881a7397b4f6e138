"""The lines of a block are those that the CDK would print for its records, one by one."""

from __future__ import annotations

from typing import Any

import pytest
from airbyte_cdk.entrypoint import AirbyteEntrypoint
from airbyte_cdk.models import Type
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from source_binance_futures.entrypoint import RECORDS_OF_A_PIECE, lines_of
from source_binance_futures.streams.book_tickers import Block

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


@pytest.mark.parametrize("odd", [{1: 2}, 2**64, "\ud800"], ids=["a key that is no text", "a long number", "half"])
def test_what_orjson_cannot_write_goes_the_cdks_other_way(odd: Any) -> None:
    block = Block("book_tickers", [{"u": 1, "b": None}, {"u": 2, "a": odd}], 1)
    assert b"".join(lines_of(block)) == lines_of_the_cdk(block)


@pytest.mark.parametrize("count", [1, RECORDS_OF_A_PIECE, RECORDS_OF_A_PIECE + 1, 3 * RECORDS_OF_A_PIECE - 1])
def test_any_number_of_records(count: int) -> None:
    odd: list[Any] = [None, 2**64]  # one for each of the other ways
    block = Block("book_tickers", [{"u": u, "a": odd[u % 90] if u % 90 < 2 else "1.0"} for u in range(count)], 1)
    pieces = list(lines_of(block))
    assert b"".join(pieces) == lines_of_the_cdk(block)
    assert max(piece.count(b"\n") for piece in pieces) <= RECORDS_OF_A_PIECE


def test_to_whoever_knows_no_blocks_it_is_its_first_record() -> None:
    block = Block("book_tickers", [{"u": 1}, {"u": 2}], 3)
    first, second = block.messages()
    assert (block.type, block.record) == (Type.RECORD, first.record)
    assert second.record is not None
    assert (second.record.stream, second.record.data, second.record.emitted_at) == ("book_tickers", {"u": 2}, 3)
    assert block != Block("book_tickers", [{"u": 1}, {"u": 3}], 3)
