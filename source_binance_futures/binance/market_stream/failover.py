"""The failover of one feed: events in, actions out. Pure: no clock, no socket, no thread, no log.

Binance never replays: what is pushed while nobody listens is gone. So a connection is replaced before it is left (at 23
hours, when the server announces its end, when it falls silent or behind), and with a standby a second one is always
there to take over. All of that is one mechanism: a *spare* line keeps a backlog, and is promoted.

What was lost is decided by one number, `account.until`. `now` is monotonic seconds, what is *pushed* is told in epoch
seconds of the exchange's clock. What may be asked for stands in `events.py`, the rules in `verdicts.py`, the states in
`states.py`, and the drawing of all in docs/failover.md.
"""

from __future__ import annotations

from . import events, verdicts
from .account import Account
from .backoff import Backoff
from .changeover import Changeover
from .events import Action, Arrival, Refusal
from .line import Line, Timing
from .pair import Pair
from .push_clock import PushClock
from .states import Phase, State, state_of

QUIET_END = 6.0  # seconds without data before the end that are told: five are Binance's own pace for samples


class Failover:
    """Keeps one or two lines of one feed, and accounts for what is pushed over it.

    Each event is a method that returns the actions it asks for, in order.
    """

    def __init__(self, timing: Timing, clock: PushClock, backoff: Backoff, *, standby: bool, began: float) -> None:
        self.state = State(Phase.CONNECTING)
        self.account = Account(clock, began)
        self.pair = Pair(timing)
        self._lines = Changeover(self.pair, self.account, timing, standby=standby)
        self._timing = timing
        self._clock = clock
        self._backoff = backoff
        self._dialling = False
        self._has_given_up = False
        self._over = False

    @property
    def losses(self) -> int:
        """How often the line in use was lost."""
        return self._lines.losses

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
        elif not self._over and self.pair.spare is None and self._lines.wants_spare:
            self.pair.spare = line
        else:
            self._lines.do(events.Close(number))
        return self._answer(now)

    def refused(self, refusal: Refusal, now: float) -> list[Action]:
        """An attempt failed."""
        self._dialling = False
        hopeless = self._backoff.refused(now, refusal)
        alive = self.pair.active is not None
        failures = self._backoff.failures
        if failures & (failures - 1) == 0 and not self._over:  # the 1st, 2nd, 4th, 8th... in a row
            what = f"{self._lines.name_of_spare} is missing" if alive else "Connecting failed"
            self._lines.do(events.Warn(f"{what} (attempt {failures} in a row): {refusal}"))
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
                self._end_silence(arrival)
                self._lines.do(*self.account.emitted(line), events.Emit(arrival.batch))
                if arrival.ended and not self._is_covered():
                    arrival.batch.behind = True  # who knows how long it had been over
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
            self._lines.lose(line, cause)
        return self._answer(now)

    def doubted(self, number: int, why: str, now: float) -> list[Action]:
        """What only a look at the contents can tell: line `number` does not bring all that it should."""
        active = self.pair.active
        if active is not None and active.number == number and self._lines.replacing is None:
            self._lines.replace(verdicts.Replacement(verdicts.Reason.DOUBT, why))
        return self._answer(now)

    def outbox_full(self, now: float) -> list[Action]:
        """The consumer is far behind: the line in use is left unread. Its silence from now on proves nothing."""
        active = self.pair.active
        if not self._lines.paused and active is not None:
            self._lines.paused = True
            active.pause(now)
            self._lines.do(events.Pause(active.number))
        return self._answer(now)

    def outbox_free(self, now: float) -> list[Action]:
        """The consumer has caught up."""
        active = self.pair.active
        if self._lines.paused and active is not None:
            self._lines.paused = False
            active.resume(now)
            self.pair.forget()
            self._lines.do(events.Resume(active.number))
        return self._answer(now)

    def ended(self, now: float) -> list[Action]:
        """The window is over. Tells what may be missing at its end, and leaves every line."""
        if not self._over:
            self._over = True
            self._doubt_the_end(now)
            self._lines.do(*self.account.told_until(self._clock.now(now)))
        for line in self.pair.lines():
            self._lines.leave(line)
        return self._answer(now)

    # --- from events to actions ---

    def _answer(self, now: float) -> list[Action]:
        """What was asked for, and what the new state asks for."""
        if not (self._dialling or self._has_given_up or self._over):
            self._dial_if_due(now)
        replacing = self._lines.replacing.why if self._lines.replacing is not None else None
        state = state_of(self.pair, self.account, replacing=replacing, paused=self._lines.paused)
        if state != self.state:
            self._lines.do(events.Changed(self.state, state))
            self.state = state
        actions, self._lines.actions = self._lines.actions, []
        return actions

    def _dial_if_due(self, now: float) -> None:
        alive = self.pair.active is not None
        if alive and (self.pair.spare is not None or not self._lines.wants_spare):
            return
        if not alive and self._backoff.banned is not None:
            self._give_up(self._backoff.banned)
        elif now >= self._backoff.next_attempt_at(alive=alive):
            self._backoff.attempted(now)
            self._dialling = True
            self._lines.do(events.Dial())

    def _give_up(self, error: Exception) -> None:
        self._has_given_up = True
        self._lines.do(events.GiveUp(error))

    def _is_covered(self) -> bool:
        """Whether a spare has all that was not emitted."""
        return self.pair.spare is not None and self.account.would_lose_nothing(self.pair.spare)

    def _end_silence(self, arrival: Arrival) -> None:
        """A fresh line that was asked for because of silence is not wanted any more once data comes."""
        wanted = self._lines.replacing
        if arrival.has_data and wanted is not None and wanted.reason is verdicts.Reason.SILENCE:
            self._lines.replacing = None

    def _doubt_the_end(self, now: float) -> None:
        """Opens what may be missing in the last stretch of the window; a spare may still have it."""
        active, spare = self.pair.active, self.pair.spare
        if active is None or self.account.until is None:
            return
        failed = None if self._lines.paused else verdicts.failed_at_end(self.pair, self._timing, now)
        if failed is not None and spare is not None:
            self._lines.follow(failed, active, spare)
            active, spare = spare, None
        doubt = verdicts.doubt_of_end(active, paused=self._lines.paused)
        if doubt is not None and spare is not None and self.account.would_lose_nothing(spare):
            self._lines.replacing = verdicts.Replacement(verdicts.Reason.DOUBT, doubt)
            self._lines.follow(verdicts.Relieve(), active, spare)
            is_quiet = self._clock.now(now) - self.account.until >= QUIET_END
            doubt = verdicts.doubt_of_end(spare, paused=False) or (doubt if is_quiet else None)
        if doubt is not None:
            self.account.open_outage(doubt)
        elif self._clock.now(now) - self.account.until >= QUIET_END:
            self.account.open_silence("the window ended in silence")

    # --- what the clocks ask for ---

    def _look_after_lines(self, now: float) -> None:
        for line in self.pair.lines():
            if self._lines.paused and line is self.pair.active:
                continue
            stalled = line.stalled(now)
            if stalled is not None:
                self._lines.lose(line, stalled)
            elif line.needs_ping(now):
                self._lines.do(events.Ping(line.number))
        spare = self.pair.spare
        if spare is not None and verdicts.spare_has_aged(spare, self._timing, now):
            self._lines.leave(spare)
        if self.pair.active is not None and not self._lines.paused:
            self._judge(self.pair.active, now)

    def _judge(self, active: Line, now: float) -> None:
        if self._lines.replacing is None:
            wanted = verdicts.reason_to_replace(active, self.pair.spare, self._timing, now)
            if wanted is not None:
                if wanted.reason is verdicts.Reason.SILENCE and self.pair.spare is not None:
                    self._lines.leave(self.pair.spare)  # as silent as the other: only a fresh one can tell
                self._lines.replace(wanted)
        verdict = verdicts.verdict_on_both(
            self.pair,
            self.account,
            self._timing,
            now,
            wants_spare=self._lines.wants_spare,
            replacing=self._lines.replacing is not None,
        )
        if verdict is not None and self.pair.spare is not None:
            self._lines.follow(verdict, active, self.pair.spare)
