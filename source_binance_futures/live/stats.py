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
from statistics import median
from typing import Any, NamedTuple

from orjson import loads

from ..binance.endpoints import ALL_MARKET_STREAM, TESTNET, Market, market_of, own_stream
from ..binance.market_stream.coverage import SETTLED_AFTER_US
from ..binance.market_stream.messages import COIN_M_SYMBOL_TYPE, MalformedFrame, OtherFrame, parse_frame
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
PING_CLOCK_MS = 5000.0  # by which a ping's timestamp may differ from our clock
DECIMAL = re.compile(r"\d+(?:\.\d+)?\Z")
JSON_NAMES = {str: "string", int: "integer", float: "number", bool: "boolean", type(None): "missing"}
BOOK = ("b", "B", "a", "A")
KINDS = {"e": "string", "s": "string", "ps": "string or missing", "st": "integer or missing"}
KINDS |= dict.fromkeys("uTE", "integer") | dict.fromkeys(BOOK, "decimal")
SYMBOL_TYPES = ((1, Market.USDS_M), (COIN_M_SYMBOL_TYPE, Market.COIN_M))
CONTRACT_INFO = {"s": "string", "ot": "integer", "dt": "integer", "cs": "string"}  # onboard and delivery date, status


class Stats(dict[str, Any]):
    """A whole run: flat counters by name, sums over its connections. What was not learned is not there.

    Odd things are counted by their kind, as in `wrong_types`. `failures` are why a counter did not count on.
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


class Update(NamedTuple):
    """A book ticker. `event_time` and `transaction_time` (ms) are -1 where they are no integers."""

    symbol: str
    update_id: int
    event_time: int
    transaction_time: int
    at: float
    is_sample: bool


class Recorder:
    """The observer of one connection to the address that `role` expects, in whose URL `streams` are named."""

    def __init__(self, stats: Stats, role: str, streams: Iterable[str], now: Callable[[], float]) -> None:
        self.stats, self.role, self._now = stats, role, now
        self.opened_at = self._last_at = now()
        self.seconds: float | None = None  # that it lasted, once it has ended
        self.listening = dict.fromkeys(streams, self.opened_at)  # since when
        self.updates: deque[Update] = deque(maxlen=MOST_UPDATES)
        self._by_second: Counter[int] = Counter()  # data frames
        self._silence = 0.0
        self._pings: list[float] = []  # of the server
        # Ours by their payload, and control messages by their id: kind, streams and when they were sent.
        self._asked: dict[bytes | int, tuple[str, Sequence[str], float]] = {}
        self._answers: dict[bytes | int, tuple[str, float]] = {}  # the outcome, and when it came
        self._newest_message = 0
        self._probed: Counter[str] = Counter()  # frames of streams that are none of a contract here

    def sent(self, opcode: int, payload: bytes) -> None:
        """Note a ping or a control message of ours."""
        if opcode == PING:
            self._asked[payload] = "client_pings", (), self._now()
        elif opcode == TEXT:
            request = loads(payload)
            streams, self._newest_message = request["params"], request["id"]
            self._asked[self._newest_message] = PROBED.get(streams[0], "contracts"), streams, self._now()

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
                outcome = "acknowledged" if answer[1] is None else "refused"
                self._answers.setdefault(answer[0] or self._newest_message, (outcome, at))

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
        self._content(found, len(payload))
        symbol, stream = sys.intern(found["s"]), stream if isinstance(stream, str) else "no wrapper"
        if stream in PROBED:
            self._probed[stream] += 1
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
            self.stats.count("contract_info_faults", *faults_of(frame, CONTRACT_INFO))
        else:
            self.stats.count("other_frames", str(frame.get("e") or f"keys {', '.join(sorted(frame))}"))

    def _content(self, found: Mapping[str, Any], size: int) -> None:
        stats = self.stats
        stats["frames"] += 1
        stats["bytes"] += size
        stats["ps_missing"] += found.get("ps") is None
        stats["odd_symbol_types"] += (found.get("st"), market_of(found["s"])) not in SYMBOL_TYPES
        stats.count("unknown_keys", *(found.keys() - KINDS))
        faults = faults_of(found, KINDS)
        stats.count("wrong_types", *faults)
        if not faults:
            bid, _, ask, _ = numbers = [float(found[key]) for key in BOOK]
            stats["odd_books"] += not all(numbers) or bid >= ask

    # --- the end ---

    def end(self, lost: str | None = None) -> None:
        """Count what the whole connection tells, once it has ended; `lost` is the kind of loss, if it was one."""
        stats, now = self.stats, self._now()
        self.seconds = now - self.opened_at
        silence = max(self._silence, now - self._last_at)
        if lost is not None:
            stats.count("lost", lost)
        stats["connections_used"] += bool(self._by_second or lost)
        if self._by_second:
            stats.raise_to("seconds_listened", round(self.seconds, 1))
            stats.raise_to("seconds_silent", round(silence, 1))
            stats.raise_to("frames_in_the_busiest_second", max(self._by_second.values()))
        self._end_controls(now)
        self._end_order([update for update in self.updates if not update.is_sample])
        contracts: dict[str, tuple[list[Update], list[Update]]] = defaultdict(lambda: ([], []))
        for update in self.updates:
            contracts[update.symbol][update.is_sample].append(update)
        for symbol, (own, samples) in contracts.items():
            self._end_contract(own, samples, self.listening.get(own_stream(symbol), now), now)
        markets = {market_of(symbol).value for symbol, (_, samples) in contracts.items() if samples}
        if len(markets) > 1 or (markets and self.seconds - silence >= ALL_SAMPLED_WITHIN):
            stats["sampled_connections"] += 1
            stats.count("lone_markets", *(f"{each} at {self.role}" for each in markets if len(markets) == 1))

    def _end_controls(self, now: float) -> None:
        """Count pings, and what was answered to ours and to control messages."""
        stats = self.stats
        stats["pings"] += len(self._pings)
        stats.setdefault("ping_intervals", []).extend(later - earlier for earlier, later in pairwise(self._pings))
        for request, (kind, streams, sent_at) in self._asked.items():
            stats.raise_to(f"{kind}_seconds", round(now - sent_at, 1))
            stats[f"{kind}_frames"] += sum(self._probed[stream] for stream in streams)
            outcome, answered_at = self._answers.get(request, ("unanswered", now))
            if answered_at - sent_at >= (PONG_WITHIN if kind == "client_pings" else ANSWER_WITHIN):
                outcome = "unanswered"
            elif outcome == "unanswered":
                continue  # an answer may still have been under way
            stats[f"{kind}_asked"] += 1
            stats[f"{kind}_{outcome}"] += 1
            if kind == "contracts" and outcome == "acknowledged":
                self.listening |= dict.fromkeys(streams, answered_at)

    def _end_order(self, own: Sequence[Update]) -> None:
        """Count what goes back across contracts, and how late updates are."""
        self.stats["steps_back_across"] += steps_back(update.update_id for update in own)
        timed = [update for update in own if update.event_time >= 0]
        latest = accumulate((update.event_time for update in timed), max)
        for newest, update in zip(latest, timed, strict=True):
            self.stats.raise_to("ms_back_at_most", newest - update.event_time)
        if timed:
            lag = round(median(update.at * 1000 - update.event_time for update in timed))
            self.stats["median_lag_ms"] = max(self.stats["median_lag_ms"], lag, key=abs)  # of the worst connection
            self.stats["timed_updates"] += len(timed)

    def _end_contract(self, own: Sequence[Update], samples: Sequence[Update], since: float, now: float) -> None:
        """Count what goes back within a contract, and what its samples and books show among its own updates."""
        stats = self.stats
        for updates, name in ((own, "own"), (samples, "sample")):
            stats[f"{name}_updates"] += len(updates)
            stats[f"{name}_steps_back"] += steps_back(update.update_id for update in updates)
            stats["event_times_back"] += steps_back(update.event_time for update in updates)
            stats["transaction_times_back"] += steps_back(update.transaction_time for update in updates)
        brought = {update.update_id: update.at for update in reversed(own)}
        stats["own_repeats"] += len(own) - len(brought)
        stats["updates_in_real_time"] += sum(later.at - earlier.at <= REAL_TIME for earlier, later in pairwise(own))
        stats.setdefault("sample_distances", []).extend(later.at - earlier.at for earlier, later in pairwise(samples))
        settled = [sample for sample in samples if sample.at - since >= SETTLED_AFTER]
        changes = [later for earlier, later in pairwise(settled) if later.update_id > earlier.update_id]
        stats["changes_sampled"] += len(changes)
        if not own:
            stats.count("silent_own_streams", *(change.symbol for change in changes[1:]))
            return
        oldest, newest = min(brought), max(brought)
        for change in changes:
            if change.update_id in brought:
                stats.setdefault("samples_found", []).append((brought[change.update_id] - change.at) * 1000)
            elif change.update_id > newest:
                stats["samples_overdue"] += now - change.at >= OVERDUE_AFTER
            else:
                stats["samples_missing"] += change.update_id > oldest
        if own[0].symbol == LISTED:
            books = [book for book in stats.get("books", ()) if oldest <= book <= newest]
            stats["books_compared"] += len(books)
            stats["books_missing"] += sum(book not in brought for book in books)


def steps_back(values: Iterable[int]) -> int:
    return sum(-1 < later < earlier for earlier, later in pairwise(values))


def conclude(stats: Stats, recorders: Sequence[Recorder]) -> None:
    """Fold what was collected, and add what only all connections together tell; every recorder has ended."""
    for key, collected, fold in (
        ("seconds_between_samples", "sample_distances", median),
        ("seconds_between_pings", "ping_intervals", median),
        ("ms_ahead_at_most", "samples_found", max),
    ):
        values = stats.pop(collected, [])
        stats[collected], stats[key] = len(values), round(fold(values or [0]), 2)
    stats["samples_compared"] = stats["samples_found"] + stats["samples_missing"] + stats["samples_overdue"]
    stats["bytes_a_frame"] = round(stats["bytes"] / max(stats["frames"], 1))
    if not stats["updates_in_real_time"] and ENOUGH <= stats["own_updates"] <= AS_MANY * stats["changes_sampled"]:
        stats["updates_like_samples"] = stats["own_updates"]
    for recorder in recorders:
        stats[f"{recorder.role}_frames"] += len(recorder.updates)
        stats.raise_to(f"{recorder.role}_seconds", round(recorder.seconds or 0.0, 1))
    if stats["environment"] == TESTNET.name:
        stats["testnet_seconds"] = min(stats["usds_m_address_seconds"], stats["plain_path_seconds"])
    for first, second in pairwise(sorted(recorders, key=lambda each: (each.role, each.opened_at))):
        if first.role == second.role and first.stats is stats:
            compare(stats, first, second)


def compare(stats: Stats, first: Recorder, second: Recorder) -> None:
    """Count what two connections to an address brought of what was pushed while both were open, by event times."""
    since = second.opened_at
    streams = {stream for stream, begun in first.listening.items() if begun <= since == second.listening.get(stream)}
    one, other = (
        {
            (update.event_time, update.symbol, update.update_id)
            for update in each.updates
            if update.at >= since and not update.is_sample and own_stream(update.symbol) in streams
        }
        for each in (first, second)
    )
    if one and other:
        begin, end = max(min(one), min(other))[0] + MARGIN_MS, min(max(one), max(other))[0] - MARGIN_MS
        found = {"over_both": one & other, "only_over_first": one - other, "only_over_second": other - one}
        for name, brought in found.items():
            stats[name] += sum(begin <= event_time <= end for event_time, _, _ in brought)


def faults_of(found: Any, kinds: Mapping[str, str]) -> list[str]:
    """Return the keys of an object that hold another kind of value than they may; null is as good as missing.

    >>> faults_of({"s": 1, "ot": 1.5, "cs": "6e2"}, {"s": "string", "ot": "integer", "dt": "integer", "cs": "decimal"})
    ['s: integer', 'ot: number', 'dt: missing', 'cs: string']
    """
    if not isinstance(found, dict):
        return ["no object"]
    held = {key: JSON_NAMES.get(type(found.get(key)), "object") for key in kinds}
    held |= {key: "decimal" for key, kind in held.items() if kind == "string" and DECIMAL.match(found[key])}
    return [f"{key}: {kind}" for key, kind in held.items() if kind not in kinds[key].split(" or ")]
