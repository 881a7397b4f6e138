"""Each expectation: holds in a run as expected, differs where one counter contradicts it, is unseen with too little."""

from __future__ import annotations

import copy
import json
from collections import Counter
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


SILENT = {"samples": 0, "own_updates": 0}
REFUSED = {"opened": False, "status": 404, "failure": "AddressRefused"}
UNREACHED = {"opened": False, "failure": "Unreachable"}
LONE = {"markets": {COIN_M: Counter({USDS_M: 40})}}
UNACKNOWLEDGED = {"contracts_acknowledged": 0, "contracts_slowest": 0}
SLOW = {"fastest_own_distance": 4.0}

BOTH_HOSTS = {COIN_M: Counter({COIN_M: 100, USDS_M: 900}), USDS_M: Counter({USDS_M: 900})}

# an expectation, what is changed in the good run, what becomes of it, and what the table says of that
# fmt: off
JUDGED: list[tuple[str, dict[str, Any], Verdict, str]] = [
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
    ("sample_pace", {"median_sample_distance": 0.03}, DIFFERS, "median of 300 distances 0.03 s"),
    ("sample_pace", {"median_sample_distance": 10.0}, DIFFERS, "10.00 s"),
    ("sample_pace", {"sample_distances": 4}, UNSEEN, "4 sample distances: too few"),
    ("sample_pace", {"sample_distances": 5, "median_sample_distance": 4.0}, HOLDS, ""),
    ("sample_pace", {"median_sample_distance": 6.01}, DIFFERS, ""),
    ("own_pace", {"fastest_own_distance": 5.0, "own_updates": 310}, DIFFERS, "310 own updates, 300 changes"),
    ("own_pace", {"silent_own": ["A", "B", "C", "D"]}, DIFFERS, "A, B, C and 1 more"),
    ("own_pace", {"fastest_own_distance": None}, UNSEEN, "too few"),
    ("own_pace", {"fastest_own_distance": 2.0}, UNSEEN, "too quiet"),
    ("own_pace", {"fastest_own_distance": 1.0, "own_updates": 10}, HOLDS, ""),
    ("own_pace", SLOW | {"own_updates": 360}, DIFFERS, ""),
    ("own_pace", SLOW | {"own_updates": 361}, UNSEEN, ""),
    ("own_pace", SLOW | {"own_updates": 12, "changes_sampled": 10}, DIFFERS, ""),
    ("own_pace", SLOW | {"own_updates": 10, "changes_sampled": 9}, UNSEEN, ""),
    ("samples_found", {"samples_missing": 1}, DIFFERS, "1 samples missing; 300 samples compared in all"),
    ("samples_found", {"samples_overdue": 2}, DIFFERS, "2 samples overdue"),
    ("samples_found", {"samples_compared": 4}, UNSEEN, "4 samples compared"),
    ("samples_found", {"samples_compared": 5}, HOLDS, ""),
    ("samples_ahead", {"furthest_ahead_ms": 2000}, DIFFERS, "2,000 ms ahead"),
    ("samples_ahead", {"samples_compared": 4}, UNSEEN, "too few"),
    ("samples_ahead", {"samples_compared": 5, "furthest_ahead_ms": 1999}, HOLDS, ""),
    ("ids_rise", {"steps_back": 1}, DIFFERS, "1 steps back"),
    ("ids_rise", {"repeats": 1}, DIFFERS, "1 repeats"),
    ("ids_rise", {"own_updates": 9}, UNSEEN, "too few"),
    ("ids_rise", {"own_updates": 10}, HOLDS, ""),
    ("sample_ids", {"sample_steps_back": 3}, DIFFERS, "3 sample steps back; 1,000 samples"),
    ("sample_ids", {"samples": 9}, UNSEEN, "too few"),
    ("times_rise", {"event_times_back": 1}, DIFFERS, "1 event times back"),
    ("times_rise", {"transaction_times_back": 2}, DIFFERS, "2 transaction times back"),
    ("ids_across", {"neighbours_back": 0}, DIFFERS, "0 of 8,000 neighbours"),
    ("ids_across", {"neighbours": 99}, UNSEEN, "too few"),
    ("ids_across", {"neighbours": 100, "neighbours_back": 1}, HOLDS, ""),
    ("times_across", {"farthest_back_ms": 251}, DIFFERS, "251 ms"),
    ("times_across", {"neighbours": 99}, UNSEEN, "too few"),
    ("times_across", {"farthest_back_ms": 250}, HOLDS, ""),
    ("field_types", {"wrong_types": Counter({"b: number": 4})}, DIFFERS, "b: number (4) among wrong types"),
    ("field_types", {"unreadable_frames": 1}, DIFFERS, "1 unreadable frames"),
    ("unknown_keys", {"unknown_keys": Counter("xxxxyzw")}, DIFFERS, "x (4), y (1), z (1) and 1 more"),
    ("other_frames", {"other_frames": Counter({"serverShutdown": 1})}, DIFFERS, "serverShutdown (1)"),
    ("wrapper", {"other_streams": Counter({"no wrapper": 3})}, DIFFERS, "no wrapper (3)"),
    ("symbol_type", {"frames_without_st": 5}, DIFFERS, "5 frames without st; 10,000 frames"),
    ("symbol_type", {"contradicting_st": 6}, DIFFERS, "6 contradicting st"),
    ("pair", {"frames_without_ps": 7}, DIFFERS, "7 frames without ps"),
    ("sound_books", {"odd_books": 8}, DIFFERS, "8 odd books"),
    ("frame_size", {"median_bytes": 400, "largest_bytes": 900}, DIFFERS, "median 400 bytes, the largest 900"),
    ("frame_size", {"median_bytes": 129}, DIFFERS, ""),
    ("frame_size", {"median_bytes": 130}, HOLDS, ""),
    ("frame_size", {"median_bytes": 260}, HOLDS, ""),
    ("frame_size", {"median_bytes": 261}, DIFFERS, ""),
    ("frame_rate", {"busiest_second": 10_000}, DIFFERS, "10,000 in the worst second"),
    ("frame_rate", {"busiest_second": 9_999}, HOLDS, ""),
    ("contract_info", {"contract_info_faults": Counter({"dt: missing": 1})}, DIFFERS, "dt: missing (1)"),
    ("contract_info", {"contract_infos": 0, "seconds": 180.0}, UNSEEN, "(it takes MINUTES=10)"),
    ("contract_info", {"contract_infos": 0}, UNSEEN, "0 contract infos: too few"),
    ("ping_interval", {"median_ping_interval": 20.0}, DIFFERS, "median 20.0 s in 2 intervals"),
    ("ping_interval", {"median_ping_interval": None, "longest_listened": 500.0}, DIFFERS, "no two pings"),
    ("ping_interval", {"median_ping_interval": None, "longest_listened": 480.0}, UNSEEN, "no two pings"),
    ("ping_interval", {"median_ping_interval": 120.0}, HOLDS, ""),
    ("ping_interval", {"median_ping_interval": 240.0}, HOLDS, ""),
    ("ping_interval", {"median_ping_interval": 119.9}, DIFFERS, ""),
    ("ping_interval", {"median_ping_interval": 240.1}, DIFFERS, ""),
    ("ping_payload", {"odd_pings": 1}, DIFFERS, "1 odd pings"),
    ("ping_payload", {"pings": 0}, UNSEEN, "0 pings"),
    ("client_ping", {"unanswered_pings": 1}, DIFFERS, "1 unanswered pings; 9 pings sent"),
    ("client_ping", {"pings_sent": 0}, UNSEEN, "0 pings sent"),
    ("acknowledged", UNACKNOWLEDGED | {"contracts_unanswered": 1}, DIFFERS, "0 of 1 message"),
    ("acknowledged", {"contracts_refused": 1}, DIFFERS, "1 of 2 messages"),
    ("acknowledged", {"contracts_slowest": 5.1}, DIFFERS, "the slowest in 5.10 s"),
    ("acknowledged", UNACKNOWLEDGED, UNSEEN, "no contract"),
    ("acknowledged", {"contracts_slowest": 5.0}, HOLDS, ""),
    ("unknown_name", {"unknown_refused": 1, "unknown_listened": 2.0}, DIFFERS, "1 refused"),
    ("unknown_name", {"unknown_frames": 12}, DIFFERS, "12 frames"),
    ("unknown_name", {"unknown_unanswered": 1}, DIFFERS, "1 unanswered"),
    ("unknown_name", {"unknown_listened": 3.0}, UNSEEN, "in 3 s"),
    ("unknown_name", {"unknown_listened": 4.0}, HOLDS, ""),
    ("longest_silence", {"longest_silence": 30.0}, DIFFERS, "30.0 s in 600 s"),
    ("longest_silence", {"longest_listened": 29.9}, UNSEEN, "4.2 s in 30 s"),
    ("longest_silence", {"longest_listened": 30.0, "longest_silence": 29.9}, HOLDS, ""),
    ("longest_silence", {"longest_listened": 29.9, "longest_silence": 30.0}, DIFFERS, ""),
    ("connections_last", {"lost": Counter({"ClosedByExchange": 1})}, DIFFERS, "ClosedByExchange (1)"),
    ("replacement", {"only_over_first": 1}, DIFFERS, "1 only over first"),
    ("replacement", {"only_over_second": 1}, DIFFERS, "1 only over second; 500 over both"),
    ("replacement", {"over_both": 19}, UNSEEN, "19 over both: too few"),
    ("replacement", {"over_both": 20}, HOLDS, ""),
    ("lag", {"median_lag_ms": 1001, "lags_ms": (900, 1001, 4000)}, DIFFERS, "median 1,001 ms"),
    ("lag", {"median_lag_ms": -3000, "lags_ms": (-3900, -3000, -2000)}, DIFFERS, "median -3,000 ms"),
    ("lag", {"median_lag_ms": None}, UNSEEN, "too few"),
    ("lag", {"median_lag_ms": 1000, "lags_ms": (0, 1000, 2000)}, HOLDS, ""),
    ("one_symbol", {"one_answer": "UnreadableAnswer"}, DIFFERS, "UnreadableAnswer"),
    ("one_symbol", {"one_answer": None, "price_failure": "NoAnswer"}, UNSEEN, "the API: NoAnswer"),
    ("all_symbols", {"all_answer": "no time"}, DIFFERS, "no time"),
    ("unknown_symbol", {"unknown_answer": "status 200, code None"}, DIFFERS, "status 200, code None"),
    ("only_usds_m", {"coin_m_rows": 30}, DIFFERS, "30 coin m rows; 850 rows"),
    ("only_usds_m", {"rows": 0}, UNSEEN, "too few"),
    ("handshake_weight", {"handshake_weight": 6}, DIFFERS, "6"),
    ("handshake_weight", {"handshake_weight": None}, UNSEEN, "not learned"),
    ("price_weight", {"price_weights": (1, 40)}, DIFFERS, "1 and 40"),
    ("price_weight", {"price_weights": None}, UNSEEN, "not learned"),
    ("weight_limit", {"weight_limit": 6000}, DIFFERS, "6,000"),
    ("book_ids", {"books_missing": 2}, DIFFERS, "2 books missing; 5 books compared"),
    ("book_ids", {"book_faults": Counter({"lastUpdateId: missing": 5})}, DIFFERS, "lastUpdateId: missing (5)"),
    ("book_ids", {"books_compared": 0}, UNSEEN, "too few"),
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
