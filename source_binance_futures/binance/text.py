"""Formats bytes, moments and lists for a person to read."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timezone

QUOTED = 200  # characters
NAMED = 10  # entries of a list
OF_A_NAME = 100  # characters; what a person writes in place of one may be as long as it likes


def quoted(payload: bytes) -> str:
    """The beginning of a frame as it may stand in a log."""
    return payload[: QUOTED * 4].decode(errors="replace")[:QUOTED]


def sanitized(value: object) -> str:
    """Return a value from outside as text for a sentence; orjson reads more nested lists than Python shows."""
    try:
        return str(value)[:QUOTED]
    except RecursionError:
        return "something nested too deeply"


def writable(text: str) -> str:
    r"""The text with `\ud800` and its like spelled out: JSON may hold half of a character, UTF-8 cannot."""
    return text.encode(errors="backslashreplace").decode()


def utc(epoch_seconds: float, precision: str = "milliseconds") -> str:
    """`2026-11-21 20:35:00.123 UTC`, or to the `seconds`; a number that is no time of this kind stays a number."""
    try:
        moment = datetime.fromtimestamp(epoch_seconds, timezone.utc)
    except (ValueError, OverflowError, OSError):
        return f"{epoch_seconds:.0f} seconds since 1970"
    return moment.replace(tzinfo=None).isoformat(" ", precision) + " UTC"


def duration(seconds: float) -> str:
    """A length of time as it may stand in a sentence: `0.012 seconds`, `2.4 seconds`, `95 seconds`."""
    decimals = 3 if seconds < 1 else 1 if seconds < 60 else 0
    return f"{seconds:.{decimals}f} seconds"


def first_of(names: Sequence[str]) -> str:
    """`A, B, C and 5 more`: no more names than a person reads, and of each no more than its beginning."""
    more = len(names) - NAMED
    return ", ".join(name[:OF_A_NAME] for name in names[:NAMED]) + (f" and {more} more" if more > 0 else "")
