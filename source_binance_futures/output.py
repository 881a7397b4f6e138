"""Standard output as the process writes it: whole, watched, and given up in one sentence where it takes nothing."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import select
import sys
from typing import TYPE_CHECKING

from .binance.clock import Clock

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

CHUNK = 16384  # bytes in one write; smaller ones cost time, larger ones hide for long that a slow reader reads
SMALL_CHUNK = 4096  # of an output that takes its time
SLOW = 1.0  # seconds for one write
LOOK_EVERY = 1.0  # seconds
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
            raise SystemExit(1) from None
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
            select.select([], [self._descriptor], [], LOOK_EVERY)

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
        if sys.__stderr__ is not None and select.select([], [STDERR], [], 0)[1]:
            os.write(STDERR, line)
