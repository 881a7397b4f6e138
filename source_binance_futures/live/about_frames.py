"""Beliefs: what the frames hold. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping

from .belief import Belief, Finding, counted, holds_if, unseen
from .facts import ContentFacts, Facts

FRAME_BYTES = (130, 260)  # of a payload without its wrapper; 160 to 200 were seen, some symbols are longer
MOST_A_SECOND = 10_000  # what a sync takes with room to spare: docs/decisions.md, Measured
SHOWN = 3


def _frames(facts: Facts) -> int:
    return sum(line.content.frames for line in facts.lines)


def _sum(facts: Facts, of: Callable[[ContentFacts], Mapping[str, int]]) -> Counter[str]:
    found: Counter[str] = Counter()
    for line in facts.lines:
        found.update(of(line.content))
    return found


def _listed(found: Counter[str]) -> str:
    named = ", ".join(f"{name} ({count:,})" for name, count in found.most_common(SHOWN))
    return named + (f" and {len(found) - SHOWN} more" if len(found) > SHOWN else "")


def field_types(facts: Facts) -> Finding:
    frames, unreadable = _frames(facts), sum(line.content.unreadable for line in facts.lines)
    if not frames and not unreadable:
        return unseen("no book ticker came")
    wrong = _sum(facts, lambda content: content.wrong_types)
    odd = [_listed(wrong)] if wrong else []
    if unreadable:
        odd.append(counted(unreadable, "unreadable frame"))
    return holds_if(not odd, "; ".join(odd) or f"{counted(frames, 'frame')}, all as documented")


def unknown_keys(facts: Facts) -> Finding:
    if not _frames(facts):
        return unseen("no book ticker came")
    unknown = _sum(facts, lambda content: content.unknown_keys)
    return holds_if(not unknown, _listed(unknown) if unknown else f"none in {counted(_frames(facts), 'frame')}")


def other_frames(facts: Facts) -> Finding:
    if not _frames(facts):
        return unseen("no book ticker came")
    others = _sum(facts, lambda content: content.other_frames)
    return holds_if(not others, _listed(others) if others else f"none beside {counted(_frames(facts), 'frame')}")


def wrapper(facts: Facts) -> Finding:
    if not _frames(facts):
        return unseen("no book ticker came")
    others = _sum(facts, lambda content: content.other_streams)
    seen = f"{counted(_frames(facts), 'frame')}, each by a stream that was asked for"
    return holds_if(not others, _listed(others) if others else seen)


def symbol_type(facts: Facts) -> Finding:
    frames = _frames(facts)
    if not frames:
        return unseen("no book ticker came")
    absent = sum(line.content.without_symbol_type for line in facts.lines)
    wrong = sum(line.content.contradicting_symbol_type for line in facts.lines)
    seen = f"{absent:,} of {counted(frames, 'frame')} without st, {wrong:,} with another than the symbol's shape"
    return holds_if(not (absent or wrong), seen)


def pair(facts: Facts) -> Finding:
    frames = _frames(facts)
    if not frames:
        return unseen("no book ticker came")
    absent = sum(line.content.without_pair for line in facts.lines)
    return holds_if(not absent, f"{absent:,} of {counted(frames, 'frame')} without ps")


def sound_books(facts: Facts) -> Finding:
    frames = _frames(facts)
    if not frames:
        return unseen("no book ticker came")
    odd = sum(line.content.odd_books for line in facts.lines)
    return holds_if(not odd, f"{odd:,} crossed, empty or zero in {counted(frames, 'frame')}")


def frame_size(facts: Facts) -> Finding:
    contents = [line.content for line in facts.lines if line.content.frames]
    if not contents:
        return unseen("no book ticker came")
    most = max(contents, key=lambda content: content.frames)
    low, high = FRAME_BYTES
    largest = max(content.largest_bytes for content in contents)
    return holds_if(low <= most.median_bytes <= high, f"median {most.median_bytes:,} bytes, the largest {largest:,}")


def frame_rate(facts: Facts) -> Finding:
    lines = [line for line in facts.lines if line.frames]
    if not lines:
        return unseen("no frame came")
    busiest = max(line.busiest_second for line in lines)
    line = max(lines, key=lambda line: line.frames / max(line.seconds, 1))
    seconds = max(line.seconds, 1)
    seen = (
        f"{line.frames / seconds:,.0f} frames and {line.bytes / seconds / 1000:,.0f} kB a second over the busiest "
        f"connection, {busiest:,} in the worst second"
    )
    return holds_if(busiest < MOST_A_SECOND, seen)


BELIEFS = (
    Belief(
        "field_types",
        "e s b B a A are strings, prices and quantities decimals; u T E integers",
        "2.1",
        field_types,
        "Records hold what was sent, and fit the schema.",
    ),
    Belief("unknown_keys", "A book ticker has the eleven known keys and no other", "2.1", unknown_keys),
    Belief("other_frames", "Nothing but book tickers and answers comes", "2.5", other_frames),
    Belief(
        "wrapper",
        "/stream says of each frame whether the contract's own stream or !bookTicker brought it",
        "2.3",
        wrapper,
        "Samples are told from changes.",
    ),
    Belief(
        "symbol_type",
        "st is 1 for USDⓈ-M and 2 for COIN-M, in every frame, as the symbol's shape says",
        "2.1",
        symbol_type,
        "Contracts of the other market are left out by it.",
    ),
    Belief("pair", "ps is in every frame", "2.1", pair),
    Belief("sound_books", "No book is crossed, empty or zero", "2.4", sound_books),
    Belief("frame_size", f"A book ticker has {FRAME_BYTES[0]} to {FRAME_BYTES[1]} bytes", "2.3", frame_size),
    Belief(
        "frame_rate",
        f"One connection brings fewer than {MOST_A_SECOND:,} frames in a second",
        "2.3",
        frame_rate,
        "A sync keeps up with what comes.",
    ),
)
