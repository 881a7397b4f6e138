"""`make soak` and `make chaos`: a connector on loopback for as long as you like, in peace or while the exchange fails.

    python -m integration_tests.endurance --minutes 10 [--faults] [--no-standby] [--rate 2000] [--seed 1]

The connector captures as by default: contracts are found by samples, and followed by their own streams. Anything lost,
twice or out of order makes it exit with code 1; with faults and without a standby, a loss that no gap tells of does.
And always a record does that says it is covered since before a loss. Without faults its memory must stay flat too: the
median of the last third of the samples is at most 8 MiB above that of the first third, which begins after a warm-up.
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Literal, cast

import psutil

from local_exchange import ExchangeConnection, LocalExchange
from local_exchange.connection import FaultKind

from ..harness.capturing import Capture
from ..harness.connector import COMMAND, Connector

Kind = Literal["rst", "fin", "close", "cut", "silence", "mute", "shutdown", "slow handshake", "refusal"]
IMMEDIATE: tuple[Kind, ...] = ("rst", "fin", "close", "cut")
EVERY_KIND: tuple[Kind, ...] = (*IMMEDIATE, "silence", "mute", "shutdown", "slow handshake", "refusal")
KINDS_ALONE: tuple[Kind, ...] = (*IMMEDIATE, "shutdown", "slow handshake", "refusal")
SETTLED_AFTER = 1.0  # seconds of a new connection; before, it cannot cover what came over the other
MIB = 2**20
ALLOWED_GROWTH = 8.0  # MiB
LINES = 20


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
    parser = argparse.ArgumentParser(prog="python -m integration_tests.endurance", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--faults", action="store_true", help="connections are lost, refused and slow, at random")
    parser.add_argument("--no-standby", action="store_true", help="one connection: losses are expected, and reported")
    parser.add_argument("--rate", type=float, default=2000.0, help="updates a second")
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
        Connector(Path(folder), COMMAND) as connector,
    ):
        seconds = options.minutes * 60
        with Capture(connector, exchange, standby=standby, seconds=round(seconds) + 600) as capture:
            capture.wait_until_all_are_followed()
            saboteur = Saboteur(exchange, capture, standby=standby)
            rng = random.Random(seed) if options.faults else None
            samples = _endure(saboteur, capture, rng, seconds, standby=standby)
        return _verdict(saboteur, capture, samples, standby=standby)


def _endure(
    saboteur: Saboteur, capture: Capture, rng: random.Random | None, seconds: float, *, standby: bool
) -> list[float]:
    """The resident memory in MiB after the warm-up; a line of a table now and then."""
    process = psutil.Process(capture.running.process.pid)
    warm_up = min(40.0 if standby else 10.0, seconds / 3)  # the backlog of the standby fills
    # Silence without a standby is noticed after 30 seconds only: it would be most of a short run.
    kinds = EVERY_KIND if standby else KINDS_ALONE
    began = time.monotonic()
    samples: list[float] = []
    next_line = 0.0
    print(f"{'seconds':>8} {'updates':>10} {'faults':>7} {'lost':>7} {'MiB':>7}")
    while (elapsed := time.monotonic() - began) < seconds:
        if rng is not None:
            saboteur.strike(rng.choice(kinds), rng.randrange(2) if standby else 0)
        memory = process.memory_info().rss / MIB
        if elapsed >= warm_up:
            samples.append(memory)
        if elapsed >= next_line:
            next_line = elapsed + seconds / LINES
            account = capture.account
            faults = saboteur.faults.total()
            print(f"{elapsed:8.0f} {account.received:10} {faults:7} {account.lost:7} {memory:7.1f}", flush=True)
        capture.wait_for(lambda: True)
        time.sleep(0.2 if rng is None else rng.uniform(0, 0.5))  # between two samples, or two faults
    return samples


def growth(samples: list[float]) -> float:
    """From the first third to the last one, by their medians: a single peak says nothing."""
    third = max(len(samples) // 3, 1)
    return statistics.median(samples[-third:]) - statistics.median(samples[:third])


def _verdict(saboteur: Saboteur, capture: Capture, samples: list[float], *, standby: bool) -> int:
    account, gaps, grown = capture.account, capture.gaps, growth(samples)
    lost, faults = account.lost, saboteur.faults
    rows = {
        "updates": account.received,
        "faults": f"{faults.total()} ({', '.join(f'{kind} {n}' for kind, n in faults.items())})",
        "lost": lost,
        "twice": account.twice,
        "out of order": account.out_of_order,
        "lost where records say that nothing is": account.broken_promises,
        "gaps reported": f"{len(gaps)}, {sum(seconds for seconds, _ in gaps):.1f} s in all",
        "longest gap": f"{max((seconds for seconds, _ in gaps), default=0.0):.1f} s",
        "longest pause between two records": f"{capture.longest_pause:.2f} s",
        "slowest new handshake after an immediate loss": f"{saboteur.slowest_return:.2f} s",
        "memory from the first third to the last": f"{grown:+.1f} MiB, highest {max(samples):.1f} MiB",
        "exit code of the connector": capture.exit_code,
    }
    for name, figure in rows.items():
        print(f"{name:46} {figure}")
    may_lose = bool(faults) and not standby and bool(gaps)
    sound = not any(account.sums[1:]) and capture.exit_code == 0 and (not lost or may_lose)
    sound = sound and (bool(faults) or grown <= ALLOWED_GROWTH)
    print("As it should be." if sound else "NOT as it should be.")
    return 0 if sound else 1


if __name__ == "__main__":
    sys.exit(main())
