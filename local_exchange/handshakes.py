"""The door: what each handshake is answered, and the faults a test puts there."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Literal
from urllib.parse import urlsplit

from websockets.asyncio.server import ServerConnection
from websockets.datastructures import Headers
from websockets.http11 import Request, Response

from . import websocket_api
from .addresses import Address, address_of
from .connection import ExchangeConnection
from .contracts import COIN_MARGINED

Endpoint = Literal["market", "coin_m", "usds_m", "api"]
"""Whose handshakes: "market" is both market streams."""

_ENDLESS_SECONDS = 60.0
_ENDLESS_BYTES = 64 * 2**20
_HEADER_LINES = b"".join(b"X-Endless-%d: %b\r\n" % (i, b"x" * 100) for i in range(100))


@dataclass(frozen=True)
class Refusal:
    """An HTTP status in place of 101, such as 451 or 418 with `Retry-After`."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str = ""

    def response(self) -> Response:
        try:
            phrase = HTTPStatus(self.status).phrase
        except ValueError:
            phrase = "Unknown"
        body = self.body.encode()
        headers = Headers({"Connection": "close", "Content-Length": str(len(body)), **self.headers})
        return Response(self.status, phrase, headers, body)


@dataclass(frozen=True)
class SlowHandshake:
    """The answer comes, but only after `seconds`."""

    seconds: float


@dataclass(frozen=True)
class EndlessHeaders:
    """The answer begins and never ends: header lines until the client goes away, 60 s or 64 MiB."""


@dataclass(frozen=True)
class ClosedAtOnce:
    """The connection is opened, and closed with this code before anything else."""

    code: int
    reason: str


HandshakeFault = Refusal | SlowHandshake | EndlessHeaders | ClosedAtOnce


@dataclass
class _Rule:
    fault: HandshakeFault
    endpoint: Endpoint | None
    times: int | None
    """How often it still applies; None for always."""


def is_api(path: str) -> bool:
    return urlsplit(path).path == websocket_api.PATH


def _endpoints(address: Address | None) -> tuple[Endpoint, ...]:
    """What a rule may name to apply to a handshake; None stands for the API."""
    if address is None:
        return ("api",)
    return "market", "coin_m" if address.market == COIN_MARGINED else "usds_m"


class Door:
    """Answers handshakes, and remembers each as (monotonic time it came, path, status answered).

    `missing_prefixes`: beginnings of paths that are answered 404, see `addresses`.
    """

    def __init__(self, missing_prefixes: frozenset[str]) -> None:
        self.handshakes: list[tuple[float, str, int]] = []
        self._missing_prefixes = missing_prefixes
        self._rules: list[_Rule] = []
        self._kept_waiting: set[ExchangeConnection] = set()

    def add(self, fault: HandshakeFault, *, endpoint: Endpoint | None, times: int | None) -> None:
        """Let the next handshakes meet this fault. One handshake meets one fault, the oldest that applies to it."""
        self._rules.append(_Rule(fault, endpoint, times))

    def clear(self) -> None:
        self._rules.clear()

    def close(self) -> None:
        """Turn away whoever still waits for an answer."""
        for connection in self._kept_waiting:
            connection.transport.abort()

    async def process_request(self, connection: ServerConnection, request: Request) -> Response | None:
        """Called by `websockets` when the request is there: a response to give, or None to open the connection."""
        assert isinstance(connection, ExchangeConnection)
        address = address_of(request.path)
        if address is not None and address.prefix not in self._missing_prefixes:
            connection.address = address
        elif not is_api(request.path):
            return Refusal(404).response()
        fault = self._next_fault(_endpoints(address))
        if isinstance(fault, Refusal):
            return fault.response()
        if isinstance(fault, ClosedAtOnce):
            connection.closed_at_once = fault.code, fault.reason
        self._kept_waiting.add(connection)
        try:
            if isinstance(fault, SlowHandshake):
                await asyncio.wait([connection.connection_lost_waiter], timeout=fault.seconds)
            elif isinstance(fault, EndlessHeaders):
                await _send_endless_headers(connection)
        finally:
            self._kept_waiting.discard(connection)
        return None

    def process_response(self, connection: ServerConnection, request: Request, response: Response) -> None:
        """Called by `websockets` with the answer it is about to send."""
        assert isinstance(connection, ExchangeConnection)
        self.handshakes.append((connection.requested_at, request.path, response.status_code))

    def _next_fault(self, endpoints: tuple[Endpoint, ...]) -> HandshakeFault | None:
        for rule in self._rules:
            if rule.endpoint is None or rule.endpoint in endpoints:
                if rule.times is not None:
                    rule.times -= 1
                    if rule.times == 0:
                        self._rules.remove(rule)
                return rule.fault
        return None


async def _send_endless_headers(connection: ExchangeConnection) -> None:
    """Send an answer that never ends, as fast as the client takes it. Afterwards the connection is gone."""
    transport: Any = connection.transport
    transport.write(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n")
    deadline = connection.loop.time() + _ENDLESS_SECONDS
    sent = 0
    while sent < _ENDLESS_BYTES and connection.loop.time() < deadline and not transport.is_closing():
        if transport.get_write_buffer_size() == 0:
            transport.write(_HEADER_LINES)
            sent += len(_HEADER_LINES)
        await asyncio.sleep(0)
    transport.abort()
    await connection.wait_closed()
