"""An Airbyte source for Binance Futures market data that Binance pushes over WebSocket."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .source import SourceBinanceFutures

__all__ = ["SourceBinanceFutures"]


def __getattr__(name: str) -> Any:
    """Return the source, once somebody asks for it: it brings the CDK, whose import takes seconds."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from .source import SourceBinanceFutures  # noqa: PLC0415

    return SourceBinanceFutures
