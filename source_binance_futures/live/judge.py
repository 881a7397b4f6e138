"""All beliefs, in the order in which they are told. Pure."""

from __future__ import annotations

from . import about_addresses, about_connections, about_frames, about_pace, about_prices
from .belief import Belief, Judged
from .facts import Facts

BELIEFS: tuple[Belief, ...] = (
    *about_addresses.BELIEFS,
    *about_pace.BELIEFS,
    *about_frames.BELIEFS,
    *about_connections.BELIEFS,
    *about_prices.BELIEFS,
)


def judge(facts: Facts) -> list[Judged]:
    """What becomes of each belief in the light of these facts."""
    return [Judged(belief, belief.judge(facts)) for belief in BELIEFS]
