"""What happens in a chain of simulated syncs, drawn from one seed."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Literal

Kind = Literal[
    "rst", "fin", "close", "cut", "silence", "mute", "shutdown", "lag", "slow down", "late contracts",
    "kill stream",
    "refuse", "limit", "close at once", "slow handshake",
    "ignore subscription", "refuse subscription", "late subscription",
    "stall", "our clock", "exchange's clock", "one leap", "stop",
]  # fmt: skip

LOSSES: tuple[Kind, ...] = ("rst", "fin", "close", "cut", "silence", "mute", "shutdown")
LATENESS: tuple[Kind, ...] = ("lag", "slow down", "late contracts")
OF_STREAMS: tuple[Kind, ...] = ("kill stream",)
OF_HANDSHAKES: tuple[Kind, ...] = ("refuse", "limit", "close at once", "slow handshake")
OF_SUBSCRIPTIONS: tuple[Kind, ...] = ("ignore subscription", "refuse subscription", "late subscription")
OF_CLOCKS: tuple[Kind, ...] = ("our clock", "exchange's clock", "one leap")

COIN_M = ("BTCUSD_PERP", "ETHUSD_PERP", "ADAUSD_PERP", "LINKUSD_PERP", "XRPUSD_PERP", "LTCUSD_PERP")
USDS_M = ("BTCUSDT", "ETHUSDT", "ADAUSDT")
SMALL_BACKLOG = 12 * 1024  # bytes; some seconds of a busy market


@dataclass(frozen=True)
class Fault:
    """`seconds` is how long or how far, `target` which open connection it meets: 0 the oldest, 1 the next, 2 all."""

    at: float  # seconds after the start of the chain
    kind: Kind
    seconds: float = 0.0
    times: int = 1
    target: int = 0


@dataclass
class Schedule:
    """A chain of syncs against one exchange. `calm` means a standby and one fault at a time: nothing may be lost.

    `windows` are the seconds of each, `pauses` those before each. `ahead` and `drift` are the exchange's clock.
    """

    seed: int
    calm: bool
    standby: bool
    options: dict[str, object]
    coin_m: tuple[str, ...]
    usds_m: tuple[str, ...]
    rate: float
    windows: list[int]
    pauses: list[float]
    ahead: float
    drift: float
    outbox: tuple[int, int] | None  # high and low water, in bytes
    backlog_bytes: int
    rotate_after: float
    unsent_limit: int
    faults: list[Fault] = field(default_factory=list)
    own_lag: float = 0.005  # seconds by which the contracts' own streams are behind their samples
    bases: tuple[str, ...] = ("",)  # beginnings of paths at which COIN-M is looked for
    missing: tuple[str, ...] = ()  # beginnings of paths that are answered 404
    silent: tuple[str, ...] = ("/usds",)  # and that are acknowledged and bring nothing
    is_scripted: bool = False  # by a test that does more to it than its faults
    takes_after: float = 0.0  # seconds until a sync takes what has been read, as while it asks for prices

    @property
    def seconds(self) -> float:
        return sum(self.windows) + sum(self.pauses)

    @property
    def is_undisturbed(self) -> bool:
        """Whether nothing goes wrong that could cost an update."""
        harmless = all(fault.kind == "one leap" for fault in self.faults) and self.takes_after < 1
        return harmless and not self.is_scripted and self.rotate_after > self.seconds

    def has(self, *kinds: Kind) -> bool:
        """Whether any of these faults happens."""
        return any(fault.kind in kinds for fault in self.faults)


def draw(seed: int) -> Schedule:
    """Draw the schedule of a seed."""
    rng = random.Random(seed)
    calm = rng.random() < 0.25
    standby = calm or rng.random() < 0.4
    windows = [rng.randint(30, 90)] if calm or rng.random() < 0.6 else [rng.randint(6, 35) for _ in range(3)]
    coin_m = COIN_M[: rng.randint(1, len(COIN_M))]
    usds_m = USDS_M[: rng.randint(0, len(USDS_M))]
    options: dict[str, object] = {"standby_connection": standby}
    if usds_m and rng.random() < 0.5:
        options["include_usds_margined"] = True
    elif rng.random() < 0.4:
        options["book_ticker_symbols"] = list(coin_m[:3] + usds_m[:1])
    elif rng.random() < 0.1 and not calm:
        options["book_ticker_pace"] = "sampled"
    schedule = Schedule(
        seed,
        calm,
        standby,
        options,
        coin_m,
        usds_m,
        rate=rng.uniform(10, 30) if calm else rng.choice([rng.uniform(10, 30), rng.uniform(10, 30), 2.0, 0.3, 0.02]),
        windows=windows,
        pauses=[0.0, *(rng.choice([0.5, 3.0, 40.0]) for _ in windows[1:])],
        ahead=rng.uniform(-5, 5),
        drift=rng.choice([0.0, 0.0, 5e-5, -5e-5, 1e-3, -1e-3]),
        outbox=None if calm else rng.choice([None, (20_000, 10_000), (5_000, 2_000)]),
        backlog_bytes=32 * 2**20 if calm or rng.random() < 0.7 else SMALL_BACKLOG,
        rotate_after=rng.choice([23 * 3600.0] * 3 + [rng.uniform(30, 60)]),
        unsent_limit=rng.choice([64 * 2**20, 64 * 2**20, 20_000]) if not calm else 64 * 2**20,
    )
    schedule.own_lag = rng.choice([0.005, 0.005, 1.0])
    if not calm:
        schedule.faults = _many(rng, schedule)
    elif schedule.rotate_after > schedule.seconds:  # an age that both reach is a fault already
        schedule.faults = _one_at_a_time(rng, schedule)
    return schedule


def _one_at_a_time(rng: random.Random, schedule: Schedule) -> list[Fault]:
    """With time to heal between them: a first connection that has been silent for 30 seconds takes as long."""
    kinds: list[Kind] = [*LOSSES, *LATENESS, "refuse"]
    faults: list[Fault] = []
    at = rng.uniform(9, 20)
    while at < schedule.seconds - 12:
        kind = rng.choice(kinds)
        faults.append(Fault(at, kind, rng.uniform(3, 25), 1, rng.randrange(2)))
        if kind == "refuse":  # and then a loss, which the refusal delays the mending of
            faults.append(Fault(at + 0.1, rng.choice(("rst", "fin")), 0.0, 1, rng.randrange(2)))
        at += rng.uniform(36, 60)
    return faults


def _many(rng: random.Random, schedule: Schedule) -> list[Fault]:
    """Anything at any time, several at once."""
    kinds: list[Kind] = [
        *LOSSES, *LOSSES, *LATENESS, *OF_STREAMS, *OF_HANDSHAKES, *OF_SUBSCRIPTIONS,
        *OF_CLOCKS, "stall",
    ]  # fmt: skip
    if rng.random() < 0.2:
        kinds.append("stop")
    faults: list[Fault] = []
    at = 0.0 if rng.random() < 0.2 else rng.uniform(0, 30)
    while at < schedule.seconds:
        for _ in range(rng.choice([1, 1, 1, 2, 3])):
            kind = rng.choice(kinds)
            seconds = rng.choice([rng.uniform(0.1, 3), rng.uniform(3, 45)])
            times, target = rng.choice([1, 1, 2, 5]), rng.choice([0, 0, 1, 2])
            faults.append(Fault(at + rng.uniform(0, 1), kind, seconds, times, target))
            if kind == "stall" and rng.random() < 0.5:  # and the connection ends while nobody reads it
                faults.append(Fault(at + 1 + rng.uniform(0, seconds), rng.choice(("rst", "fin")), 0.0, 1, 0))
        at += rng.choice([rng.uniform(0.1, 5), rng.uniform(5, 60)])
    return sorted(faults, key=lambda fault: fault.at)
