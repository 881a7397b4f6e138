"""The wish to end."""

from __future__ import annotations

import threading
import time

from source_binance_futures.binance.stop import Stop


def test_sleep_goes_to_its_end_without_a_wish_to_stop() -> None:
    began = time.monotonic()
    assert Stop().sleep_until(began + 0.3)
    assert 0.3 <= time.monotonic() - began < 30


def test_a_moment_in_the_past_is_no_sleep() -> None:
    assert Stop().sleep_until(time.monotonic() - 1)


def test_a_wish_to_stop_ends_a_sleep() -> None:
    stop = Stop()
    threading.Timer(0.1, stop.request).start()
    began = time.monotonic()
    assert not stop.sleep_until(began + 60)
    assert time.monotonic() - began < 30


def test_the_first_request_counts() -> None:
    stop = Stop()
    stop.request()
    first = stop.requested_at
    time.sleep(0.01)
    stop.request()
    assert first is not None
    assert stop.requested_at == first
    assert not stop.sleep_until(time.monotonic() - 1)
