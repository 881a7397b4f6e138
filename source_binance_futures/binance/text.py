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
