"""One feed: what its failover machine asks for, done with sockets. Belongs to the reading thread."""

from __future__ import annotations

import contextlib
import selectors
from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

from ..clock import Clock
from ..endpoints import own_stream
from ..errors import BinanceError, causes_of
from ..text import first_of
from ..transport.address import host_of
from ..transport.connection import Opening
from ..transport.proxy import Route
from .dialling import Dialling, Opened
from .failover import Action, Close, Dial, Failover, GiveUp, Pause, Ping, Resume, TookOver
from .items import LogLine, Outbox, Takeover
from .line import Timing
from .subscriptions import FeedPlan, Subscriptions
from .wire import Wire

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


class Feed:
    """Drives `machine` for the streams of `plan`; `number` tells feeds apart."""

    def __init__(
        self, number: int, plan: FeedPlan, machine: Failover, around: Surroundings, *, own_streams: bool
    ) -> None:
        self.number = number
        self.machine = machine
        self.failure: Exception | None = None  # why no further connection is tried
        self.brought_data = False
        self.plan = plan
        self._around = around
        self._own_streams = own_streams
        self._wires: dict[int, Wire] = {}
        self._lines = 0
        self._lost: str | None = None  # why the newest loss happened
        self._dialling = Dialling(
            plan,
            around.route,
            around.clock,
            connect_within=around.timing.connect,
            wake=around.wake,
            opening=around.opening,
        )
        self._next_reconnect_at = 0.0

    # --- what happens ---

    def tick(self, now: float) -> None:
        """Time has passed: clocks are looked at, and what appeared is subscribed."""
        for number, wire in list(self._wires.items()):
            message = wire.subscriptions.message(now)
            if message is not None:
                wire.connection.send_text(message)
            fault = wire.subscriptions.fault(now)
            if fault is not None:
                self._subscription_failed(number, fault, now)
        self._do(self.machine.tick(now), now)

    def meet_new_connections(self, now: float) -> None:
        """Takes the outcomes of attempts that have ended."""
        while (outcome := self._dialling.outcome(now)) is not None:
            if isinstance(outcome, Opened):
                self._open(outcome, now)
            else:
                causes = causes_of(outcome.error)
                if causes:
                    self._log("debug", f"{outcome.error} {causes}")
                self._do(self.machine.refused(outcome, now), now)

    def read(self, number: int, now: float) -> Sequence[bytes]:
        """Reads what has arrived over one line; the samples among it."""
        wire = self._wires.get(number)
        if wire is None:
            return []
        read = wire.read(now)
        samples = [*read.samples]
        if read.ended and self.machine.primary is self.machine.line(number):
            for other in [line for line in self._wires if line != number]:  # it may have ended too: who has the rest?
                samples += self.read(other, now)
        if read.refused is not None:
            self._subscription_failed(number, read.refused, now)
        self._do(self.machine.received(number, read, now), now)
        if read.has_data:
            self.brought_data = True
            self._note_base(wire, number)
        if read.lost is not None:
            self._lost = read.lost
            self._do(self.machine.lost(number, read.lost, now), now)
        return samples

    def mind_the_outbox(self, *, full: bool, now: float) -> None:
        """Pauses and resumes reading."""
        self._do(self.machine.outbox_full(now) if full else self.machine.outbox_free(now), now)

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
        self._dialling.close()
        self._do(self.machine.window_ended(now), now)

    @property
    def is_busy(self) -> bool:
        """Whether it has a connection, or tries to get one."""
        return bool(self._wires) or self._dialling.is_under_way

    @property
    def trouble(self) -> str | None:
        """What went wrong last, where no connection came about or one was lost."""
        return self._lost or (str(self._dialling.trouble) if self._dialling.trouble is not None else None)

    @property
    def refused(self) -> BinanceError | None:
        """Why the newest failed attempt failed."""
        return self._dialling.trouble

    @property
    def unanswered(self) -> str | None:
        """What the attempt that is still under way waits for; None where there is none."""
        if not self._dialling.is_under_way:
            return None
        return f"{host_of(self.plan.bases[0])} did not answer before the window ended"

    @property
    def was_connected(self) -> bool:
        """Whether any connection ever came about."""
        return self._lines > 0

    @property
    def pending(self) -> list[int]:
        """The lines that hold decrypted bytes, of which `select` does not know; but for those left unread."""
        registered = self._around.selector.get_map()
        return [
            number
            for number, wire in self._wires.items()
            if wire.connection.has_decrypted_bytes() and wire.descriptor in registered
        ]

    # --- what the machine asks for ---

    def _do(self, actions: list[Action], now: float) -> None:
        for action in actions:
            if isinstance(action, Dial):
                self._dial()
            elif isinstance(action, TookOver):
                streams = self._wires[action.line].subscriptions.unconfirmed(now, self._around.timing.backlog)
                self._around.outbox.put(Takeover(self.number, action.covers_from, _symbols(streams)))
            elif isinstance(action, GiveUp):
                self.failure = action.error
            elif isinstance(action, (Close, Ping, Pause, Resume)):
                self._do_to_line(action)
            else:
                self._around.outbox.put(action)

    def _do_to_line(self, action: Close | Ping | Pause | Resume) -> None:
        wire = self._wires[action.line]
        selector = self._around.selector
        if isinstance(action, Ping):
            wire.connection.ping()
        elif isinstance(action, Resume):
            selector.register(wire.descriptor, selectors.EVENT_READ, (self, action.line))
        elif isinstance(action, Pause):
            selector.unregister(wire.descriptor)
        else:
            del self._wires[action.line]
            with contextlib.suppress(KeyError):  # it was left unread
                selector.unregister(wire.descriptor)
            wire.connection.close()

    def _log(self, level: Literal["debug", "info", "warning"], text: str) -> None:
        self._around.outbox.put(LogLine(level, self.machine.named(text)))

    def _note_base(self, wire: Wire, number: int) -> None:
        """The line in use decides, since a standby may be at another address, which brings data too."""
        primary = self.machine.primary
        if primary is not None and primary.number == number:
            news = self._dialling.brings_data(wire.base)
            if news is not None:
                self._log("info", news)

    def _open(self, opened: Opened, now: float) -> None:
        number = self._lines
        self._lines += 1
        connection = opened.connection
        wire = Wire(
            connection,
            Subscriptions(self.plan.streams, opened.named),
            self._around.clock,
            base=opened.base,
            own_streams=self._own_streams,
        )
        self._wires[number] = wire
        self._around.selector.register(wire.descriptor, selectors.EVENT_READ, (self, number))
        if self.machine.primary is None:
            # The name without its host, which follows.
            name, _, _ = self.machine.name.partition(" (")
            text = f"Connected to {host_of(self.plan.bases[opened.base])}."
            self._around.outbox.put(LogLine("info", f"{name}: {text}" if name else text))
        self._do(self.machine.opened(number, now), now)

    def _dial(self) -> None:
        """At another address where the line in use has never brought anything."""
        primary = self.machine.primary
        is_dumb = primary is not None and not primary.has_data
        self._dialling.dial(other_than=self._wires[primary.number].base if primary is not None and is_dumb else None)

    # --- what does not bring all that it should ---

    def _subscription_failed(self, number: int, why: str, now: float) -> None:
        """A fresh connection has the streams in its address. Where that does not help, it is reported."""
        primary = self.machine.primary
        if now < self._next_reconnect_at:
            symbols = first_of(_symbols(self._wires[number].subscriptions.failed))
            self._log("warning", f"These contracts are not followed: {symbols}. Cause: {why}.")
            return
        self._next_reconnect_at = now + RECONNECT_EVERY
        if primary is not None and primary.number == number:
            self._do(self.machine.request_reconnect(number, why, now), now)
        else:
            self._do(self.machine.lost(number, why, now), now)


def _symbols(streams: list[str]) -> tuple[str, ...]:
    return tuple(stream.partition("@")[0].upper() for stream in streams)
