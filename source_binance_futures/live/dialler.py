"""Attempts to connect, in the background, and never more than a run may make."""

from __future__ import annotations

import functools
from typing import NamedTuple

from ..binance.clock import Clock
from ..binance.endpoints import stream_address
from ..binance.errors import BinanceError
from ..binance.market_stream.dialling import MAX_MESSAGE_BYTES
from ..binance.transport import dialler
from ..binance.transport.dialler import open_in_background
from ..binance.transport.route import Route
from .addresses import Address
from .line import Opened, streams_of
from .watched import WatchedConnection

CONNECT_WITHIN = 10.0  # seconds


class Failed(NamedTuple):
    """An attempt that brought no connection."""

    address: Address
    error: BinanceError


class Dialler:
    """`made` counts the attempts, to which others that the run makes are added; it never exceeds `most`."""

    def __init__(self, route: Route, clock: Clock, *, most: int, made: int) -> None:
        self.made = made
        self._most = most
        opening = functools.partial(open_in_background, kind=WatchedConnection)
        self._dialler: dialler.Dialler[_Asked] = dialler.Dialler(route, clock, MAX_MESSAGE_BYTES, opening=opening)

    @property
    def under_way(self) -> int:
        return self._dialler.under_way

    def dial(self, address: Address, symbols: tuple[str, ...], *, succeeds: bool = False) -> bool:
        """Begins an attempt; False where no more are allowed. `succeeds` is handed through to `outcome`."""
        if self.made >= self._most:
            return False
        self.made += 1
        url, named = stream_address(address.base, streams_of(symbols))
        self._dialler.dial(url, CONNECT_WITHIN, _Asked(address, symbols, named, succeeds))
        return True

    def outcome(self) -> tuple[bool, Opened | Failed] | None:
        """How an attempt has ended, if one has; and whether it was to succeed another connection."""
        outcome = self._dialler.outcome()
        if outcome is None:
            return None
        asked, connection = outcome.tag, outcome.connection
        if outcome.error is not None:
            return asked.succeeds, Failed(asked.address, outcome.error)
        assert isinstance(connection, WatchedConnection)
        return asked.succeeds, Opened(connection, asked.address, asked.symbols, asked.named)

    def close(self) -> None:
        """Connections that nobody has met yet, or that are still being opened, are left at once."""
        self._dialler.close()


class _Asked(NamedTuple):
    address: Address
    symbols: tuple[str, ...]
    named: int
    succeeds: bool
