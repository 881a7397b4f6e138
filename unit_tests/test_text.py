"""What is shown of bytes, moments and lists."""

from __future__ import annotations

import time

import pytest

from source_binance_futures.binance.text import duration, first_of, quoted, sanitized, utc, writable


@pytest.mark.parametrize("payload", [b"x" * 5000, "币".encode() * 5000, b"\xff" * 5000, "𝄞".encode() * 5000])
def test_quotations_are_short(payload: bytes) -> None:
    assert len(quoted(payload)) == 200
    assert quoted(b"ab\xff") == "ab\ufffd", "what is no text is quoted all the same"


def test_a_value_is_reported_shortly_and_what_cannot_be_shown_in_words() -> None:
    assert sanitized({"code": "A" * 500}) == "{'code': '" + "A" * 190
    deep: object = 1
    for _ in range(100_000):
        deep = [deep]
    assert sanitized(deep) == "something nested too deeply"
    assert writable("A\ud800B币") == "A\\ud800B币"


@pytest.mark.parametrize(
    ("seconds", "shown"), [(0.0, "0.000"), (0.9994, "0.999"), (1.0, "1.0"), (59.94, "59.9"), (60.0, "60"), (95.2, "95")]
)
def test_lengths_of_time(seconds: float, shown: str) -> None:
    assert duration(seconds) == f"{shown} seconds"


TEN = "0, 1, 2, 3, 4, 5, 6, 7, 8, 9"


@pytest.mark.parametrize(
    ("count", "shown"), [(0, ""), (1, "0"), (10, TEN), (11, f"{TEN} and 1 more"), (110, f"{TEN} and 100 more")]
)
def test_lists_name_ten_and_of_what_is_no_name_the_beginning(count: int, shown: str) -> None:
    assert first_of(list(map(str, range(count)))) == shown
    assert first_of(["A" * 100, "B" * 101]) == "A" * 100 + ", " + "B" * 100


@pytest.mark.parametrize(
    ("moment", "precision", "shown"),
    [
        (1795293300.123, "milliseconds", "2026-11-21 20:35:00.123 UTC"),
        (1795293300.9, "seconds", "2026-11-21 20:35:00 UTC"),
        (0.0, "milliseconds", "1970-01-01 00:00:00.000 UTC"),
        (1_790_373_637_547.0, "milliseconds", "1790373637547 seconds since 1970"),
        (float("inf"), "milliseconds", "inf seconds since 1970"),
        (float("nan"), "milliseconds", "nan seconds since 1970"),
        (-1e18, "milliseconds", "-1000000000000000000 seconds since 1970"),
    ],
)
def test_moments(moment: float, precision: str, shown: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """In UTC, whatever the machine thinks."""
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        assert utc(moment, precision) == shown
        assert utc(1795293300.5) == "2026-11-21 20:35:00.500 UTC", "milliseconds if nothing else is asked for"
    finally:
        monkeypatch.undo()
        time.tzset()
