"""What `check` tells: both endpoints tried side by side, each answered for in a sentence.

It has 15 seconds, counted from the start of the process.
"""

from __future__ import annotations

import difflib
import functools
import logging
import queue
import traceback
from collections.abc import Callable, Collection, Sequence

from .binance.clock import Deadline, Stop
from .binance.endpoints import Market, market_of
from .binance.errors import BinanceError, NoThread, causes_of
from .binance.market_stream.contracts import Venue, venues_of
from .binance.probe import Probe
from .binance.text import first_of
from .binance.threads import start_thread
from .binance.websocket_api.client import WebSocketApi
from .binance.websocket_api.prices import chosen_rows
from .binance.websocket_api.weight import WeightBudget
from .config import Config
from .failures import reported
from .streams.symbol_prices import requested_prices

API_TIMEOUT = 6.0  # seconds to connect, and as many for the answer
CHECK_WITHIN = 15.0  # seconds from the start of the process to its end
ENDING = 1.0  # of them, for the end
AT_LEAST = 2.0  # seconds for the answers, however long the process took to start
MOST_NAMED = 10  # sentences about single names
LAST_WORDS = 0.5  # seconds between the end of the listening and the answer
FIRST_UPDATE_WITHIN = 10.0  # seconds

Try = Callable[[], None]


def answer_by(stop: Stop) -> Deadline:
    """Return when a check must have its answer: counted from the start of its process, where that runs nothing else."""
    clock = stop.clock
    began = clock.monotonic() if stop.process_began is None else stop.process_began
    return Deadline(clock, max(began + CHECK_WITHIN - ENDING, clock.monotonic() + AT_LEAST))


def failures_of(
    config: Config, stop: Stop, logger: logging.Logger, budget: WeightBudget, deadline: Deadline
) -> list[str]:
    """One sentence for each thing that does not work until the deadline; empty where both endpoints do."""
    listen_until = Deadline(stop.clock, deadline.moment - LAST_WORDS).or_after(FIRST_UPDATE_WITHIN)
    probes: dict[str, Try] = {}
    listened: list[Probe] = []
    listed: set[str] = set()
    venues = venues_of(config.wishes, config.environment, (), stop.clock.today())
    for venue in venues:
        name = "book_tickers" if len(venues) == 1 else f"book_tickers ({_markets(venue)})"
        probe = Probe(venue, config.route, stop, config.book_ticker_symbols)
        listened.append(probe)
        probes[name] = functools.partial(_probe_venue, probe, name, logger, listen_until)
    probes["symbol_prices"] = functools.partial(
        _probe_websocket_api, config, stop, logger, budget, deadline, listed=listed
    )
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
    reached = [probe for probe, name in zip(listened, probes, strict=False) if name not in found]
    silent = [symbol for probe in reached for symbol in probe.symbols if symbol not in probe.heard]
    shown = {symbol for probe in reached for symbol in list(probe.shown)}
    unlisted, doubtful = misspelt(silent, listed, shown)
    if doubtful and not stop.requested:
        logger.warning(doubtful)
    if unlisted:
        found["book_tickers"] = " ".join(filter(None, (found.get("book_tickers"), unlisted)))
    if len(found) == len(probes) and len(set(found.values())) == 1:
        return [next(iter(found.values()))]
    return [f"{name}: {sentence}" for name, sentence in found.items()]


def misspelt(silent: Sequence[str], listed: Collection[str], shown: Collection[str]) -> tuple[str | None, str | None]:
    """Return what is wrong with names of which nothing came, and what may be. Pure.

    `listed` are the USDⓈ-M symbols that `ticker.price` knows, empty where it was not asked or gave no answer; `shown`
    what the all-market stream has shown, which proves less: it is a sample.
    """
    wrong, doubtful, quiet = [], [], []
    shows_coin_m = any(market_of(symbol) is Market.COIN_M for symbol in shown)
    for symbol in silent:
        is_coin_m = market_of(symbol) is Market.COIN_M
        if symbol in listed or symbol in shown:
            quiet.append(symbol)
        elif listed and not is_coin_m:
            wrong.append(f"{symbol} is not listed.{_meant(symbol, {*listed, *shown})}")
        elif shows_coin_m and is_coin_m:
            doubtful.append(f"The all-market stream has not shown {symbol}.{_meant(symbol, shown)}")
        else:
            quiet.append(symbol)
    if quiet:
        doubtful.append(f"No book ticker of {first_of(quiet)} came; a quiet market looks the same as a wrong name.")
    option = "`book_ticker_symbols`: "
    return (
        option + " ".join([*wrong[:MOST_NAMED], "Correct or remove the names."]) if wrong else None,
        option
        + " ".join([*doubtful[-1 - MOST_NAMED :], "Check the spelling: Binance accepts wrong names and stays silent."])
        if doubtful
        else None,
    )


def _meant(symbol: str, known: Collection[str]) -> str:
    perpetual = f"{symbol}_PERP"
    if perpetual in known or (market_of(perpetual) is Market.COIN_M and "_" not in symbol):
        return f" Did you mean {perpetual}?"
    near = difflib.get_close_matches(symbol, sorted(known), n=1, cutoff=0.75)
    return f" Did you mean {near[0]}?" if near else ""


def _probe_venue(probe: Probe, name: str, logger: logging.Logger, listen_until: Deadline) -> None:
    within = f"within {listen_until.remaining():.0f} seconds"
    heard = probe.symbols_heard(listen_until)
    if heard:
        logger.info(f"{name}: connected, and the first book ticker came.")
    elif not probe.symbols:
        logger.warning(f"{name}: connected, but no book ticker came {within}. The market may be quiet.")
    else:
        logger.warning(f"{name}: connected, but no book ticker of the named contracts came {within}.")


def _markets(venue: Venue) -> str:
    return " and ".join(sorted(market.value for market in venue.markets))


def _probe_websocket_api(
    config: Config, stop: Stop, logger: logging.Logger, budget: WeightBudget, deadline: Deadline, *, listed: set[str]
) -> None:
    """Asks for the prices that are wanted; for all, where there are names of USDⓈ-M contracts to compare with them."""
    api = WebSocketApi(
        config.environment.websocket_api_url,
        config.route,
        stop,
        window=0,
        logger=logger,
        budget=budget,
        attempts=1,
        timeout=min(API_TIMEOUT, (deadline.remaining() - LAST_WORDS) / 2),
    )
    compares = any(market_of(symbol) is Market.USDS_M for symbol in config.book_ticker_symbols)
    answer = requested_prices(api, () if compares else config.price_symbols)
    if compares:
        listed.update(str(row["symbol"]) for row in answer if isinstance(row, dict) and row.get("symbol"))
    rows, left_out = chosen_rows(answer, config.price_symbols)
    if left_out:
        logger.warning(left_out)
    logger.info(f"symbol_prices: ticker.price answered with {len(rows)} prices.")
