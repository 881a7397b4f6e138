"""A market stream inside the test's own process, with what it hands over sorted by kind."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, TypeVar

import orjson

from local_exchange import LocalExchange
from source_binance_futures.binance.clock import Clock
from source_binance_futures.binance.endpoints import Market
from source_binance_futures.binance.market_stream.failover import State
from source_binance_futures.binance.market_stream.items import Batch, Failed, Gap, Item, LogLine
from source_binance_futures.binance.market_stream.line import Timing
from source_binance_futures.binance.market_stream.reader import MarketStream
from source_binance_futures.binance.market_stream.subscriptions import EndpointGroup
from source_binance_futures.binance.transport.proxy import Route

from .capturing import EVERY_COIN_M, Account
from .connector import DEADLINE

STATES = {state.value for state in State}
T = TypeVar("T")

CLOCK = Clock()


class Listener:
    """Takes everything from a `MarketStream`, skips known update ids as the cursor does, and sorts the rest."""

    def __init__(
        self,
        url: str,
        *,
        pushed: list[tuple[str, int]] | None = None,
        standby: bool = False,
        window: float = 60.0,
        timing: Timing | None = None,
        route: Route | None = None,
    ) -> None:
        self.account = Account([] if pushed is None else pushed, symbols=EVERY_COIN_M)
        self.gaps: list[Gap] = []
        self.warnings: list[str] = []
        self.state = ""  # of the failover, as it says itself
        self.failure: Exception | None = None
        self.failure_of_window: Exception | None = None
        self.market = MarketStream(
            [EndpointGroup((url,), frozenset(Market), EVERY_COIN_M)],
            route or Route(),
            CLOCK,
            standby=standby,
            window_ends=CLOCK.monotonic() + window,
            timing=timing or Timing(),
        )
        self._fault_of_test: BaseException | None = None
        self._newest: dict[str, int] = {}
        self._over = False
        self._thread = threading.Thread(target=self._listen, name="listener", daemon=True)

    def __enter__(self) -> Listener:
        self.market.start()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.market.stop()
        self._over = True
        self._thread.join(DEADLINE)
        self.failure_of_window = self.market.failure_of_window()
        if kind is None:
            assert self._fault_of_test is None, self._fault_of_test

    def wait_for(self, condition: Callable[[], T], seconds: float = DEADLINE) -> T:
        """Waits until the condition holds and returns its value."""
        deadline = time.monotonic() + seconds
        while not (value := condition()):
            assert self._fault_of_test is None, self._fault_of_test
            assert time.monotonic() < deadline, f"not within {seconds} seconds: {self.warnings} {self.gaps}"
            time.sleep(0.01)
        return value

    def wait_for_updates(self, more: int = 1) -> None:
        enough = self.account.received + more
        self.wait_for(lambda: self.account.received >= enough)

    def _listen(self) -> None:
        try:
            while True:
                item = self.market.take(0 if self._over else 0.05)
                if item is not None:
                    self._sort(item)
                elif self._over:
                    return
        except BaseException as fault:
            self._fault_of_test = fault

    def _sort(self, item: Item) -> None:
        if isinstance(item, Batch):
            for payload in item.payloads:
                self._take(payload)
        elif isinstance(item, Gap):
            self.gaps.append(item)
        elif isinstance(item, Failed):
            self.failure = item.error
        elif isinstance(item, LogLine) and item.level == "debug":
            state = item.text.partition(" -> ")[2]
            self.state = state if state in STATES else self.state
        elif isinstance(item, LogLine) and item.level == "warning":
            self.warnings.append(item.text)

    def _take(self, payload: bytes) -> None:
        frame = orjson.loads(payload)
        update = frame.get("data", frame)
        symbol = update.get("s")
        if symbol is None or update["u"] <= self._newest.get(symbol, -1):
            return
        self._newest[symbol] = update["u"]
        self.account.receive((symbol, update["u"]))


def listen_to(exchange: LocalExchange, **options: Any) -> Listener:
    """A listener to everything that an exchange pushes; the options are those of `Listener`."""
    return Listener(exchange.market_stream_url, pushed=exchange.pushed, **options)


@contextmanager
def free_port() -> Iterator[int]:
    """A port of loopback that refuses connections as long as the context is open."""
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        yield reserved.getsockname()[1]
