"""From the frames of one read to the records that count."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import orjson
import pytest

from source_binance_futures.binance.endpoints import Market
from source_binance_futures.binance.market_stream.coverage import Alarm
from source_binance_futures.binance.market_stream.items import Batch, Gap, LogLine, Takeover
from source_binance_futures.binance.market_stream.subscriptions import EndpointGroup
from source_binance_futures.binance.text import utc
from source_binance_futures.streams import cursor
from source_binance_futures.streams.cursor import Cursor
from source_binance_futures.streams.selection import Selection

ALL = EndpointGroup((), frozenset(Market), all_market=True, discovers=True)
COIN_M = replace(ALL, markets=frozenset([Market.COIN_M]))
SAMPLED = replace(ALL, follows=False, discovers=False)
SCHEMA: dict[str, Any] = {"properties": {"best_bid_price": {"type": ["null", "string"]}}}
BTC, ETH = "BTCUSD_PERP", "ETHUSD_PERP"
MS = 1_795_000_000_000
OWN, SAMPLE, RAW = "own", "!bookTicker", None


def frame(update_id: int, symbol: str = BTC, stream: str | None = OWN, **more: Any) -> bytes:
    """As `/stream` sends it, or raw."""
    time = MS + update_id
    data = {"e": "bookTicker", "u": update_id, "s": symbol, "b": "1", "T": time, "E": time, "st": 2, **more}
    if stream is RAW:
        return orjson.dumps(data)
    return orjson.dumps({"stream": f"{symbol.lower()}@bookTicker" if stream == OWN else stream, "data": data})


def batch(
    *payloads: bytes,
    at: int = 1000,
    feed: int = 0,
    line: int = 0,
    behind: bool = False,
    pushed_by: float | None = None,
) -> Batch:
    """`at` is our clock in microseconds, `pushed_by` the exchange's in seconds: ours where it is not known."""
    size = sum(map(len, payloads))
    return Batch(list(payloads), size, at, pushed_by=pushed_by, feed=feed, line=line, is_complete=not behind)


def selection(known: int | None = None, most: int | None = None) -> Selection:
    """`known` is the id of BTC in the state."""
    return Selection(Cursor("test", {} if known is None else {BTC: known}, MS), most, SCHEMA)


def taken(made: Selection, *payloads: bytes, group: EndpointGroup = ALL, **options: Any) -> list[Any]:
    """Sentences of warning, and for each record its id and since when it is covered."""
    found: list[Any] = []
    for each in made.take(batch(*payloads, **options), group):
        if isinstance(each, list):
            found += [(record["u"], record["covered_since_us"]) for record in each]
        elif isinstance(each, str):
            found.append(each)
    return found


def timed(made: Selection, *payloads: bytes, **options: Any) -> list[Any]:
    """The same, read two minutes after MS by the exchange's clock."""
    return taken(made, *payloads, pushed_by=MS / 1000 + 120, **options)


def ids(made: Selection, *payloads: bytes, **options: Any) -> list[int]:
    return [each[0] for each in taken(made, *payloads, **options) if not isinstance(each, str)]


def test_updates_of_own_streams_are_taken_once_and_covered_from_the_first() -> None:
    made = selection()
    assert taken(made, frame(1), frame(2), frame(1), frame(1, ETH)) == [(1, 1000), (2, 1000), (1, 1000)]
    assert taken(made, frame(2), frame(3), at=2000) == [(3, 1000)]
    assert (made.tally.emitted, made.tally.known) == (4, 2)
    assert made.cursor.seen.keys() == {BTC, ETH}
    (records,) = made.take(batch(frame(4), at=3000), ALL)
    assert isinstance(records, list)
    assert records[0]["received_at_us"] == 3000


@pytest.mark.parametrize("stream", [SAMPLE, RAW])
def test_only_an_own_stream_covers_the_contract(stream: str | None) -> None:
    """Frames without a wrapper come over an own stream, and may be of any contract."""
    made = selection()
    assert taken(made, frame(1, stream=stream), group=COIN_M) == [(1, None if stream == SAMPLE else 1000)]
    assert taken(made, frame(2, "BTCUSDT", stream, st=1), group=COIN_M) == []
    assert made.tally.other_market == 1
    assert ids(made, frame(2, "BTCUSDT", stream, st=1), group=ALL) == [2]


def test_an_own_stream_needs_no_other_reason_to_be_wanted() -> None:
    made = selection()
    assert ids(made, frame(1, "BTCUSDT", st=1), group=COIN_M) == [1]
    assert made.tally.other_market == 0


def test_samples_of_contracts_that_were_not_asked_for_are_left_out() -> None:
    made, group = selection(), replace(SAMPLED, symbols=(BTC,))
    assert ids(made, frame(1, stream=SAMPLE), frame(1, ETH, SAMPLE), frame(2, stream=SAMPLE), group=group) == [1, 2]
    assert made.tally.other_market == 1


def test_at_the_sampled_pace_each_sample_counts_and_nothing_is_covered() -> None:
    made, frames = selection(), (frame(1), frame(2, stream=SAMPLE), frame(1, stream=RAW))
    assert taken(made, *frames, group=SAMPLED) == [(1, None), (2, None)]
    assert made.tally.known == 1


def test_samples_confirm_own_streams_where_contracts_are_discovered() -> None:
    second = 1_000_000
    for group, compared in ((ALL, 1), (replace(ALL, symbols=(BTC,), discovers=False), 0)):
        made = selection()
        taken(made, frame(1, stream=SAMPLE), at=1, group=group)
        taken(made, frame(2, stream=SAMPLE), at=4 * second, group=group)
        taken(made, frame(3), at=5 * second, group=group)
        taken(made, frame(3, stream=SAMPLE), at=6 * second, group=group)
        assert (made.samples.compared, made.samples.confirmed) == (compared, compared)


def between(since: float, until: float) -> str:
    """What a gap of the contract says of its moments."""
    return f"updates pushed from {utc(since)} to {utc(until)} may be missing. Cause: {BTC} only: "


def test_an_own_stream_that_is_overdue_raises_an_alarm_with_its_line() -> None:
    second = 1_000_000
    made = selection()
    taken(made, frame(1), at=1, feed=2, line=5)
    for update_id, at in ((1, 1), (2, 4), (3, 5)):
        taken(made, frame(update_id, stream=SAMPLE), at=at * second, feed=2, line=5)
    assert list(made.overdue(6 * second)) == []
    assert list(made.overdue(7 * second)) == [Alarm(BTC, 2, 5)]
    (said,) = made.end(0)
    assert str(said).startswith("Gap of 7.0 seconds: " + between(0, 7))
    assert made.tally.gaps == [pytest.approx(7.0)]


@pytest.mark.parametrize("samples_feed", [1, 2])
def test_what_an_own_stream_lacks_is_reported_by_the_exchanges_clock(samples_feed: int) -> None:
    """Which is a minute ahead of ours. From the push of its newest update on, if known, though it was received later;
    a feed of samples that has had no time in a frame goes by our clock, and shortens no gap of another."""
    made, is_known = selection(), samples_feed == 1
    for update_id, stream, at in ((1, OWN, 1), (1, SAMPLE, 1), (2, SAMPLE, 4), (3, SAMPLE, 5), (4, SAMPLE, 7)):
        is_own = stream == OWN
        read = batch(frame(update_id, stream=stream), at=at * 1_000_000, feed=1 if is_own else samples_feed)
        by, start = 60.0 + at if is_own or is_known else None, 60.25 if is_own and is_known else None
        list(made.take(read._replace(pushed_by=by, pushed_from=start), ALL))
    (said,) = made.end(0)
    assert between(60.25 if is_known else 61, 67) in str(said)


def test_where_another_connection_goes_on_each_contract_has_to_join() -> None:
    second = 1_000_000
    made = selection()
    taken(made, frame(1), frame(1, ETH), at=second)
    made.take_over(Takeover(0, 1, covers_from=0.5, late=()))
    assert taken(made, frame(2), frame(2, ETH), at=2 * second) == [(2, second), (2, second)]
    made.take_over(Takeover(1, 1, covers_from=2.5, late=()))
    made.take_over(Takeover(0, 1, covers_from=2.5, late=()))
    *rows, said = taken(made, frame(2), frame(3), frame(3, ETH), at=4 * second)
    assert rows == [(3, second), (3, 4 * second)]
    assert f"{ETH} only: the connection that took over may have missed early updates of it" in said
    made.take_over(Takeover(0, 1, covers_from=0.5, late=(BTC,)))
    assert taken(made, frame(4), frame(4, ETH), at=5 * second)[:2] == [(4, 5 * second), (4, 4 * second)]


@pytest.mark.parametrize(("is_complete", "expected"), [(True, 1), (False, 5_000_000)])
def test_a_sample_of_a_late_read_proves_nothing(is_complete: bool, expected: int) -> None:
    second = 1_000_000
    made = selection()
    taken(made, frame(1), at=1)
    list(made.take(batch(frame(1, stream=SAMPLE), at=4 * second)._replace(is_complete=is_complete), ALL))
    made.take_over(Takeover(0, 1, covers_from=3.0, late=()))
    assert taken(made, frame(2), at=5 * second)[0] == (2, expected)


def test_contracts_whose_connection_is_lost_are_not_reported_one_by_one() -> None:
    """Their gap is reported as one. Of another feed they are; of a fresh connection once its samples are new ones."""
    second = 1_000_000
    made = selection()
    taken(made, frame(1), at=1, feed=1)
    taken(made, frame(1, ETH), at=1, feed=2)
    ids = iter(range(2, 100))

    def dead(first: int, last: int) -> list[str]:
        found = []
        for at in range(first, last):
            update_id = next(ids)
            samples = batch(*(frame(update_id, symbol, stream=SAMPLE) for symbol in (BTC, ETH)), at=at * second)
            found += [each.symbol for each in made.take(samples, ALL) if isinstance(each, Alarm)]
        return found

    assert dead(1, 5) == []
    made.reach(1, is_lost=True)
    assert dead(5, 15) == [ETH]
    taken(made, frame(next(ids), stream=SAMPLE), at=14 * second)
    made.reach(1, is_lost=False)
    assert dead(15, 21) == []
    assert dead(21, 23) == [BTC]


def test_a_read_that_is_behind_covers_nothing_and_ends_what_was_covered() -> None:
    made = selection()
    taken(made, frame(1), frame(1, ETH))
    assert taken(made, frame(2), at=2000, behind=True) == [(2, None)]
    assert taken(made, frame(3), frame(3, ETH), at=3000) == [(3, 3000), (3, 1000)]


@pytest.mark.parametrize(("most", "expected"), [(1, 1), (3, 3), (4, 4)])
def test_no_more_records_than_were_asked_for(most: int, expected: int) -> None:
    made = selection(most=most)
    assert ids(made, *map(frame, range(1, 5))) == list(range(1, expected + 1))
    assert made.has_enough


def test_a_read_that_will_be_cut_short_covers_nothing() -> None:
    made = selection(most=5)
    assert taken(made, frame(1), frame(2)) == [(1, 1000), (2, 1000)]
    assert not made.has_enough
    assert taken(made, frame(3), frame(4), frame(5), at=2000) == [(3, 1000), (4, 1000), (5, 1000)], "it is whole"
    made = selection(most=3)
    taken(made, frame(1), frame(2))
    assert taken(made, frame(3), frame(4)) == [(3, None)]


def test_known_updates_do_not_count_towards_the_limit() -> None:
    made = selection(2, most=2)
    assert ids(made, frame(1), frame(2), frame(3), frame(4), frame(5)) == [3, 4]


def test_what_is_left_out_is_reported_and_costs_no_neighbour() -> None:
    made = selection()
    *sentences, first, second = taken(made, frame(1), b"no JSON", frame(2), b"{}", b"x", b"y", b"z")
    assert sentences[0].startswith("A malformed frame was left out (not JSON in UTF-8): no JSON")
    assert sentences[1].startswith("A frame that is not a book ticker was left out: {}")
    assert len(sentences) == 4, "three of a kind"
    assert (first, second) == ((1, 1000), (2, 1000))
    assert (made.tally.malformed, made.tally.other_frames) == (4, 1)


def test_the_first_record_is_held_to_the_schema() -> None:
    made = selection()
    assert taken(made, frame(1, b=1), frame(2, b=1)) == [
        "Binance's book tickers no longer fit the declared schema. `best_bid_price`: 1 is not of type 'null', 'string'",
        (1, 1000),
        (2, 1000),
    ]
    assert taken(selection(), frame(1), frame(2, b=1)) == [(1, 1000), (2, 1000)]


@pytest.mark.parametrize("before", [[], [1, 2]])
def test_an_error_comes_after_the_records_before_it(before: list[int]) -> None:
    spoiled = batch(*map(frame, before))
    spoiled.payloads.append(None)  # type: ignore[arg-type]
    found: list[Any] = []
    with pytest.raises(TypeError):
        found.extend(selection().take(spoiled, ALL))
    assert [record["u"] for records in found if isinstance(records, list) for record in records] == before


def test_a_gap_of_a_feed_ends_the_promises_of_its_contracts() -> None:
    made = selection()
    taken(made, frame(1), feed=0)
    taken(made, frame(1, ETH), feed=1)
    gap = Gap(0, 10.0, 12.0, "reset")
    assert made.miss(gap) == str(gap)
    made.miss(Gap(7, 10.0, 50.0, "silent too", is_silence=True))
    assert taken(made, frame(2), at=2000, feed=0) == [(2, 2000)]
    assert taken(made, frame(2, ETH), at=2000, feed=1) == [(2, 1000)]
    assert (made.tally.gaps, made.tally.silences) == ([2.0], [40.0])


def test_a_counter_that_has_restarted_between_two_syncs_is_reported_once() -> None:
    made = selection(1000)
    later = MS + 60_001
    assert timed(made, frame(5, T=later), frame(6, T=later)) == [
        (5, 1000),
        (6, 1000),
        f"The exchange's counter of {BTC} has restarted: update id 5 after 1000. Its updates are taken as new.",
    ]
    assert timed(made, frame(7, T=later)) == [(7, 1000)]
    assert made.tally.gaps == []


def test_one_that_restarts_within_a_sync_is_reported_with_what_it_cost() -> None:
    made = selection()
    timed(made, frame(1000, T=MS))
    timed(made, frame(1, T=MS + 1000), frame(1, T=MS + 61_000))
    assert made.tally.known == 2
    found = timed(made, frame(2, T=MS + 61_001), at=2000)
    assert found[:2] == [
        (2, None),
        f"The exchange's counter of {BTC} has restarted: update id 2 after 1000. Its updates are taken as new.",
    ]
    assert "Gap of 60 seconds" in found[2]
    assert f"{BTC} only: newer updates had lower ids than older ones, and a restart of the counter was" in found[2]
    assert made.tally.gaps == [pytest.approx(60.001)]
    assert timed(made, frame(3, T=MS + 61_002), at=3000) == [(3, 3000)], "its promise begins anew"


@pytest.mark.parametrize("spoiling", [b"no JSON", None])
def test_rows_cover_nothing_where_a_restart_was_found_in_their_read(spoiling: Any) -> None:
    """What came in the minute before was left out. Also before an error."""
    made = selection()
    timed(made, frame(1000, T=MS), frame(1, ETH))
    timed(made, frame(1, T=MS + 1000))
    restarted = batch(frame(2, T=MS + 61_001), frame(2, ETH, T=MS + 61_001), pushed_by=MS / 1000 + 120)
    restarted.payloads.extend([spoiling, frame(3, T=MS + 61_002), frame(3, ETH, T=MS + 61_002)])
    found: list[Any] = []
    try:
        for each in made.take(restarted, ALL):
            found += [(r["symbol"], r["covered_since_us"]) for r in each] if isinstance(each, list) else []
    except TypeError:
        assert spoiling is None
    assert found == [(BTC, None), (ETH, 1000)] * (1 if spoiling is None else 2)


def test_lower_ids_that_are_newer_are_reported_where_higher_ones_follow_within_a_minute() -> None:
    """No restart came of it, and yet they were left out: nothing of them was ever heard before."""
    made = selection()
    timed(made, frame(1000, T=MS), frame(1, ETH, T=MS))
    assert timed(made, frame(5, T=MS + 1000), frame(6, T=MS + 3000), at=2000) == []
    found = timed(made, frame(1001, T=MS + 4000), frame(2, ETH, T=MS + 4000), at=3000)
    assert found[:2] == [(1001, None), (2, 1000)]
    assert "Gap of 2.0 seconds" in found[2]
    assert f"{BTC} only: newer updates had lower ids than older ones" in found[2]
    assert timed(made, frame(1002, T=MS + 5000), at=4000) == [(1002, 4000)], "its promise begins anew"
    assert made.tally.gaps == [pytest.approx(2.001)]
    assert list(made.end(MS * 1000)) == [], "reported once"


@pytest.mark.parametrize("made", [selection(), selection(1000)])
def test_lower_ids_that_are_newer_are_reported_where_the_window_ends_within_a_minute(made: Selection) -> None:
    timed(made, frame(1000, T=MS), frame(5, T=MS + 1000), frame(6, T=MS + 1000))
    (found,) = made.end(MS * 1000)
    assert "Gap of 0.001 seconds" in str(found)
    assert f"{BTC} only: " in str(found)


def test_at_the_end_it_says_what_brought_only_lower_ids_and_what_was_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cursor, "MAX_SYMBOLS", 1)
    made = selection(1000)
    timed(made, frame(6, T=MS - 1), frame(7, T=MS - 1), frame(1, ETH))
    lower, refused = map(str, made.end(0))
    assert lower.startswith(f"Of {BTC} nothing but update ids below those of the state came: 2 updates were left out")
    assert refused == "1 updates of ever more symbols were left out; no exchange lists so many."


def test_two_spans_left_out_of_one_read_are_one_gap_and_a_duplicate_is_none() -> None:
    made = selection(999)
    payloads = [
        frame(at, T=MS + time) for at, time in ((1000, 0), (5, 10), (1001, 20), (6, 30), (1002, 40), (1001, 20))
    ]
    found = timed(made, *payloads)
    assert [each for each in found if not isinstance(each, str)] == [(1000, None), (1001, None), (1002, None)]
    (sentence,) = (each for each in found if isinstance(each, str))
    assert "Gap of 0.021 seconds" in sentence
    timed(made, frame(1000, T=MS), frame(999, T=MS))
    assert list(made.end(MS * 1000)) == []


def test_only_reads_that_brought_something_new_are_heard_of() -> None:
    made = selection()
    for at, payload in ((1_000_000, frame(1)), (5_000_000, frame(1)), (8_000_000, b"no JSON"), (9_000_000, frame(2))):
        taken(made, payload, at=at)
    assert made.tally.longest_pause == 8.0
    assert made.coverage.intervals == {BTC: 1}


def test_a_type_that_changes_within_a_window_is_reported_once() -> None:
    """The first record is held to the schema, and one a minute after it."""
    made = selection()
    minute = 60_000_000
    assert ids(made, frame(1), frame(2, b=2)) == [1, 2]
    assert taken(made, frame(3, b=2), at=minute) == [(3, 1000)]
    fault, record = taken(made, frame(4, b=2), at=minute + 1000)
    assert fault.startswith("Binance's book tickers no longer fit the declared schema. `best_bid_price`: 2 is not of")
    assert record == (4, 1000)
    assert taken(made, frame(5, b=2), at=3 * minute) == [(5, 1000)]


def test_no_interval_touches_one_of_the_sync_before_where_its_clock_was_ahead() -> None:
    """Eight seconds ahead, and 14 updates were missing in between."""
    second = 1_000_000
    made = selection()
    assert taken(made, frame(1), at=20 * second) == [(1, 20 * second)]
    state = made.cursor.state()
    assert state["newest_received_at_us"] == 20 * second
    following = Selection(Cursor.from_state(state, "test", date(2026, 6, 1)), None, SCHEMA)
    assert [taken(following, frame(at), at=at * second)[0] for at in (14, 20, 21, 22)] == [
        (14, None),
        (20, None),
        (21, 21 * second),
        (22, 21 * second),
    ]
    assert following.cursor.state()["newest_received_at_us"] == 22 * second


def holes(made: Selection, *payloads: bytes, group: EndpointGroup = ALL, **options: Any) -> list[str]:
    return [each.text for each in made.take(batch(*payloads, **options), group) if isinstance(each, LogLine)]


def test_the_hole_before_a_sync_ends_with_the_first_update_of_each_feed() -> None:
    made = selection()
    assert holes(made, frame(1, stream=SAMPLE), at=MS * 1000, pushed_by=MS / 1000 + 1) == [], "a sample"
    (hole,) = holes(made, frame(2), frame(3), pushed_by=MS / 1000 + 2.4)
    assert "a hole of 2.4 seconds until the first update of this sync. " in hole
    assert holes(made, frame(4), pushed_by=MS / 1000 + 9) == []
    (hole,) = holes(made, frame(2, ETH), feed=2, pushed_by=MS / 1000 + 5)
    assert "a hole of 5.0 seconds until the first update over connection 3. " in hole
    assert list(made.end(MS * 1000)) == []


def test_a_sample_ends_the_hole_where_nothing_else_is_followed() -> None:
    (hole,) = holes(selection(), frame(1, stream=SAMPLE), group=SAMPLED, at=(MS + 3000) * 1000)
    assert "a hole of 3.0 seconds until the first update of this sync. " in hole


def test_where_nothing_came_the_hole_lasts_until_the_end() -> None:
    (hole,) = selection().end((MS + 60_000) * 1000)
    assert isinstance(hole, LogLine)
    assert hole.level == "info"
    assert "a hole of 60 seconds until the end of this sync, in which no update came. " in hole.text
    assert list(Selection(Cursor("test"), None, SCHEMA).end(MS * 1000)) == []


def test_what_a_standby_had_read_before_an_interval_began_is_not_covered() -> None:
    made = selection()
    assert taken(made, frame(1), at=5000) == [(1, 5000)]
    assert taken(made, frame(2), at=4000) == [(2, None)]
    assert taken(made, frame(3), at=6000) == [(3, 5000)]
