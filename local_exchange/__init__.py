"""A Binance look-alike on loopback: the futures market streams of both markets and the USDⓈ-M WebSocket API.

Paths, control messages, update ids, samples, limits and close codes behave as documented or recorded; it broadcasts and
never replays. Tests use it as a context manager, people and the demo through `python -m local_exchange`.

    local_exchange   the context manager: a thread around the event loop, and everything a test may ask or do
    fault_injection  the part of it that makes trouble; named_faults: the same by name, for the command line
    server           one port; behind it the endpoints
    addresses        which path stands for which host, and what it asks for
    handshakes       the door: refusals, slow and endless answers
    market_stream    the pipelines from a change to those who listen; samples: the all-market one, every five seconds
    audiences        who gets what, encoded once; updates: one update and its frames
    subscriptions    the streams of each connection; control_messages: what a control message is answered
    engine           synthetic updates of the contracts; recording: recorded ones
    contracts        what is listed; made_up: names in any number
    websocket_api    ticker.price, weights and limits; answers: what a test scripts instead
    connection       one client; faults: what may happen to it
"""

from .answers import Answer, CloseConnection, Delayed, DropConnection, Fragmented, NoAnswer
from .connection import ExchangeConnection
from .local_exchange import LocalExchange
from .made_up import made_up_coin_m, made_up_usds_m

__all__ = [
    "Answer",
    "CloseConnection",
    "Delayed",
    "DropConnection",
    "ExchangeConnection",
    "Fragmented",
    "LocalExchange",
    "NoAnswer",
    "made_up_coin_m",
    "made_up_usds_m",
]
