"""`make chaos`: a connector against an exchange that fails at random, for as long as you like, on loopback.

    python -m integration_tests.endurance.chaos --minutes 10 [--no-standby] [--rate 3000] [--seed 1]

The connector captures as by default: contracts are found by samples, and followed by their own streams. With a standby
anything lost, twice or out of order makes it exit with code 1; without one, a loss that no gap tells of does. And
either way a record does that says it is covered since before a loss.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from pathlib import Path

from local_exchange import LocalExchange

from ..harness.connector import Connector
from ..harness.failing import EVERY_KIND, IMMEDIATE, Capture, Kind, Saboteur

KINDS_ALONE: tuple[Kind, ...] = (*IMMEDIATE, "shutdown", "slow handshake", "refusal")
TOLD_EVERY = 10.0  # seconds


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m integration_tests.endurance.chaos", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--no-standby", action="store_true", help="one connection: losses are expected, and told")
    parser.add_argument("--rate", type=float, default=3000.0, help="updates a second")
    parser.add_argument("--seed", type=int, default=None, help="of the order of faults; by default another each time")
    options = parser.parse_args(arguments)
    standby = not options.no_standby
    seed = random.randrange(10**6) if options.seed is None else options.seed
    print(
        f"{options.minutes:g} minutes, {options.rate:g} updates a second, standby: {standby}, seed {seed}", flush=True
    )
    with (
        tempfile.TemporaryDirectory() as folder,
        LocalExchange(rate=options.rate, mix_usds_margined=False) as exchange,
        Connector(Path(folder)) as connector,
    ):
        with Capture(connector, exchange, standby=standby, seconds=round(options.minutes * 60) + 600) as capture:
            capture.wait_until_all_are_followed()
            saboteur = Saboteur(exchange, capture, standby=standby)
            _sabotage(saboteur, capture, random.Random(seed), minutes=options.minutes, standby=standby)
        return _verdict(saboteur, capture, standby=standby)


def _sabotage(saboteur: Saboteur, capture: Capture, rng: random.Random, *, minutes: float, standby: bool) -> None:
    deadline = time.monotonic() + minutes * 60
    next_line = 0.0
    while time.monotonic() < deadline:
        # Silence without a standby is noticed after 30 seconds only: it would be most of a short run.
        saboteur.strike(rng.choice(EVERY_KIND if standby else KINDS_ALONE), rng.randrange(2) if standby else 0)
        time.sleep(rng.uniform(0, 0.5))
        if time.monotonic() >= next_line:
            next_line = time.monotonic() + TOLD_EVERY
            left = max(deadline - time.monotonic(), 0)
            account = capture.account
            print(
                f"{account.received} updates, {saboteur.faults.total()} faults, {account.lost} lost; {left:.0f} s left",
                flush=True,
            )


def _verdict(saboteur: Saboteur, capture: Capture, *, standby: bool) -> int:
    account, gaps = capture.account, capture.gaps
    lost = account.lost
    rows = {
        "updates": account.received,
        "faults": f"{saboteur.faults.total()} ({', '.join(f'{kind} {n}' for kind, n in saboteur.faults.items())})",
        "lost": lost,
        "twice": account.twice,
        "out of order": account.out_of_order,
        "lost where records say that nothing is": account.broken_promises,
        "gaps reported": f"{len(gaps)}, {sum(seconds for seconds, _ in gaps):.1f} s in all",
        "longest gap": f"{max((seconds for seconds, _ in gaps), default=0.0):.1f} s",
        "longest pause between two records": f"{capture.longest_pause:.2f} s",
        "slowest new handshake after an immediate loss": f"{saboteur.slowest_return:.2f} s",
        "exit code of the connector": capture.exit_code,
    }
    for name, figure in rows.items():
        print(f"{name:46} {figure}")
    told = not lost or bool(gaps)
    sound = not any(account.sums[1:]) and capture.exit_code == 0 and told
    sound = sound and not (standby and lost)
    print("As it should be." if sound else "NOT as it should be.")
    return 0 if sound else 1


if __name__ == "__main__":
    sys.exit(main())
