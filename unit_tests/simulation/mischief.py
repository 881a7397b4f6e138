"""What goes wrong in a window: the faults of its schedule, done to the world, the handshakes and the consumer."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping

from source_binance_futures.binance.market_stream.backoff import Refusal
from source_binance_futures.binance.market_stream.failover import Action, Failover

from .schedule import Fault, Kind
from .world import NEVER, Connection, World


class Mischief:
    """`stalled_until` is until when the consumer takes nothing."""

    def __init__(self, machine: Failover, world: World, act: Callable[[list[Action]], None]) -> None:
        self.stalled_until = 0.0
        self._machine = machine
        self._world = world
        self._act = act
        self._of_handshakes: deque[Fault] = deque()

    def strike(self, fault: Fault, open_lines: Mapping[int, Connection], now: float) -> None:
        """The fault happens now, or to the next handshakes."""
        if fault.kind == "stall":
            self.stalled_until = max(self.stalled_until, now + fault.seconds)
        elif fault.kind == "doubt":
            active = self._machine.primary
            if active is not None:
                self._act(self._machine.request_reconnect(active.number, "its contents", now))
        elif fault.kind.startswith(("refuse", "accept", "late", "mute from")):
            self._of_handshakes.extend([fault] * fault.times)
        else:
            lines = [self._machine.primary, self._machine.standby]
            for line in lines if fault.target == 2 else [lines[fault.target]]:
                if line is not None:
                    self._harm(open_lines[line.number], fault, now)

    def _harm(self, connection: Connection, fault: Fault, now: float) -> None:
        if fault.kind == "reset":
            connection.reset_at = min(connection.reset_at, now)
        elif fault.kind == "fin":
            connection.closed_at = min(connection.closed_at, now)
        elif fault.kind == "dark":
            connection.dark_at = min(connection.dark_at, now)
        elif fault.kind == "mute":
            connection.muted_at = min(connection.muted_at, now)
        elif fault.kind == "shutdown":
            connection.notice_at = now
            connection.closed_at = min(connection.closed_at, now + 3 + fault.seconds / 4)
        elif any(other.first_read for other in self._world.connections):
            # Lateness from the very first update on looks like another clock.
            if fault.kind == "lag":
                connection.lag += fault.seconds
            elif connection.slows_from == NEVER:
                connection.slows_from, connection.slows_to = now, fault.seconds

    def next_handshake(self) -> Fault | None:
        """What happens to the attempt that begins now; None where nothing does."""
        return self._of_handshakes.popleft() if self._of_handshakes else None


def refusal_of(fault: Fault | None, now: float) -> Refusal | None:
    """How the exchange refuses this attempt; None where it does not."""
    refusals: dict[Kind, Refusal] = {
        "refuse": Refusal(ConnectionRefusedError("it was refused")),
        "refuse for good": Refusal(PermissionError("it is forbidden"), for_good=True),
    }
    if fault is None:
        return None
    if fault.kind == "refuse until":
        return Refusal(ConnectionRefusedError("too many"), listens_again_at=now + fault.seconds)
    return refusals.get(fault.kind)
