"""The lines, the page and the file."""

from __future__ import annotations

import json
from collections import Counter

import orjson

from source_binance_futures.live.expectations import EXPECTATIONS, judge
from source_binance_futures.live.report import document, markdown, summary, table
from source_binance_futures.live.stats import Stats

from .test_expectations import GOOD, changed

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
