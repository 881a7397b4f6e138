"""Beliefs: how often the streams bring a contract, and how samples and own streams fit together. Pure."""

from __future__ import annotations

from ..binance.market_stream.exchange_clock import UNCERTAINTY_BY_EVENT_TIME
from .belief import Belief, Finding, Verdict, counted, holds_if, unseen
from .facts import Facts, PaceFacts
from .sampling import LATE_AFTER

SAMPLED = (4.0, 6.0)  # seconds between two samples of a contract; 5.04 were measured
ENOUGH_DISTANCES = 5
REAL_TIME = 1.0  # seconds between two updates of the fastest contract, at most
ENOUGH_UPDATES = 10
ENOUGH_COMPARED = 5
ENOUGH_NEIGHBOURS = 100
AS_MANY = 1.2  # own updates for each change that samples show: then the own stream is no more than they are


def _paces(facts: Facts) -> list[PaceFacts]:
    return [line.pace for line in facts.lines]


def sample_pace(facts: Facts) -> Finding:
    pace = max(_paces(facts), key=lambda each: each.distances, default=PaceFacts())
    if pace.distances < ENOUGH_DISTANCES:
        return unseen(f"{counted(pace.distances, 'distance')} between samples of a contract: too few")
    low, high = SAMPLED
    seen = f"median of {counted(pace.distances, 'distance')} {pace.median_distance:.2f} s"
    return holds_if(low <= pace.median_distance <= high, seen)


def own_pace(facts: Facts) -> Finding:
    paces = _paces(facts)
    silent = sorted({symbol for pace in paces for symbol in pace.silent_own})
    if silent:
        named = ", ".join(silent[:3]) + (f" and {len(silent) - 3} more" if len(silent) > 3 else "")
        return Finding(Verdict.DIFFERS, f"samples changed and the own stream brought nothing: {named}")
    own, changes = sum(pace.own_frames for pace in paces), sum(pace.changes_sampled for pace in paces)
    fastest = min((pace.own_fastest for pace in paces if pace.own_fastest is not None), default=None)
    if fastest is None or own < ENOUGH_UPDATES:
        return unseen(f"{counted(own, 'own update')}: too few")
    middle = max(paces, key=lambda pace: pace.own_distances).own_median_distance
    seen = (
        f"{counted(own, 'own update')}, {counted(changes, 'change')} shown by samples; median distance {middle:.2f} s, "
        f"of the fastest contract {fastest:.2f} s"
    )
    if fastest <= REAL_TIME:
        return Finding(Verdict.HOLDS, seen)
    if changes >= ENOUGH_UPDATES and own <= AS_MANY * changes and fastest >= SAMPLED[0]:
        return Finding(Verdict.DIFFERS, seen)
    return unseen(f"the market is too quiet: {seen}")


def samples_found(facts: Facts) -> Finding:
    compared = sum(line.samples.compared for line in facts.lines)
    missing = sum(line.samples.missing for line in facts.lines)
    overdue = sum(line.samples.overdue for line in facts.lines)
    if compared < ENOUGH_COMPARED:
        return unseen(f"{counted(compared, 'sample')} to compare: too few")
    seen = f"{compared - missing - overdue:,} of {counted(compared, 'sample')} found again"
    return holds_if(not (missing or overdue), seen + (f", {overdue:,} overdue" if overdue else ""))


def samples_ahead(facts: Facts) -> Finding:
    compared = [line.samples for line in facts.lines if line.samples.compared]
    if sum(each.compared for each in compared) < ENOUGH_COMPARED:
        return unseen("too few samples to compare")
    furthest = max(each.ahead_ms for each in compared)
    middle = max(compared, key=lambda each: each.compared).ahead_median_ms
    return holds_if(furthest < LATE_AFTER * 1000, f"at most {furthest:,.0f} ms ahead, median {middle:,.0f} ms")


def ids_rise(facts: Facts) -> Finding:
    frames = sum(line.own.frames for line in facts.lines)
    if frames < ENOUGH_UPDATES:
        return unseen(f"{counted(frames, 'own update')}: too few")
    back = sum(line.own.steps_back for line in facts.lines)
    repeats = sum(line.own.repeats for line in facts.lines)
    seen = f"{counted(back, 'step')} back and {counted(repeats, 'repeat')} in {counted(frames, 'own update')}"
    return holds_if(not (back or repeats), seen)


def sample_ids(facts: Facts) -> Finding:
    frames = sum(line.all_market.frames for line in facts.lines)
    if frames < ENOUGH_UPDATES:
        return unseen(f"{counted(frames, 'frame')} of the all-market stream: too few")
    back = sum(line.all_market.steps_back for line in facts.lines)
    return holds_if(not back, f"{counted(back, 'step')} back in {counted(frames, 'frame')}")


def times_rise(facts: Facts) -> Finding:
    orders = [order for line in facts.lines for order in (line.own, line.all_market)]
    frames = sum(order.frames for order in orders)
    if frames < ENOUGH_UPDATES:
        return unseen(f"{counted(frames, 'frame')}: too few")
    event = sum(order.event_times_back for order in orders)
    transaction = sum(order.transaction_times_back for order in orders)
    seen = f"E {counted(event, 'time')} back, T {counted(transaction, 'time')}, in {counted(frames, 'frame')}"
    return holds_if(not (event or transaction), seen)


def ids_across(facts: Facts) -> Finding:
    neighbours = sum(line.own.neighbours for line in facts.lines)
    if neighbours < ENOUGH_NEIGHBOURS:
        return unseen(f"{counted(neighbours, 'pair')} of neighbours: too few")
    back = sum(line.own.neighbours_back for line in facts.lines)
    return holds_if(back > 0, f"{back / neighbours:.1%} of {counted(neighbours, 'pair')} of neighbours decrease")


def times_across(facts: Facts) -> Finding:
    lines = [line.own for line in facts.lines if line.own.neighbours >= ENOUGH_NEIGHBOURS]
    if not lines:
        return unseen("too few updates of different contracts")
    farthest = max(order.farthest_back_ms for order in lines)
    return holds_if(farthest <= UNCERTAINTY_BY_EVENT_TIME * 1000, f"E goes back by up to {farthest:,} ms")


BELIEFS = (
    Belief(
        "sample_pace",
        "The all-market stream is a sample of each contract about every 5 seconds",
        "2.3",
        sample_pace,
        "`sampled` means about one row in 5 seconds of each contract.",
    ),
    Belief(
        "own_pace",
        "A contract's own stream brings every change, in real time",
        "2.3",
        own_pace,
        "Every change is captured.",
    ),
    Belief(
        "samples_found",
        "Every sample's u is one that the own stream brings too",
        "2.3",
        samples_found,
        "Own streams are complete, and a dead one is found by its samples.",
    ),
    Belief(
        "samples_ahead",
        f"A sample runs ahead of its own stream by less than {LATE_AFTER:.0f} seconds",
        "2.3",
        samples_ahead,
        "An own stream that is only late is not taken for dead.",
    ),
    Belief(
        "ids_rise",
        "u rises strictly within a contract's own stream; no frame comes twice",
        "2.4",
        ids_rise,
        "An update leaves once, and none is taken for an old one.",
    ),
    Belief(
        "sample_ids",
        "u never goes back within a contract's samples",
        "2.4",
        sample_ids,
        "An update leaves once, and none is taken for an old one.",
    ),
    Belief(
        "times_rise",
        "E and T never go back within a contract",
        "2.4",
        times_rise,
        "Two connections are compared by E, so that replacing one loses nothing.",
    ),
    Belief("ids_across", "u goes back across contracts, even on one connection", "2.4", ids_across),
    Belief(
        "times_across",
        f"E goes back across contracts by {UNCERTAINTY_BY_EVENT_TIME * 1000:.0f} ms at most",
        "2.4",
        times_across,
        "Two connections are compared by E, so that replacing one loses nothing.",
    ),
)
