"""What two connections brought while both were open."""

from __future__ import annotations

from source_binance_futures.live.facts import OverlapFacts
from source_binance_futures.live.overlap import Key, compare


def pushed(begin: int, end: int) -> list[Key]:
    """One update in 100 ms, of contracts in turn."""
    return [(f"C{number % 3}", number, number * 100) for number in range(begin, end)]


def test_what_only_one_was_open_for_is_not_compared() -> None:
    first, second = pushed(0, 80), pushed(40, 120)
    assert compare(first, second) == OverlapFacts(seconds=1.9, both=20)


def test_what_one_lacks_is_found_on_either_side() -> None:
    first, second = pushed(0, 100), pushed(0, 100)
    del first[50]
    del second[60:63]
    assert compare(first, second) == OverlapFacts(seconds=7.9, both=76, only_first=3, only_second=1)


def test_late_is_not_lost_since_event_times_count() -> None:
    first = pushed(0, 100)
    assert compare(first, sorted(first, key=lambda key: key[1] % 7)).only_first == 0


def test_no_overlap_at_all() -> None:
    assert compare(pushed(0, 10), []) == OverlapFacts()
    assert compare(pushed(0, 50), pushed(60, 99)) == OverlapFacts()
