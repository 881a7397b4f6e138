"""The event loop over all feeds: what fails in it, and the thread that turns it. Whatever else it does is simulated."""

from __future__ import annotations

from typing import Any

import pytest

from source_binance_futures.binance.endpoints import PRODUCTION, Market
from source_binance_futures.binance.market_stream.items import Failed, Gap
from source_binance_futures.binance.market_stream.reader import MarketStream, WakingSelector
from source_binance_futures.binance.market_stream.subscriptions import EndpointGroup
from source_binance_futures.binance.transport.proxy import Route

from .virtual_time import VirtualTime


def never_ends(*_arguments: Any) -> None:
    """An attempt that leads to nothing."""


def market_stream(**options: Any) -> Any:
    clock = VirtualTime().clock()
    options = {"standby": False, "window_ends": clock.monotonic() + 60, "opening": never_ends, **options}
    groups = [EndpointGroup(PRODUCTION.bases(market), frozenset([market]), (), True, True) for market in Market]
    return MarketStream(groups, Route(), clock, **options)


def taken(market: MarketStream) -> list[Any]:
    items = []
    while (item := market.take(0)) is not None:
        items.append(item)
    return items


def test_an_error_that_nobody_foresaw_ends_the_stream_and_is_handed_over() -> None:
    error = RuntimeError("nobody foresaw this")

    def fail(*_arguments: Any) -> None:
        raise error

    loop = market_stream(opening=fail)
    loop.open()
    assert loop.turn() is False
    assert taken(loop)[-1] == Failed(error)
    assert loop.turn() is False, "it is over"
    assert taken(loop) == []


def test_what_fails_while_it_ends_spares_the_other_feeds_and_comes_after_the_reason(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reason, another = RuntimeError("the reason"), RuntimeError("while it ends")

    def fail(_now: float) -> None:
        raise another

    loop = market_stream()
    loop.open()
    loop.turn()
    first, second = loop.feeds
    monkeypatch.setattr(first, "end", fail)
    loop.end(reason)
    items = taken(loop)
    assert [item.error for item in items if isinstance(item, Failed)] == [reason, another]
    assert not second.machine.lines
    assert loop.selector.get_map() is None
    assert not any(isinstance(item, Gap) for item in items), "nothing was missing"


def test_what_a_feed_does_not_take_is_followed_over_one_more() -> None:
    market = market_stream()
    market.open()
    market.groups[0].feeds.append(["ethusd_perp@bookTicker"])
    market.turn()
    assert [feed.group for feed in market.feeds] == [market.groups[0], market.groups[1], market.groups[0]]
    assert market.feeds[2].machine.name == "Connection 3 of 3 (dstream.binance.com)"
    market.end()


def test_a_thread_turns_it_until_it_is_stopped() -> None:
    market = market_stream()
    market.start()
    market.start()
    thread = market._thread
    market.stop()
    thread.join(60)
    assert not thread.is_alive()
    assert market.selector.get_map() is None


def test_a_read_waits_for_its_connections_for_a_moment_only() -> None:
    market = market_stream()
    market.open()
    began = market.clock.monotonic()
    market.wait_for_connections(0.5)
    assert market.clock.monotonic() - began == pytest.approx(0.5, abs=0.01)
    for feed in market.feeds:
        feed.machine.opened(0, began)
    market.wait_for_connections(0.5)
    assert market.clock.monotonic() - began == pytest.approx(0.5, abs=0.01), "they are there"
    market.end()


def test_a_thread_leaves_what_has_ended_by_itself() -> None:
    def fail(*_arguments: Any) -> None:
        raise RuntimeError("nobody foresaw this")

    market = market_stream(opening=fail)
    market.start()
    market._thread.join(60)
    assert isinstance(taken(market)[-1], Failed)
    market.stop()


def test_another_thread_can_wake_a_selector_once() -> None:
    selector = WakingSelector()
    selector.wake()
    assert [key.data for key, _ in selector.select(60)] == [None]
    assert selector.select(0) == []
    selector.close()
    selector.wake()
