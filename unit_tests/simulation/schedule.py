"""What happens in one simulated window, drawn from one seed."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Literal

from source_binance_futures.binance.market_stream.line import Timing

from .world import EPOCH, Push

Kind = Literal[
    "reset", "fin", "dark", "mute", "lag", "shutdown", "refuse", "refuse until", "refuse for good", "accept and close",
    "late subscription", "mute from the start", "stall", "doubt", "slow down",
]  # fmt: skip

OF_CONNECTIONS: tuple[Kind, ...] = ("reset", "fin", "dark", "mute", "lag", "slow down", "shutdown")
LATENESS: tuple[Kind, ...] = ("lag", "slow down")  # only frames that say when they were pushed show it
OF_HANDSHAKES: tuple[Kind, ...] = (
    "refuse",
    "refuse until",
    "accept and close",
    "late subscription",
    "mute from the start",
)
BEGAN = 1000.0
TICK = 0.25
SMALL_BACKLOG = 12 * 1024  # bytes; some seconds of a busy market


@dataclass(frozen=True)
class Fault:
    """`seconds` is how long, `target` which connection: 0 the one in use, 1 the spare, 2 both."""

    at: float
    kind: Kind
    seconds: float = 0.0
    times: int = 1
    target: int = 0


@dataclass
class Schedule:
    """One window. `calm` means a standby and one fault at a time: nothing may be lost at all."""

    seed: int
    standby: bool
    calm: bool
    has_event_times: bool
    skew: float  # seconds by which the exchange's clock is ahead
    ends_at: float
    pace: str
    pushes: list[Push]
    timing: Timing
    faults: list[Fault] = field(default_factory=list)
    outbox_updates: int = 400  # that may wait before reading pauses

    @property
    def seconds(self) -> float:
        return self.ends_at - BEGAN


def draw(seed: int) -> Schedule:
    """The schedule of a seed."""
    rng = random.Random(seed)
    calm = rng.random() < 0.25
    standby = calm or rng.random() < 0.5
    has_event_times = rng.random() < 0.75
    skew = rng.uniform(-5, 5)
    seconds = rng.uniform(40, 240)
    timing = Timing(
        rotate_after=rng.choice([23 * 3600.0] * 3 + [rng.uniform(40, 90)]),
        backlog_bytes=Timing.backlog_bytes if calm or rng.random() < 0.6 else SMALL_BACKLOG,
    )
    pace = "busy" if calm else rng.choice(["busy", "busy", "busy", "slow", "slow", "samples", "quiet"])
    pushes = _pushes(rng, BEGAN, BEGAN + seconds, skew if has_event_times else None, pace)
    schedule = Schedule(seed, standby, calm, has_event_times, skew, BEGAN + seconds, pace, pushes, timing)
    schedule.outbox_updates = 10**6 if calm else rng.choice([20, 60, 400])
    if not calm:
        schedule.faults = _many(rng, schedule)
    elif timing.rotate_after > seconds:  # an age that both reach is a fault already
        schedule.faults = _one_at_a_time(rng, schedule)
    return schedule


def _pushes(rng: random.Random, start: float, end: float, skew: float | None, pace: str) -> list[Push]:
    """A market: busy, slow, quiet, or at the pace of samples. Ids rise within a symbol."""
    symbols = rng.randint(1, 6)
    lags = [rng.uniform(0, 0.04) for _ in range(symbols)]
    newest = [rng.randrange(1000) for _ in range(symbols)]
    mean = {"busy": rng.uniform(0.03, 0.2), "slow": rng.uniform(0.5, 3.0), "samples": 5.0, "quiet": 40.0}[pace]
    longest = 200.0 if pace == "quiet" else 8.0
    moments: list[tuple[float, int]] = []
    now = start - 1
    while now < end + 1:
        now += mean if pace == "samples" else min(rng.expovariate(1 / mean), longest)
        chosen = range(symbols) if pace == "samples" else [rng.randrange(symbols)]
        moments += [(now + 0.001 * symbol, symbol) for symbol in chosen]
    pushes = []
    for at, symbol in moments:
        newest[symbol] += rng.randint(1, 40)
        event_time = None if skew is None else round(at + EPOCH + skew - lags[symbol], 3)
        pushes.append(Push(at, symbol, newest[symbol], event_time))
    return pushes


def _one_at_a_time(rng: random.Random, schedule: Schedule) -> list[Fault]:
    """With time to heal between them: a first connection that has been silent for 30 seconds takes as long."""
    kinds: list[Kind] = ["reset", "fin", "dark", "mute", "shutdown", "refuse"]
    if schedule.has_event_times:
        kinds += LATENESS
    faults: list[Fault] = []
    at = BEGAN + rng.uniform(8, 20)
    while at < schedule.ends_at - 12:
        kind = rng.choice(kinds)
        faults.append(Fault(at, kind, rng.uniform(3, 25), 1, rng.randrange(2)))
        if kind == "refuse":  # and then a loss, which the refusal delays the mending of
            faults.append(Fault(at + 0.1, rng.choice(("reset", "fin")), 0.0, 1, rng.randrange(2)))
        at += rng.uniform(36, 60)
    return faults


def _many(rng: random.Random, schedule: Schedule) -> list[Fault]:
    """Anything at any time, several at once."""
    faults: list[Fault] = []
    at = BEGAN - 0.01 if rng.random() < 0.3 else BEGAN + rng.uniform(0, 30)
    kinds: list[Kind] = [*OF_CONNECTIONS, *OF_HANDSHAKES, "stall", "doubt"]
    if not schedule.has_event_times:
        kinds = [kind for kind in kinds if kind not in LATENESS]
    if schedule.pace == "quiet":  # nothing could tell a mute connection from a market at rest
        untold = ("mute", "mute from the start", "late subscription", *LATENESS)
        kinds = [kind for kind in kinds if kind not in untold]
    if rng.random() < 0.05:
        kinds.append("refuse for good")
    while at < schedule.ends_at:
        for _ in range(rng.choice([1, 1, 1, 2, 3])):
            seconds = rng.choice([rng.uniform(0.1, 3), rng.uniform(3, 45)])
            kind = rng.choice(kinds)
            seconds = rng.uniform(8, 60) if kind == "stall" and rng.random() < 0.6 else seconds
            faults.append(
                Fault(at + rng.uniform(0, 1), kind, seconds, rng.choice([1, 1, 2, 5]), rng.choice([0, 0, 1, 2]))
            )
            if kind == "stall" and rng.random() < 0.5:  # and the connection ends while nobody reads it
                faults.append(Fault(at + 1 + rng.uniform(0, seconds), rng.choice(("reset", "fin")), 0.0, 1, 0))
        at += rng.choice([rng.uniform(0.1, 5), rng.uniform(5, 60)])
    if rng.random() < 0.1:  # a destination that stops reading shortly before the end
        faults.append(Fault(schedule.ends_at - rng.uniform(1, 20), "stall", 30.0))
    return sorted(faults, key=lambda fault: fault.at)
