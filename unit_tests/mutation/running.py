"""Runs the tests of a module over each of its mutants: a fork of a warm process, a deadline and a limit of memory."""

from __future__ import annotations

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

from .mutants import Module, Mutant

ROOT = Path(__file__).resolve().parents[2]
MEMORY = 3 * 1024**3  # bytes of one mutant
OURS = ("source_binance_futures", "unit_tests")
REWRITE = "ignore::pytest.PytestAssertRewriteWarning"  # hypothesis is imported before pytest is begun
QUIET = ("-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "-p", "no:faulthandler", "-W", REWRITE)
NOT_NOTICED = int(pytest.ExitCode.OK)
NOTICED = (int(pytest.ExitCode.TESTS_FAILED), int(pytest.ExitCode.INTERRUPTED))
OUT_OF_TIME = -signal.SIGKILL
BEFORE_ANY_TEST = 70  # no code of pytest: the tool itself has failed


class Found(NamedTuple):
    """What became of a mutant: `code` as pytest ends, negative where a signal ended it; `seconds` it took."""

    mutant: Mutant
    code: int
    seconds: float

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
                    yield Found(mutant, os.waitstatus_to_exitcode(status), seconds)
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
