"""Print the section of CHANGELOG.md of one tag: ``python scripts/release_notes.py v0.2.0``.

Run by the release workflow before anything is published. Exits with 1 where the tag, pyproject.toml, metadata.yaml and
the newest section of the changelog do not name the same version. Only the standard library: nothing is installed yet.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VERSIONS = {
    "pyproject.toml": r'^version = "(.+)"$',
    "metadata.yaml": r"^  dockerImageTag: (\S+)$",
    "CHANGELOG.md": r"^## \[(\d\S*)\]",
}


def versions(root: Path = ROOT) -> dict[str, str]:
    """Return the version that each file names; for the changelog that of its newest release."""
    found = {}
    for name, pattern in VERSIONS.items():
        match = re.search(pattern, (root / name).read_text(encoding="utf-8"), re.MULTILINE)
        found[name] = match[1] if match else "none"
    return found


def notes(version: str, root: Path = ROOT) -> str:
    """Return the changelog's section of one version, without its heading."""
    text = (root / "CHANGELOG.md").read_text(encoding="utf-8")
    section = text.partition(f"\n## [{version}]")[2].partition("\n## [")[0]
    return section.partition("\n")[2].strip() + "\n"


def main() -> int:
    version = sys.argv[1].removeprefix("v")
    named = versions()
    if others := [f"{name} ({other})" for name, other in named.items() if other != version]:
        print(f"The tag is {sys.argv[1]}, and another version stands in {', '.join(others)}.", file=sys.stderr)
        return 1
    print(notes(version), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
