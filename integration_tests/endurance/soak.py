"""`make soak`: a connector under steady load, and whether its memory stays flat.

    python -m integration_tests.endurance.soak --minutes 10 [--rate 2000]      (or the environment variable MINUTES)

Memory is flat where the median of the last third of the samples is at most 8 MiB above that of the first third, which
begins after a warm-up. Exit code 1 where it is not, or where an update was lost.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

import psutil

from local_exchange import LocalExchange

from ..harness.capturing import Capture
from ..harness.connector import Connector

MIB = 2**20
ALLOWED_GROWTH = 8.0  # MiB
WARM_UP = 10.0  # seconds
SAMPLES = 600  # at most, over the whole run
LINES = 20


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m integration_tests.endurance.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=float(os.environ.get("MINUTES", "10")))
    parser.add_argument("--rate", type=float, default=2000.0, help="updates a second")
    parser.add_argument("--no-standby", action="store_true", help="one connection, and no backlog of 30 seconds")
    options = parser.parse_args(arguments)
    standby = not options.no_standby
    print(f"{options.minutes:g} minutes, {options.rate:g} updates a second, standby: {standby}", flush=True)
    with (
        tempfile.TemporaryDirectory() as folder,
        LocalExchange(rate=options.rate, mix_usds_margined=False) as exchange,
        Connector(Path(folder)) as connector,
    ):
        seconds = options.minutes * 60
        with Capture(connector, exchange, standby=standby, seconds=round(seconds) + 600) as capture:
            capture.wait_until_all_are_followed()
            warm_up = min(WARM_UP + (30.0 if standby else 0.0), seconds / 3)  # the backlog of the standby fills
            samples = _sample(capture, seconds, warm_up)
        return _verdict(capture, samples)


def _sample(capture: Capture, seconds: float, warm_up: float) -> list[float]:
    """The resident memory in MiB, at even distances after the warm-up; a line of the table now and then."""
    process = psutil.Process(capture.running.process.pid)
    began = time.monotonic()
    every = max((seconds - warm_up) / SAMPLES, 0.2)
    samples: list[float] = []
    next_line = 0.0
    print(f"{'seconds':>8} {'updates':>10} {'MiB':>7}")
    while (elapsed := time.monotonic() - began) < seconds:
        capture.wait_for(lambda: True)
        memory = process.memory_info().rss / MIB
        if elapsed >= warm_up:
            samples.append(memory)
        if elapsed >= next_line:
            next_line = elapsed + seconds / LINES
            print(f"{elapsed:8.0f} {capture.account.received:10} {memory:7.1f}", flush=True)
        time.sleep(every)
    return samples


def growth(samples: list[float]) -> float:
    """From the first third to the last one, by their medians: a single peak says nothing."""
    third = max(len(samples) // 3, 1)
    return statistics.median(samples[-third:]) - statistics.median(samples[:third])


def _verdict(capture: Capture, samples: list[float]) -> int:
    grown, account = growth(samples), capture.account
    flat = grown <= ALLOWED_GROWTH
    print(f"From the first third to the last: {grown:+.1f} MiB, highest {max(samples):.1f} MiB.")
    print(
        f"{account.received} updates, {account.lost} lost, {account.twice} twice, {account.out_of_order} out of order, "
        f"{account.broken_promises} lost where records say that nothing is."
    )
    print("Memory is flat." if flat else f"Memory is NOT flat: at most {ALLOWED_GROWTH:g} MiB were expected.")
    return 0 if flat and not any(account.sums) else 1


if __name__ == "__main__":
    sys.exit(main())
