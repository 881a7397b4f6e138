"""The tool that breaks the code on purpose: what it breaks, what it leaves alone, and that its tables hold."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from .mutation.lines import lines
from .mutation.modules import EXCUSED, MODULES, PACKAGE, file_of_tests
from .mutation.mutants import Module

ROOT = Path(__file__).resolve().parents[1]


def broken(source: str, folder: Path) -> set[tuple[str, str]]:
    path = folder / "module.py"
    path.write_text(source)
    return {(mutant.before, mutant.after) for mutant in Module(path).mutants}


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("'A docstring of 3 words.'", set()),
        ("from typing import TypeAlias", set()),
        ("Either: TypeAlias = 'int'", set()),
        ("class Kind:\n    'Also 5.'\n    NAME = 'name'\n    patience: float = 3.0", {("3.0", "4.0"), ("3.0", "2.0")}),
        ("def judge(a, *, strict=False):\n    assert a is not None", {("False", "True")}),
        ("logger.info('seen', a + 1)", set()),
        ("self.shown = f'{a + 1} things'", {("self.shown = f'{a + 1} things'", "pass")}),
        (
            "if not strict and a < LIMIT:\n    ...",
            {
                ("not strict and a < LIMIT", "not strict or a < LIMIT"),
                ("not strict", "strict"),
                ("a < LIMIT", "a <= LIMIT"),
            },
        ),
        ("def f():\n    return -a", {("return -a", "return None"), ("-a", "+a")}),
        ("raise ValueError('it is too much')", {("raise ValueError('it is too much')", "pass")}),
        ("x = min(a, b)", {("x = min(a, b)", "x = None"), ("min(a, b)", "max(a, b)")}),
        ("x = a if b else c", {("x = a if b else c", "x = None"), ("a if b else c", "c if b else a")}),
        ("x = a is None", {("x = a is None", "x = None"), ("a is None", "a is not None")}),
        ("x = 'key'", {("'key'", "'XXkey'")}),
        ("x = b'key'", {("b'key'", "b'XXkey'")}),
        ("x = 'some words'", set()),
        ("del x", {("del x", "pass")}),
        ("x += 1", {("x += 1", "pass"), ("1", "2"), ("1", "0")}),
        ("if f():\n    g()", {("if f():\n    g()", "if not f():\n    g()"), ("g()", "pass")}),
        ("while a:\n    break", {("break", "continue")}),
        ("while a:\n    continue", {("continue", "break")}),
    ],
)
def test_what_is_broken_and_what_is_left_alone(line: str, expected: set[tuple[str, str]], tmp_path: Path) -> None:
    assert broken(line, tmp_path) == expected


def test_a_mutant_is_what_it_says(tmp_path: Path) -> None:
    path = tmp_path / "module.py"
    path.write_text("def f(a):\n    g()\n    return a + 1\n")
    count = len(Module(path).mutants)
    texts = set()
    for number in range(count):
        module = Module(path)
        module.mutants[number].apply()
        texts.add(ast.unparse(module.tree))
    assert len(texts) == count
    assert "def f(a):\n    g()\n    return a - 1" in texts
    assert "def f(a):\n    pass\n    return a + 1" in texts


@pytest.mark.parametrize("module", MODULES)
def test_the_file_of_tests_a_module_are_there_and_what_is_excused_too(module: str) -> None:
    path = ROOT / PACKAGE / f"{module}.py"
    assert (ROOT / file_of_tests(module)).is_file()
    text = path.read_text(encoding="utf-8").splitlines()
    mutants = {(mutant.before, mutant.after, text[mutant.line - 1]) for mutant in Module(path).mutants}
    for on, before, *afters, _ in EXCUSED.get(module, ()):
        for after in afters:
            assert any((before, after) == mutant[:2] and on in mutant[2] for mutant in mutants), (on, before, after)
    assert EXCUSED.keys() <= set(MODULES)


def test_each_line_that_is_easily_lost_is_there_once_and_its_test_too() -> None:
    for line in lines():
        assert (ROOT / PACKAGE / line.module).read_text(encoding="utf-8").count(line.before) == 1, line


def test_by_hand() -> None:
    command = [sys.executable, "-m", "unit_tests.mutation", "--jobs", "2", "binance/transport/address"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=110, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    _, line = done.stdout.splitlines()
    assert line.split()[0] == "binance/transport/address"
    assert line.split()[1] == line.split()[2], "each is noticed"
    command[-1] = "nothing"
    refused = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=110, check=False)
    assert refused.returncode == 2
    assert "no such module: nothing" in refused.stderr
