"""A chain of syncs through one schedule: faults are done to the exchange, the network, the clocks, the consumer."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from local_exchange.connection import ExchangeConnection
from local_exchange.streams import update_from
from source_binance_futures.binance.market_stream.items import Outbox
from source_binance_futures.binance.market_stream.line import Timing
from source_binance_futures.streams.book_tickers import BookTickers

from ..virtual_time import BEGAN, VirtualTime
from .exchange import Pushed, SimulatedExchange
from .judge import gaps_of, judge
from .schedule import LATENESS, Fault, Schedule, draw
from .sync import Running, Sync

Watch = Callable[[float, str], None]
UNSEEN = 3.0  # seconds after its lateness in which a late contract has brought something
TICK = 0.2  # seconds between two pushes of the exchange


@dataclass(frozen=True)
class Outcome:
    """What became of one schedule; `broken` is empty where every rule was kept."""

    seed: int
    broken: list[str]
    seconds: float
    faults: int
    updates: int
    gaps: int


def simulate(seed: int, watch: Watch | None = None) -> Outcome:
    """Draw the schedule of a seed, run its syncs, and judge them."""
    schedule = draw(seed)
    chain = Chain(schedule, watch)
    syncs = chain.run()
    broken = judge(schedule, chain.exchange, syncs)
    gaps = sum(not gap.is_silence for sync in syncs for gap in gaps_of(sync))
    chain.exchange.close()
    BookTickers.get_json_schema.cache_clear()  # the CDK remembers every stream that was ever asked
    rows = sum(len(sync.rows) for sync in syncs)
    return Outcome(seed, broken, schedule.seconds, chain.faults, rows, gaps)


class Chain:
    """Runs the syncs of one schedule; `faults` counts what happened to them."""

    def __init__(self, schedule: Schedule, watch: Watch | None = None) -> None:
        self.faults = 0
        self._schedule = schedule
        self._watch = watch
        self._rng = random.Random(schedule.seed + 1)
        self._time = VirtualTime()
        self._time.wall_ahead += self._rng.uniform(-3, 3)
        self._running: Running | None = None
        self._clock_was_set = False
        self._late: set[ExchangeConnection] = set()
        self._unseen_until: dict[ExchangeConnection, float] = {}
        self.exchange = SimulatedExchange(
            self._time,
            self._rng,
            coin_m=schedule.coin_m,
            usds_m=schedule.usds_m,
            rate=schedule.rate,
            tick=TICK,
            ahead=schedule.ahead,
            drift=schedule.drift,
            unsent_limit=schedule.unsent_limit,
            own_lag=schedule.own_lag,
            missing=schedule.missing,
            silent=schedule.silent,
        )
        for fault in schedule.faults:
            self.exchange.loop.call_at(max(BEGAN + fault.at, self._time.now), self._strike, fault)

    def run(self, state: Mapping[str, Any] | None = None) -> list[Sync]:
        """To the end of the last window; each sync goes on from the STATE of the one before."""
        schedule = self._schedule
        syncs: list[Sync] = []
        for window, pause in zip(schedule.windows, schedule.pauses, strict=True):
            self.exchange.loop.run_until(self._time.now + pause)
            self._running = Running(
                self.exchange,
                {"listen_seconds": window, **schedule.options},
                state,
                bases=schedule.bases,
                timing=Timing(rotate_after=schedule.rotate_after, backlog_bytes=schedule.backlog_bytes),
                outbox=None if schedule.outbox is None else Outbox(*schedule.outbox),
                watch=self._watch,
                takes_after=schedule.takes_after,
            )
            syncs.append(self._running.run())
            state = syncs[-1].states[-1][1] if syncs[-1].states else state
        return syncs

    def _strike(self, fault: Fault) -> None:
        self.faults += 1
        if self._watch is not None:
            self._watch(self._time.now, f"FAULT {fault}")
        self._of_the_door(fault)
        self._of_the_clocks(fault)
        if fault.kind == "stall" and self._running is not None:
            self._running.stalled_until = max(self._running.stalled_until, self._time.now + fault.seconds)
        if fault.kind == "stop" and self._running is not None:
            self._running.stop.request()
        connections = self.exchange.market.open_connections
        for connection in connections if fault.target == 2 else connections[fault.target : fault.target + 1]:
            self._of_a_connection(fault, connection)

    def _of_the_door(self, fault: Fault) -> None:
        exchange = self.exchange
        if fault.kind == "refuse":
            exchange.refuse(503, times=fault.times)
        elif fault.kind == "limit":
            exchange.refuse(429, {"Retry-After": str(round(fault.seconds))})
        elif fault.kind == "close at once":
            exchange.close_at_once(fault.times)
        elif fault.kind == "slow handshake":
            exchange.slow_handshake(fault.seconds, fault.times)
        elif fault.kind == "ignore subscription":
            exchange.ignore_subscriptions(fault.times)
        elif fault.kind == "refuse subscription":
            exchange.refuse_subscriptions(fault.times)
        elif fault.kind == "late subscription":
            exchange.late_subscriptions(fault.seconds)
            exchange.loop.call_later(20.0, exchange.late_subscriptions, 0.0)

    def _of_the_clocks(self, fault: Fault) -> None:
        sign = 1 if fault.times % 2 else -1
        if fault.kind == "our clock":
            self._time.wall_ahead += sign * fault.seconds
        elif fault.kind == "exchange's clock" and self._late.isdisjoint(self.exchange.market.open_connections):
            self._clock_was_set = True
            self.exchange.clock.ahead += sign * fault.seconds
        elif fault.kind == "one leap":
            self._leap(fault.seconds)

    def _leap(self, seconds: float) -> None:
        """One update whose event time is ahead of all others."""
        for update in self.exchange.engine.next(1):
            book_ticker = orjson.loads(update.payload)
            leaped = update_from({**book_ticker, "E": book_ticker["E"] + round(seconds * 1000)})
            self.exchange.pushed.append(Pushed(self._time.now, update))
            self.exchange.market.push([leaped])

    def _of_a_connection(self, fault: Fault, connection: ExchangeConnection) -> None:
        exchange = self.exchange
        kind = fault.kind
        if kind in LATENESS and (self._clock_was_set or not self._has_brought(connection.address.market)):
            return  # lateness from the very first update on, or when a clock is set, looks like another clock
        if self._time.now < self._unseen_until.get(connection, 0.0):
            return  # what is under way of late contracts cannot be known before the first of it has come
        schedule = self._schedule
        if kind == "late contracts" and "book_ticker_symbols" in schedule.options and schedule.rotate_after < 1000:
            return  # the same where a connection grows old meanwhile and no samples say what it lacks
        if kind in LATENESS:
            self._late.add(connection)
        if kind == "late contracts":
            self._unseen_until[connection] = self._time.now + fault.seconds + UNSEEN
        if kind in ("rst", "cut") and self._rng.random() < 0.5:
            exchange.lose_what_is_under_way(connection)
        if kind in ("rst", "fin", "close", "cut", "silence", "mute", "shutdown"):
            exchange.fault(kind, connection, after=3 + fault.seconds / 4)
        elif kind == "lag":
            exchange.lag(connection, connection.lag + fault.seconds)
        elif kind == "slow down":
            for step in range(1, 11):
                exchange.loop.call_later(step, exchange.lag, connection, fault.seconds * step / 10)
        elif kind == "late contracts":
            exchange.late_contracts(connection, fault.seconds, self._schedule.coin_m[1:])
        elif kind == "kill stream":
            self._kill_a_stream(connection)

    def _has_brought(self, market: int) -> bool:
        rows = [] if self._running is None else self._running.sync.rows
        return any(row["symbol_type"] == market and row["covered_since_us"] is not None for row in rows)

    def _kill_a_stream(self, connection: ExchangeConnection) -> None:
        streams = sorted(name for name in connection.delivered if name != "!bookTicker")
        if not streams or "!bookTicker" not in connection.delivered:
            return  # nothing but samples can show that a stream is dead
        symbol = self._rng.choice(streams).partition("@")[0].upper()
        self.exchange.kill_stream(symbol, connection)
