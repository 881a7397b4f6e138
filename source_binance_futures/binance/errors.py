"""What can go wrong between here and Binance, and whose turn it then is.

    BinanceError
    ├── ConnectFailed                no connection came about
    │   ├── AddressNotFound              the name has no address (DNS)
    │   ├── AddressForbidden             a private address, asked for from a shared cloud
    │   ├── Unreachable                  refused, timed out, no route
    │   ├── NoThread                     this machine starts no more threads
    │   ├── TlsUnusable                  a file or folder of this machine that TLS needs
    │   ├── TlsFailed                    the certificate, or the talk before it
    │   ├── ProxyFailed                  the proxy, or what lies behind it
    │   │   ├── ProxyRefused                 it wants another user and password, or another way to log in
    │   │   └── ProxyUnusable                it has no usable address, or one that cannot be sent
    │   ├── HandshakeFailed              an answer that is not a WebSocket's
    │   └── HandshakeRefused             an HTTP status other than 101
    │       ├── AnsweredByPage               2xx, 3xx, 511: a page for a browser, of something in between
    │       ├── AddressRefused               404 and the like, which no waiting mends
    │       └── LocationRefused              451 [binance-facts 4]: Binance does not serve this location
    ├── ConnectionLost               it was open, and is no more
    │   ├── ClosedByExchange             a close frame, with its code
    │   └── ProtocolViolation            frames that RFC 6455 does not allow, or that are too large
    ├── RateLimited                  418 or 429, at the handshake or in an answer
    ├── ExchangeUnavailable          overloaded or in maintenance: worth another try
    ├── NoAnswer                     nothing within the deadline
    ├── UnknownSymbols               not listed
    ├── SymbolRefused                listed no more, or no name that Binance takes
    ├── RequestRefused               any other 4xx: a wrong request
    ├── UnreadableAnswer             not JSON, or not of the documented form
    ├── NothingHeard                 a whole window without a connection that lived
    ├── OnlyMalformedFrames          a whole window without one sound frame
    ├── UnexpectedFailure            an exception that nobody thought of
    └── Interrupted                  asked to stop before there was an answer

Every message says in sentences what happened and what to do; only a `ConnectionLost` is a clause, the cause in one.
"""

from __future__ import annotations

import email.utils
import traceback
import urllib.parse
from collections.abc import Mapping, Sequence
from datetime import timezone
from enum import Enum

from .text import utc

BANNED = 418
PROXY_AUTHENTICATION_REQUIRED = 407
LOCATION_REFUSED = 451
NETWORK_AUTHENTICATION_REQUIRED = 511  # RFC 6585 section 6: a network's page of login
RATE_LIMIT_STATUSES = (BANNED, 429)
PASSING_STATUSES = (403, 408)  # of the 4xx: the web firewall, which forgives, and a slow moment
LONGEST_HOST = 253  # characters of a name, RFC 1035 section 2.3.4
DEFAULT_PAUSE = 60.0  # seconds, where a limit comes without a time: the weight window is a minute
MOST_CAUSES = 10  # of one error, one below the other
LONGEST_BAN = 7 * 86400.0  # seconds; Binance bans for 3 days at most, so a later time is a mistake


class Owner(Enum):
    """Who has to act on a failure."""

    USER = "user"  # a setting must change
    EXCHANGE = "exchange"  # the exchange or the network; it may work on the next try
    US = "us"  # this connector must change


class BinanceError(Exception):
    """Base of all; `owner` says who has to act, `str()` is the sentence for a person: `message`, its {} filled in."""

    owner = Owner.EXCHANGE
    message = "{}"

    def __init__(self, *details: object) -> None:
        super().__init__(self.message.format(*details))


class ConnectFailed(BinanceError):
    """No connection came about."""


class AddressNotFound(ConnectFailed):
    message = (
        "The address of {} could not be found. "
        "Check this machine's network and DNS, and the name if you typed it yourself."
    )


class AddressForbidden(ConnectFailed):
    owner = Owner.USER
    message = (
        "{} leads to a private, loopback or link-local address, which Airbyte Cloud does not allow. "
        "Use a public address, or run the connector on your own Airbyte."
    )


class Unreachable(ConnectFailed):
    message = (
        "{} could not be reached on port {}: {}. "
        "Check that this machine may connect to it; where only a proxy may, set `proxy_url`."
    )


class NoThread(ConnectFailed):
    message = (
        "{}: this machine starts no more threads. "
        "Raise its limit of processes (of a container: `pids`), or run less beside the connector."
    )


class TlsUnusable(ConnectFailed):
    owner = Owner.USER
    message = "TLS cannot be used on this machine: {}."


class TlsFailed(ConnectFailed):
    message = "The secure connection to {} failed: {}. {}"


class ProxyFailed(ConnectFailed):
    message = (
        "The proxy {} did not let the connection through: {}. "
        "Check `proxy_url` (or HTTPS_PROXY) and its user and password."
    )


class ProxyRefused(ProxyFailed):
    owner = Owner.USER

    def __init__(self, proxy: str, schemes: Sequence[str] = ()) -> None:
        """`schemes` are the ways to log in that a proxy offers where Basic is none of them, such as NTLM."""
        if schemes:
            self.message = (
                "The proxy {} did not let the connection through: it takes {} only, and this connector sends a user "
                "and password as Basic. Run a helper that logs in to it, such as px or cntlm, and set `proxy_url` to "
                "the helper's address, or have the proxy's administrator allow Basic."
            )
        super().__init__(proxy, " or ".join(schemes) or "it asks for a user and password, or does not accept these")


class ProxyUnusable(ProxyFailed):
    owner = Owner.USER
    message = "{} {}."  # the option or variable is named, and its address not shown: it may hold a password


class HandshakeFailed(ConnectFailed):
    message = "{} did not complete the WebSocket handshake: {}. Check the address."


class HandshakeRefused(ConnectFailed):
    """The handshake was answered with an HTTP status of its own; `page` is the host that it leads to, or ""."""

    message = (
        "{} refused the connection with HTTP status {}. "
        "If this lasts, wait some minutes, or connect from another network or through a proxy (`proxy_url`)."
    )

    def __init__(self, host: str, status: int, page: str = "") -> None:
        self.status = status
        super().__init__(host, status, f", at {page}" if page else "")


class AnsweredByPage(HandshakeRefused):
    message = (
        "{} answered the WebSocket handshake with HTTP status {}: something in between answers with a page of its "
        "own{}. Where your network asks for a login in a browser, log in; otherwise check the address, or connect "
        "from another network or through a proxy (`proxy_url`)."
    )


class AddressRefused(HandshakeRefused):
    owner = Owner.USER
    message = (
        "{} refused the connection with HTTP status {}. "
        "Check the address: a server is there, but it does not take this connection."
    )


class LocationRefused(HandshakeRefused):
    owner = Owner.USER
    message = (
        "{} refused the connection with HTTP status {}. "
        "Binance does not serve the country or network that this machine is in. "
        "Run the connector where Binance allows it, or reach it through a proxy there (`proxy_url`)."
    )


class ConnectionLost(BinanceError):
    """An open connection ended, and why: a clause without a capital and a full stop."""


class ClosedByExchange(ConnectionLost):
    """A close frame came (RFC 6455 section 5.5.1); `code` is its status code, 1005 for none."""

    message = "the exchange closed the connection with code {}{}"

    def __init__(self, code: int, reason: str) -> None:
        self.code = code
        super().__init__(code, f" ({reason})" if reason else "")


class ProtocolViolation(ConnectionLost):
    """What came breaks RFC 6455 or a limit of ours; `close_code` is sent to the server (1002 or 1009)."""

    message = "the server broke the WebSocket protocol: {} (closed with code {})"

    def __init__(self, close_code: int, why: str) -> None:
        self.close_code = close_code
        super().__init__(why, close_code)


class RateLimited(BinanceError):
    """418 or 429; `retry_at` is the epoch time in seconds after which Binance listens again."""

    message = (
        "{} has {} and answers again after {}. "
        "Run fewer syncs, or use fewer programs on this address, and try again then."
    )

    def __init__(self, host: str, status: int, retry_at: float, now: float) -> None:
        self.status = status
        self.retry_at = min(retry_at, now + LONGEST_BAN)
        what = "banned this IP address" if status == BANNED else "received too many requests from this IP address"
        super().__init__(host, what, utc(self.retry_at, "seconds"))


class ExchangeUnavailable(BinanceError):
    message = "Binance could not answer ticker.price just now ({}). Try again in a few minutes."


class NoAnswer(BinanceError):
    message = "{} gave no answer to ticker.price within {:.0f} seconds. Try again later."

    def __init__(self, host: str, seconds: float) -> None:
        super().__init__(host, max(seconds, 1))


class UnknownSymbols(BinanceError):
    owner = Owner.USER
    message = (
        "`price_symbols`: Binance does not list {} among its USDⓈ-M futures. "
        "Correct or remove the names, or leave the list empty for all symbols."
    )


class SymbolRefused(BinanceError):
    owner = Owner.USER
    message = (
        "`price_symbols`: Binance gives no price of {}: {} (code {}). Most likely it "
        "is not traded any more. Correct or remove the name, or leave the list empty for all symbols."
    )


class RequestRefused(BinanceError):
    owner = Owner.US
    message = "Binance refused ticker.price with status {}, code {}: {}. Please report it."


class UnreadableAnswer(BinanceError):
    owner = Owner.US
    message = "Binance answered ticker.price in a form that this connector does not know: {}. Please report it."


class NothingHeard(BinanceError):
    """A whole window of `seconds` in which no connection came about, or none lived until its first update."""

    message = "{}, in the whole listening window of {:g} seconds. {}."

    def __init__(self, seconds: float, cause: str, *, connected: bool) -> None:
        what = "Every connection was lost before its first update" if connected else "No connection came about"
        super().__init__(what, seconds, cause[:1].upper() + cause[1:].rstrip("."))


class OnlyMalformedFrames(BinanceError):
    message = (
        "{} sent {} frames and not one of them was a sound book ticker; the log quotes the first ones. "
        "Check the address, and whether something in between changes the traffic."
    )


class UnexpectedFailure(BinanceError):
    """An exception that nobody thought of. Its text is not shown, since it may quote a password."""

    owner = Owner.US
    message = "This connector failed while connecting ({}). Please report it."

    def __init__(self, error: Exception) -> None:
        super().__init__(type(error).__name__)


class Interrupted(BinanceError):
    message = "The sync was asked to stop before Binance had answered. Start it again."


def refusal(host: str, status: int, headers: Mapping[str, str], now: float) -> ConnectFailed | RateLimited:
    """The failure that a status other than 101 is; the names of `headers` are in lower case [binance-facts 4]."""
    if status == PROXY_AUTHENTICATION_REQUIRED:
        return ProxyRefused(f"in front of {host}")  # one that nobody named, and that no CONNECT was sent to
    if status in RATE_LIMIT_STATUSES:
        return RateLimited(host, status, now + retry_after(headers.get("retry-after", ""), now), now)
    kind = HandshakeRefused
    if status == LOCATION_REFUSED:
        kind = LocationRefused
    elif 200 <= status < 400 or status == NETWORK_AUTHENTICATION_REQUIRED:
        kind = AnsweredByPage
    elif 400 <= status < 500 and status not in PASSING_STATUSES:
        kind = AddressRefused
    return kind(host, status, host_of_location(headers.get("location", "")))


def host_of_location(value: str) -> str:
    """Return the host that a `Location` leads to, as far as it can be shown; "" where it names none.

    >>> host_of_location("http://login.hotel.example/start?session=1")
    'login.hotel.example'
    """
    try:
        host = urllib.parse.urlsplit(value).hostname or ""
    except ValueError:
        return ""
    return host if len(host) <= LONGEST_HOST and host.isprintable() else ""


def retry_after(value: str, now: float) -> float:
    """Seconds to wait, from a `Retry-After` of seconds or of a date (RFC 9110 section 10.2.3).

    >>> retry_after("120", now=0.0)
    120.0
    """
    value = value.strip()
    if value.isdecimal():
        return float(value)
    try:
        moment = email.utils.parsedate_to_datetime(value)
        if moment.tzinfo is None:  # "-0000": UTC, and nothing is known of the place
            moment = moment.replace(tzinfo=timezone.utc)
        return max(moment.timestamp() - now, 0.0)
    except (ValueError, OverflowError):
        return DEFAULT_PAUSE


def causes_of(error: BaseException) -> str:
    """Return what an error came from, with the place of each cause in the code; "" where it came from nothing.

    Only the system's and our own errors are quoted: the text of another may hold a password.
    """
    causes: list[str] = []
    cause = error.__cause__
    while cause is not None and len(causes) < MOST_CAUSES:
        text = f": {cause}" if isinstance(cause, (OSError, BinanceError)) else ""
        for place in traceback.extract_tb(cause.__traceback__, limit=-1):
            text += f" ({place.filename.rpartition('/')[2]}:{place.lineno}, {place.name})"
        causes.append(f"{type(cause).__name__}{text}")
        cause = cause.__cause__
    return f"Caused by {', caused by '.join(causes)}." if causes else ""
