"""All that one connection to the market streams has brought, counted as it comes. Pure."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Mapping
from typing import Any

from orjson import loads

from ..binance.endpoints import ALL_MARKET_STREAM, Market, own_stream
from ..binance.market_stream.messages import MalformedFrame, OtherFrame, market_of_book_ticker, parse_frame
from .contents import Contents
from .facts import LineFacts
from .order import Order
from .overlap import MOST_KEYS, Key
from .pace import Pace
from .sampling import SampleComparison

WRAPPER = len('{"stream":"","data":}')  # bytes around a stream's name and its payload
LAGS_KEPT = 50_000
PERCENTILE = 0.99
NO_WRAPPER = "no wrapper"
MOST_STREAMS_SEEN = 5000
MOST_SYMBOLS = 5000  # Binance lists about 800


class Tape:
    """Takes payloads in the order in which they were read. `opened_at` and all moments are epoch seconds."""

    def __init__(self, opened_at: float) -> None:
        self.opened_at = opened_at
        self.last_at = opened_at  # of any data frame
        self.streams: Counter[str] = Counter()  # data frames by the stream that brought them, as the wrapper says
        self.own_frames = self.samples_frames = 0
        self.newcomers: list[tuple[str, Market]] = []  # what appeared in the all-market stream, to be taken out
        self.keys: list[Key] | None = None  # own updates, kept while two connections are compared
        self.own = Order()
        self.all_market = Order()
        self.pace = Pace()
        self.samples = SampleComparison()
        self.contents = Contents()
        self._seen: set[str] = set()
        self._frames = self._bytes = 0
        self._silence = 0.0
        self._second, self._in_second, self._busiest = 0, 0, 0
        self._lags: deque[float] = deque(maxlen=LAGS_KEPT)

    def take(self, payloads: Iterable[bytes], at: float) -> None:
        """The data frames of one read; answers to control messages are not among them."""
        for payload in payloads:
            self._count(len(payload), at)
            try:
                found, stream = parse_frame(payload)
            except MalformedFrame:
                self.contents.unreadable += 1
                continue
            except OtherFrame:
                self.contents.other_frame(_inner(payload))
                continue
            stream = stream if isinstance(stream, str) else NO_WRAPPER
            if stream in self.streams or len(self.streams) < MOST_STREAMS_SEEN:
                self.streams[stream] += 1
            self.contents.book_ticker(found, len(payload) - WRAPPER - len(stream.encode()))
            if stream == ALL_MARKET_STREAM:
                self.samples_frames += 1
                self._sample(found, at)
                self.all_market.take(found)
            elif stream == own_stream(found["s"]):
                self.own_frames += 1
                self._own(found["s"], found["u"], found.get("E"), at)
                self.own.take(found)
            else:
                self.contents.other_stream(stream)

    def _own(self, symbol: str, update_id: int, event_time: object, at: float) -> None:
        self.samples.own(symbol, update_id, at)
        self.pace.own(symbol, at)
        if type(event_time) is int:
            self._lags.append(at * 1000 - event_time)
            if self.keys is not None and len(self.keys) < MOST_KEYS:
                self.keys.append((symbol, update_id, event_time))

    def _sample(self, found: Mapping[str, Any], at: float) -> None:
        symbol, update_id = found["s"], found["u"]
        if symbol not in self._seen and len(self._seen) < MOST_SYMBOLS:
            self._seen.add(symbol)
            self.newcomers.append((symbol, market_of_book_ticker(found)))
        self.samples.sample(symbol, update_id, at)
        self.pace.sample(symbol, update_id, at)

    def _count(self, size: int, at: float) -> None:
        self._frames += 1
        self._bytes += size
        self._silence = max(self._silence, at - self.last_at)
        self.last_at = at
        if int(at) != self._second:
            self._second, self._in_second = int(at), 0
        self._in_second += 1
        self._busiest = max(self._busiest, self._in_second)

    def facts(self, label: str, market: str, now: float) -> LineFacts:
        """What there is, as far as it is known here: pings and subscriptions are added by who holds the connection."""
        seconds = now - self.opened_at
        return LineFacts(
            label,
            market,
            seconds=round(seconds, 1),
            frames=self._frames,
            bytes=self._bytes,
            busiest_second=self._busiest,
            longest_silence=round(max(self._silence, now - self.last_at), 1),
            lags_ms=_lags(self._lags),
            own=self.own.facts(),
            all_market=self.all_market.facts(),
            pace=self.pace.facts(seconds),
            samples=self.samples.facts(now),
            content=self.contents.facts(),
        )


def _lags(lags: Iterable[float]) -> tuple[float, ...]:
    found = sorted(lags)
    if not found:
        return ()
    return tuple(round(found[int(share * (len(found) - 1))], 1) for share in (0, 0.5, PERCENTILE))


def _inner(payload: bytes) -> object:
    frame = loads(payload)
    return frame["data"] if isinstance(frame, dict) and "stream" in frame else frame
