"""The connector as a process against an exchange that fails: shared by the fault test and by `make chaos`."""

from __future__ import annotations

import re
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Literal, TypeVar, cast

import orjson

from local_exchange import ExchangeConnection, LocalExchange
from local_exchange.connection import FaultKind
from local_exchange.streams import own_stream

from .accounts import EVERY_COIN_M, Account
from .connector import INCREMENTAL, Connector, Running

Kind = Literal["rst", "fin", "close", "cut", "silence", "mute", "shutdown", "slow handshake", "refusal"]
IMMEDIATE: tuple[Kind, ...] = ("rst", "fin", "close", "cut")
EVERY_KIND: tuple[Kind, ...] = (*IMMEDIATE, "silence", "mute", "shutdown", "slow handshake", "refusal")
PATIENCE = 60.0
SETTLED_AFTER = 1.0  # seconds of a new connection; before, it cannot vouch for what came over the other
GAP = re.compile(r"Gap of ([\d.]+) seconds: .* Cause: (.*)\.$")

T = TypeVar("T")


def follows_all(connection: ExchangeConnection) -> bool:
    """Whether a connection listens to the own stream of every COIN-M contract that is listed by default."""
    return connection.delivered >= {own_stream(symbol) for symbol in EVERY_COIN_M}


class Capture:
    """A sync of all COIN-M contracts under way, whose messages are counted as they come.

    Leaving it stops the process in good order. The contracts are found through the all-market stream, so each counts
    from the first update that claims to be covered.
    """

    def __init__(
        self,
        connector: Connector,
        exchange: LocalExchange,
        *,
        standby: bool,
        seconds: int = 3600,
        variables: Mapping[str, str] | None = None,
    ) -> None:
        config = {"environment": exchange.environment(), "listen_seconds": seconds, "standby_connection": standby}
        self.account = Account(exchange.pushed, of_covered=True)
        self.logs: list[tuple[str, str]] = []
        self.errors: list[dict[str, Any]] = []
        self.last_state: dict[str, Any] = {}
        self.newest: dict[str, int] = {}  # update id of each symbol
        self.longest_pause = 0.0  # seconds between two updates
        self.exit_code: int | None = None
        self.running: Running = connector.start_read(
            config, book_tickers=INCREMENTAL, blocked=True, variables=variables
        )
        self._last_update_at: float | None = None
        self._fault_of_test: BaseException | None = None
        self._thread = threading.Thread(target=self._read, name="reader", daemon=True)

    def __enter__(self) -> Capture:
        self.begin_to_read()
        return self

    def begin_to_read(self) -> None:
        self._thread.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            return
        self.running.process.send_signal(signal.SIGTERM)
        self.end()

    def end(self) -> None:
        """Waits for the end of the process, and of what it has written."""
        self._thread.join(PATIENCE)
        self.exit_code = self.running.process.wait(PATIENCE)
        assert self._fault_of_test is None, self._fault_of_test

    @property
    def gaps(self) -> list[tuple[float, str]]:
        """Seconds and cause of each gap that was told."""
        found = [GAP.match(text) for level, text in self.logs if level == "WARN"]
        return [(float(match[1]), match[2]) for match in found if match]

    def wait_for(self, condition: Callable[[], T], seconds: float = PATIENCE) -> T:
        deadline = time.monotonic() + seconds
        while not (value := condition()):
            assert self._fault_of_test is None, self._fault_of_test
            assert self.running.process.poll() is None, f"the connector has ended: {self.errors} {self.logs[-5:]}"
            assert time.monotonic() < deadline, f"not within {seconds} seconds: {self.logs[-5:]}"
            time.sleep(0.01)
        return value

    def wait_for_updates(self, more: int) -> None:
        enough = self.account.received + more
        self.wait_for(lambda: self.account.received >= enough)

    def wait_until_all_are_followed(self, symbols: int = len(EVERY_COIN_M)) -> None:
        """Waits until so many contracts are followed by their own streams."""
        self.wait_for(lambda: len(self.account.counted) >= symbols)

    def _read(self) -> None:
        stdout = self.running.process.stdout
        assert stdout is not None
        try:
            for line in stdout:
                try:
                    message = orjson.loads(line)
                except orjson.JSONDecodeError:
                    raise AssertionError(f"no message: {line!r}") from None
                self._take(message)
        except BaseException as fault:
            self._fault_of_test = fault
            self.running.process.kill()

    def _take(self, message: dict[str, Any]) -> None:
        kind = message["type"]
        if kind == "RECORD":
            now = time.monotonic()
            if self._last_update_at is not None:
                self.longest_pause = max(self.longest_pause, now - self._last_update_at)
            self._last_update_at = now
            data = message["record"]["data"]
            self.newest[data["symbol"]] = data["u"]
            self.account.receive((data["symbol"], data["u"]), data.get("covered_since_us"))
        elif kind == "STATE":
            self.last_state = message["state"]["stream"]["stream_state"]
        elif kind == "LOG":
            self.logs.append((message["log"]["level"], message["log"]["message"]))
        elif kind == "TRACE" and message["trace"]["type"] == "ERROR":
            self.errors.append(message["trace"]["error"])


class Saboteur:
    """Takes connections away from a capture, one at a time, and sees that they come back."""

    def __init__(self, exchange: LocalExchange, capture: Capture, *, standby: bool) -> None:
        self.faults: Counter[Kind] = Counter()
        self.slowest_return = 0.0  # seconds from an immediate fault to the next handshake
        self._exchange = exchange
        self._capture = capture
        self._wanted = 2 if standby else 1

    def wait_until_settled(self) -> list[ExchangeConnection]:
        """Waits until as many healthy connections as wanted bring updates; the one in use comes first."""

        def settled() -> list[ExchangeConnection]:
            healthy = [connection for connection in self._exchange.connections if not connection.faults]
            ready = [c for c in healthy if c.frames_sent and time.monotonic() - c.opened_at > SETTLED_AFTER]
            return ready if len(ready) == len(healthy) == self._wanted else []

        found = self._capture.wait_for(settled)
        self._capture.wait_for_updates(100)
        return found

    def strike(self, kind: Kind, position: int = 0) -> None:
        """Lets a fault happen to the connection in use (0) or to the standby (1), and waits until all is well again."""
        victim = self.wait_until_settled()[position]
        shaken_hands = len(self._exchange.handshakes)
        if kind == "slow handshake":
            self._exchange.slow_handshake(0.7)
        elif kind == "refusal":
            self._exchange.refuse(503)
        plain = cast(FaultKind, kind if kind not in ("slow handshake", "refusal") else "rst")
        began = time.monotonic()
        self._exchange.fault(plain, victim, after=4.0)
        self.faults[kind] += 1
        self._capture.wait_for(lambda: len(self._exchange.handshakes) > shaken_hands)
        if kind in IMMEDIATE:
            self.slowest_return = max(self.slowest_return, self._exchange.handshakes[shaken_hands][0] - began)
        self._capture.wait_for(lambda: not victim.is_open)
        self.wait_until_settled()
