"""What the connector is measured against, with the same output: `python -m benchmarks.rivals NAME URL COUNT`.

- `naive`: the source that one would write first: `recv()` in `read_records`, a dict for each update.
- `cdk`: the CDK alone: the same records, made in memory.

`python -m benchmarks.rivals polled read ...` is the connector as it would be with the CDK's own `Stream.read`.
"""

from __future__ import annotations

import json
import logging
import sys
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import websocket
from airbyte_cdk.entrypoint import launch
from airbyte_cdk.models import ConnectorSpecification
from airbyte_cdk.sources import AbstractSource
from airbyte_cdk.sources.streams import Stream
from airbyte_cdk.sources.streams.core import StreamData
from airbyte_cdk.sources.utils.schema_helpers import ResourceSchemaLoader

from source_binance_futures.binance.market_stream.messages import book_ticker_record
from source_binance_futures.run import run
from source_binance_futures.streams.book_tickers import BookTickers

from .flood import FIRST_UPDATE_ID, SYMBOLS
from .processes import CATALOG


class Rival(Stream):
    """`book_tickers` with the declared schema and nothing else of the connector."""

    name = "book_tickers"
    primary_key = None

    def __init__(self, url: str, count: int) -> None:
        self._url = url
        self._count = count
        self._schema = ResourceSchemaLoader("source_binance_futures").get_schema(self.name)

    def get_json_schema(self) -> Mapping[str, Any]:  # type: ignore[override]  # the CDK's is wrapped in a cache
        return self._schema


class Naive(Rival):
    def read_records(self, *args: Any, **kwargs: Any) -> Iterable[StreamData]:
        connection = websocket.create_connection(self._url)
        for _ in range(self._count):
            update = json.loads(connection.recv())
            yield book_ticker_record(update, None, None)


class CdkAlone(Rival):
    def read_records(self, *args: Any, **kwargs: Any) -> Iterable[StreamData]:
        for position in range(self._count):
            symbol = SYMBOLS[position % len(SYMBOLS)]
            yield {
                "event_type": "bookTicker",
                "u": FIRST_UPDATE_ID + position,
                "symbol": symbol,
                "pair": symbol[:-5],
                "best_bid_price": "83732.4",
                "best_bid_qty": "680",
                "best_ask_price": "83732.5",
                "best_ask_qty": "2458",
                "transaction_time": 1790373637547,
                "event_time": 1790373637547,
                "symbol_type": 2,
            }


class RivalSource(AbstractSource):
    def __init__(self, stream: Stream) -> None:
        self._stream = stream

    def spec(self, logger: logging.Logger) -> Any:
        return ConnectorSpecification(connectionSpecification={})

    def check_connection(self, logger: logging.Logger, config: Mapping[str, Any]) -> tuple[bool, Any]:
        return True, None

    def streams(self, config: Mapping[str, Any]) -> list[Stream]:
        return [self._stream]


def main() -> None:
    if sys.argv[1] == "polled":
        BookTickers.read = Stream.read  # type: ignore[method-assign]
        run(sys.argv[2:])
        return
    name, url, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
    stream = {"naive": Naive, "cdk": CdkAlone}[name](url, count)
    with tempfile.TemporaryDirectory() as folder:
        config, catalog = Path(folder, "config.json"), Path(folder, "catalog.json")
        config.write_text("{}")
        catalog.write_text(json.dumps(CATALOG))
        launch(RivalSource(stream), ["read", "--config", str(config), "--catalog", str(catalog)])


if __name__ == "__main__":
    main()
