"""What is told of bytes and moments, in the form that a person reads."""

from __future__ import annotations

from datetime import datetime, timezone

QUOTED = 200  # characters


def quoted(payload: bytes) -> str:
    """The beginning of a frame as it may stand in a log."""
    return payload[: QUOTED * 4].decode(errors="replace")[:QUOTED]


def utc(epoch_seconds: float) -> str:
    """`2026-11-21 20:35:00.123 UTC`; a number that is no time of this kind stays a number."""
    try:
        moment = datetime.fromtimestamp(epoch_seconds, timezone.utc)
    except (ValueError, OverflowError, OSError):
        return f"{epoch_seconds:.0f} seconds since 1970"
    return moment.strftime("%Y-%m-%d %H:%M:%S.%f")[:-3] + " UTC"


def duration(seconds: float) -> str:
    """A length of time as it may stand in a sentence: `0.012 seconds`, `2.4 seconds`, `95 seconds`.

    >>> duration(0.0123), duration(2.44), duration(95.2)
    ('0.012 seconds', '2.4 seconds', '95 seconds')
    """
    decimals = 3 if seconds < 1 else 1 if seconds < 60 else 0
    return f"{seconds:.{decimals}f} seconds"
