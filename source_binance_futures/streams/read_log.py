"""What the CDK says while it reads a stream, put right: the number of records, and no state of 25 kB."""

from __future__ import annotations

import logging
import re
from collections.abc import MutableMapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    LoggerAdapter = logging.LoggerAdapter[logging.Logger]
else:
    LoggerAdapter = logging.LoggerAdapter  # Python 3.10 has no brackets for it

STATE_SET = re.compile(r"(Setting state of .+? stream to )\{.+\}", re.DOTALL)
RECORDS_READ = re.compile(r"Read (\d+) records from (.+) stream")


class ReadLog(LoggerAdapter):
    """Stands before the CDK's logger. `not_counted` are the records of blocks but for the first of each."""

    def __init__(self, logger: logging.Logger) -> None:
        super().__init__(logger, {})
        self.not_counted = 0

    def process(self, msg: Any, kwargs: MutableMapping[str, Any]) -> tuple[Any, MutableMapping[str, Any]]:
        """The line as it should read."""
        if state_set := STATE_SET.fullmatch(msg):
            msg = f"{state_set[1]}the one of the last sync"
        elif records_read := RECORDS_READ.fullmatch(msg):
            msg = f"Read {int(records_read[1]) + self.not_counted} records from {records_read[2]} stream"
        return msg, kwargs
