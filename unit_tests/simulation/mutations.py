"""Breaks the failover on purpose, one line at a time, to see that the simulation or hypothesis notices.

    python -m unit_tests.simulation.mutations

Each mutation runs in a process of its own, on a copy of the package; it ends with code 1 if one was not noticed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
ROOM = Path("source_binance_futures/binance/market_stream")
SEEDS = 3000
DEADLINE = 400.0  # seconds for one mutation


class Mutation(NamedTuple):
    """In `module`, what stands `before` once becomes `after`."""

    module: str
    before: str
    after: str


MUTATIONS = (
    Mutation(
        "failover.py",
        "self.watermark = line.reached if self._floor is None else max(self._floor, line.reached)",
        "pass",
    ),
    Mutation("failover.py", "        self._report_until(line.covers_from)", "        pass"),
    Mutation("failover.py", "self.watermark - begins >= self._clock.uncertainty", "True"),
    Mutation("failover.py", "since = since if until - since >= SHORTEST_GAP", "since = until if True"),
    Mutation("line.py", "self._dropped_until = pushed", "pass"),
    Mutation("line.py", "return max(self.begins, self._dropped_until)", "return self.begins"),
    Mutation(
        "line.py", "self.begins = self._clock.now(now) if times is None else max(times[0], opened)", "self.begins = 0.0"
    ),
    Mutation("line.py", "back = max(self._newest or newest, newest) - earliest", "back = 0.0"),
    Mutation("exchange_clock.py", "if self._is_supported and at - since < LEAP_LASTS:", "if False:"),
    Mutation(
        "line.py",
        "self.lag = self._clock.now(now) - self._newest + max(self._back, self._back_before)",
        "self.lag = 0.0",
    ),
    Mutation("line.py", "now - self._pinged_at < self._timing.pong_within", "True"),
    Mutation("line.py", "self._pinged_at is None and now - self.last_heard_at >= self._timing.ping_after", "False"),
    Mutation("line.py", "return batches", "return batches[:-1]"),
    Mutation("failover.py", "elif self._behind is not line:", "elif False:"),
    Mutation("failover.py", "elif both.is_behind(standby, now):", "elif False:"),
    Mutation("failover.py", "now - other.last_data_at >= IN_STEP", "True"),
    Mutation("failover.py", "self._alone, self._alone_since = line, now", "pass"),
    Mutation("failover.py", "elif both.is_alone(primary, now) and (standby.has_data or", "elif False and (False or"),
    Mutation("failover.py", "elif not self._wants_standby:", "elif False:"),
    Mutation("failover.py", "standby.retiring or standby.age(now) >= self._timing.rotate_after", "True"),
    Mutation("failover.py", 'return "the window ended while reading paused"', "return None"),
    Mutation(
        "failover.py", "self._may_miss(Missing.OUTAGE, cause)\n        self._stop_replacing()", "self._stop_replacing()"
    ),
    Mutation("failover.py", "self._do(*line.unwind())", "line.unwind()"),
    Mutation("failover.py", 'self._may_miss(Missing.SILENCE, "a fresh connection was silent too")', "pass"),
    Mutation("failover.py", "self._do(Close(line.number))", "pass"),
    Mutation("failover.py", "self._backoff.attempted(now)", "pass"),
    Mutation("failover.py", "elif self._is_quiet(now) and self.missing is Missing.NOTHING:", "elif False:"),
    Mutation("failover.py", "self._report_until(self._clock.now(now))", "pass"),
    Mutation("failover.py", "line.keep(batch, self.watermark)", "pass"),
    Mutation("failover.py", "self.primary.pause(now)", "pass"),
    Mutation("failover.py", "if self.paused and line is self.primary:\n                continue", "pass"),
    Mutation("exchange_clock.py", "self._fastest = max(self._fastest, ahead)", "self._fastest = ahead"),
    Mutation("backoff.py", "self._not_before = now + max(FIRST_PAUSE,", "self._not_before = now + min(0.0,"),
)


def noticed_by(mutation: Mutation) -> str | None:
    """What fails with this mutation: the simulation, hypothesis, or nothing."""
    with tempfile.TemporaryDirectory() as folder:
        for part in ("source_binance_futures", "unit_tests", "schemas"):
            shutil.copytree(ROOT / part, Path(folder) / part, symlinks=True)
        shutil.copy(ROOT / "pyproject.toml", folder)
        path = Path(folder) / ROOM / mutation.module
        text = path.read_text(encoding="utf-8")
        assert text.count(mutation.before) == 1, f"{mutation.module} has {mutation.before!r} not once"
        path.write_text(text.replace(mutation.before, mutation.after), encoding="utf-8")
        ways = {
            "simulation": ["-m", "unit_tests.simulation", "--seeds", str(SEEDS), "--fail-fast"],
            "hypothesis": [
                "-m",
                "pytest",
                "-q",
                "-x",
                "-p",
                "no:cacheprovider",
                "unit_tests/simulation/test_stateful.py",
            ],
        }
        for name, arguments in ways.items():
            try:
                done = subprocess.run(
                    [sys.executable, *arguments],
                    cwd=folder,
                    env=os.environ | {"PYTHONPATH": folder},
                    capture_output=True,
                    timeout=DEADLINE,
                    check=False,
                )
            except subprocess.TimeoutExpired:
                return f"{name} (it never ends)"
            if done.returncode != 0:
                return name
    return None


def main() -> int:
    found = []
    for mutation in MUTATIONS:
        found.append(noticed_by(mutation))
        name = found[-1] or "NOT NOTICED"
        print(f"{name:24} {mutation.module}: {mutation.before!r} -> {mutation.after!r}", flush=True)
    print(f"{sum(map(bool, found))} of {len(found)} noticed.")
    return 0 if all(found) else 1


if __name__ == "__main__":
    sys.exit(main())
