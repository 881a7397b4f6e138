"""`python -m source_binance_futures.live`: one command that asks, prints, and writes what can be handed back."""

from __future__ import annotations

import argparse
import math
import signal
import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import FrameType
from typing import TypeGuard

import orjson

from ..binance.clock import Clock, Stop
from ..binance.errors import LOCATION_REFUSED, BinanceError, HandshakeRefused, LocationRefused
from ..config import CUSTOM_ADDRESSES, Config, ConfigurationError
from .judge import judge
from .observation import Observation
from .report import document, markdown, summary, table

PACKAGE = "source-binance-futures"
WEB_FIREWALL = 403
LONGEST = 24 * 60  # minutes
DESCRIPTION = """\
Asks Binance whether what this connector believes of it is true: connects as the connector does, listens, and prints
each belief with what was seen. Takes fewer than 10 connections and a request weight below 50; Ctrl-C ends it with what
it has. A proxy is taken from HTTPS_PROXY. The report holds nothing of you but the time and the environment.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """0 where there is a report, 1 where Binance could not be asked, 2 for a command that makes no sense."""
    options = _options(arguments)
    try:
        config = Config.from_mapping({"environment": _environment(options)})
    except ConfigurationError as error:
        print(error, file=sys.stderr)
        return 2
    stop = Stop(Clock())
    _on_signal(stop)
    _tell(f"Asking {config.environment.name} for {options.minutes:g} minutes. Ctrl-C ends it with what there is.")
    observation = Observation(config.environment, config.route, stop, options.minutes * 60, _tell)
    facts = observation.run()
    if not observation.reached:
        in_vain = f"Binance cannot be reached: no connection came about within {facts.seconds:.0f} seconds."
        too_early = "It was ended before there was anything to tell."
        print(refusal(observation.errors) or (too_early if stop.requested else in_vain), file=sys.stderr)
        return 1
    judged, installed = judge(facts), _version()
    print("\n".join(["", table(judged), "", summary(judged)]))
    sentence = refusal([error for error in observation.errors if _refuses_location(error)])
    if sentence:
        print(sentence)
    try:
        options.folder.mkdir(parents=True, exist_ok=True)
        json_file, page = options.folder / "report.json", options.folder / "report.md"
        json_file.write_bytes(orjson.dumps(document(facts, judged, installed), option=orjson.OPT_INDENT_2) + b"\n")
        page.write_text(markdown(facts, judged, installed), encoding="utf-8")
    except OSError as error:
        print(f"The report could not be written to {options.folder}: {error.strerror}.", file=sys.stderr)
        return 1
    print(f"{page} can be pasted into an issue; {json_file} holds all that was counted.")
    return 0


def refusal(errors: Sequence[BinanceError]) -> str | None:
    """One sentence for why nothing could be asked; None where nothing went wrong."""
    for error in errors:
        if isinstance(error, LocationRefused):
            return (
                f"Binance does not serve this location (HTTP status {error.status}): run this from a place that it "
                "serves, or through a proxy there (HTTPS_PROXY)."
            )
    for error in errors:
        if _refuses_location(error):
            return (
                f"Binance's web firewall refuses this location or address (HTTP status {error.status}): try again in "
                "some minutes, from another network, or through a proxy (HTTPS_PROXY)."
            )
    for error in errors:
        return f"Binance cannot be reached: {str(error).partition('. ')[0].rstrip('.')}."
    return None


def _refuses_location(error: BinanceError) -> TypeGuard[HandshakeRefused]:
    return isinstance(error, HandshakeRefused) and error.status in (LOCATION_REFUSED, WEB_FIREWALL)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m source_binance_futures.live", description=DESCRIPTION)
    parser.add_argument("--environment", choices=("production", "testnet", "custom"), default="production")
    parser.add_argument("--minutes", type=_minutes, default=3.0, help="how long to listen (default: 3)")
    parser.add_argument(
        "--folder", type=Path, default=Path("build/live"), help="where the report goes (default: %(default)s)"
    )
    custom = parser.add_argument_group("with --environment custom, the addresses as in the connector's configuration")
    for option in CUSTOM_ADDRESSES:
        custom.add_argument(f"--{option.replace('_', '-')}", metavar="URL")
    return parser.parse_args(arguments)


def _minutes(text: str) -> float:
    try:
        minutes = float(text)
    except ValueError:
        minutes = math.nan
    if not 0 < minutes <= LONGEST:
        raise argparse.ArgumentTypeError(f"write a number of minutes, above 0 and up to {LONGEST}")
    return minutes


def _environment(options: argparse.Namespace) -> dict[str, str]:
    addresses = {option: getattr(options, option) for option in CUSTOM_ADDRESSES}
    return {"name": options.environment} | {option: url for option, url in addresses.items() if url is not None}


def _on_signal(stop: Stop) -> None:
    """The first Ctrl-C ends the run in good order, a second one at once."""

    def on_signal(number: int, _frame: FrameType | None) -> None:
        signal.signal(number, signal.SIG_DFL)
        stop.request()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, on_signal)


def _tell(sentence: str) -> None:
    print(sentence, file=sys.stderr, flush=True)


def _version() -> str:
    try:
        return version(PACKAGE)
    except PackageNotFoundError:
        return "of a clone"
