"""Who gets which update, and its frames, built once for everyone who wants them and not at all where nobody does."""

from __future__ import annotations

from collections.abc import Sequence

from .connection import ExchangeConnection
from .updates import ALL_BOOK_TICKERS, Frames, Update, own_stream, text_frame, wrap


class _Audience:
    """Connections that get the same streams in the same form, and so the same bytes. `frames`: what is to be sent."""

    def __init__(self) -> None:
        self.connections: list[ExchangeConnection] = []
        self.frames: list[bytes] = []


class Audiences:
    """The open connections by what they get. Call `forget` whenever one comes, goes or gets other streams."""

    def __init__(self, connections: Sequence[ExchangeConnection], *, cross_market: bool) -> None:
        self._connections = connections
        self._cross_market = cross_market
        self._grouped: dict[tuple[int, bool, frozenset[str]], _Audience] | None = None
        self._of_symbol: dict[tuple[str, int], list[tuple[_Audience, bool]]] = {}

    def forget(self) -> None:
        self._grouped = None
        self._of_symbol.clear()

    def deliver_all_market(self, updates: Sequence[Update]) -> None:
        """Send updates on the all-market stream, which is the same on the hosts of both markets."""
        listening = [
            (audience, wrapped) for (_, wrapped, streams), audience in self._groups() if ALL_BOOK_TICKERS in streams
        ]
        if listening:
            for update in updates:
                _encode(update, ALL_BOOK_TICKERS, listening)
            self._send()

    def deliver_own(self, updates: Sequence[Update]) -> None:
        """Send updates on their contracts' own streams, which exist on the host of their market only."""
        for update in updates:
            key = update.symbol, update.market
            listening = self._of_symbol.get(key)
            if listening is None:
                listening = self._of_symbol[key] = self._listening_to(update)
            if listening:
                _encode(update, own_stream(update.symbol), listening)
        self._send()
        for connection in self._connections:
            if connection.late_streams:
                self._deliver_late(connection, updates)

    def _deliver_late(self, connection: ExchangeConnection, updates: Sequence[Update]) -> None:
        due: dict[float, list[bytes]] = {}
        for update in updates:
            stream = own_stream(update.symbol)
            late = connection.late_streams.get(stream)
            if late is not None and stream in connection.delivered and connection.address.market == update.market:
                payload = wrap(stream, update.payload) if connection.address.wrapped else update.payload
                due.setdefault(late, []).append(text_frame(payload))
        for late, frames in due.items():
            connection.loop.call_later(late, connection.push, Frames(frames))

    def _listening_to(self, update: Update) -> list[tuple[_Audience, bool]]:
        name = own_stream(update.symbol)
        return [
            (audience, wrapped)
            for (market, wrapped, streams), audience in self._groups()
            if name in streams and (self._cross_market or market == update.market)
        ]

    def _groups(self) -> list[tuple[tuple[int, bool, frozenset[str]], _Audience]]:
        if self._grouped is None:
            self._grouped = {}
            for connection in self._connections:
                in_time = connection.delivered.difference(connection.late_streams)
                key = connection.address.market, connection.address.wrapped, in_time
                self._grouped.setdefault(key, _Audience()).connections.append(connection)
        return list(self._grouped.items())

    def _send(self) -> None:
        for _, audience in self._groups():
            if audience.frames:
                frames = Frames(audience.frames)
                audience.frames = []
                for connection in audience.connections:
                    connection.push(frames)


def _encode(update: Update, stream: str, listening: Sequence[tuple[_Audience, bool]]) -> None:
    """Give the update's frame to each audience, raw or wrapped; each form is built once."""
    frames: dict[bool, bytes] = {}
    for audience, wrapped in listening:
        if wrapped not in frames:
            frames[wrapped] = text_frame(wrap(stream, update.payload) if wrapped else update.payload)
        audience.frames.append(frames[wrapped])
