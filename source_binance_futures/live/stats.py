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
MOST_BYTES = 4096  # from which on sizes are one
SETTLED_AFTER = SETTLED_AFTER_US / 1e6  # seconds after which samples are held to an own stream
OVERDUE_AFTER = 10.0  # seconds after which a sample's update that has not come at the end will not come any more
BUSY_FROM = 0.5  # own updates a second
ENOUGH_DISTANCES = 10  # of one contract, to take their median
MARGIN_MS = 1000  # at both ends of an overlap; event times of different contracts go back by less
PONG_WITHIN = 10.0  # seconds, as the connector waits
PING_CLOCK_MS = 5000.0  # by which a ping's timestamp may differ from our clock
WRAPPER = len('{"stream":"","data":}')  # bytes around a stream's name and its payload
TYPES = {"e": str, "u": int, "s": str, "T": int, "E": int, "ps": str, "st": int} | dict.fromkeys("bBaA", str)
OPTIONAL, BOOK = ("ps", "st"), ("b", "B", "a", "A")
CONTRACT_INFO_TYPES = {"s": str, "ot": int, "dt": int, "cs": str}  # symbol, onboard and delivery date (ms), status
DECIMAL = re.compile(r"\d+(?:\.\d+)?\Z")
JSON_NAMES = {str: "string", int: "integer", float: "number", bool: "boolean", type(None): "null"}


class Stats(dict[str, Any]):
    """A whole run: flat counters by name, sums over its connections. What was not learned is not there.

    Where a name has no other unit it is seconds. Odd things are counted by their kind, as in `wrong_types`. Each of the
    `addresses`, by the expectations that it stands for, has counters of its own: whether it was `opened`, the kind of
    `failure` or the `status` of HTTP where it was not, how long it was listened to, `samples` and `own_updates`.
    """

    def __missing__(self, key: str) -> int:
        return 0

    def count(self, things: str, kind: str) -> None:
        """Count one more of a kind; of those there may be a few."""
        kinds, kind = self.setdefault(things, Counter()), kind[:60]
        if kind in kinds or len(kinds) < MOST_KINDS:
            kinds[kind] += 1

    def raise_to(self, key: str, value: float) -> None:
        self[key] = max(self[key], value)


class Update(NamedTuple):
    """A book ticker. `event_time` and `transaction_time` (ms) are -1 where they are no integers."""

    symbol: str
    update_id: int
    event_time: int
    transaction_time: int
    at: float


class Recorder:
    """The observer of one connection to `address`, in whose URL `streams` are named. `now` is the present."""

    def __init__(self, stats: Stats, address: Stats, streams: Iterable[str], now: Callable[[], float]) -> None:
        self.stats, self.address = stats, address
        self.opened_at = self._last_at = now()
        self.ended_at: float | None = None
        self.listening = dict.fromkeys(streams, self.opened_at)  # since when
        self.own: deque[Update] = deque(maxlen=MOST_UPDATES)
        self.samples: deque[Update] = deque(maxlen=MOST_UPDATES)
        self.series: dict[str, list[float]] = defaultdict(list)  # measured at the end
        self._by_second: Counter[int] = Counter()  # data frames
        self._now = now
        self._bytes, self._silence = 0, 0.0
        self._pings: list[float] = []  # of the server; when ours were sent and answered
        self._pinged: list[float] = []
        self._pongs: list[float] = []
        self._asked: dict[
            int, tuple[str, Sequence[str], float]
        ] = {}  # control messages: their kind, streams, sent when
        self._answered: set[int] = set()
        self._probed: set[str] = set()

    def sent(self, opcode: int, payload: bytes) -> None:
        """Note a ping or a control message of ours."""
        if opcode == PING:
            self._pinged.append(self._now())
        elif opcode == TEXT:
            request = loads(payload)
            streams = request["params"]
            self._asked[request["id"]] = PROBED.get(streams[0], "contracts"), streams, self._now()
            self._probed |= PROBED.keys() & streams

    def received(self, payloads: Sequence[bytes], controls: Sequence[ControlFrame]) -> None:
        """Count what one read has brought."""
        at = self._now()
        for opcode, payload in controls:
            if opcode == PONG:
                self._pongs.append(at)
            elif opcode == PING:
                self._pings.append(at)
                offset = abs(at * 1000 - int(payload)) if payload.isdigit() else float("inf")
                self.stats["odd_pings"] += offset > PING_CLOCK_MS
                self.stats.raise_to("farthest_ping_ms", round(offset) if offset <= PING_CLOCK_MS else 0)
        for payload in payloads:
            answer = control_answer(payload) if self._asked else None
            if answer is None:
                self._data(payload, at)
            else:
                self._answer(*answer, at)

    def _answer(self, request: int, error: str | None, at: float) -> None:
        request = request or max(self._asked)
        if request not in self._asked or request in self._answered:
            return
        self._answered.add(request)
        kind, streams, sent_at = self._asked[request]
        if error is not None:
            self.stats[f"{kind}_refused"] += 1
            return
        self.stats[f"{kind}_acknowledged"] += 1
        self.stats.raise_to(f"{kind}_slowest", round(at - sent_at, 3))
        if kind == "contracts":
            self.listening |= dict.fromkeys(streams, at)

    def _data(self, payload: bytes, at: float) -> None:
        self._by_second[int(at)] += 1
        self._bytes += len(payload)
        self._silence, self._last_at = max(self._silence, at - self._last_at), at
        try:
            found, stream = parse_frame(payload)
        except MalformedFrame:
            self.stats["unreadable_frames"] += 1
            return
        except OtherFrame:
            self._other(loads(payload))
            return
        stream, symbol = stream if isinstance(stream, str) else "no wrapper", found["s"]
        self._content(found, len(payload) - WRAPPER - len(stream.encode()))
        if stream in self._probed:
            self.stats[f"{PROBED[stream]}_frames"] += 1
        times = [found.get(key) for key in "ET"]
        event_time, transaction_time = [each if type(each) is int else -1 for each in times]
        update = Update(sys.intern(symbol), found["u"], event_time, transaction_time, at)
        if stream == ALL_MARKET_STREAM:
            self.samples.append(update)
            self.address["samples"] += 1
            markets = self.stats.setdefault("markets", {}).setdefault(self.address["markets"][0], Counter())
            markets[market_of_book_ticker(found).value] += 1
        elif stream == own_stream(symbol):
            self.own.append(update)
            self.address["own_updates"] += 1
        else:
            self.stats.count("other_streams", stream)

    def _other(self, frame: Any) -> None:
        frame = frame["data"] if isinstance(frame, dict) and "stream" in frame else frame
        event = frame.get("e") if isinstance(frame, dict) else None
        if event == "contractInfo":
            self.stats["contract_infos"] += 1
            for fault in faults_of(frame, CONTRACT_INFO_TYPES):
                self.stats.count("contract_info_faults", fault)
            return
        keys = ", ".join(sorted(frame)) if isinstance(frame, dict) else type(frame).__name__
        self.stats.count("other_frames", f"keys {keys}" if event is None else str(event))

    def _content(self, found: Mapping[str, Any], size: int) -> None:
        stats = self.stats
        stats["frames"] += 1
        stats.setdefault("sizes", Counter())[min(size, MOST_BYTES)] += 1
        stats.raise_to("largest_bytes", size)
        faults = faults_of(found, TYPES, OPTIONAL)
        faults += [
            f"{key}: no decimal" for key in BOOK if type(found.get(key)) is str and not DECIMAL.match(found[key] or "0")
        ]
        for fault in faults:
            stats.count("wrong_types", fault)
        for key in found.keys() - WIRE_KEYS:
            stats.count("unknown_keys", key)
        stats["frames_without_ps"] += "ps" not in found
        stats["frames_without_st"] += "st" not in found
        if "st" in found:
            known = found["st"] in (1, COIN_M_SYMBOL_TYPE)
            stats["contradicting_st"] += not known or market_of_book_ticker(found) is not market_of(found["s"])
        if not faults:
            stats["odd_books"] += not all(found[key] and float(found[key]) for key in BOOK) or (
                float(found["b"]) >= float(found["a"])
            )

    # --- the end ---

    def end(self, lost: str | None = None) -> None:
        """Count the connection itself, once it has ended; `lost` is the kind of loss, if it was one."""
        stats, address, self.ended_at = self.stats, self.address, self._now()
        seconds = self.ended_at - self.opened_at
        address.raise_to("seconds", round(seconds, 1))
        if lost is not None:
            stats.setdefault("lost", Counter())[lost] += 1
        frames, silence = self._by_second.total(), max(self._silence, self.ended_at - self._last_at)
        stats["connections_used"] += bool(frames or lost)
        if frames:
            stats.raise_to("longest_listened", seconds)
            stats.raise_to("longest_silence", silence)
            stats.raise_to("busiest_second", max(self._by_second.values()))
            if frames / max(seconds, 1) > stats["frames_a_second"]:
                stats["frames_a_second"] = frames / max(seconds, 1)
                stats["kilobytes_a_second"] = self._bytes / max(seconds, 1) / 1000
        if self.samples:
            hosts = stats.setdefault("sampled_for", Stats())
            hosts.raise_to(address["markets"][0], seconds - silence)
        stats["pings"] += len(self._pings)
        self.series["pings"] += [later - earlier for earlier, later in pairwise(self._pings)]
        for asked in self._pinged:
            took = next((pong - asked for pong in self._pongs if pong >= asked), float("inf"))
            if took < float("inf") or self.ended_at - asked >= PONG_WITHIN:
                stats["pings_sent"] += 1
                stats["unanswered_pings"] += took > PONG_WITHIN
                stats.raise_to("slowest_pong", round(took, 3) if took <= PONG_WITHIN else 0.0)
        for request, (kind, _, sent_at) in self._asked.items():
            listened = round(self.ended_at - sent_at, 1)
            stats[f"{kind}_unanswered"] += request not in self._answered and listened >= ANSWER_WITHIN
            stats.raise_to(f"{kind}_listened", listened)
        self._order()
        contracts: dict[str, tuple[list[Update], list[Update]]] = defaultdict(lambda: ([], []))
        for number, updates in enumerate((self.own, self.samples)):
            for update in updates:
                contracts[update.symbol][number].append(update)
        for symbol, (own, samples) in contracts.items():
            self._order_within(own, "steps_back")
            self._order_within(samples, "sample_steps_back")
            since = self.listening.get(own_stream(symbol), self.ended_at)
            self._pace(own, [sample for sample in samples if sample.at - since >= SETTLED_AFTER])

    def _order(self) -> None:
        """Count what goes back across contracts, and how late updates are."""
        stats = self.stats
        stats["own_updates"] += len(self.own)
        stats["samples"] += len(self.samples)
        neighbours = [(one, other) for one, other in pairwise(self.own) if one.symbol != other.symbol]
        stats["neighbours"] += len(neighbours)
        stats["neighbours_back"] += sum(other.update_id < one.update_id for one, other in neighbours)
        timed = [update for update in self.own if update.event_time >= 0]
        latest = accumulate((update.event_time for update in timed), max)
        behind = [newest - update.event_time for newest, update in zip(latest, timed, strict=True)]
        stats.raise_to("farthest_back_ms", max(behind, default=0))
        lags = sorted(update.at * 1000 - update.event_time for update in timed)
        if lags:
            found = tuple(round(lags[int(share * (len(lags) - 1))]) for share in (0, 0.5, 0.99))
            if abs(found[1]) >= abs(stats.get("median_lag_ms", 0)):
                stats["lags_ms"], stats["median_lag_ms"] = found, found[1]

    def _order_within(self, updates: Sequence[Update], steps_back: str) -> None:
        """Count what goes back within the updates or samples of a contract."""
        for earlier, later in pairwise(updates):
            self.stats[steps_back] += later.update_id < earlier.update_id
            self.stats["repeats"] += later.update_id == earlier.update_id and steps_back == "steps_back"
            self.stats["event_times_back"] += -1 < later.event_time < earlier.event_time
            self.stats["transaction_times_back"] += -1 < later.transaction_time < earlier.transaction_time

    def _pace(self, own: Sequence[Update], samples: Sequence[Update]) -> None:
        """Measure how often a contract comes, and look for what its samples and books show among its own updates."""
        stats, series, seconds = self.stats, self.series, (self.ended_at or 0.0) - self.opened_at
        distances = [later.at - earlier.at for earlier, later in pairwise(own)]
        series["own"] += distances
        series["fastest"] += [median(distances)] if len(distances) >= ENOUGH_DISTANCES else []
        series["busy" if len(own) >= BUSY_FROM * seconds else "quiet"] += [
            later.at - earlier.at for earlier, later in pairwise(samples)
        ]
        changes = [later for earlier, later in pairwise(samples) if later.update_id > earlier.update_id]
        stats["changes_sampled"] += len(changes)
        if not own:
            stats.setdefault("silent_own", set()).update(change.symbol for change in changes[1:])
            return
        brought = {update.update_id: update.at for update in reversed(own)}
        oldest, newest = min(brought), max(brought)
        for change in changes:
            if change.update_id in brought:
                series["ahead"].append((brought[change.update_id] - change.at) * 1000)
            elif change.update_id > newest:
                stats["samples_overdue"] += self.opened_at + seconds - change.at >= OVERDUE_AFTER
            else:
                stats["samples_missing"] += change.update_id > oldest
        books = stats["books"] if own[0].symbol == LISTED and stats["books"] else []
        stats["books_compared"] += sum(oldest <= book <= newest for book in books)
        stats["books_missing"] += sum(oldest <= book <= newest and book not in brought for book in books)


def conclude(stats: Stats, recorders: Sequence[Recorder]) -> None:
    """Add the medians, and what only all connections together tell; every recorder has ended."""
    series: dict[str, list[float]] = defaultdict(list)
    for each in recorders:
        for name, found in each.series.items():
            series[name] += found
    sampled = series["busy"] or series["quiet"]
    sizes = [size for size, count in sorted((stats["sizes"] or {}).items()) for _ in range(count)]
    for key, values, digits, fold in (
        ("median_sample_distance", sampled, 2, median),
        ("median_own_distance", series["own"], 3, median),
        ("fastest_own_distance", series["fastest"], 3, min),
        ("median_ping_interval", series["pings"], 1, median),
        ("furthest_ahead_ms", series["ahead"], None, max),
        ("median_ahead_ms", series["ahead"], None, median),
        ("median_bytes", sizes, None, median_high),
    ):
        if values:
            stats[key] = round(fold(values), digits)
    stats["sample_distances"], stats["ping_intervals"] = len(sampled), len(series["pings"])
    stats["samples_compared"] = len(series["ahead"]) + stats["samples_missing"] + stats["samples_overdue"]
    stats["silent_own"] = sorted(stats["silent_own"] or ())
    for first, second in pairwise(sorted(recorders, key=lambda each: (each.address["label"], each.opened_at))):
        if first.address is second.address:
            compare(stats, first, second)


def compare(stats: Stats, first: Recorder, second: Recorder) -> None:
    """Count what two connections to an address brought of what was pushed while both were open, by event times."""
    both = {
        stream for stream, since in first.listening.items() if since <= second.opened_at == second.listening.get(stream)
    }
    one, other = (
        {
            (update.symbol, update.update_id): update.event_time
            for update in each.own
            if update.at >= second.opened_at and own_stream(update.symbol) in both
        }
        for each in (first, second)
    )
    if one and other:
        begin = max(min(one.values()), min(other.values())) + MARGIN_MS
        end = min(max(one.values()), max(other.values())) - MARGIN_MS
        old, new = ({key for key, moment in keys.items() if begin <= moment <= end} for keys in (one, other))
        stats["overlap_seconds"] += max(end - begin, 0) / 1000
        stats["over_both"] += len(old & new)
        stats["only_over_first"] += len(old - new)
        stats["only_over_second"] += len(new - old)


def faults_of(found: Mapping[str, Any], types: Mapping[str, type], optional: Sequence[str] = ()) -> list[str]:
    """Return the keys that are missing, or hold something else than they should.

    >>> faults_of({"s": 1, "ot": 1.5, "cs": "TRADING"}, CONTRACT_INFO_TYPES)
    ['s: integer', 'ot: number', 'dt: missing']
    """
    return [
        f"{key}: {JSON_NAMES.get(type(found[key]), 'object') if key in found else 'missing'}"
        for key, kind in types.items()
        if type(found.get(key)) is not kind and (key in found or key not in optional)
    ]
