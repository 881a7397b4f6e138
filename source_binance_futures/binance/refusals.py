"""What Binance means by an HTTP status in place of a handshake, and for how long. Pure."""

from __future__ import annotations

import email.utils
import urllib.parse
from collections.abc import Mapping
from datetime import timezone

from .errors import (
    BANNED,
    AddressRefused,
    AnsweredByPage,
    ConnectFailed,
    HandshakeRefused,
    LocationRefused,
    RateLimited,
)

LOCATION_REFUSED = 451
NETWORK_AUTHENTICATION_REQUIRED = 511  # RFC 6585 section 6: a network's page of login
RATE_LIMIT_STATUSES = (BANNED, 429)
PASSING_STATUSES = (403, 408)  # of the 4xx: the web firewall, which forgives, and a slow moment
LONGEST_HOST = 253  # characters of a name, RFC 1035 section 2.3.4
DEFAULT_PAUSE = 60.0  # seconds, where a limit comes without a time: the weight window is a minute


def refusal(host: str, status: int, headers: Mapping[str, str], now: float) -> ConnectFailed | RateLimited:
    """The failure that a status other than 101 is; the names of `headers` are in lower case [binance-protocol 4]."""
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
