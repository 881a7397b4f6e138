"""A deadline, on the real clock."""

from __future__ import annotations

import time

import pytest

from source_binance_futures.binance.deadline import Deadline


def test_time_that_is_left() -> None:
    before = time.monotonic()
    deadline = Deadline.after(50)
    assert before + 50 <= deadline.moment <= time.monotonic() + 50
    assert 0 < deadline.remaining() <= 50
    assert 0 < deadline.timeout() <= 50
    assert not deadline.expired


def test_time_that_is_over() -> None:
    deadline = Deadline(time.monotonic() - 1)
    assert deadline.remaining() == 0
    assert deadline.expired
    with pytest.raises(TimeoutError):
        deadline.timeout()


def test_the_sooner_of_two() -> None:
    soon, late = Deadline.after(5), Deadline.after(500)
    assert soon.or_after(100).moment == soon.moment
    assert late.or_after(5).moment <= time.monotonic() + 5
