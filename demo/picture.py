"""What a run has printed, as a picture for the README."""

from __future__ import annotations

import re
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import DIMMED_MONOKAI

PICTURE_WIDTH = 80  # columns, as a terminal has them
MONOSPACE = "ui-monospace, Menlo, Consolas, monospace"
LEFT_OUT = re.compile(r"@font-face \{.*?\}|<!--.*?-->|font-variant-east-asian: full-width;", re.DOTALL)


def save(console: Console, picture: Path, title: str) -> None:
    """Writes it as SVG. Rich's own form fetches a font from the web; here it is one that the reader has."""
    svg = console.export_svg(title=title, theme=DIMMED_MONOKAI, unique_id="demo")
    svg = LEFT_OUT.sub("", svg).replace("Fira Code, monospace", MONOSPACE)
    lines = [line.rstrip() for line in svg.splitlines()]
    picture.write_text("\n".join(line for line in lines if line) + "\n", encoding="utf-8")
