"""What a belief is, and what may become of it. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from .facts import Facts


class Verdict(Enum):
    HOLDS = "holds"
    DIFFERS = "differs"
    UNSEEN = "could not be seen"


@dataclass(frozen=True)
class Finding:
    """`seen` says what was seen, or why nothing was, in a few words."""

    verdict: Verdict
    seen: str


@dataclass(frozen=True)
class Belief:
    """`stands` is where it is written: a section of binance-facts, or a document. `promise` is what of this
    connector's would not be kept if it were wrong; None where the connector works either way.
    """

    name: str
    says: str
    stands: str
    judge: Callable[[Facts], Finding]
    promise: str | None = None


@dataclass(frozen=True)
class Judged:
    belief: Belief
    finding: Finding

    @property
    def matters(self) -> bool:
        """Whether it differs, and a promise hangs on it."""
        return self.finding.verdict is Verdict.DIFFERS and self.belief.promise is not None


def holds_if(condition: bool, seen: str) -> Finding:
    return Finding(Verdict.HOLDS if condition else Verdict.DIFFERS, seen)


def unseen(why: str) -> Finding:
    return Finding(Verdict.UNSEEN, why)


def counted(number: int, one: str, many: str | None = None) -> str:
    """`1 frame`, `12,345 frames`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"
