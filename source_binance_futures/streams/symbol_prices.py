"""`symbol_prices`: the latest price of each USDⓈ-M futures symbol, requested once a sync, full refresh."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from airbyte_cdk.sources.streams import Stream
from airbyte_cdk.sources.streams.core import StreamData

from ..binance.clock import Stop
from ..binance.errors import Interrupted
from ..binance.websocket_api.client import WebSocketApi
from ..binance.websocket_api.prices import WeightBudget, chosen_rows, price_record
from ..config import Config
from ..failures import reporting
from .summary import SchemaDrift


class SymbolPrices(Stream):
    """One record per symbol. It has no `state`: the CDK would read a stream with one again and again."""

    primary_key = "symbol"

    def __init__(self, config: Config, stop: Stop, budget: WeightBudget) -> None:
        self._config = config
        self._stop = stop
        self._budget = budget

    def read_records(self, *args: Any, **kwargs: Any) -> Iterable[StreamData]:
        """Yield the requested rows, all or none: an unlisted name fails before the first record."""
        api = WebSocketApi(
            self._config.environment.websocket_api_url,
            self._config.route,
            self._stop,
            window=self._config.listen_seconds,
            logger=self.logger,
            budget=self._budget,
        )
        symbols = self._config.price_symbols
        with reporting():
            if self._stop.requested:
                raise Interrupted
            rows, left_out = chosen_rows(api.latest_prices(symbols), symbols)
        # From here on only the writing of the rows takes time, and the listening that may follow.
        self._stop.window_ends = self._stop.clock.monotonic() + self._stop.listening_to_come
        if left_out:
            self.logger.warning(left_out)
        records = [price_record(row) for row in rows]
        for fault in SchemaDrift("prices", self.get_json_schema()).faults(records[0], 0) if records else ():
            self.logger.warning(fault)
        yield from records
