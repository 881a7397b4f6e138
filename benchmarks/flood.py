"""A market stream that pushes updates as fast as the socket takes them, in a process of its own on loopback.

`python -m benchmarks.flood COUNT` prints its port, then serves each connection COUNT book tickers of ten COIN-M symbols
with rising update ids, and waits for the client to leave. `--rate` slows it to so many updates a second.
"""

from __future__ import annotations

import argparse
import contextlib
import time
from collections.abc import Iterator

from websockets.sync.server import ServerConnection, serve

SYMBOLS = tuple(f"{base}USD_PERP" for base in ("BTC", "ETH", "SOL", "BNB", "XRP", "ADA", "DOT", "LTC", "LINK", "DOGE"))
FIRST_UPDATE_ID = 11_660_000_000_000
BLOCK = 1000  # updates in one write
TEMPLATES = tuple(
    f'{{"e":"bookTicker","u":%d,"s":"{symbol}","ps":"{symbol[:-5]}","b":"83732.4","B":"680",'
    '"a":"83732.5","A":"2458","T":1790373637547,"E":1790373637547,"st":2}'
    for symbol in SYMBOLS
)


def frame(payload: bytes) -> bytes:
    """An unmasked text frame of 126 to 65,535 bytes, RFC 6455 section 5.2."""
    return b"\x81\x7e" + len(payload).to_bytes(2, "big") + payload


def blocks(count: int) -> Iterator[bytes]:
    """The frames of `count` updates, a thousand to a block; made from one template a block, since ids are as long."""
    heads = [frame((template % FIRST_UPDATE_ID).encode()) for template in TEMPLATES]
    pattern = b"".join(head.replace(str(FIRST_UPDATE_ID).encode(), b"%d") for head in heads) * (BLOCK // len(SYMBOLS))
    for first in range(FIRST_UPDATE_ID, FIRST_UPDATE_ID + count, BLOCK):
        yield pattern % tuple(range(first, first + BLOCK))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("count", type=int)
    parser.add_argument("--rate", type=float, default=0.0, help="updates a second; 0 is as fast as possible")
    arguments = parser.parse_args()

    def flood(connection: ServerConnection) -> None:
        began = time.monotonic()
        sent = 0
        with contextlib.suppress(OSError):
            for block in blocks(arguments.count):
                connection.socket.sendall(block)
                sent += BLOCK
                if arguments.rate:
                    time.sleep(max(began + sent / arguments.rate - time.monotonic(), 0))
            for _ in connection:
                pass

    with serve(flood, "127.0.0.1", 0, compression=None, ping_interval=None) as server:
        print(server.socket.getsockname()[1], flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main()
