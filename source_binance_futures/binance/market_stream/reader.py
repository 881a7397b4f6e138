"""Keeps one or two connections to the market stream alive and hands over what counts, in the order of each symbol.

Binance never replays: what is pushed while nobody listens is gone. So a connection is replaced before it is left
(at 23 hours, when the server announces its end), and with a standby a second one is always there to take over.
All of that is one mechanism: a *spare* line is read onto a tape, and promoted.

One thread reads all sockets. It never logs and never waits for the consumer: what it has to say goes through the same
queue as the data, since a blocked reader of stdout would otherwise block it too, and the exchange would cut it off.
"""

from __future__ import annotations

import contextlib
import selectors
import socket
import threading
import time

from ..errors import BinanceError, ConnectionLost, NeverConnected
from ..transport.address import host_of
from ..transport.connection import Connection
from ..transport.route import Route
from .dialler import Dialler
from .line import Line, Timing
from .outbox import Failed, Gap, Handover, Item, Noted, Warned

TICK = 0.25  # seconds between looks at the clocks
IN_STEP = 0.5  # seconds by which the same update may come later over one connection than over the other


class MarketStream:
    """A capture of one market stream address.

    `start`, then `take` until the window ends, then `stop`. `window_ends` is a point on the monotonic clock; it is
    only used to judge whether waiting for the exchange makes sense.
    """

    def __init__(
        self, url: str, route: Route, *, standby: bool, window_ends: float, timing: Timing | None = None
    ) -> None:
        self.reconnects = 0  # how often the connection in use was lost
        self._url = url
        self._standby = standby
        self._timing = timing or Timing()
        self._items = Handover()
        self._dialler = Dialler(url, route, self._timing.connect, window_ends, self._wake)
        self._active: Line | None = None
        self._spare: Line | None = None
        self._replacing: str | None = None
        self._paused = False
        self._pause_was_told = False
        self._outage: tuple[float, str] | None = None  # monotonic beginning, cause
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="market stream", daemon=True)

    # --- for the consumer's thread ---

    def start(self) -> None:
        self._started = time.monotonic()
        self._selector = selectors.DefaultSelector()
        self._wake_reader, self._wake_writer = socket.socketpair()
        self._wake_reader.setblocking(False)
        self._selector.register(self._wake_reader, selectors.EVENT_READ)
        self._thread.start()

    def take(self, seconds: float) -> Item | None:
        """The next item, in order; None if none comes within so many seconds."""
        return self._items.take(seconds)

    def stop(self) -> None:
        """Stops reading and leaves the connections; what has arrived can still be taken. Returns within a second."""
        self._stopping = True
        if self._thread.ident is not None:
            self._wake()
            self._thread.join(timeout=1.0)

    def failure_of_window(self) -> NeverConnected | None:
        """After `stop`: the failure of a window in which no connection ever came about."""
        return self._dialler.failure_of_window()

    # --- the reading thread ---

    def _run(self) -> None:
        try:
            while not self._stopping:
                if self._wants_connection():
                    self._dialler.dial_if_due(time.monotonic(), alive=self._active is not None)
                for line in self._lines_to_read():
                    self._read(line, time.monotonic())
                self._meet_new_connection(time.monotonic())
                self._look_after_lines(time.monotonic())
            self._tell_open_outage()
        except Exception as error:  # whatever it is, the consumer must hear of it
            self._tell_open_outage()
            self._items.put(Failed(error))
        finally:
            self._dialler.close()
            for line in self._lines():
                line.connection.close()
            self._selector.close()
            self._wake_reader.close()
            self._wake_writer.close()

    def _tell_open_outage(self) -> None:
        if self._outage and self._dialler.ever_opened:
            self._report_gap(self._outage, time.monotonic())

    def _lines(self) -> list[Line]:
        return [line for line in (self._active, self._spare) if line is not None]

    def _lines_to_read(self) -> list[Line]:
        """Waits for data, at most a tick. While the consumer is far behind, the active line is left unread."""
        self._pause_or_resume()
        wanted = [line for line in self._lines() if not (self._paused and line is self._active)]
        pending = [line for line in wanted if line.connection.has_decrypted_bytes()]
        events = self._selector.select(0 if pending else TICK)
        ready = [key.data for key, _ in events]
        if None in ready:
            self._wake_reader.recv(64)
        return [line for line in wanted if line in ready or line in pending]

    def _pause_or_resume(self) -> None:
        line = self._active
        if line is None or self._paused == self._items.is_full():
            return
        self._paused = not self._paused
        if self._paused:
            line.pause(time.monotonic())
            self._selector.unregister(line.connection)
            if not self._pause_was_told:
                self._pause_was_told = True
                self._items.put(
                    Warned(
                        f"{self._items.waiting_bytes / 2**20:.0f} MiB of updates wait for the destination, which reads "
                        "too slowly. Reading from the exchange pauses; it may cut the connection."
                    )
                )
        else:
            line.resume(time.monotonic())
            self._forget_who_was_alone()
            self._selector.register(line.connection, selectors.EVENT_READ, line)

    def _read(self, line: Line, now: float) -> None:
        had_data = line.first_data_at is not None
        batch = line.receive(now)
        if batch is not None:
            if line is self._active:
                self._items.put(batch)
            else:
                line.keep(batch)
            self._compare_with_other(line, now)
        if not had_data and line.first_data_at is not None:
            self._dialler.proven()
            covered = line.covered_since()
            if line is self._active and self._outage and covered is not None:
                self._end_outage(self._outage, covered)
        if line.connection.loss is not None:
            self._lose(line, line.connection.loss)

    def _look_after_lines(self, now: float) -> None:
        for line in self._lines():
            if self._paused and line is self._active:
                continue
            loss = line.watch(now)
            if loss is not None:
                self._lose(line, loss)
        spare = self._spare
        if spare is not None and (spare.retiring or now - spare.opened_at >= self._timing.rotate_after):
            self._leave(spare)
        if self._active is not None:
            self._replace_active_if_due(self._active, now)

    def _replace_active_if_due(self, active: Line, now: float) -> None:
        replacing = active.wants_replacement(now)
        if replacing and not self._replacing:
            self._items.put(
                (Warned if active.is_mute(now) else Noted)(f"A fresh connection replaces the one in use: {replacing}.")
            )
        self._replacing = replacing
        spare = self._spare
        if spare is None:
            return
        if self._is_alone(spare, now):
            silence = f"the connection in use was silent for {now - active.last_data_at:.1f} seconds"
            self._leave(active)
            self._promote(spare, active.last_data_at, silence)
            self.reconnects += 1
            return
        if self._is_alone(active, now) and (spare.first_data_at is not None or spare.is_mute(now)):
            self._lose(spare, ConnectionLost(f"it was silent for {now - spare.last_data_at:.1f} seconds"))
            return
        if replacing and spare.first_data_at is not None and now - spare.first_data_at >= self._timing.overlap:
            self._leave(active)
            # One that never brought anything while the fresh one does was a dead route.
            heard_until = active.opened_at if active.first_data_at is None else active.read_until(now)
            self._promote(spare, heard_until, replacing)
        elif replacing and active.is_mute(now) and spare.is_mute(now):
            self._items.put(
                Warned("The fresh connection is silent too, so there may be nothing to send. Staying on it.")
            )
            spare.stays_silent = True
            self._leave(active)
            self._promote(spare, now, replacing)
        elif not replacing and not self._standby:
            self._leave(spare)

    def _compare_with_other(self, line: Line, now: float) -> None:
        """Notes whether data comes over one line only.

        At a five-second cadence both hear the same updates and then nothing: that is not being alone.
        """
        other = self._spare if line is self._active else self._active
        if other is None:
            return
        other.alone_since = None
        if line.alone_since is None and now - other.last_data_at >= IN_STEP:
            line.alone_since = now

    def _is_alone(self, line: Line, now: float) -> bool:
        since = line.alone_since
        return not self._paused and since is not None and now - since >= self._timing.takeover_after - IN_STEP

    def _forget_who_was_alone(self) -> None:
        for line in self._lines():
            line.alone_since = None

    def _lose(self, line: Line, loss: ConnectionLost) -> None:
        was_active = line is self._active
        self._leave(line)
        if not was_active:
            self._items.put(Warned(f"{self._name_of_spare()} is missing, another is being opened. Cause: {loss}."))
            return
        self.reconnects += 1
        if self._spare is not None:
            self._promote(self._spare, line.heard_until, str(loss))
        else:
            self._items.put(Noted(f"The connection was lost: {loss}. Connecting again."))
            self._outage = self._outage or (line.heard_until, str(loss))

    def _promote(self, line: Line, heard_until: float, cause: str) -> None:
        """The spare becomes the line in use. What its tape holds goes first; the cursor skips what is known."""
        self._active, self._spare = line, None
        self._replacing = None
        for batch in line.unwind():
            self._items.put(batch)
        covered = line.covered_since()
        if line.stays_silent:
            return  # both are silent: most likely nothing was pushed
        if covered is None:
            self._outage = self._outage or (heard_until, cause)
        else:
            self._end_outage(self._outage or (heard_until, cause), covered)

    def _leave(self, line: Line) -> None:
        if not (self._paused and line is self._active):
            self._selector.unregister(line.connection)
        line.connection.close()
        if line is self._active:
            self._active = None
            self._paused = False
        else:
            self._spare = None
        self._forget_who_was_alone()

    def _end_outage(self, outage: tuple[float, str], covered: float) -> None:
        """A proven connection has heard everything since `covered`: what lies between is the gap, if anything does."""
        self._outage = None
        if covered > outage[0]:
            self._report_gap(outage, covered)
        else:
            self._items.put(Noted(f"Another connection took over without a gap: {outage[1]}."))

    def _report_gap(self, outage: tuple[float, str], until: float) -> None:
        since, cause = outage
        to_epoch = time.time() - time.monotonic()
        self._items.put(Gap(since + to_epoch, until + to_epoch, max(until - since, 0.0), cause))

    # --- connecting ---

    def _wants_connection(self) -> bool:
        return self._active is None or (self._spare is None and bool(self._standby or self._replacing))

    def _wake(self) -> None:
        with contextlib.suppress(OSError):  # the reading thread may just have ended
            self._wake_writer.send(b"\0")

    def _meet_new_connection(self, now: float) -> None:
        outcome = self._dialler.take(now, alive=self._active is not None)
        if isinstance(outcome, Connection):
            line = Line(outcome, now, self._timing)
            self._selector.register(outcome, selectors.EVENT_READ, line)
            if self._active is None:
                self._active = line
                self._items.put(Noted(f"Connected to {host_of(self._url)}."))
            else:
                self._spare = line
        elif outcome is not None:
            self._tell_refusal(outcome)

    def _name_of_spare(self) -> str:
        return "The standby connection" if self._standby else "The fresh connection"

    def _tell_refusal(self, failure: BinanceError) -> None:
        alive = self._active is not None
        if not alive and self._outage is None:
            self._outage = (self._started, str(failure).rstrip("."))
        failures = self._dialler.failures_in_a_row
        if failures & (failures - 1) == 0:  # the 1st, 2nd, 4th, 8th... in a row
            what = f"{self._name_of_spare()} is missing" if alive else "Connecting failed"
            self._items.put(Warned(f"{what} (attempt {failures} in a row): {failure}"))
