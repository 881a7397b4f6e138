"""Which contracts there are, which of them are followed, over which feed, and what one connection listens to. Pure.

A feed is one address with at most 200 streams, kept alive by connections of its own. A connection has the streams of
its address, and asks for those that appear later by control messages [binance-facts 1, 2.5], at most four a second:

    {"method":"SUBSCRIBE","params":["btcusd_perp@bookTicker","ethusd_perp@bookTicker"],"id":1}
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import orjson

from ..endpoints import ALL_MARKET_STREAM, Market, is_expired, own_stream
from ..text import sanitized
from .messages import NoBookTicker, market_of_book_ticker, parse_frame

MOST_STREAMS = 200  # of one connection, by the older and smaller of Binance's two figures [binance-facts 1]
MOST_CONTRACTS = 2000  # of one group; Binance lists about 800, and a server that invents names must not fill the memory
NAMES_A_MESSAGE = 100
ANSWER_WITHIN = 5.0  # seconds


@dataclass
class EndpointGroup:
    """What is listened to at one host: `feeds` are the streams of each feed, which only grow.

    `bases` are where it may be found, `symbols` the contracts of `markets` that are asked for; empty: all. It `follows`
    them by their own streams, or takes the all-market stream as it comes, which with `all_market` the first feed
    brings. With `discovers` the contracts that appear in it are followed as well as `symbols`.
    """

    bases: tuple[str, ...]
    markets: frozenset[Market]
    symbols: tuple[str, ...] = ()
    follows: bool = True
    all_market: bool = False
    discovers: bool = False

    def __post_init__(self) -> None:
        self.feeds = [[ALL_MARKET_STREAM]] if self.all_market else []
        self.appeared: list[str] = []  # since somebody cleared it
        self._followed: set[str] = set()
        for symbol in dict.fromkeys(self.symbols if self.follows else ()):
            self._follow(symbol)

    def wants(self, symbol: str, market: Market) -> bool:
        """Return whether a contract that came over no stream of its own is asked for."""
        return market in self.markets and (self.discovers or not self.symbols or symbol in self.symbols)

    def discover(self, samples: Sequence[bytes], today: date) -> None:
        """Follow the contracts that frames of the all-market stream show for the first time."""
        for payload in samples if self.discovers else ():
            with contextlib.suppress(NoBookTicker):
                book_ticker, _ = parse_frame(payload)
                symbol, is_ours = book_ticker["s"], market_of_book_ticker(book_ticker) in self.markets
                is_new = symbol not in self._followed and not is_expired(symbol, today)
                if is_ours and is_new and len(self._followed) < MOST_CONTRACTS:
                    self._follow(symbol)
                    self.appeared.append(symbol)

    def _follow(self, symbol: str) -> None:
        self._followed.add(symbol)
        if not self.feeds or len(self.feeds[-1]) >= MOST_STREAMS:
            self.feeds.append([])
        self.feeds[-1].append(own_stream(symbol))


def control_answer(payload: bytes) -> tuple[int, str | None] | None:
    """Return the request that a frame answers, and what the server has against it; None for any other frame.

    A refusal need not name the request, which is 0 then [binance-facts 2.5]:

    {"result":null,"id":1}
    {"error":{"code":4,"msg":"Too many subscriptions"}}
    {"code":2,"msg":"Invalid request: request ID must be an unsigned integer"}
    """
    if b'"s"' in payload:  # a book ticker, most likely
        return None
    try:
        frame = orjson.loads(payload)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(frame, dict) or "stream" in frame or "e" in frame:
        return None
    request = frame["id"] if type(frame.get("id")) is int else 0
    error = frame.get("error", frame if "msg" in frame else None)
    if error is not None:
        return request, sanitized(error.get("msg") if isinstance(error, dict) else error)
    return (request, None) if "result" in frame and request else None


class Subscriptions:
    """What one connection listens to: `streams`, which only grow; the first `named` of them stand in its address.

    The rest is asked for by messages, one at each look; none waits for the answer to another, or an answer that is lost
    would hold back contracts that appear later. All moments are monotonic seconds.
    """

    def __init__(self, streams: list[str], named: int) -> None:
        self.failed: list[str] = []  # the streams that were asked for in vain
        self._streams = streams
        self._named = self._asked = named  # how many of the streams
        self._waiting: dict[int, tuple[int, float]] = {}  # messages, by how many were asked then: and before, sent at
        self._confirmed_at = float("-inf")
        self._fault: str | None = None

    def message(self, now: float) -> str | None:
        """Return the control message that is due, if any."""
        names = self._streams[self._asked : self._asked + NAMES_A_MESSAGE]
        if not names:
            return None
        before, self._asked = self._asked, self._asked + len(names)
        self._waiting[self._asked] = before, now
        return orjson.dumps({"method": "SUBSCRIBE", "params": names, "id": self._asked}).decode()

    def take_answers(self, payloads: list[bytes], now: float) -> list[bytes]:
        """Take note of the answers in a read, and return the rest of it."""
        if not self._waiting:
            return payloads
        others = []
        for payload in payloads:
            answer = control_answer(payload)
            if answer is None:
                others.append(payload)
                continue
            request, error = answer
            if error is not None:  # one that names no message is of the newest
                self._fail(request or self._asked, f"the exchange refused a subscription ({error})")
            elif self._waiting.pop(request, None) is not None:
                self._confirmed_at = now
        return others

    def fault(self, now: float) -> str | None:
        """Return what is wrong, once: a refusal, or a message that was not answered in time."""
        late = [request for request, (_, sent_at) in self._waiting.items() if now - sent_at >= ANSWER_WITHIN]
        for request in late:
            self._fail(request, f"a subscription was not acknowledged within {ANSWER_WITHIN:g} seconds")
        fault, self._fault = self._fault, None
        return fault

    def unconfirmed(self, now: float, seconds: float) -> list[str]:
        """Return the streams that are not known to have been listened to for so many seconds."""
        since = min((before for before, _ in self._waiting.values()), default=self._asked)
        if now - self._confirmed_at < seconds:
            since = self._named
        return list(dict.fromkeys([*self.failed, *self._streams[since:]]))

    def _fail(self, request: int, fault: str) -> None:
        before, _ = self._waiting.pop(request, (request, 0.0))
        self.failed += self._streams[before:request]
        self._fault = fault
