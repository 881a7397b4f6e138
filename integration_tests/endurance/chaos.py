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
from collections import Counter
from pathlib import Path
from typing import Literal, cast

from local_exchange import ExchangeConnection, LocalExchange
from local_exchange.connection import FaultKind

from ..harness.capturing import Capture
from ..harness.connector import Connector

Kind = Literal["rst", "fin", "close", "cut", "silence", "mute", "shutdown", "slow handshake", "refusal"]
IMMEDIATE: tuple[Kind, ...] = ("rst", "fin", "close", "cut")
EVERY_KIND: tuple[Kind, ...] = (*IMMEDIATE, "silence", "mute", "shutdown", "slow handshake", "refusal")
KINDS_ALONE: tuple[Kind, ...] = (*IMMEDIATE, "shutdown", "slow handshake", "refusal")
SETTLED_AFTER = 1.0  # seconds of a new connection; before, it cannot cover what came over the other
TOLD_EVERY = 10.0  # seconds


class Saboteur:
    """Takes connections away from a capture, one at a time, and sees that they come back."""

    def __init__(self, exchange: LocalExchange, capture: Capture, *, standby: bool) -> None:
        self.faults: Counter[Kind] = Counter()
        self.slowest_return = 0.0  # seconds from an immediate fault to the next handshake
        self._exchange = exchange
        self._capture = capture
        self._wanted = 2 if standby else 1

    def wait_until_settled(self) -> list[ExchangeConnection]:
        """Waits until as many healthy connections as wanted bring updates; the one in use comes first."""

        def settled() -> list[ExchangeConnection]:
            healthy = [connection for connection in self._exchange.connections if not connection.faults]
            ready = [c for c in healthy if c.frames_sent and time.monotonic() - c.opened_at > SETTLED_AFTER]
            return ready if len(ready) == len(healthy) == self._wanted else []

        found = self._capture.wait_for(settled)
        self._capture.wait_for_updates(100)
        return found

    def strike(self, kind: Kind, position: int = 0) -> None:
        """Lets a fault happen to the connection in use (0) or to the standby (1), and waits until all is well again."""
        victim = self.wait_until_settled()[position]
        shaken_hands = len(self._exchange.handshakes)
        if kind == "slow handshake":
            self._exchange.slow_handshake(0.7)
        elif kind == "refusal":
            self._exchange.refuse(503)
        plain = cast(FaultKind, kind if kind not in ("slow handshake", "refusal") else "rst")
        began = time.monotonic()
        self._exchange.fault(plain, victim, after=4.0)
        self.faults[kind] += 1
        self._capture.wait_for(lambda: len(self._exchange.handshakes) > shaken_hands)
        if kind in IMMEDIATE:
            self.slowest_return = max(self.slowest_return, self._exchange.handshakes[shaken_hands][0] - began)
        self._capture.wait_for(lambda: not victim.is_open)
        self.wait_until_settled()


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m integration_tests.endurance.chaos", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--no-standby", action="store_true", help="one connection: losses are expected, and reported")
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
