"""One feed: what its failover machine asks for, done with sockets. Belongs to the reading thread."""

from __future__ import annotations

import contextlib
import selectors
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from ..endpoints import stream_address
from ..errors import AddressRefused, BinanceError, NothingHeard, Owner, RateLimited, causes_of
from ..text import first_of
from ..transport.address import host_of
from ..transport.connection import Connection, Dialler
from .backoff import Refusal
from .failover import Action, Command, Failover
from .items import LogLine, Outbox, Takeover
from .line import Timing
from .messages import Read, scan
from .subscriptions import EndpointGroup, Subscriptions

MAX_MESSAGE_BYTES = 1024 * 1024  # a book ticker has 200; what is larger is no market data
RECONNECT_EVERY = 30.0  # seconds between two replacements because of a subscription


class FeedConnection(NamedTuple):
    """An open connection to `base`, and what it listens to."""

    websocket: Connection
    descriptor: int  # kept, since a connection that is over has none any more
    subscriptions: Subscriptions
    base: str

    def read(self, now: float, *, own_streams: bool) -> Read:
        """Return what has arrived, but for the answers to our own messages, which are handled here."""
        # The time before the read: rows cover what was pushed until then, so the connection must have lived then.
        received_at_us = self.websocket.clock.to_us(now)
        received = self.websocket.receive()
        ended = bool(received.payloads) and received.drained and self.websocket.has_ended()
        read = scan(received.payloads, own_streams=own_streams)
        return read._replace(
            payloads=self.subscriptions.take_answers(read.payloads, now),
            received_at_us=received_at_us,
            heard=received.heard,
            drained=received.drained,
            ended=ended,
        )


@dataclass(eq=False)
class Feed:
    """Drives `machine` for `streams`, those of one feed of `group`."""

    group: EndpointGroup
    streams: list[str]
    machine: Failover
    dialler: Dialler[tuple[str, int]]  # its attempts are of a base, whose address names so many of the streams
    outbox: Outbox
    selector: selectors.BaseSelector
    timing: Timing

    def __post_init__(self) -> None:
        self.brought_data = False
        self.trouble: BinanceError | None = None  # why the newest attempt failed, or connection was lost
        self._connections: dict[int, FeedConnection] = {}
        self._lines = 0
        self._next_reconnect_at = 0.0
        self._bases_refused = 0  # in a row

    def tick(self, now: float) -> None:
        """Look at the clocks, and subscribe to what has appeared."""
        for number, connection in list(self._connections.items()):
            message = connection.subscriptions.message(now)
            if message is not None:
                connection.websocket.send_text(message)
            fault = connection.subscriptions.fault(now)
            if fault is not None:
                self._subscription_failed(number, fault, now)
        self.do(self.machine.tick(now))

    def meet_new_connections(self, now: float) -> None:
        """Take the outcomes of attempts that have ended."""
        while (outcome := self.dialler.outcome()) is not None:
            (base, named), ended = outcome
            if isinstance(ended, Connection):
                self._open(FeedConnection(ended, ended.stream.fileno(), Subscriptions(self.streams, named), base), now)
            else:
                self._refused(ended, now)

    def read(self, number: int, now: float) -> None:
        """Read what has arrived over one line."""
        connection = self._connections.get(number)
        if connection is None:
            return
        read = connection.read(now, own_streams=self.group.follows)
        loss = connection.websocket.loss
        if read.samples:
            self.group.discover(read.samples, self.dialler.clock.today())
        if read.ended and self._is_in_use(number):
            # It may have ended too: who has the rest?
            for other in [line for line in self._connections if line != number]:
                self.read(other, now)
        self.do(self.machine.received(number, read, now))
        if read.has_data:
            self.brought_data = True
            # The line in use decides, since a standby may be at another address, which brings data too.
            if self._is_in_use(number) and connection.base != self.group.bases[0]:
                others = [base for base in self.group.bases if base != connection.base]
                self.group.bases = (connection.base, *others)
                self._log("info", f"{connection.base} brings data, and is used from now on.")
        if loss is not None:
            self.trouble = loss
            self.do(self.machine.lost(number, str(loss), now))

    def end(self, now: float) -> None:
        """Leave every connection, also one that is still being opened."""
        self.dialler.close()
        self.do(self.machine.window_ended(now))

    @property
    def is_busy(self) -> bool:
        """Whether it has a connection, or tries to get one."""
        return bool(self._connections) or self.dialler.under_way > 0

    def nothing_heard(self, now: float, began: float, window_ends: float) -> NothingHeard | None:
        """Return why the feed brought no data in a window that `began` then; None if it did, or if nothing failed."""
        trouble: object = self.trouble
        if trouble is None and now >= window_ends and self.dialler.under_way > 0:
            trouble = f"{host_of(self.group.bases[0])} did not answer before the window ended"
        if self.brought_data or trouble is None:
            return None
        failure = NothingHeard(round(now - began), str(trouble), connected=self._lines > 0)
        failure.__cause__ = self.trouble
        return failure

    @property
    def pending(self) -> list[int]:
        """The lines that hold decrypted bytes, of which `select` does not know; but for those left unread."""
        return [
            number
            for number, connection in self._connections.items()
            if connection.websocket.stream.holds_bytes and connection.descriptor in self.selector.get_map()
        ]

    def do(self, actions: Sequence[Action]) -> None:
        """Do what the machine has returned; what is none of its commands is for the consumer."""
        for action in actions:
            if isinstance(action, Command) and action.verb == "dial":
                self._dial()
            elif isinstance(action, Command):
                self._do_to_line(action)
            elif isinstance(action, Takeover):
                subscriptions = self._connections[action.line].subscriptions
                late = subscriptions.unconfirmed(self.dialler.clock.monotonic(), self.timing.backlog)
                self.outbox.put(action._replace(late=_symbols(late)))
            else:
                self.outbox.put(action)

    def _do_to_line(self, command: Command) -> None:
        connection = self._connections[command.line]
        if command.verb == "ping":
            connection.websocket.ping()
        elif command.verb == "resume":
            self.selector.register(connection.descriptor, selectors.EVENT_READ, (self, command.line))
        elif command.verb == "pause":
            self.selector.unregister(connection.descriptor)
        else:
            del self._connections[command.line]
            with contextlib.suppress(KeyError):  # it was left unread
                self.selector.unregister(connection.descriptor)
            connection.websocket.close()

    def _log(self, level: Literal["debug", "info", "warning"], text: str) -> None:
        self.outbox.put(LogLine(level, self.machine.named(text)))

    def _is_in_use(self, line: int) -> bool:
        return self.machine.primary is not None and self.machine.primary.number == line

    def _refused(self, error: BinanceError, now: float) -> None:
        self.trouble = error
        causes = causes_of(error)
        if causes:
            self._log("debug", f"{error} {causes}")
        for_good, listens_again_at = error.owner is not Owner.EXCHANGE, None
        if isinstance(error, AddressRefused):  # the next one is tried
            self._bases_refused += 1
            for_good = self._bases_refused >= len(self.group.bases)
        elif isinstance(error, RateLimited):
            listens_again_at = now + error.retry_at - self.dialler.clock.epoch()
        self.do(self.machine.refused(Refusal(error, for_good, listens_again_at), now))

    def _open(self, connection: FeedConnection, now: float) -> None:
        number = self._lines
        self._lines += 1
        self._bases_refused = 0
        self._connections[number] = connection
        self.selector.register(connection.descriptor, selectors.EVENT_READ, (self, number))
        if self.machine.primary is None:
            name, _, _ = self.machine.name.partition(" (")  # without its host, which follows
            text = f"Connected to {host_of(connection.base)}."
            self.outbox.put(LogLine("info", f"{name}: {text}" if name else text))
        self.do(self.machine.opened(number, now))

    def _dial(self) -> None:
        """At another address where the line in use has never brought anything."""
        bases, primary = self.group.bases, self.machine.primary
        number = self._bases_refused
        if primary is not None and not primary.has_data:
            number = bases.index(self._connections[primary.number].base) + 1
        base = bases[number % len(bases)]
        address, named = stream_address(base, self.streams)
        self.dialler.dial(address, self.timing.connect, (base, named))

    def _subscription_failed(self, number: int, why: str, now: float) -> None:
        """A fresh connection has the streams in its address. Where that does not help, it is reported."""
        if now < self._next_reconnect_at:
            symbols = first_of(_symbols(self._connections[number].subscriptions.failed))
            self._log("warning", f"These contracts are not followed: {symbols}. Cause: {why}.")
            return
        self._next_reconnect_at = now + RECONNECT_EVERY
        if self._is_in_use(number):
            self.do(self.machine.request_reconnect(number, why, now))
        else:
            self.do(self.machine.lost(number, why, now))


def _symbols(streams: list[str]) -> tuple[str, ...]:
    return tuple(stream.partition("@")[0].upper() for stream in streams)
