"""A run of records of one emission time, handed through the CDK as one message."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from airbyte_cdk.models import AirbyteMessage, AirbyteRecordMessage, Type


@dataclass(init=False)
class Block(AirbyteMessage):
    """Stands for all of `records` (one or more) of `stream`, emitted at `emitted_at` (ms since 1970 UTC).

    To the CDK it is the RECORD message of its first record. Only an entry point that knows blocks may be given one:
    any other would write that record alone.
    """

    stream: str = ""
    records: list[dict[str, Any]] = field(default_factory=list)
    emitted_at: int = 0

    def __init__(self, stream: str, records: list[dict[str, Any]], emitted_at: int) -> None:
        super().__init__(Type.RECORD, record=AirbyteRecordMessage(stream, records[0], emitted_at))
        self.stream = stream
        self.records = records
        self.emitted_at = emitted_at

    def messages(self) -> Iterator[AirbyteMessage]:
        """The same records as single messages, for whoever knows no blocks."""
        for record in self.records:
            yield AirbyteMessage(Type.RECORD, record=AirbyteRecordMessage(self.stream, record, self.emitted_at))
