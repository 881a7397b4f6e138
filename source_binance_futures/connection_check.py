"""What `check` tells: both endpoints tried side by side, each answered for in a sentence, within 15 seconds."""

from __future__ import annotations

import functools
import logging
import queue
import threading
import time
import traceback
from collections.abc import Callable
from datetime import datetime, timezone

from .binance.deadline import Deadline
from .binance.errors import BinanceError
from .binance.market_stream.contracts import Venue, venues_of
from .binance.probe import Probe
from .binance.stop import Stop
from .binance.text import first_of
from .binance.websocket_api.client import WebSocketApi
from .config import Config
from .failures import reported
from .streams.symbol_prices import requested_prices

API_TIMEOUT = 6.0  # seconds to connect, and as many for the answer
CHECK_TIMEOUT = 12.5  # the process needs two more to start
LAST_WORDS = 0.5  # seconds between the end of the listening and the answer
FIRST_UPDATE_WITHIN = 10.0  # seconds

Try = Callable[[], None]


def failures_of(config: Config, stop: Stop, logger: logging.Logger) -> list[str]:
    """One sentence for each thing that does not work; empty where both endpoints do."""
    deadline = time.monotonic() + CHECK_TIMEOUT
    probes: dict[str, Try] = {}
    venues = venues_of(config.wishes, config.environment, (), datetime.now(timezone.utc).date())
    for venue in venues:
        name = "book_tickers" if len(venues) == 1 else f"book_tickers ({_markets(venue)})"
        probe = Probe(venue, config.route, stop)
        probes[name] = functools.partial(_probe_venue, probe, name, logger, deadline)
    probes["symbol_prices"] = functools.partial(_probe_websocket_api, config, stop, logger)
    outcomes: queue.SimpleQueue[tuple[str, str | None]] = queue.SimpleQueue()

    def attempt(name: str, probe: Try) -> None:
        try:
            probe()
            outcomes.put((name, None))
        except BinanceError as error:
            outcomes.put((name, str(reported(error))))
        except Exception as error:
            # Where it happened, and not what it says: that may quote a password.
            kind, places = type(error).__name__, "".join(traceback.format_tb(error.__traceback__))
            logger.error(f"{name} could not be checked: {kind} in\n{places}")
            outcomes.put((name, f"This connector failed while checking {name} ({kind}). Please report it."))

    for name, attempted in probes.items():
        threading.Thread(target=attempt, args=(name, attempted), name=f"check {name}", daemon=True).start()
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


def _probe_venue(probe: Probe, name: str, logger: logging.Logger, answer_by: float) -> None:
    heard = probe.symbols_heard(Deadline(answer_by - LAST_WORDS).or_after(FIRST_UPDATE_WITHIN))
    silent = [symbol for symbol in probe.symbols if symbol not in heard]
    within = f"within {FIRST_UPDATE_WITHIN:g} seconds"
    if not heard:
        logger.warning(f"{name}: connected, but no book ticker came {within}. The market may be quiet.")
    elif silent:
        logger.warning(
            f"{name}: no book ticker of {first_of(silent)} came {within}. Check the spelling in "
            "`book_ticker_symbols`: Binance accepts wrong names and stays silent."
        )
    else:
        logger.info(f"{name}: connected, and the first book ticker came.")


def _markets(venue: Venue) -> str:
    return " and ".join(sorted(market.value for market in venue.markets))


def _probe_websocket_api(config: Config, stop: Stop, logger: logging.Logger) -> None:
    api = WebSocketApi(
        config.environment.websocket_api_url,
        config.route,
        stop,
        window=0,
        logger=logger,
        attempts=1,
        timeout=API_TIMEOUT,
    )
    rows = requested_prices(api, config.price_symbols)
    logger.info(f"symbol_prices: ticker.price answered with {len(rows)} prices.")
