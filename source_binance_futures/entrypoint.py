"""The CDK's entry point, for a source that hands over blocks: the lines of a block leave in one write.

Everything else goes the CDK's way, and what is written is the same, byte for byte. The CDK's own way makes a message
object, a dict, a text and a print of each record, which is more than half of what an update costs.
"""

from __future__ import annotations

import contextlib
import logging
import sys
from collections.abc import Iterator, Sequence
from typing import Any

import orjson
from airbyte_cdk.entrypoint import AirbyteEntrypoint
from airbyte_cdk.logger import PRINT_BUFFER
from airbyte_cdk.models import AirbyteMessage
from airbyte_cdk.utils.traced_exception import AirbyteTracedException

from .binance.clock import Stop
from .binance.market_stream.reader import MarketStream
from .failures import PlainLog, reporting
from .files import require_temporary_folder
from .output import Output
from .source import SourceBinanceFutures
from .streams.book_tickers import Block

RECORDS_OF_A_LOOK = 16  # the CDK counts messages to know when to look at the memory
NOT_COVERED = b',"covered_since_us":null'  # the one null of most reads that have any; no text holds a bare quote
# 42 KB: memory in pieces of over 64 KiB is fetched anew from the system each time, which costs five times more.
RECORDS_OF_A_PIECE = 100


class Entrypoint(AirbyteEntrypoint):
    """One command of the Airbyte protocol, written to `output`, which also lies under `sys.stdout`."""

    def __init__(self, source: SourceBinanceFutures, output: Output) -> None:
        super().__init__(source)
        self._output = output

    def read(self, *args: Any, **kwargs: Any) -> Iterator[AirbyteMessage]:
        """Yield the messages of a sync, except its blocks: it writes them itself, after the messages before them.

        The CDK turns each message into text by a function that a subclass cannot replace.
        """
        not_counted = 0  # records of blocks since the last STATE; of each block the CDK counts one
        for message in super().read(*args, **kwargs):
            if isinstance(message, Block):
                with PRINT_BUFFER.lock:  # no other thread's line gets between those of a block
                    PRINT_BUFFER.flush()
                    for lines in lines_of(message):
                        self._output.write_all(lines)
                for _ in range(len(message.records) // RECORDS_OF_A_LOOK):
                    self._memory_monitor.check_memory_usage()
                not_counted += len(message.records) - 1
                continue
            if message.state and message.state.sourceStats and message.state.sourceStats.recordCount:
                message.state.sourceStats.recordCount += not_counted
                not_counted = 0
            yield message


def launch(args: Sequence[str], stop: Stop, output: Output, listening: MarketStream | None = None) -> int:
    """Run one command. Return its exit code; a failure has been reported.

    `listening` is the market stream that has already been started for it, if any.
    """
    for handler in logging.getLogger().handlers:
        handler.addFilter(PlainLog())
    try:
        entrypoint = Entrypoint(SourceBinanceFutures(stop, blocks=True, listening=listening), output)
        with reporting():
            require_temporary_folder()
        # The CDK lets stderr run into stdout, where a warning of Python would be a line that is no JSON.
        with PRINT_BUFFER, contextlib.redirect_stderr(sys.__stderr__):
            for line in entrypoint.run(entrypoint.parse_args(list(args))):
                print(f"{line}\n", end="")
    except Exception as error:
        status = isinstance(error, AirbyteTracedException) and error.as_connection_status_message()
        if status and args[0] == "check":
            print(AirbyteEntrypoint.airbyte_message_to_string(status), flush=True)
            return 0
        sys.excepthook(type(error), error, error.__traceback__)  # the CDK's: a log line, and a TRACE for Airbyte
        return 1
    return 0


def lines_of(block: Block) -> Iterator[bytes]:
    """Yield the lines that the CDK would print for the records of a block, up to a hundred at a time.

        {"type":"RECORD","record":{"stream":"book_tickers","data":{"u":11660059839759,...},"emitted_at":1790373637547}}

    Fields that are null are left out, as the CDK's serializer does.
    """
    beginning = b'{"type":"RECORD","record":{"stream":' + orjson.dumps(block.stream) + b',"data":'
    end = b',"emitted_at":' + orjson.dumps(block.emitted_at) + b"}}\n"
    between = end + beginning
    for first in range(0, len(block.records), RECORDS_OF_A_PIECE):
        records = block.records[first : first + RECORDS_OF_A_PIECE]
        try:
            data = between.join(map(orjson.dumps, records))
            if b":null" in data:
                data = data.replace(NOT_COVERED, b"")
            if b":null" in data:
                sent = [{field: value for field, value in record.items() if value is not None} for record in records]
                data = between.join(map(orjson.dumps, sent))
        except orjson.JSONEncodeError:
            # The CDK has another way for what orjson cannot write.
            messages = Block(block.stream, records, block.emitted_at).messages()
            yield "".join(f"{AirbyteEntrypoint.airbyte_message_to_string(each)}\n" for each in messages).encode()
        else:
            yield beginning + data + end
