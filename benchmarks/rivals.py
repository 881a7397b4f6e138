"""What the connector is measured against, with the same output: `python -m benchmarks.rivals NAME ...`.

- `naive URL COUNT`: the source that one would write first: `recv()` in `read_records`, a dict for each update.
- `cdk URL COUNT`: the CDK alone: the same records, made in memory.
- `bound URL COUNT`: no CDK: picows receives, orjson reads and writes, lines leave 64 KiB at a time. It has no
  cursor, no state, no schema and no failover: what a Python process can do at all.
- `single read ...`: the connector through the CDK's own entry point, a message for each record.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import orjson
import picows
import websocket
from airbyte_cdk.entrypoint import launch
from airbyte_cdk.models import ConnectorSpecification
from airbyte_cdk.sources import AbstractSource
from airbyte_cdk.sources.streams import Stream
from airbyte_cdk.sources.streams.core import StreamData
from airbyte_cdk.sources.utils.schema_helpers import ResourceSchemaLoader

from source_binance_futures import SourceBinanceFutures
from source_binance_futures.binance.market_stream.messages import book_ticker_record

from .flood import FIRST_UPDATE_ID, SYMBOLS, payload
from .processes import CATALOG

PIECE = 1 << 16  # bytes in one write of the bound
RECEIVED_AT_US = 1_790_373_637_547_000


class Rival(Stream):
    """`book_tickers` with the declared schema and nothing else of the connector."""

    name = "book_tickers"
    primary_key = None

    def __init__(self, records: Iterable[StreamData]) -> None:
        self._records = records
        self._schema = ResourceSchemaLoader("source_binance_futures").get_schema(self.name)

    def get_json_schema(self) -> Mapping[str, Any]:  # type: ignore[override]  # the CDK's is wrapped in a cache
        return self._schema

    def read_records(self, *args: Any, **kwargs: Any) -> Iterable[StreamData]:
        return self._records


def naive(url: str, count: int) -> Iterator[StreamData]:
    connection = websocket.create_connection(url)
    for _ in range(count):
        update = json.loads(connection.recv())["data"]
        yield book_ticker_record(update, time.time_ns() // 1000, RECEIVED_AT_US)


def made_in_memory(_url: str, count: int) -> Iterator[StreamData]:
    updates = [json.loads(payload(symbol)) for symbol in SYMBOLS]
    for position in range(count):
        update = updates[position % len(updates)]
        update["u"] = FIRST_UPDATE_ID + position
        yield book_ticker_record(update, RECEIVED_AT_US, RECEIVED_AT_US)


class Bound(picows.WSListener):
    """Writes a line for each update until there are `count`."""

    def __init__(self, count: int) -> None:
        self._left = count
        self._lines: list[bytes] = []
        self._size = 0

    def on_ws_frame(self, transport: Any, frame: Any) -> None:
        if self._left == 0:
            return
        now = time.time_ns() // 1000
        update = orjson.loads(frame.get_payload_as_bytes())["data"]
        record = {
            "stream": "book_tickers",
            "data": book_ticker_record(update, now, RECEIVED_AT_US),
            "emitted_at": now // 1000,
        }
        line = orjson.dumps({"type": "RECORD", "record": record}, option=orjson.OPT_APPEND_NEWLINE)
        self._lines.append(line)
        self._size += len(line)
        self._left -= 1
        if self._size >= PIECE or self._left == 0:
            self._write()
        if self._left == 0:
            transport.disconnect()

    def _write(self) -> None:
        rest = memoryview(b"".join(self._lines))
        while rest:
            rest = rest[os.write(1, rest) :]
        self._lines, self._size = [], 0


async def be_the_bound(url: str, count: int) -> None:
    transport, _ = await picows.ws_connect(lambda: Bound(count), url)
    await transport.wait_disconnected()


class RivalSource(AbstractSource):
    def __init__(self, stream: Stream) -> None:
        self._stream = stream

    def spec(self, logger: logging.Logger) -> Any:
        return ConnectorSpecification(connectionSpecification={})

    def check_connection(self, logger: logging.Logger, config: Mapping[str, Any]) -> tuple[bool, Any]:
        return True, None

    def streams(self, config: Mapping[str, Any]) -> list[Stream]:
        return [self._stream]


def read_by_the_cdk(records: Iterable[StreamData]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        config, catalog = Path(folder, "config.json"), Path(folder, "catalog.json")
        config.write_text("{}")
        catalog.write_text(json.dumps(CATALOG))
        launch(RivalSource(Rival(records)), ["read", "--config", str(config), "--catalog", str(catalog)])


def main() -> None:
    name, *arguments = sys.argv[1:]
    if name == "single":
        launch(SourceBinanceFutures(), arguments)
        return
    url, count = arguments[0], int(arguments[1])
    if name == "bound":
        asyncio.run(be_the_bound(url, count))
    else:
        read_by_the_cdk({"naive": naive, "cdk": made_in_memory}[name](url, count))


if __name__ == "__main__":
    main()
