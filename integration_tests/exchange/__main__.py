"""`python -m integration_tests.exchange --port 8765 --rate 6 --recording FILE`: the local exchange by hand, until Ctrl-C."""

from __future__ import annotations

import argparse
import json
import signal
import threading
from pathlib import Path

from .local_exchange import LocalExchange


def main() -> None:
    arguments = _parser().parse_args()
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    with LocalExchange(
        port=arguments.port,
        rate=arguments.rate,
        recording=arguments.recording,
        speed=arguments.speed,
        keep_pushed=False,
    ) as exchange:
        print(_where_to_connect(exchange), flush=True)
        while not stop.wait(1.0):
            pass
    print("The exchange is closed.", flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m integration_tests.exchange",
        description="A Binance look-alike on loopback: COIN-M market stream and USDⓈ-M WebSocket API.",
    )
    parser.add_argument("--port", type=int, default=8765, help="0 for any free one (default: %(default)s)")
    parser.add_argument(
        "--rate", type=float, default=50.0, help="updates a second over all symbols (default: %(default)s)"
    )
    parser.add_argument(
        "--recording", type=Path, help="a file of recorded frames, played from the first connection on, in place of --rate"
    )
    parser.add_argument("--speed", type=float, default=1.0, help="times the pace of the recording (default: %(default)s)")
    return parser


def _where_to_connect(exchange: LocalExchange) -> str:
    configuration = json.dumps({"environment": exchange.environment()})
    return (
        "Local exchange, a Binance look-alike on loopback. Ctrl-C ends it.\n"
        f"Market stream:  {exchange.market_stream_url}/ws/!bookTicker\n"
        f"WebSocket API:  {exchange.websocket_api_url}\n"
        f"Configuration:  {configuration}"
    )


if __name__ == "__main__":
    main()
