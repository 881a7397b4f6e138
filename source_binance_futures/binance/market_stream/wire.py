"""One open connection of a feed, with what it listens to: what a read of it gives. Belongs to the reading thread."""

from __future__ import annotations

from typing import NamedTuple

from ..clock import Clock
from ..transport.connection import Connection
from .events import Arrival, Batch
from .glance import Glance, control_answer, glance
from .messages import is_shutdown_notice
from .subscriptions import Subscriptions


class Reading(NamedTuple):
    """`refused` says why the server refused a subscription, `lost` why the connection is over."""

    arrival: Arrival
    samples: list[bytes]
    refused: str | None
    lost: str | None


class Wire:
    """Line `number` of feed `feed`, at the base with the position `base` in the list of bases.

    With `own_streams` contracts are followed by their own streams.
    """

    def __init__(
        self,
        connection: Connection,
        subscriptions: Subscriptions,
        clock: Clock,
        *,
        feed: int,
        number: int,
        base: int,
        own_streams: bool,
    ) -> None:
        self.connection = connection
        self.descriptor = connection.fileno()  # a connection that is over has none any more
        self.subscriptions = subscriptions
        self.base = base
        self._clock = clock
        self._feed = feed
        self._number = number
        self._own_streams = own_streams
        self._refused: str | None = None

    def read(self, now: float) -> Reading:
        """What has arrived; what answers our own messages, or announces the end, is no business of the consumer."""
        # The time before the read: rows vouch for what was pushed until then, so the connection must have lived then.
        received_at_us = self._clock.to_us(now)
        received = self.connection.receive()
        ended = bool(received.payloads) and received.drained and self.connection.has_ended()
        self._refused = None
        look: Glance | None = None
        batch: Batch | None = None
        if received.payloads:
            joined = b"".join(received.payloads)
            look = glance(received.payloads, joined, own_streams=self._own_streams)
            batch = self._batch(
                self._of_the_consumer(received.payloads, look, now), look, len(joined), now, received_at_us
            )
        arrival = Arrival(
            batch,
            look is not None and look.has_data,
            look is not None and look.has_update,
            received.heard,
            received.drained,
            look is not None and look.retiring,
            ended,
        )
        loss = self.connection.loss
        return Reading(arrival, look.samples if look else [], self._refused, None if loss is None else str(loss))

    def _of_the_consumer(self, payloads: list[bytes], look: Glance, now: float) -> list[bytes]:
        if look.retiring:
            payloads = [payload for payload in payloads if not is_shutdown_notice(payload)]
        if self.subscriptions.expects_answer:
            payloads = [payload for payload in payloads if not self._is_answer(payload, now)]
        return payloads

    def _batch(
        self, payloads: list[bytes], look: Glance, characters: int, now: float, received_at_us: int
    ) -> Batch | None:
        if not payloads:
            return None
        return Batch(
            payloads,
            characters,
            now,
            received_at_us=received_at_us,
            pushed_from=look.pushed_from,
            pushed_at=look.pushed_at,
            feed=self._feed,
            line=self._number,
        )

    def _is_answer(self, payload: bytes, now: float) -> bool:
        answer = control_answer(payload) if b'"s"' not in payload else None
        if answer is None:
            return False
        self._refused = self.subscriptions.answered(answer, now) or self._refused
        return True
