"""The failover of one feed: events in, commands and items out; docs/failover.md draws its states. Pure.

Binance never replays: what is pushed while nobody listens is gone. So a connection is replaced before it is left (at 23
hours, when the server announces its end, when it falls silent or behind), and with a standby a second one is always
there. All of that is one mechanism: a *standby* line keeps a backlog, and takes over from the *primary*.

What was lost is decided by one number, the *watermark*: everything pushed before it has been emitted, or reported as
missing. A gap begins there (`_report_until`). An update of the primary moves it, back, too, where some contracts prove
to be later than others (`Line.reached`), and the report of a gap; silence, pongs and acknowledgements prove nothing.
"""

from __future__ import annotations

from collections import Counter
from enum import Enum
from math import inf
from typing import Literal, NamedTuple, TypeAlias

from .backoff import Backoff, Refusal
from .exchange_clock import ExchangeClock
from .items import Batch, ConnectivityChanged, Gap, Item, LogLine, Takeover
from .line import BEHIND_AFTER, Line, Timing
from .messages import Read

SHORTEST_GAP = 0.001  # seconds; what is shorter is below the timestamp uncertainty
IN_STEP = 0.5  # seconds by which the same update may come later over one connection than over the other
RATE_SECONDS = 60  # before a silence, by which it is judged
LEAST_CHANCE = 1e-6  # of a silence; what is less likely is a gap
QUIET_END = 6.0  # seconds without data before the end that are reported: five are Binance's own pace for samples


class State(Enum):
    """Which connections a feed has."""

    CONNECTING = "connecting"  # none in use
    UNPROVEN = "unproven"  # a primary, and no update over it yet
    SINGLE = "single"  # a primary that brings updates
    COVERED = "covered"  # and a standby that has everything that was not emitted


class Missing(Enum):
    """Whether updates pushed since the watermark may be missing that are not reported yet."""

    NOTHING = "nothing missing"
    SILENCE = "silence"  # nothing came over connections that answer: most likely nothing was pushed
    OUTAGE = "outage"


class Command(NamedTuple):
    """What the feed is to do: `dial`, or to a `line`: `close`, `ping`, `pause` reading it, or `resume`."""

    verb: Literal["dial", "close", "ping", "pause", "resume"]
    line: int = -1


Action: TypeAlias = "Command | Item"


class _Rate:
    """How many updates came in each of the last seconds that brought any: what a silence is judged by."""

    def __init__(self, began: float) -> None:
        self._counts: Counter[int] = Counter()  # by second of the monotonic clock
        self._began = int(began)
        self._last_at = 0.0

    def updates_came(self, now: float, count: int) -> None:
        if int(now) not in self._counts:
            after = int(now) - RATE_SECONDS
            self._counts = Counter({second: updates for second, updates in self._counts.items() if second > after})
        self._counts[int(now)] += count
        self._last_at = now

    def too_long_a_silence(self, now: float) -> str | None:
        """Why the silence since the last update can hardly be one of the market, by the minute before; else None."""
        silent_for, busy = now - self._last_at, len(self._counts)
        watched = min(int(self._last_at) - self._began + 1, RATE_SECONDS)
        chance_of_a_second = (watched - busy + 1) / (watched + 2)  # without any update; by the rule of succession
        if chance_of_a_second ** int(silent_for) >= LEAST_CHANCE:
            return None
        return (
            f"nothing came in the last {silent_for:.1f} seconds, after {sum(self._counts.values()):,} updates in the "
            f"{watched} seconds before, {busy} of which brought some: by chance that happens less than once in a "
            "million times"
        )


class Failover:
    """Keeps one or two lines of one feed, and knows until when nothing that was pushed over it is missing.

    Each event is a method that returns the actions it asks for, in order. `now` is monotonic seconds, what is *pushed*
    is given in epoch seconds of the exchange's clock. The feed has a `name` where there are several.
    """

    def __init__(
        self, timing: Timing, clock: ExchangeClock, backoff: Backoff, *, standby: bool, began: float, feed: int = 0
    ) -> None:
        self.name = ""
        self.state = State.CONNECTING
        self.missing = Missing.NOTHING
        self.primary: Line | None = None
        self.standby: Line | None = None
        self.watermark = -inf  # epoch seconds of the exchange's clock; finite from the first update on
        self.losses = 0  # how often the primary was lost
        self.failure: Exception | None = None  # why no connection is tried any more
        self.replacing: str | None = None  # why a fresh line is wanted in place of the primary
        self.paused = False  # the primary is left unread
        self._floor = -inf  # the watermark never falls below it: the rest came over another line
        self._cause = ""  # of what is missing
        self._replacing_silence = False  # then the first data ends the wish for a fresh line
        self._feed = feed
        self._timing = timing
        self._clock = clock
        self._backoff = backoff
        self._keeps_standby = standby
        self._name_of_standby = "The standby connection" if standby else "The fresh connection"
        self._began = began
        self._rate = _Rate(began)
        self._actions: list[Action] = []
        self._is_dialling = self._is_over = False
        self._was_connected: bool | None = None  # as the consumer knows it

    @property
    def lines(self) -> list[Line]:
        """The open lines, the primary first."""
        return [line for line in (self.primary, self.standby) if line is not None]

    # --- events ---

    def tick(self, now: float) -> list[Action]:
        """Time has passed; the first tick asks for the first connection."""
        self._check(now)
        return self._answer(now)

    def opened(self, number: int, now: float) -> list[Action]:
        """An attempt led to a connection, known as line `number` from here on."""
        self._is_dialling = False
        self._backoff.opened()
        line = Line(number, now, self._timing, self._clock, self._feed)
        if not self._wants_line:
            self._do(Command("close", number))
        elif self.primary is None:
            self.primary = line
            self._enter(State.UNPROVEN)
        else:
            self.standby = line
        return self._answer(now)

    def refused(self, refusal: Refusal, now: float) -> list[Action]:
        """An attempt failed."""
        self._is_dialling = False
        is_hopeless = self._backoff.refused(now, refusal)
        if not self._is_over:
            is_connecting = self.primary is None
            failures = self._backoff.failures
            if failures & (failures - 1) == 0:  # the 1st, 2nd, 4th, 8th... in a row
                what = "Connecting failed" if is_connecting else f"{self._name_of_standby} is missing"
                self._log("warning", f"{what} (attempt {failures} in a row): {refusal.error}")
            if is_connecting:
                self._may_miss(Missing.OUTAGE, str(refusal.error).rstrip("."))
                if is_hopeless:
                    self._give_up(refusal.error)
        return self._answer(now)

    def received(self, number: int, read: Read, now: float) -> list[Action]:
        """One read of line `number`."""
        line = next((line for line in self.lines if line.number == number), None)
        if line is None:
            return []
        other = self.standby if line is self.primary else self.primary
        was_proven = line.begins < inf
        # The standby of a feed that is covered goes on with everything that was not emitted.
        has_rest = self.state is State.COVERED and line is self.primary and other is not None and not other.ended
        batch = line.receive(now, read, other_has_rest=has_rest)
        if line.begins < inf and not was_proven:
            self._backoff.proven()
        if batch is not None:
            if line is self.primary:
                if read.has_data and self._replacing_silence:
                    self.replacing = None
                self._advance(line)
                self._emit(batch)
                if read.has_update:
                    self._rate.updates_came(now, len(batch.payloads))
            else:
                line.keep(batch, self.watermark)
            if read.has_data and other is not None:
                self._compare(line, other, now)
            if self.standby is not None and self.state is not State.UNPROVEN:
                has_all = self.watermark - self.standby.covers_from >= self._clock.uncertainty
                self._enter(State.COVERED if has_all else State.SINGLE)
        self._check(now)
        return self._answer(now)

    def lost(self, number: int, cause: str, now: float) -> list[Action]:
        """Line `number` is over; what arrived before was `received`."""
        for line in self.lines:
            if line.number == number:
                self._lose(line, cause)
        return self._answer(now)

    def request_reconnect(self, number: int | None, why: str, now: float) -> list[Action]:
        """What only a look at the contents can tell: line `number`, None for the primary, does not bring all."""
        if self.primary is not None and number in (None, self.primary.number) and self.replacing is None:
            self._replace(why, "warning")
        return self._answer(now)

    def pause_or_resume(self, now: float, *, full: bool) -> list[Action]:
        """The consumer is far behind, and the primary is left unread, whose silence proves nothing; or it caught up."""
        if self.primary is not None and full is not self.paused:
            self.paused = full
            self._do(Command("pause" if full else "resume", self.primary.number))
            if full:
                self.primary.pause(now)
            else:
                self.primary.last_heard_at = self.primary.last_data_at = now
                self._compare_anew()
        return self._answer(now)

    def window_ended(self, now: float) -> list[Action]:
        """The window is over: reports what may be missing at its end, and leaves every line."""
        self._is_over = True
        self._check_end(now)
        self._report_until(self._clock.now(now))
        for line in self.lines:
            self._leave(line)
        return self._answer(now)

    def _answer(self, now: float) -> list[Action]:
        is_connected = self.primary is not None
        if self._wants_line and not self._is_dialling and self.failure is None:
            if not is_connected and self._backoff.banned is not None:
                self._give_up(self._backoff.banned)
            elif now >= self._backoff.next_attempt_at(alive=is_connected):
                self._backoff.attempted(now)
                self._is_dialling = True
                self._do(Command("dial"))
        if is_connected is not self._was_connected:
            self._was_connected = is_connected
            self._do(ConnectivityChanged(self._feed, None if is_connected else now))
        actions, self._actions = self._actions, []
        return actions

    def _do(self, action: Action) -> None:
        self._actions.append(action)

    def _log(self, level: Literal["debug", "info", "warning"], text: str) -> None:
        self._do(LogLine(level, self.named(text)))

    def named(self, text: str) -> str:
        """A text, under the name of the feed where it has one."""
        return f"{self.name}: {text}" if self.name else text

    def _enter(self, state: State) -> None:
        if state is not self.state:
            self._log("debug", f"{self.state.value} -> {state.value}")
            self.state = state

    @property
    def _wants_line(self) -> bool:
        wants_standby = self._keeps_standby or self.replacing is not None
        return not self._is_over and (self.primary is None or (self.standby is None and wants_standby))

    def _give_up(self, error: Exception) -> None:
        self.failure = error
        if self.name:  # there are other feeds
            self._log("warning", f"{error} Whatever else is connected goes on until the end.")

    # --- what may be missing ---

    def _may_miss(self, missing: Missing, cause: str) -> None:
        """Notes the first cause; a silence becomes an outage, and never the other way round."""
        if self.missing not in (missing, Missing.OUTAGE):
            self._log("debug", f"{self.missing.value} -> {missing.value} ({cause})")
            self.missing, self._cause = missing, cause

    def _advance(self, line: Line) -> None:
        """What the primary has brought is emitted; its first update ends what was open."""
        if line.covers_from < inf:
            self._report_until(line.covers_from)
            self.watermark = max(self._floor, line.reached)
            if self.state is State.UNPROVEN:
                self._enter(State.SINGLE)

    def _report_until(self, until: float) -> None:
        """Reports what may be missing from the watermark `until` then, if anything may."""
        if self.missing is Missing.NOTHING:
            return
        # Without any update, when the feed began: by the exchange's clock, as far as frames have shown it since.
        since = self._clock.now(self._began) if self.watermark == -inf else self.watermark
        self.watermark = self._floor = max(since, until)
        is_silence = self.missing is Missing.SILENCE
        if until - since < SHORTEST_GAP and not is_silence:  # something was lost, however alike both times are
            since = until - self._clock.uncertainty
        if until - since >= SHORTEST_GAP:
            self._do(Gap(self._feed, since, until, self.named(self._cause), is_silence))
        self._log("debug", f"{self.missing.value} -> {Missing.NOTHING.value}")
        self.missing = Missing.NOTHING

    def _emit(self, batch: Batch) -> None:
        """Hands a batch on; none is complete before a gap is reported, whose end times may not be believed yet."""
        self._do(batch if self.missing is Missing.NOTHING else batch._replace(is_complete=False))

    # --- from one line to another ---

    def _replace(self, why: str, level: Literal["info", "warning"], *, of_silence: bool = False) -> None:
        """Wants a fresh line in place of the primary, which goes on until then."""
        self.replacing, self._replacing_silence = why, of_silence
        self._log(level, f"A fresh connection replaces the one in use: {why}.")

    def _lose(self, line: Line, cause: str) -> None:
        """A line is over, or of no use: a standby takes over from a primary, or what comes may be missing."""
        if line is self.standby:
            self._leave(line)
            self._log("warning", f"{self._name_of_standby} is missing, another is being opened. Cause: {cause}.")
            return
        self.losses += 1
        if self.standby is not None:
            self._take_over(line, self.standby, cause)
            return
        self._leave(line)
        self._may_miss(Missing.OUTAGE, cause)
        self.replacing = None
        self._enter(State.CONNECTING)
        self._log("info", f"The connection was lost: {cause}. Connecting again.")

    def _leave(self, line: Line) -> None:
        if line is self.primary:
            self.primary, self.paused = None, False
        else:
            self.standby = None
            if self.state is State.COVERED:
                self._enter(State.SINGLE)
        self._compare_anew()
        self._do(Command("close", line.number))

    def _take_over(self, primary: Line, standby: Line, cause: str, missing: Missing = Missing.OUTAGE) -> None:
        """The standby replaces the primary, its backlog first; the cursor skips what is known."""
        self._leave(primary)
        if self.state is not State.COVERED:
            self._may_miss(missing, cause)
        elif missing is Missing.OUTAGE:  # a silence takes nothing over
            self._do(Takeover(self._feed, standby.number, standby.covers_from + self._clock.uncertainty))
            self._log("info", f"Another connection took over: {cause}.")
        self.primary, self.standby, self.replacing = standby, None, None
        self._floor = self.watermark
        self._enter(State.UNPROVEN if standby.begins == inf else State.SINGLE)
        self._advance(standby)
        for batch in standby.unwind():
            self._emit(batch)

    # --- what the clocks and the comparison of both lines ask for ---

    def _compare(self, line: Line, other: Line, now: float) -> None:
        """Data came over `line`. Two that hear the same every five seconds, and then nothing, are not alone."""
        other.alone_since = inf
        if now - other.last_data_at >= IN_STEP:
            line.alone_since = min(line.alone_since, now)
        if line.lag - other.lag < self._timing.takeover_after:
            line.behind_since = inf
        elif line.behind_since == inf:
            line.behind_since, other.behind_since = now, inf

    def _compare_anew(self) -> None:
        """What was compared so far says nothing any more: a line has gone, or was not read for a while."""
        for line in self.lines:
            line.alone_since = line.behind_since = inf

    def _check(self, now: float) -> None:
        for line in self.lines:
            if self.paused and line is self.primary:
                continue
            unheard = now - line.last_heard_at
            if now - line.pinged_at >= self._timing.pong_within:
                self._lose(line, f"nothing was heard for {unheard:.0f} seconds and a ping was not answered")
            elif line.pinged_at == inf and unheard >= self._timing.ping_after:
                line.pinged_at = now
                self._do(Command("ping", line.number))
        if self.standby is not None and self.standby.outlived(now) is not None:
            self._leave(self.standby)  # it will end before it is needed
        if self.primary is None or self.paused:
            return
        outlived = self.primary.outlived(now)
        if self.replacing is None and outlived is not None:
            self._replace(outlived, "info")
        elif self.replacing is None and all(line.is_silent(now) for line in self.lines):
            if self.standby is not None:
                self._leave(self.standby)  # as silent as the other: only a fresh one can tell
            why = f"no update came for {self.primary.silent_for(now):.0f} seconds"
            self._replace(why, "warning", of_silence=True)
        if self.standby is not None:
            self._check_both(self.primary, self.standby, now)

    def _check_both(self, primary: Line, standby: Line, now: float) -> None:
        """What two open lines ask for; nothing where all is well, or where there is still something to wait for."""
        behind_after = self._timing.takeover_after
        alone_after = behind_after - IN_STEP
        if now - standby.alone_since >= (alone_after if self.missing is Missing.NOTHING else 0):
            self._lose(primary, f"the connection in use was silent for {primary.silent_for(now):.1f} seconds")
        elif self.state is State.COVERED and now - primary.behind_since >= behind_after:
            self._lose(primary, f"the connection in use was {primary.lag:.1f} seconds behind")
        elif now - primary.alone_since >= alone_after and (standby.has_data or standby.is_silent(now)):
            # A fresh one has its time.
            self._lose(standby, f"it was silent for {standby.silent_for(now):.1f} seconds")
        elif now - standby.behind_since >= behind_after:
            self._lose(standby, f"it was {standby.lag:.1f} seconds behind")
        elif self.replacing is None:
            if not self._keeps_standby:
                self._leave(standby)
        elif self.state is not State.SINGLE and standby.reached - standby.begins >= self._timing.overlap:
            # It is covered, or unproven: then there is nothing to lose.
            self._take_over(primary, standby, self.replacing)
        elif primary.is_silent(now) and standby.is_silent(now) and standby.answered:
            # Only data moves the watermark, so the silence is reported once something comes.
            self._log("warning", "The fresh connection is silent too, so there may be nothing to send. Staying on it.")
            standby.patience = min(primary.patience * 2, self._timing.longest_patience)
            self._take_over(primary, standby, "a fresh connection was silent too", Missing.SILENCE)

    def _check_end(self, now: float) -> None:
        """Notes what may be missing in the last seconds of the window; a standby may still have it."""
        if self.primary is None or self.watermark == -inf:
            return
        silent_for = self.primary.silent_for(now)
        is_mute = not self.paused and silent_for >= self._timing.takeover_after
        if is_mute and self.standby is not None and self.standby.alone_since < inf:
            self._lose(self.primary, f"the connection in use was silent for {silent_for:.1f} seconds")
        before, cause = None, self._unread_at_end(self.primary)
        if cause is not None and self.standby is not None and self.state is State.COVERED:
            self._take_over(self.primary, self.standby, cause)
            before, cause = cause, self._unread_at_end(self.primary)
        is_quiet = self._clock.now(now) - self.watermark >= QUIET_END
        if cause is None and is_quiet and self.missing is Missing.NOTHING:
            cause = before or self._rate.too_long_a_silence(now)
            if cause is None:
                self._may_miss(Missing.SILENCE, "the window ended in silence")
        if cause is not None:
            self._may_miss(Missing.OUTAGE, cause)

    def _unread_at_end(self, primary: Line) -> str | None:
        """Why updates pushed in the last seconds of the window may not have been read."""
        if self.paused:
            return "the window ended while reading paused"
        if primary.lag > BEHIND_AFTER:
            return f"the connection was {primary.lag:.1f} seconds behind when the window ended"
        return None
