"""Standard output as the process writes it: whole, watched, and given up in one sentence where it takes nothing.

While a sync listens, a slow destination is waited for, however long it takes. Once the sync is over, nobody may be
there to end the process, so the watchdog does.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import selectors
import sys
from typing import TYPE_CHECKING

from .binance.clock import Clock, Stop, start_thread
from .binance.errors import NoThread

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

CHUNK = 16384  # bytes in one write; smaller ones cost time, larger ones hide for long that a slow reader reads
SMALL_CHUNK = 4096  # of an output that takes its time
SLOW = 1.0  # seconds for one write
LOOK_EVERY = 1.0  # seconds
PATIENCE = 60.0  # seconds without a byte that could be written
STDOUT, STDERR = 1, 2

WHY = {
    errno.EPIPE: "nobody reads it any more",
    errno.EBADF: "it is closed, or not open for writing",
    errno.ENOSPC: "there is no space left",
}


class Output(io.RawIOBase):
    """A file descriptor to write to; under `sys.stdout`, and for blocks of lines beside it.

    A signal interrupts a write that waits for its reader. Here the rest is written all the same, so that no line is
    cut. `writing_since` is when the write under way began, None where there is none, and `written_at` when bytes were
    last taken (monotonic seconds): plain attributes, for the watchdog's thread.

    Where nothing can be written, it says so once on stderr and raises `SystemExit(1)`, which no handler of errors
    takes for one of its own; from then on it swallows what is written, so that the process ends in good order.
    """

    def __init__(self, descriptor: int, clock: Clock) -> None:
        self.writing_since: float | None = None
        self.written_at: float | None = None
        self.failed = False
        self._descriptor = descriptor
        self._clock = clock
        self._at_most = CHUNK

    def write(self, data: ReadableBuffer, /) -> int:
        """Writes the beginning of `data`; how many bytes of it. Raises `SystemExit` where the output is none."""
        view = memoryview(data)
        if self.failed:
            return view.nbytes
        began = self.writing_since = self._clock.monotonic()
        try:
            written = self._write_some(view[: self._at_most])
        except OSError as error:
            self.failed = True
            tell(f"The output cannot be written: {WHY.get(error.errno or 0, error.strerror)}. Ending here.")
            raise SystemExit(1) from error
        finally:
            self.writing_since = None
        self.written_at = self._clock.monotonic()
        self._at_most = SMALL_CHUNK if self.written_at - began > SLOW else CHUNK
        return written

    def _write_some(self, data: memoryview) -> int:
        while True:
            with contextlib.suppress(BlockingIOError):
                return os.write(self._descriptor, data)
            # Whoever opened it wants no write to wait, and this process has nothing better to do.
            _takes_bytes(self._descriptor, LOOK_EVERY)

    def write_all(self, data: bytes) -> None:
        """Writes all of `data`, however often a signal comes in between."""
        rest = memoryview(data)
        while rest:
            rest = rest[self.write(rest) :]

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._descriptor

    def isatty(self) -> bool:
        return os.isatty(self._descriptor)


def tell(sentence: str) -> None:
    """One line on stderr, if it takes one at once: it may be closed, or the same blocked pipe as stdout."""
    line = f"source-binance-futures: {sentence}\n".encode(errors="backslashreplace")
    with contextlib.suppress(OSError, ValueError):
        if sys.__stderr__ is not None and _takes_bytes(STDERR, 0):
            os.write(STDERR, line)


def _takes_bytes(descriptor: int, seconds: float) -> bool:
    """Wait at most so many seconds until a descriptor can be written to, or says why not; return whether it can."""
    with selectors.PollSelector() as selector:  # the default one, epoll, takes no regular file
        selector.register(descriptor, selectors.EVENT_WRITE)
        return bool(selector.select(seconds))


# --- the watchdog of a process whose output nobody takes ---


def stalled_since(over_since: float | None, writing_since: float | None) -> float | None:
    """Since when nothing could be written of what a sync still had to write when it was over; None if it is not so.

    `over_since` is when it should have ended, `writing_since` when the write under way began; a moment each, on one
    clock, or None.
    """
    if over_since is None or writing_since is None:
        return None
    return max(over_since, writing_since)


def over_since(stop: Stop, now: float) -> float | None:
    """When a sync should have ended: at the end of its window, or when it was asked to; None where it goes on."""
    ends = [moment for moment in (stop.requested_at, stop.window_ends) if moment is not None and moment <= now]
    return min(ends) if ends else None


def watch(stop: Stop, output: Output) -> None:
    """Watches `output` from a thread of its own until the process ends."""
    with contextlib.suppress(NoThread):  # whatever needs the next thread reports it, and no sync goes without
        start_thread("watchdog", lambda: _watch(stop, output), "Nothing watches the output")


def _watch(stop: Stop, output: Output) -> None:
    while True:
        stop.clock.sleep(LOOK_EVERY)
        now = stop.clock.monotonic()
        stalled = stalled_since(over_since(stop, now), output.writing_since)
        if stalled is not None and now - stalled > PATIENCE:
            why = "was asked to stop" if stop.requested else "should have ended"
            tell(f"No byte could be written for {PATIENCE:g} seconds, and the sync {why} before that. Ending here.")
            os._exit(1)  # nothing gentler gets past a write that does not return
