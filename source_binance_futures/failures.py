"""From what went wrong to what Airbyte shows: one sentence, and whose turn it is."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator

from airbyte_cdk.models import AirbyteMessage, FailureType, StreamDescriptor
from airbyte_cdk.utils.traced_exception import AirbyteTracedException

from .binance.errors import BinanceError, ConnectionLost, Owner, causes_of
from .binance.text import writable
from .config import ConfigurationError

FAILURE_TYPES = {  # the most urgent first
    Owner.US: FailureType.system_error,
    Owner.EXCHANGE: FailureType.transient_error,
    Owner.USER: FailureType.config_error,
}


class ReportedFailure(AirbyteTracedException):
    """A failure that its sentence explains: what a user or the exchange did needs no stack trace."""

    def __init__(self, message: str, failure_type: FailureType) -> None:
        message = writable(message)
        super().__init__(message=message, internal_message=message, failure_type=failure_type)

    def __repr__(self) -> str:
        return str(self)  # the CDK builds its closing sentence of a sync from this

    def as_airbyte_message(self, stream_descriptor: StreamDescriptor | None = None) -> AirbyteMessage:
        message = super().as_airbyte_message(stream_descriptor)
        if message.trace and message.trace.error:
            message.trace.error.stack_trace = None
        return message


def reported(error: BinanceError | ConfigurationError) -> ReportedFailure:
    """Return what Airbyte shows of an error, and whose turn it is: the user's, the exchange's or ours."""
    text = str(error)
    if isinstance(error, ConnectionLost):
        text = f"The connection to Binance was lost: {error}. Try again; if it stays so, look at the network."
    owner = Owner.USER if isinstance(error, ConfigurationError) else error.owner
    return ReportedFailure(text, FAILURE_TYPES[owner])


@contextlib.contextmanager
def reporting() -> Iterator[None]:
    """Raise a `ReportedFailure` in place of an error that a setting or the exchange has caused."""
    try:
        yield
    except (BinanceError, ConfigurationError) as error:
        raise reported(error) from error


class PlainLog(logging.Filter):
    """Replaces the stack trace of an explained failure by its sentence, with `--debug` also by its causes.

    Spells out half characters, which UTF-8 cannot hold.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        said = record.getMessage()
        is_traced = isinstance(error, AirbyteTracedException) and error.failure_type is not FailureType.system_error
        if error is not None and (is_traced or isinstance(error, ReportedFailure)):
            said = said if str(error) in said else f"{said}: {error}"
            if logging.getLogger(record.name).isEnabledFor(logging.DEBUG):
                said = f"{said} {causes_of(error)}".rstrip()
            record.exc_info = record.exc_text = None
        elif record.exc_info:
            record.exc_text = writable(logging.Formatter().formatException(record.exc_info))
        record.msg, record.args = writable(said), ()
        return True
