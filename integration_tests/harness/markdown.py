"""The code blocks of a document, each with the comment above it that says who runs it.

<!-- tested: here -->                                     by test_docs.py, in a folder of its own
<!-- tested: integration_tests/test_warehouses.py -->     by that test
<!-- needs: docker -->                                    by nobody: it needs Docker, matplotlib or the internet
<!-- needs: internet -->
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_FENCE = re.compile(r"^\s*(```+|~~~+)\s*([\w-]*)")
_MARKER = re.compile(r"^\s*<!--\s*(tested|needs):\s*(.+?)\s*-->\s*$")


@dataclass(frozen=True)
class Block:
    """One fenced block. `line` is that of its fence, counted from 1; `marker` is ("tested", "here") and the like."""

    path: Path
    line: int
    language: str
    code: str
    marker: tuple[str, str] | None

    @property
    def name(self) -> str:
        return f"{self.path.name}:{self.line}"


def blocks_of(path: Path) -> Iterator[Block]:
    """The fenced blocks in order."""
    lines = path.read_text(encoding="utf-8").splitlines()
    above = ""
    at = 0
    while at < len(lines):
        fence = _FENCE.match(lines[at])
        if not fence:
            above = lines[at] if lines[at].strip() else above
            at += 1
            continue
        end = next((n for n in range(at + 1, len(lines)) if lines[n].strip() == fence[1]), None)
        assert end is not None, f"{path}:{at + 1}: the block has no end"
        marker = _MARKER.match(above)
        code = textwrap.dedent("\n".join(lines[at + 1 : end])) + "\n"
        yield Block(path, at + 1, fence[2].lower(), code, (marker[1], marker[2]) if marker else None)
        above = ""
        at = end + 1
