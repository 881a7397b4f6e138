"""What was observed, as plain numbers: what the looking hands to the judging. Pure.

Nothing here tells of the user: no address of theirs, no error's text, no request weight that other programs used.
Lengths of time are seconds, lags and leads milliseconds, moments milliseconds since 1970 UTC.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class AddressFacts:
    """One address that was asked. `failure` is the kind of error where no connection came about."""

    label: str
    markets: tuple[str, ...]
    wrong_path: bool = False
    opened: bool = False
    failure: str | None = None
    status: int | None = None  # of HTTP, where that was the answer
    seconds: float = 0.0  # listened to
    samples: int = 0  # frames of the all-market stream
    own: int = 0  # frames of contracts' own streams

    @property
    def brought(self) -> int:
        return self.samples + self.own


@dataclass(frozen=True)
class OrderFacts:
    """The order of the frames of one kind of stream over one connection."""

    frames: int = 0
    contracts: int = 0
    by_market: Mapping[str, int] = field(default_factory=dict)
    steps_back: int = 0  # of a contract's update id
    repeats: int = 0  # of a contract's update id
    event_times_back: int = 0  # of one contract
    transaction_times_back: int = 0
    neighbours: int = 0  # frames after one of another contract
    neighbours_back: int = 0  # of them, with a smaller id
    farthest_back_ms: int = 0  # of an event time, behind the latest of any contract


@dataclass(frozen=True)
class PaceFacts:
    """How often frames of contracts come whose own stream is followed over the same connection."""

    distances: int = 0  # between two frames of the all-market stream, of busy contracts
    median_distance: float = 0.0
    own_distances: int = 0  # between two frames of an own stream
    own_median_distance: float = 0.0
    own_fastest: float | None = None  # the smallest of the contracts' medians
    own_frames: int = 0
    changes_sampled: int = 0  # frames of the all-market stream with another id than the one before
    silent_own: tuple[str, ...] = ()  # contracts that changed by their samples, and whose own stream brought nothing


@dataclass(frozen=True)
class SampleFacts:
    """Samples that showed a change, looked for among the updates of the own stream over the same connection."""

    compared: int = 0
    missing: int = 0  # the own stream went past them
    overdue: int = 0  # it had not come to them at the end, for longer than `OVERDUE_AFTER`
    ahead_ms: float = 0.0  # by how much the furthest ran ahead of its own stream
    ahead_median_ms: float = 0.0  # of all; negative where own streams are earlier


@dataclass(frozen=True)
class ContentFacts:
    """What the frames hold: how many were odd in which way, with one example each."""

    frames: int = 0
    unreadable: int = 0
    wrong_types: Mapping[str, int] = field(default_factory=dict)  # by key, with what was found: `b: number`
    unknown_keys: Mapping[str, int] = field(default_factory=dict)
    other_frames: Mapping[str, int] = field(default_factory=dict)  # by event, or by the keys of what has none
    other_streams: Mapping[str, int] = field(default_factory=dict)  # that book tickers say they came over
    without_symbol_type: int = 0
    contradicting_symbol_type: int = 0  # `st` says another market than the shape of the symbol
    without_pair: int = 0
    odd_books: int = 0  # crossed, or with an empty or zero price or quantity
    median_bytes: int = 0  # of the payload, without the wrapper
    largest_bytes: int = 0


@dataclass(frozen=True)
class PingFacts:
    """Pings of the server: `offsets_ms` is our clock minus their payload, `odd` how many were no such number."""

    count: int = 0
    odd: int = 0
    distances: tuple[float, ...] = ()
    offsets_ms: tuple[float, ...] = ()
    asked: int = 0  # pings of ours, but for those that were still to be answered
    answered: int = 0
    slowest_pong: float = 0.0


@dataclass(frozen=True)
class SubscriptionFacts:
    """One control message: `kind` is contracts, unknown, uppercase or cross. `frames` came of the streams it named."""

    kind: str
    answered_after: float | None = None
    error: bool = False
    listened: float = 0.0  # seconds from the message to the end
    frames: int = 0


@dataclass(frozen=True)
class LineFacts:
    """One connection to the market streams."""

    label: str
    market: str
    seconds: float = 0.0
    frames: int = 0
    bytes: int = 0
    busiest_second: int = 0
    longest_silence: float = 0.0
    lost: str | None = None  # the kind of loss, where it was not left by us
    lags_ms: tuple[float, ...] = ()  # receipt minus event time of own streams: least, median, 99th percentile
    own: OrderFacts = field(default_factory=OrderFacts)
    all_market: OrderFacts = field(default_factory=OrderFacts)
    pace: PaceFacts = field(default_factory=PaceFacts)
    samples: SampleFacts = field(default_factory=SampleFacts)
    content: ContentFacts = field(default_factory=ContentFacts)
    pings: PingFacts = field(default_factory=PingFacts)
    subscriptions: tuple[SubscriptionFacts, ...] = ()


@dataclass(frozen=True)
class OverlapFacts:
    """What two connections with the same streams brought of what was pushed while both were open."""

    seconds: float = 0.0
    both: int = 0
    only_first: int = 0
    only_second: int = 0


@dataclass(frozen=True)
class PriceFacts:
    """What `ticker.price` answered. A number that is None was not learned."""

    failure: str | None = None  # the kind of the error that ended the asking
    status: int | None = None  # of HTTP, where that was the answer to the handshake
    one_fault: str | None = None  # what is wrong with the answer to one symbol; "" for nothing, None for not asked
    all_fault: str | None = None
    rows: int = 0
    coin_m_rows: int = 0
    weight_one: int | None = None
    weight_all: int | None = None
    weight_handshake: int | None = None
    weight_limit: int | None = None
    unknown_status: int | None = None  # the answer to a symbol that is not listed
    unknown_code: int | None = None


@dataclass(frozen=True)
class Facts:
    """A whole run."""

    environment: str
    started_ms: int
    seconds: float
    connections: int = 0  # attempts, of the market streams and the API
    stopped_early: bool = False
    addresses: tuple[AddressFacts, ...] = ()
    lines: tuple[LineFacts, ...] = ()
    overlap: OverlapFacts | None = None
    prices: PriceFacts = field(default_factory=PriceFacts)
