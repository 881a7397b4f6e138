"""From what went wrong to what Airbyte shows."""

from __future__ import annotations

import logging
import sys

import pytest
from airbyte_cdk.models import FailureType
from airbyte_cdk.utils.traced_exception import AirbyteTracedException

from source_binance_futures.binance import errors
from source_binance_futures.config import ConfigurationError
from source_binance_futures.failures import PlainLog, ReportedFailure, reported


@pytest.mark.parametrize(
    ("error", "failure_type", "says"),
    [
        (ConfigurationError("`listen_seconds` is 0."), FailureType.config_error, "`listen_seconds` is 0."),
        (errors.LocationRefused("host", 451), FailureType.config_error, "country"),
        (errors.NoAnswer("host", 10.0), FailureType.transient_error, "within 10 seconds"),
        (errors.ConnectionLost("it broke"), FailureType.transient_error, "to Binance was lost: it broke. Try again"),
        (errors.UnreadableAnswer("not JSON"), FailureType.system_error, "not JSON"),
    ],
)
def test_whose_turn_it_is(
    error: errors.BinanceError | ConfigurationError, failure_type: FailureType, says: str
) -> None:
    failure = reported(error)
    assert failure.failure_type is failure_type
    assert says in str(failure.message)
    trace = failure.as_airbyte_message().trace
    assert trace is not None
    assert trace.error is not None
    assert (trace.error.message, trace.error.stack_trace) == (failure.message, None)


def logged(error: Exception, text: str) -> tuple[str, bool]:
    """The line that is left of a log record about an error, and whether it carries a stack trace."""
    try:
        raise error
    except Exception:
        record = logging.LogRecord("airbyte", logging.ERROR, "", 0, text, (), sys.exc_info())
    assert PlainLog().filter(record)
    return record.getMessage(), record.exc_info is not None


@pytest.mark.parametrize("failure_type", FailureType)
def test_what_is_reported_needs_no_stack_trace(failure_type: FailureType) -> None:
    failure = ReportedFailure("Try 100 % later.", failure_type)
    assert logged(failure, "Encountered an exception") == ("Encountered an exception: Try 100 % later.", False)
    assert logged(failure, "It says: Try 100 % later.") == ("It says: Try 100 % later.", False)


@pytest.mark.parametrize("error", [KeyError("x"), AirbyteTracedException("bug", failure_type=FailureType.system_error)])
def test_a_bug_keeps_its_stack_trace(error: Exception) -> None:
    assert logged(error, "Encountered an exception") == ("Encountered an exception", True)
