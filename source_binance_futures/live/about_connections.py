"""Beliefs: how connections live, answer and end. Pure."""

from __future__ import annotations

from statistics import median

from ..binance.market_stream.line import BEHIND_AFTER, Timing
from ..binance.market_stream.subscriptions import ANSWER_WITHIN
from .belief import Belief, Finding, counted, holds_if, unseen
from .facts import Facts, SubscriptionFacts

PING_INTERVAL = (120.0, 240.0)  # seconds; "about every 3 minutes"
PING_CLOCK_MS = 5000.0  # by which a ping's timestamp may differ from our clock
SILENT_FROM = 4.0  # seconds of listening after which a name that brought nothing is called silent
ENOUGH_OVERLAP = 20  # updates
PATIENCE = Timing().patience


def _asked(facts: Facts, *kinds: str) -> list[SubscriptionFacts]:
    """Messages that were answered, or whose time to be answered was over."""
    return [
        each
        for line in facts.lines
        for each in line.subscriptions
        if each.kind in kinds and (each.answered_after is not None or each.listened >= ANSWER_WITHIN)
    ]


def ping_interval(facts: Facts) -> Finding:
    distances = [distance for line in facts.lines for distance in line.pings.distances]
    longest = max((line.seconds for line in facts.lines), default=0.0)
    low, high = PING_INTERVAL
    if distances:
        middle = median(distances)
        seen = f"median {middle:,.1f} s in {counted(len(distances), 'interval')}"
        return holds_if(low <= middle <= high, seen)
    if longest > 2 * high:
        return holds_if(False, f"no two pings in {longest:,.0f} s")
    return unseen(f"no two pings over one connection, the longest open for {longest:,.0f} s")


def ping_payload(facts: Facts) -> Finding:
    pings, odd = sum(line.pings.count for line in facts.lines), sum(line.pings.odd for line in facts.lines)
    if not pings:
        return unseen("no ping came")
    offsets = [offset for line in facts.lines for offset in line.pings.offsets_ms]
    farthest = max(map(abs, offsets), default=0.0)
    seen = f"{odd:,} of {counted(pings, 'ping')} with something else; at most {farthest:,.0f} ms from our clock"
    return holds_if(not odd and farthest <= PING_CLOCK_MS, seen)


def client_ping(facts: Facts) -> Finding:
    asked, answered = sum(line.pings.asked for line in facts.lines), sum(line.pings.answered for line in facts.lines)
    if not asked:
        return unseen("no ping of ours was due")
    slowest = max(line.pings.slowest_pong for line in facts.lines)
    return holds_if(asked == answered, f"{answered:,} of {asked:,} answered, the slowest in {slowest:.2f} s")


def acknowledged(facts: Facts) -> Finding:
    asked = _asked(facts, "contracts", "mixed")
    if not asked:
        return unseen("no contract had to be subscribed by a message")
    good = [each for each in asked if each.answered_after is not None and not each.error]
    slowest = max((each.answered_after or 0.0 for each in good), default=0.0)
    seen = f"{len(good)} of {counted(len(asked), 'message')} acknowledged"
    seen += f", the slowest in {slowest:.2f} s" if good else ""
    return holds_if(len(good) == len(asked) and slowest <= ANSWER_WITHIN, seen)


def unknown_name(facts: Facts) -> Finding:
    asked = _asked(facts, "unknown", "uppercase")
    if not asked:
        return unseen("not asked")
    frames = sum(each.frames for each in asked)
    listened = min(each.listened for each in asked)
    refused = sum(each.error for each in asked)
    unanswered = sum(each.answered_after is None for each in asked)
    if not (frames or refused or unanswered) and listened < SILENT_FROM:
        return unseen(f"listened for {listened:.0f} s only")
    seen = f"{refused} refused, {unanswered} unanswered, {counted(frames, 'frame')} in {listened:.0f} s"
    return holds_if(not (frames or refused or unanswered), seen)


def longest_silence(facts: Facts) -> Finding:
    lines = [line for line in facts.lines if line.frames]
    if not lines:
        return unseen("no connection brought data")
    longest, listened = max(line.longest_silence for line in lines), max(line.seconds for line in lines)
    if longest < PATIENCE and listened < PATIENCE:
        return unseen(f"listened for {listened:.0f} s only, the longest silence {longest:.1f} s")
    return holds_if(longest < PATIENCE, f"{longest:.1f} s in {listened:,.0f} s")


def connections_last(facts: Facts) -> Finding:
    lines = [line for line in facts.lines if line.frames or line.lost]
    if not lines:
        return unseen("no connection brought data")
    lost = [line.lost for line in lines if line.lost]
    seen = f"{len(lost)} of {len(lines)} lost" + (f" ({', '.join(sorted(set(lost)))})" if lost else "")
    return holds_if(not lost, seen)


def replacement(facts: Facts) -> Finding:
    overlap = facts.overlap
    if overlap is None:
        return unseen("the planned reconnect did not come about")
    if overlap.both + overlap.only_first + overlap.only_second < ENOUGH_OVERLAP:
        return unseen(f"{counted(overlap.both, 'update')} in the overlap: too few")
    seen = (
        f"{overlap.seconds:.0f} s: {counted(overlap.both, 'update')} over both, {overlap.only_first:,} over the first "
        f"only, {overlap.only_second:,} over the second only"
    )
    return holds_if(not (overlap.only_first or overlap.only_second), seen)


def lag(facts: Facts) -> Finding:
    lines = [line for line in facts.lines if line.lags_ms]
    if not lines:
        return unseen("no own update came")
    worst = max(lines, key=lambda line: abs(line.lags_ms[1]))
    least, middle, late = worst.lags_ms
    seen = f"receipt minus E: least {least:,.0f} ms, median {middle:,.0f} ms, 99 % below {late:,.0f} ms"
    return holds_if(abs(middle) <= BEHIND_AFTER * 1000, seen)


BELIEFS = (
    Belief("ping_interval", "The server pings about every 3 minutes", "1", ping_interval),
    Belief("ping_payload", "A ping carries the time in milliseconds", "1", ping_payload),
    Belief(
        "client_ping",
        "A ping of ours is answered within 10 seconds",
        "1",
        client_ping,
        "A quiet connection is told from a dead one by it.",
    ),
    Belief(
        "acknowledged",
        f"SUBSCRIBE is acknowledged within {ANSWER_WITHIN:.0f} seconds",
        "1",
        acknowledged,
        "Contracts that appear later are followed over the open connection.",
    ),
    Belief("unknown_name", "An unknown or uppercase name is acknowledged and stays silent", "1", unknown_name),
    Belief(
        "longest_silence",
        f"A connection is never silent for {PATIENCE:.0f} seconds",
        "2.3, 4",
        longest_silence,
        "No connection is replaced, and no row loses its coverage, for want of news.",
    ),
    Belief("connections_last", "A connection lasts until it is left", "1", connections_last),
    Belief(
        "replacement",
        "Two connections with the same streams bring the same",
        "5, 6",
        replacement,
        "A planned reconnect loses nothing, and a standby fills a gap.",
    ),
    Belief(
        "lag",
        f"Updates arrive within {BEHIND_AFTER:.0f} second of E, and the clocks agree as well",
        "2.1",
        lag,
        "received_at_us may stand beside event_time, and a connection that is on time counts as such.",
    ),
)
