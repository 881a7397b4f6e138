"""What the clocks and the comparison of both lines ask for: the rules of the failover, each in one place. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias

from .account import Account
from .line import BEHIND_AFTER, Line, Timing
from .pair import Pair


class Reason(Enum):
    """Why a fresh line is wanted beside the one in use."""

    SHUTDOWN = "shutdown"
    AGE = "age"
    SILENCE = "silence"
    DOUBT = "doubt"


@dataclass(frozen=True)
class Replacement:
    """A fresh line is wanted, and what a person is told of it."""

    reason: Reason
    why: str

    @property
    def is_worrying(self) -> bool:
        """Whether something went wrong; shutdowns and age are part of every day."""
        return self.reason in (Reason.SILENCE, Reason.DOUBT)


@dataclass(frozen=True)
class Swap:
    """The spare takes over at once: the line in use has failed although it is open."""

    cause: str


@dataclass(frozen=True)
class Relieve:
    """The spare takes over in good order."""


@dataclass(frozen=True)
class LoseSpare:
    """The spare is of no use, and another one is wanted."""

    cause: str


@dataclass(frozen=True)
class LeaveSpare:
    """The spare is not wanted any more."""


@dataclass(frozen=True)
class AcceptSilence:
    """Both lines answer and bring nothing: there is nothing to send."""


Verdict: TypeAlias = "Swap | Relieve | LoseSpare | LeaveSpare | AcceptSilence"


def reason_to_replace(active: Line, spare: Line | None, timing: Timing, now: float) -> Replacement | None:
    """Why the line in use should be replaced although it is open; None if it need not."""
    if active.retiring:
        return Replacement(Reason.SHUTDOWN, "the server announced its shutdown")
    if active.age(now) >= timing.rotate_after:
        return Replacement(Reason.AGE, f"it has been open for {active.age(now) / 3600:.1f} hours")
    if active.is_silent(now) and (spare is None or spare.is_silent(now)):
        return Replacement(Reason.SILENCE, f"no update came for {active.silent_for(now):.0f} seconds")
    return None


def spare_has_aged(spare: Line, timing: Timing, now: float) -> bool:
    """Whether the spare will end before it is needed."""
    return spare.retiring or spare.age(now) >= timing.rotate_after


def failed_at_end(pair: Pair, timing: Timing, now: float) -> Swap | None:
    """The spare brings what the line in use lacks, and the window ends before that was sure."""
    active = pair.active
    if active is None or active.silent_for(now) < timing.takeover_after or not pair.spare_is_alone(now, at_once=True):
        return None
    return _swap_of_the_silent(active, now)


def doubt_of_end(active: Line, *, paused: bool) -> str | None:
    """Why the last stretch of a window may have been pushed and not read."""
    if paused:
        return "the window ended while reading paused"
    if active.lag > BEHIND_AFTER:
        return f"the connection was {active.lag:.1f} seconds behind when the window ended"
    return None


def verdict_on_both(
    pair: Pair, account: Account, timing: Timing, now: float, *, wants_spare: bool, replacing: bool
) -> Verdict | None:
    """What two open lines ask for; None if all is well, or if there is still something to wait for."""
    active, spare = pair.active, pair.spare
    if active is None or spare is None:
        return None
    failed = _who_failed(pair, active, spare, account, now)
    if failed is not None:
        return failed
    if not wants_spare:
        return LeaveSpare()
    needless = account.would_lose_nothing(spare) or active.begins is None  # one that never brought an update
    if replacing and needless and spare.has_brought_for(timing.overlap):
        return Relieve()
    if replacing and active.is_silent(now) and spare.is_silent(now) and spare.answered:
        return AcceptSilence()
    return None


def _who_failed(pair: Pair, active: Line, spare: Line, account: Account, now: float) -> Swap | LoseSpare | None:
    if pair.spare_is_alone(now, at_once=account.is_open):
        return _swap_of_the_silent(active, now)
    if pair.is_behind(active, now) and account.would_lose_nothing(spare):
        return Swap(f"the connection in use was {active.lag:.1f} seconds behind")
    if pair.spare_is_deaf(now):
        return LoseSpare(f"it was silent for {spare.silent_for(now):.1f} seconds")
    if pair.is_behind(spare, now):
        return LoseSpare(f"it was {spare.lag:.1f} seconds behind")
    return None


def _swap_of_the_silent(active: Line, now: float) -> Swap:
    return Swap(f"the connection in use was silent for {active.silent_for(now):.1f} seconds")
