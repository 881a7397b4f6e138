"""Puts Chinese words into docs/images/windows.svg, which is edited by hand: docs/images/windows.zh-CN.svg.

python scripts/translate_picture.py [folder]

The picture brings its own background, so that it reads well where page and system disagree about dark mode.
"""

from __future__ import annotations

import sys
from pathlib import Path

IMAGES = Path(__file__).resolve().parent.parent / "docs" / "images"
CHINESE = {
    "Windows, holes and overlap": "窗口、空缺与重叠",
    "A source that listens hour by hour misses what is pushed between two windows. A second source, half a window "
    "later, has it. Both together miss nothing.": "每小时监听一次的数据源，会缺失两个窗口之间推送的更新。"
    "错开半个窗口的另一个数据源恰好收到了它们。两者合并，一条不缺。",
    "Binance pushes": "币安推送",
    "a source, on the hour": "数据源一，整点开始",
    "another, half past": "数据源二，半点开始",
    "both together": "两者合并",
    "by (symbol, u)": "按 (symbol, u)",
    "nothing is missing": "一条更新也不缺",
    "hole": "空缺",
    "connection lost": "连接中断",
    "no hole": "没有空缺",
    "newest": "最新的",
}
"""What each text begins with, and what it begins with in Chinese."""


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else IMAGES
    picture = (IMAGES / "windows.svg").read_text(encoding="utf-8")
    for english, chinese in CHINESE.items():
        picture = picture.replace(f">{english}", f">{chinese}")
    (folder / "windows.zh-CN.svg").write_text(picture, encoding="utf-8")


if __name__ == "__main__":
    main()
