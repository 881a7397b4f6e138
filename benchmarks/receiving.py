"""Receiving without the CDK: `python -m benchmarks.receiving WAY URL COUNT` prints updates a second.

- `cut`: frames cut in bulk from large reads, as the connector does.
- `parse`: the same, and each parsed to a book ticker.
- `record`: the same, and each built into the record.
- `library`: websocket-client's own `recv`, its socket behind a read buffer, its UTF-8 check left out.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

import websocket

from source_binance_futures.binance.deadline import Deadline
from source_binance_futures.binance.market_stream.messages import book_ticker_record, parse_frame
from source_binance_futures.binance.transport.channel import READ_BYTES
from source_binance_futures.binance.transport.connection import Connection
from source_binance_futures.binance.transport.route import Route

MAX_MESSAGE_BYTES = 1 << 20


class _ReadBuffer:
    """A socket that is read 256 KiB at a time and handed out in the small pieces that the library asks for."""

    def __init__(self, sock: Any) -> None:
        self._socket = sock
        self._held = b""
        self._at = 0

    def recv(self, size: int) -> bytes:
        if self._at >= len(self._held):
            self._held, self._at = self._socket.recv(READ_BYTES), 0
        piece = self._held[self._at : self._at + size]
        self._at += len(piece)
        return piece

    def __getattr__(self, name: str) -> Any:
        return getattr(self._socket, name)


def in_bulk(url: str, count: int, use: Callable[[bytes], object] | None) -> float:
    connection = Connection.open(url, Route(), Deadline.after(10), MAX_MESSAGE_BYTES)
    received, began = 0, time.perf_counter()
    while received < count and connection.loss is None:
        connection.wait(5)
        payloads = connection.receive().payloads
        if use is not None:
            for payload in payloads:
                use(payload)
        received += len(payloads)
    seconds = time.perf_counter() - began
    connection.close()
    return received / seconds


def by_library(url: str, count: int) -> float:
    client = websocket.create_connection(url, skip_utf8_validation=True, enable_multithread=False)
    client.sock = _ReadBuffer(client.sock)  # type: ignore[assignment]  # as much of a socket as the library uses
    began = time.perf_counter()
    for _ in range(count):
        client.recv()
    return count / (time.perf_counter() - began)


def build(payload: bytes) -> object:
    return book_ticker_record(parse_frame(payload)[0], 1, 1)


def main() -> None:
    way, url, count = sys.argv[1], sys.argv[2] + "/ws/!bookTicker", int(sys.argv[3])
    uses: dict[str, Callable[[bytes], object] | None] = {"cut": None, "parse": parse_frame, "record": build}
    rate = by_library(url, count) if way == "library" else in_bulk(url, count, uses[way])
    print(f"{rate:.0f}")


if __name__ == "__main__":
    main()
