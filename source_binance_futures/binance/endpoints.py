"""Where Binance is: the addresses of each environment, and how a stream is named in a URL."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote

ALL_MARKET_STREAM = "!bookTicker"


@dataclass(frozen=True)
class Environment:
    """One exchange: `market_stream_url` is a base, `websocket_api_url` is whole.

    `identity` is written into the state: update ids of two identities are never compared, since each
    environment counts for itself [binance-protocol 2.4].
    """

    name: str
    market_stream_url: str
    websocket_api_url: str

    @property
    def identity(self) -> str:
        return self.name if self.name != "custom" else f"custom {self.market_stream_url}"


PRODUCTION = Environment("production", "wss://dstream.binance.com", "wss://ws-fapi.binance.com/ws-fapi/v1")
TESTNET = Environment("testnet", "wss://dstream.binancefuture.com", "wss://testnet.binancefuture.com/ws-fapi/v1")


def market_stream_address(base: str, symbols: Sequence[str]) -> str:
    """The URL of the all-market stream, or of the real-time stream of each of `symbols`.

    Stream names are lowercase on the wire: an uppercase one is acknowledged and then stays silent
    [binance-protocol 1]. Naming them in the URL saves the control messages that are limited to 10 a second.

    >>> market_stream_address("wss://dstream.binance.com", [])
    'wss://dstream.binance.com/ws/!bookTicker'
    >>> market_stream_address("wss://dstream.binance.com", ["BTCUSD_PERP", "ETHUSD_PERP"])
    'wss://dstream.binance.com/stream?streams=btcusd_perp@bookTicker/ethusd_perp@bookTicker'
    """
    base = base.rstrip("/")
    if not symbols:
        return f"{base}/ws/{ALL_MARKET_STREAM}"
    names = "/".join(quote(f"{symbol.lower()}@bookTicker", safe="@_") for symbol in symbols)
    return f"{base}/stream?streams={names}"
