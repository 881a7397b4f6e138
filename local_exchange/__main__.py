"""The local exchange by hand: `python -m local_exchange --port 8765 --rate 6`, until Ctrl-C."""

from __future__ import annotations

import argparse
import json
import signal
import sys
import threading
from pathlib import Path

from .local_exchange import LocalExchange


def main() -> int:
    arguments = _parser().parse_args()
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    try:
        exchange = LocalExchange(
            port=arguments.port,
            rate=arguments.rate,
            sample_every=arguments.samples,
            recording=arguments.recording,
            speed=arguments.speed,
            keep_pushed=False,
        )
        with exchange:
            print(_where_to_connect(exchange), flush=True)
            _wait(stop, exchange)
    except OSError as error:
        print(f"The exchange cannot open: {error}. Choose another --port or --recording.", file=sys.stderr)
        return 1
    print("The exchange is closed.", flush=True)
    return 0


def _wait(stop: threading.Event, exchange: LocalExchange) -> None:
    """Until the user ends it; the end of the recording is told, and connections stay open."""
    told = False
    while not stop.wait(0.5):
        if exchange.finished.is_set() and not told:
            print("The recording is over; connections stay open. Ctrl-C ends the exchange.", flush=True)
            told = True


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m local_exchange",
        description="A Binance look-alike on loopback: COIN-M market stream and USDⓈ-M WebSocket API.",
    )
    parser.add_argument("--port", type=int, default=8765, help="0 for any free one (default: %(default)s)")
    parser.add_argument(
        "--rate", type=float, default=50.0, help="updates a second over all symbols (default: %(default)s)"
    )
    parser.add_argument(
        "--samples",
        type=_seconds_or_off,
        default=5.0,
        metavar="SECONDS|off",
        help="!bookTicker brings of each contract one sample in so many seconds; off: every update, as before June "
        "2026 (default: %(default)s)",
    )
    parser.add_argument(
        "--recording",
        type=Path,
        help="a file of recorded frames, played from the first connection on instead of --rate",
    )
    parser.add_argument(
        "--speed", type=float, default=1.0, help="times the pace of the recording (default: %(default)s)"
    )
    return parser


def _seconds_or_off(text: str) -> float | None:
    return None if text == "off" else float(text)


def _where_to_connect(exchange: LocalExchange) -> str:
    configuration = json.dumps({"environment": exchange.environment()})
    return (
        "Local exchange, a Binance look-alike on loopback. Ctrl-C ends it.\n"
        f"Market stream:  {exchange.market_stream_url}/ws/!bookTicker\n"
        f"WebSocket API:  {exchange.websocket_api_url}\n"
        f"Configuration:  {configuration}"
    )


if __name__ == "__main__":
    sys.exit(main())
