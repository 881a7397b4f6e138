"""Whether two connections that were open side by side brought the same. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from .facts import OverlapFacts

Key = tuple[str, int, int]  # symbol, update id, event time (ms)
MARGIN_MS = 1000  # at both ends; event times of different contracts go back by less [binance-facts 2.4]
MOST_KEYS = 300_000  # of one connection


def compare(first: Sequence[Key], second: Sequence[Key]) -> OverlapFacts:
    """What both brought of what was pushed while both were open, by the event times of the frames themselves.

    >>> pushed = [("BTCUSD_PERP", number, number * 100) for number in range(50)]
    >>> compare(pushed, pushed[5:])
    OverlapFacts(seconds=2.4, both=25, only_first=0, only_second=0)
    """
    if not first or not second:
        return OverlapFacts()
    begin = max(min(key[2] for key in first), min(key[2] for key in second)) + MARGIN_MS
    end = min(max(key[2] for key in first), max(key[2] for key in second)) - MARGIN_MS
    brought = {key[:2] for key in first if begin <= key[2] <= end}
    beside = {key[:2] for key in second if begin <= key[2] <= end}
    return OverlapFacts(max(end - begin, 0) / 1000, len(brought & beside), len(brought - beside), len(beside - brought))
