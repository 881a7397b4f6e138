"""The pictures of the docs: whole in themselves, and the same in both languages."""

from __future__ import annotations

import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
IMAGES = ROOT / "docs" / "images"
WINDOWS = ("windows.svg", "windows.zh-CN.svg")
SVG = "{http://www.w3.org/2000/svg}"


def test_the_chinese_file_is_what_the_script_makes_of_the_english_one(tmp_path: Path) -> None:
    script = ROOT / "scripts" / "translate_picture.py"
    subprocess.run([sys.executable, str(script), str(tmp_path)], check=True, timeout=60)
    assert (IMAGES / WINDOWS[1]).read_bytes() == (tmp_path / WINDOWS[1]).read_bytes()


@pytest.mark.parametrize("name", WINDOWS)
def test_nothing_is_fetched_and_dark_mode_has_its_colours(name: str) -> None:
    text = (IMAGES / name).read_text(encoding="utf-8")
    assert re.findall(r"https?://[^\"\s]+", text) == ["http://www.w3.org/2000/svg"]
    assert not re.search(r"url\(|@import|@font-face|<image|<script|href", text)
    light, dark = text.split("@media (prefers-color-scheme: dark)")
    kinds = set(re.findall(r'class="([a-z]+)"', dark))
    for kind in kinds - {"inside", "line", "pushed"}:  # of colours that both backgrounds bear
        assert re.search(rf"\.{kind}\b", dark.partition("</style>")[0]), kind
        assert re.search(rf"\.{kind}\b", light), kind


def test_both_languages_have_the_same_drawing_and_words_of_their_own() -> None:
    english, chinese = (ET.parse(IMAGES / name).getroot() for name in WINDOWS)
    shapes = [[(e.tag, e.attrib) for e in root.iter() if e.tag != SVG + "style"] for root in (english, chinese)]
    assert shapes[0] == shapes[1]
    for root in (english, chinese):
        words = [(e.text or "") for e in root.iter() if e.tag in (SVG + "title", SVG + "desc", SVG + "text")]
        assert all(words)
        assert any(re.search("[\u4e00-\u9fff]", word) for word in words) == (root is chinese)
