"""Which contracts there are, which of them are followed, over which feed, and what one connection listens to. Pure.

A feed is one address with at most 200 streams, kept alive by connections of its own. An endpoint group is all that is
followed at one host: the feeds that its contracts fill, the first of them with the all-market stream, which shows what
there is. A connection has the streams of its address, and asks for those that appear later by control messages
[binance-facts 1, 2.5]; Binance takes 10 of them a second, and these are few:

    {"method":"SUBSCRIBE","params":["btcusd_perp@bookTicker","ethusd_perp@bookTicker"],"id":1}
    {"result":null,"id":1}
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import NamedTuple

import orjson

from ..endpoints import ALL_MARKET_STREAM, Environment, Market, is_expired, market_of, own_stream
from ..text import sanitized

MOST_STREAMS = 200  # of one connection, by the older and smaller of Binance's two figures [binance-facts 1]
MOST_CONTRACTS = 2000  # of one group; Binance lists about 800, and a server that invents names must not fill the memory
MESSAGE_EVERY = 0.3  # seconds
NAMES_A_MESSAGE = 100
ANSWER_WITHIN = 5.0  # seconds


@dataclass(frozen=True)
class EndpointGroup:
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
class ContractFilter:
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


def endpoint_groups(
    contract_filter: ContractFilter, environment: Environment, known: Iterable[str], today: date
) -> list[EndpointGroup]:
    """The groups that fulfil `contract_filter`; `known` are the contracts of the state."""
    if not contract_filter.every_change:
        return [EndpointGroup(environment.coin_m_bases, frozenset(Market), all_market=True)]
    discovers, symbols = contract_filter.discovers, contract_filter.symbols
    if discovers:
        symbols = tuple(symbol for symbol in known if not is_expired(symbol, today))
        markets = [Market.COIN_M, Market.USDS_M] if contract_filter.include_usds_margined else [Market.COIN_M]
    else:
        markets = list(dict.fromkeys(map(market_of, symbols)))
    together: dict[tuple[str, ...], list[Market]] = {}
    for market in markets:
        together.setdefault(environment.bases(market), []).append(market)
    groups = []
    for bases, found in together.items():
        of_them = [symbol for symbol in symbols if market_of(symbol) in found]
        most = MOST_CONTRACTS if discovers else None
        groups.append(EndpointGroup(bases, frozenset(found), tuple(of_them[:most]), discovers, discovers))
    return groups


@dataclass
class FeedPlan:
    """The streams of one feed, in the order in which they are asked for. It only grows."""

    bases: tuple[str, ...]
    streams: list[str] = field(default_factory=list)


class Contracts:
    """The contracts of one group, spread over as many feeds as they take."""

    def __init__(self, group: EndpointGroup, today: date) -> None:
        self.feeds: list[FeedPlan] = []
        self._group = group
        self._today = today
        self._followed: set[str] = set()
        if group.all_market:
            self.feeds.append(FeedPlan(group.bases, [ALL_MARKET_STREAM]))
        for symbol in dict.fromkeys(group.symbols):
            self._follow(symbol)

    @property
    def markets(self) -> frozenset[Market]:
        return self._group.markets

    @property
    def follows(self) -> bool:
        """Whether contracts are followed by their own streams, now or once they appear."""
        return self._group.discovers or bool(self._group.symbols)

    def appeared(self, symbol: str, market: Market) -> bool:
        """A contract was seen in the all-market stream; True if it is followed from here on and was not before."""
        if not self._group.discovers or market not in self._group.markets or symbol in self._followed:
            return False
        if len(self._followed) >= MOST_CONTRACTS or is_expired(symbol, self._today):
            return False
        self._follow(symbol)
        return True

    def _follow(self, symbol: str) -> None:
        self._followed.add(symbol)
        if not self.feeds or len(self.feeds[-1].streams) >= MOST_STREAMS:
            self.feeds.append(FeedPlan(self._group.bases))
        self.feeds[-1].streams.append(own_stream(symbol))


class ControlAnswer(NamedTuple):
    """The answer to a control message: `error` is what the server has against it, None where it was accepted."""

    request_id: int | None
    error: str | None


def control_answer(payload: bytes) -> ControlAnswer | None:
    """The answer in a frame, None if it is something else [binance-facts 2.5].

    {"result":null,"id":1}
    {"error":{"code":4,"msg":"Too many subscriptions"}}
    {"code":2,"msg":"Invalid request: request ID must be an unsigned integer"}
    """
    try:
        frame = orjson.loads(payload)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(frame, dict) or "stream" in frame or "e" in frame:
        return None
    request_id = frame.get("id") if type(frame.get("id")) is int else None
    error = frame.get("error", frame if "msg" in frame else None)
    if error is not None:
        said = error.get("msg") if isinstance(error, dict) else error
        return ControlAnswer(request_id, sanitized(said))
    return ControlAnswer(request_id, None) if "result" in frame and request_id is not None else None


class Subscriptions:
    """`streams` is the list of the feed, which only grows; the first `named` of them stand in the address.

    All moments are monotonic seconds.
    """

    def __init__(self, streams: Sequence[str], named: int) -> None:
        self.failed: list[str] = []  # the streams that were asked for in vain
        self._streams = streams
        self._named = named
        self._asked = named
        self._confirmed = named  # all before it
        self._confirmed_at: float | None = None
        self._next_message_at = 0.0
        self._waiting: dict[int, tuple[int, float]] = {}  # request id: (asked from, sent at)
        self._ids = 0

    @property
    def expects_answer(self) -> bool:
        return bool(self._waiting)

    def message(self, now: float) -> str | None:
        """The control message that is due, if any."""
        if self._asked >= len(self._streams) or now < self._next_message_at:
            return None
        names = self._streams[self._asked : self._asked + NAMES_A_MESSAGE]
        self._ids += 1
        self._waiting[self._ids] = self._asked, now
        self._asked += len(names)
        self._next_message_at = now + MESSAGE_EVERY
        return orjson.dumps({"method": "SUBSCRIBE", "params": names, "id": self._ids}).decode()

    def answered(self, answer: ControlAnswer, now: float) -> str | None:
        """Takes an answer; why the server refused, if it did."""
        if answer.error is not None:
            self._fail(answer.request_id or self._ids)
            return f"the exchange refused a subscription ({answer.error})"
        if self._waiting.pop(answer.request_id or 0, None) is not None:
            self._confirmed = min((asked_from for asked_from, _ in self._waiting.values()), default=self._asked)
            self._confirmed_at = now
        return None

    def fault(self, now: float) -> str | None:
        """What is wrong: a message that was not answered in time. Told once."""
        late = [request for request, (_, sent_at) in self._waiting.items() if now - sent_at >= ANSWER_WITHIN]
        for request in late:
            self._fail(request)
        return f"a subscription was not acknowledged within {ANSWER_WITHIN:g} seconds" if late else None

    def unconfirmed(self, now: float, seconds: float) -> list[str]:
        """The streams that are not known to have been listened to for so many seconds."""
        is_fresh = self._confirmed_at is not None and now - self._confirmed_at < seconds
        return list(dict.fromkeys([*self.failed, *self._streams[self._named if is_fresh else self._confirmed :]]))

    def _fail(self, request: int) -> None:
        asked_from, _ = self._waiting.pop(request, (self._asked, 0.0))
        self.failed += self._streams[asked_from : min(asked_from + NAMES_A_MESSAGE, self._asked)]
