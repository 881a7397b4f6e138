"""The image's recipe, as far as it can be tested where no Docker daemon runs: its lines, and the files they name."""

from __future__ import annotations

import json
import re
import shlex
import sys
from fnmatch import fnmatch
from pathlib import Path
from typing import NamedTuple

import pytest

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parent.parent


class Instruction(NamedTuple):
    name: str
    value: str


@pytest.fixture(scope="module")
def stages() -> list[list[Instruction]]:
    """The instructions of each stage, from its FROM on; comments gone and continued lines joined."""
    text = re.sub(r"^#.*\n", "", (ROOT / "Dockerfile").read_text(encoding="utf-8"), flags=re.MULTILINE)
    lines = text.replace("\\\n", " ").splitlines()
    instructions = [Instruction(*line.split(maxsplit=1)) for line in lines if line.strip()]
    stages: list[list[Instruction]] = []
    for instruction in instructions:
        if instruction.name == "FROM":
            stages.append([])
        if stages:
            stages[-1].append(instruction)
    return stages


@pytest.fixture(scope="module")
def image(stages: list[list[Instruction]]) -> list[Instruction]:
    """The last stage: what is shipped."""
    return stages[-1]


def the_only(name: str, stage: list[Instruction]) -> str:
    (value,) = [instruction.value for instruction in stage if instruction.name == name]
    return value


def first(stage: list[Instruction], name: str, containing: str) -> int:
    return next(i for i, step in enumerate(stage) if step.name == name and containing in step.value)


def copied_from_the_context(stage: list[Instruction]) -> list[str]:
    """The sources of every COPY that is not from another stage."""
    values = [step.value for step in stage if step.name == "COPY" and "--from=" not in step.value]
    return [source for value in values for source in shlex.split(value)[:-1]]


def is_ignored(path: str) -> bool:
    """As Docker reads `.dockerignore`: the last pattern that matches the path or a folder above it decides."""
    patterns = (ROOT / ".dockerignore").read_text(encoding="utf-8").split("\n")
    folders = [path, *(str(parent) for parent in Path(path).parents if str(parent) != ".")]
    ignored = False
    for pattern in patterns:
        if not pattern or pattern.startswith("#"):
            continue
        plain = pattern.lstrip("!")
        if any(fnmatch(folder, plain) or fnmatch(f"/{folder}", plain.replace("**", "*")) for folder in folders):
            ignored = not pattern.startswith("!")
    return ignored


def test_entrypoint_is_the_exec_form_of_the_packages_console_script(image: list[Instruction]) -> None:
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["scripts"]

    assert json.loads(the_only("ENTRYPOINT", image)) == ["source-binance-futures"]
    assert "source-binance-futures" in scripts


def test_airbytes_entrypoint_variable_says_the_same(image: list[Instruction]) -> None:
    environment = dict(part.split("=", 1) for part in shlex.split(the_only("ENV", image)))

    assert shlex.split(environment["AIRBYTE_ENTRYPOINT"]) == json.loads(the_only("ENTRYPOINT", image))


def test_it_does_not_run_as_root(image: list[Instruction]) -> None:
    assert the_only("USER", image) == "airbyte"
    assert image[-1].name == "USER", "what comes after USER would run without the rights to install"


def test_dependencies_are_a_layer_below_the_connector(image: list[Instruction]) -> None:
    pins = first(image, "COPY", "requirements/runtime.txt")
    dependencies = first(image, "RUN", "--requirement requirements/runtime.txt")
    connector = first(image, "COPY", "/wheels")

    assert pins < dependencies < connector
    assert copied_from_the_context(image[:dependencies]) == ["requirements/runtime.txt"]


def test_everything_from_outside_is_pinned_by_hash_or_digest(stages: list[list[Instruction]]) -> None:
    recipe = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    base = re.search(r"^ARG BASE_IMAGE=(\S+)$", recipe, re.MULTILINE)
    installs = [step.value for stage in stages for step in stage if step.name == "RUN" and "pip" in step.value]

    assert base
    assert re.search(r"@sha256:[0-9a-f]{64}$", base[1])
    assert {stage[0].value.split()[0] for stage in stages} == {"${BASE_IMAGE}"}
    assert installs
    for install in installs:
        assert "--no-deps" in install
        assert "--require-hashes" in install or "/wheels" in install


@pytest.mark.parametrize("requirements", ["requirements/build.txt", "requirements/runtime.txt"])
def test_the_pins_hold_a_hash_each_and_no_address(requirements: str) -> None:
    text = (ROOT / requirements).read_text(encoding="utf-8")
    pins = [line for line in text.splitlines() if line and line[0] not in " #"]

    assert pins
    assert all(re.match(r"[\w.-]+(\[.*\])?==\S+ ", pin) and pin.endswith("\\") for pin in pins)
    assert text.count("--hash=sha256:") >= len(pins)
    assert "://" not in text
    assert "--index" not in text


def test_every_file_copied_is_there_and_reaches_the_context(stages: list[list[Instruction]]) -> None:
    sources = [source for stage in stages for source in copied_from_the_context(stage)]

    assert sources
    for source in sources:
        assert (ROOT / source).exists(), source
        assert not is_ignored(source), source


def test_the_context_is_small() -> None:
    """What a build sends to the daemon: the package and its pins, none of the environments, tests and history."""
    outside = [".git", ".venv", "build", "local_exchange", "requirements/dev.txt", "unit_tests"]
    outside += [
        "source_binance_futures/__pycache__",
        "source_binance_futures/binance/__pycache__/errors.cpython-313.pyc",
    ]

    assert [path for path in outside if not is_ignored(path)] == []
    assert not is_ignored("source_binance_futures/spec.yaml")
    assert not is_ignored("schemas/book_tickers.json")
