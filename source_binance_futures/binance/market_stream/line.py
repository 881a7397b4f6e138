"""One connection as the market stream sees it: its clocks, and the tape of what it heard lately."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from ..errors import ConnectionLost, ConnectionStalled
from ..transport.connection import Connection
from .messages import SHUTDOWN_NOTICE, is_shutdown_notice, may_be_book_ticker
from .outbox import Batch


@dataclass(frozen=True)
class Timing:
    """Every deadline of a market stream, in seconds; tests make them shorter."""

    connect: float = 10.0
    ping_after: float = 20.0  # of silence; any frame is a sign of life
    pong_within: float = 10.0
    first_data_within: float = 30.0  # of the handshake; a five-second cadence is normal
    rotate_after: float = 23 * 3600.0  # Binance cuts at 24 h
    overlap: float = 2.0  # both are read for so long when one replaces the other
    takeover_after: float = 2.0  # of silence here while the standby hears data
    tape: float = 30.0


TAPE_BYTES = 32 * 1024 * 1024
SUBSCRIBED_WITHIN = 1.0  # seconds
CAUGHT_UP_AFTER = 1.0  # seconds of reading everything that comes


class Line:
    """An open connection with its clocks (monotonic seconds) and its tape.

    The tape keeps what a standby heard in the last seconds, unparsed, so that it can take over from the last update
    of each symbol: the cursor skips what the lost line had already delivered.
    """

    def __init__(self, connection: Connection, opened_at: float, timing: Timing) -> None:
        self.connection = connection
        self.opened_at = opened_at
        self.last_heard = opened_at
        self._unread_since: float | None = None  # reading was paused then, and has not caught up yet
        self._drained_since: float | None = None
        self.first_data_at: float | None = None
        self.last_data_at = opened_at  # pings and acknowledgements go on where data has stopped
        self.alone_since: float | None = None  # data comes here since then, and none over the other connection
        self.retiring = False  # the server announced its end
        self.stays_silent = False  # the fresh connection after a silent one: silence is accepted now
        self._timing = timing
        self._pinged_at: float | None = None
        self._tape: deque[Batch] = deque()
        self._tape_bytes = 0
        self._dropped_until: float | None = None

    def receive(self, now: float) -> Batch | None:
        """What has arrived, if any."""
        payloads, heard, drained = self.connection.receive()
        if heard:
            self.last_heard = now
            self._pinged_at = None
        self._note_catching_up(now, drained)
        if not payloads:
            return None
        if self.first_data_at is None and any(map(may_be_book_ticker, payloads)):
            self.first_data_at = now
        if self.first_data_at is not None:
            self.last_data_at = now
        joined = b"".join(payloads)  # one look at all of them costs less than one at each
        if SHUTDOWN_NOTICE in joined and any(map(is_shutdown_notice, payloads)):
            self.retiring = True
        return Batch(payloads, len(joined), now)

    @property
    def heard_until(self) -> float:
        """Until when everything that was pushed has been read; what came later may be lost with the connection."""
        return self.last_heard if self._unread_since is None else self._unread_since

    def read_until(self, now: float) -> float:
        """The same for a connection that is alive: until now, unless reading lags behind."""
        return now if self._unread_since is None else self._unread_since

    def pause(self, now: float) -> None:
        """Nobody reads from now on: what arrives may be lost, if the server tires of waiting."""
        self._unread_since = self._unread_since or now
        self._drained_since = None

    def resume(self, now: float) -> None:
        """It is read again; its silence until now proves nothing."""
        self.last_heard = now

    def _note_catching_up(self, now: float, drained: bool) -> None:
        """One that was cut while nobody read ends right after what had still arrived; one that lives on was not cut."""
        if self._unread_since is None:
            return
        if not drained:
            self._drained_since = None
        elif self._drained_since is None:
            self._drained_since = now
        elif now - self._drained_since >= CAUGHT_UP_AFTER:
            self._unread_since = None

    def keep(self, batch: Batch) -> None:
        """Puts a batch on the tape and drops what is too old or too much."""
        self._tape.append(batch)
        self._tape_bytes += batch.size
        oldest_kept = batch.received_at - self._timing.tape
        while self._tape and (self._tape[0].received_at < oldest_kept or self._tape_bytes > TAPE_BYTES):
            dropped = self._tape.popleft()
            self._tape_bytes -= dropped.size
            self._dropped_until = dropped.received_at

    def unwind(self) -> list[Batch]:
        """Hands out the tape, oldest first, and empties it."""
        batches = list(self._tape)
        self._tape.clear()
        self._tape_bytes = 0
        return batches

    def covered_since(self) -> float | None:
        """From when on this line has heard and kept everything; None as long as no data proves it alive.

        Once data came, the handshake counts as the beginning, with a second for the server to subscribe us: at a
        five-second cadence the first frame comes late without anything being lost.
        """
        if self.first_data_at is None or self._dropped_until is not None:
            return self._dropped_until
        return min(self.first_data_at, self.opened_at + SUBSCRIBED_WITHIN)

    def wants_replacement(self, now: float) -> str | None:
        """Why this line should be replaced by a fresh one although it is open; None if it need not."""
        if self.retiring:
            return "the server announced its shutdown"
        if now - self.opened_at >= self._timing.rotate_after:
            return f"it has been open for {(now - self.opened_at) / 3600:.1f} hours"
        if self.is_mute(now) and not self.stays_silent:
            return f"no update came within {self._timing.first_data_within:g} seconds of connecting"
        return None

    def is_mute(self, now: float) -> bool:
        """Open for long enough, and still without data. A dead route looks like that, and so does a quiet testnet."""
        return self.first_data_at is None and now - self.opened_at >= self._timing.first_data_within

    def watch(self, now: float) -> ConnectionLost | None:
        """Pings after long silence; the loss of the line where it is broken, or where the ping stays unanswered."""
        if now - self.last_heard >= self._timing.ping_after:
            if self._pinged_at is None:
                self._pinged_at = now
                self.connection.ping()
            elif now - self._pinged_at >= self._timing.pong_within:
                silence = f"nothing was heard for {now - self.last_heard:.0f} seconds and a ping was not answered"
                return ConnectionStalled(silence)
        return self.connection.loss
