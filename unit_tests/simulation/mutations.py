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
        "account.py", "self.until = line.reached if self.until is None else max(self.until, line.reached)", "pass"
    ),
    Mutation("account.py", "told = self.told_until(line.covers_from)", "told = []"),
    Mutation("account.py", "self.until - spare.covers_from >= self._clock.doubt", "True"),
    Mutation("account.py", "since = accounted if until - accounted >= SHORTEST_GAP", "since = until if True"),
    Mutation("line.py", "self._dropped_until = pushed", "pass"),
    Mutation("line.py", "return max(self.begins, self._dropped_until)", "return self.begins"),
    Mutation(
        "line.py", "self.begins = self._clock.now(now) if first is None else min(first, pushed)", "self.begins = 0.0"
    ),
    Mutation("line.py", "self.lag = self._clock.now(now) - pushed", "self.lag = 0.0"),
    Mutation("line.py", "now - self._pinged_at < self._timing.pong_within", "True"),
    Mutation("line.py", "self._pinged_at is None and now - self.last_heard_at >= self._timing.ping_after", "False"),
    Mutation("line.py", "return batches", "return batches[:-1]"),
    Mutation("pair.py", "elif self._behind is not line:", "elif False:"),
    Mutation("verdicts.py", "if pair.is_behind(spare, now):", "if False:"),
    Mutation("pair.py", "now - other.last_data_at >= IN_STEP", "True"),
    Mutation("pair.py", "self._alone, self._alone_since = line, now", "pass"),
    Mutation("verdicts.py", "if pair.spare_is_deaf(now):", "if False:"),
    Mutation("verdicts.py", "if not wants_spare:", "if False:"),
    Mutation("verdicts.py", "return spare.retiring or spare.age(now) >= timing.rotate_after", "return True"),
    Mutation("verdicts.py", 'return "the window ended while reading paused"', "return None"),
    Mutation("changeover.py", "self.account.open_outage(cause)\n            self.replacing", "self.replacing"),
    Mutation("changeover.py", "*map(events.Emit, line.unwind())", "*[]"),
    Mutation("changeover.py", 'self.account.open_silence("a fresh connection was silent too")', "pass"),
    Mutation("changeover.py", "self.do(events.Close(line.number))", "pass"),
    Mutation("failover.py", "self._backoff.attempted(now)", "pass"),
    Mutation("failover.py", "elif self._clock.now(now) - self.account.until >= QUIET_END:", "elif False:"),
    Mutation("failover.py", "self._lines.do(*self.account.told_until(self._clock.now(now)))", "pass"),
    Mutation("failover.py", "line.keep(arrival.batch, self.account.until)", "pass"),
    Mutation("failover.py", "active.pause(now)", "pass"),
    Mutation("failover.py", "if self._lines.paused and line is self.pair.active:\n                continue", "pass"),
    Mutation("push_clock.py", "if self._ahead is None or ahead > self._ahead:", "if True:"),
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
