"""The source: its configuration, its streams, and which is read first."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator, Mapping, MutableMapping
from typing import Any

from airbyte_cdk.models import (
    AirbyteMessage,
    AirbyteStateMessage,
    AirbyteStateMessageSerializer,
    AirbyteStreamStatus,
    ConfiguredAirbyteCatalog,
    ConfiguredAirbyteCatalogSerializer,
    ConfiguredAirbyteStream,
    FailureType,
    Type,
)
from airbyte_cdk.sources import AbstractSource
from airbyte_cdk.sources.streams import Stream
from airbyte_cdk.utils.stream_status_utils import as_airbyte_message as status_message
from airbyte_cdk.utils.traced_exception import AirbyteTracedException

from . import files
from .binance.clock import Clock, Stop
from .binance.market_stream.reader import MarketStream
from .binance.text import first_of, writable
from .binance.websocket_api.prices import WeightBudget
from .check import Check
from .config import Config, ConfigurationError, unknown_options
from .failures import FAILURE_TYPES, ReportedFailure, reporting
from .streams.book_tickers import Block, BookTickers
from .streams.symbol_prices import SymbolPrices


class SourceBinanceFutures(AbstractSource):
    """Binance Futures market data: `book_tickers` (pushed, both markets) and `symbol_prices` (USDⓈ-M, on request).

    `stop` lets the process that runs it ask for an early end. With `blocks` the book tickers come as `Block`s, for an
    entry point that knows them; else as single messages. `listening` is the market stream that has already been started
    for the sync of this configuration, catalog and state, if any.
    """

    name = "source-binance-futures"
    raise_exception_on_missing_stream = True  # a stream that the source lacks must not end as an empty success
    message_repository = None  # nothing is queued beside the records, and the CDK would ask for it after each of them

    def __init__(
        self, stop: Stop | None = None, *, blocks: bool = False, listening: MarketStream | None = None
    ) -> None:
        self._stop = stop or Stop(Clock())
        self._blocks = blocks
        self._listening = listening
        self._budget = WeightBudget()

    def configure(self, config: Mapping[str, Any], temp_dir: str) -> Mapping[str, Any]:
        """Return the user's configuration, cleaned. Its faults are sentences, where the CDK would quote its schema."""
        cleaned = _parsed(config).as_mapping()
        if unknown := unknown_options(config):
            logging.getLogger("airbyte").warning(
                f"This connector has no option {writable(first_of(unknown))}; "
                "what the configuration says there has no effect."
            )
        return cleaned

    def check_connection(self, logger: logging.Logger, config: Mapping[str, Any]) -> tuple[bool, ReportedFailure]:
        failures = Check(_parsed(config), self._stop, logger, self._budget).failures()
        # Not a text: the CDK shows the `repr` of it.
        return not failures, ReportedFailure(" ".join(failures), FailureType.transient_error)

    def streams(self, config: Mapping[str, Any]) -> list[Stream]:
        parsed = _parsed(config)
        return [
            SymbolPrices(parsed, self._stop, self._budget),
            BookTickers(parsed, self._stop, blocks=self._blocks, listening=self._listening),
        ]

    def read(
        self,
        logger: logging.Logger,
        config: Mapping[str, Any],
        catalog: ConfiguredAirbyteCatalog,
        state: list[AirbyteStateMessage] | None = None,
    ) -> Iterator[AirbyteMessage]:
        """Read `book_tickers` last, whatever the catalog's order: prices should not wait for the listening window.

        The CDK ends a sync with failed streams as `config_error`, whatever the cause; here it ends with the most urgent
        type of a stream's failure.
        """
        catalog.streams.sort(key=lambda configured: configured.stream.name == "book_tickers")
        if catalog.streams and catalog.streams[-1].stream.name == "book_tickers":
            self._stop.listening_to_come = _parsed(config).listen_seconds
        failed_as = set()
        try:
            for message in super().read(logger, config, catalog, state):
                if message.trace and message.trace.error:
                    failed_as.add(message.trace.error.failure_type)
                yield message
        except AirbyteTracedException as closing:
            if not failed_as:
                raise
            most_urgent = next(kind for kind in FAILURE_TYPES.values() if kind in failed_as)
            raise ReportedFailure(str(closing), most_urgent) from closing

    def _read_stream(
        self,
        logger: logging.Logger,
        stream_instance: Stream,
        configured_stream: ConfiguredAirbyteStream,
        state_manager: Any,
        internal_config: Any,
    ) -> Iterator[AirbyteMessage]:
        """Do as the CDK does, but count each record of a block, and leave a state of 25 kB out of the log."""
        stream = configured_stream.stream
        state = state_manager.get_stream_state(stream.name, stream_instance.namespace)
        if isinstance(stream_instance, BookTickers):
            stream_instance.state = state
        logger.info(f"Syncing stream: {stream.name}")
        records = 0
        for data in stream_instance.read(
            configured_stream, logger, self._slice_logger, state, state_manager, internal_config
        ):
            message = self._get_message(data, stream_instance)
            if message.type is Type.RECORD:
                if not records:
                    logger.info(f"Marking stream {stream.name} as RUNNING")
                    yield status_message(stream, AirbyteStreamStatus.RUNNING)
                records += len(message.records) if isinstance(message, Block) else 1
            yield message
        logger.info(f"Read {records} records from {stream.name} stream")

    # --- the user's files ---

    @staticmethod
    @reporting()
    def read_config(config_path: str) -> MutableMapping[str, Any]:
        return files.read_config(config_path)

    @classmethod
    def read_catalog(cls, catalog_path: str) -> ConfiguredAirbyteCatalog:
        with _refusing("catalog", catalog_path):
            catalog = ConfiguredAirbyteCatalogSerializer.load(files.read_catalog(catalog_path))
            # The serializer looks no further than at the object, and the CDK then takes its fields for granted.
            if not all(isinstance(each.stream.json_schema.get("properties", {}), dict) for each in catalog.streams):
                raise ValueError('the "properties" of a "json_schema" are no object')
            return catalog

    @classmethod
    def read_state(cls, state_path: str) -> list[AirbyteStateMessage]:
        with _refusing("state", state_path):
            return [AirbyteStateMessageSerializer.load(state) for state in files.read_state(state_path)]


@contextlib.contextmanager
def _refusing(what: str, path: str) -> Iterator[None]:
    """Report what is wrong with a user's file, whatever the CDK's serializer raises of it."""
    with reporting():
        try:
            yield
        except ConfigurationError:
            raise
        except Exception as error:
            raise files.UnusableFile(what, path, " ".join(str(error).split())[:300]) from error


@reporting()
def _parsed(config: Mapping[str, Any]) -> Config:
    return Config.from_mapping(config)
