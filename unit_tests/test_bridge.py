"""The schedules of docs/operating.md: its table is what the simulated years give."""

from __future__ import annotations

from pathlib import Path

from scripts import bridge

OPERATING = Path(__file__).resolve().parent.parent / "docs" / "operating.md"


def test_the_table_is_what_the_simulation_gives() -> None:
    assert bridge.table() in OPERATING.read_text(encoding="utf-8")


def test_a_bridge_loses_a_twentieth_of_what_one_source_alone_loses() -> None:
    """And two whole sources lose nothing but where both are struck."""
    alone, bridged, both = (bridge.RECIPES[number] for number in (4, 6, 5))
    assert (alone.second, bridged[1:3], both.second) == (None, (86100, 1800), 85800)
    for seed in range(5):
        assert bridge.lost(both, seed) == (0, 0)
        assert bridge.lost(bridged, seed)[0] < bridge.lost(alone, seed)[0] / 20


def test_what_nobody_listens_to_is_counted() -> None:
    """Windows of half a period leave the other half, less nothing and more by as much as starts differ."""
    seconds, holes = bridge.lost(bridge.Recipe(bridge.DAY, bridge.DAY // 2), 0)
    assert holes == 363
    assert abs(seconds / holes - bridge.DAY / 2) < bridge.SLOWEST
