"""The states of a feed, by name. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .account import Account
    from .pair import Pair


class Phase(Enum):
    """The states of a feed; the drawing in docs/failover.md shows what leads from one to another."""

    CONNECTING = "connecting"  # no connection yet, and none was lost
    UNPROVEN = "unproven"  # a connection, and no update over it yet
    SINGLE = "single"  # one connection that brings updates
    COVERED = "covered"  # and a second one that would lose nothing
    REPLACING = "replacing"  # a fresh connection is wanted, for a reason
    SILENT = "silent"  # two connections that answer bring nothing
    OUTAGE = "outage"  # updates may be missing since the number says so


@dataclass(frozen=True)
class State:
    """A phase, why it is that one, and whether reading is paused beside it."""

    phase: Phase
    reason: str = ""
    paused: bool = False

    def __str__(self) -> str:
        return self.phase.value + (f" ({self.reason})" if self.reason else "") + (", paused" if self.paused else "")


def state_of(pair: Pair, account: Account, *, replacing: str | None, paused: bool) -> State:
    """The state that these lines and this account are in; `replacing` is why a fresh line is wanted, if one is."""
    if account.outage is not None:
        return State(Phase.OUTAGE, account.outage, paused)
    if pair.active is None:
        return State(Phase.CONNECTING)
    if account.silence is not None:
        return State(Phase.SILENT, account.silence, paused)
    if replacing is not None:
        return State(Phase.REPLACING, replacing, paused)
    if pair.active.begins is None:
        return State(Phase.UNPROVEN, "", paused)
    covered = pair.spare is not None and account.would_lose_nothing(pair.spare)
    return State(Phase.COVERED if covered else Phase.SINGLE, "", paused)
