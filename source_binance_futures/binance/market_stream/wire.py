"""One open connection of a feed, with what it listens to: what a read of it gives. Belongs to the reading thread."""

from __future__ import annotations

from ..clock import Clock
from ..transport.connection import Connection
from .messages import Read, is_shutdown_notice, scan
from .subscriptions import Subscriptions, control_answer


class Wire:
    """A connection at the base with the position `base` in the list of bases.

    With `own_streams` contracts are followed by their own streams.
    """

    def __init__(
        self, connection: Connection, subscriptions: Subscriptions, clock: Clock, *, base: int, own_streams: bool
    ) -> None:
        self.connection = connection
        self.descriptor = connection.fileno()  # a connection that is over has none any more
        self.subscriptions = subscriptions
        self.base = base
        self._clock = clock
        self._own_streams = own_streams

    def read(self, now: float) -> Read:
        """What has arrived. Answers to our own messages and notices of shutdown are handled here, not forwarded."""
        # The time before the read: rows cover what was pushed until then, so the connection must have lived then.
        received_at_us = self._clock.to_us(now)
        received = self.connection.receive()
        ended = bool(received.payloads) and received.drained and self.connection.has_ended()
        read = scan(received.payloads, own_streams=self._own_streams)
        payloads, refused = read.payloads, None
        if read.retiring:
            payloads = [payload for payload in payloads if not is_shutdown_notice(payload)]
        if self.subscriptions.expects_answer:
            payloads, refused = self._take_answers(payloads, now)
        loss = self.connection.loss
        return read._replace(
            payloads=payloads,
            received_at_us=received_at_us,
            heard=received.heard,
            drained=received.drained,
            ended=ended,
            refused=refused,
            lost=None if loss is None else str(loss),
        )

    def _take_answers(self, payloads: list[bytes], now: float) -> tuple[list[bytes], str | None]:
        """The payloads that answer no control message, and why the server refused a subscription."""
        others, refused = [], None
        for payload in payloads:
            answer = control_answer(payload) if b'"s"' not in payload else None
            if answer is None:
                others.append(payload)
            else:
                refused = self.subscriptions.answered(answer, now) or refused
        return others, refused
