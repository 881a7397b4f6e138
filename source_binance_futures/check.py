"""`check`: listens as a sync does, asks for prices meanwhile, and says in a sentence of each what fails.

It has 15 seconds, counted from the start of the process.
"""

from __future__ import annotations

import contextlib
import dataclasses
import difflib
import logging
import traceback
from collections.abc import Collection, Iterator, Sequence

from .binance.clock import LOOK_EVERY, Deadline, Stop
from .binance.endpoints import ALL_MARKET_STREAM, Market, market_of
from .binance.errors import AddressRefused, BinanceError, Interrupted, causes_of
from .binance.market_stream.feed import Feed
from .binance.market_stream.items import Batch, Failed
from .binance.market_stream.line import Timing
from .binance.market_stream.messages import NoBookTicker, parse_frame
from .binance.market_stream.reader import MarketStream
from .binance.market_stream.subscriptions import MOST_CONTRACTS
from .binance.text import NAMED, first_of
from .binance.websocket_api.client import WebSocketApi
from .binance.websocket_api.prices import WeightBudget, chosen_rows
from .config import SAMPLED, Config
from .failures import reported
from .streams.listening import endpoint_groups

ANSWER_WITHIN = 14.0  # seconds from the start of the process, which ends within 15
AT_LEAST = 2.0  # seconds for the answer, however long the process took to start
LAST_WORDS = 0.5  # seconds between the end of the listening and the answer
STEP_WITHIN = 6.0  # seconds to connect, and as many for the answer to a request
FIRST_UPDATE_WITHIN = 10.0  # seconds
NEXT_BASE_AFTER = 4.0  # seconds without data; then the next address of the list is tried beside the first


class Check:
    """Tries what a sync of this configuration needs."""

    def __init__(self, config: Config, stop: Stop, logger: logging.Logger, budget: WeightBudget) -> None:
        self._config, self._stop, self._logger, self._budget = config, stop, logger, budget
        now = stop.clock.monotonic()
        began = now if stop.process_began is None else stop.process_began
        self._deadline = Deadline(stop.clock, max(began + ANSWER_WITHIN, now + AT_LEAST))
        self._until = Deadline(stop.clock, self._deadline.moment - LAST_WORDS).or_after(FIRST_UPDATE_WITHIN)
        groups = endpoint_groups(config, (), stop.clock.today())
        self._parts = 1 + len(groups)  # of the check
        self._stream = MarketStream(
            [dataclasses.replace(group, all_market=True, discovers=False) for group in groups],
            config.route,
            stop.clock,
            standby=False,
            window_ends=self._until.moment,
            timing=Timing(min(STEP_WITHIN, self._until.remaining() - LAST_WORDS), first_patience=NEXT_BASE_AFTER),
        )
        self._failures: dict[str, str] = {}  # a sentence for each part that does not work
        self._received: set[str] = set()  # contracts whose own streams have brought something
        self._shown: set[str] = set()  # contracts that the all-market stream has shown, which proves less
        self._listed: set[str] = set()  # USDⓈ-M symbols that have a price; empty where nobody asked or answered

    def failures(self) -> list[str]:
        """Return a sentence for each thing that does not work by the deadline; empty where both endpoints work."""
        with self._noting("book_tickers"):
            self._stream.start()
            with self._noting("symbol_prices"):
                self._ask_for_prices()
            self._listen()
            for feed in self._stream.feeds:
                self._report(feed)
            if not self._failures.keys() - {"symbol_prices"}:
                unlisted, uncertain = misspelt(self._silent_symbols(), self._listed, self._shown)
                if unlisted:
                    self._failures["book_tickers"] = unlisted
                if uncertain and not self._stop.requested:
                    self._logger.warning(uncertain)
        self._stream.stop()
        sentences = set(self._failures.values())
        if len(sentences) == 1 and len(self._failures) == self._parts:
            return list(sentences)
        return [f"{name}: {sentence}" for name, sentence in sorted(self._failures.items())]

    @contextlib.contextmanager
    def _noting(self, name: str) -> Iterator[None]:
        """Note in a sentence what fails."""
        try:
            yield
        except BinanceError as error:
            self._logger.debug(f"{name}: {error} {causes_of(error)}")
            self._failures[name] = str(reported(error))
        except Exception as error:
            # Where it happened, and not what it says: that may quote a password.
            kind, places = type(error).__name__, "".join(traceback.format_tb(error.__traceback__))
            self._logger.error(f"{name} could not be checked: {kind} in\n{places}")
            self._failures[name] = f"This connector failed while checking {name} ({kind}). Please report it."

    def _ask_for_prices(self) -> None:
        """Ask for the prices that the sync needs; for all, where there are names of USDⓈ-M contracts to compare."""
        api = WebSocketApi(
            self._config.environment.websocket_api_url,
            self._config.route,
            self._stop,
            window=0,
            logger=self._logger,
            budget=self._budget,
            timeout=min(STEP_WITHIN, (self._deadline.remaining() - LAST_WORDS) / 2),
        )
        compares = any(market_of(symbol) is Market.USDS_M for symbol in self._config.book_ticker_symbols)
        answer = api.latest_prices(() if compares else self._config.price_symbols)
        if compares:
            self._listed.update(str(row["symbol"]) for row in answer if isinstance(row, dict) and row.get("symbol"))
        rows, left_out = chosen_rows(answer, self._config.price_symbols)
        if left_out:
            self._logger.warning(left_out)
        self._logger.info(f"symbol_prices: ticker.price answered with {len(rows)} prices.")

    def _listen(self) -> None:
        """Listen until everything that is awaited has come, or something has failed and the rest has come."""
        feeds = self._stream.feeds
        while not (self._stop.requested or self._deadline.expired):
            silent_feeds = [feed for feed in feeds if not feed.brought_data]
            if not any(map(_may_bring, silent_feeds)) and (silent_feeds or not self._silent_symbols()):
                return
            item = self._stream.take(min(self._until.remaining(), LOOK_EVERY))
            if item is None and self._until.expired:
                return
            if isinstance(item, Failed) and not isinstance(item.error, BinanceError):
                raise item.error
            for payload in item.payloads if isinstance(item, Batch) else ():
                with contextlib.suppress(NoBookTicker):
                    book_ticker, stream = parse_frame(payload)
                    symbols = self._shown if stream == ALL_MARKET_STREAM else self._received
                    if len(symbols) < MOST_CONTRACTS:
                        symbols.add(book_ticker["s"])

    def _report(self, feed: Feed) -> None:
        """Report whether a feed works: only data proves that it does, and a quiet market is no failure."""
        markets = " and ".join(sorted(market.value for market in feed.group.markets))
        name = "book_tickers" if self._parts == 2 else f"book_tickers ({markets})"
        with self._noting(name):
            if feed.brought_data:
                self._logger.info(f"{name}: connected, and the first book ticker came.")
            elif feed.machine.losses or feed.machine.primary is None:
                raise feed.trouble or Interrupted
            else:
                seconds = self._stream.window_ends - self._stream.began
                self._logger.warning(
                    f"{name}: connected, but no book ticker came within {seconds:.0f} seconds. The market may be quiet."
                )

    def _silent_symbols(self) -> list[str]:
        """Return the named contracts of which nothing came as yet."""
        heard = self._shown if self._config.book_ticker_pace == SAMPLED else self._received
        return [symbol for symbol in self._config.book_ticker_symbols if symbol not in heard]


def _may_bring(feed: Feed) -> bool:
    """Return whether a feed that has brought nothing is worth waiting for: it is connected, or has not tried all."""
    tries_next = isinstance(feed.trouble, AddressRefused) and feed.machine.failure is None
    return not feed.machine.losses and (feed.is_busy or feed.trouble is None or tries_next)


def misspelt(silent: Sequence[str], listed: Collection[str], shown: Collection[str]) -> tuple[str | None, str | None]:
    """Return what is wrong with names that brought no update, and what may be wrong with them. Pure.

    `listed` are the USDⓈ-M symbols that `ticker.price` knows, empty where it was not asked or gave no answer; `shown`
    what the all-market stream has shown, which proves less: it is a sample.
    """
    known = {*listed, *shown}
    wrong = [symbol for symbol in silent if listed and symbol not in known and market_of(symbol) is Market.USDS_M]
    quiet = [symbol for symbol in silent if symbol not in wrong]
    unlisted = f"Binance does not list {_with_meant(wrong, known)}. Correct or remove the names."
    uncertain = (
        f"No book ticker of {_with_meant(quiet, known)} came; a quiet market looks the same as a wrong name. "
        "Check the spelling: Binance accepts wrong names and stays silent."
    )
    option = "`book_ticker_symbols`: "
    return option + unlisted if wrong else None, option + uncertain if quiet else None


def _with_meant(symbols: Sequence[str], known: Collection[str]) -> str:
    """Return names for a sentence, those that are shown with the one that was meant; to compare all takes seconds."""
    return first_of([f"{symbol}{_meant(symbol, known)}" for symbol in symbols[:NAMED]] + list(symbols[NAMED:]))


def _meant(symbol: str, known: Collection[str]) -> str:
    near = [f"{symbol}_PERP"]
    if market_of(near[0]) is not Market.COIN_M:
        near = difflib.get_close_matches(symbol, sorted(known), n=1, cutoff=0.75)
    return f" (did you mean {near[0]}?)" if near and symbol not in known else ""
