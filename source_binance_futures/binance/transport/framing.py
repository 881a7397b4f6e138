"""WebSocket framing on the receiving side (RFC 6455 section 5), pure: `81 05 48 65 6c 6c 6f` -> `Hello`.

By hand because it is the hot path: it cuts a whole read of the socket at once, where websocket-client makes three
`recv` calls and a UTF-8 check in Python for each frame.
"""

from __future__ import annotations

from typing import NamedTuple

from ..errors import ProtocolViolation

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
FIN = 0x80
WHOLE_TEXT = FIN | TEXT
PROTOCOL_ERROR = 1002
MESSAGE_TOO_BIG = 1009
SHORTEST_HEADER = 2
LENGTH_16, LENGTH_64 = 126, 127
MAX_CONTROL_PAYLOAD = 125
MAX_FRAGMENTS = 10_000  # empty fragments cost memory too


class ControlFrame(NamedTuple):
    opcode: int
    payload: bytes


class Cut(NamedTuple):
    """What a piece of the stream completed."""

    payloads: list[bytes]
    controls: list[ControlFrame]


class FrameCutter:
    """Cuts the byte stream of one connection, until a `violation` of the protocol or of `max_message_bytes`."""

    def __init__(self, max_message_bytes: int) -> None:
        self.violation: ProtocolViolation | None = None
        self._max = max_message_bytes
        self._held = bytearray()  # an incomplete frame
        self._needed = SHORTEST_HEADER  # bytes of it that must be there before it is worth looking again
        self._fragments: list[bytes] | None = None  # an unfinished fragmented message
        self._fragments_size = 0

    def cut(self, data: bytes) -> Cut:
        """Takes what a read of the socket gave; returns what it completes, in order."""
        found = Cut([], [])
        if self.violation is not None:
            return found
        if self._held:
            self._held += data
            if len(self._held) < self._needed:
                return found
            data = bytes(self._held)
            self._held = bytearray()
        try:
            position = self._cut_whole_frames(data, found)
            self._held += memoryview(data)[position:]
        except ProtocolViolation as violation:
            self.violation = violation.with_traceback(None)  # which would keep all that was read
        return found

    def _cut_whole_frames(self, data: bytes, found: Cut) -> int:
        """Appends what is complete; returns where the first incomplete frame begins. Raises `ProtocolViolation`."""
        append = found.payloads.append
        limit = self._max
        position = 0
        end = len(data)
        while end - position >= SHORTEST_HEADER:
            first = data[position]
            length = data[position + 1]
            start = position + 2
            if length == LENGTH_16:
                start += 2
                if start > end:
                    self._needed = 4
                    return position
                length = data[position + 2] << 8 | data[position + 3]
            elif length > LENGTH_16:
                start += 8
                if length > LENGTH_64:
                    raise ProtocolViolation(PROTOCOL_ERROR, "a masked frame")
                if start > end:
                    self._needed = 10
                    return position
                length = int.from_bytes(data[position + 2 : start], "big")
            if length > limit:
                raise ProtocolViolation(MESSAGE_TOO_BIG, f"a frame of {length} bytes, more than {limit}")
            stop = start + length
            if stop > end:
                self._needed = stop - position
                return position
            if first == WHOLE_TEXT and self._fragments is None:
                append(data[start:stop])
            else:
                self._take_rare_frame(first, data[start:stop], found)
            position = stop
        self._needed = SHORTEST_HEADER
        return position

    def _take_rare_frame(self, first: int, payload: bytes, found: Cut) -> None:
        """A control frame, a binary one, or a piece of a fragmented message. Raises `ProtocolViolation`."""
        final, opcode = first & FIN, first & 0x0F
        if first & 0x70:
            raise ProtocolViolation(PROTOCOL_ERROR, "a compressed frame, which was not agreed on")
        if opcode in (CLOSE, PING, PONG):
            if not final or len(payload) > MAX_CONTROL_PAYLOAD:
                raise ProtocolViolation(PROTOCOL_ERROR, "a control frame that is fragmented or too long")
            found.controls.append(ControlFrame(opcode, payload))
        elif opcode in (TEXT, BINARY):
            if self._fragments is not None:
                raise ProtocolViolation(PROTOCOL_ERROR, "a new message inside a fragmented one")
            if final:
                found.payloads.append(payload)
            else:
                self._fragments, self._fragments_size = [payload], len(payload)
        elif opcode == CONTINUATION and self._fragments is not None:
            self._fragments.append(payload)
            self._fragments_size += len(payload)
            if self._fragments_size > self._max or len(self._fragments) > MAX_FRAGMENTS:
                raise ProtocolViolation(MESSAGE_TOO_BIG, f"a fragmented message of more than {self._max} bytes")
            if final:
                found.payloads.append(b"".join(self._fragments))
                self._fragments = None
        else:
            raise ProtocolViolation(PROTOCOL_ERROR, "a continuation of nothing, or an unknown kind of frame")
