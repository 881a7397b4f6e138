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
    ".github/",
)
OLD_PAGES = "developers.binance.com/docs/"
"""Where Binance's documentation was until 2026; it has moved to /en/docs/products/."""


def slug(heading: str) -> str:
    """Return the name of a heading in an address, as GitHub makes it."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_what_it_names_is_there(path: Path) -> None:
    """Files, targets of make, pages that it links to and their headings."""
    text = path.read_text(encoding="utf-8")
    targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    for word in re.findall(r"(?<!`)`([^`\s]+)`(?!`)", text):
        assert not word.startswith(OURS) or (ROOT / word.partition("::")[0]).exists(), word
    for target in re.findall(r"`make ([\w-]+)[ `]", text):
        assert target in targets, f"make {target}"
    for page, anchor in re.findall(r"\]\((?!\w+:)([^)#\s]*)(?:#([^)\s]+))?\)", text):
        assert (path.parent / page).exists(), page
        if anchor:
            linked = (path.parent / page if page else path).read_text(encoding="utf-8")
            headings = {slug(heading) for heading in re.findall(r"^#+ (.+)$", linked, re.MULTILINE)}
            assert anchor in headings, f"{page}#{anchor}"
    assert OLD_PAGES not in text


def test_what_the_readme_leaves_behind_is_ignored() -> None:
    """By redirection, by `tee`, by `-m venv`, and by PyAirbyte's cache."""
    blocks = re.findall(r"```bash\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    names = sorted({name for block in blocks for name in re.findall(r"(?:>|\btee|-m venv) \"?([\w.$-]+)", block)})
    assert {"config.json", "sync.jsonl", "venv"} <= set(names)
    asked = [
        f"{name}/x" if name == "venv" else name
        for name in [*names, "state.json", "windows/x", "market.duckdb", ".tmp/x", "build/x"]
    ]
    try:
        done = subprocess.run(["git", "check-ignore", *asked], cwd=ROOT, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("git is not installed.")
    if done.returncode == 128:
        pytest.skip("This is no clone.")
    assert done.stdout.split() == asked


def test_the_hook_and_ci_run_what_contributing_says() -> None:
    (repository,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))["repos"]
    assert repository["repo"] == "local", "no network address is needed"
    assert [hook["entry"] for hook in repository["hooks"]] == ["make lint"]
    assert (ROOT / ".ci" / "run").read_text(encoding="utf-8").endswith("\nmake lint\nmake test\n")
    contributing = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    assert re.search(r"^make test\b", contributing, re.MULTILINE)
    ((path, name),) = re.findall(r"- One test: `\S+ -m pytest (\S+)::(\w+)`", contributing)
    assert len(re.findall(rf"^def {name}\(", (ROOT / path).read_text(encoding="utf-8"), re.MULTILINE)) == 1
