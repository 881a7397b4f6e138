"""Each belief: holds in a run as believed, differs where one fact contradicts it, could not be seen without enough."""

from __future__ import annotations

from dataclasses import replace

import pytest

from source_binance_futures.live.belief import Verdict
from source_binance_futures.live.facts import Facts
from source_binance_futures.live.judge import BELIEFS, judge

from .runs import (
    COIN_M,
    GOOD,
    LINE,
    NOTHING,
    USDS_M,
    with_address,
    with_line,
    with_overlap,
    with_part,
    with_prices,
    with_subscription,
)

ONE_MARKET = replace(LINE.all_market, by_market={USDS_M: 40})
CONTRADICTED = [
    ("coin_m_address", with_address(0, samples=0, own=0), "0 samples, 0 own updates in 180 s"),
    ("coin_m_address", with_address(0, opened=False, status=404, failure="AddressRefused"), "HTTP status 404"),
    ("coin_m_public", with_address(1, samples=0, own=0), "0 samples"),
    ("usds_m_address", with_address(2, samples=0, own=0), "0 samples"),
    ("wrong_path", with_address(3, own=1), "1 own update in 20 s"),
    ("wrong_path", with_address(3, opened=False, status=404, failure="AddressRefused"), "HTTP status 404"),
    ("cross_host", with_subscription("cross", frames=7), "7 frames in 160 s"),
    ("merged", with_part("all_market", by_market={COIN_M: 1000}), "COIN-M host: 1,000 of COIN-M"),
    ("sample_pace", with_part("pace", median_distance=0.03), "0.03 s"),
    ("sample_pace", with_part("pace", median_distance=3.0), "3.00 s"),
    ("sample_pace", with_part("pace", median_distance=10.0), "10.00 s"),
    ("own_pace", with_part("pace", own_fastest=5.0, own_frames=310), "310 own updates, 300 changes"),
    ("own_pace", with_part("pace", silent_own=("A", "B", "C", "D")), "A, B, C and 1 more"),
    ("samples_found", with_part("samples", missing=1), "299 of 300 samples found again"),
    ("samples_found", with_part("samples", overdue=2), "2 overdue"),
    ("samples_ahead", with_part("samples", ahead_ms=2000.0), "2,000 ms ahead"),
    ("ids_rise", with_part("own", steps_back=1), "1 step back and 0 repeats"),
    ("ids_rise", with_part("own", repeats=1), "1 repeat in"),
    ("sample_ids", with_part("all_market", steps_back=3), "3 steps back"),
    ("times_rise", with_part("own", event_times_back=1), "E 1 time back, T 0 times"),
    ("times_rise", with_part("all_market", transaction_times_back=2), "E 0 times back, T 2 times"),
    ("ids_across", with_part("own", neighbours_back=0), "0.0% of 8,000 pairs"),
    ("times_across", with_part("own", farthest_back_ms=251), "251 ms"),
    ("field_types", with_part("content", wrong_types={"b: number": 4}), "b: number (4)"),
    ("field_types", with_part("content", unreadable=1), "1 unreadable frame"),
    ("unknown_keys", with_part("content", unknown_keys={"x": 4, "y": 1, "z": 1, "w": 1}), "x (4), y (1), z (1) and 1"),
    ("other_frames", with_part("content", other_frames={"serverShutdown": 1}), "serverShutdown (1)"),
    ("wrapper", with_part("content", other_streams={"no wrapper": 3}), "no wrapper (3)"),
    ("symbol_type", with_part("content", without_symbol_type=5), "5 of 10,000 frames without st"),
    ("symbol_type", with_part("content", contradicting_symbol_type=6), "6 with another"),
    ("pair", with_part("content", without_pair=7), "7 of 10,000 frames without ps"),
    ("sound_books", with_part("content", odd_books=8), "8 crossed, empty or zero"),
    ("frame_size", with_part("content", median_bytes=400, largest_bytes=900), "median 400 bytes, the largest 900"),
    ("frame_rate", with_line(busiest_second=10_000), "10,000 in the worst second"),
    ("ping_interval", with_part("pings", distances=(20.0, 20.0)), "median 20.0 s in 2 intervals"),
    ("ping_interval", with_line(seconds=500.0, pings=replace(LINE.pings, distances=())), "no two pings in 500 s"),
    ("ping_payload", with_part("pings", odd=1), "1 of 2 pings"),
    ("ping_payload", with_part("pings", offsets_ms=(-5001.0, 3.0)), "5,001 ms from our clock"),
    ("client_ping", with_part("pings", answered=8), "8 of 9 answered"),
    ("acknowledged", with_subscription("contracts", answered_after=None), "0 of 1 message"),
    ("acknowledged", with_subscription("contracts", error=True), "0 of 1 message"),
    ("acknowledged", with_subscription("contracts", answered_after=5.1), "the slowest in 5.10 s"),
    ("unknown_name", with_subscription("unknown", error=True), "1 refused"),
    ("unknown_name", with_subscription("unknown", error=True, listened=2.0), "1 refused"),
    ("unknown_name", with_subscription("unknown", frames=1, listened=2.0), "1 frame in 2 s"),
    ("unknown_name", with_subscription("uppercase", frames=12), "12 frames"),
    ("unknown_name", with_subscription("unknown", answered_after=None), "1 unanswered"),
    ("longest_silence", with_line(longest_silence=30.0), "30.0 s in 180 s"),
    ("connections_last", with_line(lost="ClosedByExchange"), "1 of 1 lost (ClosedByExchange)"),
    ("replacement", with_overlap(only_first=1), "1 over the first only"),
    ("replacement", with_overlap(only_second=1), "1 over the second only"),
    ("lag", with_line(lags_ms=(900.0, 1001.0, 4000.0)), "median 1,001 ms"),
    ("lag", with_line(lags_ms=(-3900.0, -3000.0, -2000.0)), "median -3,000 ms"),
    ("one_symbol", with_prices(one_fault="UnreadableAnswer"), "UnreadableAnswer"),
    ("all_symbols", with_prices(all_fault="no time"), "no time"),
    ("unknown_symbol", with_prices(unknown_status=200, unknown_code=None), "status 200, code None"),
    ("unknown_symbol", with_prices(unknown_code=-1100), "code -1100"),
    ("only_usds_m", with_prices(coin_m_rows=30), "30 of 850 rows"),
    ("handshake_weight", with_prices(weight_handshake=6), "6"),
    ("price_weight", with_prices(weight_all=40), "1 for one symbol, 40 for all"),
    ("price_weight", with_prices(weight_one=2), "2 for one symbol"),
    ("weight_limit", with_prices(weight_limit=6000), "6,000"),
]  # fmt: skip

TOO_LITTLE = [
    ("coin_m_address", with_address(0, samples=0, own=0, seconds=3.0), "in 3 s"),
    ("coin_m_address", with_address(0, opened=False, failure="Unreachable"), "no connection (Unreachable)"),
    ("coin_m_public", replace(GOOD, addresses=(GOOD.addresses[0], *GOOD.addresses[2:])), "one address only"),
    ("wrong_path", replace(GOOD, addresses=GOOD.addresses[:3]), "one address only"),
    ("wrong_path", with_address(3, seconds=3.0), "in 3 s"),
    ("wrong_path", with_address(3, opened=False, failure="Unreachable"), "no connection"),
    ("cross_host", with_subscription("cross", listened=3.0), "3 s only"),
    ("cross_host", with_subscription("cross", answered_after=None, listened=3.0), "3 s only"),
    ("merged", with_line(seconds=9.9, longest_silence=0.0, all_market=ONE_MARKET), "40 of USDⓈ-M"),
    ("sample_pace", with_part("pace", distances=4), "4 distances"),
    ("own_pace", with_part("pace", own_fastest=None), "too few"),
    ("own_pace", with_part("pace", own_fastest=2.0), "too quiet"),
    ("samples_found", with_part("samples", compared=4), "4 samples"),
    ("samples_ahead", with_part("samples", compared=4), "too few"),
    ("ids_rise", with_part("own", frames=9), "too few"),
    ("sample_ids", with_part("all_market", frames=9), "too few"),
    ("ids_across", with_part("own", neighbours=99, neighbours_back=0), "too few"),
    ("times_across", with_part("own", neighbours=99), "too few"),
    ("ping_interval", with_part("pings", distances=()), "no two pings"),
    ("ping_payload", with_part("pings", count=0, offsets_ms=()), "no ping came"),
    ("client_ping", with_part("pings", asked=0, answered=0), "no ping of ours"),
    ("acknowledged", with_subscription("contracts", answered_after=None, listened=4.0), "no contract"),
    ("unknown_name", with_subscription("uppercase", listened=3.0), "3 s only"),
    ("unknown_name", with_line(subscriptions=LINE.subscriptions[:1]), "not asked"),
    ("longest_silence", with_line(seconds=25.0), "25 s only"),
    ("replacement", replace(GOOD, overlap=None), "did not come about"),
    ("replacement", with_overlap(both=19), "too few"),
    ("lag", with_line(lags_ms=()), "no own update"),
    ("one_symbol", with_prices(one_fault=None, failure="NoAnswer"), "the API did not answer (NoAnswer)"),
    ("one_symbol", with_prices(one_fault=None, failure="LocationRefused", status=451), "HTTP status 451"),
    ("handshake_weight", with_prices(weight_handshake=None), "not learned"),
    ("price_weight", with_prices(weight_one=None), "not learned"),
    ("price_weight", with_prices(weight_all=None), "not learned"),
    ("only_usds_m", with_prices(rows=0), "not learned"),
]


HOLDS, DIFFERS, UNSEEN = Verdict.HOLDS, Verdict.DIFFERS, Verdict.UNSEEN
AT_THE_BOUND = [
    ("coin_m_address", with_address(0, samples=0, own=0, seconds=4.0), DIFFERS),
    ("wrong_path", with_address(3, seconds=4.0), HOLDS),
    ("cross_host", with_subscription("cross", listened=4.0), HOLDS),
    ("merged", with_line(seconds=9.9), HOLDS),
    ("merged", with_line(seconds=10.0, longest_silence=0.0, all_market=ONE_MARKET), DIFFERS),
    ("merged", with_line(seconds=40.0, longest_silence=30.0, all_market=ONE_MARKET), DIFFERS),
    ("merged", with_line(seconds=40.0, longest_silence=30.1, all_market=ONE_MARKET), UNSEEN),
    ("sample_pace", with_part("pace", distances=5), HOLDS),
    ("sample_pace", with_part("pace", median_distance=4.0), HOLDS),
    ("sample_pace", with_part("pace", median_distance=6.0), HOLDS),
    ("own_pace", with_part("pace", own_fastest=1.0, own_frames=10), HOLDS),
    ("own_pace", with_part("pace", own_frames=9), UNSEEN),
    ("own_pace", with_part("pace", own_fastest=4.0, own_frames=360), DIFFERS),
    ("own_pace", with_part("pace", own_fastest=4.0, own_frames=361), UNSEEN),
    ("own_pace", with_part("pace", own_fastest=4.0, own_frames=12, changes_sampled=10), DIFFERS),
    ("own_pace", with_part("pace", own_fastest=4.0, own_frames=10, changes_sampled=9), UNSEEN),
    ("samples_found", with_part("samples", compared=5), HOLDS),
    ("samples_ahead", with_part("samples", compared=5), HOLDS),
    ("ids_rise", with_part("own", frames=10), HOLDS),
    ("sample_ids", with_part("all_market", frames=10), HOLDS),
    ("times_rise", with_line(own=replace(LINE.own, frames=5), all_market=replace(LINE.all_market, frames=5)), HOLDS),
    ("times_rise", with_line(own=replace(LINE.own, frames=5), all_market=replace(LINE.all_market, frames=4)), UNSEEN),
    ("ids_across", with_part("own", neighbours=100), HOLDS),
    ("times_across", with_part("own", neighbours=100, farthest_back_ms=250), HOLDS),
    ("frame_size", with_part("content", median_bytes=130), HOLDS),
    ("frame_size", with_part("content", median_bytes=260), HOLDS),
    ("ping_interval", with_part("pings", distances=(120.0,)), HOLDS),
    ("ping_interval", with_part("pings", distances=(240.0,)), HOLDS),
    ("ping_interval", with_line(seconds=480.0, pings=replace(LINE.pings, distances=())), UNSEEN),
    ("ping_payload", with_part("pings", offsets_ms=(5000.0,)), HOLDS),
    ("acknowledged", with_subscription("contracts", answered_after=5.0), HOLDS),
    ("acknowledged", with_subscription("contracts", answered_after=None, listened=5.0), DIFFERS),
    ("unknown_name", with_subscription("unknown", listened=4.0), HOLDS),
    ("longest_silence", with_line(seconds=30.0, longest_silence=29.9), HOLDS),
    ("longest_silence", with_line(seconds=29.9, longest_silence=30.0), DIFFERS),
    ("replacement", with_overlap(both=20), HOLDS),
    ("lag", with_line(lags_ms=(0.0, 1000.0, 2000.0)), HOLDS),
]


def verdicts(facts: Facts) -> dict[str, Verdict]:
    return {each.belief.name: each.finding.verdict for each in judge(facts)}


def seen(facts: Facts, name: str) -> str:
    return next(each.finding.seen for each in judge(facts) if each.belief.name == name)


def test_every_belief_holds_where_binance_is_as_believed() -> None:
    assert {name: verdict for name, verdict in verdicts(GOOD).items() if verdict is not Verdict.HOLDS} == {}


def test_no_belief_can_be_seen_where_nothing_was_observed() -> None:
    assert {name: verdict for name, verdict in verdicts(NOTHING).items() if verdict is not Verdict.UNSEEN} == {}


def test_every_belief_is_contradicted_here() -> None:
    assert {name for name, _, _ in CONTRADICTED} == {belief.name for belief in BELIEFS}
    assert len({belief.name for belief in BELIEFS}) == len(BELIEFS)


@pytest.mark.parametrize(("name", "facts", "says"), CONTRADICTED)
def test_a_fact_that_contradicts_a_belief_makes_it_differ_and_no_other(name: str, facts: Facts, says: str) -> None:
    assert {each for each, verdict in verdicts(facts).items() if verdict is Verdict.DIFFERS} == {name}
    assert says in seen(facts, name)


@pytest.mark.parametrize(("name", "facts", "says"), TOO_LITTLE)
def test_too_little_is_no_verdict(name: str, facts: Facts, says: str) -> None:
    found = verdicts(facts)
    assert found[name] is Verdict.UNSEEN
    assert says in seen(facts, name)
    assert Verdict.DIFFERS not in found.values()


@pytest.mark.parametrize(("name", "facts", "verdict"), AT_THE_BOUND)
def test_a_bound_is_where_it_is_said_to_be(name: str, facts: Facts, verdict: Verdict) -> None:
    assert verdicts(facts)[name] is verdict, seen(facts, name)


def test_what_two_connections_bring_is_put_together() -> None:
    second = replace(LINE, content=replace(LINE.content, without_pair=7), own=replace(LINE.own, repeats=2))
    found = replace(GOOD, lines=(LINE, second))
    assert seen(found, "pair") == "7 of 20,000 frames without ps"
    assert verdicts(found)["ids_rise"] is Verdict.DIFFERS


def test_an_address_brings_data_also_where_the_contracts_that_it_is_tried_with_rest() -> None:
    assert verdicts(with_address(1, own=0))["coin_m_public"] is Verdict.HOLDS


def test_both_markets_may_come_over_two_connections_to_one_host() -> None:
    brief = replace(LINE, seconds=3.0, all_market=replace(LINE.all_market, frames=20, by_market={USDS_M: 20}))
    assert verdicts(replace(GOOD, lines=(LINE, brief)))["merged"] is Verdict.HOLDS
    other = replace(LINE, market=USDS_M, all_market=replace(LINE.all_market, by_market={USDS_M: 900}))
    assert verdicts(replace(GOOD, lines=(LINE, other)))["merged"] is Verdict.DIFFERS


def test_an_address_that_is_asked_for_both_markets_counts_for_each() -> None:
    only = replace(GOOD.addresses[0], markets=(COIN_M, USDS_M))
    found = verdicts(replace(GOOD, addresses=(only,)))
    assert found["coin_m_address"] is found["usds_m_address"] is Verdict.HOLDS


def test_the_testnets_second_address_of_fstream_is_the_one_without_public() -> None:
    plain = replace(GOOD.addresses[3], wrong_path=False)
    assert verdicts(replace(GOOD, addresses=(*GOOD.addresses[:3], plain)))["wrong_path"] is Verdict.HOLDS
    brings = replace(plain, samples=3, own=4)
    assert verdicts(replace(GOOD, addresses=(*GOOD.addresses[:3], brings)))["wrong_path"] is Verdict.DIFFERS


def test_a_difference_matters_where_a_promise_hangs_on_it() -> None:
    matters = {each.belief.name for facts in (c[1] for c in CONTRADICTED) for each in judge(facts) if each.matters}
    assert matters == {belief.name for belief in BELIEFS if belief.promise is not None}
    assert {"own_pace", "ids_rise", "replacement", "field_types"} <= matters
    assert not {"cross_host", "ping_interval", "unknown_keys"} & matters
