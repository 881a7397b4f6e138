"""`book_tickers`: best bid and ask of futures of both markets, pushed over market streams, incremental by update id."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping
from typing import Any, ClassVar

from airbyte_cdk.models import (
    AirbyteMessage,
    AirbyteStateBlob,
    AirbyteStateMessage,
    AirbyteStateType,
    AirbyteStreamState,
    ConfiguredAirbyteStream,
    StreamDescriptor,
    SyncMode,
    Type,
)
from airbyte_cdk.sources.streams import CheckpointMixin, Stream
from airbyte_cdk.sources.streams.core import StreamData
from airbyte_cdk.sources.utils.schema_helpers import InternalConfig
from airbyte_cdk.sources.utils.slice_logger import SliceLogger

from ..binance.clock import Stop
from ..binance.errors import BinanceError
from ..binance.market_stream.reader import MarketStream
from ..binance.text import OF_A_NAME
from ..config import Config, ConfigurationError
from ..failures import reported
from .capture import Block, Capture
from .cursor import Cursor, UnreadableState, is_of_other_environment
from .listening import market_for
from .summary import REPORTED_FROM, clock_behind

CHECKPOINT_EVERY = 10.0  # seconds while updates flow; 15 are promised
SIGN_OF_LIFE_EVERY = 900.0  # seconds without a new update; Airbyte gives up on a source that is silent for 3 hours


class BookTickers(Stream, CheckpointMixin):
    """Listens for `listen_seconds` and gives each `(symbol, u)` once, in the order of its symbol.

    It emits its STATE messages itself, by time: the CDK knows checkpoints only by number of records, and a quiet
    market would never reach the number. `listening` is a market stream that already listens, for the first read.
    """

    primary_key: ClassVar[list[str]] = ["symbol", "u"]
    cursor_field = "u"

    def __init__(
        self,
        config: Config,
        stop: Stop,
        *,
        blocks: bool = False,
        listen: Callable[..., MarketStream] = MarketStream,
        listening: MarketStream | None = None,
    ) -> None:
        self._config = config
        self._stop = stop
        self._clock = stop.clock
        self._hands_over_blocks = blocks
        self._listen = listen
        self._listening = listening
        self._inherited: Mapping[str, Any] = {}
        self._cursor: Cursor | None = None

    @property
    def state(self) -> MutableMapping[str, Any]:
        """Version, environment, newest update id of each symbol, newest transaction time, newest receipt."""
        return self._cursor.state() if self._cursor else dict(self._inherited)

    @state.setter
    def state(self, value: MutableMapping[str, Any]) -> None:
        self._inherited = value

    def read(
        self,
        configured_stream: ConfiguredAirbyteStream,
        logger: logging.Logger,
        slice_logger: SliceLogger,
        stream_state: MutableMapping[str, Any],
        state_manager: Any,
        internal_config: InternalConfig,
    ) -> Iterable[StreamData]:
        """Leaves out what the CDK does for each record of a polled stream (slices, checkpoints by count).

        It slows a read down by a fifth or more and has nothing to do here: see docs/decisions.md.
        """
        self.configured_json_schema = configured_stream.stream.json_schema
        return self.read_records(configured_stream.sync_mode)

    def read_records(
        self,
        sync_mode: SyncMode,
        cursor_field: list[str] | None = None,
        stream_slice: Mapping[str, Any] | None = None,
        stream_state: Mapping[str, Any] | None = None,
    ) -> Iterable[StreamData]:
        """One window of listening: records, and a STATE after at most 15 seconds of them and at the end.

        Before an error is raised, a STATE covers what was emitted.
        """
        market, self._listening = self._listening, None
        cursor = self._cursor = self._cursor_for(sync_mode)
        market = market or market_for(self._config, cursor, self._clock, self._listen)
        capture = Capture(self._config, market, cursor, self._stop, self.logger, self.get_json_schema(), self.name)
        try:
            yield from self._with_checkpoints(capture.blocks())
        except BinanceError as error:
            yield self._checkpoint()
            raise reported(error) from error
        except Exception:
            yield self._checkpoint()
            raise
        finally:
            capture.tell_summary()
        yield self._checkpoint()

    def _with_checkpoints(self, blocks: Iterator[Block | None]) -> Iterator[AirbyteMessage]:
        written = self._clock.monotonic()
        fresh = False
        for block in blocks:
            if block is not None:
                fresh = True
                if self._hands_over_blocks:
                    yield block
                else:
                    yield from block.messages()
                continue
            age = self._clock.monotonic() - written
            if age >= (CHECKPOINT_EVERY if fresh else SIGN_OF_LIFE_EVERY):
                yield self._checkpoint()
                written = self._clock.monotonic()
                fresh = False

    def _cursor_for(self, sync_mode: SyncMode) -> Cursor:
        """Full refresh begins anew, though the CDK hands over the old state then too."""
        environment = self._config.environment.identity
        if sync_mode is not SyncMode.incremental:
            return Cursor(environment)
        try:
            cursor = Cursor.from_state(self._inherited, environment, self._clock.today())
        except UnreadableState as fault:
            raise reported(
                ConfigurationError(
                    f"The state of {self.name} was not written by this connector: {fault}. "
                    "Clear the stream's data in Airbyte, or remove the state file, and sync again."
                )
            ) from fault
        if is_of_other_environment(self._inherited, environment):
            written_by = self._inherited["environment"][:OF_A_NAME]
            self.logger.warning(
                f"The state belongs to environment {written_by!r}, this sync to {environment!r}. "
                "Each counts its update ids for itself, so the state is not applied."
            )
        if cursor.newest_received_at_us is not None:
            behind = cursor.newest_received_at_us / 1e6 - self._clock.epoch()
            if behind > REPORTED_FROM:
                self.logger.warning(clock_behind(behind, cursor.newest_received_at_us / 1e6))
        return cursor

    def _checkpoint(self) -> AirbyteMessage:
        return AirbyteMessage(
            type=Type.STATE,
            state=AirbyteStateMessage(
                type=AirbyteStateType.STREAM,
                stream=AirbyteStreamState(
                    stream_descriptor=StreamDescriptor(name=self.name),
                    stream_state=AirbyteStateBlob(self.state),
                ),
            ),
        )
