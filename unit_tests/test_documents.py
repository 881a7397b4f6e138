"""What the documents name is there; what their commands leave behind is not offered to git."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = [
    *ROOT.glob("*.md"),
    *(ROOT / "docs").glob("*.md"),
    *(ROOT / ".github").rglob("*.md"),
]
OURS = (
    "docs/",
    "unit_tests/",
    "integration_tests/",
    "source_binance_futures/",
    "schemas/",
    "scripts/",
    "requirements/",
)
README_BLOCKS = re.findall(r"```bash\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_files_and_targets_that_are_named_are_there(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    named = [word for word in re.findall(r"(?<!`)`([^`\s]+)`(?!`)", text) if word.startswith(OURS)]
    assert [word for word in named if not (ROOT / word.partition("::")[0]).exists()] == []
    for target in re.findall(r"`make (\w+)[ `]", text):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), f"make {target}"


def test_the_single_test_of_contributing_is_one() -> None:
    ((path, name),) = re.findall(
        r"- One test: `\S+ -m pytest (\S+)::(\w+)`", (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    )
    assert len(re.findall(rf"^def {name}\(", (ROOT / path).read_text(encoding="utf-8"), re.MULTILINE)) == 1


def left_behind() -> list[str]:
    """By redirection, by `tee`, by `-m venv`, and by PyAirbyte's cache."""
    written = {name for block in README_BLOCKS for name in re.findall(r"(?:>|\btee|-m venv) \"?([\w.$-]+)", block)}
    return [*sorted(name.replace("$window", "1") for name in written), ".cache/binance"]


def test_what_the_readme_leaves_behind_is_ignored() -> None:
    names = left_behind()
    assert {"config.json", "sync.jsonl", "state.json", "venv", "window-1.jsonl"} <= set(names)
    asked = [f"{name}/x" if name == "venv" else name for name in names]
    try:
        done = subprocess.run(["git", "check-ignore", *asked], cwd=ROOT, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("git is not installed.")
    if done.returncode == 128:
        pytest.skip("This is no clone.")
    assert done.stdout.split() == asked


def test_the_hook_runs_what_ci_runs() -> None:
    (repository,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))["repos"]
    assert repository["repo"] == "local", "no network address is needed"
    assert [hook["entry"] for hook in repository["hooks"]] == ["make lint"]
    assert "make lint\n" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")


def test_ci_runs_the_test_command_of_the_readme() -> None:
    assert "make test\n" in README_BLOCKS
    assert (ROOT / ".ci" / "run").read_text(encoding="utf-8").endswith("\nmake test\n")


def slug(heading: str) -> str:
    """The name of a heading in an address, as GitHub makes it."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_links_into_a_page_lead_to_a_heading(path: Path) -> None:
    for target, anchor in re.findall(r"\]\((?!\w+:)([^)#\s]*)#([^)\s]+)\)", path.read_text(encoding="utf-8")):
        page = (path.parent / target if target else path).read_text(encoding="utf-8")
        headings = {slug(heading) for heading in re.findall(r"^#+ (.+)$", page, re.MULTILINE)}
        assert anchor in headings, f"{target}#{anchor}"
