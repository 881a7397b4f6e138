"""The failover of one feed: events in, actions out. Pure: no clock, no socket, no thread, no log.

Binance never replays: what is pushed while nobody listens is gone. So a connection is replaced before it is left (at 23
hours, when the server announces its end, when it falls silent or behind), and with a standby a second one is always
there to take over. All of that is one mechanism: a *spare* line keeps a backlog, and is promoted.

What was lost is decided by one number, `account.until`. `at` and `now` are monotonic seconds, what is *pushed* is told
in epoch seconds of the exchange's clock.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum

from .account import Account
from .backoff import Backoff
from .events import (
    Action,
    Arrival,
    Changed,
    Close,
    Dial,
    Emit,
    GiveUp,
    Note,
    Pause,
    Phase,
    Ping,
    Refusal,
    Resume,
    State,
    TookOver,
    Warn,
)
from .line import BEHIND_AFTER, Line, Timing
from .pair import Pair
from .push_clock import PushClock

QUIET_END = 6.0  # seconds without data before the end that are told: five are Binance's own pace for samples


class Reason(Enum):
    """Why a fresh line is wanted beside the one in use."""

    SHUTDOWN = "shutdown"
    AGE = "age"
    SILENCE = "silence"
    DOUBT = "doubt"


class Failover:
    """Keeps one or two lines of one feed, and accounts for what is pushed over it.

    Each event is a method that returns the actions it asks for, in order.
    """

    def __init__(self, timing: Timing, clock: PushClock, backoff: Backoff, *, standby: bool, began: float) -> None:
        self.losses = 0  # how often the line in use was lost
        self.state = State(Phase.CONNECTING)
        self.account = Account(clock, began)
        self.pair = Pair(timing)
        self._timing = timing
        self._clock = clock
        self._backoff = backoff
        self._standby = standby
        self._dialling = False
        self._replacing: tuple[Reason, str] | None = None
        self._paused = False
        self._has_given_up = False
        self._over = False
        self._actions: list[Action] = []

    # --- events ---

    def tick(self, now: float) -> list[Action]:
        """Time has passed; the first one asks for the first connection."""
        self._look_after_lines(now)
        return self._answer(now)

    def opened(self, number: int, now: float) -> list[Action]:
        """An attempt led to a connection, known as line `number` from here on."""
        self._dialling = False
        self._backoff.opened()
        line = Line(number, now, self._timing, self._clock)
        if not self._over and self.pair.active is None:
            self.pair.active = line
        elif not self._over and self.pair.spare is None and self._wants_spare():
            self.pair.spare = line
        else:
            self._do(Close(number))
        return self._answer(now)

    def refused(self, refusal: Refusal, now: float) -> list[Action]:
        """An attempt failed."""
        self._dialling = False
        hopeless = self._backoff.refused(now, refusal)
        alive = self.pair.active is not None
        failures = self._backoff.failures
        if failures & (failures - 1) == 0 and not self._over:  # the 1st, 2nd, 4th, 8th... in a row
            what = f"{self._name_of_spare()} is missing" if alive else "Connecting failed"
            self._do(Warn(f"{what} (attempt {failures} in a row): {refusal}"))
        if not alive and not self._over:
            self.account.open_outage(str(refusal).rstrip("."))
            if hopeless:
                self._give_up(refusal.error)
        return self._answer(now)

    def received(self, number: int, arrival: Arrival, now: float) -> list[Action]:
        """One read of line `number`."""
        line = self.pair.line(number)
        if line is None:
            return []
        was_proven = line.begins is not None
        line.receive(now, arrival)
        if line.begins is not None and not was_proven:
            self._backoff.proven()
        if arrival.batch is not None:
            if line is self.pair.active:
                if arrival.has_data and self._replacing is not None and self._replacing[0] is Reason.SILENCE:
                    self._replacing = None
                self._do(*self.account.emitted(line), Emit(arrival.batch))
            else:
                line.keep(arrival.batch, self.account.until)
            if arrival.has_data:
                self.pair.compare(line, now)
        self._look_after_lines(now)
        return self._answer(now)

    def lost(self, number: int, cause: str, now: float) -> list[Action]:
        """Line `number` is over; what arrived before was `received`."""
        line = self.pair.line(number)
        if line is not None:
            self._lose(line, cause)
        return self._answer(now)

    def doubted(self, number: int, why: str, now: float) -> list[Action]:
        """What only a look at the contents can tell: line `number` does not bring all that it should."""
        if self.pair.active is not None and self.pair.active.number == number and self._replacing is None:
            self._replace(Reason.DOUBT, why)
        return self._answer(now)

    def outbox_full(self, now: float) -> list[Action]:
        """The consumer is far behind: the line in use is left unread. Its silence from now on proves nothing."""
        if not self._paused and self.pair.active is not None:
            self._paused = True
            self.pair.active.pause(now)
            self.pair.forget()
            self._do(Pause(self.pair.active.number))
        return self._answer(now)

    def outbox_free(self, now: float) -> list[Action]:
        """The consumer has caught up."""
        if self._paused and self.pair.active is not None:
            self._paused = False
            self.pair.active.resume(now)
            self.pair.forget()
            self._do(Resume(self.pair.active.number))
        return self._answer(now)

    def ended(self, now: float) -> list[Action]:
        """The window is over. Tells what may be missing at its end, and leaves every line."""
        if not self._over:
            self._over = True
            self._doubt_the_end(now)
            self._do(*self.account.told_until(self._clock.now(now)))
        self._do(*(Close(line.number) for line in self.pair.lines()))
        self.pair.active = self.pair.spare = None
        return self._answer(now)

    # --- from events to actions ---

    def _do(self, *actions: Action) -> None:
        self._actions.extend(actions)

    def _answer(self, now: float) -> list[Action]:
        """What was asked for, and what the new state asks for."""
        alive = self.pair.active is not None
        wants_one = not alive or (self.pair.spare is None and self._wants_spare())
        if wants_one and not (self._dialling or self._has_given_up or self._over):
            if not alive and self._backoff.banned is not None:
                self._give_up(self._backoff.banned)
            elif now >= self._backoff.next_attempt_at(alive=alive):
                self._backoff.attempted(now)
                self._dialling = True
                self._do(Dial())
        state = self._state()
        if state != self.state:
            self._do(Changed(self.state, state))
            self.state = state
        actions, self._actions = self._actions, []
        return actions

    def _state(self) -> State:
        active, spare = self.pair.active, self.pair.spare
        if self.account.outage is not None:
            return State(Phase.OUTAGE, self.account.outage, self._paused)
        if active is None:
            return State(Phase.CONNECTING)
        if self.account.silence is not None:
            return State(Phase.SILENT, self.account.silence, self._paused)
        if self._replacing is not None:
            return State(Phase.REPLACING, self._replacing[1], self._paused)
        if active.begins is None:
            return State(Phase.UNPROVEN, "", self._paused)
        covered = spare is not None and self.account.would_lose_nothing(spare)
        return State(Phase.COVERED if covered else Phase.SINGLE, "", self._paused)

    def _wants_spare(self) -> bool:
        return self._standby or self._replacing is not None

    def _give_up(self, error: Exception) -> None:
        self._has_given_up = True
        self._do(GiveUp(error))

    def _name_of_spare(self) -> str:
        return "The standby connection" if self._standby else "The fresh connection"

    def _doubt_the_end(self, now: float) -> None:
        """Opens what may be missing in the last stretch of the window."""
        active = self.pair.active
        if active is None or self.account.until is None:
            return
        if self._paused:
            self.account.open_outage("the window ended while reading paused")
        elif active.lag > BEHIND_AFTER:
            self.account.open_outage(f"the connection was {active.lag:.1f} seconds behind when the window ended")
        elif self._clock.now(now) - self.account.until >= QUIET_END:
            self.account.open_silence("the window ended in silence")

    # --- from one line to another ---

    def _lose(self, line: Line, cause: str) -> None:
        was_active = line is self.pair.active
        self._leave(line)
        if not was_active:
            self._do(Warn(f"{self._name_of_spare()} is missing, another is being opened. Cause: {cause}."))
            return
        self.losses += 1
        if self.pair.spare is not None:
            self._promote(cause)
        else:
            self.account.open_outage(cause)
            self._replacing = None
            self._do(Note(f"The connection was lost: {cause}. Connecting again."))

    def _leave(self, line: Line) -> None:
        if line is self.pair.active:
            self._paused = False
        self.pair.remove(line)
        self._do(Close(line.number))

    def _swap(self, active: Line, cause: str) -> None:
        self.losses += 1
        self._leave(active)
        self._promote(cause)

    def _promote(self, cause: str) -> None:
        """The spare becomes the line in use. What its backlog holds goes first; the cursor skips what is known."""
        line = self.pair.promote()
        self._replacing = None
        if self.account.would_lose_nothing(line):
            self._do(TookOver(line.number), Note(f"Another connection took over without a gap: {cause}."))
        else:
            self.account.open_outage(cause)
        self._do(*self.account.emitted(line), *map(Emit, line.unwind()))

    def _replace(self, reason: Reason, why: str) -> None:
        self._replacing = reason, why
        told = f"A fresh connection replaces the one in use: {why}."
        self._do(Note(told) if reason in (Reason.SHUTDOWN, Reason.AGE) else Warn(told))

    def _accept_silence(self, active: Line, spare: Line) -> None:
        """Two connections that answer and bring nothing: there is nothing to send."""
        self._do(Warn("The fresh connection is silent too, so there may be nothing to send. Staying on it."))
        spare.patience = min(active.patience * 2, self._timing.longest_patience)
        self.account.open_silence("a fresh connection was silent too")
        self._leave(active)
        self.pair.promote()
        self._replacing = None

    # --- what the clocks ask for ---

    def _look_after_lines(self, now: float) -> None:
        for line in self._read_lines():
            stalled = line.stalled(now)
            if stalled is not None:
                self._lose(line, stalled)
            elif line.needs_ping(now):
                self._do(Ping(line.number))
        spare = self.pair.spare
        if spare is not None and (spare.retiring or spare.age(now) >= self._timing.rotate_after):
            self._leave(spare)
        if self.pair.active is not None and not self._paused:
            if self._replacing is None:
                self._look_for_reason(self.pair.active, now)
            if self.pair.spare is not None:
                self._look_at_both(self.pair.active, self.pair.spare, now)

    def _read_lines(self) -> Iterable[Line]:
        return [line for line in self.pair.lines() if not (self._paused and line is self.pair.active)]

    def _look_for_reason(self, active: Line, now: float) -> None:
        """Why the line in use should be replaced although it is open."""
        spare = self.pair.spare
        if active.retiring:
            self._replace(Reason.SHUTDOWN, "the server announced its shutdown")
        elif active.age(now) >= self._timing.rotate_after:
            self._replace(Reason.AGE, f"it has been open for {active.age(now) / 3600:.1f} hours")
        elif active.is_silent(now) and (spare is None or spare.is_silent(now)):
            if spare is not None:
                self._leave(spare)  # as silent as the other: only a fresh one can tell
            self._replace(Reason.SILENCE, f"no update came for {active.silent_for(now):.0f} seconds")

    def _look_at_both(self, active: Line, spare: Line, now: float) -> None:
        lossless = self.account.would_lose_nothing(spare)
        if self.pair.spare_is_alone(now, at_once=self.account.is_open):
            self._swap(active, f"the connection in use was silent for {active.silent_for(now):.1f} seconds")
        elif lossless and self.pair.active_is_behind(now):
            self._swap(active, f"the connection in use was {active.lag:.1f} seconds behind")
        elif self.pair.spare_is_deaf(now):
            self._lose(spare, f"it was silent for {spare.silent_for(now):.1f} seconds")
        elif self._replacing is None:
            if not self._standby:
                self._leave(spare)
        elif lossless and spare.has_brought_for(self._timing.overlap):
            cause = self._replacing[1]
            self._leave(active)
            self._promote(cause)
        elif active.is_silent(now) and spare.is_silent(now) and spare.answered:
            self._accept_silence(active, spare)
