"""What `check` tells: both endpoints tried side by side, each answered for in a sentence.

It has 15 seconds, counted from the start of the process.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
import traceback
from collections.abc import Callable

from .binance.errors import BinanceError
from .binance.probe import symbols_heard
from .binance.stop import Stop
from .binance.websocket_api.client import WebSocketApi
from .config import Config
from .failures import reported
from .streams.symbol_prices import requested_prices

API_TIMEOUT = 6.0  # seconds to connect, and as many for the answer
CHECK_WITHIN = 15.0  # seconds from the start of the process to its end
ENDING = 1.0  # of them, for the end
LAST_WORDS = 0.5  # seconds for what a probe has to say when its time is over
AT_LEAST = 2.0  # seconds for the probes, however long the process took to start

Probe = Callable[[Config, Stop, logging.Logger, float], None]


def answer_before(began: float) -> float:
    """When a check must have its answer, of a process that was started at `began`; both in monotonic seconds."""
    return max(began + CHECK_WITHIN - ENDING, time.monotonic() + AT_LEAST)


def failures_of(config: Config, stop: Stop, logger: logging.Logger, deadline: float) -> list[str]:
    """One sentence for each thing that does not work until the deadline (monotonic); empty where both endpoints do."""
    probes: dict[str, Probe] = {"book_tickers": _probe_market_stream, "symbol_prices": _probe_websocket_api}
    outcomes: queue.SimpleQueue[tuple[str, str | None]] = queue.SimpleQueue()

    def attempt(name: str, probe: Probe) -> None:
        try:
            probe(config, stop, logger, deadline - LAST_WORDS)
            outcomes.put((name, None))
        except BinanceError as error:
            outcomes.put((name, str(reported(error))))
        except Exception as error:
            # Where it happened, and not what it says: that may quote a password.
            kind, places = type(error).__name__, "".join(traceback.format_tb(error.__traceback__))
            logger.error(f"{name} could not be checked: {kind} in\n{places}")
            outcomes.put((name, f"This connector failed while checking {name} ({kind}). Please report it."))

    for name, probe in probes.items():
        threading.Thread(target=attempt, args=(name, probe), name=f"check {name}", daemon=True).start()
    sentences: dict[str, str | None] = dict.fromkeys(probes, "It gave no answer in time. Try again later.")
    for _ in probes:
        try:
            name, sentence = outcomes.get(timeout=max(deadline - time.monotonic(), 0))
        except queue.Empty:
            break
        sentences[name] = sentence
    found = {name: sentence for name, sentence in sentences.items() if sentence}
    if len(found) == len(probes) and len(set(found.values())) == 1:
        return [next(iter(found.values()))]
    return [f"{name}: {sentence}" for name, sentence in found.items()]


def _probe_market_stream(config: Config, stop: Stop, logger: logging.Logger, deadline: float) -> None:
    asked = config.book_ticker_symbols
    began = time.monotonic()
    heard = symbols_heard(config.environment.market_stream_url, asked, config.route, stop, deadline)
    silent = [symbol for symbol in asked if symbol not in heard]
    within = f"within {time.monotonic() - began:.0f} seconds"
    if not heard:
        logger.warning(f"book_tickers: connected, but no book ticker came {within}. The market may be quiet.")
    elif silent:
        logger.warning(
            f"book_tickers: no book ticker of {', '.join(silent)} came {within}. Check the spelling in "
            "`book_ticker_symbols`: Binance accepts wrong names and stays silent."
        )
    else:
        logger.info("book_tickers: connected, and the first book ticker came.")


def _probe_websocket_api(config: Config, stop: Stop, logger: logging.Logger, deadline: float) -> None:
    api = WebSocketApi(
        config.environment.websocket_api_url,
        config.route,
        stop,
        window=0,
        logger=logger,
        attempts=1,
        timeout=min(API_TIMEOUT, (deadline - time.monotonic()) / 2),
    )
    rows = requested_prices(api, config.price_symbols)
    logger.info(f"symbol_prices: ticker.price answered with {len(rows)} prices.")
