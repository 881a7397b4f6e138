"""The beginning of a window: whom to listen to, and since when. Imports nothing of the CDK, which takes seconds.

A `read` begins here, before anything heavy is imported and before prices are asked: its frames wait in the outbox.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from .. import files
from ..binance.clock import Clock
from ..binance.market_stream.reader import MarketStream
from ..binance.market_stream.subscriptions import endpoint_groups
from ..config import Config
from .cursor import Cursor

NAME = "book_tickers"


def market_for(
    config: Config, cursor: Cursor, clock: Clock, listen: Callable[..., MarketStream] = MarketStream
) -> MarketStream:
    """Return the market stream of a sync, whose window begins now; it does not listen yet."""
    return listen(
        endpoint_groups(config.contract_filter, config.environment, cursor.known_symbols, clock.today()),
        config.route,
        clock,
        standby=config.standby_connection,
        window_ends=clock.monotonic() + config.listen_seconds,
    )


def listen_first(config_file: str, catalog_file: str, state_file: str | None, clock: Clock) -> MarketStream | None:
    """Begin to listen for the sync that these files describe; return None where it is not clear how, or not wanted.

    Whatever stands in the way is found again, and reported, when the source itself reads the files.
    """
    # What is no regular file can be read once only: a pipe as in `--config <(...)`, or /dev/stdin.
    if not all(Path(file).is_file() for file in (config_file, catalog_file, state_file) if file):
        return None
    try:
        config = Config.from_mapping(files.read_config(config_file))
        modes = [each["sync_mode"] for each in files.read_catalog(catalog_file)["streams"] if _is_ours(each["stream"])]
        states = [each["stream"] for each in files.read_state(state_file)]
        inherited = [each["stream_state"] for each in states if _is_ours(each["stream_descriptor"])]
        if not modes:
            return None
        environment = config.environment.identity
        cursor = Cursor(environment)
        if modes[0] == "incremental" and inherited:
            cursor = Cursor.from_state(inherited[-1], environment, clock.today())
        market = market_for(config, cursor, clock)
        market.start()
    except Exception:
        return None
    return market


def _is_ours(described: Any) -> bool:
    return bool(described["name"] == NAME)
