"""Attempts to connect, in the background, and never more than a run may make."""

from __future__ import annotations

import queue
import threading
from typing import NamedTuple

from ..binance.clock import Clock
from ..binance.endpoints import stream_address
from ..binance.errors import BinanceError
from ..binance.market_stream.dialling import MAX_MESSAGE_BYTES, UnexpectedFailure
from ..binance.transport.address import host_of
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
        self.under_way = 0
        self._route = route
        self._clock = clock
        self._most = most
        self._outcomes: queue.SimpleQueue[tuple[bool, Opened | Failed]] = queue.SimpleQueue()
        self._over = False

    def dial(self, address: Address, symbols: tuple[str, ...], *, succeeds: bool = False) -> bool:
        """Begins an attempt; False where no more are allowed. `succeeds` is handed through to `outcome`."""
        if self.made >= self._most:
            return False
        self.made += 1
        self.under_way += 1
        threading.Thread(
            target=self._attempt,
            args=(address, symbols, succeeds),
            name=f"connect to {host_of(address.base)}",
            daemon=True,
        ).start()
        return True

    def outcome(self) -> tuple[bool, Opened | Failed] | None:
        """How an attempt has ended, if one has; and whether it was to succeed another connection."""
        try:
            outcome = self._outcomes.get_nowait()
        except queue.Empty:
            return None
        self.under_way -= 1
        return outcome

    def close(self) -> None:
        """Connections that nobody has met yet, or that are still being opened, are left at once."""
        self._over = True
        self._leave_all()

    def _attempt(self, address: Address, symbols: tuple[str, ...], succeeds: bool) -> None:
        url, named = stream_address(address.base, streams_of(symbols))
        outcome: Opened | Failed
        try:
            deadline = self._clock.deadline(CONNECT_WITHIN)
            connection = WatchedConnection.open(url, self._route, deadline, MAX_MESSAGE_BYTES)
        except BinanceError as error:
            outcome = Failed(address, error)
        except Exception as error:  # whatever it is, the thread that waits must hear of it
            outcome = Failed(address, UnexpectedFailure(error))
        else:
            assert isinstance(connection, WatchedConnection)
            outcome = Opened(connection, address, symbols, named)
        self._outcomes.put((succeeds, outcome))
        if self._over:
            self._leave_all()

    def _leave_all(self) -> None:
        while (outcome := self.outcome()) is not None:
            if isinstance(outcome[1], Opened):
                outcome[1].connection.close()
