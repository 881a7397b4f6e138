"""From one line to another: who is in use, who is spare, why one replaces the other, and what follows of it. Pure."""

from __future__ import annotations

from . import events
from .account import Account
from .events import Action
from .line import Line, Timing
from .pair import Pair
from .verdicts import AcceptSilence, LeaveSpare, LoseSpare, Relieve, Replacement, Swap, Verdict


class Changeover:
    """The lines of a feed and the account of what was pushed; each change asks for `actions`, in order.

    `losses` counts how often the line in use was lost. `replacing` says why a fresh line is wanted beside it; `paused`
    whether it is left unread.
    """

    def __init__(self, pair: Pair, account: Account, timing: Timing, *, standby: bool) -> None:
        self.pair = pair
        self.account = account
        self.losses = 0
        self.replacing: Replacement | None = None
        self.paused = False
        self.actions: list[Action] = []
        self._timing = timing
        self._standby = standby

    def do(self, *actions: Action) -> None:
        """Asks for these actions, after those that were asked for before."""
        self.actions.extend(actions)

    @property
    def wants_spare(self) -> bool:
        """Whether a second line is wanted."""
        return self._standby or self.replacing is not None

    @property
    def name_of_spare(self) -> str:
        return "The standby connection" if self._standby else "The fresh connection"

    def follow(self, verdict: Verdict, active: Line, spare: Line) -> None:
        """Does what the comparison of both lines asks for."""
        if isinstance(verdict, Swap):
            self.losses += 1
            self.leave(active)
            self._promote(verdict.cause)
        elif isinstance(verdict, Relieve):
            cause = self.replacing.why if self.replacing is not None else "it was relieved"
            self.leave(active)
            self._promote(cause)
        elif isinstance(verdict, LoseSpare):
            self.lose(spare, verdict.cause)
        elif isinstance(verdict, LeaveSpare):
            self.leave(spare)
        elif isinstance(verdict, AcceptSilence):
            self._accept_silence(active, spare)

    def replace(self, wanted: Replacement) -> None:
        """Wants a fresh line in place of the one in use, which goes on until then."""
        self.replacing = wanted
        told = f"A fresh connection replaces the one in use: {wanted.why}."
        self.do(events.Warn(told) if wanted.is_worrying else events.Note(told))

    def lose(self, line: Line, cause: str) -> None:
        """A line is over, or of no use. A spare takes over, or an outage begins."""
        was_active = line is self.pair.active
        self.leave(line)
        if not was_active:
            self.do(events.Warn(f"{self.name_of_spare} is missing, another is being opened. Cause: {cause}."))
            return
        self.losses += 1
        if self.pair.spare is not None:
            self._promote(cause)
        else:
            self.account.open_outage(cause)
            self.replacing = None
            self.do(events.Note(f"The connection was lost: {cause}. Connecting again."))

    def leave(self, line: Line) -> None:
        """Closes a line."""
        if line is self.pair.active:
            self.paused = False
        self.pair.remove(line)
        self.do(events.Close(line.number))

    def _promote(self, cause: str) -> None:
        """The spare becomes the line in use."""
        spare = self.pair.spare
        if spare is not None and self.account.would_lose_nothing(spare):
            self.do(events.TookOver(spare.number))
            self.do(events.Note(f"Another connection took over without a gap: {cause}."))
        else:
            self.account.open_outage(cause)
        self._take_into_use()

    def _accept_silence(self, active: Line, spare: Line) -> None:
        """Only data moves the account, so the silence is told once something comes."""
        self.do(events.Warn("The fresh connection is silent too, so there may be nothing to send. Staying on it."))
        spare.patience = min(active.patience * 2, self._timing.longest_patience)
        if not self.account.would_lose_nothing(spare):
            self.account.open_silence("a fresh connection was silent too")
        self.leave(active)
        self._take_into_use()

    def _take_into_use(self) -> None:
        """What the backlog of the spare holds goes first; the cursor skips what is known."""
        line = self.pair.promote()
        self.replacing = None
        self.do(*self.account.emitted(line), *map(events.Emit, line.unwind()))
