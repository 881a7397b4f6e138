"""`python -m source_binance_futures.live`: asks, prints, and writes what can be handed back."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Sequence
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import FrameType

import orjson

from ..binance.clock import Clock, Stop
from ..config import CUSTOM, CUSTOM_ADDRESSES, ENVIRONMENTS, Config, ConfigurationError
from .expectations import DEFAULT_MINUTES, document, judge, lines, page
from .probe import Probe

LONGEST = 24 * 60  # minutes
OF_THE_LOCATION = (403, 451)  # HTTP status: the web firewall, and a country or network that Binance does not serve
DESCRIPTION = """\
Asks Binance whether it is as this connector expects: connects as the connector does, listens, and prints each
expectation with what was seen. Takes fewer than 10 connections and a request weight below 50; Ctrl-C ends it with what
it has. A proxy is taken from HTTPS_PROXY. The report holds nothing of you but the time and the environment.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Return 0 where there is a report, 1 where Binance could not be asked, 2 for a command that makes no sense."""
    options, config = _options(arguments)
    stop, report = Stop(Clock()), partial(print, file=sys.stderr, flush=True)

    def on_signal(number: int, _frame: FrameType | None) -> None:
        signal.signal(number, signal.SIG_DFL)  # a second one ends it at once
        stop.request()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, on_signal)
    report(f"Asking {options.environment} for {options.minutes:g} minutes. Ctrl-C ends it with what there is.")
    probe = Probe(config.environment, config.route, stop, options.minutes * 60, report=report)
    stats = probe.run()
    refused = [str(error) for error in probe.errors if getattr(error, "status", None) in OF_THE_LOCATION]
    why = [*refused, *map(str, probe.errors)]
    if not (probe.watched or probe.api):
        if why:
            report(f"Binance cannot be reached: {why[0]} A proxy is taken from HTTPS_PROXY.")
        elif stop.requested:
            report("It was stopped before there was anything to report.")
        else:
            report(f"Binance cannot be reached: no connection came about within {options.minutes:g} minutes.")
        return 1
    judged = judge(stats)
    print("\n".join(["", lines(judged), *refused[:1]]))
    try:
        installed = version("source-binance-futures")
    except PackageNotFoundError:
        installed = "of a clone"
    try:
        options.folder.mkdir(parents=True, exist_ok=True)
        everything = document(stats, judged, installed)
        written = orjson.dumps(everything, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
        (options.folder / "report.json").write_bytes(written)
        (options.folder / "report.md").write_text(page(stats, judged, installed), encoding="utf-8")
    except OSError as error:
        report(f"The report could not be written to {options.folder}: {error.strerror}.")
        return 1
    print(f"{options.folder / 'report.md'} can be pasted into an issue; report.json holds all that was counted.")
    return 0


def _options(arguments: Sequence[str] | None) -> tuple[argparse.Namespace, Config]:
    parser = argparse.ArgumentParser(prog="python -m source_binance_futures.live", description=DESCRIPTION)
    parser.add_argument("--environment", choices=("local", *ENVIRONMENTS, CUSTOM), help="(default: production)")
    parser.add_argument("--minutes", type=float, default=DEFAULT_MINUTES, help="how long (default: %(default)s)")
    parser.add_argument("--folder", type=Path, default=Path("build/live"), help="of the report (default: %(default)s)")
    parser.add_argument("--port", type=int, default=8765, help="of `local`, see make exchange (default: %(default)s)")
    custom = parser.add_argument_group("addresses of a custom environment, as in the connector's configuration")
    for option in CUSTOM_ADDRESSES:
        custom.add_argument(f"--{option.replace('_', '-')}", metavar="URL")
    options = parser.parse_args(arguments)
    if not 0 < options.minutes <= LONGEST:
        parser.error(f"--minutes is {options.minutes:g}; write a number above 0 and up to {LONGEST}")
    addresses = {option: getattr(options, option) for option in CUSTOM_ADDRESSES if getattr(options, option)}
    options.environment = name = options.environment or (CUSTOM if addresses else "production")
    if name == "local":
        base = f"ws://127.0.0.1:{options.port}"
        local = zip(CUSTOM_ADDRESSES, (base, f"{base}/ws-fapi/v1", f"{base}/usds/public"), strict=True)
        name, addresses = CUSTOM, dict(local) | addresses
    try:
        return options, Config.from_mapping({"environment": {"name": name, **addresses}})
    except ConfigurationError as error:
        parser.error(str(error))


if __name__ == "__main__":
    sys.exit(main())
