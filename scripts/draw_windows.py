"""Draws docs/images/windows.svg and its Chinese twin: windows, holes and how two sources cover each other's.

python scripts/draw_windows.py [folder]
"""

from __future__ import annotations

import random
import sys
from pathlib import Path

IMAGES = Path(__file__).resolve().parent.parent / "docs" / "images"
WIDTH, HEIGHT = 820, 354
LEFT, HOUR, HOURS = 196, 198, 3  # pixels: where 12:00 is, and how long an hour is
BAR = 28
PUSHED, EVEN, ODD, BOTH, CLOCK = 34, 74, 184, 258, 308  # where each row begins
ENDS_BEFORE, BEGINS_AFTER = 0.05, 0.1  # hours before the next start, and after one: the connector starts and connects
LOST = 0.86, 0.92  # when the second source loses its connection, in hours

# The picture brings its own background, so that it reads well where page and system disagree about dark mode.
STYLE = """
  text { font: 13px system-ui, "Segoe UI", "PingFang SC", "Microsoft YaHei", "Noto Sans CJK SC", sans-serif;
         fill: #1f2328 }
  .small { font-size: 11.5px; fill: #59636e }
  .code { font: 11.5px ui-monospace, Menlo, Consolas, monospace; fill: #59636e }
  .inside { fill: #ffffff }
  .hole { fill: #c21c2c; font-weight: 600 }
  .card { fill: #ffffff; stroke: #d1d9e0 }
  .covered { fill: #2563c9 }
  .all { fill: #1a7f4b }
  .band { fill: #c21c2c; fill-opacity: 0.1 }
  .missed { stroke: #c21c2c; stroke-width: 1.6 }
  .pushed, .line { stroke: #818b98; stroke-width: 1.2; fill: none }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 }
    .small, .code { fill: #a5afba }
  .hole { fill: #ff8a8a }
    .card { fill: #0d1117; stroke: #3d444d }
    .covered { fill: #2f6fd6 }
    .all { fill: #238a57 }
    .band { fill: #ff8a8a; fill-opacity: 0.16 }
    .missed { stroke: #ff8a8a }
  }
"""


WORDS = {
    "title": ("Windows, holes and overlap", "窗口、空缺与重叠"),
    "description": (
        "A source that listens hour by hour misses what is pushed between two windows. A second source, half a window "
        "later, has it. Both together miss nothing.",
        "每小时监听一次的数据源，会缺失两个窗口之间推送的更新。错开半个窗口的另一个数据源恰好收到了它们。两者合并，一条不缺。",
    ),
    "pushed": ("Binance pushes", "币安推送"),
    "even": ("a source, on the hour", "数据源一，整点开始"),
    "odd": ("another, half past", "数据源二，半点开始"),
    "both": ("both together", "两者合并"),
    "by": ("by (symbol, u)", "按 (symbol, u)"),
    "covered": ("nothing is missing", "一条更新也不缺"),
    "hole": ("hole", "空缺"),
    "lost": ("connection lost", "连接中断"),
    "whole": ("no hole", "没有空缺"),
    "newest": ("newest", "最新的"),
}
"""What the picture says, in English and in Chinese; `even` and `odd` are the two sources."""


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else IMAGES
    for language, name in enumerate(("windows.svg", "windows.zh-CN.svg")):
        drawn = drawing({what: words[language] for what, words in WORDS.items()})
        (folder / name).write_text(drawn, encoding="utf-8")


def drawing(words: dict[str, str]) -> str:
    """The picture as SVG."""
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-labelledby="t d">',
            f'<title id="t">{words["title"]}</title>',
            f'<desc id="d">{words["description"]}</desc>',
            f"<style>{STYLE}</style>",
            f'<rect class="card" x="0.5" y="0.5" width="{WIDTH - 1}" height="{HEIGHT - 1}" rx="8"/>',
            *_holes(words),
            *_pushed(words),
            *_even(words),
            *_odd(words),
            *_both(words),
            *_clock(),
            "</svg>\n",
        ]
    )


def _x(hours: float) -> float:
    """Where a moment is, in hours after 12:00."""
    return round(LEFT + HOUR * hours, 1)


def _text(x: float, y: float, words: str, kind: str = "", anchor: str = "start") -> str:
    return f'<text class="{kind}" x="{x}" y="{y}" text-anchor="{anchor}">{words}</text>'


def _bar(begin: float, end: float, y: float, kind: str = "covered") -> str:
    return f'<rect class="{kind}" x="{_x(begin)}" y="{y}" width="{_x(end) - _x(begin):.1f}" height="{BAR}" rx="3"/>'


def _holes(words: dict[str, str]) -> list[str]:
    """What the first source misses, as bands through all rows."""
    drawn = []
    for hour in range(1, HOURS):
        begin, end = hour - ENDS_BEFORE, hour + BEGINS_AFTER
        x, width = _x(begin), _x(end) - _x(begin)
        drawn.append(
            f'<rect class="band" x="{x}" y="{PUSHED - 12}" width="{width:.1f}" height="{BOTH - PUSHED + 12}"/>'
        )
        drawn.append(_text(x + width / 2, EVEN + BAR + 18, words["hole"], "hole", "middle"))
    return drawn


def _pushed(words: dict[str, str]) -> list[str]:
    """A stroke for each update, red where the first source misses it."""
    drawn = [_text(16, PUSHED + 10, words["pushed"])]
    chance = random.Random(3)
    moment = 0.01
    while moment < HOURS:
        missed = any(hour - ENDS_BEFORE < moment < hour + BEGINS_AFTER for hour in range(1, HOURS))
        kind = "missed" if missed else "pushed"
        drawn.append(f'<path class="{kind}" d="M{_x(moment)} {PUSHED - 4}v18"/>')
        moment += chance.uniform(0.012, 0.05)
    return drawn


def _label(y: float, words: str, code: str) -> list[str]:
    return [_text(16, y + 13, words), _text(16, y + 29, code, "code")]


def _even(words: dict[str, str]) -> list[str]:
    # The two fields whose promise this is, at the ends of the second window.
    begin, end, low = _x(1 + BEGINS_AFTER), _x(2 - ENDS_BEFORE), EVEN + BAR
    return [
        *_label(EVEN, words["even"], "0 0 * * * ?"),
        *(_bar(hour + BEGINS_AFTER, hour + 1 - ENDS_BEFORE, EVEN) for hour in range(HOURS)),
        _text(_x(0.525), EVEN + 18, words["covered"], "inside", "middle"),
        f'<path class="line" d="M{begin + 0.6} {low}v40M{end - 0.6} {low}v58"/>',
        _text(begin + 6, low + 38, "covered_since_us", "code"),
        _text(end - 6, low + 56, f"{words['newest']} received_at_us", "code", "end"),
    ]


def _odd(words: dict[str, str]) -> list[str]:
    lost_at, back_at = LOST
    begins, ends = [half + BEGINS_AFTER for half in (0.5, 1.5, 2.5)], [half - ENDS_BEFORE for half in (1.5, 2.5)]
    windows = zip((begins[0], back_at, *begins[1:]), (lost_at, *ends, HOURS), strict=True)
    return [
        *_label(ODD, words["odd"], "0 30 * * * ?"),
        *(_bar(begin, end, ODD) for begin, end in windows),
        _text(_x(sum(LOST) / 2), ODD + BAR + 17, words["lost"], "hole", "middle"),
    ]


def _both(words: dict[str, str]) -> list[str]:
    return [
        *_label(BOTH, words["both"], words["by"]),
        _bar(BEGINS_AFTER, HOURS, BOTH, "all"),
        _text(_x((BEGINS_AFTER + HOURS) / 2), BOTH + 18, words["whole"], "inside", "middle"),
    ]


def _clock() -> list[str]:
    drawn = [f'<path class="line" d="M{_x(0)} {CLOCK}H{_x(HOURS)}"/>']
    for half in range(2 * HOURS + 1):
        x = _x(half / 2)
        drawn.append(f'<path class="line" d="M{x} {CLOCK}v6"/>')
        drawn.append(_text(x, CLOCK + 22, f"{12 + half // 2}:{30 * (half % 2):02}", "small", "middle"))
    return drawn


if __name__ == "__main__":
    main()
