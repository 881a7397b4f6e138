"""An Airbyte source for Binance Futures market data that Binance pushes over WebSocket."""

from .source import SourceBinanceFutures

__all__ = ["SourceBinanceFutures"]
