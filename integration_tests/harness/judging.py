"""The judge of every test about losses: what was pushed against what came out, and what was told as missing.

Gaps are told in event times; the exchange notes when it pushed, which is up to 40 ms later. Hence the tolerance.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any, NamedTuple

from local_exchange import LocalExchange

from .connector import Output

TOLERANCE = 0.3  # seconds at the edges of what is told
GAP = re.compile(r"Gap of ([\d.]+) seconds: updates pushed from (.+ UTC) to (.+ UTC) may be missing\. Cause: (.*)\.$")
SILENCE = re.compile(r"Nothing came for ([\d.]+) seconds, from (.+ UTC) to (.+ UTC) \((.*)\)\. Most likely")
OF_ONE_CONTRACT = re.compile(r"(\w+) only: ")


class Pushed(NamedTuple):
    """An update of the exchange; `at` is when it was pushed, in epoch seconds."""

    symbol: str
    update_id: int
    at: float


class Told(NamedTuple):
    """A stretch of time that a log line tells as missing. `seconds` is the length as the line puts it."""

    since: float
    until: float
    cause: str
    seconds: float
    symbol: str | None  # None: of all contracts

    def explains(self, update: Pushed, tolerance: float) -> bool:
        """Whether it tells that this update may be missing."""
        in_time = self.since - tolerance <= update.at <= self.until + tolerance
        return in_time and self.symbol in (None, update.symbol)


@dataclass
class Verdict:
    """What is wrong, and what was told. `lost` counts what did not come out, `untold` is what of it no line tells."""

    gaps: list[Told]
    silences: list[Told]
    lost: int = 0
    untold: list[Pushed] = field(default_factory=list)
    twice: int = 0
    out_of_order: int = 0

    @property
    def faults(self) -> tuple[int, int, int]:
        """(untold, twice, out of order): all zero where every promise was kept."""
        return len(self.untold), self.twice, self.out_of_order


def pushes(exchange: LocalExchange) -> list[Pushed]:
    """Every change so far with its time, in order."""
    times = [at for at, count in list(exchange.push_times) for _ in range(count)]
    return [Pushed(*update, at) for update, at in zip(list(exchange.pushed), times, strict=False)]


def judge(
    exchange: LocalExchange,
    output: Output,
    *,
    symbols: Collection[str] | None = None,
    since: float | None = None,
    until: float | None = None,
    each_from_its_own: bool = False,
) -> Verdict:
    """Judges every update of `symbols` (None: of those that came out) pushed between the first and the last that came.

    Where two connections bring them, judge each by itself: a window may end with one read and the other not yet.

    With `each_from_its_own` a contract counts from its own stream's first update on, and all of them until the last
    that an own stream brought: a sample may run ahead of what is still under way when the window ends. `since` and
    `until` are moments in epoch seconds between which everything must have come out or be told; by default the first
    and the last update that came out.
    """
    verdict = Verdict(told(output, GAP), told(output, SILENCE))
    assert all(stretch.seconds > 0 and stretch.until > stretch.since for stretch in verdict.gaps + verdict.silences)
    emitted = set(output.updates)
    verdict.twice = len(output.updates) - len(emitted)
    verdict.out_of_order = _out_of_order(output.updates)
    every = pushes(exchange)
    assert emitted <= {(update.symbol, update.update_id) for update in every}, "what was never pushed came out"
    wanted = {symbol for symbol, _ in emitted} if symbols is None else set(symbols)
    begins = _firsts(output) if each_from_its_own else {}

    def counts(update: Pushed) -> bool:
        first = begins.get(update.symbol) if each_from_its_own else update.update_id
        return update.symbol in wanted and first is not None and update.update_id >= first

    came = [number for number, update in enumerate(every) if update[:2] in emitted and counts(update)]
    if each_from_its_own and emitted and not begins:
        return verdict  # samples only
    first, last = 0 if since is not None else came[0], len(every) - 1 if until is not None else came[-1]
    for update in every[first : last + 1]:
        if not counts(update) or update[:2] in emitted:
            continue
        if (since is not None and update.at < since) or (until is not None and update.at > until):
            continue
        verdict.lost += 1
        if not any(stretch.explains(update, TOLERANCE) for stretch in verdict.gaps + verdict.silences):
            verdict.untold.append(update)
    return verdict


def told(output: Output, pattern: re.Pattern[str]) -> list[Told]:
    """The stretches that warnings tell as missing; `GAP` or `SILENCE`."""
    found = [match for line in output.logs("WARN") if (match := pattern.search(line))]
    stretches = []
    for match in found:
        only = OF_ONE_CONTRACT.match(match[4])
        symbol = only[1] if only is not None else None
        stretches.append(Told(_epoch(match[2]), _epoch(match[3]), match[4], float(match[1]), symbol))
    return stretches


def uncovered(
    exchange: LocalExchange, output: Output, *, own_stream_lag: float = 0.0, under_way: float = TOLERANCE
) -> list[Pushed]:
    """What the rows vouch for and is not there.

    Rows of one contract with the same `covered_since_us` say: everything pushed from then on up to my `received_at_us`
    is in the table. An update may be pushed and not have arrived at that moment, so what counts is what was pushed
    before the newest of these rows, or more than `under_way` seconds before it was received. Own streams push it
    `own_stream_lag` seconds later than it happens.
    """
    every = pushes(exchange)
    positions = {update[:2]: number for number, update in enumerate(every)}
    stretches: dict[tuple[str, int], tuple[int, int]] = {}  # newest position, newest receipt
    for record in own_records(output):
        key = record["symbol"], record["covered_since_us"]
        position, received_at = stretches.get(key, (-1, 0))
        position = max(position, positions[record["symbol"], record["u"]])
        stretches[key] = position, max(received_at, record["received_at_us"])
    of_symbol: dict[str, list[tuple[int, Pushed]]] = {}
    for number, update in enumerate(every):
        of_symbol.setdefault(update.symbol, []).append((number, update))
    emitted = set(output.updates)
    return [
        update
        for (symbol, since), (newest, received_at) in stretches.items()
        for number, update in of_symbol[symbol]
        if update.at + own_stream_lag >= since / 1e6
        and (number <= newest or update.at + own_stream_lag < received_at / 1e6 - under_way)
        and update[:2] not in emitted
    ]


def stretches_of(output: Output) -> dict[str, list[int]]:
    """For each contract the different `covered_since_us` of its rows, in order."""
    found: dict[str, list[int]] = {}
    for record in own_records(output):
        since = found.setdefault(record["symbol"], [])
        if record["covered_since_us"] not in since:
            since.append(record["covered_since_us"])
    return found


def are_stretches(output: Output, expected: dict[str, int]) -> bool:
    """Whether each contract has so many stretches, and one more at most for each time that it was read late.

    A read that is a second late vouches for nothing, as README says; a busy machine does that to a process.
    """
    found = {symbol: len(since) for symbol, since in stretches_of(output).items()}
    late: dict[str, int] = {}
    was_late: dict[str, bool] = {}
    for record in output.records("book_tickers"):
        symbol, delay = record["symbol"], record["received_at_us"] / 1e6 - record["event_time"] / 1e3
        is_late = "covered_since_us" not in record and delay > 0.9
        late[symbol] = late.get(symbol, 0) + (is_late and not was_late.get(symbol, False))
        was_late[symbol] = is_late
    return all(count <= found.get(symbol, 0) <= count + late.get(symbol, 0) for symbol, count in expected.items())


def own_records(output: Output, symbol: str | None = None) -> list[dict[str, Any]]:
    """The records that contracts' own streams brought and nothing is doubted of; the CDK leaves out what is null."""
    records = [record for record in output.records("book_tickers") if "covered_since_us" in record]
    return records if symbol is None else [record for record in records if record["symbol"] == symbol]


def not_overtaken(untold: Collection[Pushed], output: Output) -> list[Pushed]:
    """Those that no newer sample overtook before their contract's own stream first spoke, as README says it may."""
    firsts, sampled = _firsts(output), dict[str, int]()
    for symbol, update_id in output.updates:
        if update_id < firsts.get(symbol, -1):
            sampled[symbol] = max(update_id, sampled.get(symbol, -1))
    return [update for update in untold if update.update_id > sampled.get(update.symbol, -1)]


def _firsts(output: Output) -> dict[str, int]:
    firsts: dict[str, int] = {}
    for record in own_records(output):
        firsts.setdefault(record["symbol"], record["u"])
    return firsts


def _out_of_order(updates: list[tuple[str, int]]) -> int:
    newest: dict[str, int] = {}
    count = 0
    for symbol, update_id in updates:
        count += update_id < newest.get(symbol, -1)
        newest[symbol] = max(update_id, newest.get(symbol, -1))
    return count


def _epoch(text: str) -> float:
    return datetime.strptime(text, "%Y-%m-%d %H:%M:%S.%f UTC").replace(tzinfo=timezone.utc).timestamp()
