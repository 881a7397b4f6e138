"""Each expectation: holds in a run as expected, differs where one counter contradicts it, is unseen with too little."""

from __future__ import annotations

import copy
import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

import orjson
import pytest

from source_binance_futures.live.expectations import (
    EXPECTATIONS,
    Verdict,
    document,
    judge,
    markdown,
    summary,
    table,
)
from source_binance_futures.live.stats import Stats

COIN_M, USDS_M = "COIN-M", "USDⓈ-M"
FSTREAM = "wss://fstream.binancefuture.com"
HOLDS, DIFFERS, UNSEEN = Verdict.HOLDS, Verdict.DIFFERS, Verdict.UNSEEN
# an expectation, what is changed in the good run, what becomes of it, and what the table says of that
Row = tuple[str, dict[str, Any], Verdict, str]
# fmt: off
GOOD = Stats(
    environment="testnet", started_ms=1_790_000_000_000, seconds=600.0, connections=8,
    addresses={
        "coin_m_address": Stats(label="d", opened=True, seconds=600.0, samples=1000, own_updates=9000),
        "coin_m_public": Stats(label="d/public", opened=True, seconds=20.0, samples=100, own_updates=900),
        "usds_m_address": Stats(label=f"{FSTREAM}/public", opened=True, seconds=600.0, own_updates=9),
        "plain_path": Stats(label=FSTREAM, opened=True, seconds=20.0, samples=9, own_updates=3),
        "wrong_path": Stats(label=f"{FSTREAM}/market", opened=True, seconds=20.0),
    },
    contracts_acknowledged=1, contracts_slowest=0.2, unknown_listened=160.0, cross_listened=160.0,
    connections_used=2, longest_listened=600.0, longest_silence=4.2, over_both=500,
    frames_a_second=60.0, kilobytes_a_second=12.0, busiest_second=1479,
    pings=3, ping_intervals=2, median_ping_interval=180.0, pings_sent=9,
    lags_ms=(3, 40, 90), median_lag_ms=40,
    frames=10000, median_bytes=170, largest_bytes=190, contract_infos=1,
    markets={COIN_M: Counter({COIN_M: 100, USDS_M: 900})}, sampled_for={COIN_M: 590.0},
    own_updates=9000, samples=1000, neighbours=8000, neighbours_back=800, farthest_back_ms=79,
    sample_distances=300, median_sample_distance=5.04, fastest_own_distance=0.01, changes_sampled=300,
    samples_compared=300, furthest_ahead_ms=80, median_ahead_ms=-20,
    one_answer="as documented", all_answer="as documented", unknown_answer="status 400, code -1121",
    rows=850, price_weights=(1, 2), handshake_weight=5, weight_limit=2400, books_compared=5,
)
# fmt: on


def changed(**changes: Any) -> Stats:
    """The good run with other counters; those of an address are changed one by one."""
    found = copy.deepcopy(GOOD)
    for name, value in changes.items():
        if name in GOOD["addresses"]:
            found["addresses"][name].update(value)
        else:
            found[name] = value
    return found


# An expectation, the counters each of which contradicts it, and the least of a counter below which it is unseen.
# fmt: off
NONE_OF = [
    ("sample_pace", "", "sample_distances", 5),
    ("samples_ahead", "", "samples_compared", 5),
    ("ids_across", "", "neighbours", 100),
    ("times_across", "", "neighbours", 100),
    ("samples_found", "samples_missing samples_overdue", "samples_compared", 5),
    ("ids_rise", "steps_back repeats", "own_updates", 10),
    ("sample_ids", "sample_steps_back", "samples", 10),
    ("times_rise", "event_times_back transaction_times_back", "frames", 10),
    ("field_types", "wrong_types unreadable_frames", "frames", 1),
    ("unknown_keys", "unknown_keys", "frames", 1),
    ("other_frames", "other_frames", "frames", 1),
    ("wrapper", "other_streams", "frames", 1),
    ("symbol_type", "frames_without_st contradicting_st", "frames", 1),
    ("pair", "frames_without_ps", "frames", 1),
    ("sound_books", "odd_books", "frames", 1),
    ("contract_info", "contract_info_faults", "contract_infos", 1),
    ("ping_payload", "odd_pings", "pings", 1),
    ("client_ping", "unanswered_pings", "pings_sent", 1),
    ("connections_last", "lost", "connections_used", 1),
    ("replacement", "only_over_first only_over_second", "over_both", 20),
    ("only_usds_m", "coin_m_rows", "rows", 1),
    ("book_ids", "books_missing book_faults", "books_compared", 1),
]
# fmt: on
BY_KIND = {
    *("wrong_types", "unknown_keys", "other_frames", "other_streams"),
    *("contract_info_faults", "lost", "book_faults"),
}
# The least and the most of a counter with which an expectation holds, how much more contradicts it, and what is seen.
BOUNDS: dict[str, tuple[str, float | None, float | None, float, str]] = {
    "sample_pace": ("median_sample_distance", 4.0, 6.0, 0.01, "median of 300 distances {:.2f} s"),
    "samples_ahead": ("furthest_ahead_ms", None, 1999, 1, "at most {:,} ms ahead"),
    "ids_across": ("neighbours_back", 1, None, 1, "{} of 8,000 neighbours"),
    "times_across": ("farthest_back_ms", None, 250, 1, "by up to {} ms"),
    "frame_size": ("median_bytes", 130, 260, 1, "median {} bytes, the largest 190"),
    "frame_rate": ("busiest_second", None, 9_999, 1, "{:,} in the worst second"),
    "ping_interval": ("median_ping_interval", 120.0, 240.0, 0.1, "median {:.1f} s in 2 intervals"),
    "lag": ("median_lag_ms", -1000, 1000, 1, "least 3 ms, median 40 ms"),
    "acknowledged": ("contracts_slowest", None, 5.0, 0.1, "the slowest in {:.2f} s"),
}
# What the API answers otherwise, and how that is shown.
ANSWERS: dict[str, tuple[str, Any, str]] = {
    "one_symbol": ("one_answer", "UnreadableAnswer", "UnreadableAnswer"),
    "all_symbols": ("all_answer", "no time", "no time"),
    "unknown_symbol": ("unknown_answer", "status 200, code None", "status 200, code None"),
    "handshake_weight": ("handshake_weight", 6, "6"),
    "price_weight": ("price_weights", (1, 40), "1 and 40"),
    "weight_limit": ("weight_limit", 6000, "6,000"),
}

SILENT = {"samples": 0, "own_updates": 0}
REFUSED = {"opened": False, "status": 404, "failure": "AddressRefused"}
UNREACHED = {"opened": False, "failure": "Unreachable"}
LONE = {"markets": {COIN_M: Counter({USDS_M: 40})}}
BOTH_HOSTS = {COIN_M: Counter({COIN_M: 100, USDS_M: 900}), USDS_M: Counter({USDS_M: 900})}
UNACKNOWLEDGED = {"contracts_acknowledged": 0, "contracts_slowest": 0}
SLOW = {"fastest_own_distance": 4.0}


def judged() -> Iterator[Row]:
    """Make the rows that are alike of the tables above."""
    for name, counters, of, enough in NONE_OF:
        for counter in counters.split():
            if counter in BY_KIND:
                yield name, {counter: Counter("xxxxyyyzzw")}, DIFFERS, "x (4), y (3), z (2) and 1 more among"
            else:
                yield name, {counter: 2}, DIFFERS, f"2 {counter.replace('_', ' ')}; {GOOD[of]:,} "
        yield name, {of: enough - 1}, UNSEEN, "too few"
        yield name, {of: enough, "neighbours_back": 1}, HOLDS, ""
    for name, (counter, least, most, step, says) in BOUNDS.items():
        for bound, beyond in ((least, -step), (most, step)):
            if bound is not None:
                yield name, {counter: bound}, HOLDS, says.format(bound)
                yield name, {counter: bound + beyond}, DIFFERS, says.format(bound + beyond)
    for name, (answer, other, says) in ANSWERS.items():
        yield name, {answer: other}, DIFFERS, says
        yield name, {answer: None}, UNSEEN, "not learned"


# fmt: off
JUDGED: list[Row] = [
    *judged(),
    ("coin_m_address", {"coin_m_address": SILENT}, DIFFERS, "d: 0 samples, 0 own updates in 600 s"),
    ("coin_m_address", {"coin_m_address": REFUSED}, DIFFERS, "HTTP status 404"),
    ("coin_m_address", {"coin_m_address": SILENT | {"seconds": 3.9}}, UNSEEN, "in 4 s"),
    ("coin_m_address", {"coin_m_address": UNREACHED}, UNSEEN, "no connection (Unreachable)"),
    ("coin_m_address", {"coin_m_address": SILENT | {"seconds": 4.0}}, DIFFERS, ""),
    ("coin_m_public", {"coin_m_public": SILENT}, DIFFERS, "0 samples"),
    ("coin_m_public", {"addresses": {}}, UNSEEN, "no such address"),
    ("usds_m_address", {"usds_m_address": SILENT, "environment": "production"}, DIFFERS, "0 samples"),
    ("plain_path", {"plain_path": SILENT, "environment": "production"}, DIFFERS, "0 samples"),
    ("plain_path", {"plain_path": UNREACHED}, UNSEEN, "no connection"),
    ("wrong_path", {"wrong_path": {"own_updates": 1}}, DIFFERS, "1 own update in 20 s"),
    ("wrong_path", {"wrong_path": {"own_updates": 1, "samples": 1}}, DIFFERS, "1 sample, 1 own update in 20 s"),
    ("wrong_path", {"wrong_path": REFUSED}, DIFFERS, "HTTP status 404"),
    ("wrong_path", {"wrong_path": {"seconds": 3.9}}, UNSEEN, "in 4 s"),
    ("wrong_path", {"wrong_path": {"seconds": 4.0}}, HOLDS, ""),
    ("cross_host", {"cross_frames": 7}, DIFFERS, "7 frames in 160 s"),
    ("cross_host", {"cross_frames": 1, "cross_listened": 2.0}, DIFFERS, "1 frame in 2 s"),
    ("cross_host", {"cross_listened": 3.9}, UNSEEN, "0 frames"),
    ("cross_host", {"cross_listened": 4.0}, HOLDS, ""),
    ("merged", {"markets": {COIN_M: Counter({COIN_M: 1000})}}, DIFFERS, "COIN-M host: 1,000 of COIN-M"),
    ("merged", LONE | {"sampled_for": {COIN_M: 9.9}}, UNSEEN, "40 of USDⓈ-M"),
    ("merged", LONE | {"sampled_for": {COIN_M: 10.0}}, DIFFERS, ""),
    ("merged", {"markets": BOTH_HOSTS, "sampled_for": {USDS_M: 10.0}}, DIFFERS, ""),
    ("own_pace", {"fastest_own_distance": 5.0, "own_updates": 310}, DIFFERS, "310 own updates, 300 changes"),
    ("own_pace", {"silent_own": ["A", "B", "C", "D"]}, DIFFERS, "A, B, C and 1 more"),
    ("own_pace", {"fastest_own_distance": None}, UNSEEN, "too few"),
    ("own_pace", {"fastest_own_distance": 2.0}, UNSEEN, "too quiet"),
    ("own_pace", {"fastest_own_distance": 1.0, "own_updates": 10}, HOLDS, ""),
    ("own_pace", SLOW | {"own_updates": 360}, DIFFERS, ""),
    ("own_pace", SLOW | {"own_updates": 361}, UNSEEN, ""),
    ("own_pace", SLOW | {"own_updates": 12, "changes_sampled": 10}, DIFFERS, ""),
    ("own_pace", SLOW | {"own_updates": 10, "changes_sampled": 9}, UNSEEN, ""),
    ("contract_info", {"contract_infos": 0, "seconds": 180.0}, UNSEEN, "(it takes MINUTES=10)"),
    ("ping_interval", {"median_ping_interval": None, "longest_listened": 500.0}, DIFFERS, "no two pings"),
    ("ping_interval", {"median_ping_interval": None, "longest_listened": 480.0}, UNSEEN, "no two pings"),
    ("acknowledged", UNACKNOWLEDGED | {"contracts_unanswered": 1}, DIFFERS, "0 of 1 message"),
    ("acknowledged", {"contracts_refused": 1}, DIFFERS, "1 of 2 messages"),
    ("acknowledged", UNACKNOWLEDGED, UNSEEN, "no contract"),
    ("unknown_name", {"unknown_refused": 1, "unknown_listened": 2.0}, DIFFERS, "1 refused"),
    ("unknown_name", {"unknown_frames": 12}, DIFFERS, "12 frames"),
    ("unknown_name", {"unknown_unanswered": 1}, DIFFERS, "1 unanswered"),
    ("unknown_name", {"unknown_listened": 3.0}, UNSEEN, "in 3 s"),
    ("unknown_name", {"unknown_listened": 4.0}, HOLDS, ""),
    ("longest_silence", {"longest_silence": 30.0}, DIFFERS, "30.0 s in 600 s"),
    ("longest_silence", {"longest_listened": 29.9}, UNSEEN, "4.2 s in 30 s"),
    ("longest_silence", {"longest_listened": 30.0, "longest_silence": 29.9}, HOLDS, ""),
    ("longest_silence", {"longest_listened": 29.9, "longest_silence": 30.0}, DIFFERS, ""),
    ("lag", {"median_lag_ms": None}, UNSEEN, "too few"),
    ("one_symbol", {"one_answer": None, "price_failure": "NoAnswer"}, UNSEEN, "the API: NoAnswer"),
    ("both_routes", {"environment": "production"}, UNSEEN, "not the testnet"),
    ("both_routes", {"plain_path": UNREACHED}, UNSEEN, "no connection"),
]
# fmt: on


def verdicts(stats: Stats) -> dict[str, Verdict]:
    return {each.expectation.name: each.verdict for each in judge(stats)}


def seen(stats: Stats, name: str) -> str:
    return next(each.seen for each in judge(stats) if each.expectation.name == name)


def test_all_hold_where_binance_is_as_expected_and_none_can_be_seen_where_nothing_was_counted() -> None:
    assert {name: verdict for name, verdict in verdicts(GOOD).items() if verdict is not HOLDS} == {}
    assert {name: verdict for name, verdict in verdicts(Stats()).items() if verdict is not UNSEEN} == {}


@pytest.mark.parametrize(("name", "changes", "verdict", "says"), JUDGED)
def test_each_is_judged_by_counters_of_its_own(name: str, changes: dict[str, Any], verdict: Verdict, says: str) -> None:
    stats = changed(**changes)
    assert verdicts(stats)[name] is verdict, seen(stats, name)
    assert says in seen(stats, name)
    assert ("MINUTES" in seen(stats, name)) is ("MINUTES" in says)
    assert {each for each, found in verdicts(stats).items() if found is DIFFERS} == (
        {name} if verdict is DIFFERS else set()
    )


def test_every_expectation_is_contradicted_here() -> None:
    names = [each.name for each in EXPECTATIONS]
    assert {name for name, _, verdict, _ in JUDGED if verdict is DIFFERS} | {"both_routes"} == set(names)
    assert len(names) == len(set(names)) == 44


def test_on_the_testnet_both_routes_must_bring_data() -> None:
    for silent in ("usds_m_address", "plain_path"):
        stats = changed(**{silent: SILENT})
        assert verdicts(stats)["both_routes"] is DIFFERS
        assert "0 own updates" in seen(stats, "both_routes")


def test_a_difference_matters_where_a_promise_depends_on_it() -> None:
    found = {each.expectation.name for _, changes, _, _ in JUDGED for each in judge(changed(**changes)) if each.matters}
    assert found == {each.name for each in EXPECTATIONS if each.promise is not None}
    assert {"own_pace", "ids_rise", "replacement", "field_types"} <= found
    assert not {"cross_host", "ping_interval", "unknown_keys"} & found
    assert len(found) == 25
    assert not any(each.matters for each in judge(GOOD))


# --- the lines, the page and the file ---

ODD = changed(wrong_types=Counter({"b|B\n: number": 4}), unknown_keys=Counter({"x" * 60: 1, "y" * 60: 1}))


def test_the_lines_fit_80_columns_and_mark_what_matters() -> None:
    for stats in (GOOD, Stats(), ODD):
        lines = table(judge(stats)).split("\n")
        assert max(map(len, lines)) <= 80
        starts = [line[:9].split() for line in lines if line[:9].strip()]
        assert len(starts) == len(EXPECTATIONS)
    marked = [line for line in table(judge(ODD)).split("\n") if line.startswith("!")]
    assert len(marked) == 1
    assert marked[0].startswith("! differs e s b B a A are strings")
    assert "!" not in "".join(line[:1] for line in table(judge(GOOD)).split("\n"))


def test_the_summary_counts_and_names_the_promises() -> None:
    count = len(EXPECTATIONS)
    assert summary(judge(GOOD)) == f"Of {count} expectations {count} hold, 0 differ, and 0 could not be seen."
    says = summary(judge(ODD))
    assert says.startswith(f"Of {count} expectations {count - 2} hold, 2 differ, and 0 could not be seen.")
    assert says.endswith("! field_types: Records hold what was sent, and fit the schema.")


def test_the_page_is_one_table_whatever_the_exchange_sends() -> None:
    page = markdown(changed(stopped_early=True, wrong_types=ODD["wrong_types"]), judge(ODD), "0.1.0")
    rows = [line for line in page.split("\n") if line.startswith("|")]
    assert len(rows) == len(EXPECTATIONS) + 2
    assert {row.replace("\\|", "").count("|") for row in rows} == {5}
    assert "Environment `testnet`, 2026-09-21" in page
    assert "stopped early, 8 connections" in page
    assert "https://developers.binance.com/en/docs/" in page
    assert page.count("**!**") == 1
    assert page.count("**differs**") == 2


def test_the_file_holds_verdicts_and_counters() -> None:
    found = json.loads(orjson.dumps(document(ODD, judge(ODD), "0.1.0"), option=orjson.OPT_NON_STR_KEYS))
    by_name = {each["name"]: each for each in found["expectations"]}
    assert by_name.keys() == {each.name for each in EXPECTATIONS}
    assert by_name["field_types"] == {
        "name": "field_types",
        "expectation": "e s b B a A are strings, prices and quantities decimals; u T E integers",
        "seen": "b|B\n: number (4) among wrong types; 10,000 frames in all",
        "verdict": "differs",
        "matters": True,
        "promise": "Records hold what was sent, and fit the schema.",
        "minutes": 3,
    }
    assert by_name["unknown_keys"]["matters"] is False
    assert (found["connector"], found["started"]) == ("0.1.0", "2026-09-21 14:13:20 UTC")
    long = {name for name, each in by_name.items() if each["minutes"] == 10}
    assert long == {"contract_info", "ping_interval", "ping_payload"}
    assert found["stats"]["frames"] == 10000
