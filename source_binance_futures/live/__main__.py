"""`python -m source_binance_futures.live`: asks, prints, and writes what can be handed back."""

from __future__ import annotations

import argparse
import math
import signal
import sys
from collections.abc import Sequence
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import FrameType
from typing import NoReturn

import orjson

from ..binance.clock import Clock, Stop
from ..binance.errors import BinanceError, HandshakeRefused
from ..config import CUSTOM_ADDRESSES, Config, ConfigurationError
from .expectations import DEFAULT_MINUTES, document, judge, markdown, summary, table
from .probe import Probe

PACKAGE = "source-binance-futures"
REFUSALS = {  # by HTTP status
    451: "Binance does not serve this location (HTTP status 451): run this from a place that it serves, or through a "
    "proxy there (HTTPS_PROXY).",
    403: "Binance's web firewall refuses this location or address (HTTP status 403): try again in some minutes, from "
    "another network, or through a proxy (HTTPS_PROXY).",
}
LONGEST = 24 * 60  # minutes
LOCAL, NAMES = "local", ("local", "production", "testnet", "custom")
DESCRIPTION = """\
Asks Binance whether it is as this connector expects: connects as the connector does, listens, and prints each
expectation with what was seen. Takes fewer than 10 connections and a request weight below 50; Ctrl-C ends it with what
it has. A proxy is taken from HTTPS_PROXY. The report holds nothing of you but the time and the environment.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Return 0 where there is a report, 1 where Binance could not be asked, 2 for a command that makes no sense."""
    options = _options(arguments)
    name = "custom" if options.environment == LOCAL else options.environment
    try:
        config = Config.from_mapping({"environment": {"name": name, **_addresses(options)}})
    except ConfigurationError as error:
        print(error, file=sys.stderr)
        return 2
    stop, report = Stop(Clock()), partial(print, file=sys.stderr, flush=True)
    _on_signal(stop)
    report(f"Asking {options.environment} for {options.minutes:g} minutes. Ctrl-C ends it with what there is.")
    probe = Probe(config.environment, config.route, stop, options.minutes * 60, report=report)
    stats = probe.run()
    refused = refused_location(probe.errors)
    if not probe.reached:
        listened = min(stats["seconds"], options.minutes * 60)
        in_vain = f"Binance cannot be reached: no connection came about within {listened:.0f} seconds."
        why = (
            f"Binance cannot be reached: {str(probe.errors[0]).partition('. ')[0].rstrip('.')}." if probe.errors else ""
        )
        too_early = "It was stopped before there was anything to report."
        print(refused or why or (too_early if stop.requested else in_vain), file=sys.stderr)
        return 1
    judged, installed = judge(stats), _version()
    print("\n".join(["", table(judged), "", summary(judged)]))
    if refused:
        print(refused)
    page, file = options.folder / "report.md", options.folder / "report.json"
    try:
        options.folder.mkdir(parents=True, exist_ok=True)
        written = orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS | orjson.OPT_APPEND_NEWLINE
        file.write_bytes(orjson.dumps(document(stats, judged, installed), option=written))
        page.write_text(markdown(stats, judged, installed), encoding="utf-8")
    except OSError as error:
        print(f"The report could not be written to {options.folder}: {error.strerror}.", file=sys.stderr)
        return 1
    print(f"{page} can be pasted into an issue; {file} holds all that was counted.")
    return 0


def refused_location(errors: Sequence[BinanceError]) -> str | None:
    """Say why this location is refused, if it is."""
    statuses = {error.status for error in errors if isinstance(error, HandshakeRefused)}
    return next((says for status, says in REFUSALS.items() if status in statuses), None)


class _Parser(argparse.ArgumentParser):
    """Answers what it cannot understand in a sentence, without its usage."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{message[:1].upper()}{message[1:]}. --help lists the options.\n")


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = _Parser(prog="python -m source_binance_futures.live", description=DESCRIPTION)
    parser.add_argument("--environment", type=_name, metavar="NAME", help=f"{', '.join(NAMES)} (default: production)")
    parser.add_argument("--minutes", type=_minutes, default=float(DEFAULT_MINUTES), help="how long (default: 3)")
    parser.add_argument("--folder", type=Path, default=Path("build/live"), help="of the report (default: %(default)s)")
    parser.add_argument("--port", type=int, default=8765, help="of `local`, see make exchange (default: %(default)s)")
    custom = parser.add_argument_group("addresses of a custom environment, as in the connector's configuration")
    for option in CUSTOM_ADDRESSES:
        custom.add_argument(f"--{option.replace('_', '-')}", metavar="URL")
    options = parser.parse_args(arguments)
    given = any(getattr(options, option) for option in CUSTOM_ADDRESSES)
    options.environment = options.environment or ("custom" if given else "production")
    return options


def _name(text: str) -> str:
    if text not in NAMES:
        raise argparse.ArgumentTypeError(f"there is no environment {text!r}; write {', '.join(NAMES)}")
    return text


def _minutes(text: str) -> float:
    try:
        minutes = float(text)
    except ValueError:
        minutes = math.nan
    if not 0 < minutes <= LONGEST:
        raise argparse.ArgumentTypeError(f"write a number of minutes, above 0 and up to {LONGEST}")
    return minutes


def _addresses(options: argparse.Namespace) -> dict[str, str]:
    given = {option: getattr(options, option) for option in CUSTOM_ADDRESSES if getattr(options, option)}
    if options.environment != LOCAL:
        return given
    base = f"ws://127.0.0.1:{options.port}"
    return dict(zip(CUSTOM_ADDRESSES, (base, f"{base}/ws-fapi/v1", f"{base}/usds/public"), strict=True)) | given


def _on_signal(stop: Stop) -> None:
    """Let the first Ctrl-C end the run in good order, a second one at once."""

    def on_signal(number: int, _frame: FrameType | None) -> None:
        signal.signal(number, signal.SIG_DFL)
        stop.request()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, on_signal)


def _version() -> str:
    try:
        return version(PACKAGE)
    except PackageNotFoundError:
        return "of a clone"


if __name__ == "__main__":
    sys.exit(main())
