"""One connection to the market streams: what it listens to, what it is asked, and what it has brought."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import NamedTuple

from orjson import loads

from ..binance.endpoints import ALL_MARKET_STREAM, own_stream
from ..binance.errors import ConnectionLost
from ..binance.market_stream.contracts import MOST_STREAMS
from ..binance.market_stream.subscriptions import Subscriptions, control_answer
from .addresses import Address
from .facts import LineFacts, SubscriptionFacts
from .tape import Tape
from .watched import WatchedConnection

FIRST_PING_AFTER, PING_EVERY = 1.0, 20.0  # seconds
MOST_FOLLOWED = MOST_STREAMS - 10  # streams that are probed, and the all-market stream, need room too
CONTRACTS = "contracts"


class Opened(NamedTuple):
    """A connection whose address names the first `named` of the streams of these contracts. See `streams_of`."""

    connection: WatchedConnection
    address: Address
    symbols: tuple[str, ...]
    named: int


@dataclasses.dataclass
class _Message:
    kind: str
    streams: tuple[str, ...]
    sent_at: float
    answered_after: float | None = None
    error: bool = False


class Line:
    """Moments are monotonic seconds; `epoch_offset` is the wall clock minus the monotonic one."""

    def __init__(self, opened: Opened, epoch_offset: float) -> None:
        self.connection = opened.connection
        self.address = opened.address
        self.symbols: list[str] = []  # the contracts that are followed
        self.named = frozenset(streams_of(opened.symbols)[: opened.named])  # in the address
        self.confirmed = set(self.named)  # by the address, or by an answer
        self.tape = Tape(opened.connection.opened_at + epoch_offset)
        self.is_lost = False
        self._streams = [ALL_MARKET_STREAM]
        self._offset = epoch_offset
        self._subscriptions = Subscriptions(self._streams, opened.named)
        self._messages: dict[int, _Message] = {}
        self._contracts: dict[str, str] = {}  # by their own streams
        self._kinds: dict[str, str] = {}  # of streams that are no contract's that is followed
        self._next_ping_at = opened.connection.opened_at + FIRST_PING_AFTER
        self._ended_at: float | None = None
        self._loss: ConnectionLost | None = None
        for symbol in opened.symbols:
            self.follow(symbol, opened.connection.opened_at)

    @property
    def is_open(self) -> bool:
        return self._ended_at is None

    @property
    def is_asking(self) -> bool:
        """Whether some streams are still to be subscribed."""
        return sum(len(message.streams) for message in self._messages.values()) + len(self.named) < len(self._streams)

    def follow(self, symbol: str, now: float) -> None:
        """Listens to a contract's own stream, as long as there is room."""
        if symbol not in self.symbols and len(self.symbols) < MOST_FOLLOWED:
            stream = own_stream(symbol)
            self.symbols.append(symbol)
            self._streams.append(stream)
            self._contracts[stream] = symbol
            if stream in self.confirmed:
                self.tape.pace.follow(symbol, now + self._offset)

    def probe(self, kind: str, stream: str) -> None:
        """Asks for a stream that is no contract's of this host; in a message of its own, where nothing else is due."""
        self._kinds[stream] = kind
        self._streams.append(stream)

    def tick(self, now: float) -> None:
        """Sends what is due: a control message, a ping."""
        message = self._subscriptions.message(now)
        if message is not None:
            request = loads(message)
            streams = tuple(request["params"])
            kind = self._kinds.get(streams[0], CONTRACTS)
            self._messages[request["id"]] = _Message(kind, streams, now)
            self.connection.send_text(message)
        if now >= self._next_ping_at:
            self._next_ping_at = now + PING_EVERY
            self.connection.ping()

    def read(self, now: float) -> None:
        """Takes what has arrived."""
        payloads = self.connection.receive().payloads
        if self._messages:
            payloads = [payload for payload in payloads if not self._is_answer(payload, now)]
        self.tape.take(payloads, now + self._offset)
        if self.connection.loss is not None:
            self._loss = self.connection.loss
            self.connection.close()
            self.is_lost = True
            self._ended_at = now

    def leave(self) -> None:
        """Closes it in good order."""
        if self.is_open:
            self._ended_at = self.connection.clock.monotonic()
            self.connection.close()

    def facts(self) -> LineFacts:
        """All that is known of a line that has ended."""
        ended_at = self.connection.clock.monotonic() if self._ended_at is None else self._ended_at
        return dataclasses.replace(
            self.tape.facts(self.address.label, self.address.markets[0].value, ended_at + self._offset),
            lost=None if self._loss is None else type(self._loss).__name__,
            pings=self.connection.ping_facts(ended_at, self._offset),
            subscriptions=tuple(self._asked(message, ended_at) for message in self._messages.values()),
        )

    def _asked(self, message: _Message, ended_at: float) -> SubscriptionFacts:
        frames = sum(self.tape.streams[stream] for stream in message.streams)
        listened = round(ended_at - message.sent_at, 1)
        return SubscriptionFacts(message.kind, message.answered_after, message.error, listened, frames)

    def _is_answer(self, payload: bytes, now: float) -> bool:
        answer = control_answer(payload) if b'"s"' not in payload else None
        if answer is None:
            return False
        message = self._messages.get(answer.request_id or max(self._messages))
        if message is not None and message.answered_after is None:
            message.answered_after = round(now - message.sent_at, 3)
            message.error = answer.error is not None
            if not message.error:
                self._confirm(message, now)
        return True

    def _confirm(self, message: _Message, now: float) -> None:
        self.confirmed.update(message.streams)
        for stream in message.streams:
            if stream in self._contracts:
                self.tape.pace.follow(self._contracts[stream], now + self._offset)


def streams_of(symbols: Sequence[str]) -> list[str]:
    """What a line listens to from the first moment, in the order in which its address names it."""
    return [ALL_MARKET_STREAM, *map(own_stream, symbols)]
