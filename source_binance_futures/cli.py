"""The console script: handles stop signals from the first moment on, opens stdout, then starts the connector.

Slow imports come after that, so nothing of the CDK stands at the top.
"""

from __future__ import annotations

import gc
import io
import os
import signal
import sys
from collections.abc import Callable, Iterable, Sequence
from types import FrameType
from typing import NamedTuple, NoReturn

from .binance.clock import Clock, Stop
from .output import STDERR, STDOUT, Output, report, watch

NAME = "source-binance-futures"


class Command(NamedTuple):
    """A command of the Airbyte protocol: the line of help, and the options with a file that it takes."""

    what_for: str
    needed: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()


COMMANDS = {
    "spec": Command("what a configuration may say"),
    "check": Command("tries a configuration, and whether Binance can be reached", ("--config",)),
    "discover": Command("the streams and their fields", ("--config",)),
    "read": Command("one sync; Ctrl-C ends it early and in good order", ("--config", "--catalog"), ("--state",)),
}
OF_THE_CDK = ("--manifest-path", "--components-path")  # taken of every source, and without effect here
WHAT_IT_IS = f"""\
{NAME}: Binance Futures for Airbyte, or for a shell.
book_tickers: best bid and ask as they are pushed. symbol_prices: latest prices.
"""
MORE = f"""\
Options:
  --config FILE    the configuration, a JSON object; {{}} is a complete one:
                   all COIN-M contracts for a minute, and all prices
  --catalog FILE   which streams to read, and how: a configured catalog
  --state FILE     where the last sync ended: the states that it wrote
  --debug          more log lines
  -h, --help       this text, or with a command what it is for
  --version        the version

Example:
  echo '{{"listen_seconds": 20}}' > config.json
  {NAME} check --config config.json

The answer is one JSON object a line, messages of the Airbyte protocol. A check
that failed exits with 0, as Airbyte wants it: its "status" says FAILED.

Documentation: README.md and docs/ beside the source code.
Binance's own:
https://developers.binance.com/en/docs/products/derivatives-trading-coin-futures
"""
STOP_SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))
AT_ONCE_AFTER = 1.0  # seconds; a wrapper and its process group send the same stop twice within milliseconds


def run(args: Sequence[str] | None = None) -> None:
    """Run one command of the Airbyte protocol: spec, check, discover or read. Exits with a code unless it succeeds."""
    args = list(sys.argv[1:] if args is None else args)
    clock = Clock()
    stop = Stop(clock)
    stop.process_began = clock.monotonic()
    reads = args[:1] == ["read"]
    signals = StopSignals(clock, (lambda _: stop.request()) if reads else end_by)
    signals.install()
    output = _open_output(clock)

    text = help_asked_for(args)
    if text is not None:
        print(text, end="", flush=True)
        return
    files = files_of(args)
    if isinstance(files, WrongUsage) and files.certain:
        _refuse(args, files)

    listening = None
    if reads and isinstance(files, dict):
        # Before the CDK is imported, which takes one to three seconds: Binance never sends an update again.
        from .streams.listening import listen_first  # noqa: PLC0415

        listening = listen_first(files["--config"], files["--catalog"], files.get("--state"), clock)
    from .entrypoint import launch, understands  # noqa: PLC0415

    # Leave what the imports made out of garbage collection, and collect less often: 7 % of a read. Records hold no
    # cycles, so counting references frees them.
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)
    if isinstance(files, WrongUsage) and not understands(args):
        _refuse(args, files)
    if reads:
        watch(stop, output)
    else:
        signals.act = _unwind
    try:
        code = launch(args, stop, output, listening)
    except _EndedBy as ended:
        end_by(ended.number)
    finally:
        if listening is not None:
            listening.stop()
    sys.stdout.flush()  # a failure here is reported in a sentence; one at the end of Python is a stack trace
    for number in STOP_SIGNALS:  # all is written: a stop that comes while Python ends must not look like a failure
        signal.signal(number, signal.SIG_IGN)
    if code or output.failed:
        sys.exit(code or 1)


class StopSignals:
    """Calls `act` with the number of the first stop signal; a second or more later, the next one ends the process.

    Leaves SIGHUP alone if the process was started with it ignored, as nohup does.
    """

    def __init__(self, clock: Clock, act: Callable[[int], object]) -> None:
        self.act = act
        self._clock = clock
        self._first_at: float | None = None

    def install(self) -> None:
        """Become the handler of every stop signal."""
        for number in STOP_SIGNALS:
            if number != getattr(signal, "SIGHUP", None) or signal.getsignal(number) != signal.SIG_IGN:
                signal.signal(number, self)

    def __call__(self, number: int, _frame: FrameType | None) -> None:
        now = self._clock.monotonic()
        if self._first_at is None:
            self._first_at = now
            self.act(number)
        elif now - self._first_at >= AT_ONCE_AFTER:
            end_by(number)


class _EndedBy(SystemExit):
    """Unwinds the main thread after a signal, so that temporary folders go; no handler of errors catches it."""

    def __init__(self, number: int) -> None:
        super().__init__(128 + number)
        self.number = number


def _unwind(number: int) -> NoReturn:
    raise _EndedBy(number)


def end_by(number: int) -> NoReturn:
    """End the process by a signal as if nothing had handled it: its parent sees -15, and not an exit code."""
    signal.signal(number, signal.SIG_DFL)
    signal.raise_signal(number)
    os._exit(128 + number)  # the first process of a container outlives a signal that it does not handle


def _open_output(clock: Clock) -> Output:
    """Put `Output` under stdout, for all of the process, also with PYTHONUNBUFFERED=1; return it.

    Exits if there is no stdout. Opens the null device if there is no stderr: else the next file or socket would get its
    number, and whatever is written to stderr.
    """
    if sys.__stdout__ is None:
        report("There is no stdout to write to. Ending here.")
        sys.exit(1)
    if sys.__stderr__ is None:
        os.dup2(os.open(os.devnull, os.O_WRONLY), STDERR)
    output = Output(STDOUT, clock)
    text = io.TextIOWrapper(io.BufferedWriter(output), encoding="utf-8", errors="backslashreplace")
    sys.stdout = sys.__stdout__ = text  # type: ignore[misc]
    return output


# --- help, and refusals of a wrong call ---


class WrongUsage(NamedTuple):
    """What is wrong with a call, as a sentence. If not `certain`, a newer CDK may still know the option."""

    sentence: str
    certain: bool = True


def help_asked_for(args: Sequence[str]) -> str | None:
    """Return the text that answers `--help`, `--version` or an empty call; None for any other call."""
    if "--version" in args[:1]:
        return f"{NAME} {_version()}\n"
    if args and not {"-h", "--help"}.intersection(args):
        return None
    asked = next((arg for arg in args if not arg.startswith("-")), "")
    if asked in COMMANDS:
        return f"{usage(asked)}\n\n{asked}: {COMMANDS[asked].what_for}.\nMore: {NAME} --help\n"
    usages = "".join(f"  {usage(each)}\n" for each in COMMANDS)
    commands = "".join(f"  {name:<10} {command.what_for}\n" for name, command in COMMANDS.items())
    return f"{WHAT_IT_IS}\nUsage:\n{usages}\nCommands:\n{commands}\n{MORE}"


def files_of(args: Sequence[str]) -> dict[str, str] | WrongUsage:
    """Return the file of each option, the last one that is named, or what is wrong with the call."""
    name = args[0]
    if name not in COMMANDS:
        what = f"{name} comes before the command" if name.startswith("-") else f"there is no command {name}"
        return WrongUsage(f"{what}{_meant(name, COMMANDS)}; write one of {', '.join(COMMANDS)} first")
    command = COMMANDS[name]
    with_file = (*command.needed, *command.optional)
    files: dict[str, str] = {}
    rest = iter(args[1:])
    for arg in rest:
        option, has_value, file = arg.partition("=")
        if option in with_file or option in OF_THE_CDK:
            files[option] = file if has_value else next(rest, "-")
            if not has_value and files[option].startswith("-"):
                return WrongUsage(f"{option} needs the name of a file after it")
        elif not arg.startswith("-"):
            return WrongUsage(f"{name} has no use for {arg}")
        elif arg != "--debug":
            meant = _meant(option, (*with_file, "--debug"))
            return WrongUsage(f"{name} has no option {arg}{meant}", certain=not arg.startswith("--"))
    missing = [option for option in command.needed if option not in files]
    return WrongUsage(f"{name} needs {' and '.join(missing)}") if missing else files


def usage(name: str) -> str:
    """Return how a command is written."""
    needed = "".join(f" {option} FILE" for option in COMMANDS[name].needed)
    optional = "".join(f" [{option} FILE]" for option in COMMANDS[name].optional)
    return f"{NAME} {name}{needed}{optional}"


def _refuse(args: Sequence[str], wrong: WrongUsage) -> NoReturn:
    how = f"Write it like: {usage(args[0])}\n" if args[0] in COMMANDS else ""
    if sys.stderr is not None:
        sys.stderr.write(f"{NAME}: {wrong.sentence}.\n{how}Help: {NAME} --help\n")
    sys.exit(2)


def _meant(typed: str, known: Iterable[str]) -> str:
    import difflib  # noqa: PLC0415  # needed after a typing mistake only

    near = difflib.get_close_matches(typed, list(known), n=1)
    return f" (did you mean {near[0]}?)" if near else ""


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version  # noqa: PLC0415  # takes longer than all the rest

    try:
        return version(NAME)
    except PackageNotFoundError:  # run from a folder without having been installed
        return "of a folder that is not installed"
