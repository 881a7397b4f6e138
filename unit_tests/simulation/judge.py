"""What a window must keep, whatever went wrong in it. Each rule that is broken is a sentence."""

from __future__ import annotations

from source_binance_futures.binance.market_stream.failover import QUIET_END
from source_binance_futures.binance.market_stream.items import Gap
from source_binance_futures.binance.market_stream.line import BEHIND_AFTER

from .course import Course
from .schedule import BEGAN, LATENESS, SMALL_BACKLOG, TICK, Schedule
from .vouching import broken_vows
from .world import EPOCH, Connection, Push

SLACK = 0.15  # seconds: the latency of a connection, and the step of event times across symbols
HEALED = 1.0  # seconds after the standby was first proven


def judge(schedule: Schedule, course: Course, connections: list[Connection]) -> list[str]:
    """The rules that a course broke; empty if none."""
    gaps = [_on_the_true_clock(gap, schedule) for gap in course.gaps]
    silences = [_on_the_true_clock(silence, schedule) for silence in course.silences]
    return [
        *course.broken,
        *_in_order(course, gaps + silences),
        *_nothing_lost_untold(schedule, course, gaps + silences),
        *_no_gap_without_cause(schedule, course, gaps, connections),
        *_no_silence_with_updates(schedule, course, silences, connections),
        *broken_vows(course.table, schedule.pushes, may_be_late=_may_be_late(schedule)),
        *_no_handshake_without_reason(course),
        *_calm_is_gapless(schedule, course),
    ]


def _on_the_true_clock(gap: Gap, schedule: Schedule) -> tuple[float, float]:
    ahead = EPOCH + (schedule.skew if schedule.has_event_times else 0.0)
    return gap.since - ahead, gap.until - ahead


def _new_ones(course: Course) -> list[Push]:
    """What the cursor lets through."""
    newest: dict[int, int] = {}
    new = []
    for push in course.emitted:
        if push.update_id > newest.get(push.symbol, -1):
            newest[push.symbol] = push.update_id
            new.append(push)
    return new


def _in_order(course: Course, told: list[tuple[float, float]]) -> list[str]:
    """What the cursor drops was there before, or was told as missing."""
    seen = set()
    newest: dict[int, int] = {}
    for push in course.emitted:
        key = push.symbol, push.update_id
        late = push.update_id <= newest.get(push.symbol, -1) and key not in seen
        if late and not any(since - SLACK <= push.at <= until + SLACK for since, until in told):
            return [f"out of order: {push}"]
        seen.add(key)
        newest[push.symbol] = max(push.update_id, newest.get(push.symbol, -1))
    return []


def _nothing_lost_untold(schedule: Schedule, course: Course, gaps: list[tuple[float, float]]) -> list[str]:
    new = _new_ones(course)
    emitted = {(push.symbol, push.update_id) for push in new}
    begins = min([push.at for push in new] + [since for since, _ in gaps] + [course.ended_at])
    ahead = EPOCH + (schedule.skew if schedule.has_event_times else 0.0)
    accounted = BEGAN if course.accounted_until is None else course.accounted_until - ahead
    # What was pushed in the very last seconds may be under way; longer silence at the end has to be told.
    ends = max(accounted - SLACK, course.ended_at - (BEHIND_AFTER if course.ended_paused else QUIET_END) - SLACK)
    untold = [
        push
        for push in schedule.pushes
        if begins <= push.at < min(ends, course.ended_at)
        and (push.symbol, push.update_id) not in emitted
        and not any(since - SLACK <= push.at <= until + SLACK for since, until in gaps)
    ]
    if not untold:
        return []
    return [f"{len(untold)} lost and not told, pushed from {untold[0].at:.3f} to {untold[-1].at:.3f}"]


def _no_gap_without_cause(
    schedule: Schedule, course: Course, gaps: list[tuple[float, float]], connections: list[Connection]
) -> list[str]:
    """A gap has a length, holds nothing that was emitted, and lies where no proven connection was live."""
    broken = []
    doubt = 0.25 if schedule.has_event_times else 2.0
    emitted = [push.at for push in _new_ones(course)]
    for since, until in gaps:
        if until <= since:
            broken.append(f"a gap of {until - since} seconds at {since:.3f}")
        slack = SLACK + doubt
        inside = [at for at in emitted if since + slack < at < until - slack]
        # Frames that carry no time cannot tell what was read late: then all since a pause is doubted.
        if inside and (schedule.has_event_times or not any(fault.kind == "stall" for fault in schedule.faults)):
            broken.append(f"the gap from {since:.3f} to {until:.3f} holds {len(inside)} emitted updates")
        live = _live_stretches(connections, doubt, schedule)
        forgets = schedule.timing.backlog_bytes == SMALL_BACKLOG
        if not forgets and any(begin <= since - SLACK and until + SLACK <= end for begin, end in live):
            broken.append(f"nothing was missing from {since:.3f} to {until:.3f}")
    return broken


def _no_silence_with_updates(
    schedule: Schedule, course: Course, silences: list[tuple[float, float]], connections: list[Connection]
) -> list[str]:
    """In a silence nothing was emitted, and nothing was pushed over a connection with which all was well."""
    doubt = 0.25 if schedule.has_event_times else 2.0
    slack = SLACK + doubt
    heard = [push.at for push in course.emitted]
    for begin, end in _live_stretches(connections, doubt, schedule):
        heard += [push.at for push in schedule.pushes if begin < push.at < end]
    return [
        f"the silence from {since:.3f} to {until:.3f} was none"
        for since, until in silences
        if any(since + slack < at < until - slack for at in heard)
    ]


def _may_be_late(schedule: Schedule) -> bool:
    return any(fault.kind in (*LATENESS, "stall") for fault in schedule.faults)


def _live_stretches(connections: list[Connection], doubt: float, schedule: Schedule) -> list[tuple[float, float]]:
    """When connections with nothing wrong were held, from their first update on."""
    return [
        (connection.first_read.at + doubt + TICK, min(connection.left_at, schedule.ends_at))
        for connection in connections
        if connection.first_read is not None and connection.is_live()
    ]


def _no_handshake_without_reason(course: Course) -> list[str]:
    broken = []
    if len(course.dials) > course.reasons + 2:
        broken.append(f"{len(course.dials)} handshakes for {course.reasons} reasons")
    return broken


def _calm_is_gapless(schedule: Schedule, course: Course) -> list[str]:
    """With a proven standby and one fault at a time nothing is missing at all."""
    first_fault = schedule.faults[0].at if schedule.faults else course.ended_at
    if not schedule.calm or course.was_covered_at > first_fault or not course.gaps:
        return []
    return [f"a gap in spite of a proven standby: {course.gaps[0]}"]
