"""Standard output: whole lines, and a watchdog that exits if stdout stays blocked after the sync should have ended.

While a sync listens, it waits for a slow destination, however long that takes.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import selectors
from typing import TYPE_CHECKING

from .binance.clock import Clock, Stop, start_thread
from .binance.errors import NoThread

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

CHUNK = 16384  # bytes in one write; smaller ones cost time, larger ones hide for long that a slow reader reads
SMALL_CHUNK = 4096  # bytes, after a write that was slow
SLOW = 1.0  # seconds for one write
LOOK_EVERY = 1.0  # seconds
PATIENCE = 60.0  # seconds in which stdout takes no byte
STDOUT, STDERR = 1, 2
WHY = {errno.EPIPE: "nobody reads it any more", errno.EBADF: "it is closed, or not open for writing"}


class Output(io.RawIOBase):
    """Writes to a file descriptor; lies under `sys.stdout`, and takes blocks of lines beside it.

    `writing_since` is when the write under way began (monotonic seconds), for the watchdog's thread. The first write
    that fails is reported on stderr and raises `SystemExit(1)`, which no handler of errors catches; later ones do
    nothing, so that the process ends in good order.
    """

    def __init__(self, descriptor: int, clock: Clock) -> None:
        self.writing_since: float | None = None
        self.failed = False
        self._descriptor = descriptor
        self._clock = clock
        self._at_most = CHUNK

    def write(self, data: ReadableBuffer, /) -> int:
        """Write the beginning of `data`; return how many bytes. Raises `SystemExit` after an error."""
        view = memoryview(data)
        if self.failed:
            return view.nbytes
        began = self.writing_since = self._clock.monotonic()
        try:
            while True:
                with contextlib.suppress(BlockingIOError):
                    return os.write(self._descriptor, view[: self._at_most])
                # It was opened for writes that do not wait, and this process has nothing better to do.
                _takes_bytes(self._descriptor, LOOK_EVERY)
        except OSError as error:
            self.failed = True
            report(f"The output cannot be written: {WHY.get(error.errno or 0, error.strerror)}. Ending here.")
            raise SystemExit(1) from error
        finally:
            self.writing_since = None
            self._at_most = SMALL_CHUNK if self._clock.monotonic() - began > SLOW else CHUNK

    def write_all(self, data: bytes) -> None:
        """Write all of `data`, however often a signal interrupts it, so that no line is cut."""
        rest = memoryview(data)
        while rest:
            rest = rest[self.write(rest) :]

    def writable(self) -> bool:
        return True


def report(sentence: str) -> None:
    """Write one line to stderr if it takes one at once: it may be closed, or the same blocked pipe as stdout."""
    with contextlib.suppress(OSError, ValueError):
        if _takes_bytes(STDERR, 0):
            os.write(STDERR, f"source-binance-futures: {sentence}\n".encode(errors="backslashreplace"))


def _takes_bytes(descriptor: int, seconds: float) -> bool:
    """Wait at most so many seconds until a descriptor can be written to, or says why not; return whether it can."""
    with selectors.PollSelector() as selector:  # the default one, epoll, takes no regular file
        selector.register(descriptor, selectors.EVENT_WRITE)
        return bool(selector.select(seconds))


def watch(stop: Stop, output: Output) -> None:
    """Watch `output` from a thread of its own until the process ends."""

    def look() -> None:
        while blocked_for(stop, output.writing_since, stop.clock.monotonic()) <= PATIENCE:
            stop.clock.sleep(LOOK_EVERY)
        why = "was asked to stop" if stop.requested else "should have ended"
        report(f"No byte could be written for {PATIENCE:g} seconds, and the sync {why} before that. Ending here.")
        os._exit(1)  # nothing gentler gets past a write that does not return

    with contextlib.suppress(NoThread):  # whatever needs the next thread reports it, and no sync goes without
        start_thread("watchdog", look, "Nothing watches the output")


def blocked_for(stop: Stop, writing_since: float | None, now: float) -> float:
    """Return for how many seconds stdout has been blocked after the sync should have ended.

    It should have ended at the end of its window, or when it was asked to stop. `writing_since` is when the write
    under way began. Moments are monotonic seconds.
    """
    ends = [moment for moment in (stop.requested_at, stop.window_ends) if moment is not None]
    return now - max(min(ends), writing_since) if ends and writing_since is not None else 0.0
