"""Begins a window before the slow imports of the CDK and before prices are requested: its frames wait in the outbox."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date
from pathlib import Path

from .. import files
from ..binance.clock import Clock
from ..binance.endpoints import Market, is_expired, market_of
from ..binance.market_stream.reader import MarketStream
from ..binance.market_stream.subscriptions import MOST_CONTRACTS, EndpointGroup
from ..config import SAMPLED, Config
from .cursor import Cursor

NAME = "book_tickers"
CONNECTS_WITHIN = 0.5  # seconds; the imports that come next would slow the handshake down


def endpoint_groups(config: Config, known: Iterable[str], today: date) -> list[EndpointGroup]:
    """Return what a user asks for, a group for each host; `known` are the contracts of the state."""
    environment, symbols = config.environment, config.book_ticker_symbols
    markets = set(Market) if config.include_usds_margined or symbols else {Market.COIN_M}
    if config.book_ticker_pace == SAMPLED:
        bases = environment.coin_m_bases
        return [EndpointGroup(bases, frozenset(markets), symbols, follows=False, all_market=True)]
    discovers = not symbols
    symbols = symbols or tuple(symbol for symbol in known if not is_expired(symbol, today))
    groups = []
    for bases in dict.fromkeys(environment.bases(market) for market in Market if market in markets):
        of_them = frozenset(market for market in markets if environment.bases(market) == bases)
        found = tuple(symbol for symbol in symbols if market_of(symbol) in of_them)[:MOST_CONTRACTS]
        if found or discovers:
            groups.append(EndpointGroup(bases, of_them, found, all_market=discovers, discovers=discovers))
    return groups


def market_for(
    config: Config, cursor: Cursor, clock: Clock, listen: Callable[..., MarketStream] = MarketStream
) -> MarketStream:
    """Return the market stream of a sync, whose window begins now; it does not listen yet."""
    return listen(
        endpoint_groups(config, cursor.known, clock.today()),
        config.route,
        clock,
        standby=config.standby_connection,
        window_ends=clock.monotonic() + config.listen_seconds,
    )


def listen_first(config_file: str, catalog_file: str, state_file: str | None, clock: Clock) -> MarketStream | None:
    """Begin to listen for the sync that these files describe; return None if it has no market stream, or on an error.

    The source reads the same files later, and reports the error then.
    """
    # A pipe, as in `--config <(...)`, or /dev/stdin can be read once only.
    if not all(Path(file).is_file() for file in (config_file, catalog_file, state_file) if file):
        return None
    try:
        config = Config.from_mapping(files.read_config(config_file))
        stream = next(each for each in files.read_catalog(catalog_file)["streams"] if each["stream"]["name"] == NAME)
        states = [each["stream"] for each in files.read_state(state_file)]
        inherited = [each["stream_state"] for each in states if each["stream_descriptor"]["name"] == NAME]
        state = inherited[-1] if inherited and stream["sync_mode"] == "incremental" else {}
        cursor = Cursor.from_state(state, config.environment.identity, clock.today())
        market = market_for(config, cursor, clock)
        market.start()
        market.wait_for_connections(CONNECTS_WITHIN)
    except Exception:
        return None
    return market
