"""The local exchange by hand: `python -m local_exchange --fault mute --every 20`, until Ctrl-C."""

from __future__ import annotations

import argparse
import json
import math
import signal
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from itertools import cycle
from pathlib import Path
from typing import Any

from .contracts import made_up_coin_m, made_up_usds_m
from .faults import NAMED_FAULTS, happen
from .local_exchange import LocalExchange

_EVERY = 20.0
_LOOK_AGAIN = 0.2
"""Seconds between two looks at what is due."""


def main() -> int:
    options = _options()
    faults, every, write = (options.pop(name) for name in ("fault", "every", "write"))
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    try:
        with LocalExchange(**options, keep_pushed=False) as exchange:
            configuration = json.dumps({"environment": exchange.environment(usds_margined=True)})
            if write is not None:
                write.parent.mkdir(parents=True, exist_ok=True)
                write.write_text(configuration + "\n", encoding="utf-8")
            print(
                "Local exchange, a Binance look-alike on loopback. Ctrl-C ends it.\n"
                f"COIN-M:         {exchange.market_stream_url}/ws/!bookTicker\n"
                f"USDⓈ-M:         {exchange.usds_margined_stream_url}/ws/!bookTicker\n"
                f"WebSocket API:  {exchange.websocket_api_url}\n"
                f"Configuration:  {configuration}",
                flush=True,
            )
            _run(exchange, stop, faults, every or _EVERY)
    except OSError as error:
        print(f"The exchange cannot open: {error}. Choose another --port, --recording or --write.", file=sys.stderr)
        return 1
    print("The exchange is closed.", flush=True)
    return 0


def _run(exchange: LocalExchange, stop: threading.Event, faults: list[str], every: float) -> None:
    """Until the user ends it. Each fault is reported, and the end of the recording; connections stay open then."""
    names, due = cycle(faults), time.monotonic() + every
    reported = False
    while not stop.wait(_LOOK_AGAIN):
        if faults and time.monotonic() >= due:
            due = time.monotonic() + every
            print(f"{time.strftime('%H:%M:%S')} {happen(exchange, next(names))}", flush=True)
        if exchange.finished.is_set() and not reported:
            print("The recording is over; connections stay open. Ctrl-C ends the exchange.", flush=True)
            reported = True


def _options() -> dict[str, Any]:
    """What was asked for: arguments of `LocalExchange` by name, and `fault`, `every` and `write`."""
    parser = argparse.ArgumentParser(
        prog="python -m local_exchange",
        description="A Binance look-alike on loopback: the market streams of COIN-M and USDⓈ-M,\n"
        "and the WebSocket API. It prints the configuration for the connector.",
        epilog="Faults:\n" + "\n".join(f"  {name:22}{says}" for name, (says, _) in NAMED_FAULTS.items()),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    market = parser.add_argument_group("the market")
    market.add_argument(
        "--rate", type=_number, default=50.0, help="updates a second over all contracts (default: %(default)s)"
    )
    coin_m, usds_m = partial(_made_up, made_up_coin_m), partial(_made_up, made_up_usds_m)
    more = "that many {} contracts (default: {})"
    market.add_argument("--coin-m", dest="coin_m_symbols", type=coin_m, metavar="N", help=more.format("COIN-M", 10))
    market.add_argument("--usds-m", dest="usds_m_symbols", type=usds_m, metavar="N", help=more.format("USDⓈ-M", 25))
    market.add_argument(
        "--recording",
        type=Path,
        metavar="FILE",
        help="play recorded frames in place of COIN-M's, once somebody listens",
    )
    market.add_argument(
        "--speed", type=_more_than_zero, default=1.0, help="times the pace of the recording (default: %(default)s)"
    )
    how = parser.add_argument_group("how it is sent")
    how.add_argument("--port", type=int, default=8765, help="0 for any free one (default: %(default)s)")
    how.add_argument("--write", type=Path, metavar="FILE", help="write the configuration for the connector there too")
    how.add_argument(
        "--samples",
        dest="sample_every",
        type=_seconds_or_off,
        default=5.0,
        metavar="SECONDS",
        help="!bookTicker brings of each contract one sample in so many seconds; off: every update, as before June "
        "2026 (default: %(default)s)",
    )
    pings = "off for none (default: %(default)s)"
    how.add_argument("--pings", dest="ping_interval", type=_seconds_or_off, default=3.0, metavar="SECONDS", help=pings)
    wrong = parser.add_argument_group("what goes wrong")
    wrong.add_argument(
        "--fault",
        action="append",
        default=[],
        choices=NAMED_FAULTS,
        metavar="NAME",
        help="let this happen again and again; given several times, one after the other in turn",
    )
    wrong.add_argument(
        "--every", type=_more_than_zero, metavar="SECONDS", help=f"between two faults (default: {_EVERY:.0f})"
    )
    arguments = parser.parse_args()
    if arguments.every and not arguments.fault:
        parser.error("--every needs a --fault")
    return vars(arguments)


def _number(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 <= number < math.inf:
        raise argparse.ArgumentTypeError("must be a number from 0 on")
    return number


def _more_than_zero(text: str) -> float:
    if not (number := _number(text)):
        raise argparse.ArgumentTypeError("must be more than 0")
    return number


def _seconds_or_off(text: str) -> float | None:
    return None if text == "off" else _more_than_zero(text)


def _made_up(make: Callable[[int], list[str]], text: str) -> list[str]:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError("must be a whole number from 0 on")
    return make(int(text))


if __name__ == "__main__":
    sys.exit(main())
