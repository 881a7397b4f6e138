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

CONFIG, TRANSIENT, SYSTEM = FailureType.config_error, FailureType.transient_error, FailureType.system_error
HOST = "ws-fapi.binance.com"
NOW = 1_790_000_000.0


@pytest.mark.parametrize(
    ("error", "failure_type", "says"),
    [
        (ConfigurationError("`listen_seconds` is 0."), CONFIG, "`listen_seconds`"),
        (errors.AddressNotFound(HOST), TRANSIENT, "DNS"),
        (errors.AddressForbidden(HOST), CONFIG, "your own Airbyte"),
        (errors.Unreachable(HOST, 443, "no answer in time"), TRANSIENT, "`proxy_url`"),
        (errors.NoThread("book_tickers could not be checked"), TRANSIENT, "Raise its limit of processes"),
        (errors.TlsUnusable("SSL_CERT_FILE names /nowhere"), CONFIG, "SSL_CERT_FILE"),
        (errors.TlsFailed(HOST, "expired", "Check the clock."), TRANSIENT, "Check the clock."),
        (errors.ProxyFailed("http://proxy:3128", "no answer"), TRANSIENT, "`proxy_url`"),
        (errors.ProxyRefused("http://proxy:3128"), CONFIG, "user and password"),
        (errors.ProxyUnusable("HTTPS_PROXY", "is no address"), CONFIG, "HTTPS_PROXY is no address."),
        (errors.HandshakeFailed(HOST, "no answer in time"), TRANSIENT, "Check the address"),
        (errors.HandshakeRefused(HOST, 403), TRANSIENT, "HTTP status 403"),
        (errors.AnsweredByPage(HOST, 302), TRANSIENT, "a page of its own"),
        (errors.AddressRefused(HOST, 404), CONFIG, "HTTP status 404. Check the address"),
        (errors.LocationRefused(HOST, 451), CONFIG, "country"),
        (errors.ConnectionLost("the connection broke"), TRANSIENT, "Try again"),
        (errors.ClosedByExchange(1008, "Too many requests"), TRANSIENT, "code 1008 (Too many requests)"),
        (errors.ProtocolViolation(1009, "a frame of 9 bytes"), TRANSIENT, "1009"),
        (errors.RateLimited(HOST, 429, NOW, NOW), TRANSIENT, "too many requests"),
        (errors.RateLimited(HOST, 418, 1790373637.0, NOW), TRANSIENT, "banned this IP address"),
        (errors.RateLimited(HOST, 418, 1790373637.0, NOW), TRANSIENT, "2026-09-25 22:00:37 UTC"),
        (errors.ExchangeUnavailable("status 503"), TRANSIENT, "Try again in a few minutes"),
        (errors.NoAnswer(HOST, 10.0), TRANSIENT, "within 10 seconds"),
        (errors.UnknownSymbols(["A", "B"]), CONFIG, "A, B"),
        (errors.RequestRefused(400, -1102, "Mandatory parameter"), SYSTEM, "code -1102: Mandatory parameter"),
        (errors.UnreadableAnswer("not JSON"), SYSTEM, "not JSON"),
        (errors.UnexpectedFailure(ValueError("Geheim")), SYSTEM, "(ValueError). Please report it."),
        (errors.NothingHeard(60, "the cause", connected=False), TRANSIENT, "60 seconds. The cause."),
        (errors.OnlyMalformedFrames(HOST, 5), TRANSIENT, "5 frames"),
        (errors.Interrupted(), TRANSIENT, "Start it again"),
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


def test_no_ban_is_told_for_longer_than_binance_bans() -> None:
    assert errors.RateLimited(HOST, 418, 1e15, NOW).retry_at < NOW + 8 * 86400


def logged(error: Exception, text: str) -> tuple[str, bool]:
    """The line that is left of a log record about an error, and whether it carries a stack trace."""
    try:
        raise error
    except Exception:
        record = logging.LogRecord("airbyte", logging.ERROR, "", 0, text, (), sys.exc_info())
    assert PlainLog().filter(record)
    return record.getMessage(), record.exc_info is not None


@pytest.mark.parametrize("failure_type", FailureType)
def test_what_is_told_needs_no_stack_trace(failure_type: FailureType) -> None:
    told = ReportedFailure("Try 100 % later.", failure_type)
    assert logged(told, "Encountered an exception") == ("Encountered an exception: Try 100 % later.", False)
    assert logged(told, "It says: Try 100 % later.") == ("It says: Try 100 % later.", False)


@pytest.mark.parametrize("error", [KeyError("x"), AirbyteTracedException("bug", failure_type=FailureType.system_error)])
def test_a_bug_keeps_its_stack_trace(error: Exception) -> None:
    assert logged(error, "Encountered an exception") == ("Encountered an exception", True)
