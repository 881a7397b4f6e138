"""The console script: it obeys signals from the first moment on, sees to stdout, then starts the connector.

What takes time is imported after that, so nothing of the CDK stands at the top.
"""

from __future__ import annotations

import gc
import io
import os
import signal
import sys
from collections.abc import Callable, Iterable, Sequence
from types import FrameType
from typing import TYPE_CHECKING, NamedTuple, NoReturn

from .binance.clock import Clock, Stop
from .output import STDERR, STDOUT, Output, tell, watch

if TYPE_CHECKING:
    from .binance.market_stream.reader import MarketStream

NAME = "source-binance-futures"
COMMANDS = {
    "spec": "what a configuration may say",
    "check": "tries a configuration, and whether Binance can be reached",
    "discover": "the streams and their fields",
    "read": "one sync; Ctrl-C ends it early and in good order",
}
NEEDED = {"spec": (), "check": ("--config",), "discover": ("--config",), "read": ("--config", "--catalog")}
OPTIONAL = {"read": ("--state",)}
OF_THE_CDK = (
    "--manifest-path",
    "--components-path",
)  # it takes them from every source, and does nothing with them here
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
    """Runs one command of the Airbyte protocol: spec, check, discover or read. Exits where that is not a success."""
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
    wrong = fault_of(args)
    if wrong is not None and wrong.certain:
        _refuse(refusal(args, wrong))

    listening = _listen_first(args, clock) if reads and wrong is None else None
    from .entrypoint import launch, understands  # noqa: PLC0415

    _collect_garbage_less()
    if wrong is not None and not understands(args):
        _refuse(refusal(args, wrong))
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
    sys.stdout.flush()  # what fails here is told; what fails when Python ends is a stack trace
    if code or output.failed:
        sys.exit(code or 1)


def _listen_first(args: Sequence[str], clock: Clock) -> MarketStream | None:
    """Begins to listen before the CDK is imported, which takes one to three seconds: Binance never sends them again."""
    from .streams.listening import listen_first  # noqa: PLC0415

    files = files_of(args)
    return listen_first(files["--config"], files["--catalog"], files.get("--state"), clock)


class StopSignals:
    """Calls `act` with the number of the first stop signal; one that comes a second later or more ends the process.

    SIGHUP is left alone where the process was started with it ignored, as nohup does.
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
    """Ends the process by a signal as if nothing had caught it: whoever started it sees -15, and not an exit code."""
    signal.signal(number, signal.SIG_DFL)
    signal.raise_signal(number)
    os._exit(128 + number)  # the first process of a container outlives a signal that it does not handle


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


def _refuse(text: str) -> NoReturn:
    if sys.stderr is not None:
        sys.stderr.write(text)
    sys.exit(2)


def _collect_garbage_less() -> None:
    """Leaves what the imports made out of garbage collection, and collects less often: 7 % of a read.

    Records hold no cycles, so counting references frees them.
    """
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)


# --- help, and refusals of what was typed ---


class WrongUsage(NamedTuple):
    """What is wrong, as a sentence. Where it is not `certain`, a newer CDK may know the option all the same."""

    sentence: str
    certain: bool = True


def help_asked_for(args: Sequence[str]) -> str | None:
    """The text that answers a call for help or for the version, or a call of nothing; None for any other call."""
    if "--version" in args[:1]:
        return f"{NAME} {_version()}\n"
    if args and not {"-h", "--help"}.intersection(args):
        return None
    command = next((arg for arg in args if not arg.startswith("-")), "")
    if command in COMMANDS:
        return f"{usage(command)}\n\n{command}: {COMMANDS[command]}.\nMore: {NAME} --help\n"
    usages = "".join(f"  {usage(each)}\n" for each in COMMANDS)
    commands = "".join(f"  {each:<10} {what_for}\n" for each, what_for in COMMANDS.items())
    return f"{WHAT_IT_IS}\nUsage:\n{usages}\nCommands:\n{commands}\n{MORE}"


def fault_of(args: Sequence[str]) -> WrongUsage | None:
    """What is wrong with a call of a command; None where nothing is."""
    command = args[0]
    if command not in COMMANDS:
        what = f"{command} comes before the command" if command.startswith("-") else f"there is no command {command}"
        return WrongUsage(f"{what}{_meant(command, COMMANDS)}; write one of {', '.join(COMMANDS)} first")
    with_file = (*NEEDED[command], *OPTIONAL.get(command, ()))
    given: set[str] = set()
    rest = iter(args[1:])
    for arg in rest:
        option, has_value, _ = arg.partition("=")
        if option in with_file or option in OF_THE_CDK:
            given.add(option)
            if not has_value and next(rest, "-").startswith("-"):
                return WrongUsage(f"{option} needs the name of a file after it")
        elif not arg.startswith("-"):
            return WrongUsage(f"{command} has no use for {arg}")
        elif arg != "--debug":
            known = (*with_file, "--debug")
            return WrongUsage(f"{command} has no option {arg}{_meant(option, known)}", certain=not arg.startswith("--"))
    missing = [option for option in NEEDED[command] if option not in given]
    return WrongUsage(f"{command} needs {' and '.join(missing)}") if missing else None


def files_of(args: Sequence[str]) -> dict[str, str]:
    """The file of each option, the last one that is named, of a call in which nothing is wrong."""
    files: dict[str, str] = {}
    rest = iter(args[1:])
    for arg in rest:
        option, has_value, file = arg.partition("=")
        if option != "--debug":
            files[option] = file if has_value else next(rest)
    return files


def usage(command: str) -> str:
    """How a command is written."""
    needed = "".join(f" {option} FILE" for option in NEEDED.get(command, ()))
    optional = "".join(f" [{option} FILE]" for option in OPTIONAL.get(command, ()))
    return f"{NAME} {command}{needed}{optional}"


def refusal(args: Sequence[str], wrong: WrongUsage) -> str:
    """What is told on stderr of a call that is none."""
    command = args[0]
    how = f"Write it like: {usage(command)}\n" if command in COMMANDS else ""
    return f"{NAME}: {wrong.sentence}.\n{how}Help: {NAME} --help\n"


def _meant(typed: str, known: Iterable[str]) -> str:
    import difflib  # noqa: PLC0415  # only a person who mistypes waits for it

    near = difflib.get_close_matches(typed, list(known), n=1)
    return f" (did you mean {near[0]}?)" if near else ""


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version  # noqa: PLC0415  # takes longer than all the rest

    try:
        return version(NAME)
    except PackageNotFoundError:  # run from a folder without having been installed
        return "of a folder that is not installed"
