"""The console script: handles stop signals from the first moment on, opens stdout, and only then imports the CDK."""

from __future__ import annotations

import argparse
import gc
import io
import os
import signal
import sys
from collections.abc import Callable, Iterable, Sequence
from types import FrameType
from typing import NoReturn

from .binance.clock import Clock, Stop
from .output import STDERR, STDOUT, Output, report, watch

NAME = "source-binance-futures"
COMMANDS = {  # of the Airbyte protocol: what each is for, and the files that it takes
    "spec": ("what a configuration may say", ()),
    "check": ("tries a configuration, and whether Binance can be reached", ("--config",)),
    "discover": ("the streams and their fields", ("--config",)),
    "read": ("one sync; Ctrl-C ends it early and in good order", ("--config", "--catalog", "--state")),
}
FILES = {
    "--config": "the configuration, a JSON object; {} is a complete one: all COIN-M for a minute, and all prices",
    "--catalog": "which streams to read, and how: a configured catalog",
    "--state": "where the last sync ended: the states that it wrote",
}
OF_THE_CDK = ("--manifest-path", "--components-path")  # taken of every source, and without effect here
WHAT_IT_IS = """\
Binance Futures for Airbyte, or for a shell.
book_tickers: best bid and ask as they are pushed. symbol_prices: latest prices.
"""
MORE = f"""\
The options of a command: {NAME} read --help

Example:
  echo '{{"listen_seconds": 20}}' > config.json
  {NAME} check --config config.json

The answer is one JSON object a line, messages of the Airbyte protocol. A check
that failed exits with 0, as Airbyte wants it: its "status" says FAILED.

Documentation: README.md and docs/ beside the source code.
"""
OF_SIGNALS = 128  # the exit code of a process that a signal ends is this much higher than the number of the signal
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
AT_ONCE_AFTER = 1.0  # seconds; a wrapper and its process group send the same stop twice within milliseconds


def run(args: Sequence[str] | None = None) -> None:
    """Run one command of the Airbyte protocol: spec, check, discover or read. Exits with a code unless it succeeds."""
    args = list(sys.argv[1:] if args is None else args)
    clock = Clock()
    stop = Stop(clock)
    stop.process_began = clock.monotonic()
    reads = args[:1] == ["read"]
    signals = StopSignals(clock, (lambda _: stop.request()) if reads else end_by)
    output = _open_output(clock)
    listening = None
    try:
        typed = parse(args)
        if reads:
            # Before the CDK is imported, which takes one to three seconds: Binance never sends an update again.
            from .streams.listening import listen_first  # noqa: PLC0415

            listening = listen_first(typed.config, typed.catalog, typed.state, clock)
        from .entrypoint import launch  # noqa: PLC0415

        # Leave what the imports made out of garbage collection, and collect less often: 7 % of a read. Records hold no
        # cycles, so counting references frees them.
        gc.freeze()
        gc.set_threshold(100_000, 50, 100)
        if reads:
            watch(stop, output)
        else:
            # Unwinds the main thread, so that temporary folders go; no handler of errors catches it.
            signals.act = lambda number: sys.exit(OF_SIGNALS + number)
        code = launch(args, stop, output, listening)
    except SystemExit as ended:
        if isinstance(ended.code, int) and ended.code > OF_SIGNALS:
            end_by(ended.code - OF_SIGNALS)
        raise
    finally:
        if listening is not None:
            listening.stop()
        sys.stdout.flush()  # a failure here is reported in a sentence; one at the end of Python is a stack trace
    for number in STOP_SIGNALS:  # all is written: a stop that comes while Python ends must not look like a failure
        signal.signal(number, signal.SIG_IGN)
    if code or output.failed:
        sys.exit(code or 1)


class StopSignals:
    """Handles every stop signal: the first one calls `act` with its number, one a second later ends the process.

    Leaves SIGHUP alone if the process was started with it ignored, as nohup does.
    """

    def __init__(self, clock: Clock, act: Callable[[int], object]) -> None:
        self.act = act
        self._clock = clock
        self._first_at: float | None = None
        for number in STOP_SIGNALS:
            if number is not signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
                signal.signal(number, self)

    def __call__(self, number: int, _frame: FrameType | None) -> None:
        now = self._clock.monotonic()
        if self._first_at is None:
            self._first_at = now
            self.act(number)
        elif now - self._first_at >= AT_ONCE_AFTER:
            end_by(number)


def end_by(number: int) -> NoReturn:
    """End the process by a signal as if nothing had handled it: its parent sees -15, and not an exit code."""
    signal.signal(number, signal.SIG_DFL)
    signal.raise_signal(number)
    os._exit(OF_SIGNALS + number)  # the first process of a container outlives a signal that it does not handle


def _open_output(clock: Clock) -> Output:
    """Put `Output` under stdout, for all of the process, also with PYTHONUNBUFFERED=1; return it.

    Exits if there is no stdout. The null device stands in for a closed stderr: else the next file or socket would get
    its number, and whatever is written to stderr.
    """
    if sys.__stderr__ is None:
        os.dup2(os.open(os.devnull, os.O_WRONLY), STDERR)
        sys.stderr = sys.__stderr__ = os.fdopen(STDERR, "w")  # type: ignore[misc]
    if sys.__stdout__ is None:
        report("There is no stdout to write to. Ending here.")
        sys.exit(1)
    output = Output(STDOUT, clock)
    text = io.TextIOWrapper(io.BufferedWriter(output), encoding="utf-8", errors="backslashreplace")
    sys.stdout = sys.__stdout__ = text  # type: ignore[misc]
    return output


def parse(args: Sequence[str]) -> argparse.Namespace:
    """Return what was typed. Exits with 0 after help or the version, with 2 and a sentence after a wrong call."""
    parser = argparse.ArgumentParser(
        NAME, description=WHAT_IT_IS, epilog=MORE, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--version", action="store_true", help="show the version and exit")
    commands = parser.add_subparsers(title="commands", dest="command", metavar="COMMAND")
    for name, (what_for, files) in COMMANDS.items():
        command = commands.add_parser(name, help=what_for, description=f"{name}: {what_for}.")
        command.add_argument("--debug", action="store_true", help="more log lines")
        for option in (*files, *OF_THE_CDK):
            is_needed = option in ("--config", "--catalog")
            command.add_argument(option, metavar="FILE", required=is_needed, help=FILES.get(option, argparse.SUPPRESS))
    first, *rest = args or ["--help"]
    if first not in (*COMMANDS, "--help", "-h", "--version"):
        parser.error(f"{first} is no command{_meant(first, COMMANDS)}; write one of {', '.join(COMMANDS)} first")
    if first in COMMANDS:
        known = (*COMMANDS[first][1], *OF_THE_CDK, "--debug", "--help", "-h")
        for arg in rest:  # a wrong option is named, not what is missing in its place
            if arg.startswith("-") and not any(option.startswith(arg.partition("=")[0]) for option in known):
                commands.choices[first].error(f"{first} has no option {arg}{_meant(arg, known)}")
    typed = parser.parse_args([first, *rest])
    if typed.version:
        from importlib.metadata import distributions  # noqa: PLC0415  # takes longer than all the rest

        print(NAME, next((found.version for found in distributions(name=NAME)), "of a folder that is not installed"))
        sys.exit()
    return typed


def _meant(typed: str, known: Iterable[str]) -> str:
    import difflib  # noqa: PLC0415  # needed after a typing mistake only

    near = difflib.get_close_matches(typed, list(known), n=1)
    return f" (did you mean {near[0]}?)" if near else ""
