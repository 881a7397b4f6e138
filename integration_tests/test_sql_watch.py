"""docs/sql/watch.sql in both databases: what is old, and what is missing of the last 24 hours."""

from __future__ import annotations

import time
from typing import Any

from .warehouse.examples import Tables, book_ticker

HOUR = 3600.0


def captured(symbol: str, since_ago: float, until_ago: float, now: float) -> dict[str, Any]:
    """The newest row of a stretch that began and ended so many seconds ago."""
    until = round((now - until_ago) * 1e6)
    return book_ticker(
        symbol,
        until,
        0,
        "10",
        "12",
        received_at_us=until,
        covered_since_us=round((now - since_ago) * 1e6),
    )


def test_what_is_old_and_what_is_missing(tables: Tables) -> None:
    now = time.time()
    tables.insert(
        captured("FINE", 30 * HOUR, 10, now),
        captured("HOLES", 10 * HOUR, 9 * HOUR, now),
        captured("HOLES", 9 * HOUR - 40, 5 * HOUR, now),
        captured("HOLES", 5 * HOUR - 2.5, 20, now),
        captured("OLD", 3 * HOUR, 2 * HOUR, now),
        captured("HOLE OF YESTERDAY", 60 * HOUR, 50 * HOUR, now),
        captured("HOLE OF YESTERDAY", 49 * HOUR, 0, now),
        captured("BACK AFTER DAYS", 90 * HOUR, 80 * HOUR, now),
        captured("BACK AFTER DAYS", HOUR, 0, now),
        captured("DELISTED", 60 * HOUR, 50 * HOUR, now),
        {**captured("SAMPLED", HOUR, 0, now), "covered_since_us": None},
    )
    tables.create_views()

    rows = tables.run("watch")

    passed = time.time() - now
    ages = {"FINE": 10.0, "HOLES": 20.0, "OLD": 2 * HOUR, "HOLE OF YESTERDAY": 0.0, "BACK AFTER DAYS": 0.0}
    assert [(symbol, holes, float(longest), float(missing)) for symbol, _, holes, longest, missing in rows] == [
        ("BACK AFTER DAYS", 1, 79 * HOUR, 79 * HOUR),
        ("HOLES", 2, 40.0, 42.5),
        ("OLD", 0, 0.0, 0.0),
        ("FINE", 0, 0.0, 0.0),
        ("HOLE OF YESTERDAY", 0, 0.0, 0.0),
    ]
    for symbol, old, *_ in rows:
        assert ages[symbol] - 0.2 <= float(old) <= ages[symbol] + passed + 0.2
