"""A story in virtual time: one chain of syncs that a test writes by hand, judged by every rule of the simulation."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from local_exchange.connection import ExchangeConnection

from ..virtual_time import BEGAN
from .chain import Chain
from .exchange import SimulatedExchange
from .judge import Gap, gaps_of, judge
from .schedule import COIN_M, Fault, Schedule
from .sync import Sync

Event = tuple[float, Callable[["Chain"], object]]  # seconds after the start of the chain, and what happens then


class Story:
    """What came of it. `sync` is the last one; moments are seconds after the start."""

    def __init__(self, chain: Chain, syncs: Sequence[Sync]) -> None:
        self.exchange: SimulatedExchange = chain.exchange
        self.syncs = syncs
        self.sync = syncs[-1]
        self.rows: list[dict[str, Any]] = self.sync.rows
        self.gaps: list[Gap] = [gap for gap in gaps_of(self.sync) if not gap.is_silence]
        self.silences: list[Gap] = [gap for gap in gaps_of(self.sync) if gap.is_silence]
        self.summary = self.sync.lines("Captured ")[-1]

    def logged(self, text: str) -> list[str]:
        """The log lines of the last sync that contain a text."""
        return self.sync.lines(text)

    def at(self, text: str) -> list[float]:
        """When such lines were logged."""
        return [moment - BEGAN for moment, _, line in self.sync.log if text in line]

    @property
    def attempts(self) -> list[float]:
        """When connections were asked for."""
        return [moment - BEGAN for moment in self.exchange.attempts]

    @property
    def intervals(self) -> Mapping[str, int]:
        """How many covered intervals each contract has in the last sync."""
        found = defaultdict(set)
        for row in self.rows:
            if row["covered_since_us"] is not None:
                found[row["symbol"]].add(row["covered_since_us"])
        return {symbol: len(each) for symbol, each in found.items()}

    def lost(self, symbol: str | None = None) -> list[float]:
        """When the updates were pushed that are in no row, from each contract's first covered row to the last row."""
        held = {(row["symbol"], row["u"]) for row in self.rows}
        begun = {row["symbol"]: row["u"] for row in reversed(self.rows) if row["covered_since_us"] is not None}
        last = {row["symbol"]: row["u"] for row in self.rows}
        return [
            push.at - BEGAN
            for push in self.exchange.pushed
            if symbol in (None, push.update.symbol)
            and begun.get(push.update.symbol, 2**63) <= push.update.update_id <= last.get(push.update.symbol, 0)
            and (push.update.symbol, push.update.update_id) not in held
        ]

    def pushed_at(self, epoch: float) -> float:
        """A moment of the exchange's clock as seconds after the start."""
        return epoch - self.exchange.clock.epoch_offset - self.exchange.clock.ahead - BEGAN


def tell(
    *events: Fault | Event,
    options: Mapping[str, object] | None = None,
    state: Mapping[str, Any] | None = None,
    breaks: bool = False,
    **changes: Any,
) -> Story:
    """Run a chain of syncs: by default one of a minute, of three COIN-M contracts that the state knows, at 20 a second.

    `events` are faults, or whatever else is done to the chain; `changes` are fields of the schedule. Unless `breaks`,
    every rule of the simulation must hold.
    """
    described: dict[str, Any] = {
        "seed": 0,
        "calm": False,
        "standby": bool((options or {}).get("standby_connection")),
        "options": dict(options or {}),
        "coin_m": COIN_M[:3],
        "usds_m": (),
        "rate": 20.0,
        "windows": [60],
        "ahead": 0.0,
        "drift": 0.0,
        "outbox": None,
        "backlog_bytes": 32 * 2**20,
        "rotate_after": 23 * 3600.0,
        "unsent_limit": 64 * 2**20,
        "is_scripted": any(not isinstance(event, Fault) for event in events),
        **changes,
    }
    described.setdefault("pauses", [0.0] + [1.0] * (len(described["windows"]) - 1))
    schedule = Schedule(**described, faults=[event for event in events if isinstance(event, Fault)])
    chain = Chain(schedule)
    for event in events:
        if not isinstance(event, Fault):
            at, act = event
            chain.exchange.loop.call_at(max(BEGAN + at, chain.exchange.time.now), act, chain)
    if state is None:
        state = known(*schedule.coin_m, *schedule.usds_m)
    syncs = chain.run(state)
    broken = [] if breaks else judge(schedule, chain.exchange, syncs)
    assert not broken, broken
    story = Story(chain, syncs)
    chain.exchange.close()
    return story


def known(*symbols: str) -> dict[str, Any]:
    """A state that knows contracts, and ids lower than any that the exchange pushes."""
    return {"environment": "custom ws://127.0.0.1:1", "u": dict.fromkeys(symbols, 1), "newest_transaction_time": None}


def connection(chain: Chain, number: int = 0) -> ExchangeConnection:
    """The open connection with this position, oldest first."""
    return chain.exchange.market.open_connections[number]
