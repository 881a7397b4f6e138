"""The exchange and the network in simulated time: what is pushed, and what of it arrives over which connection, when.

Times are seconds of the true clock, which is the machine's monotonic clock; the exchange's own clock is `skew` ahead.
"""

from __future__ import annotations

import bisect
import random
from dataclasses import dataclass, field

EPOCH = 1_790_000_000.0  # the wall clock minus the true clock
NEVER = float("inf")
SLOWING = 0.3  # seconds of lateness that a slowing connection gains in each second


@dataclass(frozen=True)
class Push:
    """One update: pushed at `at`, known by `(symbol, update_id)`, carrying the event time (epoch seconds), or none."""

    at: float
    symbol: int
    update_id: int
    event_time: float | None


@dataclass
class Connection:
    """One connection as the server and the network treat it."""

    number: int
    opened_at: float
    subscribed_at: float
    latency: float
    position: int  # of the next update in the world's list
    muted_at: float = NEVER  # no update any more, pings are answered
    dark_at: float = NEVER  # nothing any more
    reset_at: float = NEVER  # what has not arrived by then never does
    closed_at: float = NEVER  # the server ends it in good order: everything pushed before still arrives
    notice_at: float = NEVER  # the shutdown is announced
    lag: float = 0.0  # seconds by which everything is late, beside the latency
    slows_from: float = NEVER  # from then on ever later
    slows_to: float = 0.0  # by at most so many seconds
    pongs: list[float] = field(default_factory=list)
    last_arrival: float = 0.0
    left_at: float = NEVER  # our side closed it
    first_read: Push | None = None

    @property
    def ends_pushing_at(self) -> float:
        return min(self.muted_at, self.dark_at, self.reset_at, self.closed_at)

    def is_live(self) -> bool:
        """Whether nothing was done to it so far."""
        return self.ends_pushing_at == self.notice_at == self.slows_from == NEVER and self.lag == 0.0

    def delay(self, pushed_at: float) -> float:
        """Seconds until what is pushed then arrives."""
        slower = min(max(pushed_at - self.slows_from, 0.0) * SLOWING, self.slows_to)
        return self.latency + self.lag + slower


@dataclass(frozen=True)
class Read:
    """What one look at a connection gives."""

    pushes: list[Push]
    heard: bool
    drained: bool
    notice: bool
    end: str | None


class World:
    """Every update of a schedule, and the connections to it."""

    def __init__(self, rng: random.Random, pushes: list[Push]) -> None:
        self.pushes = pushes
        self.connections: list[Connection] = []
        self.read_most = 64  # updates that one read takes
        self.unread_limit = 2000  # updates; a slower reader is cut
        self._rng = rng
        self._times = [push.at for push in pushes]

    def connect(self, now: float, *, subscribed_after: float) -> Connection:
        """A handshake that succeeds. `subscribed_after` seconds later updates begin to come."""
        subscribed_at = now + subscribed_after
        connection = Connection(
            number=len(self.connections),
            opened_at=now,
            subscribed_at=subscribed_at,
            latency=self._rng.uniform(0.001, 0.08),
            position=bisect.bisect_left(self._times, subscribed_at),
        )
        self.connections.append(connection)
        return connection

    def next_arrival(self, connection: Connection) -> float:
        """When there will be something to read; maybe in the past."""
        moments = [self._pong_arrival(connection), self._end_at(connection), self._notice_arrival(connection)]
        update = self._arrival(connection, connection.position)
        return min(*moments, update)

    def read(self, connection: Connection, now: float) -> Read:
        """Takes what has arrived; it can come to an end right after."""
        pushes: list[Push] = []
        while len(pushes) < self.read_most:
            arrival = self._arrival(connection, connection.position)
            if arrival > now:
                break
            pushes.append(self.pushes[connection.position])
            connection.last_arrival = arrival
            connection.position += 1
        drained = self._arrival(connection, connection.position) > now
        heard = bool(pushes)
        while drained and self._pong_arrival(connection) <= now:
            connection.pongs.pop(0)
            heard = True
        notice = self._notice_arrival(connection) <= now and drained
        if notice:
            connection.notice_at = NEVER
            heard = True
        if pushes and connection.first_read is None:
            connection.first_read = pushes[0]
        end = None
        if drained and self._end_at(connection) <= now:
            end = "connection reset" if connection.reset_at <= now else "the exchange closed the connection"
        return Read(pushes, heard, drained, notice, end)

    def ping(self, connection: Connection, now: float) -> None:
        """The answer comes behind what is under way already."""
        answered_at = now + connection.latency + connection.delay(now)
        if answered_at < min(connection.dark_at, connection.reset_at, connection.closed_at):
            connection.pongs.append(max(answered_at, connection.last_arrival))

    def cut_slow_reader(self, connection: Connection, now: float) -> None:
        """The server tires of a connection that is not read."""
        waiting = bisect.bisect_right(self._times, now) - connection.position
        if waiting > self.unread_limit:
            connection.reset_at = min(connection.reset_at, now)

    def _arrival(self, connection: Connection, position: int) -> float:
        if position >= len(self.pushes):
            return NEVER
        pushed_at = self.pushes[position].at
        if pushed_at >= connection.ends_pushing_at:
            return NEVER
        arrival = max(pushed_at + connection.delay(pushed_at), connection.last_arrival)
        return NEVER if arrival >= min(connection.reset_at, connection.dark_at) else arrival

    def _pong_arrival(self, connection: Connection) -> float:
        if not connection.pongs or connection.pongs[0] >= min(connection.reset_at, connection.dark_at):
            return NEVER
        return connection.pongs[0]

    def _notice_arrival(self, connection: Connection) -> float:
        if connection.notice_at == NEVER:
            return NEVER
        arrival = connection.notice_at + connection.delay(connection.notice_at)
        return NEVER if arrival >= min(connection.reset_at, connection.dark_at) else arrival

    def _end_at(self, connection: Connection) -> float:
        """When the end of the connection is seen, if it is read."""
        closed = NEVER
        if connection.closed_at != NEVER:
            closed = connection.closed_at + connection.delay(connection.closed_at)
        if connection.dark_at < min(closed, connection.reset_at):
            return NEVER
        return min(closed, connection.reset_at)
