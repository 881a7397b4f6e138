"""Draws docs/images/windows.svg and its Chinese twin: windows, holes and how two sources cover each other's.

python scripts/draw_windows.py [folder]
"""

from __future__ import annotations

import random
import sys
from pathlib import Path
from typing import NamedTuple

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


class Words(NamedTuple):
    """What the picture says; `even` and `odd` are the two sources."""

    title: str
    description: str
    pushed: str
    even: str
    odd: str
    both: str
    by: str
    covered: str
    hole: str
    lost: str
    whole: str
    newest: str


WORDS = {
    "windows.svg": Words(
        "Windows, holes and overlap",
        "A source that listens hour by hour misses what is pushed between two windows. A second source, half a window "
        "later, has it. Both together miss nothing.",
        "Binance pushes",
        "a source, on the hour",
        "another, half past",
        "both together",
        "by (symbol, u)",
        "nothing is missing",
        "hole",
        "connection lost",
        "no hole",
        "newest",
    ),
    "windows.zh-CN.svg": Words(
        "窗口、空缺与重叠",
        "每小时监听一次的数据源，会缺失两个窗口之间推送的更新。错开半个窗口的另一个数据源恰好收到了它们。两者合并，一条不缺。",
        "币安推送",
        "数据源一，整点开始",
        "数据源二，半点开始",
        "两者合并",
        "按 (symbol, u)",
        "一条更新也不缺",
        "空缺",
        "连接中断",
        "没有空缺",
        "最新的",
    ),
}


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else IMAGES
    for name, words in WORDS.items():
        (folder / name).write_text(drawing(words), encoding="utf-8")


def drawing(words: Words) -> str:
    """The picture as SVG."""
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-labelledby="t d">',
            f'<title id="t">{words.title}</title>',
            f'<desc id="d">{words.description}</desc>',
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


def _holes(words: Words) -> list[str]:
    """What the first source misses, as bands through all rows."""
    drawn = []
    for hour in range(1, HOURS):
        begin, end = hour - ENDS_BEFORE, hour + BEGINS_AFTER
        x, width = _x(begin), _x(end) - _x(begin)
        drawn.append(
            f'<rect class="band" x="{x}" y="{PUSHED - 12}" width="{width:.1f}" height="{BOTH - PUSHED + 12}"/>'
        )
        drawn.append(_text(x + width / 2, EVEN + BAR + 18, words.hole, "hole", "middle"))
    return drawn


def _pushed(words: Words) -> list[str]:
    """A stroke for each update, red where the first source misses it."""
    drawn = [_text(16, PUSHED + 10, words.pushed)]
    chance = random.Random(3)
    moment = 0.01
    while moment < HOURS:
        missed = any(hour - ENDS_BEFORE < moment < hour + BEGINS_AFTER for hour in range(1, HOURS))
        kind = "missed" if missed else "pushed"
        drawn.append(f'<path class="{kind}" d="M{_x(moment)} {PUSHED - 4}v18"/>')
        moment += chance.uniform(0.012, 0.05)
    return drawn


def _even(words: Words) -> list[str]:
    y = EVEN
    drawn = [_text(16, y + 13, words.even), _text(16, y + 29, "0 0 * * * ?", "code")]
    drawn += [_bar(hour + BEGINS_AFTER, hour + 1 - ENDS_BEFORE, y) for hour in range(HOURS)]
    drawn.append(_text(_x(0.525), y + 18, words.covered, "inside", "middle"))
    # The two fields whose promise this is, at the ends of the second window.
    begin, end, low = _x(1 + BEGINS_AFTER), _x(2 - ENDS_BEFORE), y + BAR
    drawn.append(f'<path class="line" d="M{begin + 0.6} {low}v40M{end - 0.6} {low}v58"/>')
    drawn.append(_text(begin + 6, low + 38, "covered_since_us", "code"))
    drawn.append(_text(end - 6, low + 56, f"{words.newest} received_at_us", "code", "end"))
    return drawn


def _odd(words: Words) -> list[str]:
    y = ODD
    drawn = [_text(16, y + 13, words.odd), _text(16, y + 29, "0 30 * * * ?", "code")]
    lost_at, back_at = LOST
    for begin, end in (
        (0.5 + BEGINS_AFTER, lost_at),
        (back_at, 1.5 - ENDS_BEFORE),
        (1.5 + BEGINS_AFTER, 2.5 - ENDS_BEFORE),
    ):
        drawn.append(_bar(begin, end, y))
    drawn.append(_bar(2.5 + BEGINS_AFTER, HOURS, y))
    drawn.append(_text(_x(sum(LOST) / 2), y + BAR + 17, words.lost, "hole", "middle"))
    return drawn


def _both(words: Words) -> list[str]:
    y = BOTH
    return [
        _text(16, y + 13, words.both),
        _text(16, y + 29, words.by, "code"),
        _bar(BEGINS_AFTER, HOURS, y, "all"),
        _text(_x((BEGINS_AFTER + HOURS) / 2), y + 18, words.whole, "inside", "middle"),
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
