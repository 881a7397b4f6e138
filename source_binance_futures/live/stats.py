"""What a run has seen: a recorder for each connection, and the flat counters that are made of them at the end. Pure.

Nothing here says anything of the user: no address of theirs, no text of an error, no request weight that other programs
used. Moments are seconds since 1970 UTC.
"""

from __future__ import annotations

import re
import sys
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import accumulate, pairwise
from statistics import median, median_high
from typing import Any, NamedTuple

from orjson import loads

from ..binance.endpoints import ALL_MARKET_STREAM, market_of, own_stream
from ..binance.market_stream.coverage import SETTLED_AFTER_US
from ..binance.market_stream.messages import (
    COIN_M_SYMBOL_TYPE,
    WIRE_KEYS,
    MalformedFrame,
    OtherFrame,
    market_of_book_ticker,
    parse_frame,
)
from ..binance.market_stream.subscriptions import ANSWER_WITHIN, control_answer
from ..binance.transport.framing import PING, PONG, TEXT, ControlFrame

LISTED = "BTCUSDT"  # the contract that the WebSocket API is asked for
# Streams of no contract at COIN-M's host that are asked for all the same, and the counters of what comes of them.
PROBED = {
    "nosuchusd_perp@bookTicker": "unknown",
    "BTCUSD_PERP@bookTicker": "unknown",
    own_stream(LISTED): "cross",
    "!contractInfo": "info",
}
MOST_UPDATES = 300_000  # of a connection, the newest: their order and pace are judged at its end
MOST_KINDS = 30  # of odd things that are counted apart
SETTLED_AFTER = SETTLED_AFTER_US / 1e6  # seconds after which samples are held to an own stream
OVERDUE_AFTER = 10.0  # seconds after which a sample's update that has not come at the end will not come any more
ALL_SAMPLED_WITHIN = 10.0  # seconds: twice the distance between two samples of a contract
REAL_TIME = 1.0  # seconds between two updates of a contract; samples are 5 apart
ENOUGH = 10  # updates
AS_MANY = 1.2  # own updates for each change that samples show: then the own streams are no more than they are
MARGIN_MS = 1000  # at both ends of an overlap; event times of different contracts go back by less
PONG_WITHIN = 10.0  # seconds, as the connector waits
NO_PING_FROM = 480.0  # seconds without a ping that count as an interval: twice the longest that is expected
PING_CLOCK_MS = 5000.0  # by which a ping's timestamp may differ from our clock
DECIMAL = re.compile(r"\d+(?:\.\d+)?\Z")
BOOK = ("b", "B", "a", "A")
TYPES = {"e": str, "u": int, "s": str, "T": int, "E": int, "ps": str, "st": int} | dict.fromkeys(BOOK, DECIMAL)
CONTRACT_INFO_TYPES = {"s": str, "ot": int, "dt": int, "cs": str}  # symbol, onboard and delivery date (ms), status
JSON_NAMES = {str: "string", int: "integer", float: "number", bool: "boolean", type(None): "null"}


class Stats(dict[str, Any]):
    """A whole run: flat counters by name, sums over its connections. What was not learned is not there.

    Where a name has no other unit it is seconds. Odd things are counted by their kind, as in `wrong_types`. Each of the
    `addresses`, by the expectations that it stands for, has counters of its own: whether it was `opened`, the kind of
    `failure` where it was not and whether HTTP `refused` it, how long it was listened to, `samples`, `own_updates`.
    """

    def __missing__(self, key: str) -> int:
        return 0

    def count(self, things: str, *kinds: str) -> None:
        """Count one more of each of some kinds; of those there may be a few."""
        for kind in kinds:
            counted = self.setdefault(things, Counter())
            if kind[:60] in counted or len(counted) < MOST_KINDS:
                counted[kind[:60]] += 1

    def raise_to(self, key: str, value: float) -> None:
        self[key] = max(self[key], value)

    def collect(self, key: str, values: Iterable[float]) -> None:
        """Keep values until `conclude` folds them."""
        self.setdefault(key, []).extend(values)


class Update(NamedTuple):
    """A book ticker. `event_time` and `transaction_time` (ms) are -1 where they are no integers."""

    symbol: str
    update_id: int
    event_time: int
    transaction_time: int
    at: float
    is_sample: bool


class Recorder:
    """The observer of one connection to `address`, in whose URL `streams` are named. `now` is the present."""

    def __init__(self, stats: Stats, address: Stats, streams: Iterable[str], now: Callable[[], float]) -> None:
        self.stats, self.address, self._now = stats, address, now
        self.opened_at = self._last_at = now()
        self.ended_at: float | None = None
        self.listening = dict.fromkeys(streams, self.opened_at)  # since when
        self.updates: deque[Update] = deque(maxlen=MOST_UPDATES)
        self._by_second: Counter[int] = Counter()  # data frames
        self._silence = 0.0
        self._pings: list[float] = []  # of the server
        # Ours by their payload, and control messages by their id: kind, streams and when they were sent.
        self._asked: dict[bytes | int, tuple[str, Sequence[str], float]] = {}
        self._answers: dict[bytes | int, tuple[str, float]] = {}  # the outcome, and when it came
        self._newest_message = 0
        self._kinds: dict[str, str] = {}  # of the streams that were asked for

    def sent(self, opcode: int, payload: bytes) -> None:
        """Note a ping or a control message of ours."""
        if opcode == PING:
            self._asked[payload] = "client_pings", (), self._now()
        elif opcode == TEXT:
            request = loads(payload)
            streams, self._newest_message = request["params"], request["id"]
            kind = PROBED.get(streams[0], "contracts")
            self._asked[self._newest_message] = kind, streams, self._now()
            self._kinds |= dict.fromkeys(streams, kind)

    def received(self, payloads: Sequence[bytes], controls: Sequence[ControlFrame]) -> None:
        """Count what one read has brought."""
        at = self._now()
        for opcode, payload in controls:
            if opcode == PONG:
                self._answers.setdefault(payload, ("acknowledged", at))
            elif opcode == PING:
                self._pings.append(at)
                is_time = payload.isdigit() and abs(at * 1000 - int(payload)) <= PING_CLOCK_MS
                self.stats["odd_pings"] += not is_time
        for payload in payloads:
            answer = control_answer(payload) if self._newest_message else None
            if answer is None:
                self._data(payload, at)
            else:
                request, error = answer
                outcome = "acknowledged" if error is None else "refused"
                self._answers.setdefault(request or self._newest_message, (outcome, at))

    def _data(self, payload: bytes, at: float) -> None:
        self._by_second[int(at)] += 1
        self._silence, self._last_at = max(self._silence, at - self._last_at), at
        try:
            found, stream = parse_frame(payload)
        except MalformedFrame:
            self.stats["unreadable_frames"] += 1
            return
        except OtherFrame:
            self._other(loads(payload))
            return
        self.stats.setdefault("sizes", Counter())[len(payload)] += 1
        self._content(found)
        symbol, stream = sys.intern(found["s"]), stream if isinstance(stream, str) else "no wrapper"
        if stream in self._kinds:
            self.stats[f"{self._kinds[stream]}_frames"] += 1
        if stream in (ALL_MARKET_STREAM, own_stream(symbol)):
            event_time, transaction_time = (found[key] if type(found.get(key)) is int else -1 for key in "ET")
            is_sample = stream == ALL_MARKET_STREAM
            self.updates.append(Update(symbol, found["u"], event_time, transaction_time, at, is_sample))
        else:
            self.stats.count("other_streams", stream)

    def _other(self, frame: dict[str, Any]) -> None:
        frame = frame["data"] if "stream" in frame else frame
        if frame.get("e") == "contractInfo":
            self.stats["contract_infos"] += 1
            self.stats.count("contract_info_faults", *faults_of(frame, CONTRACT_INFO_TYPES))
        else:
            self.stats.count("other_frames", str(frame.get("e") or f"keys {', '.join(sorted(frame))}"))

    def _content(self, found: Mapping[str, Any]) -> None:
        stats = self.stats
        stats["frames"] += 1
        faults = faults_of(found, TYPES, optional=("ps", "st"))
        stats.count("wrong_types", *faults)
        stats.count("unknown_keys", *(found.keys() - WIRE_KEYS))
        stats["ps_missing"] += "ps" not in found
        stats["st_missing"] += "st" not in found
        if "st" in found:
            known = found["st"] in (1, COIN_M_SYMBOL_TYPE)
            stats["st_contradicting"] += not known or market_of_book_ticker(found) is not market_of(found["s"])
        if not faults:
            bid, _, ask, _ = numbers = [float(found[key]) for key in BOOK]
            stats["odd_books"] += not all(numbers) or bid >= ask

    # --- the end ---

    def end(self, lost: str | None = None) -> None:
        """Count what the whole connection tells, once it has ended; `lost` is the kind of loss, if it was one."""
        stats, address, now = self.stats, self.address, self._now()
        self.ended_at = now
        seconds, silence = now - self.opened_at, max(self._silence, now - self._last_at)
        contracts: dict[str, tuple[list[Update], list[Update]]] = defaultdict(lambda: ([], []))
        for update in self.updates:
            contracts[update.symbol][update.is_sample].append(update)
            address["samples" if update.is_sample else "own_updates"] += 1
        address.raise_to("seconds", round(seconds, 1))
        if lost is not None:
            stats.count("lost", lost)
        stats["connections_used"] += bool(self._by_second or lost)
        if self._by_second:
            stats.raise_to("seconds_listened", round(seconds, 1))
            stats.raise_to("seconds_silent", round(silence, 1))
            stats.raise_to("frames_in_the_busiest_second", max(self._by_second.values()))
        markets = {market_of(symbol).value for symbol, (_, samples) in contracts.items() if samples}
        if len(markets) > 1 or (markets and seconds - silence >= ALL_SAMPLED_WITHIN):
            stats["sampled_connections"] += 1
            stats.count("lone_markets", *(f"{each} at {address['label']}" for each in markets if len(markets) == 1))
        self._end_controls(now)
        self._order([update for update in self.updates if not update.is_sample])
        for symbol, (own, samples) in contracts.items():
            self._order_of_contract(own, samples)
            since = self.listening.get(own_stream(symbol), now)
            self._compare(own, [sample for sample in samples if sample.at - since >= SETTLED_AFTER], now)

    def _end_controls(self, now: float) -> None:
        """Count pings, and what was answered to ours and to control messages."""
        stats = self.stats
        stats["pings"] += len(self._pings)
        stats.collect("ping_intervals", [later - earlier for earlier, later in pairwise(self._pings)])
        without = now - (self._pings[-1] if self._pings else self.opened_at)
        stats.collect("ping_intervals", [without] if without >= NO_PING_FROM else [])
        for request, (kind, streams, sent_at) in self._asked.items():
            stats.raise_to(f"{kind}_seconds", round(now - sent_at, 1))
            outcome, answered_at = self._answers.get(request, ("unanswered", now))
            if answered_at - sent_at >= (PONG_WITHIN if kind == "client_pings" else ANSWER_WITHIN):
                outcome = "unanswered"
            elif outcome == "unanswered":
                continue  # an answer may still have been under way
            stats[f"{kind}_asked"] += 1
            stats[f"{kind}_{outcome}"] += 1
            if kind == "contracts" and outcome == "acknowledged":
                self.listening |= dict.fromkeys(streams, answered_at)

    def _order(self, own: Sequence[Update]) -> None:
        """Count what goes back across contracts, and how late updates are."""
        stats = self.stats
        neighbours = [(one, other) for one, other in pairwise(own) if one.symbol != other.symbol]
        stats["neighbours"] += len(neighbours)
        stats["neighbours_back"] += sum(other.update_id < one.update_id for one, other in neighbours)
        timed = [update for update in own if update.event_time >= 0]
        latest = accumulate((update.event_time for update in timed), max)
        for newest, update in zip(latest, timed, strict=True):
            stats.raise_to("ms_back_at_most", newest - update.event_time)
        if timed:
            lag = round(median(update.at * 1000 - update.event_time for update in timed))
            stats["median_lag_ms"] = max(stats["median_lag_ms"], lag, key=abs)  # of the worst connection
            stats["timed_updates"] += len(timed)

    def _order_of_contract(self, own: Sequence[Update], samples: Sequence[Update]) -> None:
        """Count what goes back within the updates and within the samples of a contract, and measure their pace."""
        for updates, name in ((own, "own"), (samples, "sample")):
            self.stats[f"{name}_updates"] += len(updates)
            self.stats.collect(f"{name}_distances", [later.at - earlier.at for earlier, later in pairwise(updates)])
            for earlier, later in pairwise(updates):
                self.stats[f"{name}_steps_back"] += later.update_id < earlier.update_id
                self.stats[f"{name}_repeats"] += later.update_id == earlier.update_id
                self.stats["event_times_back"] += -1 < later.event_time < earlier.event_time
                self.stats["transaction_times_back"] += -1 < later.transaction_time < earlier.transaction_time

    def _compare(self, own: Sequence[Update], samples: Sequence[Update], now: float) -> None:
        """Look for what the samples and books of a contract show among its own updates."""
        stats = self.stats
        changes = [later for earlier, later in pairwise(samples) if later.update_id > earlier.update_id]
        stats["changes_sampled"] += len(changes)
        if not own:
            stats.count("silent_own_streams", *(change.symbol for change in changes[1:]))
            return
        brought = {update.update_id: update.at for update in reversed(own)}
        oldest, newest = min(brought), max(brought)
        for change in changes:
            if change.update_id in brought:
                stats.collect("samples_found", [(brought[change.update_id] - change.at) * 1000])
            elif change.update_id > newest:
                stats["samples_overdue"] += now - change.at >= OVERDUE_AFTER
            else:
                stats["samples_missing"] += change.update_id > oldest
        if own[0].symbol == LISTED:
            books = [book for book in stats.get("books", ()) if oldest <= book <= newest]
            stats["books_compared"] += len(books)
            stats["books_missing"] += sum(book not in brought for book in books)


def conclude(stats: Stats, recorders: Sequence[Recorder]) -> None:
    """Fold what was collected, and add what only all connections together tell; every recorder has ended."""
    stats["samples_compared"] = (
        len(stats.get("samples_found", ())) + stats["samples_missing"] + stats["samples_overdue"]
    )
    for key, collected, fold, digits in (
        ("seconds_between_samples", "sample_distances", median, 2),
        ("seconds_between_pings", "ping_intervals", median, 1),
        ("ms_ahead_at_most", "samples_found", max, None),
    ):
        values = stats.pop(collected, [])
        stats[collected] = len(values)
        if values:
            stats[key] = round(fold(values), digits)
    sizes: Counter[int] = stats.pop("sizes", Counter())
    stats["median_bytes"] = median_high(sizes.elements()) if sizes else 0
    stats["updates_in_real_time"] = sum(distance <= REAL_TIME for distance in stats.pop("own_distances", ()))
    if not stats["updates_in_real_time"] and ENOUGH <= stats["own_updates"] <= AS_MANY * stats["changes_sampled"]:
        stats["updates_like_samples"] = stats["own_updates"]
    for first, second in pairwise(sorted(recorders, key=lambda each: (each.address["label"], each.opened_at))):
        if first.address is second.address:
            compare(stats, first, second)


def compare(stats: Stats, first: Recorder, second: Recorder) -> None:
    """Count what two connections to an address brought of what was pushed while both were open, by event times."""
    since = second.opened_at
    streams = {stream for stream, begun in first.listening.items() if begun <= since == second.listening.get(stream)}
    one, other = (
        {
            (update.symbol, update.update_id): update.event_time
            for update in each.updates
            if update.at >= since and not update.is_sample and own_stream(update.symbol) in streams
        }
        for each in (first, second)
    )
    if one and other:
        begin = max(min(one.values()), min(other.values())) + MARGIN_MS
        end = min(max(one.values()), max(other.values())) - MARGIN_MS
        old, new = ({key for key, moment in keys.items() if begin <= moment <= end} for keys in (one, other))
        stats["over_both"] += len(old & new)
        stats["only_over_first"] += len(old - new)
        stats["only_over_second"] += len(new - old)


def faults_of(found: Mapping[str, Any], types: Mapping[str, Any], optional: Sequence[str] = ()) -> list[str]:
    """Return the keys that are missing, or hold something else than they should.

    >>> faults_of({"s": 1, "ot": 1.5, "cs": "6e2"}, {"s": str, "ot": int, "dt": int, "cs": DECIMAL})
    ['s: integer', 'ot: number', 'dt: missing', 'cs: no decimal']
    """
    faults = []
    for key, kind in types.items():
        value = found.get(key)
        if key not in found:
            faults += [f"{key}: missing"] if key not in optional else []
        elif type(value) is not (str if kind is DECIMAL else kind):
            faults.append(f"{key}: {JSON_NAMES.get(type(value), 'object')}")
        elif kind is DECIMAL and not DECIMAL.match(value):
            faults.append(f"{key}: no decimal")
    return faults
