"""The WebSocket handshake (RFC 6455 section 4.1): asked and checked by websocket-client, read and judged here first."""

from __future__ import annotations

import io

import websocket

from ..clock import Deadline
from ..errors import HandshakeFailed
from ..refusals import refusal
from .address import host_of
from .channel import Channel, EndOfStream
from .http_head import SWITCHING_PROTOCOLS, HeadError, read_answer
from .tcp import reason

USER_AGENT = "source-binance-futures"
CHECKED_HEADERS = ("upgrade", "connection", "sec-websocket-accept")


def shake_hands(channel: Channel, url: str, deadline: Deadline) -> None:
    """Makes an open channel a WebSocket connection. Raises a `ConnectFailed`, or `RateLimited` for HTTP 418 and 429."""
    host = host_of(url)
    try:
        websocket.WebSocket().connect(  # type: ignore[no-untyped-call]
            url,
            socket=_HandshakeSocket(channel, host, deadline),
            header=[f"User-Agent: {USER_AGENT}"],
            suppress_origin=True,
            redirect_limit=0,
        )
    except (TimeoutError, websocket.WebSocketTimeoutException) as error:
        raise HandshakeFailed(host, reason(TimeoutError())) from error
    except (EndOfStream, websocket.WebSocketConnectionClosedException) as error:
        raise HandshakeFailed(host, "the connection was closed during it") from error
    except OSError as error:
        raise HandshakeFailed(host, reason(error)) from error
    except (HeadError, ValueError, websocket.WebSocketException) as error:
        raise HandshakeFailed(host, str(error)) from error


class _HandshakeSocket:
    """The channel as websocket-client sees it during the handshake.

    The library reads an answer without limit and without a deadline for the whole, follows what it says of its
    length, and keeps its cookies. So it gets the three headers that it checks of an answer that was read and judged.
    """

    def __init__(self, channel: Channel, host: str, deadline: Deadline) -> None:
        self._channel = channel
        self._host = host
        self._deadline = deadline
        self._answer: io.BytesIO | None = None

    def send(self, data: bytes) -> int:
        self._channel.send(data, self._deadline)
        return len(data)

    def recv(self, size: int) -> bytes:
        if self._answer is None:
            self._answer = io.BytesIO(self._judged_answer())
        return self._answer.read(size)

    def _judged_answer(self) -> bytes:
        head = read_answer(self._channel, self._deadline)
        if head.status != SWITCHING_PROTOCOLS:
            raise refusal(self._host, head.status, head.headers, self._deadline.clock.epoch())
        lines = [f"{name}: {head.headers[name]}" for name in CHECKED_HEADERS if name in head.headers]
        return "\r\n".join([f"HTTP/1.1 {head.status} {head.reason}", *lines, "", ""]).encode()

    def gettimeout(self) -> float:
        return self._deadline.remaining()

    def close(self) -> None:
        """Whoever opened the channel closes it."""
