"""Where updates come from: synthetic traffic, and recordings.

Synthetic traffic is random walks of the best bid and ask of many contracts under one engine-wide update id.

The ids are what recorders trip over, so they follow the recordings (binance-facts 2.4): strictly increasing per
symbol, but across symbols one neighbour in ten decreases, and 18 % of frames are behind the largest id seen so far.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import orjson

from source_binance_futures.binance.clock import Clock

from .contracts import COIN_MARGINED, Contract
from .streams import Update, market_of

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

_MIXED_IN_CHANCE = 0.5
_BEFORE_THE_MERGE_CHANCE = 0.3
"""How many of the frames mixed in look as before 2026-06, when USDⓈ-M frames had neither `st` nor `ps`."""


class Book:
    """The top of one contract's order book on a random walk; prices are in units of their last decimal."""

    def __init__(self, contract: Contract, rng: random.Random) -> None:
        self.contract = contract
        self._random = rng
        self._decimals = len(contract.price.partition(".")[2])
        self._tick, self._bid = (int(price.replace(".", "")) for price in (contract.tick_size, contract.price))
        self._event_lag = rng.randrange(40)
        self._transaction_lag = self._event_lag + rng.randrange(60)

    def move(self, update_id: int) -> _Draft:
        """The next state of the book: the bid moves by up to two ticks, the ask stays one to three ticks above it.

        Its times are known only when it is pushed: see `stamp`.
        """
        contract, rng = self.contract, self._random
        self._bid = max(self._bid + rng.randint(-2, 2) * self._tick, self._tick)
        ask = self._bid + rng.randint(1, 3) * self._tick
        book_ticker: dict[str, Any] = {
            "e": "bookTicker",
            "u": update_id,
            "s": contract.symbol,
            "ps": contract.pair,
            "b": self._price(self._bid),
            "B": self._quantity(),
            "a": self._price(ask),
            "A": self._quantity(),
            "T": 0,
            "E": 0,
            "st": contract.symbol_type,
        }
        return self, book_ticker

    def stamp(self, book_ticker: dict[str, Any], now: int) -> Update:
        """The update pushed at `now` (ms). Symbols lag differently: times go back across symbols, never within one."""
        book_ticker["T"], book_ticker["E"] = now - self._transaction_lag, now - self._event_lag
        symbol, market = self.contract.symbol, self.contract.symbol_type
        return Update(symbol, book_ticker["u"], orjson.dumps(book_ticker), market)

    def _price(self, units: int) -> str:
        whole, rest = divmod(units, 10**self._decimals)
        return f"{whole}.{rest:0{self._decimals}d}"

    def _quantity(self) -> str:
        decimals = self.contract.quantity_decimals
        quantity = self._random.randint(1, 20_000)
        return f"{quantity / 10**decimals:.{decimals}f}"


_Draft = tuple[Book, dict[str, Any]]
"""A change of a book, and its book ticker without times."""


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
        # Where Binance's counter would stand now: an exchange started anew continues the ids as the real one does.
        by_the_clock = _KNOWN_UPDATE_ID + int((clock.epoch() - _KNOWN_AT) * _IDS_PER_SECOND)
        self._update_id = by_the_clock if first_update_id is None else first_update_id
        self._ahead: deque[_Draft] = deque()
        self._owed = 0.0
        self._now = 0

    def list_contract(self, contract: Contract) -> Update:
        """Trade another contract from now on; its first update."""
        book = Book(contract, self._random)
        self._books.append(book)
        self._weights = _weights(self._books)
        return book.stamp(self._move(book)[1], self._time())

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
        return [book.stamp(book_ticker, now) for book, book_ticker in drafts]

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
        late_books = {book for book, _ in late}
        at = end
        furthest = min(end + 1 + int(rng.expovariate(1 / _MEAN_LEAD)), len(drafts))
        while at < furthest and drafts[at][0] not in late_books:
            shuffled.append(drafts[at])
            at += 1
        shuffled.extend(late)
    return shuffled


class Recording:
    """Plays recorded frames at the pace of the recording, with USDⓈ-M frames mixed in as on the merged stream of today.

    It waits until it `is_started`, and ends once.
    """

    def __init__(self, path: Path, *, speed: float, usds_m: Engine | None, seed: int) -> None:
        self._speed = speed
        self._usds_m = usds_m
        self._random = random.Random(seed)
        self._ahead = deque(read_recording(path))
        self._position = 0.0
        self.is_started = False

    def due(self, elapsed: float) -> list[Update]:
        """The updates of the last `elapsed` seconds. Paused means that nobody asks: the recording then stands still."""
        if not self.is_started:
            return []
        self._position += elapsed * self._speed
        updates = []
        while self._ahead and self._ahead[0][0] <= self._position:
            updates.append(self._ahead.popleft()[1])
            updates.extend(self._mixed_in())
        return updates

    @property
    def is_over(self) -> bool:
        return not self._ahead

    def _mixed_in(self) -> list[Update]:
        if self._usds_m is None or self._random.random() >= _MIXED_IN_CHANCE:
            return []
        updates = self._usds_m.next(1)
        if self._random.random() < _BEFORE_THE_MERGE_CHANCE:
            return [_as_before_the_merge(update) for update in updates]
        return updates


def read_recording(path: Path) -> Iterator[tuple[float, Update]]:
    """The updates of a recording and when each came: seconds since the first one, on the receiver's clock.

    Its lines are such as `{"received":1618677480.077,"frame":"{...}"}`, frames raw or wrapped.
    """
    first: float | None = None
    for line in path.read_bytes().splitlines():
        row = orjson.loads(line)
        first = row["received"] if first is None else first
        yield row["received"] - first, _update_of(row["frame"])


def _update_of(frame: str) -> Update:
    """The update in a recorded frame. A wrapped payload is cut out as text: to parse and print might change a byte."""
    message: dict[str, Any] = orjson.loads(frame)
    if "data" in message:
        payload = frame[frame.index('"data":') + len('"data":') : frame.rindex("}")]
        message = message["data"]
        if orjson.loads(payload) != message:
            raise ValueError(f"a wrapped frame with keys after its data cannot be played: {frame}")
    else:
        payload = frame
    return Update(message["s"], message["u"], payload.encode(), message.get("st") or market_of(message["s"]))


def _as_before_the_merge(update: Update) -> Update:
    book_ticker = orjson.loads(update.payload)
    del book_ticker["st"], book_ticker["ps"]
    return update._replace(payload=orjson.dumps(book_ticker))
