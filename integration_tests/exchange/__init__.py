"""A Binance look-alike on loopback: the COIN-M futures market stream and the USDⓈ-M WebSocket API, for real, over real sockets.

What it imitates stands in Binance's documentation of both; `ws/` and `stream` paths, control messages, update ids, limits and
close codes behave as documented or as recorded. It broadcasts and never replays. It serves three uses: a test's context
manager, `python -m integration_tests.exchange` by hand, and the demo.
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
