"""The rules that are judged while a window goes on: what is open, for how long, and why it is left."""

from __future__ import annotations

from collections.abc import Mapping, Set

from source_binance_futures.binance.market_stream.backoff import FIRST_PAUSE
from source_binance_futures.binance.market_stream.failover import Failover
from source_binance_futures.binance.market_stream.items import Batch

from .schedule import TICK, Schedule
from .world import Connection, Push

BRINGS_DATA = 1.0  # seconds since the last update
LATEST = 5.0  # seconds after its push an update is emitted, whatever goes wrong with one of two connections


class Referee:
    """Watches one machine; `broken` are the rules that it broke, each with what broke it."""

    def __init__(self, schedule: Schedule, machine: Failover) -> None:
        self.broken: list[str] = []
        self._told: set[tuple[str, int]] = set()
        self.dials: list[float] = []
        self.is_over = False
        self._schedule = schedule
        self._machine = machine
        self._read_since: dict[int, float] = {}  # by the number of a line
        self._unwanted_since: float | None = None
        self._newest: dict[int, int] = {}

    def dialled(self, now: float, *, attempts: int) -> None:
        """One attempt at a time, and never at the pace of handshakes."""
        if attempts:
            self.broken.append("two attempts at once")
        if self.dials and now - self.dials[-1] < FIRST_PAUSE - 0.001:
            self.broken.append(f"attempts {now - self.dials[-1]:.2f} seconds apart at {now:.2f}")
        self.dials.append(now)

    def emitted(self, batch: Batch, now: float, *, was_covered_at: float) -> None:
        """With a proven standby, and one fault at a time, nothing comes late."""
        pushes: list[Push] = batch.payloads  # type: ignore[assignment]  # a push in place of its payload
        for push in pushes:
            if push.update_id > self._newest.get(push.symbol, -1):
                self._newest[push.symbol] = push.update_id
                is_late = self._schedule.calm and push.at > was_covered_at and now - push.at > LATEST
                if is_late and ("late", batch.line) not in self._told:
                    self._told.add(("late", batch.line))
                    self.broken.append(f"{push} was emitted {now - push.at:.1f} seconds later")

    def resumed(self, line: int, now: float) -> None:
        """A line is read again."""
        self._read_since[line] = now

    def closed(self, connection: Connection, now: float) -> None:
        """A line with nothing wrong is not left without another one, and a standby that is of use stays."""
        if not connection.is_live() or self._is_old(connection, now) or self.is_over:
            return
        if self._machine.primary is None:
            self.broken.append(f"line {connection.number} was left at {now:.2f} though nothing was wrong with it")
        has_data = connection.first_read is not None and now - connection.last_arrival < BRINGS_DATA
        if self._schedule.standby and has_data and not self._replaced(connection):
            self.broken.append(f"the standby, line {connection.number}, was left at {now:.2f} for no reason")

    def _replaced(self, connection: Connection) -> bool:
        """Whether another line is in use that was opened later."""
        primary = self._machine.primary
        return primary is not None and primary.number > connection.number

    def looked(self, open_lines: Mapping[int, Connection], paused: Set[int], now: float) -> None:
        """What is held is open, at most two, none of them dead for long or unwanted for long."""
        held = {line.number for line in self._machine.lines}
        if held != set(open_lines):
            self.broken.append(f"at {now:.2f} lines {held} are held, and {set(open_lines)} are open")
        if len(held) > 2:
            self.broken.append("more than two lines")
        self._look_for_dead(open_lines, paused, now)
        self._look_for_unwanted(now)

    def _look_for_dead(self, open_lines: Mapping[int, Connection], paused: Set[int], now: float) -> None:
        timing = self._schedule.timing
        longest = timing.ping_after + timing.pong_within + 4 * TICK
        for number, connection in open_lines.items():
            dead_since = max(connection.dark_at, connection.last_arrival, self._read_since.get(number, 0.0))
            if number not in paused and now - dead_since > longest and ("dead", number) not in self._told:
                self._told.add(("dead", number))
                self.broken.append(f"line {number} has been dead for {now - dead_since:.1f} seconds at {now:.2f}")

    def _look_for_unwanted(self, now: float) -> None:
        machine = self._machine
        is_wanted = self._schedule.standby or machine.replacing is not None or machine.paused
        if is_wanted or machine.standby is None:
            self._unwanted_since = None
        elif self._unwanted_since is None:
            self._unwanted_since = now
        elif now - self._unwanted_since > 2 * TICK:
            self.broken.append(f"a second connection that nobody wants is open at {now:.2f}")

    def _is_old(self, connection: Connection, now: float) -> bool:
        return now - connection.opened_at >= self._schedule.timing.rotate_after - TICK
