"""What can go wrong between here and Binance, and whose turn it then is.

    BinanceError
    ├── ConnectFailed                no connection came about
    │   ├── AddressNotFound              the name has no address (DNS)
    │   ├── AddressForbidden             a private address, asked for from a shared cloud
    │   ├── Unreachable                  refused, timed out, no route
    │   ├── NoThread                     this machine starts no more threads
    │   ├── TlsUnusable                  a file of this machine that TLS needs
    │   ├── TlsFailed                    the certificate, or the talk before it
    │   ├── ProxyFailed                  the proxy, or what lies behind it
    │   │   ├── ProxyRefused                 it wants another user and password, or another way to log in
    │   │   └── ProxyUnusable                it has no usable address, or one that cannot be sent
    │   ├── HandshakeFailed              an answer that is not a WebSocket's
    │   └── HandshakeRefused             an HTTP status other than 101
    │       ├── AnsweredByPage               2xx, 3xx, 511: a page of something in between
    │       ├── AddressRefused               404 and the like: this is not what the server has
    │       └── LocationRefused              451: Binance does not serve this location
    ├── ConnectionLost               it was open, and is no more
    │   ├── ClosedByExchange             a close frame, with its code
    │   └── ProtocolViolation            frames that RFC 6455 does not allow, or that are too large
    ├── RateLimited                  418 or 429, at the handshake or in an answer
    ├── RequestFailed                the WebSocket API answered, but not with prices
    │   ├── ExchangeUnavailable          overloaded or in maintenance: worth another try
    │   ├── NoAnswer                     nothing within the deadline
    │   ├── UnknownSymbols               not listed
    │   ├── SymbolRefused                listed no more, or no name that Binance takes
    │   ├── RequestRefused               any other 4xx: a wrong request
    │   └── UnreadableAnswer             not JSON, or not of the documented form
    ├── NothingHeard                 a whole window without a connection that lived
    ├── OnlyMalformedFrames          a whole window without one sound frame
    ├── UnexpectedFailure            an exception that nobody thought of
    └── Interrupted                  asked to stop before there was an answer

Every message says in sentences what happened and what to do; only a `ConnectionLost` is a clause, the cause in one.
"""

from __future__ import annotations

import email.utils
import urllib.parse
from collections.abc import Mapping, Sequence
from datetime import timezone
from enum import Enum
from types import TracebackType

from .text import first_of, utc

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
    """Base of all; `owner` says who has to act, `str()` gives the sentence for a person."""

    owner = Owner.EXCHANGE


class ConnectFailed(BinanceError):
    """No connection came about."""


class AddressNotFound(ConnectFailed):
    def __init__(self, host: str) -> None:
        super().__init__(
            f"The address of {host} could not be found. "
            "Check this machine's network and DNS, and the name if you typed it yourself."
        )


class AddressForbidden(ConnectFailed):
    owner = Owner.USER

    def __init__(self, host: str) -> None:
        super().__init__(
            f"{host} leads to a private, loopback or link-local address, which Airbyte Cloud does not allow. "
            "Use a public address, or run the connector on your own Airbyte."
        )


class Unreachable(ConnectFailed):
    def __init__(self, host: str, port: int, why: str) -> None:
        super().__init__(
            f"{host} could not be reached on port {port}: {why}. "
            "Check that this machine may connect to it; where only a proxy may, set `proxy_url`."
        )


class NoThread(ConnectFailed):
    """`what` says what does not happen, as the beginning of a sentence."""

    def __init__(self, what: str) -> None:
        super().__init__(
            f"{what}: this machine starts no more threads. "
            "Raise its limit of processes (of a container: `pids`), or run less beside the connector."
        )


class TlsUnusable(ConnectFailed):
    """A file or folder that OpenSSL or Python must read before any handshake, and what is wrong with it."""

    owner = Owner.USER

    def __init__(self, fault: str) -> None:
        super().__init__(f"TLS cannot be used on this machine: {fault}.")


class TlsFailed(ConnectFailed):
    def __init__(self, host: str, why: str, advice: str) -> None:
        super().__init__(f"The secure connection to {host} failed: {why}. {advice}")


class ProxyFailed(ConnectFailed):
    def __init__(self, proxy: str, why: str) -> None:
        super().__init__(
            f"The proxy {proxy} did not let the connection through: {why}. "
            "Check `proxy_url` (or HTTPS_PROXY) and its user and password."
        )


class ProxyRefused(ProxyFailed):
    owner = Owner.USER

    def __init__(self, proxy: str, schemes: Sequence[str] = ()) -> None:
        """`schemes` are the ways to log in that a proxy offers where Basic is none of them, such as NTLM."""
        if not schemes:
            super().__init__(proxy, "it asks for a user and password, or does not accept these")
            return
        ConnectFailed.__init__(
            self,
            f"The proxy {proxy} did not let the connection through: it takes {' or '.join(schemes)} only, and this "
            "connector sends a user and password as Basic. Run a helper that logs in to it, such as px or cntlm, and "
            "set `proxy_url` to the helper's address, or have the proxy's administrator allow Basic.",
        )


class ProxyUnusable(ProxyFailed):
    """`named_by` is the option or the variable that holds the address; the address may hold a password."""

    owner = Owner.USER

    def __init__(self, named_by: str, fault: str) -> None:
        ConnectFailed.__init__(self, f"{named_by} {fault}.")


class HandshakeFailed(ConnectFailed):
    def __init__(self, host: str, why: str) -> None:
        super().__init__(f"{host} did not complete the WebSocket handshake: {why}. Check the address.")


class HandshakeRefused(ConnectFailed):
    """The handshake was answered with an HTTP status of its own; `status` is that number."""

    advice = "If this lasts, wait some minutes, or connect from another network or through a proxy (`proxy_url`)."

    def __init__(self, host: str, status: int) -> None:
        self.status = status
        super().__init__(f"{host} refused the connection with HTTP status {status}. {self.advice}")


class AnsweredByPage(HandshakeRefused):
    """An answer for a browser, which Binance gives to no handshake; `page` is the host that it leads to, or ""."""

    def __init__(self, host: str, status: int, page: str = "") -> None:
        self.status = status
        ConnectFailed.__init__(
            self,
            f"{host} answered the WebSocket handshake with HTTP status {status}: something in between answers with a "
            f"page of its own{f', at {page}' if page else ''}. Where your network asks for a login in a browser, "
            "log in; otherwise check the address, or connect from another network or through a proxy (`proxy_url`).",
        )


class AddressRefused(HandshakeRefused):
    """A 4xx that no waiting mends."""

    owner = Owner.USER
    advice = "Check the address: a server is there, but it does not take this connection."


class LocationRefused(HandshakeRefused):
    """HTTP 451 [binance-facts 4]: do not retry, say so."""

    owner = Owner.USER
    advice = (
        "Binance does not serve the country or network that this machine is in. "
        "Run the connector where Binance allows it, or reach it through a proxy there (`proxy_url`)."
    )


class ConnectionLost(BinanceError):
    """An open connection ended, and why: a clause without a capital and a full stop."""


class ClosedByExchange(ConnectionLost):
    """A close frame came (RFC 6455 section 5.5.1); `code` is its status code, 1005 for none."""

    def __init__(self, code: int, reason: str) -> None:
        self.code = code
        super().__init__(f"the exchange closed the connection with code {code}" + (f" ({reason})" if reason else ""))


class ProtocolViolation(ConnectionLost):
    """What came breaks RFC 6455 or a limit of ours; `close_code` is what the server is told (1002 or 1009)."""

    def __init__(self, close_code: int, why: str) -> None:
        self.close_code = close_code
        super().__init__(f"the server broke the WebSocket protocol: {why} (closed with code {close_code})")


class RateLimited(BinanceError):
    """418 or 429; `retry_at` is the epoch time in seconds after which Binance listens again."""

    def __init__(self, host: str, status: int, retry_at: float, now: float) -> None:
        self.status = status
        self.retry_at = min(retry_at, now + LONGEST_BAN)
        what = "banned this IP address" if status == BANNED else "received too many requests from this IP address"
        super().__init__(
            f"{host} has {what} and answers again after {utc(self.retry_at, 'seconds')}. "
            "Run fewer syncs, or use fewer programs on this address, and try again then."
        )


class RequestFailed(BinanceError):
    """`ticker.price` was asked and gave no prices."""


class ExchangeUnavailable(RequestFailed):
    def __init__(self, detail: str) -> None:
        super().__init__(f"Binance could not answer ticker.price just now ({detail}). Try again in a few minutes.")


class NoAnswer(RequestFailed):
    def __init__(self, host: str, seconds: float) -> None:
        super().__init__(
            f"{host} gave no answer to ticker.price within {max(seconds, 1):.0f} seconds. Try again later."
        )


class UnknownSymbols(RequestFailed):
    """`symbols` are the ones, in upper case, that Binance does not list."""

    owner = Owner.USER

    def __init__(self, symbols: list[str]) -> None:
        self.symbols = tuple(symbols)
        super().__init__(
            f"`price_symbols`: Binance does not list {first_of(symbols)} among its USDⓈ-M futures. "
            "Correct or remove the names, or leave the list empty for all symbols."
        )


class SymbolRefused(RequestFailed):
    """A 4xx about the one symbol that was asked for."""

    owner = Owner.USER

    def __init__(self, symbol: str, code: object, text: str) -> None:
        super().__init__(
            f"`price_symbols`: Binance gives no price of {symbol}: {text.rstrip('. ')} (code {code}). Most likely it "
            "is not traded any more. Correct or remove the name, or leave the list empty for all symbols."
        )


class RequestRefused(RequestFailed):
    owner = Owner.US

    def __init__(self, status: int, code: object, text: str) -> None:
        what = f"Binance refused ticker.price with status {status}, code {code}"
        super().__init__(f"{what}: {text.rstrip('. ') or 'it gave no reason'}. Please report it.")


class UnreadableAnswer(RequestFailed):
    owner = Owner.US

    def __init__(self, why: str) -> None:
        what = "Binance answered ticker.price in a form that this connector does not know"
        super().__init__(f"{what}: {why}. Please report it.")


class NothingHeard(BinanceError):
    """A whole window of `seconds` in which no connection came about, or none lived until its first update."""

    def __init__(self, seconds: float, cause: str, *, connected: bool) -> None:
        what = "Every connection was lost before its first update" if connected else "No connection came about"
        cause = cause[:1].upper() + cause[1:].rstrip(".")
        super().__init__(f"{what}, in the whole listening window of {seconds:g} seconds. {cause}.")


class OnlyMalformedFrames(BinanceError):
    def __init__(self, host: str, count: int) -> None:
        super().__init__(
            f"{host} sent {count} frames and not one of them was a sound book ticker; the log quotes the first ones. "
            "Check the address, and whether something in between changes the traffic."
        )


class UnexpectedFailure(BinanceError):
    """An exception that nobody thought of. Its text is not shown, since it may quote a password."""

    owner = Owner.US

    def __init__(self, error: Exception) -> None:
        super().__init__(f"This connector failed while connecting ({type(error).__name__}). Please report it.")


class Interrupted(BinanceError):
    def __init__(self) -> None:
        super().__init__("The sync was asked to stop before Binance had answered. Start it again.")


def refusal(host: str, status: int, headers: Mapping[str, str], now: float) -> ConnectFailed | RateLimited:
    """The failure that a status other than 101 is; the names of `headers` are in lower case [binance-facts 4]."""
    if status == PROXY_AUTHENTICATION_REQUIRED:
        return ProxyRefused(f"in front of {host}")  # one that nobody named, and that no CONNECT was sent to
    if status == LOCATION_REFUSED:
        return LocationRefused(host, status)
    if status in RATE_LIMIT_STATUSES:
        return RateLimited(host, status, now + retry_after(headers.get("retry-after", ""), now), now)
    if 200 <= status < 400 or status == NETWORK_AUTHENTICATION_REQUIRED:
        return AnsweredByPage(host, status, host_of_location(headers.get("location", "")))
    if 400 <= status < 500 and status not in PASSING_STATUSES:
        return AddressRefused(host, status)
    return HandshakeRefused(host, status)


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
        causes.append(f"{type(cause).__name__}{text}{_place_of(cause.__traceback__)}")
        cause = cause.__cause__
    return f"Caused by {', caused by '.join(causes)}." if causes else ""


def _place_of(frames: TracebackType | None) -> str:
    if frames is None:
        return ""
    while frames.tb_next is not None:
        frames = frames.tb_next
    code = frames.tb_frame.f_code
    return f" ({code.co_filename.rpartition('/')[2]}:{frames.tb_lineno}, {code.co_name})"
