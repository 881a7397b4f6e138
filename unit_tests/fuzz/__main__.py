"""`python -m unit_tests.fuzz --seconds 60 [TARGET ...]`: the targets for as long as one likes.

`unit_tests/test_fuzz.py` runs each for a moment with every `make test`. What fails is shrunk, and shown with its seed.
"""

from __future__ import annotations

import argparse
import random

from source_binance_futures.binance.clock import Clock

from .targets import TARGETS, run

EXAMPLES = 500  # of one seed


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m unit_tests.fuzz", description="Fuzz each parser of outside bytes.")
    parser.add_argument("--seconds", type=float, default=60.0, help="for all targets together")
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=", ".join(TARGETS))
    options = parser.parse_args()
    names = options.targets or list(TARGETS)
    unknown = sorted(set(names) - set(TARGETS))
    if unknown:
        parser.error(f"no such target: {', '.join(unknown)}")
    for name in names:
        deadline = Clock().deadline(options.seconds / len(names))
        inputs = 0
        while not deadline.expired:
            inputs += run(TARGETS[name], examples=EXAMPLES, number=random.randrange(2**32))
        print(f"{name}: {inputs} inputs, and nothing came out that is not documented", flush=True)


if __name__ == "__main__":
    main()
