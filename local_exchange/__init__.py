"""A Binance look-alike on loopback: the futures market streams of both markets and the USDⓈ-M WebSocket API.

Paths, control messages, update ids, samples, limits and close codes behave as documented or recorded; it broadcasts and
never replays. Tests use it as a context manager, people and the demo through `python -m local_exchange`.

    local_exchange   the context manager: a thread around the event loop, and everything a test may ask or do
    faults           the part of it that makes trouble; the same by name, for the command line
    server           one port, and the door: refusals, slow and endless answers
    market_stream    the pipelines from a change to those who listen: own streams, and samples of the all-market one
    subscriptions    the streams of each connection, and what a control message is answered
    websocket_api    ticker.price, weights and limits, and what a test scripts instead
    connection       one client, and what may happen to it
    streams          which path stands for which host, what it asks for; one update and its frame
    engine           where updates come from: synthetic ones of the contracts, or recorded ones
    contracts        what is listed, and names in any number
"""

from .connection import ExchangeConnection
from .contracts import made_up_coin_m, made_up_usds_m
from .local_exchange import LocalExchange
from .websocket_api import Answer, CloseConnection, Delayed, DropConnection, Fragmented, NoAnswer

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
