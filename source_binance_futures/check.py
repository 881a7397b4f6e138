"""What `check` tells: both endpoints tried side by side, each answered for in a sentence.

It has 15 seconds, counted from the start of the process.
"""

from __future__ import annotations

import functools
import logging
import queue
import traceback
from collections.abc import Callable

from .binance.clock import Deadline, Stop
from .binance.errors import BinanceError, NoThread, causes_of
from .binance.market_stream.contracts import Venue, venues_of
from .binance.probe import Probe
from .binance.text import first_of
from .binance.threads import start_thread
from .binance.websocket_api.client import WebSocketApi
from .config import Config
from .failures import reported
from .streams.symbol_prices import requested_prices

API_TIMEOUT = 6.0  # seconds to connect, and as many for the answer
CHECK_WITHIN = 15.0  # seconds from the start of the process to its end
ENDING = 1.0  # of them, for the end
AT_LEAST = 2.0  # seconds for the answers, however long the process took to start
LAST_WORDS = 0.5  # seconds between the end of the listening and the answer
FIRST_UPDATE_WITHIN = 10.0  # seconds

Try = Callable[[], None]


def answer_by(stop: Stop) -> Deadline:
    """Return when a check must have its answer: counted from the start of its process, where that runs nothing else."""
    clock = stop.clock
    began = clock.monotonic() if stop.process_began is None else stop.process_began
    return Deadline(clock, max(began + CHECK_WITHIN - ENDING, clock.monotonic() + AT_LEAST))


def failures_of(config: Config, stop: Stop, logger: logging.Logger, deadline: Deadline) -> list[str]:
    """One sentence for each thing that does not work until the deadline; empty where both endpoints do."""
    listen_until = Deadline(stop.clock, deadline.moment - LAST_WORDS).or_after(FIRST_UPDATE_WITHIN)
    probes: dict[str, Try] = {}
    venues = venues_of(config.wishes, config.environment, (), stop.clock.today())
    for venue in venues:
        name = "book_tickers" if len(venues) == 1 else f"book_tickers ({_markets(venue)})"
        probe = Probe(venue, config.route, stop)
        probes[name] = functools.partial(_probe_venue, probe, name, logger, listen_until)
    probes["symbol_prices"] = functools.partial(_probe_websocket_api, config, stop, logger, deadline)
    outcomes: queue.SimpleQueue[tuple[str, str | None]] = queue.SimpleQueue()

    def attempt(name: str, probe: Try) -> None:
        try:
            probe()
            outcomes.put((name, None))
        except BinanceError as error:
            logger.debug(f"{name}: {error} {causes_of(error)}")
            outcomes.put((name, str(reported(error))))
        except Exception as error:
            # Where it happened, and not what it says: that may quote a password.
            kind, places = type(error).__name__, "".join(traceback.format_tb(error.__traceback__))
            logger.error(f"{name} could not be checked: {kind} in\n{places}")
            outcomes.put((name, f"This connector failed while checking {name} ({kind}). Please report it."))

    def start(name: str, probe: Try) -> None:
        try:
            start_thread(f"check {name}", lambda: attempt(name, probe), f"{name} could not be checked")
        except NoThread as error:
            outcomes.put((name, str(error)))

    for name, attempted in probes.items():
        start(name, attempted)
    sentences: dict[str, str | None] = dict.fromkeys(probes, "It gave no answer in time. Try again later.")
    for _ in probes:
        try:
            name, sentence = outcomes.get(timeout=deadline.remaining())
        except queue.Empty:
            break
        sentences[name] = sentence
    found = {name: sentence for name, sentence in sentences.items() if sentence}
    if len(found) == len(probes) and len(set(found.values())) == 1:
        return [next(iter(found.values()))]
    return [f"{name}: {sentence}" for name, sentence in found.items()]


def _probe_venue(probe: Probe, name: str, logger: logging.Logger, listen_until: Deadline) -> None:
    within = f"within {listen_until.remaining():.0f} seconds"
    heard = probe.symbols_heard(listen_until)
    silent = [symbol for symbol in probe.symbols if symbol not in heard]
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


def _probe_websocket_api(config: Config, stop: Stop, logger: logging.Logger, deadline: Deadline) -> None:
    api = WebSocketApi(
        config.environment.websocket_api_url,
        config.route,
        stop,
        window=0,
        logger=logger,
        attempts=1,
        timeout=min(API_TIMEOUT, (deadline.remaining() - LAST_WORDS) / 2),
    )
    rows = requested_prices(api, config.price_symbols)
    logger.info(f"symbol_prices: ticker.price answered with {len(rows)} prices.")
