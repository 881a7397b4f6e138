"""Synthetic traffic: random walks of the best bid and ask of many contracts under one engine-wide update id.

The ids are what recorders trip over, so they follow the recordings (binance-facts 2.4): strictly increasing per
symbol, but across symbols one neighbour in ten decreases, and 18 % of frames are behind the largest id seen so far.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

import orjson

from source_binance_futures.binance.clock import Clock

from .contracts import COIN_MARGINED, Contract
from .updates import Update

_OVERTAKEN_CHANCE = 0.18
"""How often a run of updates is overtaken where one can be; what follows from it are the shares given above."""
_LONGEST_RUN = 3
_MEAN_LEAD = 2.5
"""How many updates overtake a run; mostly few, seldom forty."""
_LARGEST_ID_STEP = 15
"""A mean of 8 ids for each update: up to 11,900 updates a second stay below the pace of Binance's counter, below."""
_BLOCK = 256
"""Updates are drawn in blocks, ahead of time, so that ids are shuffled at six a second as well as at thousands."""

_KNOWN_UPDATE_ID = 11747023575855
_KNOWN_AT = 1791283450.745
_IDS_PER_SECOND = 95_600
"""BTCUSD_PERP on 2026-10-06, and the pace since 2026-09-25: the counter of the whole engine, not of what is pushed."""


def update_id_by_the_clock(clock: Clock) -> int:
    """Where Binance's counter would stand now. Restarting the exchange thus continues the ids as the real one does."""
    return _KNOWN_UPDATE_ID + int((clock.epoch() - _KNOWN_AT) * _IDS_PER_SECOND)


class _Draft(NamedTuple):
    """An update without its times, which are known only when it is pushed."""

    book: Book
    update_id: int
    bid: str
    bid_quantity: str
    ask: str
    ask_quantity: str


class Book:
    """The top of one contract's order book on a random walk."""

    def __init__(self, contract: Contract, rng: random.Random) -> None:
        self.contract = contract
        self._random = rng
        self._bid = contract.price_units
        self._event_lag = rng.randrange(40)
        self._transaction_lag = self._event_lag + rng.randrange(60)

    def move(self, update_id: int) -> _Draft:
        """The next state of the book: the bid moves by up to two ticks, the ask stays one to three ticks above it."""
        contract, rng = self.contract, self._random
        self._bid = max(self._bid + rng.randint(-2, 2) * contract.tick_units, contract.tick_units)
        ask = self._bid + rng.randint(1, 3) * contract.tick_units
        return _Draft(self, update_id, self._price(self._bid), self._quantity(), self._price(ask), self._quantity())

    def stamp(self, draft: _Draft, now: int) -> Update:
        """The draft pushed at `now` (ms). Symbols lag differently: times go back across symbols, never within one."""
        contract = self.contract
        payload = {
            "e": "bookTicker",
            "u": draft.update_id,
            "s": contract.symbol,
            "ps": contract.pair,
            "b": draft.bid,
            "B": draft.bid_quantity,
            "a": draft.ask,
            "A": draft.ask_quantity,
            "T": now - self._transaction_lag,
            "E": now - self._event_lag,
            "st": contract.symbol_type,
        }
        return Update(contract.symbol, draft.update_id, orjson.dumps(payload), contract.symbol_type)

    def _price(self, units: int) -> str:
        decimals = self.contract.decimals
        return f"{units // 10**decimals}.{units % 10**decimals:0{decimals}d}"

    def _quantity(self) -> str:
        decimals = self.contract.quantity_decimals
        quantity = self._random.randint(1, 20_000)
        return f"{quantity / 10**decimals:.{decimals}f}"


class Engine:
    """Draws updates of the given contracts at `rate` a second; both may be empty or zero, and then nothing comes."""

    def __init__(
        self, contracts: Sequence[Contract], clock: Clock, *, rate: float, seed: int, first_update_id: int | None
    ) -> None:
        self.rate = rate
        self._clock = clock
        self._random = random.Random(seed)
        self._books = [Book(contract, self._random) for contract in contracts]
        self._weights = _weights(self._books)
        self._update_id = update_id_by_the_clock(clock) if first_update_id is None else first_update_id
        self._ahead: deque[_Draft] = deque()
        self._owed = 0.0
        self._now = 0

    def list_contract(self, contract: Contract) -> Update:
        """Trade another contract from now on; its first update. ValueError where it is traded already."""
        if any(book.contract.symbol == contract.symbol for book in self._books):
            raise ValueError(f"{contract.symbol} is listed already")
        book = Book(contract, self._random)
        self._books.append(book)
        self._weights = _weights(self._books)
        return book.stamp(self._move(book), self._time())

    def due(self, elapsed: float) -> list[Update]:
        """The updates of the last `elapsed` seconds."""
        self._owed += elapsed * self.rate
        count = int(self._owed)
        self._owed -= count
        return self.next(count)

    def next(self, count: int) -> list[Update]:
        """The next `count` updates, stamped with the present time."""
        if not self._books:
            return []
        while len(self._ahead) < count:
            self._ahead.extend(self._draw_block())
        now = self._time()
        drafts = [self._ahead.popleft() for _ in range(count)]
        return [draft.book.stamp(draft, now) for draft in drafts]

    def _time(self) -> int:
        """Milliseconds since 1970. A clock that is set back must not show in `E` and `T`, which never go back."""
        self._now = max(self._now, self._clock.now_us() // 1000)
        return self._now

    def _draw_block(self) -> list[_Draft]:
        drawn = self._random.choices(self._books, self._weights, k=_BLOCK)
        return _overtake([self._move(book) for book in drawn], self._random)

    def _move(self, book: Book) -> _Draft:
        draft = book.move(self._update_id)
        self._update_id += self._random.randint(1, _LARGEST_ID_STEP)
        return draft


def _weights(books: Sequence[Book]) -> list[float]:
    """COIN-M and USDⓈ-M share the traffic evenly, whatever their numbers: readers of either see enough of it."""
    coin_m = sum(book.contract.symbol_type == COIN_MARGINED for book in books)
    usds_m = len(books) - coin_m
    return [1 / (coin_m if book.contract.symbol_type == COIN_MARGINED else usds_m) for book in books]


def _overtake(drafts: list[_Draft], rng: random.Random) -> list[_Draft]:
    """Let short runs of updates be overtaken by later ones of other symbols. Within a symbol the order stays."""
    shuffled: list[_Draft] = []
    at = 0
    while at < len(drafts):
        if rng.random() >= _OVERTAKEN_CHANCE:
            shuffled.append(drafts[at])
            at += 1
            continue
        end = at + rng.randint(1, _LONGEST_RUN)
        late = drafts[at:end]
        late_books = {draft.book for draft in late}
        at = end
        furthest = min(end + 1 + int(rng.expovariate(1 / _MEAN_LEAD)), len(drafts))
        while at < furthest and drafts[at].book not in late_books:
            shuffled.append(drafts[at])
            at += 1
        shuffled.extend(late)
    return shuffled
