"""Where Binance is: the addresses of each environment, and how a stream is named in a URL."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

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


def host_of(url: str) -> str:
    """The host of a URL as a person names it, with its port where one is written."""
    parts = urlsplit(url)
    return f"{parts.hostname}:{parts.port}" if parts.port else str(parts.hostname)


def fault_of_address(url: str) -> str | None:
    """What is wrong with a WebSocket address that a user typed, as the end of a sentence; None if nothing is.

    Plain `ws://` is for an exchange on the same machine only: elsewhere anybody on the way could change prices.
    """
    try:
        parts = urlsplit(url)
        host = parts.hostname
        _ = parts.port
    except ValueError:
        return "is not an address; write it like wss://host or wss://host:port"
    if parts.scheme not in ("ws", "wss") or not host or any(character.isspace() for character in url):
        return "is not a WebSocket address; write it like wss://host or wss://host:port"
    if parts.username is not None or parts.password is not None:
        return "carries a user or password; Binance's market data needs none, so leave them out"
    if parts.scheme == "ws" and not is_loopback(host):
        return "is not encrypted; write wss:// (ws:// is accepted for this machine only, such as ws://127.0.0.1:8765)"
    if parts.fragment:
        return "carries a # part, which a WebSocket address has not; leave it out"
    return None


def is_loopback(host: str) -> bool:
    """Whether a host is written as this machine itself; no name is looked up."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
