"""Which contracts there are, which of them are followed, and over which feed. Pure.

A feed is one address with at most 200 streams, kept alive by connections of its own. A *venue* is all that is followed
at one host: the feeds that its contracts fill, the first of them with the all-market stream, which tells what there is.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date

from ..endpoints import ALL_MARKET_STREAM, Environment, Market, is_expired, market_of, own_stream

MOST_STREAMS = 200  # of one connection, by the older and smaller of Binance's two figures [binance-facts 1]
MOST_CONTRACTS = 2000  # of one venue; Binance lists about 800, and a server that invents names must not fill the memory


@dataclass(frozen=True)
class Venue:
    """What is listened to at one host.

    `bases` are where it may be found, `symbols` the contracts that are followed from the first moment. With
    `all_market` the first feed brings the all-market stream too. With `discovers` contracts of `markets` that appear in
    it are followed as well; without, it is taken as it comes where no symbols are given.
    """

    bases: tuple[str, ...]
    markets: frozenset[Market]
    symbols: tuple[str, ...] = ()
    all_market: bool = False
    discovers: bool = False


@dataclass(frozen=True)
class Wishes:
    """What a user wants of the market stream."""

    symbols: tuple[str, ...] = ()  # empty: all
    include_usds_margined: bool = False
    every_change: bool = True

    @property
    def discovers(self) -> bool:
        """Whether contracts are followed as they appear in the all-market stream."""
        return self.every_change and not self.symbols

    def wants(self, symbol: str, market: Market) -> bool:
        """Whether a contract that appears in the all-market stream is asked for."""
        if self.symbols:
            return symbol in self.symbols
        return self.include_usds_margined or market is Market.COIN_M


def venues_of(wishes: Wishes, environment: Environment, known: Iterable[str], today: date) -> list[Venue]:
    """The venues that fulfil `wishes`; `known` are the contracts of the state."""
    if not wishes.every_change:
        return [Venue(environment.coin_m_bases, frozenset(Market), all_market=True)]
    if wishes.symbols:
        return _of_named(wishes.symbols, environment)
    markets = [Market.COIN_M, Market.USDS_M] if wishes.include_usds_margined else [Market.COIN_M]
    together: dict[tuple[str, ...], list[Market]] = {}
    for market in markets:
        together.setdefault(environment.bases(market), []).append(market)
    listed = [symbol for symbol in known if not is_expired(symbol, today)]
    return [
        Venue(
            bases,
            frozenset(found),
            tuple(symbol for symbol in listed if market_of(symbol) in found)[:MOST_CONTRACTS],
            all_market=True,
            discovers=True,
        )
        for bases, found in together.items()
    ]


def _of_named(symbols: Iterable[str], environment: Environment) -> list[Venue]:
    together: dict[tuple[str, ...], list[str]] = {}
    for symbol in symbols:
        together.setdefault(environment.bases(market_of(symbol)), []).append(symbol)
    return [Venue(bases, frozenset(map(market_of, found)), tuple(found)) for bases, found in together.items()]


@dataclass
class FeedPlan:
    """The streams of one feed, in the order in which they are asked for. It only grows."""

    bases: tuple[str, ...]
    streams: list[str] = field(default_factory=list)

    @property
    def follows_contracts(self) -> bool:
        return self.streams != [ALL_MARKET_STREAM]


class Contracts:
    """The contracts of one venue, spread over as many feeds as they take."""

    def __init__(self, venue: Venue, today: date) -> None:
        self.feeds: list[FeedPlan] = []
        self._venue = venue
        self._today = today
        self._followed: set[str] = set()
        if venue.all_market:
            self.feeds.append(FeedPlan(venue.bases, [ALL_MARKET_STREAM]))
        for symbol in venue.symbols:
            self._follow(symbol)

    @property
    def markets(self) -> frozenset[Market]:
        return self._venue.markets

    @property
    def follows(self) -> bool:
        """Whether contracts are followed by their own streams, now or once they appear."""
        return self._venue.discovers or bool(self._venue.symbols)

    def appeared(self, symbol: str, market: Market) -> bool:
        """A contract was seen in the all-market stream; True if it is followed from here on and was not before."""
        if not self._venue.discovers or market not in self._venue.markets or symbol in self._followed:
            return False
        if len(self._followed) >= MOST_CONTRACTS or is_expired(symbol, self._today):
            return False
        self._follow(symbol)
        return True

    def _follow(self, symbol: str) -> None:
        if symbol in self._followed:
            return
        self._followed.add(symbol)
        if not self.feeds or len(self.feeds[-1].streams) >= MOST_STREAMS:
            self.feeds.append(FeedPlan(self._venue.bases))
        self.feeds[-1].streams.append(own_stream(symbol))
