"""The clock, deadlines and the stop flag."""

from __future__ import annotations

import subprocess
import sys
from datetime import date

import pytest

from source_binance_futures.binance import errors
from source_binance_futures.binance.clock import Clock, Stop

from .virtual_time import BEGAN, EPOCH, VirtualTime


def test_wall_time_goes_on_with_the_steady_clock_whoever_sets_the_other() -> None:
    time = VirtualTime()
    clock = time.clock()
    assert clock.now_us() == int(EPOCH * 1e6)
    time.wall_ahead -= 3600
    time.pass_by(2.5)
    assert clock.now_us() == int((EPOCH + 2.5) * 1e6)
    assert clock.epoch() == EPOCH + 2.5
    assert clock.to_us(BEGAN + 1) == int((EPOCH + 1) * 1e6)
    assert clock.today() == date(2026, 9, 21)
    assert clock.drift() == -3600
    time.wall_ahead += 3601.5
    assert clock.drift() == 1.5


def test_the_systems_clocks_are_read_where_none_are_given() -> None:
    clock = Clock()
    first = clock.monotonic()
    clock.sleep(0.001)
    assert clock.monotonic() > first
    assert abs(clock.drift()) < 3600
    assert clock.today().year >= 2026


@pytest.mark.skipif(sys.platform != "linux", reason="CLOCK_BOOTTIME is Linux's")
def test_a_machines_sleep_counts() -> None:
    """Both clocks show the same on a machine that never slept, so the name is what is looked at."""
    asked = "import time; time.clock_gettime = lambda which: which; from source_binance_futures.binance.clock import *;"
    shown = subprocess.run(
        [sys.executable, "-c", f"{asked} print(Clock().monotonic() == time.CLOCK_BOOTTIME)"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert shown.stdout.strip() == "True"


def test_a_deadline_says_what_is_left_and_the_sooner_of_two_counts() -> None:
    time = VirtualTime()
    deadline = time.clock().deadline(50)
    assert deadline.moment == BEGAN + 50
    time.pass_by(20)
    assert (deadline.remaining(), deadline.timeout(), deadline.expired) == (30, 30, False)
    time.pass_by(31)
    assert (deadline.remaining(), deadline.expired) == (0, True)
    with pytest.raises(TimeoutError):
        deadline.timeout()
    clock = VirtualTime().clock()
    soon, late = clock.deadline(5), clock.deadline(500)
    assert soon.or_after(100).moment == soon.moment
    assert late.or_after(5).moment == BEGAN + 5


def test_a_sleep_goes_to_its_end_and_a_moment_in_the_past_is_none() -> None:
    time = VirtualTime()
    stop = Stop(time.clock())
    for seconds in (-1, 3):
        stop.sleep(seconds)
        assert time.now == pytest.approx(BEGAN + max(0, seconds))


def test_a_stop_ends_a_sleep_within_a_look() -> None:
    class Interrupted(VirtualTime):
        def pass_by(self, seconds: float) -> None:
            super().pass_by(seconds)
            if self.now >= BEGAN + 10:
                stop.request()

    time = Interrupted()
    stop = Stop(time.clock())
    for seconds in (60, -1):
        with pytest.raises(errors.Interrupted):
            stop.sleep(seconds)
        assert time.now == pytest.approx(BEGAN + 10, abs=0.21)


def test_the_first_request_counts() -> None:
    time = VirtualTime()
    stop = Stop(time.clock())
    stop.request()
    time.pass_by(1)
    stop.request()
    assert stop.requested
    assert stop.requested_at == BEGAN
