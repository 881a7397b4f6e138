"""One feed: what its failover machine asks for, done with sockets. Belongs to the reading thread."""

from __future__ import annotations

import contextlib
import selectors
from collections.abc import Callable
from typing import NamedTuple

from ..clock import Clock
from ..endpoints import own_stream
from ..text import first_of
from ..transport.address import host_of
from ..transport.connection import Opening
from ..transport.route import Route
from . import events
from .contracts import FeedPlan
from .dialling import Dialling, Opened
from .events import Action, Close, Pause, Ping, Resume
from .failover import Failover
from .line import Timing
from .outbox import Gap, Noted, Outbox, Reach, Silence, Traced, Unproven, Warned
from .subscriptions import Subscriptions
from .wire import Wire

DOUBT_EVERY = 30.0  # seconds between two replacements because of a subscription


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
    """Drives `machine` for the streams of `plan`. `number` tells feeds apart, `name` for a person."""

    def __init__(
        self, number: int, plan: FeedPlan, machine: Failover, around: Surroundings, *, own_streams: bool
    ) -> None:
        self.number = number
        self.name = ""
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
        self._next_doubt_at = 0.0
        self._has_line: bool | None = None  # as it was told last

    # --- what happens ---

    def tick(self, now: float) -> None:
        """Time has passed: clocks are looked at, and what appeared is subscribed."""
        for number, wire in list(self._wires.items()):
            message = wire.subscriptions.message(now)
            if message is not None:
                wire.connection.send_text(message)
            fault = wire.subscriptions.fault(now)
            if fault is not None:
                self._doubt_subscription(number, fault, now)
        self._do(self.machine.tick(now), now)

    def meet_new_connections(self, now: float) -> None:
        """Takes the outcomes of attempts that have ended."""
        while (outcome := self._dialling.outcome(now)) is not None:
            if isinstance(outcome, Opened):
                self._open(outcome, now)
            else:
                self._do(self.machine.refused(outcome, now), now)

    def read(self, number: int, now: float) -> list[bytes]:
        """Reads what has arrived over one line; the samples among it."""
        wire = self._wires.get(number)
        if wire is None:
            return []
        reading = wire.read(now)
        if reading.refused is not None:
            self._doubt_subscription(number, reading.refused, now)
        self._do(self.machine.received(number, reading.arrival, now), now)
        if reading.arrival.has_data:
            self.brought_data = True
            self._note_base(wire, number)
        if reading.lost is not None:
            self._lost = reading.lost
            self._do(self.machine.lost(number, reading.lost, now), now)
        return reading.samples

    def mind_the_outbox(self, *, full: bool, now: float) -> None:
        """Pauses and resumes reading."""
        self._do(self.machine.outbox_full(now) if full else self.machine.outbox_free(now), now)

    def doubt(self, line: int | None, why: str, now: float) -> None:
        """What only a look at the contents could tell; without a line it is of the one in use."""
        active = self.machine.pair.active
        if active is not None:
            self._do(self.machine.doubted(active.number if line is None else line, why, now), now)

    def follows(self, symbol: str) -> bool:
        """Whether the own stream of a contract is one of its streams."""
        return own_stream(symbol) in self.plan.streams

    def end(self, now: float) -> None:
        """Leaves every connection, also one that is still being opened."""
        self._dialling.close()
        self._do(self.machine.ended(now), now)

    @property
    def is_busy(self) -> bool:
        """Whether it has a connection, or tries to get one."""
        return bool(self._wires) or self._dialling.is_under_way

    @property
    def trouble(self) -> str | None:
        """What went wrong last, where no connection came about or one was lost."""
        return self._lost or self._dialling.trouble

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
        put = self._around.outbox.put
        for action in actions:
            if isinstance(action, events.Emit):
                put(action.batch)
            elif isinstance(action, events.TellSilence):
                put(Silence(self.number, action.since, action.until, self._named(action.cause)))
            elif isinstance(action, events.TellGap):
                put(Gap(self.number, action.since, action.until, self._named(action.cause)))
            elif isinstance(action, events.Note):
                put(Noted(self._named(action.text)))
            elif isinstance(action, events.Warn):
                put(Warned(self._named(action.text)))
            elif isinstance(action, events.Changed):
                put(Traced(self._named(f"{action.before} -> {action.after}")))
            elif isinstance(action, events.TookOver):
                self._tell_unproven(action.line, now)
            elif isinstance(action, events.Dial):
                self._dial()
            elif isinstance(action, events.GiveUp):
                self.failure = action.error
            else:
                self._do_to_line(action)
        has_line = self.machine.pair.active is not None
        if has_line is not self._has_line:
            self._has_line = has_line
            put(Reach(self.number, None if has_line else now))

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

    def _named(self, text: str) -> str:
        return f"{self.name}: {text}" if self.name else text

    def _note_base(self, wire: Wire, number: int) -> None:
        """The line in use decides, since a standby may be at another address, which brings data too."""
        active = self.machine.pair.active
        if active is not None and active.number == number:
            news = self._dialling.brings_data(wire.base)
            if news is not None:
                self._around.outbox.put(Noted(self._named(news)))

    def _open(self, opened: Opened, now: float) -> None:
        number = self._lines
        self._lines += 1
        connection = opened.connection
        wire = Wire(
            connection,
            Subscriptions(self.plan.streams, opened.named),
            self._around.clock,
            feed=self.number,
            number=number,
            base=opened.base,
            own_streams=self._own_streams,
        )
        self._wires[number] = wire
        self._around.selector.register(wire.descriptor, selectors.EVENT_READ, (self, number))
        if self.machine.pair.active is None:
            self._around.outbox.put(Noted(self._named(f"Connected to {host_of(self.plan.bases[opened.base])}.")))
        self._do(self.machine.opened(number, now), now)

    def _dial(self) -> None:
        """At another address where the line in use has never brought anything."""
        active = self.machine.pair.active
        is_dumb = active is not None and not active.has_data
        self._dialling.dial(other_than=self._wires[active.number].base if active is not None and is_dumb else None)

    # --- what is doubted ---

    def _doubt_subscription(self, number: int, why: str, now: float) -> None:
        """A fresh connection has the streams in its address. Where that does not help, it is told."""
        active = self.machine.pair.active
        if now < self._next_doubt_at:
            symbols = first_of(_symbols(self._wires[number].subscriptions.failed))
            self._around.outbox.put(Warned(self._named(f"These contracts are not followed: {symbols}. Cause: {why}.")))
            return
        self._next_doubt_at = now + DOUBT_EVERY
        if active is not None and active.number == number:
            self._do(self.machine.doubted(number, why, now), now)
        else:
            self._do(self.machine.lost(number, why, now), now)

    def _tell_unproven(self, number: int, now: float) -> None:
        """Of a line that took over, some contracts may have been subscribed too late to have missed nothing."""
        streams = self._wires[number].subscriptions.unconfirmed(now, self._around.timing.backlog)
        if streams:
            self._around.outbox.put(Unproven(_symbols(streams)))


def _symbols(streams: list[str]) -> tuple[str, ...]:
    return tuple(stream.partition("@")[0].upper() for stream in streams)
