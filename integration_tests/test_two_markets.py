"""Contracts of both markets, each asked for on the host of its market, by name or all of them; and hosts that move."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import Any
from urllib.parse import unquote

import pytest

from local_exchange import LocalExchange, made_up_coin_m, made_up_usds_m
from local_exchange.addresses import SILENT_PREFIXES
from local_exchange.updates import own_stream
from source_binance_futures.binance.clock import Clock
from source_binance_futures.binance.endpoints import Market
from source_binance_futures.binance.market_stream import reader
from source_binance_futures.binance.market_stream.contracts import Venue
from source_binance_futures.binance.market_stream.items import Batch, Item
from source_binance_futures.binance.market_stream.messages import NoBookTicker, parse_frame
from source_binance_futures.binance.market_stream.reader import MarketStream
from source_binance_futures.binance.transport.route import Route

from .harness.connector import Connector, Output, side_by_side
from .harness.driving import Driven
from .harness.judging import judge, not_overtaken, own_records, uncovered

RATE = 1000.0
COIN_M, USDS_M = made_up_coin_m(30), made_up_usds_m(20)
NAMED = ["btcusd_perp", "ETHUSD_PERP", "BTCUSDT", "ethusdt", "币安人生USDT"]
USDS_PREFIX = "/usds/public"

CLOCK = Clock()


class Sync:
    """A sync that follows what it is to follow, for some seconds, and has ended."""

    def __init__(
        self, connector: Connector, exchange: LocalExchange, symbols: list[str], *, seconds: float = 3, **options: Any
    ) -> None:
        self.exchange = exchange
        self.symbols = symbols
        before = len(exchange.every_connection)
        driven = Driven(connector, exchange, **{"book_ticker_symbols": [], **options})
        wanted = set(map(own_stream, symbols))

        def are_followed() -> bool:
            return wanted <= frozenset().union(*(connection.delivered for connection in exchange.connections))

        driven.wait_for(are_followed)
        self.followed_at = time.time()
        time.sleep(seconds)
        self.output: Output = driven.stop()
        self.connections = exchange.every_connection[before:]
        self.opened_at = time.time() - time.monotonic() + max(c.opened_at for c in self.connections)

    def asked_for(self, prefix: str) -> set[str]:
        """The streams that were asked for at the addresses with this prefix, by the address or by a message."""
        asked: set[str] = set()
        for connection in self.connections:
            if connection.address.prefix == prefix:
                asked.update(unquote(connection.path).partition("streams=")[2].split("/"))
                asked.update(*(message["params"] for _, message in connection.control_messages))
        return asked


def market(**options: Any) -> LocalExchange:
    return LocalExchange(**{"rate": RATE, "coin_m_symbols": COIN_M, "usds_m_symbols": USDS_M, **options})


def both(connector: Connector) -> tuple[Sync, Sync]:
    """All contracts of both markets, and once more with the state."""
    options = {"include_usds_margined": True, "usds_margined": True}
    with market() as exchange:
        first = Sync(connector, exchange, COIN_M + USDS_M, **options)
        return first, Sync(connector, exchange, COIN_M + USDS_M, state=[first.output.states[-1]], **options)


def one_host(connector: Connector) -> Sync:
    """Without `usds_margined_stream_url`: an exchange that has both markets at one address."""
    with market(cross_market=True, sample_every=1.0) as exchange:
        return Sync(connector, exchange, COIN_M + USDS_M, include_usds_margined=True)


def named(connector: Connector) -> Sync:
    with market(usds_m_symbols=[*USDS_M, "币安人生USDT"]) as exchange:
        symbols = [name.upper() for name in NAMED]
        return Sync(connector, exchange, symbols, usds_margined=True, book_ticker_symbols=NAMED)


@pytest.fixture(scope="module")
def syncs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Future[Any]]]:
    stories: list[Callable[[Connector], Any]] = [both, one_host, named]
    with side_by_side(tmp_path_factory.mktemp("markets"), {story.__name__: story for story in stories}) as futures:
        yield futures


def test_both_markets_are_followed_soon_and_lose_nothing_from_then_on(syncs: dict[str, Future[Any]]) -> None:
    first: Sync = syncs["both"].result(110)[0]
    assert first.followed_at - first.opened_at < 8, "a round of samples takes five seconds"
    assert {record["symbol"] for record in own_records(first.output)} == {*COIN_M, *USDS_M}
    for symbols in (COIN_M, USDS_M):
        verdict = judge(first.exchange, first.output, symbols=symbols, each_from_its_own=True)
        assert (verdict.lost, verdict.faults, verdict.gaps) == (0, (0, 0, 0), [])
    assert uncovered(first.exchange, first.output) == []


def test_with_the_state_nothing_is_lost_from_the_connections_on(syncs: dict[str, Future[Any]]) -> None:
    second: Sync = syncs["both"].result(110)[1]
    assert len(second.connections) == 2
    assert [connection.control_messages for connection in second.connections] == [[], []]
    for symbols in (COIN_M, USDS_M):
        verdict = judge(second.exchange, second.output, symbols=symbols, since=second.opened_at + 0.05)
        assert not_overtaken(verdict.untold, second.output) == []
        assert (verdict.lost - len(verdict.untold), verdict.faults[1:], verdict.gaps) == (0, (0, 0), [])


@pytest.mark.parametrize("number", [0, 1])
def test_each_market_is_asked_for_on_its_host_only(number: int, syncs: dict[str, Future[Any]]) -> None:
    sync: Sync = syncs["both"].result(110)[number]
    assert sync.asked_for("") == {"!bookTicker", *map(own_stream, COIN_M)}
    assert sync.asked_for(USDS_PREFIX) == {"!bookTicker", *map(own_stream, USDS_M)}
    assert {connection.address.prefix for connection in sync.connections} == {"", USDS_PREFIX}


def test_without_an_address_of_its_own_the_other_market_is_asked_for_at_the_first(
    syncs: dict[str, Future[Any]],
) -> None:
    sync: Sync = syncs["one_host"].result(110)
    assert {connection.address.prefix for connection in sync.connections} == {""}
    assert sync.asked_for("") == {"!bookTicker", *map(own_stream, COIN_M + USDS_M)}
    verdict = judge(sync.exchange, sync.output, each_from_its_own=True)
    assert (verdict.lost, verdict.faults, verdict.gaps) == (0, (0, 0, 0), [])


def test_named_contracts_of_both_markets_are_each_asked_for_on_their_host(syncs: dict[str, Future[Any]]) -> None:
    sync: Sync = syncs["named"].result(110)
    assert sync.asked_for("") == {"btcusd_perp@bookTicker", "ethusd_perp@bookTicker"}
    assert sync.asked_for(USDS_PREFIX) == {"btcusdt@bookTicker", "ethusdt@bookTicker", "币安人生usdt@bookTicker"}
    assert {symbol for symbol, _ in sync.output.updates} == set(sync.symbols)
    coin_m = {"BTCUSD_PERP", "ETHUSD_PERP"}
    for symbols in (coin_m, set(sync.symbols) - coin_m):
        verdict = judge(sync.exchange, sync.output, symbols=symbols, since=sync.opened_at + 0.05)
        assert (verdict.lost, verdict.faults, verdict.gaps) == (0, (0, 0, 0), [])
    assert uncovered(sync.exchange, sync.output) == []


class Heard:
    """What a market stream inside the test's own process handed over."""

    def __init__(
        self,
        exchange: LocalExchange,
        prefixes: tuple[str, ...],
        symbols: tuple[str, ...] = (),
        *,
        standby: bool = False,
    ) -> None:
        bases = tuple(exchange.market_stream_url + prefix for prefix in prefixes)
        venue = Venue(bases, frozenset({Market.COIN_M}), symbols, all_market=not symbols, discovers=not symbols)
        self.symbols: set[str] = set()
        self.texts: list[str] = []
        self._market = MarketStream([venue], Route(), CLOCK, standby=standby, window_ends=CLOCK.monotonic() + 100)

    def until(self, condition: Callable[[], object], seconds: float = 45.0) -> None:
        """Listens until the condition holds."""
        deadline = time.monotonic() + seconds
        self._market.start()
        try:
            while not condition():
                assert time.monotonic() < deadline, self.texts
                item = self._market.take(0.05)
                if item is not None:
                    self._hear(item)
        finally:
            self._market.stop()

    def _hear(self, item: Item) -> None:
        if not isinstance(item, Batch):
            self.texts.append(str(getattr(item, "text", item)))
            return
        for payload in item.payloads:
            with contextlib.suppress(NoBookTicker):
                self.symbols.add(parse_frame(payload)[0]["s"])

    @property
    def news(self) -> list[str]:
        return [text for text in self.texts if "brings data" in text]


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another address is tried after three seconds in place of ten."""
    monkeypatch.setattr(reader, "FIRST_PATIENCE", 3.0)


@pytest.mark.usefixtures("soon")
@pytest.mark.parametrize("how", ["silent", "missing"])
@pytest.mark.parametrize("symbols", [(), ("BTCUSD_PERP", "ETHUSD_PERP")])
def test_where_an_address_has_moved_the_next_one_is_used_and_told(how: str, symbols: tuple[str, ...]) -> None:
    prefixes: dict[str, Any] = {"silent_prefixes": {*SILENT_PREFIXES, ""}} if how == "silent" else {}
    prefixes |= {"missing_prefixes": {""}} if how == "missing" else {}
    with market(sample_every=1.0, **prefixes) as exchange:
        heard = Heard(exchange, ("", "/public"), symbols)
        wanted = set(symbols or COIN_M)
        heard.until(lambda: heard.symbols >= wanted and heard.news)
        first, second, *_ = [path for _, path, _ in exchange.handshakes]
        assert first.startswith("/stream")
        assert second.startswith("/public/stream")
        (news,) = heard.news
        assert f"{exchange.market_stream_url}/public brings data, and is used" in news


def test_where_the_known_address_brings_data_no_other_is_tried() -> None:
    with market(sample_every=1.0) as exchange:
        heard = Heard(exchange, ("", "/public"))
        began = time.monotonic()
        heard.until(lambda: heard.symbols >= set(COIN_M) and time.monotonic() - began > 3)
        assert [path.partition("/stream")[0] for _, path, _ in exchange.handshakes] == [""]
        assert heard.news == []


@pytest.mark.usefixtures("soon")
@pytest.mark.parametrize("standby", [False, True])
def test_a_quiet_market_may_be_heard_at_both_addresses_and_that_is_no_news(standby: bool) -> None:
    """Nothing is pushed at either until two connections are open."""
    with market(rate=0, sample_every=None) as exchange:
        heard = Heard(exchange, ("", "/public"), ("BTCUSD_PERP",), standby=standby)
        began = time.monotonic()

        def is_heard() -> bool:
            if time.monotonic() - began > 3.5 and len(exchange.connections) == 2:
                exchange.set_rate(300)
            return bool(heard.symbols) and time.monotonic() - began > 6.5

        heard.until(is_heard)
        asked = [path.partition("/stream")[0] for _, path, _ in exchange.handshakes]
        assert asked[:2] == ["", "/public"]
        assert len(asked) <= 3
        assert heard.news == [], "the address in use brings data"
