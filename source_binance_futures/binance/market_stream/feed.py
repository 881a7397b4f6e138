"""One feed: what its failover machine asks for, done with sockets. Belongs to the reading thread."""

from __future__ import annotations

import contextlib
import dataclasses
import selectors
from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

from ..clock import Clock
from ..endpoints import own_stream, stream_address
from ..errors import AddressRefused, BinanceError, NothingHeard, Owner, RateLimited, causes_of
from ..text import first_of
from ..transport.address import host_of
from ..transport.connection import Connection, Dialler, Opening
from ..transport.proxy import Route
from .backoff import Refusal
from .failover import Action, Command, Failover
from .items import LogLine, Outbox, Takeover
from .line import Timing
from .messages import Read, is_shutdown_notice, scan
from .subscriptions import Contracts, FeedPlan, Subscriptions, control_answer

MAX_MESSAGE_BYTES = 1024 * 1024  # a book ticker has 200; what is larger is no market data
RECONNECT_EVERY = 30.0  # seconds between two replacements because of a subscription


class Surroundings(NamedTuple):
    """What all feeds share."""

    route: Route
    clock: Clock
    outbox: Outbox
    selector: selectors.BaseSelector
    wake: Callable[[], None]
    opening: Opening
    timing: Timing


class FeedConnection:
    """An open connection to the base with the position `base` in the list of bases, and what it listens to.

    With `own_streams` contracts are followed by their own streams.
    """

    def __init__(
        self, websocket: Connection, subscriptions: Subscriptions, clock: Clock, *, base: int, own_streams: bool
    ) -> None:
        self.websocket = websocket
        self.descriptor = websocket.fileno()  # a connection that is over has none any more
        self.subscriptions = subscriptions
        self.base = base
        self._clock = clock
        self._own_streams = own_streams

    def read(self, now: float) -> Read:
        """What has arrived. Answers to our own messages and notices of shutdown are handled here, not forwarded."""
        # The time before the read: rows cover what was pushed until then, so the connection must have lived then.
        received_at_us = self._clock.to_us(now)
        received = self.websocket.receive()
        ended = bool(received.payloads) and received.drained and self.websocket.has_ended()
        read = scan(received.payloads, own_streams=self._own_streams)
        payloads, refused = read.payloads, None
        if read.retiring:
            payloads = [payload for payload in payloads if not is_shutdown_notice(payload)]
        if self.subscriptions.expects_answer:
            payloads, refused = self._take_answers(payloads, now)
        loss = self.websocket.loss
        return read._replace(
            payloads=payloads,
            received_at_us=received_at_us,
            heard=received.heard,
            drained=received.drained,
            ended=ended,
            refused=refused,
            lost=None if loss is None else str(loss),
        )

    def _take_answers(self, payloads: list[bytes], now: float) -> tuple[list[bytes], str | None]:
        """The payloads that answer no control message, and why the server refused a subscription."""
        others, refused = [], None
        for payload in payloads:
            answer = control_answer(payload) if b'"s"' not in payload else None
            if answer is None:
                others.append(payload)
            else:
                refused = self.subscriptions.answered(answer, now) or refused
        return others, refused


class Feed:
    """Drives `machine` for the streams of `plan`, which is one of those of `contracts`; `number` tells feeds apart."""

    def __init__(
        self, number: int, contracts: Contracts, plan: FeedPlan, machine: Failover, around: Surroundings
    ) -> None:
        self.number = number
        self.machine = machine
        self.brought_data = False
        self.contracts = contracts
        self.plan = plan
        self._around = around
        self.refused: BinanceError | None = None  # why the newest failed attempt failed
        self._connections: dict[int, FeedConnection] = {}
        self._lines = 0
        self.lost: str | None = None  # why the newest loss happened
        self._next_reconnect_at = 0.0
        self._dialler: Dialler[tuple[int, int]] = Dialler(
            around.route, around.clock, MAX_MESSAGE_BYTES, wake=around.wake, opening=around.opening
        )
        self._base = 0  # the next attempt's
        self._base_in_use = 0  # the one that is thought to be right
        self._bases_refused = 0  # in a row

    # --- what happens ---

    def tick(self, now: float) -> None:
        """Time has passed: clocks are looked at, and what appeared is subscribed."""
        for number, connection in list(self._connections.items()):
            message = connection.subscriptions.message(now)
            if message is not None:
                connection.websocket.send_text(message)
            fault = connection.subscriptions.fault(now)
            if fault is not None:
                self._subscription_failed(number, fault, now)
        self._do(self.machine.tick(now), now)

    def meet_new_connections(self, now: float) -> None:
        """Takes the outcomes of attempts that have ended."""
        while (outcome := self._dialler.outcome()) is not None:
            (base, named), ended = outcome
            if isinstance(ended, Connection):
                self._bases_refused = 0
                self._open(ended, base, named, now)
                continue
            self.refused = ended
            causes = causes_of(ended)
            if causes:
                self._log("debug", f"{ended} {causes}")
            self._do(self.machine.refused(self._refusal(ended, base, now), now), now)

    def read(self, number: int, now: float) -> Sequence[bytes]:
        """Reads what has arrived over one line; the samples among it."""
        connection = self._connections.get(number)
        if connection is None:
            return []
        read = connection.read(now)
        samples = [*read.samples]
        if read.ended and self.machine.primary is self.machine.line(number):
            # It may have ended too: who has the rest?
            for other in [line for line in self._connections if line != number]:
                samples += self.read(other, now)
        if read.refused is not None:
            self._subscription_failed(number, read.refused, now)
        self._do(self.machine.received(number, read, now), now)
        if read.has_data:
            self.brought_data = True
            self._note_base(connection, number)
        if read.lost is not None:
            self.lost = read.lost
            self._do(self.machine.lost(number, read.lost, now), now)
        return samples

    def pause_or_resume(self, *, full: bool, now: float) -> None:
        """Pauses and resumes reading."""
        self._do(self.machine.pause_or_resume(now, full=full), now)

    def request_reconnect(self, line: int | None, why: str, now: float) -> None:
        """What only a look at the contents could tell; without a line it is of the one in use."""
        primary = self.machine.primary
        if primary is not None:
            self._do(self.machine.request_reconnect(primary.number if line is None else line, why, now), now)

    def follows(self, symbol: str) -> bool:
        """Whether the own stream of a contract is one of its streams."""
        return own_stream(symbol) in self.plan.streams

    def end(self, now: float) -> None:
        """Leaves every connection, also one that is still being opened."""
        self._dialler.close()
        self._do(self.machine.window_ended(now), now)

    @property
    def is_busy(self) -> bool:
        """Whether it has a connection, or tries to get one."""
        return bool(self._connections) or self._dialler.under_way > 0

    def nothing_heard(self, now: float, began: float, window_ends: float) -> NothingHeard | None:
        """Return why the feed brought no data in a window that `began` then; None if it did, or if nothing failed."""
        trouble: object = self.lost or self.refused
        if trouble is None and now >= window_ends and self._dialler.under_way > 0:
            trouble = f"{host_of(self.plan.bases[0])} did not answer before the window ended"
        if self.brought_data or trouble is None:
            return None
        failure = NothingHeard(round(now - began), str(trouble), connected=self._lines > 0)
        failure.__cause__ = self.refused
        return failure

    @property
    def pending(self) -> list[int]:
        """The lines that hold decrypted bytes, of which `select` does not know; but for those left unread."""
        registered = self._around.selector.get_map()
        return [
            number
            for number, connection in self._connections.items()
            if connection.websocket.has_decrypted_bytes() and connection.descriptor in registered
        ]

    # --- what the machine asks for ---

    def _do(self, actions: list[Action], now: float) -> None:
        for action in actions:
            if isinstance(action, Command):
                self._carry_out(action)
            elif isinstance(action, Takeover):
                streams = self._connections[action.line].subscriptions.unconfirmed(now, self._around.timing.backlog)
                self._around.outbox.put(dataclasses.replace(action, late=_symbols(streams)))
            else:
                self._around.outbox.put(action)

    def _carry_out(self, command: Command) -> None:
        if command.verb == "dial":
            self._dial()
            return
        connection = self._connections[command.line]
        selector = self._around.selector
        if command.verb == "ping":
            connection.websocket.ping()
        elif command.verb == "resume":
            selector.register(connection.descriptor, selectors.EVENT_READ, (self, command.line))
        elif command.verb == "pause":
            selector.unregister(connection.descriptor)
        else:
            del self._connections[command.line]
            with contextlib.suppress(KeyError):  # it was left unread
                selector.unregister(connection.descriptor)
            connection.websocket.close()

    def _log(self, level: Literal["debug", "info", "warning"], text: str) -> None:
        self._around.outbox.put(LogLine(level, self.machine.named(text)))

    def _note_base(self, connection: FeedConnection, number: int) -> None:
        """The line in use decides, since a standby may be at another address, which brings data too."""
        primary = self.machine.primary
        if primary is None or primary.number != number:
            return
        self._base = connection.base
        if self._base != self._base_in_use:
            self._base_in_use = self._base
            self._log("info", f"{self.plan.bases[self._base]} brings data, and is used from now on.")

    def _refusal(self, error: BinanceError, base: int, now: float) -> Refusal:
        """What a failed attempt means; the base that brought data is kept, where one is refused the next is tried."""
        if isinstance(error, AddressRefused):
            self._bases_refused += 1
            self._base = (base + 1) % len(self.plan.bases)
            return Refusal(error, for_good=self._bases_refused >= len(self.plan.bases))
        if isinstance(error, RateLimited):
            return Refusal(error, listens_again_at=now + error.retry_at - self._around.clock.epoch())
        return Refusal(error, for_good=error.owner is not Owner.EXCHANGE)

    def _open(self, opened: Connection, base: int, named: int, now: float) -> None:
        """Takes a connection to a base whose address names the first `named` streams."""
        number = self._lines
        self._lines += 1
        connection = self._connections[number] = FeedConnection(
            opened,
            Subscriptions(self.plan.streams, named),
            self._around.clock,
            base=base,
            own_streams=self.contracts.follows,
        )
        self._around.selector.register(connection.descriptor, selectors.EVENT_READ, (self, number))
        if self.machine.primary is None:
            # The name without its host, which follows.
            name, _, _ = self.machine.name.partition(" (")
            text = f"Connected to {host_of(self.plan.bases[base])}."
            self._around.outbox.put(LogLine("info", f"{name}: {text}" if name else text))
        self._do(self.machine.opened(number, now), now)

    def _dial(self) -> None:
        """At another address where the line in use has never brought anything."""
        base, primary = self._base, self.machine.primary
        if primary is not None and not primary.has_data:
            base = (self._connections[primary.number].base + 1) % len(self.plan.bases)
        address, named = stream_address(self.plan.bases[base], self.plan.streams)
        self._dialler.dial(address, self._around.timing.connect, (base, named))

    # --- what does not bring all that it should ---

    def _subscription_failed(self, number: int, why: str, now: float) -> None:
        """A fresh connection has the streams in its address. Where that does not help, it is reported."""
        primary = self.machine.primary
        if now < self._next_reconnect_at:
            symbols = first_of(_symbols(self._connections[number].subscriptions.failed))
            self._log("warning", f"These contracts are not followed: {symbols}. Cause: {why}.")
            return
        self._next_reconnect_at = now + RECONNECT_EVERY
        if primary is not None and primary.number == number:
            self._do(self.machine.request_reconnect(number, why, now), now)
        else:
            self._do(self.machine.lost(number, why, now), now)


def _symbols(streams: list[str]) -> tuple[str, ...]:
    return tuple(stream.partition("@")[0].upper() for stream in streams)
