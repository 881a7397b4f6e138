"""`make simulate`: many chains of syncs in virtual time on all cores, or one with everything that happens.

python -m unit_tests.simulation --seeds 10000 [--first 0] [--fail-fast]
python -m unit_tests.simulation --seed 7
"""

from __future__ import annotations

import argparse
import os
import sys
from collections import Counter
from concurrent.futures import ProcessPoolExecutor

from ..virtual_time import BEGAN
from . import simulate

CHUNK = 10


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m unit_tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=10_000, help="how many chains (default: %(default)s)")
    parser.add_argument("--first", type=int, default=0, help="the first seed (default: %(default)s)")
    parser.add_argument("--fail-fast", action="store_true", help="end at the first broken rule")
    parser.add_argument("--seed", type=int, help="replay this one, with every event and frame")
    options = parser.parse_args()
    if options.seed is not None:
        return _replay(options.seed)
    return _run_many(range(options.first, options.first + options.seeds), fail_fast=options.fail_fast)


def _replay(seed: int) -> int:
    outcome = simulate(seed, lambda at, text: print(f"{at - BEGAN:9.3f}  {text}"))
    print(*(outcome.broken or ["No rule was broken."]), sep="\n")
    return 1 if outcome.broken else 0


def _run_many(seeds: range, *, fail_fast: bool) -> int:
    hours = 0.0
    faults = updates = count = 0
    broken: Counter[str] = Counter()
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        for outcome in pool.map(simulate, seeds, chunksize=CHUNK):
            count += 1
            hours += outcome.seconds / 3600
            faults += outcome.faults
            updates += outcome.updates
            for rule in outcome.broken:
                broken["".join(letter for letter in rule if not letter.isdigit())[:40]] += 1
                if broken.total() <= 20:
                    print(f"seed {outcome.seed}: {rule}", flush=True)
            if broken and fail_fast:
                pool.shutdown(cancel_futures=True)
                break
    rules = ", ".join(f"{rule!r} {times} times" for rule, times in broken.items()) or "none"
    print(f"{count} schedules, {hours:.0f} virtual hours, {faults} faults, {updates} updates. Broken rules: {rules}.")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
