"""What a run has seen: flat counters, and the recorders that fill them from the frames of each connection. Pure.

Nothing here says anything of the user: no address of theirs, no text of an error, no request weight that other programs
used. Moments are seconds since 1970 UTC.
"""

from __future__ import annotations

import re
from collections import Counter, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import median
from typing import Any

from orjson import loads

from ..binance.endpoints import ALL_MARKET_STREAM, Market, market_of, own_stream
from ..binance.market_stream.coverage import SETTLED_AFTER_US
from ..binance.market_stream.messages import (
    COIN_M_SYMBOL_TYPE,
    WIRE_KEYS,
    MalformedFrame,
    OtherFrame,
    market_of_book_ticker,
    parse_frame,
)
from ..binance.transport.framing import PING, PONG, ControlFrame

CONTRACT_INFO_STREAM = "!contractInfo"
LISTED = "BTCUSDT"  # the contract that the WebSocket API is asked for
SETTLED_AFTER = SETTLED_AFTER_US / 1e6  # seconds after an own stream's first frame
OVERDUE_AFTER = 10.0  # seconds after which a sample's update that has not come at the end will not come any more
REMEMBERED = 8192  # updates of each contract
KEPT, MOST_LAGS, MOST_KEYS = 200, 50_000, 300_000  # distances of a contract, lags and updates of a connection
MOST_CONTRACTS = 5000  # Binance lists about 800; a server that invents names must not fill the memory
MOST_KINDS = 30  # of odd things that are counted apart
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

Key = tuple[str, int, int]  # symbol, update id, event time (ms)


@dataclass
class AddressStats:
    """One address that was asked. `failure` is the kind of error where no connection came about.

    `route` is "plain" or "market" for fstream without /public, and for the path of the other kinds of streams.
    """

    label: str
    markets: tuple[str, ...]
    route: str = ""
    is_ours: bool = True  # the connector uses it
    opened: bool = False
    failure: str | None = None
    status: int | None = None  # of HTTP, where that was the answer
    seconds: float = 0.0  # listened to
    samples: int = 0  # frames of the all-market stream
    own_updates: int = 0  # frames of contracts' own streams


@dataclass
class MessageStats:
    """One control message: `kind` is contracts, unknown, uppercase, cross or info."""

    kind: str
    answered_after: float | None = None  # seconds
    error: bool = False
    listened: float = 0.0  # seconds from the message to the end
    frames: int = 0  # of the streams that it names


@dataclass
class Stats:
    """A whole run; counters are sums over its connections. A value that is None was not learned."""

    environment: str = ""
    started_ms: int = 0
    seconds: float = 0.0
    connections: int = 0  # attempts, of the market streams and the API
    stopped_early: bool = False
    addresses: list[AddressStats] = field(default_factory=list)
    messages: list[MessageStats] = field(default_factory=list)
    # connections
    connections_used: int = 0  # that brought data or were lost
    lost: Counter[str] = field(default_factory=Counter)  # by the kind of loss
    longest_listened: float = 0.0  # seconds, over one connection that brought data
    longest_silence: float = 0.0
    frames_a_second: float = 0.0  # over the busiest connection
    kilobytes_a_second: float = 0.0
    busiest_second: int = 0  # frames
    pings: int = 0
    odd_pings: int = 0  # no time in milliseconds, or one far from our clock
    farthest_ping_ms: float = 0.0
    ping_intervals: int = 0
    median_ping_interval: float | None = None
    pings_sent: int = 0  # but for those that were still to be answered at the end
    unanswered_pings: int = 0
    slowest_pong: float = 0.0
    lags_ms: tuple[float, ...] = ()  # receipt minus E of own updates, worst connection: least, median, 99th percentile
    median_lag_ms: float | None = None
    overlap_seconds: float | None = None  # of two connections with the same streams
    over_both: int = 0
    only_over_first: int = 0
    only_over_second: int = 0
    # what the frames hold
    frames: int = 0  # book tickers
    unreadable_frames: int = 0
    wrong_types: Counter[str] = field(default_factory=Counter)  # by key, with what was found: `b: number`
    unknown_keys: Counter[str] = field(default_factory=Counter)
    other_frames: Counter[str] = field(default_factory=Counter)  # by event, or by the keys of what has none
    other_streams: Counter[str] = field(default_factory=Counter)  # that book tickers say they came over
    frames_without_st: int = 0
    contradicting_st: int = 0  # another market than the shape of the symbol says
    frames_without_ps: int = 0
    odd_books: int = 0  # crossed, or with an empty or zero price or quantity
    sizes: Counter[int] = field(default_factory=Counter)  # of payloads without the wrapper, in bytes
    median_bytes: int | None = None
    largest_bytes: int = 0
    contract_infos: int = 0
    contract_info_faults: Counter[str] = field(default_factory=Counter)
    markets: dict[str, Counter[str]] = field(default_factory=dict)  # of samples, by the host that brought them
    sampled_for: dict[str, float] = field(default_factory=dict)  # by host, seconds of a connection that was not silent
    # order and pace
    own_updates: int = 0
    steps_back: int = 0  # of a contract's update id over its own stream
    repeats: int = 0
    samples: int = 0
    sample_steps_back: int = 0
    event_times_back: int = 0  # of one contract
    transaction_times_back: int = 0
    neighbours: int = 0  # own updates after one of another contract
    neighbours_back: int = 0  # of them, with a smaller id
    farthest_back_ms: int = 0  # of an event time, behind the latest of any contract
    sample_distances: int = 0  # between two samples of a busy contract
    median_sample_distance: float | None = None
    median_own_distance: float | None = None
    fastest_own_distance: float | None = None  # the smallest of the contracts' medians
    changes_sampled: int = 0  # samples with another id than the one before
    silent_own: list[str] = field(default_factory=list)  # changed by their samples, the own stream brought nothing
    samples_compared: int = 0
    samples_missing: int = 0  # the own stream went past them
    samples_overdue: int = 0
    furthest_ahead_ms: int | None = None  # by which a sample came before its own stream brought the update
    median_ahead_ms: int = 0
    # the WebSocket API
    price_failure: str | None = None  # the kind of the error that ended the asking, or the status of HTTP
    one_answer: str | None = None  # what is wrong with an answer, or "as documented"
    all_answer: str | None = None
    unknown_answer: str | None = None
    rows: int = 0
    coin_m_rows: int = 0
    price_weights: tuple[int, int] | None = None  # of one symbol, of all
    handshake_weight: int | None = None
    weight_limit: int | None = None
    books: list[int] = field(default_factory=list)  # `lastUpdateId`
    book_faults: Counter[str] = field(default_factory=Counter)
    books_compared: int = 0
    books_missing: int = 0  # the own stream brought ids before and after, not this one


class _Series:
    """The frames of one contract over one kind of stream."""

    __slots__ = ("at", "distances", "event_time", "frames", "transaction_time", "update_id")

    def __init__(self) -> None:
        self.update_id = self.event_time = self.transaction_time = -1
        self.frames = 0
        self.at: float | None = None
        self.distances: list[float] = []

    def count(self, update_id: int, at: float) -> None:
        self.frames += 1
        self.update_id = update_id
        if self.at is not None and len(self.distances) < KEPT:
            self.distances.append(at - self.at)
        self.at = at


class _Seen:
    """One contract over one connection. The connector compares its samples too, see `market_stream/samples.py`."""

    __slots__ = ("brought", "changes", "followed_at", "newest", "own", "own_since", "sampled", "settled", "waiting")

    def __init__(self) -> None:
        self.own, self.sampled = _Series(), _Series()
        self.settled = _Series()  # samples that came well after the own stream was asked for
        self.followed_at: float | None = None
        self.own_since: float | None = None
        self.newest = -1
        self.changes = 0
        self.brought: dict[int, float] = {}  # own updates
        self.waiting: dict[int, float] = {}  # samples whose update has not come yet


class Recorder:
    """Counts what one connection to a host (named by its market) brings."""

    def __init__(self, stats: Stats, host: str, opened_at: float) -> None:
        self.stats = stats
        self.opened_at, self.seconds = opened_at, 0.0
        self.first_own_at: float | None = None
        self.own_updates = self.samples = self.data = 0
        self.streams: Counter[str] = Counter()  # book tickers by the stream that brought them
        self.newcomers: list[tuple[str, Market]] = []  # contracts new in the all-market stream, to be taken out
        self.keys: list[Key] | None = None  # own updates, kept while two connections are compared
        self._host = host
        self._bytes = 0
        self._last_at = opened_at
        self._silence = 0.0
        self._second, self._in_second = 0, 0
        self._lags: deque[float] = deque(maxlen=MOST_LAGS)
        self._ahead: deque[float] = deque(maxlen=MOST_LAGS)
        self._last: tuple[str, int] | None = None
        self._latest_event_time = -1
        self._contracts: dict[str, _Seen] = {}
        self._book_ids: set[int] = set()
        self._pings: list[float] = []
        self._pongs: list[float] = []
        self._pinged: list[float] = []

    def follow(self, symbol: str, at: float) -> None:
        """Note that a contract's own stream is listened to from now on."""
        seen = self._seen(symbol)
        if seen is not None and seen.followed_at is None:
            seen.followed_at = at

    def pinged(self, at: float) -> None:
        """Note a ping of ours."""
        self._pinged.append(at)

    def controls(self, controls: Iterable[ControlFrame], at: float) -> None:
        """Count pings of the server and its answers to ours."""
        for opcode, payload in controls:
            if opcode == PONG:
                self._pongs.append(at)
            elif opcode == PING:
                self.stats.pings += 1
                self._pings.append(at)
                offset = at * 1000 - int(payload) if payload.isdigit() else float("inf")
                if abs(offset) > PING_CLOCK_MS:
                    self.stats.odd_pings += 1
                else:
                    self.stats.farthest_ping_ms = max(self.stats.farthest_ping_ms, round(abs(offset)))

    def take(self, payloads: Iterable[bytes], at: float) -> None:
        """Count the data frames of one read; answers to control messages are not among them."""
        for payload in payloads:
            self._count(len(payload), at)
            try:
                found, stream = parse_frame(payload)
            except MalformedFrame:
                self.stats.unreadable_frames += 1
                continue
            except OtherFrame:
                self._other(loads(payload))
                continue
            stream = stream if isinstance(stream, str) else "no wrapper"
            if stream in self.streams or len(self.streams) < MOST_CONTRACTS:
                self.streams[stream] += 1
            self._content(found, len(payload) - WRAPPER - len(stream.encode()))
            seen = self._seen(found["s"])
            if seen is None:
                continue
            if stream == ALL_MARKET_STREAM:
                self._sample(seen, found, at)
            elif stream == own_stream(found["s"]):
                self._own(seen, found, at)
            else:
                _count(self.stats.other_streams, stream)

    def _seen(self, symbol: str) -> _Seen | None:
        if symbol not in self._contracts and len(self._contracts) < MOST_CONTRACTS:
            self._contracts[symbol] = _Seen()
        return self._contracts.get(symbol)

    def _count(self, size: int, at: float) -> None:
        self.data += 1
        self._bytes += size
        self._silence = max(self._silence, at - self._last_at)
        self._last_at = at
        if int(at) != self._second:
            self._second, self._in_second = int(at), 0
        self._in_second += 1
        self.stats.busiest_second = max(self.stats.busiest_second, self._in_second)

    def _other(self, frame: Any) -> None:
        frame = frame["data"] if isinstance(frame, dict) and "stream" in frame else frame
        if isinstance(frame, dict) and frame.get("e") == "contractInfo":
            self.stats.contract_infos += 1
            for fault in faults_of(frame, CONTRACT_INFO_TYPES):
                _count(self.stats.contract_info_faults, fault)
            return
        event = frame.get("e") if isinstance(frame, dict) else None
        keys = ", ".join(sorted(frame)) if isinstance(frame, dict) else type(frame).__name__
        _count(self.stats.other_frames, f"keys {keys}" if event is None else str(event))

    def _content(self, found: Mapping[str, Any], size: int) -> None:
        stats = self.stats
        stats.frames += 1
        stats.sizes[min(size, 4096)] += 1
        stats.largest_bytes = max(stats.largest_bytes, size)
        faults = faults_of(found, TYPES, OPTIONAL)
        faults += [f"{key}: no decimal" for key in BOOK if type(found.get(key)) is str and _is_no_decimal(found[key])]
        for fault in faults:
            _count(stats.wrong_types, fault)
        for key in found.keys() - WIRE_KEYS:
            _count(stats.unknown_keys, key)
        stats.frames_without_ps += "ps" not in found
        stats.frames_without_st += "st" not in found
        if "st" in found:
            known = found["st"] in (1, COIN_M_SYMBOL_TYPE)
            stats.contradicting_st += not known or market_of_book_ticker(found) is not market_of(found["s"])
        if not faults:
            stats.odd_books += not all(found[key] and float(found[key]) for key in BOOK) or (
                float(found["b"]) >= float(found["a"])
            )

    def _sample(self, seen: _Seen, found: Mapping[str, Any], at: float) -> None:
        stats, update_id, before = self.stats, found["u"], seen.sampled.update_id
        self.samples += 1
        stats.samples += 1
        market = market_of_book_ticker(found)
        stats.markets.setdefault(self._host, Counter())[market.value] += 1
        if not seen.sampled.frames:
            self.newcomers.append((found["s"], market))
        stats.sample_steps_back += update_id < before
        self._times(seen.sampled, found)
        seen.sampled.count(update_id, at)
        if seen.followed_at is not None and at - seen.followed_at >= SETTLED_AFTER:
            seen.changes += 0 <= seen.settled.update_id < update_id
            seen.settled.count(update_id, at)
        if seen.own_since is None or at - seen.own_since < SETTLED_AFTER or not 0 <= before < update_id:
            return
        if update_id > seen.newest:
            if len(seen.waiting) < REMEMBERED:
                seen.waiting[update_id] = at
        elif update_id in seen.brought:
            self._ahead.append(seen.brought[update_id] - at)
            stats.samples_compared += 1
        elif update_id > next(iter(seen.brought)):
            self._lacks()

    def _own(self, seen: _Seen, found: Mapping[str, Any], at: float) -> None:
        stats, symbol, update_id = self.stats, found["s"], found["u"]
        self.own_updates += 1
        self.first_own_at = self.first_own_at or at
        stats.own_updates += 1
        stats.steps_back += update_id < seen.own.update_id
        stats.repeats += update_id == seen.own.update_id
        self._times(seen.own, found)
        event_time = found.get("E")
        if type(event_time) is int:
            self._latest_event_time = max(self._latest_event_time, event_time)
            stats.farthest_back_ms = max(stats.farthest_back_ms, self._latest_event_time - event_time)
            self._lags.append(at * 1000 - event_time)
            if self.keys is not None and len(self.keys) < MOST_KEYS:
                self.keys.append((symbol, update_id, event_time))
        if self._last is not None and self._last[0] != symbol:
            stats.neighbours += 1
            stats.neighbours_back += update_id < self._last[1]
        self._last = symbol, update_id
        if symbol == LISTED and len(self._book_ids) < MOST_KEYS:
            self._book_ids.add(update_id)
        seen.own.count(update_id, at)
        seen.own_since = at if seen.own_since is None else seen.own_since
        if update_id > seen.newest:
            self._bring(seen, update_id, at)

    def _bring(self, seen: _Seen, update_id: int, at: float) -> None:
        seen.newest = update_id
        seen.brought[update_id] = at
        if len(seen.brought) > REMEMBERED:
            del seen.brought[next(iter(seen.brought))]
        for waiting in [each for each in seen.waiting if each <= update_id]:
            sampled_at = seen.waiting.pop(waiting)
            if waiting == update_id:
                self._ahead.append(at - sampled_at)
                self.stats.samples_compared += 1
            else:
                self._lacks()

    def _lacks(self) -> None:
        self.stats.samples_compared += 1
        self.stats.samples_missing += 1

    def _times(self, series: _Series, found: Mapping[str, Any]) -> None:
        event_time, transaction_time = found.get("E"), found.get("T")
        if type(event_time) is int:
            self.stats.event_times_back += event_time < series.event_time
            series.event_time = event_time
        if type(transaction_time) is int:
            self.stats.transaction_times_back += transaction_time < series.transaction_time
            series.transaction_time = transaction_time

    def end(self, now: float, lost: str | None = None) -> None:
        """Add what can be counted only once the connection has ended; `lost` is the kind of loss, if it was one."""
        stats, seconds = self.stats, now - self.opened_at
        self.seconds = seconds
        silence = max(self._silence, now - self._last_at)
        stats.connections_used += bool(self.data or lost)
        if lost is not None:
            stats.lost[lost] += 1
        if self.data:
            stats.longest_listened = max(stats.longest_listened, seconds)
            stats.longest_silence = max(stats.longest_silence, silence)
            if self.data / max(seconds, 1) > stats.frames_a_second:
                stats.frames_a_second = self.data / max(seconds, 1)
                stats.kilobytes_a_second = self._bytes / max(seconds, 1) / 1000
        if self.samples:
            stats.sampled_for[self._host] = max(stats.sampled_for.get(self._host, 0.0), seconds - silence)
        lags = sorted(self._lags)
        if lags:
            found = tuple(round(lags[int(share * (len(lags) - 1))]) for share in (0, 0.5, 0.99))
            if stats.median_lag_ms is None or abs(found[1]) > abs(stats.median_lag_ms):
                stats.lags_ms, stats.median_lag_ms = found, found[1]
        overdue = sum(now - at >= OVERDUE_AFTER for seen in self._contracts.values() for at in seen.waiting.values())
        stats.samples_overdue += overdue
        stats.samples_compared += overdue
        for asked in self._pinged:
            answer = next((pong - asked for pong in self._pongs if pong >= asked), None)
            if answer is not None or now - asked >= PONG_WITHIN:
                is_late = answer is None or answer > PONG_WITHIN
                stats.pings_sent += 1
                stats.unanswered_pings += is_late
                stats.slowest_pong = max(stats.slowest_pong, 0.0 if answer is None or is_late else round(answer, 3))


def conclude(stats: Stats, recorders: Sequence[Recorder]) -> None:
    """Add the medians, and what only all connections together tell; every recorder has ended."""
    seen = [(each, recorder) for recorder in recorders for each in recorder._contracts.values()]
    followed = [(each, recorder) for each, recorder in seen if each.followed_at is not None]
    busy = [each for each, recorder in followed if each.own.frames >= BUSY_FROM * recorder.seconds] or [
        each for each, _ in followed
    ]
    sampled = [distance for each in busy for distance in each.settled.distances]
    own = [distance for each, _ in followed for distance in each.own.distances]
    fast = [median(each.own.distances) for each, _ in followed if len(each.own.distances) >= ENOUGH_DISTANCES]
    ahead = [lead for recorder in recorders for lead in recorder._ahead]
    intervals = [later - earlier for recorder in recorders for earlier, later in pairwise(recorder._pings)]
    stats.sample_distances, stats.ping_intervals = len(sampled), len(intervals)
    stats.median_sample_distance = round(median(sampled), 2) if sampled else None
    stats.median_own_distance = round(median(own), 3) if own else None
    stats.fastest_own_distance = round(min(fast), 3) if fast else None
    stats.median_ping_interval = round(median(intervals), 1) if intervals else None
    stats.changes_sampled = sum(each.changes for each, _ in followed)
    stats.silent_own = sorted(
        {
            symbol
            for recorder in recorders
            for symbol, each in recorder._contracts.items()
            if each.changes > 1 and not each.own.frames
        }
    )
    if ahead:
        stats.furthest_ahead_ms, stats.median_ahead_ms = round(max(ahead) * 1000), round(median(ahead) * 1000)
    stats.median_bytes = sorted(stats.sizes.elements())[stats.sizes.total() // 2] if stats.sizes else None
    for recorder in recorders:
        ids = recorder._book_ids
        within = [book for book in stats.books if ids and min(ids) <= book <= max(ids)]
        stats.books_compared += len(within)
        stats.books_missing += sum(book not in ids for book in within)


def compare(stats: Stats, first: Iterable[Key], second: Iterable[Key]) -> None:
    """Count what two connections brought of what was pushed while both were open, by the event times of the frames."""
    first, second = list(first), list(second)
    stats.overlap_seconds = 0.0
    if first and second:
        begin = max(min(key[2] for key in first), min(key[2] for key in second)) + MARGIN_MS
        end = min(max(key[2] for key in first), max(key[2] for key in second)) - MARGIN_MS
        one, other = ({key[:2] for key in keys if begin <= key[2] <= end} for keys in (first, second))
        stats.overlap_seconds = max(end - begin, 0) / 1000
        stats.over_both, stats.only_over_first, stats.only_over_second = (
            len(one & other),
            len(one - other),
            len(other - one),
        )


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


def _is_no_decimal(text: str) -> bool:
    return bool(text) and not DECIMAL.match(text)


def _count(counter: Counter[str], kind: str) -> None:
    kind = kind[:60]
    if kind in counter or len(counter) < MOST_KINDS:
        counter[kind] += 1
