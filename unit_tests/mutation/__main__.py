"""`make mutants`: which mutants of the pure modules no unit test notices.

python -m unit_tests.mutation [--every 10] [--jobs 2] [--within 30] [module ...]
python -m unit_tests.mutation config binance/market_stream/line

Each runs in a fork of a warm process, with a deadline and a limit of memory. Ends with code 1 if fewer than 95 % of a
module's mutants are noticed; those that nothing could notice (`modules.py`) are listed, and do not count.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import importlib.util
import io
import os
import resource
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from importlib.machinery import ModuleSpec, SourceFileLoader
from pathlib import Path
from types import CodeType
from typing import NamedTuple

import hypothesis
import pytest

from .modules import MODULES, excuse, file_of_tests, name_of
from .mutants import Module, Mutant

GOAL = 0.95
SLOWER = 4  # times as long as the tests of the module as it is; what takes longer never ends
ROOT = Path(__file__).resolve().parents[2]
MEMORY = 3 * 1024**3  # bytes of one mutant
OURS = ("source_binance_futures", "unit_tests")
REWRITE = "ignore::pytest.PytestAssertRewriteWarning"  # hypothesis is imported before pytest is begun
QUIET = ("-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "-p", "no:faulthandler", "-W", REWRITE)
NOT_NOTICED = int(pytest.ExitCode.OK)
NOTICED = (int(pytest.ExitCode.TESTS_FAILED), int(pytest.ExitCode.INTERRUPTED))
OUT_OF_TIME = -signal.SIGKILL
BEFORE_ANY_TEST = 70  # no code of pytest: the tool itself has failed


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m unit_tests.mutation", description=__doc__)
    parser.add_argument("modules", nargs="*", metavar="module", help="by its path in the package (default: all)")
    parser.add_argument("--every", type=int, default=1, help="only each n-th mutant (default: %(default)s)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="at a time (default: %(default)s)")
    parser.add_argument("--within", type=float, default=30.0, help="seconds for each, at least (default: %(default)s)")
    options = parser.parse_args()
    unknown = [module for module in options.modules if module not in MODULES]
    if unknown:
        parser.error(f"no such module: {', '.join(unknown)}; there are {', '.join(MODULES)}")
    modules = options.modules or list(MODULES)
    warm_up(list(map(file_of_tests, modules)))
    print(f"{'module':38} mutants noticed without-end excused score seconds", flush=True)
    enough = [_report(module, options.every, options.jobs, options.within) for module in modules]
    return 0 if all(enough) else 1


def _report(path: str, every: int, jobs: int, within: float) -> bool:
    """Runs one module's mutants, tells what became of them; whether the goal was reached."""
    began = time.monotonic()
    name, tests = name_of(path), [file_of_tests(path)]
    source = ROOT / (name.replace(".", "/") + ".py")
    module = Module(source)
    mutants = module.mutants[::every]
    unbroken = passes_unbroken(name, tests, module)
    within = max(within, SLOWER * jobs * unbroken)
    found = list(run(name, mutants, tests, module, jobs=jobs, within=within))
    survivors = sorted((each.mutant for each in found if not each.noticed), key=lambda mutant: mutant.line)
    lines = source.read_text(encoding="utf-8").splitlines()
    reasons = {mutant: excuse(path, lines[mutant.line - 1], mutant.before, mutant.after) for mutant in survivors}
    noticed = len(found) - len(survivors)
    excused = sum(reason is not None for reason in reasons.values())
    score = noticed / max(len(found) - excused, 1)
    seconds = time.monotonic() - began
    endless = sum(each.code == OUT_OF_TIME for each in found)
    print(f"{path:38} {len(found):7} {noticed:7} {endless:11} {excused:7} {score:5.1%} {seconds:7.0f}", flush=True)
    for mutant, reason in reasons.items():
        what = f"{mutant.before}  ->  {mutant.after}".replace("\n", " ")
        print(f"    {mutant.line}: {what}" + (f"  ({reason})" if reason else ""), flush=True)
    for each in found:
        if each.code not in (NOT_NOTICED, *NOTICED, OUT_OF_TIME):
            print(f"    {each.mutant.line}: ended with code {each.code}: {each.mutant.before}", flush=True)
    return score >= GOAL


class Found(NamedTuple):
    """What became of a mutant: `code` as pytest ends, negative where a signal ended it."""

    mutant: Mutant
    code: int

    @property
    def noticed(self) -> bool:
        """Whether a test failed, or the tests never came to an end or ate all memory, which nobody overlooks."""
        return self.code != NOT_NOTICED


class _Mutated(SourceFileLoader):
    """Imports one module from a tree, every other one as it is."""

    def __init__(self, name: str, path: Path, tree: ast.Module) -> None:
        super().__init__(name, str(path))
        self._tree = tree

    def find_spec(self, fullname: str, _path: object, _target: object = None, /) -> ModuleSpec | None:
        return importlib.util.spec_from_loader(fullname, self) if fullname == self.name else None

    def get_code(self, fullname: str) -> CodeType:
        return compile(self._tree, self.get_filename(fullname), "exec", dont_inherit=True)


def warm_up(tests: Sequence[str]) -> None:
    """Imports what the tests need of other people's, and writes byte code of what is ours, once for all mutants."""
    sys.dont_write_bytecode = False
    hypothesis.settings.register_profile(
        "mutants",
        database=None,
        derandomize=True,
        deadline=None,
        phases=(hypothesis.Phase.explicit, hypothesis.Phase.generate),
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    hypothesis.settings.load_profile("mutants")
    with contextlib.redirect_stdout(io.StringIO()):
        code = pytest.main([*QUIET, "--collect-only", *tests])
    if code != pytest.ExitCode.OK:
        raise SystemExit(f"The tests {' '.join(tests)} cannot be collected.")
    for name in [name for name in sys.modules if name.partition(".")[0] in OURS and name != __name__]:
        if not name.startswith(__package__ or ""):
            del sys.modules[name]


def run(
    name: str, mutants: Sequence[Mutant], tests: Sequence[str], module: Module, *, jobs: int, within: float
) -> Iterator[Found]:
    """Each mutant of the module, as it ends; `within` seconds each, so many at a time."""
    waiting = list(reversed(mutants))
    running: dict[int, tuple[Mutant, float]] = {}
    try:
        while waiting or running:
            while waiting and len(running) < jobs:
                mutant = waiting.pop()
                running[_fork(name, mutant, tests, module)] = mutant, time.monotonic()
            for pid, (mutant, began) in list(running.items()):
                seconds = time.monotonic() - began
                if seconds > within:
                    os.killpg(pid, signal.SIGKILL)
                ended, status = os.waitpid(pid, 0 if seconds > within else os.WNOHANG)
                if ended:
                    del running[pid]
                    yield Found(mutant, os.waitstatus_to_exitcode(status))
            time.sleep(0.01)
    finally:
        for pid in running:
            os.killpg(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def passes_unbroken(name: str, tests: Sequence[str], module: Module) -> float:
    """The seconds that the tests take over the module as it is. Exits where they fail."""
    began = time.monotonic()
    _, status = os.waitpid(_fork(name, None, tests, module), 0)
    if os.waitstatus_to_exitcode(status) != NOT_NOTICED:
        raise SystemExit(f"The tests of {name} fail as it is: {' '.join(tests)}")
    return time.monotonic() - began


def _fork(name: str, mutant: Mutant | None, tests: Sequence[str], module: Module) -> int:
    pid = os.fork()
    if pid:
        with contextlib.suppress(PermissionError, ProcessLookupError):  # the child does the same: who comes first
            os.setpgid(pid, pid)
        return pid
    code = BEFORE_ANY_TEST
    try:
        os.setpgid(0, 0)
        with contextlib.suppress(ValueError):  # not every system has this limit
            resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        silence = os.open(os.devnull, os.O_RDWR)
        for descriptor in (0, 1, 2):
            os.dup2(silence, descriptor)
        if mutant is not None:
            mutant.apply()
        path = ROOT / (name.replace(".", "/") + ".py")
        sys.meta_path.insert(0, _Mutated(name, path, module.tree))
        code = int(pytest.main([*QUIET, *tests]))
    finally:
        os._exit(code)


if __name__ == "__main__":
    sys.exit(main())
