"""`make mutants`: which mutants of the pure modules no unit test notices.

python -m unit_tests.mutation [--every 10] [--jobs 2] [--within 30] [module ...]
python -m unit_tests.mutation config binance/market_stream/line

Ends with code 1 if fewer than 95 % of a module's mutants are noticed; those that nothing could notice (`excused.py`)
are listed, and do not count.
"""

from __future__ import annotations

import argparse
import os
import sys
import time

from . import running
from .excused import EXCUSED
from .modules import TESTS, files_of_tests, name_of
from .mutants import Module, Mutant

GOAL = 0.95
SLOWER = 4  # times as long as the tests of the module as it is; what takes longer never ends


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m unit_tests.mutation", description=__doc__)
    parser.add_argument("modules", nargs="*", metavar="module", help="by its path in the package (default: all)")
    parser.add_argument("--every", type=int, default=1, help="only each n-th mutant (default: %(default)s)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="at a time (default: %(default)s)")
    parser.add_argument("--within", type=float, default=30.0, help="seconds for each, at least (default: %(default)s)")
    options = parser.parse_args()
    unknown = [module for module in options.modules if module not in TESTS]
    if unknown:
        parser.error(f"no such module: {', '.join(unknown)}; there are {', '.join(TESTS)}")
    modules = options.modules or list(TESTS)
    running.warm_up(sorted({test for module in modules for test in files_of_tests(module)}))
    print(f"{'module':38} mutants noticed without-end excused score seconds", flush=True)
    enough = [_report(module, options.every, options.jobs, options.within) for module in modules]
    return 0 if all(enough) else 1


def _report(path: str, every: int, jobs: int, within: float) -> bool:
    """Runs one module's mutants, tells what became of them; whether the goal was reached."""
    began = time.monotonic()
    name, tests = name_of(path), files_of_tests(path)
    source = running.ROOT / (name.replace(".", "/") + ".py")
    module = Module(source)
    mutants = module.mutants[::every]
    unbroken = running.passes_unbroken(name, tests, module)
    within = max(within, SLOWER * jobs * unbroken)
    found = list(running.run(name, mutants, tests, module, jobs=jobs, within=within))
    survivors = sorted((each.mutant for each in found if not each.noticed), key=lambda mutant: mutant.line)
    lines = source.read_text(encoding="utf-8").splitlines()
    reasons = {mutant: _excuse(path, mutant, lines) for mutant in survivors}
    noticed = len(found) - len(survivors)
    excused = sum(reason is not None for reason in reasons.values())
    score = noticed / max(len(found) - excused, 1)
    seconds = time.monotonic() - began
    endless = sum(each.code == running.OUT_OF_TIME for each in found)
    print(f"{path:38} {len(found):7} {noticed:7} {endless:11} {excused:7} {score:5.1%} {seconds:7.0f}", flush=True)
    for mutant, reason in reasons.items():
        what = f"{mutant.before}  ->  {mutant.after}".replace("\n", " ")
        print(f"    {mutant.line}: {what}" + (f"  ({reason})" if reason else ""), flush=True)
    for each in found:
        if each.code not in (running.NOT_NOTICED, *running.NOTICED, running.OUT_OF_TIME):
            print(f"    {each.mutant.line}: ended with code {each.code}: {each.mutant.before}", flush=True)
    return score >= GOAL


def _excuse(path: str, mutant: Mutant, lines: list[str]) -> str | None:
    for excused, reason in EXCUSED.get(path, {}).items():
        if excused[1:] == (mutant.before, mutant.after) and excused.on in lines[mutant.line - 1]:
            return reason
    return None


if __name__ == "__main__":
    sys.exit(main())
