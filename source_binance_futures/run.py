"""The console script: it obeys signals from the first moment on, sees to stdout, then starts the connector.

What takes time is imported after that, so nothing of the CDK stands at the top.
"""

from __future__ import annotations

import gc
import io
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from types import FrameType

from . import watchdog
from .binance.clock import Clock, Stop
from .output import STDERR, STDOUT, Output, tell

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)
INTERRUPTED = 128  # and the number of the signal, as a shell tells of a command that a signal has ended
LONGEST_BEGINNING = 10.0  # seconds from the start of Python to `run`


def run(args: Sequence[str] | None = None) -> None:
    """Runs one command of the Airbyte protocol: spec, check, discover or read. Exits where that is not a success."""
    args = list(sys.argv[1:] if args is None else args)
    clock = Clock()
    stop = Stop(clock)
    reads = args[:1] == ["read"]
    if reads:
        _on_signal(lambda _: stop.request())
    else:
        _on_signal(lambda number: os._exit(INTERRUPTED + number))
    began = process_began(clock)
    output = _open_output(clock)

    from . import command_line  # noqa: PLC0415

    text = command_line.help_asked_for(args)
    if text is not None:
        print(text, end="", flush=True)
        return
    wrong = command_line.fault_of(args)
    if wrong is not None and wrong.certain:
        _refuse(command_line.refusal(args, wrong))

    from .entrypoint import launch, understands  # noqa: PLC0415

    _collect_garbage_less()
    if wrong is not None and not understands(args):
        _refuse(command_line.refusal(args, wrong))
    if reads:
        watchdog.start(stop, output)
    else:
        _on_signal(lambda number: sys.exit(INTERRUPTED + number))
    code = launch(args, stop, output, began)
    sys.stdout.flush()  # what fails here is told; what fails when Python ends is a stack trace
    if code or output.failed:
        sys.exit(code or 1)


def process_began(clock: Clock) -> float:
    """When this process was started, on the monotonic clock: Python itself was begun before. Now, if it is not known.

    From /proc/self/stat, field 22: the start in clock ticks since the machine was booted.
    """
    now = clock.monotonic()
    if sys.platform != "linux":
        return now
    try:
        with open("/proc/self/stat", "rb") as file:
            ticks = int(file.read().rpartition(b")")[2].split()[19])  # the name, field 2, may hold anything
        age = time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError):
        return now
    return now - age if 0 <= age < LONGEST_BEGINNING else now


def _on_signal(act: Callable[[int], object]) -> None:
    """What the first stop signal does; a second one, of either kind, ends the process at once."""

    # Not by giving the signals back to the system before `act`: one that came at the same moment would be dropped.
    earlier: list[int] = []

    def on_signal(number: int, _frame: FrameType | None) -> None:
        earlier.append(number)
        if len(earlier) == 1:
            act(number)
        else:
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)

    for number in STOP_SIGNALS:
        signal.signal(number, on_signal)


def _open_output(clock: Clock) -> Output:
    """Stdout as all of the process will write it, with `Output` at its bottom, also where PYTHONUNBUFFERED=1 is set.

    Ends the process where there is no stdout. Puts the empty device where there is no stderr: the next file or socket
    to be opened would get its number, and whatever is written to stderr.
    """
    if sys.__stdout__ is None:
        tell("There is no stdout to write to. Ending here.")
        sys.exit(1)
    if sys.__stderr__ is None:
        os.dup2(os.open(os.devnull, os.O_WRONLY), STDERR)
    output = Output(STDOUT, clock)
    text = io.TextIOWrapper(io.BufferedWriter(output), encoding="utf-8", errors="backslashreplace")
    sys.stdout = sys.__stdout__ = text  # type: ignore[misc]
    return output


def _refuse(text: str) -> None:
    if sys.stderr is not None:
        sys.stderr.write(text)
    sys.exit(2)


def _collect_garbage_less() -> None:
    """Leaves what the imports made out of garbage collection, and collects less often: 7 % of a read.

    Records hold no cycles, so counting references frees them.
    """
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)
