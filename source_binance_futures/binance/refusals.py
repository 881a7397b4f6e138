"""What Binance means by an HTTP status in place of a handshake, and for how long. Pure."""

from __future__ import annotations

import email.utils
from collections.abc import Mapping
from datetime import timezone

from .errors import (
    BANNED,
    AddressRefused,
    ConnectFailed,
    HandshakeRefused,
    LocationRefused,
    RateLimited,
)

LOCATION_REFUSED = 451
RATE_LIMIT_STATUSES = (BANNED, 429)
PASSING_STATUSES = (403, 408)  # of the 4xx: the web firewall, which forgives, and a slow moment
DEFAULT_PAUSE = 60.0  # seconds, where a limit comes without a time: the weight window is a minute


def refusal(host: str, status: int, headers: Mapping[str, str], now: float) -> ConnectFailed | RateLimited:
    """The failure that a status other than 101 is; the names of `headers` are in lower case [binance-protocol 4]."""
    if status == LOCATION_REFUSED:
        return LocationRefused(host, status)
    if status in RATE_LIMIT_STATUSES:
        return RateLimited(host, status, now + retry_after(headers.get("retry-after", ""), now), now)
    if 400 <= status < 500 and status not in PASSING_STATUSES:
        return AddressRefused(host, status)
    return HandshakeRefused(host, status)


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
