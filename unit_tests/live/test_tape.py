"""From frames to facts: what one connection brought, counted rightly."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from source_binance_futures.binance.endpoints import Market
from source_binance_futures.live.facts import ContentFacts, LineFacts
from source_binance_futures.live.tape import Tape

from .frames import BOOK_TICKER, book_ticker, own, sample

BEGIN = 1_790_373_630.0  # epoch seconds
ETH = {"s": "ETHUSD_PERP", "ps": "ETHUSD"}


def facts_of(*frames: tuple[float, bytes], until: float | None = None, follow: str = "BTCUSD_PERP") -> LineFacts:
    """Of frames that came so many seconds after the connection was opened."""
    tape = Tape(BEGIN)
    tape.pace.follow(follow, BEGIN)
    for at, payload in frames:
        tape.take([payload], BEGIN + at)
    last = frames[-1][0] if frames else 0.0
    return tape.facts("here", "COIN-M", BEGIN + (last if until is None else until))


def content(*payloads: bytes) -> ContentFacts:
    return facts_of(*[(1.0, payload) for payload in payloads]).content


def test_frames_bytes_and_the_busiest_second() -> None:
    frames = [own(u=number) for number in range(1, 7)]
    found = facts_of(*zip((1.0, 1.5, 2.0, 2.1, 2.9, 3.0), frames, strict=True), until=10.0)
    assert (found.frames, found.bytes, found.busiest_second, found.seconds) == (6, sum(map(len, frames)), 3, 10.0)


def test_the_longest_silence_counts_the_wait_for_the_first_frame_and_the_end() -> None:
    assert facts_of((5.0, own(u=1)), (6.0, own(u=2)), until=8.0).longest_silence == 5.0
    assert facts_of((1.0, own(u=1)), (4.5, own(u=2)), until=5.0).longest_silence == 3.5
    assert facts_of((1.0, own(u=1)), until=9.0).longest_silence == 8.0
    assert facts_of(until=7.0).longest_silence == 7.0


def test_a_sound_book_ticker_is_nothing_odd() -> None:
    size = len(orjson.dumps(BOOK_TICKER))
    assert content(own(), sample()) == ContentFacts(frames=2, median_bytes=size, largest_bytes=size)


def test_the_median_and_the_largest_size_leave_the_wrapper_out() -> None:
    long = own(A="1" * 100)
    found = content(long, own(), sample(), own(B="1" * 5000))
    assert found.median_bytes == len(orjson.dumps(BOOK_TICKER))
    assert found.largest_bytes == len(orjson.dumps(book_ticker(B="1" * 5000)))
    assert content(own(), long, long).median_bytes == len(orjson.dumps(book_ticker(A="1" * 100)))


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"b": 83732.4}, "b: number"),
        ({"A": None}, "A: null"),
        ({"T": "1790373637547"}, "T: string"),
        ({"without": "E"}, "E: missing"),
        ({"B": "6e2"}, "B: no decimal"),
        ({"ps": 1}, "ps: integer"),
        ({"st": "2"}, "st: string"),
        ({"st": True}, "st: boolean"),
        ({"a": {}}, "a: object"),
    ],
)
def test_wrong_types_are_named(changes: dict[str, Any], says: str) -> None:
    assert content(own(**changes), own()).wrong_types == {says: 1}


def test_keys_that_nobody_knows_and_keys_that_are_missing() -> None:
    found = content(own(x=1), own(x=2, y=3), own(without="ps"), own(without="st"), own())
    assert found.unknown_keys == {"x": 2, "y": 1}
    assert (found.without_pair, found.without_symbol_type, found.wrong_types) == (1, 1, {})


@pytest.mark.parametrize(
    ("changes", "contradicts"),
    [
        ({"st": 1}, True),
        ({"st": 3}, True),
        ({"st": 2, "s": "BTCUSDT"}, True),
        ({"st": 1, "s": "BTCUSDT_260626"}, False),
        ({"st": 2, "s": "BTCUSD_260626"}, False),
    ],
)
def test_a_symbol_type_that_the_shape_of_the_symbol_contradicts(changes: dict[str, Any], contradicts: bool) -> None:
    assert content(own(**changes)).contradicting_symbol_type == contradicts


@pytest.mark.parametrize(
    "changes", [{"b": "83732.5"}, {"b": "83733"}, {"b": "0"}, {"A": "0.000"}, {"a": ""}, {"B": ""}]
)
def test_crossed_empty_and_zero_books(changes: dict[str, Any]) -> None:
    assert content(own(**changes), own()).odd_books == 1


def test_frames_that_are_none_of_ours() -> None:
    found = content(
        b'{"stream":"!serverShutdown","data":{"e":"serverShutdown","E":1770123456789}}',
        b'{"result":null,"id":1}',
        b"[1]",
        b"not JSON",
        orjson.dumps(book_ticker()),
        orjson.dumps({"stream": "BTCUSD_PERP@bookTicker", "data": book_ticker()}),
        own(),
    )
    assert found.other_frames == {"serverShutdown": 1, "keys id, result": 1}
    assert found.unreadable == 2
    assert found.other_streams == {"no wrapper": 1, "BTCUSD_PERP@bookTicker": 1}
    assert found.frames == 3


def test_frames_are_counted_by_the_stream_that_brought_them() -> None:
    tape = Tape(BEGIN)
    tape.take([own(), own(), sample(), orjson.dumps({"stream": "other", "data": book_ticker()})], BEGIN)
    assert tape.streams == {"btcusd_perp@bookTicker": 2, "!bookTicker": 1, "other": 1}
    assert (tape.own_frames, tape.samples_frames) == (2, 1)


def test_odd_things_without_end_do_not_fill_the_memory() -> None:
    assert len(content(*[own("", **{f"key{number}": 1}) for number in range(100)]).unknown_keys) == 30


def test_the_order_of_ids_and_times_within_and_across_contracts() -> None:
    found = facts_of(
        (1.0, own(u=10, E=1000, T=1000)),
        (1.0, own(u=12, E=1500, T=1400, **ETH)),
        (1.0, own(u=11, E=1421, T=1000)),  # a smaller id than its neighbour's, and 79 ms behind its time
        (1.0, own(u=11, E=1420, T=999)),  # a repeat, and both times go back
        (1.0, own(u=9, E=1600, T=1600)),  # a step back
        (1.0, sample(u=9, E=100, T=100)),  # samples are another stream, with an order of their own
        (1.0, sample(u=9, E=100, T=100)),
        (1.0, sample(u=8, E=100, T=100)),
    )
    order = found.own
    assert (order.frames, order.contracts, order.by_market) == (5, 2, {"COIN-M": 5})
    assert (order.steps_back, order.repeats) == (1, 1)
    assert (order.event_times_back, order.transaction_times_back) == (1, 1)
    assert (order.neighbours, order.neighbours_back, order.farthest_back_ms) == (2, 1, 80)
    assert (found.all_market.frames, found.all_market.repeats, found.all_market.steps_back) == (3, 1, 1)


def test_the_same_moment_is_no_step_back_nor_the_same_id_of_another_contract() -> None:
    found = facts_of((1.0, own(u=10)), (1.0, own(u=11)), (1.0, own(u=11, **ETH))).own
    assert (found.event_times_back, found.transaction_times_back, found.farthest_back_ms) == (0, 0, 0)
    assert (found.neighbours, found.neighbours_back) == (1, 0)


def test_the_lag_is_receipt_minus_event_time_of_own_updates() -> None:
    pushed = int(BEGIN * 1000)
    frames = [(1.0, own(u=number, E=pushed + 1000 - number)) for number in range(1, 102)]
    assert facts_of(*frames, (1.0, sample(u=9, E=1))).lags_ms == (1.0, 51.0, 100.0)
    assert facts_of((1.0, sample(u=9))).lags_ms == ()


def test_samples_of_a_busy_contract_tell_the_pace_and_those_of_a_quiet_one_do_not() -> None:
    tape = Tape(BEGIN)
    for symbol in ("BTCUSD_PERP", "ETHUSD_PERP"):
        tape.pace.follow(symbol, BEGIN)
    for number in range(1, 200):
        at = BEGIN + number / 10
        tape.take([own(u=number)], at)
        if number % 50 == 0:
            tape.take([sample(u=number)], at)
        if number in (40, 159):
            tape.take([sample(u=number, **ETH), own(u=number, **ETH)], at)
    pace = tape.facts("here", "COIN-M", BEGIN + 20).pace
    assert (pace.distances, pace.median_distance) == (2, 5.0)  # of 5, 10 and 15 seconds
    assert pace.own_fastest == pytest.approx(0.1)
    assert (pace.own_frames, pace.changes_sampled, pace.silent_own) == (201, 3, ())


def test_an_own_stream_is_silent_where_samples_changed_more_than_once() -> None:
    changing = [(at, sample(u=int(at))) for at in (1.0, 5.0, 10.0, 15.0)]
    assert facts_of(*changing).pace.silent_own == ("BTCUSD_PERP",)
    assert facts_of(*changing[:3]).pace.silent_own == ()  # once only: the first one came before it was settled
    assert facts_of(*[(at, sample(u=7)) for at in (5.0, 10.0, 15.0, 20.0)]).pace.silent_own == ()
    assert facts_of(*changing, (16.0, own(u=16))).pace.silent_own == ()
    assert facts_of(*changing, follow="ETHUSD_PERP").pace.silent_own == ()


def test_newcomers_are_told_once_and_own_updates_kept_while_they_are_compared() -> None:
    tape = Tape(BEGIN)
    tape.take([sample(u=1), sample(u=2), sample(u=1, s="BTCUSDT", st=1), own(u=5)], BEGIN)
    assert tape.newcomers == [("BTCUSD_PERP", Market.COIN_M), ("BTCUSDT", Market.USDS_M)]
    assert tape.keys is None
    tape.keys = []
    tape.take([sample(u=3), own(u=6, E=77), own(u=7, E=None)], BEGIN)
    assert tape.keys == [("BTCUSD_PERP", 6, 77)]
