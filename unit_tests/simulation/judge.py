"""What a chain of syncs must keep, whatever goes wrong in it. Each rule that is broken is a sentence.

Judged is what users get, rows, STATEs and log lines, against what the exchange pushed. Time is virtual, so nothing is
tolerated because a machine is slow; what is left of slack is part of the model, and each has its reason beside it.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime, timezone
from typing import NamedTuple

import orjson
from airbyte_cdk.utils.traced_exception import AirbyteTracedException

from source_binance_futures.binance.market_stream.failover import QUIET_END
from source_binance_futures.binance.market_stream.line import BEHIND_AFTER

from ..virtual_time import BEGAN
from .exchange import LONGEST_LATENCY, Pushed, SimulatedExchange
from .schedule import LATENESS, OF_CLOCKS, OF_STREAMS, OF_SUBSCRIPTIONS, SMALL_BACKLOG, Schedule
from .sync import Sync

ACROSS_SYMBOLS = 0.1  # seconds by which event times of neighbours differ (the engine's: up to 40 ms), and a latency
UNCERTAIN = 0.25  # seconds, as the product says of event times
STATE_WITHIN = 15.0  # seconds while rows are written
ENDS_WITHIN = 1.0  # seconds after the window, or a stop
OF_ONE_CONTRACT = re.compile(r"Cause: (\w+) only: ")
REPORTED = re.compile(r"(Gap of|Nothing came for) .*? from (.+?) UTC to (.+?) UTC")


class Gap(NamedTuple):
    """What a log line reports as missing, in epoch seconds of the exchange's clock."""

    since: float
    until: float
    is_silence: bool
    text: str


def judge(schedule: Schedule, exchange: SimulatedExchange, syncs: list[Sync]) -> list[str]:
    """The rules that a chain broke; empty if none."""
    broken = [*_each_once_and_in_order(syncs), *_covered_lacks_nothing(schedule, exchange, syncs)]
    for sync in syncs:
        gaps = list(gaps_of(sync))
        broken += [
            *_unexpected_failure(schedule, sync),
            *_nothing_lost_unreported(schedule, exchange, sync, gaps),
            *_no_gap_without_cause(schedule, sync, gaps),
            *_calm_has_no_gap(schedule, gaps),
            *_covered_where_nothing_is_wrong(schedule, sync),
            *_state_in_time(sync),
            *_end_in_time(sync),
            *_everything_left(sync),
        ]
    return broken


def gaps_of(sync: Sync) -> Iterator[Gap]:
    """Gaps and silences, as the log tells them."""
    for _, _, line in sync.log:
        found = REPORTED.search(line)
        if found:
            since, until = (
                datetime.fromisoformat(text).replace(tzinfo=timezone.utc).timestamp() for text in found.groups()[1:]
            )
            yield Gap(since, until, found[1] != "Gap of", line)


def _event_time(push: Pushed) -> float:
    return float(orjson.loads(push.update.payload)["E"]) / 1000


def _unexpected_failure(schedule: Schedule, sync: Sync) -> Iterator[str]:
    if sync.failure is not None and not (schedule.faults and isinstance(sync.failure, AirbyteTracedException)):
        yield f"the sync failed: {sync.failure!r}"


def _each_once_and_in_order(syncs: list[Sync]) -> Iterator[str]:
    newest: dict[str, int] = {}
    for sync in syncs:
        for row in sync.rows:
            if row["u"] <= newest.get(row["symbol"], -1):
                yield f"{row['symbol']} {row['u']} comes after {newest[row['symbol']]}"
                return
            newest[row["symbol"]] = row["u"]


def _covered_lacks_nothing(schedule: Schedule, exchange: SimulatedExchange, syncs: list[Sync]) -> Iterator[str]:
    """Inside an interval that rows call covered no update is missing, and no two intervals touch."""
    held = {(row["symbol"], row["u"]) for sync in syncs for row in sync.rows}
    missing = defaultdict(list)
    for push in exchange.pushed:
        if (push.update.symbol, push.update.update_id) not in held:
            missing[push.update.symbol].append(push.at + schedule.own_lag)
    # What was under way over a connection that is less than a second late, or read so late, is not missing yet.
    under_way = LONGEST_LATENCY + (BEHIND_AFTER if schedule.has(*LATENESS, "stall") else 0.0)
    ended: dict[str, int] = {}
    for sync in syncs:
        intervals: dict[tuple[str, int], int] = {}
        for row in sync.rows:
            since, received = row["covered_since_us"], row["received_at_us"]
            if since is None:
                continue
            if since > received:
                yield f"{row['symbol']} {row['u']} is covered since {since}, after it was received at {received}"
                return
            key = row["symbol"], since
            intervals[key] = max(received, intervals.get(key, 0))
        for (symbol, since), until in sorted(intervals.items(), key=lambda interval: interval[0][1]):
            if since <= ended.get(symbol, 0):
                yield f"{symbol}: two covered intervals touch, at {since} and {ended[symbol]}"
            ended[symbol] = max(until, ended.get(symbol, 0))
            begin, end = since / 1e6 - sync.clock.epoch_offset, until / 1e6 - sync.clock.epoch_offset
            lacks = [at for at in missing[symbol] if begin < at + 0.005 and at + under_way <= end]
            if lacks:
                what = f"{len(lacks)} updates between {begin:.3f} and {end:.3f}, the first at {lacks[0]:.3f}"
                yield f"{symbol} lacks {what}"


def _nothing_lost_unreported(
    schedule: Schedule, exchange: SimulatedExchange, sync: Sync, gaps: list[Gap]
) -> Iterator[str]:
    """From a contract's first row of its own stream on, each update is in the rows or inside a reported gap."""
    if schedule.options.get("book_ticker_pace") == "sampled" or schedule.has(*OF_STREAMS, *OF_SUBSCRIPTIONS):
        return
    if schedule.has("exchange's clock"):  # what is reported by a clock that was set cannot be compared with it
        return
    times = {(push.update.symbol, push.update.update_id): push.at for push in exchange.pushed}
    held = {(row["symbol"], row["u"]) for row in sync.rows}
    first: dict[str, float] = {}
    last: dict[int, float] = {}
    late: dict[str, list[tuple[float, float]]] = defaultdict(list)  # contracts: when updates came late, and how late
    for row in sync.rows:
        at = times.get((row["symbol"], row["u"]))
        if at is not None:
            received = row["received_at_us"] / 1e6 - sync.clock.epoch_offset
            if received - at > BEHIND_AFTER + schedule.own_lag:
                late[row["symbol"]].append((received, received - at))
            if row["covered_since_us"] is not None:  # a sample may come before the contract's own stream is followed
                first.setdefault(row["symbol"], at)
            market = row["symbol_type"]
            last[market] = max(at, last.get(market, 0.0))
    stopped = schedule.has("stop")
    until = min(sync.ended, sync.window_ends)  # a slow consumer ends later, and what comes then is of no window
    for push in exchange.pushed:
        symbol, update_id = push.update.symbol, push.update.update_id
        if symbol not in first or (symbol, update_id) in held or push.at < first[symbol]:
            continue
        silent_end = 0.0 if stopped else until - QUIET_END - ACROSS_SYMBOLS - BEHIND_AFTER - schedule.own_lag
        under_way = BEHIND_AFTER if schedule.has(*LATENESS) else 0.0  # over a connection that does not count as late
        if push.at >= min(max(last[push.update.market] - ACROSS_SYMBOLS - under_way, silent_end), until):
            continue
        if _was_under_way_at_the_end(schedule, push, until, late[symbol]):
            continue
        event_time = _event_time(push)
        if not any(gap.since - ACROSS_SYMBOLS <= event_time <= gap.until + ACROSS_SYMBOLS for gap in gaps):
            yield f"{symbol} {update_id}, pushed at {push.at:.3f} ({event_time:.3f}), is lost and not reported"
            return


def _was_under_way_at_the_end(
    schedule: Schedule, push: Pushed, until: float, came_late: list[tuple[float, float]]
) -> bool:
    """Before the first update that is so late has come nobody can know that others of the contract are under way."""
    sent = push.at + schedule.own_lag
    for fault in schedule.faults:
        began = BEGAN + fault.at
        is_under_way = began <= sent and sent + fault.seconds >= until - UNCERTAIN
        has_come = any(at >= began and seconds > 0.9 * fault.seconds for at, seconds in came_late)
        if fault.kind == "late contracts" and is_under_way and not has_come:
            return True
    return False


def _no_gap_without_cause(schedule: Schedule, sync: Sync, gaps: list[Gap]) -> Iterator[str]:
    """A gap has a length, holds nothing that was received in time, and has a cause."""
    is_quiet = schedule.is_undisturbed
    if schedule.has("exchange's clock", *OF_STREAMS, *OF_SUBSCRIPTIONS):
        return
    covered = [row for row in sync.rows if row["covered_since_us"] is not None]
    for gap in gaps:
        of_one = OF_ONE_CONTRACT.search(gap.text)
        events = [row["event_time"] / 1000 for row in covered if of_one is None or row["symbol"] == of_one[1]]
        if gap.until <= gap.since:
            yield f"a gap without a length: {gap.text}"
        if is_quiet and not gap.is_silence:
            yield f"a gap without a cause: {gap.text}"
        slack = UNCERTAIN + ACROSS_SYMBOLS + schedule.own_lag
        inside = [moment for moment in events if gap.since + slack < moment < gap.until - slack]
        if (
            inside
            and sync.feeds == 1
            and not schedule.has("stall", *LATENESS, *OF_CLOCKS)
            and schedule.backlog_bytes > SMALL_BACKLOG
        ):
            yield f"{len(inside)} covered rows lie inside: {gap.text}"


def _calm_has_no_gap(schedule: Schedule, gaps: list[Gap]) -> Iterator[str]:
    """With a proven standby and one fault at a time nothing is missing at all."""
    if schedule.calm and gaps and schedule.rate >= 10:
        yield f"in spite of a proven standby: {gaps[0].text}"


def _covered_where_nothing_is_wrong(schedule: Schedule, sync: Sync) -> Iterator[str]:
    """An event time that is ahead, once, is no reason to call anything uncovered."""
    if not schedule.is_undisturbed or "max_book_tickers" in schedule.options:
        return
    begun = set()
    for row in sync.rows:
        if row["covered_since_us"] is not None:
            begun.add(row["symbol"])
        elif row["symbol"] in begun:
            yield f"{row['symbol']} {row['u']} is not covered, and nothing was wrong"
            return


def _state_in_time(sync: Sync) -> Iterator[str]:
    """While rows are written a STATE comes at least every 15 seconds, and the last one covers them all."""
    if sync.rows and (not sync.states or sync.states[-1][2] != len(sync.rows)):
        yield "the last STATE does not cover all rows"
    states = iter(sync.states)
    at, _, covered = next(states, (sync.ended, {}, 0))
    for written, count in sync.written:
        while covered < count:
            overlaps = [(max(begin, written), min(end, at)) for begin, end in sync.stalls]
            stalled = sum(max(end - begin, 0.0) for begin, end in overlaps)
            if at - written - stalled > STATE_WITHIN:
                yield f"rows written at {written:.1f} have their STATE at {at:.1f}"
                return
            at, _, covered = next(states, (sync.ended, {}, len(sync.rows)))


def _end_in_time(sync: Sync) -> Iterator[str]:
    due = sync.window_ends if sync.stopped_at is None else min(sync.window_ends, sync.stopped_at)
    due = max([due, *(end for _, end in sync.stalls)])
    if sync.ended > due + ENDS_WITHIN:
        yield f"the sync ended {sync.ended - due:.1f} seconds late"


def _everything_left(sync: Sync) -> Iterator[str]:
    if any(stream.fileno() >= 0 for stream in sync.streams):
        yield "a connection is left open at the end"
    moments = [stream.opened_at for stream in sync.streams]
    for moment in moments:
        held = [stream for stream in sync.streams if stream.opened_at <= moment < stream.left_at]
        if len(held) > 2 * sync.feeds + 1:
            yield f"{len(held)} connections at once for {sync.feeds} feeds"
            return
