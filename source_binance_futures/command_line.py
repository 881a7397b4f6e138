"""What a person is told who asks for help or types a command that is none; imports nothing that takes time.

What is right goes on to the CDK's own parser, and so does an option that only the CDK may know.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

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
