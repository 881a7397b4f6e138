"""The source: its configuration, its streams, and which is read first."""

from __future__ import annotations

import contextlib
import logging
import re
from collections.abc import Iterator, Mapping, MutableMapping
from typing import Any, cast

from airbyte_cdk.models import (
    AirbyteConnectionStatus,
    AirbyteMessage,
    AirbyteStateMessage,
    AirbyteStateMessageSerializer,
    ConfiguredAirbyteCatalog,
    ConfiguredAirbyteCatalogSerializer,
    FailureType,
    Status,
)
from airbyte_cdk.sources import AbstractSource
from airbyte_cdk.sources.message import MessageRepository
from airbyte_cdk.sources.streams import Stream
from airbyte_cdk.utils.traced_exception import AirbyteTracedException

from . import files
from .binance.clock import Clock, Stop
from .binance.market_stream.reader import MarketStream
from .binance.text import first_of, writable
from .binance.websocket_api.prices import WeightBudget
from .check import Check
from .config import Config, unknown_options
from .failures import MOST_URGENT_FIRST, ReportedFailure, failure_type_of, reporting
from .streams.book_tickers import Block, BookTickers
from .streams.symbol_prices import SymbolPrices

STATE_SET = re.compile(r"(Setting state of .+? stream to )\{.+\}", re.DOTALL)
RECORDS_READ = re.compile(r"Read (\d+) records from (.+) stream")


class SourceBinanceFutures(AbstractSource):
    """Binance Futures market data: `book_tickers` (pushed, both markets) and `symbol_prices` (USDⓈ-M, on request).

    `stop` lets the process that runs it ask for an early end. With `blocks` the book tickers come as `Block`s, for an
    entry point that knows them; else as single messages. `listening` is the market stream that has already been started
    for the sync of this configuration, catalog and state, if any.
    """

    def __init__(
        self, stop: Stop | None = None, *, blocks: bool = False, listening: MarketStream | None = None
    ) -> None:
        self._stop = stop or Stop(Clock())
        self._blocks = blocks
        self._listening = listening
        self._budget = WeightBudget()
        self._failures: list[FailureType] = []  # of the streams of a sync

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
        """Return the user's configuration, cleaned. Its faults are sentences, where the CDK would quote its schema."""
        cleaned = _parsed(config).as_mapping()
        unknown = unknown_options(config)
        if unknown:
            logging.getLogger("airbyte").warning(
                f"This connector has no option {writable(first_of(unknown))}; "
                "what the configuration says there has no effect."
            )
        return cleaned

    def check_connection(self, logger: logging.Logger, config: Mapping[str, Any]) -> tuple[bool, str | None]:
        failures = Check(_parsed(config), self._stop, logger, self._budget).failures()
        return not failures, " ".join(failures) or None

    def check(self, logger: logging.Logger, config: Mapping[str, Any]) -> AirbyteConnectionStatus:
        """Return a status in any case: the CDK quotes the text, and has no status for a transient failure."""
        succeeded, failure = self.check_connection(logger, config)
        return AirbyteConnectionStatus(status=Status.SUCCEEDED if succeeded else Status.FAILED, message=failure)

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
        type: a bug, then what Airbyte should try again, then what the user must change.
        """
        catalog.streams.sort(key=lambda configured: configured.stream.name == "book_tickers")
        if catalog.streams and catalog.streams[-1].stream.name == "book_tickers":
            self._stop.listening_to_come = _parsed(config).listen_seconds
        self._failures = []
        try:
            yield from super().read(logger, config, catalog, state)
        except AirbyteTracedException as closing:
            if not self._failures:
                raise
            first = next(kind for kind in MOST_URGENT_FIRST if kind in self._failures)
            raise ReportedFailure(str(closing), first) from closing

    def _read_stream(self, logger: logging.Logger, *args: Any, **kwargs: Any) -> Iterator[AirbyteMessage]:
        log = ReadLog(logger)
        try:
            for message in super()._read_stream(cast(logging.Logger, log), *args, **kwargs):
                if isinstance(message, Block):
                    log.not_counted += len(message.records) - 1
                yield message
        except Exception as error:
            self._failures.append(failure_type_of(error))
            raise

    # --- the user's files ---

    @staticmethod
    def read_config(config_path: str) -> MutableMapping[str, Any]:
        with reporting():
            return files.read_config(config_path)

    @classmethod
    def read_catalog(cls, catalog_path: str) -> ConfiguredAirbyteCatalog:
        with reporting():
            content = files.read_catalog(catalog_path)
            with _refusing("catalog", catalog_path):
                catalog = ConfiguredAirbyteCatalogSerializer.load(content)
            for configured in catalog.streams:
                # The serializer looks no further than at the object, and the CDK then takes its fields for granted.
                if not isinstance(configured.stream.json_schema.get("properties", {}), dict):
                    why = 'the "properties" of a "json_schema" are no object'
                    raise files.UnusableFile("catalog", catalog_path, why)
            return catalog

    @classmethod
    def read_state(cls, state_path: str) -> list[AirbyteStateMessage]:
        with reporting():
            states = files.read_state(state_path)
            with _refusing("state", state_path):
                return [AirbyteStateMessageSerializer.load(state) for state in states]


@contextlib.contextmanager
def _refusing(what: str, path: str) -> Iterator[None]:
    """Refuse a user's file that the CDK's serializer cannot load, whatever it raises."""
    try:
        yield
    except Exception as error:
        raise files.UnusableFile(what, path, " ".join(str(error).split())[:300]) from error


def _parsed(config: Mapping[str, Any]) -> Config:
    with reporting():
        return Config.from_mapping(config)


class ReadLog(logging.LoggerAdapter):  # type: ignore[type-arg]  # Python 3.10 has no brackets for it
    """Corrects what the CDK logs while it reads a stream: the number of records, and no state of 25 kB.

    `not_counted` are the records of blocks after the first of each.
    """

    def __init__(self, logger: logging.Logger) -> None:
        super().__init__(logger, {})
        self.not_counted = 0

    def process(self, msg: Any, kwargs: MutableMapping[str, Any]) -> tuple[Any, MutableMapping[str, Any]]:
        """Return the line as it should read."""
        if state_set := STATE_SET.fullmatch(msg):
            msg = f"{state_set[1]}the one of the last sync"
        elif records_read := RECORDS_READ.fullmatch(msg):
            msg = f"Read {int(records_read[1]) + self.not_counted} records from {records_read[2]} stream"
        return msg, kwargs
