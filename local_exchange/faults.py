"""What can happen to an open connection, by name."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal

from .connection import ExchangeConnection
from .updates import Frames, text_frame, wrap

FaultKind = Literal["rst", "fin", "close", "cut", "silence", "mute", "shutdown", "raw"]

_SAMPLE = (
    b'{"e":"bookTicker","u":11660059839759,"s":"BTCUSD_PERP","ps":"BTCUSD","b":"83732.4","B":"680",'
    b'"a":"83732.5","A":"2458","T":1790373637547,"E":1790373637547,"st":2}'
)
_FLUSH_TIMEOUT = 2.0


@dataclass(frozen=True)
class Fault:
    """What some kinds need: `code` and `reason` of a close frame, `data` to write, `after` how long to close."""

    code: int = 1001
    reason: str = ""
    data: bytes = b""
    after: float = 3.0


async def inject(kind: FaultKind, connection: ExchangeConnection, fault: Fault) -> None:
    """Let it happen; what takes longer, such as a closing handshake, goes on in the background."""
    connection.faults.append(kind)
    await _KINDS[kind](connection, fault)


async def _reset(connection: ExchangeConnection, _: Fault) -> None:
    await connection.reset()


async def _finish(connection: ExchangeConnection, _: Fault) -> None:
    await connection.finish()


async def _close(connection: ExchangeConnection, fault: Fault) -> None:
    connection.in_background(connection.close(fault.code, fault.reason))


async def _cut(connection: ExchangeConnection, _: Fault) -> None:
    """Half of a frame, then RST. What the socket has not taken would be discarded by it, hence the wait."""
    connection.gets_data = False
    frame = text_frame(_SAMPLE)
    connection.transport.write(frame[: len(frame) // 2])
    await connection.flush(_FLUSH_TIMEOUT)
    await connection.reset()


async def _silence(connection: ExchangeConnection, _: Fault) -> None:
    await connection.fall_silent()


async def _mute(connection: ExchangeConnection, _: Fault) -> None:
    connection.gets_data = False


async def _shutdown(connection: ExchangeConnection, fault: Fault) -> None:
    """Announce the end of this server, go on for a while, then close."""
    payload = b'{"e":"serverShutdown","E":%d}' % (connection.clock.now_us() // 1000)
    if connection.address.wrapped:
        payload = wrap("!serverShutdown", payload)
    connection.push(Frames([text_frame(payload)]))

    async def close_later() -> None:
        await asyncio.sleep(fault.after)
        await connection.close(1001)

    connection.in_background(close_later())


async def _raw(connection: ExchangeConnection, fault: Fault) -> None:
    connection.transport.write(fault.data)


_KINDS: dict[FaultKind, Callable[[ExchangeConnection, Fault], Awaitable[None]]] = {
    "rst": _reset,
    "fin": _finish,
    "close": _close,
    "cut": _cut,
    "silence": _silence,
    "mute": _mute,
    "shutdown": _shutdown,
    "raw": _raw,
}
