"""The table, the page and the file."""

from __future__ import annotations

import json
from dataclasses import replace

import orjson

from source_binance_futures.live.judge import BELIEFS, judge
from source_binance_futures.live.report import document, markdown, summary, table

from .runs import GOOD, NOTHING, with_part

ODD = with_part("content", wrong_types={"b|B\n: number": 4}, unknown_keys={"x" * 60: 1, "y" * 60: 1})


def test_the_table_fits_100_columns_and_marks_what_matters() -> None:
    for facts in (GOOD, NOTHING, ODD):
        lines = table(judge(facts)).split("\n")
        assert max(map(len, lines)) <= 100
        assert len(lines) > len(BELIEFS)
    marked = [line for line in table(judge(ODD)).split("\n") if line.startswith("!")]
    assert len(marked) == 1
    assert marked[0].endswith("differs")
    assert not [line for line in table(judge(GOOD)).split("\n") if line.startswith("!")]


def test_the_summary_counts_and_names_the_promises() -> None:
    assert summary(judge(GOOD)) == f"Of {len(BELIEFS)} beliefs {len(BELIEFS)} hold, 0 differ, and 0 could not be seen."
    told = summary(judge(ODD))
    assert told.startswith(f"Of {len(BELIEFS)} beliefs {len(BELIEFS) - 2} hold, 2 differ, and 0 could not be seen.")
    assert told.endswith("! field_types: Records hold what was sent, and fit the schema.")


def test_the_page_is_one_table_whatever_the_exchange_sends() -> None:
    page = markdown(replace(ODD, stopped_early=True), judge(ODD), "0.1.0")
    rows = [line for line in page.split("\n") if line.startswith("|")]
    assert len(rows) == len(BELIEFS) + 2
    assert {row.replace("\\|", "").count("|") for row in rows} == {6}
    assert "Environment `production`, 2026-09-21" in page
    assert "stopped early, 7 connections" in page
    assert page.count("**!**") == 1
    assert page.count("**differs**") == 2


def test_the_file_holds_verdicts_and_facts() -> None:
    found = json.loads(orjson.dumps(document(ODD, judge(ODD), "0.1.0")))
    by_name = {each["name"]: each for each in found["beliefs"]}
    assert by_name.keys() == {belief.name for belief in BELIEFS}
    assert by_name["field_types"]["verdict"] == "differs"
    assert by_name["field_types"]["matters"] is True
    assert by_name["unknown_keys"]["matters"] is False
    assert by_name["ids_rise"]["stands"] == "binance-facts 2.4"
    assert found["facts"]["lines"][0]["content"]["frames"] == 10000
