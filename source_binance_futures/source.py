"""The source: what it is configured with, what it offers, what is read first."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, MutableMapping
from typing import Any, cast

from airbyte_cdk.models import (
    AirbyteConnectionStatus,
    AirbyteMessage,
    AirbyteStateMessage,
    ConfiguredAirbyteCatalog,
    ConfiguredAirbyteStream,
    Status,
)
from airbyte_cdk.sources import AbstractSource
from airbyte_cdk.sources.connector_state_manager import ConnectorStateManager
from airbyte_cdk.sources.message import MessageRepository
from airbyte_cdk.sources.streams import Stream
from airbyte_cdk.sources.utils.schema_helpers import InternalConfig

from .binance.stop import Stop
from .config import Config, ConfigurationError, unknown_options
from .connection_check import failures_of
from .failures import reported
from .files import read_catalog_file, read_config_file, read_state_file
from .streams.block import Block
from .streams.book_tickers import BookTickers
from .streams.read_log import ReadLog
from .streams.symbol_prices import SymbolPrices


class SourceBinanceFutures(AbstractSource):
    """Binance Futures market data: `book_tickers` (COIN-M, pushed) and `symbol_prices` (USDⓈ-M, asked).

    `stop` lets the process that runs it ask for an early end. With `blocks` the book tickers come as `Block`s, for an
    entry point that knows them; else as single messages.
    """

    def __init__(self, stop: Stop | None = None, *, blocks: bool = False) -> None:
        self._stop = stop or Stop()
        self._blocks = blocks

    @property
    def name(self) -> str:
        return "source-binance-futures"

    @property
    def raise_exception_on_missing_stream(self) -> bool:
        return True  # a stream that the source lacks must not end as an empty success

    @property
    def message_repository(self) -> MessageRepository | None:
        return None  # nothing is queued beside the records, and the CDK would ask for it after each of them

    def configure(self, config: Mapping[str, Any], temp_dir: str) -> Mapping[str, Any]:
        """The user's configuration, cleaned; told off in a sentence where the CDK would quote its JSON schema."""
        try:
            cleaned = Config.from_mapping(config).as_mapping()
        except ConfigurationError as error:
            raise reported(error) from None
        unknown = unknown_options(config)
        if unknown:
            logging.getLogger("airbyte").warning(
                f"This connector has no option {', '.join(unknown)}; what the configuration says there has no effect."
            )
        return cleaned

    def check_connection(self, logger: logging.Logger, config: Mapping[str, Any]) -> tuple[bool, str | None]:
        failures = failures_of(Config.from_mapping(config), self._stop, logger)
        return not failures, " ".join(failures) or None

    def check(self, logger: logging.Logger, config: Mapping[str, Any]) -> AirbyteConnectionStatus:
        """Always a status: the CDK shows the text in quotes, and gives none where the failure is transient."""
        succeeded, failure = self.check_connection(logger, config)
        return AirbyteConnectionStatus(status=Status.SUCCEEDED if succeeded else Status.FAILED, message=failure)

    def streams(self, config: Mapping[str, Any]) -> list[Stream]:
        try:
            known = Config.from_mapping(config)
        except ConfigurationError as error:
            raise reported(error) from None
        return [SymbolPrices(known, self._stop), BookTickers(known, self._stop, blocks=self._blocks)]

    def read(
        self,
        logger: logging.Logger,
        config: Mapping[str, Any],
        catalog: ConfiguredAirbyteCatalog,
        state: list[AirbyteStateMessage] | None = None,
    ) -> Iterator[AirbyteMessage]:
        """Reads `book_tickers` last, whatever the catalog's order: prices should not wait for the listening window."""
        catalog.streams.sort(key=lambda configured: configured.stream.name == "book_tickers")
        return super().read(logger, config, catalog, state)

    def _read_stream(
        self,
        logger: logging.Logger,
        stream_instance: Stream,
        configured_stream: ConfiguredAirbyteStream,
        state_manager: ConnectorStateManager,
        internal_config: InternalConfig,
    ) -> Iterator[AirbyteMessage]:
        log = ReadLog(logger)
        messages = super()._read_stream(
            cast(logging.Logger, log), stream_instance, configured_stream, state_manager, internal_config
        )
        for message in messages:
            if isinstance(message, Block):
                log.not_counted += len(message.records) - 1
            yield message

    # --- files that a person wrote ---

    @staticmethod
    def read_config(config_path: str) -> MutableMapping[str, Any]:
        return read_config_file(config_path)

    @classmethod
    def read_catalog(cls, catalog_path: str) -> ConfiguredAirbyteCatalog:
        return read_catalog_file(catalog_path)

    @classmethod
    def read_state(cls, state_path: str) -> list[AirbyteStateMessage]:
        return read_state_file(state_path)
