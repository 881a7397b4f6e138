"""What can go wrong between here and Binance, whose turn it then is, and the sentences that say so."""

from __future__ import annotations

import email.utils
import traceback
import urllib.parse
from collections.abc import Mapping
from datetime import timezone
from enum import Enum
from http import HTTPStatus

from .text import utc

BANNED = 418
RATE_LIMIT_STATUSES = (BANNED, 429)
PASSING_STATUSES = (403, 408)  # of the 4xx: the web firewall, which forgives, and a slow moment
DEFAULT_PAUSE = 60.0  # seconds, where a limit comes without a time: the weight window is a minute
MOST_CAUSES = 10  # of one error, one below the other
LONGEST_BAN = 7 * 86400.0  # seconds; Binance bans for 3 days at most, so a later time is a mistake


class Owner(Enum):
    """Who has to act on a failure."""

    USER = "user"  # a setting must change
    EXCHANGE = "exchange"  # the exchange or the network; it may work on the next try
    US = "us"  # this connector must change


class BinanceError(Exception):
    """Base of all: what happened (`message`) and what to do (`remedy`), their {} filled in, and who has to act."""

    owner = Owner.EXCHANGE
    message = "{}"
    remedy = ""

    def __init__(self, *details: object) -> None:
        super().__init__(f"{self.message} {self.remedy}".rstrip().format(*details))


class ConnectFailed(BinanceError):
    """No connection came about."""


class AddressNotFound(ConnectFailed):
    message = "The address of {} could not be found."
    remedy = "Check this machine's network and DNS, and the name if you typed it yourself."


class AddressForbidden(ConnectFailed):
    owner = Owner.USER
    message = "{} leads to a private, loopback or link-local address, which Airbyte Cloud does not allow."
    remedy = "Use a public address, or run the connector on your own Airbyte."


class Unreachable(ConnectFailed):
    message = "{} could not be reached on port {}: {}."
    remedy = "Check that this machine may connect to it; where only a proxy may, set `proxy_url`."


class NoThread(ConnectFailed):
    message = "{}: this machine starts no more threads."
    remedy = "Raise its limit of processes (of a container: `pids`), or run less beside the connector."


class TlsUnusable(ConnectFailed):
    owner = Owner.USER
    message = "TLS cannot be used on this machine: {}."


class TlsFailed(ConnectFailed):
    message = "The secure connection to {} failed: {}."
    remedy = "{}"


class ProxyFailed(ConnectFailed):
    message = "The proxy {} did not let the connection through: {}."
    remedy = "Check `proxy_url` (or HTTPS_PROXY) and its user and password."


class ProxyRefused(ProxyFailed):
    owner = Owner.USER
    message = "The proxy {} did not let the connection through: it asks for a user and password, or refuses these."


class ProxyTakesNoBasic(ProxyRefused):
    message = "The proxy {} did not let the connection through: it takes {} only, and this connector sends Basic."
    remedy = "Set `proxy_url` to a helper that logs in to it, such as px or cntlm, or have Basic allowed there."


class ProxyUnusable(ConnectFailed):
    owner = Owner.USER
    message = "{} {}."  # the option or variable is named, and its address not shown: it may hold a password


class HandshakeFailed(ConnectFailed):
    message = "{} did not complete the WebSocket handshake: {}."
    remedy = "Check the address."


class HandshakeRefused(ConnectFailed):
    message = "{} refused the connection with HTTP status {}."
    remedy = "If this lasts, wait some minutes, or connect from another network or through a proxy (`proxy_url`)."

    def __init__(self, host: str, status: int, *details: object) -> None:
        self.status = status
        super().__init__(host, status, *details)


class AnsweredByPage(HandshakeRefused):
    message = "Something in between answered for {} with HTTP status {} and a page of its own{}."
    remedy = (
        "Log in with a browser if your network wants it; otherwise check the address, or use a proxy (`proxy_url`)."
    )


class AddressRefused(HandshakeRefused):
    owner = Owner.USER
    remedy = "Check the address: a server is there, but it does not take this connection."


class LocationRefused(HandshakeRefused):
    owner = Owner.USER
    remedy = (
        "Binance does not serve the country or network that this machine is in. "
        "Run the connector where Binance allows it, or reach it through a proxy there (`proxy_url`)."
    )


class ConnectionLost(BinanceError):
    """An open connection ended, and why: a clause without a capital and a full stop."""


class ClosedByExchange(ConnectionLost):
    message = "the exchange closed the connection with code {}{}"


class ProtocolViolation(ConnectionLost):
    """What came breaks RFC 6455 or a limit of ours; `close_code` is sent to the server (1002 or 1009)."""

    message = "the server broke the WebSocket protocol: {1} (closed with code {0})"

    def __init__(self, close_code: int, why: str) -> None:
        self.close_code = close_code
        super().__init__(close_code, why)


class RateLimited(BinanceError):
    """418 or 429; `retry_at` is the epoch time in seconds after which Binance listens again."""

    message = "{} has {} and answers again after {}."
    remedy = "Run fewer syncs, or use fewer programs on this address, and try again then."

    def __init__(self, host: str, status: int, retry_at: float, now: float) -> None:
        self.status = status
        self.retry_at = min(retry_at, now + LONGEST_BAN)
        what = "banned this IP address" if status == BANNED else "received too many requests from this IP address"
        super().__init__(host, what, utc(self.retry_at, "seconds"))


class ExchangeUnavailable(BinanceError):
    message = "Binance could not answer ticker.price just now ({})."
    remedy = "Try again in a few minutes."


class NoAnswer(BinanceError):
    message = "{} gave no answer to ticker.price within {:.0f} seconds."
    remedy = "Try again later."


class UnknownSymbols(BinanceError):
    owner = Owner.USER
    message = "`price_symbols`: Binance does not list {} among its USDⓈ-M futures."
    remedy = "Correct or remove the names, or leave the list empty for all symbols."


class SymbolRefused(UnknownSymbols):
    message = "`price_symbols`: Binance gives no price of {}: {} (code {}). Most likely it is not traded any more."


class RequestRefused(BinanceError):
    owner = Owner.US
    message = "Binance refused ticker.price with status {}, code {}: {}."
    remedy = "Please report it."


class UnreadableAnswer(BinanceError):
    owner = Owner.US
    message = "Binance answered ticker.price in a form that this connector does not know: {}."
    remedy = "Please report it."


class NothingHeard(BinanceError):
    """A whole window of `seconds` in which no connection came about, or none lived until its first update."""

    message = "{}, in the whole listening window of {:g} seconds. {}."

    def __init__(self, seconds: float, cause: str, *, connected: bool) -> None:
        what = "Every connection was lost before its first update" if connected else "No connection came about"
        super().__init__(what, seconds, cause[:1].upper() + cause[1:].rstrip("."))


class OnlyMalformedFrames(BinanceError):
    message = "{} sent {} frames and not one of them was a sound book ticker; the log quotes the first ones."
    remedy = "Check the address, and whether something in between changes the traffic."


class UnexpectedFailure(BinanceError):
    """An exception that nobody thought of. Its text is not shown, since it may quote a password."""

    owner = Owner.US
    message = "This connector failed while connecting ({})."
    remedy = "Please report it."

    def __init__(self, error: Exception) -> None:
        super().__init__(type(error).__name__)
        self.__cause__ = error


class Interrupted(BinanceError):
    message = "The sync was asked to stop before Binance had answered."
    remedy = "Start it again."


def refusal(host: str, status: int, headers: Mapping[str, str], now: float) -> ConnectFailed | RateLimited:
    """The failure that a status other than 101 is; the names of `headers` are in lower case [binance-facts 4]."""
    if status == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED:  # of a proxy that nobody named, and that got no CONNECT
        return ProxyRefused(f"in front of {host}")
    if status in RATE_LIMIT_STATUSES:
        return RateLimited(host, status, now + retry_after(headers.get("retry-after", ""), now), now)
    page = page_of(status, headers)
    if page is not None:
        return AnsweredByPage(host, status, page)
    if status == HTTPStatus.UNAVAILABLE_FOR_LEGAL_REASONS:
        return LocationRefused(host, status)
    is_final = 400 <= status < 500 and status not in PASSING_STATUSES
    return AddressRefused(host, status) if is_final else HandshakeRefused(host, status)


def page_of(status: int, headers: Mapping[str, str]) -> str | None:
    """Return where the page of something in between leads, such as " at login.example", or ""; None for no page."""
    if not (200 <= status < 400 or status == HTTPStatus.NETWORK_AUTHENTICATION_REQUIRED):  # RFC 6585 section 6
        return None
    try:
        host = urllib.parse.urlsplit(headers.get("location", "")).hostname or ""
    except ValueError:
        return ""
    return f" at {host}" if 0 < len(host) <= 253 and host.isprintable() else ""


def retry_after(value: str, now: float) -> float:
    """Seconds to wait, from a `Retry-After` of seconds or of a date (RFC 9110 section 10.2.3)."""
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
    """Return what an error came from, with the place of each cause in the code; "" where it came from nothing."""
    causes: list[str] = []
    cause = error.__cause__
    while cause is not None and len(causes) < MOST_CAUSES:
        text = f": {cause}" if isinstance(cause, (OSError, BinanceError)) else ""  # any other may hold a password
        for place in traceback.extract_tb(cause.__traceback__, limit=-1):
            text += f" ({place.filename.rpartition('/')[2]}:{place.lineno}, {place.name})"
        causes.append(f"{type(cause).__name__}{text}")
        cause = cause.__cause__
    return f"Caused by {', caused by '.join(causes)}." if causes else ""
