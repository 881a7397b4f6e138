"""800 contracts over ten connections at 10,000 updates a second, one connection killed every five seconds.

    python -m integration_tests.endurance.many [--seconds 60] [--rate 10000] [--coin-m 30] [--usds-m 770] [--seed 1]

Anything lost, twice, out of order, or promised by `covered_since_us` and not there, makes it exit with code 1.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from pathlib import Path

from ..harness.connector import Connector
from ..harness.many import Siege, besiege


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m integration_tests.endurance.many", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--rate", type=float, default=10_000.0, help="updates a second")
    parser.add_argument("--coin-m", type=int, default=30, help="contracts")
    parser.add_argument("--usds-m", type=int, default=770, help="contracts")
    parser.add_argument("--kill-every", type=float, default=5.0, help="seconds")
    parser.add_argument("--seed", type=int, default=None, help="of the order of victims; by default another each time")
    options = parser.parse_args(arguments)
    seed = random.randrange(10**6) if options.seed is None else options.seed
    print(f"{options.coin_m + options.usds_m} contracts, {options.rate:g} updates a second, seed {seed}", flush=True)
    with tempfile.TemporaryDirectory() as folder, Connector(Path(folder)) as connector:
        siege = besiege(
            connector,
            coin_m=options.coin_m,
            usds_m=options.usds_m,
            rate=options.rate,
            seconds=options.seconds,
            kill_every=options.kill_every,
            seed=seed,
            tell=lambda line: print(line, flush=True),
        )
    return _verdict(siege)


def _verdict(siege: Siege) -> int:
    verdict = siege.verdict
    rows = {
        "updates": siege.updates,
        "connections, each with its standby": siege.connections,
        "killed": siege.killed,
        "handshakes": siege.opened,
        "lost": verdict.lost,
        "twice": verdict.twice,
        "out of order": verdict.out_of_order,
        "gaps told": len(verdict.gaps) + len(verdict.silences),
        "promised by covered_since_us and not there": len(siege.uncovered),
        "exit code of the connector": siege.output.exit_code,
    }
    for name, figure in rows.items():
        print(f"{name:46} {figure}")
    print(_summary(siege))
    wrong = [verdict.lost, *verdict.faults, len(siege.uncovered), siege.output.exit_code]
    print("NOT as it should be." if any(wrong) else "As it should be.")
    return 1 if any(wrong) else 0


def _summary(siege: Siege) -> str:
    return next(line for line in siege.output.logs("INFO") if line.startswith("Captured "))


if __name__ == "__main__":
    sys.exit(main())
