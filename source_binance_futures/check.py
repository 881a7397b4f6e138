"""`check`: tries both endpoints side by side, with one sentence for each that fails.

It has 15 seconds, counted from the start of the process.
"""

from __future__ import annotations

import contextlib
import difflib
import functools
import logging
import traceback
from collections.abc import Collection, Sequence

from .binance.clock import LOOK_EVERY, Deadline, Stop, start_thread
from .binance.endpoints import ALL_MARKET_STREAM, Market, market_of, own_stream, stream_address
from .binance.errors import BinanceError, NoThread, causes_of
from .binance.market_stream.feed import MAX_MESSAGE_BYTES
from .binance.market_stream.messages import NoBookTicker, parse_frame
from .binance.market_stream.subscriptions import MOST_CONTRACTS, EndpointGroup, endpoint_groups
from .binance.text import first_of
from .binance.transport.connection import Connection, Dialler, wait_for_any
from .binance.transport.proxy import Route
from .binance.websocket_api.client import WebSocketApi
from .binance.websocket_api.prices import WeightBudget, chosen_rows
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
CONNECT_WITHIN = 6.0  # seconds
NEXT_BASE_AFTER = 4.0  # seconds without data; then the next address of the list is tried beside the first


def answer_by(stop: Stop) -> Deadline:
    """Return when a check must have its answer: counted from the start of its process, where that runs nothing else."""
    clock = stop.clock
    began = clock.monotonic() if stop.process_began is None else stop.process_began
    return Deadline(clock, max(began + CHECK_WITHIN - ENDING, clock.monotonic() + AT_LEAST))


def failures_of(
    config: Config, stop: Stop, logger: logging.Logger, budget: WeightBudget, deadline: Deadline
) -> list[str]:
    """Return a sentence for each thing that does not work by the deadline; empty where both endpoints work."""
    listen_until = Deadline(stop.clock, deadline.moment - LAST_WORDS).or_after(FIRST_UPDATE_WITHIN)
    groups = endpoint_groups(config.contract_filter, config.environment, (), stop.clock.today())
    probes: dict[str, Probe] = {}
    for group in groups:
        markets = " and ".join(sorted(market.value for market in group.markets))
        name = "book_tickers" if len(groups) == 1 else f"book_tickers ({markets})"
        probes[name] = Probe(group, config.route, stop, config.book_ticker_symbols)
    listed: set[str] = set()
    outcomes: dict[str, str | None] = {}

    def attempt(name: str) -> None:
        try:
            if name in probes:
                _probe_market_stream(probes[name], name, logger, listen_until)
            else:
                _probe_websocket_api(config, stop, logger, budget, deadline, listed=listed)
            outcomes[name] = None
        except BinanceError as error:
            logger.debug(f"{name}: {error} {causes_of(error)}")
            outcomes[name] = str(reported(error))
        except Exception as error:
            # Where it happened, and not what it says: that may quote a password.
            kind, places = type(error).__name__, "".join(traceback.format_tb(error.__traceback__))
            logger.error(f"{name} could not be checked: {kind} in\n{places}")
            outcomes[name] = f"This connector failed while checking {name} ({kind}). Please report it."

    threads = []
    names = [*probes, "symbol_prices"]
    for name in names:
        try:
            work = functools.partial(attempt, name)
            threads.append(start_thread(f"check {name}", work, f"{name} could not be checked"))
        except NoThread as error:  # noqa: PERF203  # two or three times
            outcomes[name] = str(error)
    for thread in threads:
        thread.join(deadline.remaining())
    answers = {name: outcomes.get(name, "It gave no answer in time. Try again later.") for name in names}
    found = {name: sentence for name, sentence in answers.items() if sentence}
    reached = [probe for name, probe in probes.items() if name not in found]
    silent = [symbol for probe in reached for symbol in probe.symbols if symbol not in probe.received]
    shown = {symbol for probe in reached for symbol in list(probe.shown)}
    unlisted, uncertain = misspelt(silent, listed, shown)
    if uncertain and not stop.requested:
        logger.warning(uncertain)
    if unlisted:
        found["book_tickers"] = " ".join(filter(None, (found.get("book_tickers"), unlisted)))
    if len(found) == len(names) and len(set(found.values())) == 1:
        return [next(iter(found.values()))]
    return [f"{name}: {sentence}" for name, sentence in found.items()]


def misspelt(silent: Sequence[str], listed: Collection[str], shown: Collection[str]) -> tuple[str | None, str | None]:
    """Return what is wrong with names that brought no update, and what may be wrong with them. Pure.

    `listed` are the USDⓈ-M symbols that `ticker.price` knows, empty where it was not asked or gave no answer; `shown`
    what the all-market stream has shown, which proves less: it is a sample.
    """
    wrong, uncertain, quiet = [], [], []
    shows_coin_m = any(market_of(symbol) is Market.COIN_M for symbol in shown)
    for symbol in silent:
        is_coin_m = market_of(symbol) is Market.COIN_M
        is_known = symbol in listed or symbol in shown
        if listed and not is_coin_m and not is_known:
            wrong.append(f"{symbol} is not listed.{_meant(symbol, {*listed, *shown})}")
        elif shows_coin_m and is_coin_m and not is_known:
            uncertain.append(f"The all-market stream has not shown {symbol}.{_meant(symbol, shown)}")
        else:
            quiet.append(symbol)
    if quiet:
        uncertain.append(f"No book ticker of {first_of(quiet)} came; a quiet market looks the same as a wrong name.")
    check_spelling = "Check the spelling: Binance accepts wrong names and stays silent."
    return (
        _of_names(*wrong[:MOST_NAMED], "Correct or remove the names.") if wrong else None,
        _of_names(*uncertain[-1 - MOST_NAMED :], check_spelling) if uncertain else None,
    )


def _of_names(*sentences: str) -> str:
    return f"`book_ticker_symbols`: {' '.join(sentences)}"


def _meant(symbol: str, known: Collection[str]) -> str:
    perpetual = f"{symbol}_PERP"
    if perpetual in known or (market_of(perpetual) is Market.COIN_M and "_" not in symbol):
        return f" Did you mean {perpetual}?"
    near = difflib.get_close_matches(symbol, sorted(known), n=1, cutoff=0.75)
    return f" Did you mean {near[0]}?" if near else ""


def _probe_market_stream(probe: Probe, name: str, logger: logging.Logger, listen_until: Deadline) -> None:
    within = f"within {listen_until.remaining():.0f} seconds"
    probe.listen(listen_until)
    if probe.received:
        logger.info(f"{name}: connected, and the first book ticker came.")
    elif not probe.symbols:
        logger.warning(f"{name}: connected, but no book ticker came {within}. The market may be quiet.")
    else:
        logger.warning(f"{name}: connected, but no book ticker of the named contracts came {within}.")


def _probe_websocket_api(
    config: Config, stop: Stop, logger: logging.Logger, budget: WeightBudget, deadline: Deadline, *, listed: set[str]
) -> None:
    """Ask for the prices that the sync needs; for all, where there are names of USDⓈ-M contracts to compare."""
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


class Probe:
    """Asks whether the streams of a group really send: a data frame is the only proof.

    `received` are the symbols of the updates over the contracts' own streams, or over the all-market stream where the
    group follows no contract; `shown` those that the all-market stream shows meanwhile. `symbols` are awaited.
    """

    def __init__(self, group: EndpointGroup, route: Route, stop: Stop, symbols: tuple[str, ...] = ()) -> None:
        self.symbols = group.symbols or symbols
        self.received: set[str] = set()
        self.shown: set[str] = set()
        self._group = group
        self._stop = stop
        self._dialler: Dialler[None] = Dialler(route, stop.clock, MAX_MESSAGE_BYTES)
        self._open: list[Connection] = []
        self._failure: Exception | None = None

    def listen(self, deadline: Deadline) -> None:
        """Listen until each awaited symbol has brought a book ticker, or until the deadline.

        Raises a `ConnectFailed`, `RateLimited` or `ConnectionLost` where no address can be reached.
        """
        bases = list(self._group.bases)
        self._dial(bases.pop(0))
        next_base = deadline.clock.deadline(NEXT_BASE_AFTER)
        try:
            while not (deadline.expired or self._stop.requested):
                self._take_outcomes(0)
                for connection in list(self._open):
                    self._read(connection)
                if self.received and self.received.issuperset(self.symbols):
                    return
                if bases and not self.received and (next_base.expired or self._failure is not None):
                    self._dial(bases.pop(0))
                if self._failure is not None and not (self._open or self._dialler.under_way):
                    raise self._failure
                within = min(deadline.remaining(), LOOK_EVERY)
                if self._open:
                    wait_for_any(self._open, within)
                else:
                    self._take_outcomes(within)
        finally:
            self._dialler.close()
            for connection in self._open:
                connection.close()

    def _dial(self, base: str) -> None:
        self._failure = None
        streams = [ALL_MARKET_STREAM, *map(own_stream, self._group.symbols)]
        self._dialler.dial(stream_address(base, streams)[0], CONNECT_WITHIN, None)

    def _take_outcomes(self, seconds: float) -> None:
        """Take the outcomes of attempts that have ended, waiting at most so many seconds for the first."""
        while (outcome := self._dialler.outcome(seconds)) is not None:
            _, ended = outcome
            if isinstance(ended, Connection):
                self._open.append(ended)
            else:
                self._failure = ended
            seconds = 0

    def _read(self, connection: Connection) -> None:
        for payload in connection.receive().payloads:
            with contextlib.suppress(NoBookTicker):
                book_ticker, stream = parse_frame(payload)
                is_sample = stream == ALL_MARKET_STREAM
                if is_sample and len(self.shown) < MOST_CONTRACTS:
                    self.shown.add(book_ticker["s"])
                if not (is_sample and self._group.symbols):
                    self.received.add(book_ticker["s"])
        if connection.loss is not None:
            self._failure = connection.loss
            self._open.remove(connection)
            connection.close()
