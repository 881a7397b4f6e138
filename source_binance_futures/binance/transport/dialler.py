"""The one dialler: connections opened in the background, handed over to the thread that asks, left if nobody does."""

from __future__ import annotations

import queue
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from ..clock import LOOK_EVERY, Clock, Deadline, Stop
from ..errors import BinanceError, HandshakeFailed, Interrupted, NoThread, UnexpectedFailure
from ..threads import start_thread
from .address import host_of
from .connection import Connection
from .route import Route

Tag = TypeVar("Tag")


class Opening(Protocol):
    """How a connection comes about: `hand_over` is called with it, or with what failed, from whatever thread."""

    def __call__(
        self,
        url: str,
        route: Route,
        deadline: Deadline,
        max_message_bytes: int,
        hand_over: Callable[[Connection | Exception], None],
    ) -> None: ...


def open_in_background(
    url: str,
    route: Route,
    deadline: Deadline,
    max_message_bytes: int,
    hand_over: Callable[[Connection | Exception], None],
) -> None:
    """Open a connection in a thread of its own, which calls `hand_over` with it, or with what `open` raised."""

    def attempt() -> None:
        try:
            outcome: Connection | Exception = Connection.open(url, route, deadline, max_message_bytes)
        except Exception as error:  # whatever it is, the thread that waits must hear of it
            outcome = error
        hand_over(outcome)

    host = host_of(url)
    try:
        start_thread(f"connect to {host}", attempt, f"No connection to {host} was tried")
    except NoThread as error:  # what is open goes on without it
        hand_over(error)


@dataclass(frozen=True)
class Outcome(Generic[Tag]):
    """How an attempt has ended: one of `connection` and `error` is None. `tag` is what it was dialled with."""

    tag: Tag
    connection: Connection | None
    error: BinanceError | None


class Dialler(Generic[Tag]):
    """Belongs to one thread; `wake` is called, from another one, when an attempt has ended.

    After `close` whatever is still being opened, or was never met, is left in good order.
    """

    def __init__(
        self,
        route: Route,
        clock: Clock,
        max_message_bytes: int,
        *,
        wake: Callable[[], None] = lambda: None,
        opening: Opening = open_in_background,
    ) -> None:
        self.under_way = 0
        self._route = route
        self._clock = clock
        self._max_message_bytes = max_message_bytes
        self._wake = wake
        self._opening = opening
        self._ended: queue.SimpleQueue[tuple[Tag, Connection | Exception]] = queue.SimpleQueue()
        self._is_closed = False

    def dial(self, url: str, within: float, tag: Tag) -> None:
        """Begin an attempt that may take so many seconds; it never raises."""

        def hand_over(ended: Connection | Exception) -> None:
            self._ended.put((tag, ended))
            if self._is_closed:  # set before `close` drains, and read after the put: one of the two finds it
                self._leave_all()
            self._wake()

        self.under_way += 1
        self._opening(url, self._route, self._clock.deadline(within), self._max_message_bytes, hand_over)

    def outcome(self, seconds: float = 0.0) -> Outcome[Tag] | None:
        """Return how an attempt has ended, waiting at most so many seconds for one that does; None if none has."""
        try:
            tag, ended = self._ended.get(timeout=seconds) if seconds > 0 else self._ended.get_nowait()
        except queue.Empty:
            return None
        self.under_way -= 1
        if isinstance(ended, Connection):
            return Outcome(tag, ended, None)
        if isinstance(ended, BinanceError):
            return Outcome(tag, None, ended)
        unexpected = UnexpectedFailure(ended)
        unexpected.__cause__ = ended
        return Outcome(tag, None, unexpected)

    def close(self) -> None:
        """Leave every connection that was opened and not met yet, now or as soon as it comes about."""
        self._is_closed = True
        self._leave_all()

    def _leave_all(self) -> None:
        while True:
            try:
                _, ended = self._ended.get_nowait()
            except queue.Empty:
                return
            if isinstance(ended, Connection):
                ended.close()


def connect(url: str, route: Route, stop: Stop, within: float, max_message_bytes: int) -> Connection:
    """Return an open connection; the stop flag is looked at meanwhile, which opening itself does not.

    Raises a `ConnectFailed`, `RateLimited`, `UnexpectedFailure` or `Interrupted`.
    """
    dialler: Dialler[None] = Dialler(route, stop.clock, max_message_bytes)
    patience = stop.clock.deadline(within + LOOK_EVERY)  # the attempt itself knows best why it took too long
    dialler.dial(url, within, None)
    try:
        while not (stop.requested or patience.expired):
            outcome = dialler.outcome(LOOK_EVERY)
            if outcome is None:
                continue
            if outcome.connection is not None:
                return outcome.connection
            assert outcome.error is not None
            raise outcome.error
    finally:
        dialler.close()
    if stop.requested:
        raise Interrupted
    raise HandshakeFailed(host_of(url), "no answer in time")
