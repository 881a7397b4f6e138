"""Each expectation: holds in a run as expected, differs where one counter contradicts it, is unseen with too little."""

from __future__ import annotations

import copy
import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

import orjson
import pytest

from source_binance_futures.live.expectations import EXPECTATIONS, document, judge, lines, page
from source_binance_futures.live.stats import Stats

HOLDS, DIFFERS, UNSEEN = "holds", "differs", "unseen"
# an expectation, what is changed in the good run, what becomes of it, and what is said to be seen
Row = tuple[str, dict[str, Any], str, str]
# fmt: off
GOOD = Stats(
    environment="testnet", started_ms=1_790_000_000_000, seconds=600.0, connections=8,
    coin_m_address_frames=10000, coin_m_address_seconds=600.0, coin_m_public_frames=1000, coin_m_public_seconds=20.0,
    usds_m_address_frames=9, usds_m_address_seconds=600.0, plain_path_frames=12, plain_path_seconds=20.0,
    wrong_path_seconds=20.0, testnet_seconds=20.0,
    contracts_asked=1, unknown_seconds=160.0, cross_seconds=160.0, sampled_connections=2,
    connections_used=2, seconds_listened=600.0, seconds_silent=4.2, over_both=500,
    frames_in_the_busiest_second=1479, frames=10000, bytes_a_frame=210, contract_infos=1,
    pings=3, ping_intervals=2, seconds_between_pings=180.0, client_pings_asked=9,
    timed_updates=9000, median_lag_ms=40,
    own_updates=9000, sample_updates=1000, steps_back_across=800, ms_back_at_most=79,
    sample_distances=300, seconds_between_samples=5.04, updates_in_real_time=8000,
    samples_compared=300, samples_found=300, ms_ahead_at_most=80,
    answers=5, rows=850, weights=1, handshake_weight=5, weight_limit=2400, books_compared=5,
)
# fmt: on


def changed(**changes: Any) -> Stats:
    """The good run with other counters."""
    return Stats(copy.deepcopy(GOOD) | changes)


# An expectation, the counters each of which contradicts it, and the least of a counter below which it is unseen.
# fmt: off
NONE_OF = [
    ("coin_m_address", "", "coin_m_address_seconds", 4.0),
    ("coin_m_public", "", "coin_m_public_seconds", 4.0),
    ("usds_m_address", "", "usds_m_address_seconds", 4.0),
    ("plain_path", "", "plain_path_seconds", 4.0),
    ("wrong_path", "wrong_path_frames wrong_path_refused", "wrong_path_seconds", 4.0),
    ("both_routes", "", "testnet_seconds", 4.0),
    ("cross_host", "cross_frames", "cross_seconds", 4.0),
    ("merged", "lone_markets", "sampled_connections", 1),
    ("sample_pace", "", "sample_distances", 5),
    ("own_pace", "silent_own_streams updates_like_samples", "updates_in_real_time", 10),
    ("samples_ahead", "", "samples_found", 5),
    ("ids_across", "", "own_updates", 100),
    ("times_across", "", "own_updates", 100),
    ("samples_found", "samples_missing samples_overdue", "samples_compared", 5),
    ("ids_rise", "own_steps_back own_repeats", "own_updates", 10),
    ("sample_ids", "sample_steps_back", "sample_updates", 10),
    ("times_rise", "event_times_back transaction_times_back", "frames", 10),
    ("field_types", "wrong_types unreadable_frames", "frames", 1),
    ("unknown_keys", "unknown_keys", "frames", 1),
    ("other_frames", "other_frames", "frames", 1),
    ("wrapper", "other_streams", "frames", 1),
    ("symbol_type", "odd_symbol_types", "frames", 1),
    ("pair", "ps_missing", "frames", 1),
    ("sound_books", "odd_books", "frames", 1),
    ("frame_size", "", "frames", 1),
    ("frame_rate", "", "frames", 1),
    ("contract_info", "contract_info_faults", "contract_infos", 1),
    ("ping_interval", "", "seconds_listened", 480.0),
    ("ping_payload", "odd_pings", "pings", 1),
    ("client_ping", "client_pings_unanswered", "client_pings_asked", 1),
    ("acknowledged", "contracts_refused contracts_unanswered", "contracts_asked", 1),
    ("unknown_name", "unknown_refused unknown_unanswered unknown_frames", "unknown_seconds", 4.0),
    ("longest_silence", "", "seconds_listened", 30.0),
    ("connections_last", "lost", "connections_used", 1),
    ("replacement", "only_over_first only_over_second", "over_both", 20),
    ("lag", "", "timed_updates", 1),
    ("one_symbol", "one_symbol_faults", "answers", 1),
    ("all_symbols", "all_symbols_faults", "answers", 2),
    ("unknown_symbol", "unknown_symbol_faults", "answers", 3),
    ("only_usds_m", "coin_m_rows", "rows", 1),
    ("handshake_weight", "", "weights", 1),
    ("price_weight", "other_price_weights", "weights", 1),
    ("weight_limit", "", "answers", 5),
    ("book_ids", "books_missing book_faults", "books_compared", 1),
]
# fmt: on
BY_KIND = {
    *("wrong_types", "unknown_keys", "other_frames", "other_streams", "lone_markets"),
    *("silent_own_streams", "contract_info_faults", "lost", "book_faults"),
    *("one_symbol_faults", "all_symbols_faults", "unknown_symbol_faults", "other_price_weights"),
}
# The least and the most of a counter with which an expectation holds, and how much more contradicts it.
BOUNDS: dict[str, tuple[str, float | None, float | None, float]] = {
    "coin_m_address": ("coin_m_address_frames", 1, None, 1),
    "coin_m_public": ("coin_m_public_frames", 1, None, 1),
    "sample_pace": ("seconds_between_samples", 4.0, 6.0, 0.01),
    "samples_ahead": ("ms_ahead_at_most", None, 1999, 1),
    "ids_across": ("steps_back_across", 1, None, 1),
    "times_across": ("ms_back_at_most", 0, 250, 1),
    "frame_size": ("bytes_a_frame", 160, 310, 1),
    "frame_rate": ("frames_in_the_busiest_second", 0, 9_999, 1),
    "ping_interval": ("seconds_between_pings", 120.0, 240.0, 0.1),
    "longest_silence": ("seconds_silent", 0, 29.9, 0.1),
    "lag": ("median_lag_ms", -1000, 1000, 1),
    "handshake_weight": ("handshake_weight", 5, 5, 1),
    "weight_limit": ("weight_limit", 2400, 2400, 1),
}


def judged() -> Iterator[Row]:
    """Make the rows that are alike of the tables above."""
    for name, counters, of, enough in NONE_OF:
        for counter in counters.split():
            if counter in BY_KIND:
                yield name, {counter: Counter("xxxxyyyzzw")}, DIFFERS, "x (4), y (3), z (2) and 1 more among"
            else:
                yield name, {counter: 2}, DIFFERS, f"2 {counter.replace('_', ' ')}"
                yield name, {counter: 1, of: enough / 2}, DIFFERS, "1 "
        yield name, {of: enough - 1}, UNSEEN, "too few"
        yield name, {of: enough, "steps_back_across": 1}, HOLDS, ""
    for name, (counter, least, most, step) in BOUNDS.items():
        words = counter.replace("_", " ")
        for bound, beyond in ((least, -step), (most, step)):
            if bound is not None:
                yield name, {counter: bound}, HOLDS, f"{bound:,} {words[:-1]}"
                yield name, {counter: bound + beyond}, DIFFERS, f"{bound + beyond:,} {words} in "


# fmt: off
JUDGED: list[Row] = [
    *judged(),
    ("usds_m_address", {"usds_m_address_frames": 0, "testnet_seconds": 0}, DIFFERS, "0 usds m address frames"),
    ("plain_path", {"plain_path_frames": 0, "testnet_seconds": 0}, DIFFERS, "0 plain path frames in 20.0 plain"),
    ("wrong_path", {"wrong_path_refused": 1, "failures": {"wrong_path_seconds": "NoAnswer"}}, DIFFERS, ": NoAnswer"),
    ("both_routes", {"plain_path_frames": 0, "plain_path_seconds": 0}, DIFFERS, "9 usds m address frames, 0 plain"),
    ("pair", {"frames": 0, "seconds": 179.0}, UNSEEN, "too few"),
    ("contract_info", {"contract_infos": 0, "seconds": 599.0}, UNSEEN, ": it takes MINUTES=10"),
    ("one_symbol", {"answers": 0, "failures": {"answers": "HTTP status 451"}}, UNSEEN, "0 answers: HTTP status 451"),
]
# fmt: on


def verdicts(stats: Stats) -> dict[str, str]:
    return {each.name: each.verdict for each in judge(stats)}


def seen(stats: Stats, name: str) -> str:
    return next(each.seen for each in judge(stats) if each.name == name)


def test_all_hold_where_binance_is_as_expected_and_none_can_be_seen_where_nothing_was_counted() -> None:
    assert {name: verdict for name, verdict in verdicts(GOOD).items() if verdict is not HOLDS} == {}
    assert {name: verdict for name, verdict in verdicts(Stats()).items() if verdict is not UNSEEN} == {}


@pytest.mark.parametrize(("name", "changes", "verdict", "says"), JUDGED)
def test_each_is_judged_by_counters_of_its_own(name: str, changes: dict[str, Any], verdict: str, says: str) -> None:
    stats = changed(**changes)
    assert verdicts(stats)[name] is verdict, seen(stats, name)
    assert says in seen(stats, name)
    assert ("MINUTES" in seen(stats, name)) is ("MINUTES" in says)
    assert {each for each, found in verdicts(stats).items() if found is DIFFERS} == (
        {name} if verdict is DIFFERS else set()
    )


def test_every_expectation_is_contradicted_here() -> None:
    names = [each.name for each in EXPECTATIONS]
    assert {name for name, _, verdict, _ in JUDGED if verdict is DIFFERS} == set(names)
    assert len(names) == len(set(names)) == 44


def test_a_difference_matters_where_a_promise_depends_on_it() -> None:
    found = {each.name for _, changes, _, _ in JUDGED for each in judge(changed(**changes)) if each.matters}
    assert found == {each.name for each in EXPECTATIONS if each.promise is not None}
    assert {"own_pace", "ids_rise", "replacement", "field_types"} <= found
    assert not {"cross_host", "ping_interval", "unknown_keys"} & found
    assert len(found) == 25
    assert not any(each.matters for each in judge(GOOD))


# --- the lines, the page and the file ---

ODD = changed(wrong_types=Counter({"b\n```\n: number": 4}), unknown_keys=Counter({"x" * 60: 1, "y" * 60: 1}))


def test_the_lines_fit_80_columns_and_mark_what_matters() -> None:
    for stats in (GOOD, Stats(), ODD):
        text = lines(judge(stats)).split("\n")
        assert max(map(len, text)) <= 80
        assert sum(line[2:9].split() in ([HOLDS], [DIFFERS], [UNSEEN]) for line in text) == len(EXPECTATIONS)
    marked = [line for line in lines(judge(ODD)).split("\n") if line.startswith("!")]
    assert marked[0].startswith("! differs e s b B a A are strings")
    assert marked[1:] == ["! field_types: Records hold what was sent, and fit the schema."]
    assert "\n!" not in lines(judge(GOOD))


def test_the_last_lines_count_and_name_the_promises() -> None:
    count = len(EXPECTATIONS)
    assert lines(judge(GOOD)).endswith(f"\n\nOf {count} expectations {count} hold, 0 differ, and 0 could not be seen.")
    says = lines(judge(ODD))
    assert f"\nOf {count} expectations {count - 2} hold, 2 differ, and 0 could not be seen.\nA promise of " in says
    assert f" {count} could not be seen." in lines(judge(Stats()))


def test_the_page_shows_the_lines_whatever_the_exchange_sends() -> None:
    text = page(changed(stopped_early=True, wrong_types=ODD["wrong_types"]), judge(ODD), "0.1.0")
    assert f"```text\n{lines(judge(ODD))}\n```\n" in text
    assert sum(line.lstrip()[:3] == "```" and len(line) - len(line.lstrip()) < 4 for line in text.split("\n")) == 2
    assert "Environment `testnet`, 2026-09-21" in text
    assert "stopped early, 8 connections" in text
    assert "https://developers.binance.com/en/docs/" in text


def test_the_file_holds_verdicts_and_counters() -> None:
    found = json.loads(orjson.dumps(document(ODD, judge(ODD), "0.1.0"), option=orjson.OPT_NON_STR_KEYS))
    by_name = {each["name"]: each for each in found["expectations"]}
    assert by_name.keys() == {each.name for each in EXPECTATIONS}
    assert by_name["field_types"] == {
        "name": "field_types",
        "expectation": "e s b B a A are strings, prices and quantities decimals; u T E integers",
        "seen": "b\n```\n: number (4) among wrong types, 0 unreadable frames in 10,000 frames",
        "verdict": "differs",
        "matters": True,
        "promise": "Records hold what was sent, and fit the schema.",
        "minutes": 3,
    }
    assert by_name["unknown_keys"]["matters"] is False
    assert found["connector"] == "0.1.0"
    long = {name for name, each in by_name.items() if each["minutes"] == 10}
    assert long == {"contract_info", "ping_interval", "ping_payload"}
    assert found["stats"]["frames"] == 10000
