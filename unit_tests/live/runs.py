"""The facts of a run in which Binance is as it is believed to be, and ways to change them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from source_binance_futures.live.facts import (
    AddressFacts,
    ContentFacts,
    Facts,
    LineFacts,
    OrderFacts,
    OverlapFacts,
    PaceFacts,
    PingFacts,
    PriceFacts,
    SampleFacts,
    SubscriptionFacts,
)

COIN_M, USDS_M = "COIN-M", "USDⓈ-M"
DSTREAM, FSTREAM = "wss://dstream.binance.com", "wss://fstream.binance.com"

ORDER = OrderFacts(
    frames=9000,
    contracts=30,
    by_market={COIN_M: 9000},
    neighbours=8000,
    neighbours_back=800,
    farthest_back_ms=79,
)
LINE = LineFacts(
    DSTREAM,
    COIN_M,
    seconds=180.0,
    frames=10000,
    bytes=2_000_000,
    busiest_second=1479,
    longest_silence=4.2,
    lags_ms=(3.0, 40.0, 90.0),
    own=ORDER,
    all_market=OrderFacts(frames=1000, contracts=780, by_market={COIN_M: 100, USDS_M: 900}),
    pace=PaceFacts(
        distances=300,
        median_distance=5.04,
        own_distances=8000,
        own_median_distance=0.2,
        own_fastest=0.01,
        own_frames=9000,
        changes_sampled=300,
    ),
    samples=SampleFacts(compared=300, ahead_ms=80.0, ahead_median_ms=-20.0),
    content=ContentFacts(frames=10000, median_bytes=170, largest_bytes=190),
    pings=PingFacts(count=2, distances=(180.0,), offsets_ms=(30.0, 31.0), asked=9, answered=9, slowest_pong=0.3),
    subscriptions=(
        SubscriptionFacts("contracts", answered_after=0.2, listened=170.0, frames=5000),
        SubscriptionFacts("unknown", answered_after=0.2, listened=160.0),
        SubscriptionFacts("uppercase", answered_after=0.2, listened=160.0),
        SubscriptionFacts("cross", answered_after=0.2, listened=160.0),
    ),
)
GOOD = Facts(
    "production",
    1_790_000_000_000,
    180.0,
    connections=7,
    addresses=(
        AddressFacts(DSTREAM, (COIN_M,), opened=True, seconds=180.0, samples=1000, own=9000),
        AddressFacts(f"{DSTREAM}/public", (COIN_M,), opened=True, seconds=20.0, samples=100, own=900),
        AddressFacts(f"{FSTREAM}/public", (USDS_M,), opened=True, seconds=180.0, samples=1000, own=9000),
        AddressFacts(FSTREAM, (USDS_M,), wrong_path=True, opened=True, seconds=20.0),
    ),
    lines=(LINE,),
    overlap=OverlapFacts(seconds=10.0, both=500),
    prices=PriceFacts(
        one_fault="",
        all_fault="",
        rows=850,
        weight_one=1,
        weight_all=2,
        weight_handshake=5,
        weight_limit=2400,
        unknown_status=400,
        unknown_code=-1121,
    ),
)
NOTHING = Facts("production", 1_790_000_000_000, 0.0)


def with_line(**changes: Any) -> Facts:
    """The good run with another connection to COIN-M's host."""
    return replace(GOOD, lines=(replace(LINE, **changes),))


def with_part(part: str, **changes: Any) -> Facts:
    """The good run where one part of what that connection brought is another."""
    return with_line(**{part: replace(getattr(LINE, part), **changes)})


def with_address(position: int, **changes: Any) -> Facts:
    addresses = list(GOOD.addresses)
    addresses[position] = replace(addresses[position], **changes)
    return replace(GOOD, addresses=tuple(addresses))


def with_prices(**changes: Any) -> Facts:
    return replace(GOOD, prices=replace(GOOD.prices, **changes))


def with_subscription(kind: str, **changes: Any) -> Facts:
    changed = [replace(each, **changes) if each.kind == kind else each for each in LINE.subscriptions]
    return with_line(subscriptions=tuple(changed))


def with_overlap(**changes: Any) -> Facts:
    assert GOOD.overlap is not None
    return replace(GOOD, overlap=replace(GOOD.overlap, **changes))
