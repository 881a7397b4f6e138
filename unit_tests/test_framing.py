"""The frame cutter against the `websockets` library: what one makes of a stream of bytes, the other must make of it."""

from __future__ import annotations

import tracemalloc
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.frames import Frame, Opcode
from websockets.protocol import Protocol, Side, State

from source_binance_futures.binance.transport.framing import Cut, FrameCutter

LIMIT = 1024 * 1024
CONTROL_OPCODES = (Opcode.PING, Opcode.PONG)
# Lengths on both sides of each of the three encodings.
LENGTHS = st.one_of(st.integers(0, 20), st.sampled_from([125, 126, 127, 65535, 65536]))


def wire(opcode: int, payload: bytes, *, final: bool = True) -> bytes:
    return Frame(Opcode(opcode), payload, fin=final).serialize(mask=False)


@st.composite
def payloads(draw: st.DrawFn) -> bytes:
    """Text that is valid UTF-8, since `websockets` checks it and Binance's streams are text."""
    length = draw(LENGTHS)
    return draw(st.binary(min_size=1, max_size=1).map(lambda byte: bytes([byte[0] & 0x7F]))) * length


@st.composite
def control_frames(draw: st.DrawFn) -> bytes:
    return wire(draw(st.sampled_from(CONTROL_OPCODES)), draw(st.binary(max_size=125)))


@st.composite
def messages(draw: st.DrawFn) -> list[bytes]:
    """One message as its frames: whole or in fragments, with control frames in between, text or binary."""
    opcode = draw(st.sampled_from([Opcode.TEXT, Opcode.BINARY]))
    fragments = draw(st.lists(payloads(), min_size=1, max_size=4))
    frames: list[bytes] = []
    for position, fragment in enumerate(fragments):
        final = position == len(fragments) - 1
        frames.append(wire(opcode if position == 0 else Opcode.CONT, fragment, final=final))
        if not final:
            frames += draw(st.lists(control_frames(), max_size=2))
    return frames


streams = st.lists(st.one_of(messages(), control_frames().map(lambda frame: [frame])), max_size=8).map(
    lambda parts: b"".join(frame for part in parts for frame in part)
)


@st.composite
def split_streams(draw: st.DrawFn) -> list[bytes]:
    """A stream of frames in any pieces, among them single bytes and cuts right behind a header."""
    data = draw(streams)
    near_the_start = st.integers(0, min(len(data), 40))
    cuts = sorted(draw(st.lists(st.one_of(near_the_start, st.integers(0, len(data))), max_size=12)))
    return [data[start:end] for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True)]


def cut(pieces: Sequence[bytes], limit: int = LIMIT) -> tuple[list[bytes], list[tuple[int, bytes]], FrameCutter]:
    cutter = FrameCutter(limit)
    found: list[bytes] = []
    controls: list[tuple[int, bytes]] = []
    for piece in pieces:
        cut_here = cutter.cut(piece)
        found += cut_here.payloads
        controls += cut_here.controls
    return found, controls, cutter


def by_websockets(data: bytes) -> tuple[list[bytes], list[tuple[int, bytes]]]:
    """Messages and control frames as `websockets` sees them, fragments put together."""
    protocol = Protocol(Side.CLIENT, state=State.OPEN, max_size=LIMIT)
    protocol.receive_data(data)
    found: list[bytes] = []
    controls: list[tuple[int, bytes]] = []
    for frame in protocol.events_received():
        assert isinstance(frame, Frame)
        if frame.opcode in CONTROL_OPCODES:
            controls.append((int(frame.opcode), bytes(frame.data)))
        elif frame.opcode is Opcode.CONT:
            found[-1] += bytes(frame.data)
        else:
            found.append(bytes(frame.data))
    assert protocol.parser_exc is None
    return found, controls


@settings(deadline=None)
@given(split_streams())
def test_any_split_of_any_valid_stream_gives_what_websockets_gives(pieces: list[bytes]) -> None:
    found, controls, cutter = cut(pieces)
    assert cutter.violation is None
    assert (found, controls) == by_websockets(b"".join(pieces))


BEFORE = wire(Opcode.TEXT, b"one") + wire(Opcode.PING, b"p") + wire(Opcode.TEXT, b"two")
BEGUN = wire(Opcode.TEXT, b"a", final=False)
MASKED_16 = Frame(Opcode.TEXT, b"x" * 200).serialize(mask=True)
VIOLATIONS = {
    "masked": (Frame(Opcode.TEXT, b"hello").serialize(mask=True), 1002, "masked"),
    "masked, 16 bits": (MASKED_16, 1002, "masked"),
    "masked and empty": (b"\x81\x80\x00\x00\x00\x00", 1002, "masked"),
    "rsv1": (b"\xc1\x02hi", 1002, "compressed"),
    "rsv2": (b"\xa1\x02hi", 1002, "compressed"),
    "rsv3": (b"\x91\x02hi", 1002, "compressed"),
    "rsv1 on a control frame": (b"\xc9\x00", 1002, "compressed"),
    "rsv1 on the first fragment": (b"\x41\x02hi", 1002, "compressed"),
    "continuation of nothing": (wire(Opcode.CONT, b"x"), 1002, "continuation"),
    "message inside a message": (BEGUN + wire(Opcode.TEXT, b"b"), 1002, "inside a fragmented one"),
    "binary inside a message": (BEGUN + wire(Opcode.BINARY, b"b", final=False), 1002, "inside a fragmented one"),
    "reserved opcode": (b"\x83\x00", 1002, "unknown"),
    "reserved control opcode": (b"\x8b\x00", 1002, "unknown"),
    "fragmented ping": (b"\x09\x01p", 1002, "control frame"),
    "long ping": (b"\x89\x7e\x00\x7e" + b"p" * 126, 1002, "control frame"),
    "long close": (b"\x88\x7e\x00\x80" + b"p" * 128, 1002, "control frame"),
    "one byte too many": (b"\x81\x7f" + (LIMIT + 1).to_bytes(8, "big"), 1009, str(LIMIT + 1)),
    "2**40 bytes": (b"\x82\x7f" + (2**40).to_bytes(8, "big"), 1009, str(2**40)),
    "2**64 - 1 bytes": (b"\x81\x7f" + b"\xff" * 8, 1009, str(2**64 - 1)),
}


@pytest.mark.parametrize("name", VIOLATIONS)
@pytest.mark.parametrize("step", [1, 7, 10**9], ids=["byte by byte", "sevens", "whole"])
def test_a_violation_is_named_and_what_came_before_it_counts(name: str, step: int) -> None:
    bad, code, words = VIOLATIONS[name]
    data = BEFORE + bad + wire(Opcode.TEXT, b"after")
    found, controls, cutter = cut([data[i : i + step] for i in range(0, len(data), step)])
    assert found == [b"one", b"two"]
    assert controls == [(Opcode.PING, b"p")]
    assert cutter.violation is not None
    assert cutter.violation.close_code == code
    assert words in str(cutter.violation)
    assert f"code {code}" in str(cutter.violation)
    assert cutter.cut(wire(Opcode.TEXT, b"more")) == ([], [])


@pytest.mark.parametrize("name", [name for name in VIOLATIONS if "bytes" not in name and "byte " not in name])
def test_websockets_refuses_what_we_refuse(name: str) -> None:
    protocol = Protocol(Side.CLIENT, state=State.OPEN, max_size=LIMIT)
    protocol.receive_data(VIOLATIONS[name][0])
    assert protocol.parser_exc is not None


@pytest.mark.parametrize("length", [125, 126, 65535, 65536])
def test_lengths_in_longer_encodings_than_needed_are_read(length: int) -> None:
    """Not minimal, so not allowed to send; but harmless to take, and no reason to lose a connection."""
    assert cut([b"\x81\x7f" + length.to_bytes(8, "big") + b"x" * length])[0] == [b"x" * length]


@pytest.mark.parametrize("step", [1, 10**9], ids=["byte by byte", "whole"])
@pytest.mark.parametrize("header", [b"\x81\x00", b"\x81\x7e\x00\x00", b"\x81\x7f" + bytes(8)])
def test_an_empty_message_ends_with_its_header(header: bytes, step: int) -> None:
    assert cut([header[i : i + step] for i in range(0, len(header), step)])[0] == [b""]


@pytest.mark.parametrize(("length", "looks"), [(5, 3), (200, 4), (70_000, 4)])
def test_an_incomplete_frame_is_looked_at_where_its_header_or_its_end_is_there(
    length: int, looks: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each look copies what is held: one at each chunk would copy gigabytes."""
    look = FrameCutter._cut_whole_frames
    held: list[int] = []

    def counted(cutter: FrameCutter, data: bytes, found: Cut) -> int:
        held.append(len(data))
        return look(cutter, data, found)

    monkeypatch.setattr(FrameCutter, "_cut_whole_frames", counted)
    frame = wire(Opcode.TEXT, b"x" * length)
    assert cut([frame[i : i + 1] for i in range(len(frame))])[0] == [b"x" * length]
    assert len(held) == looks
    assert held[-1] == len(frame)


def test_a_whole_text_takes_the_short_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(FrameCutter, "_take_rare_frame")
    assert cut([wire(Opcode.TEXT, b"one") + wire(Opcode.TEXT, b"x" * 70_000)])[0] == [b"one", b"x" * 70_000]


def test_the_largest_messages_and_control_frames_pass_whole_and_in_fragments() -> None:
    """The size of one message does not count for the next."""
    half = b"x" * (LIMIT // 2)
    whole, fragmented = wire(Opcode.TEXT, half * 2), wire(Opcode.TEXT, half, final=False) + wire(Opcode.CONT, half)
    control = [(Opcode.PING, b"p" * 125), (Opcode.CLOSE, b"\x03\xe9gone")]
    found, controls, cutter = cut([whole + fragmented * 2, *(wire(opcode, payload) for opcode, payload in control)])
    assert (found, controls) == ([half * 2] * 3, control)
    assert cutter.violation is None


@pytest.mark.parametrize(
    ("part", "count"),
    [pytest.param(b"x" * (LIMIT // 8), 8, id="larger than a whole one"), pytest.param(b"", 10_000, id="without end")],
)
def test_a_message_of_too_many_fragments_is_refused(part: bytes, count: int) -> None:
    pieces = [wire(Opcode.TEXT, part, final=False)] + [wire(Opcode.CONT, part, final=False)] * (count - 1)
    assert cut(pieces)[2].violation is None
    found, _, cutter = cut([*pieces, wire(Opcode.CONT, part or b"", final=False)])
    assert found == []
    assert cutter.violation is not None
    assert cutter.violation.close_code == 1009


def test_a_frame_in_tiny_chunks_costs_bounded_memory() -> None:
    """Two bytes are the smallest that cost an object each: who kept them would hold twenty times the frame."""
    limit = LIMIT // 8
    frame = wire(Opcode.TEXT, b"xy" * (limit // 2))
    cutter = FrameCutter(limit)
    tracemalloc.start()
    try:
        found = [
            payload for start in range(0, len(frame), 2) for payload in cutter.cut(frame[start : start + 2]).payloads
        ]
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert [len(payload) for payload in found] == [limit]
    assert peak < 8 * limit


def test_nothing_is_kept_of_frames_that_are_through() -> None:
    cutter = FrameCutter(LIMIT)
    data = wire(Opcode.TEXT, b"x" * 180) * 1000
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        for _ in range(10):
            cutter.cut(data)
            cutter.cut(data[:100])
            cutter.cut(data[100:])
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - before < LIMIT // 4
