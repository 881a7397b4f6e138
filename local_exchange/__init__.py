"""A Binance look-alike on loopback: the COIN-M futures market stream and the USDⓈ-M WebSocket API over real sockets.

Paths, control messages, update ids, limits and close codes behave as documented or recorded; it broadcasts and never
replays. Tests use it as a context manager, people and the demo through `python -m local_exchange`.

    local_exchange   the context manager: a thread around the event loop, and everything a test may ask or do
    server           one port; behind it the two endpoints
    handshakes       the door: refusals, slow and endless answers
    market_stream    who listens to what, and the push; control_messages, updates (their frames)
    engine           synthetic updates of the contracts; recording: recorded ones
    websocket_api    ticker.price, weights and limits; answers: what a test scripts instead
    connection       one client; faults: what may happen to it
"""

from .answers import Answer, CloseConnection, Delayed, DropConnection, Fragmented, NoAnswer
from .connection import ExchangeConnection
from .local_exchange import LocalExchange

__all__ = [
    "Answer",
    "CloseConnection",
    "Delayed",
    "DropConnection",
    "ExchangeConnection",
    "Fragmented",
    "LocalExchange",
    "NoAnswer",
]
