"""What is shipped, as far as that can be tested where no Docker daemon and no GitHub is: image, metadata, workflows."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit
from xml.etree import ElementTree

import pytest
import yaml
from pydantic import ValidationError

from scripts.release_notes import notes, versions
from source_binance_futures.binance.endpoints import PRODUCTION, TESTNET

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parent.parent
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")


def parsed(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return content


# --- the image's recipe: its lines, and the files they name ---


class Instruction(NamedTuple):
    name: str
    value: str


def stages_of(recipe: str) -> list[list[Instruction]]:
    """The instructions of each stage, from its FROM on; comments gone and continued lines joined."""
    lines = re.sub(r"^#.*\n", "", recipe, flags=re.MULTILINE).replace("\\\n", " ").splitlines()
    stages: list[list[Instruction]] = []
    for instruction in (Instruction(*line.split(maxsplit=1)) for line in lines if line.strip()):
        if instruction.name == "FROM":
            stages.append([])
        if stages:
            stages[-1].append(instruction)
    return stages


STAGES = stages_of(DOCKERFILE)
IMAGE = STAGES[-1]  # what is shipped


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
    for pattern in (pattern for pattern in patterns if pattern and not pattern.startswith("#")):
        plain = pattern.lstrip("!")
        if any(fnmatch(folder, plain) or fnmatch(f"/{folder}", plain.replace("**", "*")) for folder in folders):
            ignored = not pattern.startswith("!")
    return ignored


def test_it_starts_the_console_script_by_the_exec_form_and_not_as_root() -> None:
    environment = dict(part.split("=", 1) for part in shlex.split(the_only("ENV", IMAGE)))

    assert json.loads(the_only("ENTRYPOINT", IMAGE)) == ["source-binance-futures"]
    assert shlex.split(environment["AIRBYTE_ENTRYPOINT"]) == ["source-binance-futures"]
    assert "source-binance-futures" in PROJECT["scripts"]
    assert the_only("USER", IMAGE) == "airbyte"
    assert IMAGE[-1].name == "USER", "what comes after USER would run without the rights to install"


def test_dependencies_are_a_layer_below_the_connector() -> None:
    pins = first(IMAGE, "COPY", "requirements/runtime.txt")
    dependencies = first(IMAGE, "RUN", "--requirement requirements/runtime.txt")
    connector = first(IMAGE, "COPY", "/wheels")

    assert pins < dependencies < connector
    assert copied_from_the_context(IMAGE[:dependencies]) == ["requirements/runtime.txt"]


def test_everything_from_outside_is_pinned_by_hash_or_digest() -> None:
    base = re.search(r"^ARG BASE_IMAGE=(\S+)$", DOCKERFILE, re.MULTILINE)
    installs = [step.value for stage in STAGES for step in stage if step.name == "RUN" and "pip" in step.value]

    assert base
    assert re.search(r"@sha256:[0-9a-f]{64}$", base[1])
    assert {stage[0].value.split()[0] for stage in STAGES} == {"${BASE_IMAGE}"}
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


def test_the_context_holds_every_file_that_is_copied_and_is_small() -> None:
    """What a build sends to the daemon: the package and its pins, none of the environments, tests and history."""
    sources = [source for stage in STAGES for source in copied_from_the_context(stage)]
    inside = [*sources, "source_binance_futures/spec.yaml", "schemas/book_tickers.json"]
    outside = [".git", ".venv", "build", "local_exchange", "requirements/dev.txt", "unit_tests"]
    outside += [
        f"source_binance_futures/{part}" for part in ("__pycache__", "binance/__pycache__/errors.cpython-313.pyc")
    ]

    assert sources
    assert [path for path in inside if is_ignored(path) or not (ROOT / path).exists()] == []
    assert [path for path in outside if not is_ignored(path)] == []


# --- metadata.yaml: what Airbyte's registry reads, and its own models of that ---


METADATA = parsed(ROOT / "metadata.yaml")
DATA: dict[str, Any] = METADATA["data"]


def test_airbytes_model_accepts_it_and_would_refuse_an_unknown_key() -> None:
    """Its package needs Python below 3.13."""
    module = pytest.importorskip("airbyte_connector_models.metadata.v0.connector_metadata_definition_v0")
    model = module.ConnectorMetadataDefinitionV0
    assert model.model_validate(METADATA).data.connector_type.value == "source"
    with pytest.raises(ValidationError, match="licence"):
        model.model_validate({**METADATA, "data": {**DATA, "licence": "MIT"}})


def test_names_are_the_packages_and_the_base_image_is_the_recipes() -> None:
    assert DATA["dockerRepository"].split("/")[-1] == PROJECT["name"]
    assert DATA["remoteRegistries"]["pypi"]["packageName"] == PROJECT["name"]
    assert DATA["license"] == PROJECT["license"]
    assert f"ARG BASE_IMAGE={DATA['connectorBuildOptions']['baseImage']}\n" in DOCKERFILE


def test_allowed_hosts_are_those_of_every_environment_and_of_options_of_the_form() -> None:
    """The platform replaces `${a.b}` by the host in the option b of the object a, and drops what it does not find."""
    hosts = DATA["allowedHosts"]["hosts"]
    ours = [(*each.coin_m_bases, *each.usds_m_bases, each.websocket_api_url) for each in (PRODUCTION, TESTNET)]
    assert {host for host in hosts if not host.startswith("$")} == {
        urlsplit(address).hostname for addresses in ours for address in addresses
    }
    spec = parsed(ROOT / "source_binance_futures" / "spec.yaml")
    environments = spec["connectionSpecification"]["properties"]["environment"]["oneOf"]
    options = {name for environment in environments for name in environment["properties"]}
    from_options = {host[len("${environment.") : -1] for host in hosts if host.startswith("${environment.")}
    assert from_options == {"market_stream_url", "websocket_api_url", "usds_margined_stream_url"}
    assert from_options <= options


def test_the_icon_is_a_drawing_without_outside_references() -> None:
    text = (ROOT / DATA["icon"]).read_text(encoding="utf-8")

    assert ElementTree.fromstring(text).tag == "{http://www.w3.org/2000/svg}svg"
    assert "href" not in text


# --- the workflows: each step's commands are run dry, with `make` told to do nothing ---

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
VALUES = {"matrix.python": "3.12", "github.repository": "someone/source-binance-futures"}
"""What the expressions in the environment of a step stand for; any other is a word."""


def runs(path: Path) -> list[dict[str, Any]]:
    return [step for job in parsed(path)["jobs"].values() for step in job["steps"] if "run" in step]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_it_asks_for_no_more_than_it_needs(path: Path) -> None:
    """Read access at the top; actions by hash, with their version beside it; a limit for each job."""
    workflow = parsed(path)
    assert workflow["permissions"] == {"contents": "read"}
    for name, job in workflow["jobs"].items():
        assert 5 <= job["timeout-minutes"] <= 120, name
        for step in job["steps"]:
            assert "actions/checkout@" not in step.get("uses", "") or step["with"]["persist-credentials"] is False
            assert "${{" not in step.get("run", ""), "an expression inside a script can be more than a word"
    used = re.findall(r"uses: (.*)", path.read_text(encoding="utf-8"))
    assert used
    assert [line for line in used if not re.fullmatch(r"[\w/-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", line)] == []


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_the_commands_of_its_jobs_are_there(path: Path, tmp_path: Path) -> None:
    """Run for real, but `make` and the build only look for their targets, and `gh` writes down its words."""
    commands = tmp_path / "bin"
    commands.mkdir()
    said = tmp_path / "said"
    make = shutil.which("make")
    if make is None:
        pytest.skip("make is not installed.")
    for name, script in {
        "make": f'exec {make} --dry-run "$@"',
        "gh": f'printf "%s\\n" "$*" >> {said}',
        "python": f'exec {sys.executable} "$@"',
    }.items():
        (commands / name).write_text(f"#!/bin/sh\n{script}\n")
        (commands / name).chmod(0o755)
    folder = tmp_path / "clone"
    folder.mkdir()
    for name in ("Makefile", "CHANGELOG.md", "pyproject.toml", "metadata.yaml", ".ci", "scripts", "requirements"):
        (shutil.copytree if (ROOT / name).is_dir() else shutil.copy)(ROOT / name, folder / name)
    (folder / ".venv" / "bin").mkdir(parents=True)
    (folder / ".venv" / "bin" / "python").symlink_to(commands / "python")
    report = folder / "build" / "live"
    report.mkdir(parents=True)
    (report / "report.md").write_text("A promise of this connector hangs on these:\n")
    output = tmp_path / "output"
    output.touch()
    given = {
        **os.environ,
        "PATH": f"{commands}{os.pathsep}{os.environ['PATH']}",
        "PYTHON": sys.executable,  # else each make looks for one
        "PYAIRBYTE_BASE": sys.executable,
        "GITHUB_REF_NAME": f"v{versions()['pyproject.toml']}",
        "GITHUB_REPOSITORY_OWNER": "Someone",
        "GITHUB_OUTPUT": str(output),
    }

    for step in runs(path):
        script = step["run"].replace("-m build --no-isolation", "-m build --help #")
        own = {
            name: re.sub(r"\$\{\{ (.+?) \}\}", lambda found: VALUES.get(found[1], "word"), value)
            for name, value in step.get("env", {}).items()
        }
        command = ["bash", "-euo", "pipefail", "-c", script]
        done = subprocess.run(command, cwd=folder, env=given | own, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{script}\n{done.stdout}{done.stderr}"

    outputs, words = output.read_text(), said.read_text() if said.exists() else ""
    if path.stem == "live":
        assert outputs == "differs=true\n"
        assert "issue create --title Binance differs" in words
        assert "build/live/report.md" in words
    if path.stem == "release":
        assert f"ghcr.io/someone/source-binance-futures:{versions()['pyproject.toml']}" in outputs
        assert words.startswith(f"release create {given['GITHUB_REF_NAME']} --verify-tag --notes-file build/notes.md")
        assert (folder / "build" / "notes.md").read_text() == notes(versions()["pyproject.toml"])


def test_the_words_that_open_an_issue_are_those_of_the_report() -> None:
    (words,) = re.findall(r'grep -q "(.+)" build/live/report.md', (ROOT / ".github/workflows/live.yml").read_text())
    assert any(
        words in path.read_text(encoding="utf-8") for path in (ROOT / "source_binance_futures/live").glob("*.py")
    )


def test_pyproject_metadata_and_changelog_name_one_version() -> None:
    assert len(set(versions().values())) == 1, versions()
    assert "### " in notes(versions()["pyproject.toml"])


def test_no_tag_of_another_version_is_published() -> None:
    done = subprocess.run(
        [sys.executable, "scripts/release_notes.py", "v99.0.0"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr.startswith("The tag is v99.0.0, and another version stands in pyproject.toml (")
    assert done.stdout == ""
