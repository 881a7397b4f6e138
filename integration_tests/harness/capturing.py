"""A sync whose messages are counted as they come, and what was pushed against what was received."""

from __future__ import annotations

import re
import signal
import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable, Collection, Mapping
from types import TracebackType
from typing import Any, TypeVar

import orjson

from local_exchange import ExchangeConnection, LocalExchange
from local_exchange.contracts import coin_m_contracts
from source_binance_futures.binance.endpoints import own_stream

from .connector import DEADLINE, INCREMENTAL, Connector, Running

GAP = re.compile(r"Gap of ([\d.]+) seconds: .* Cause: (.*)\.$")

T = TypeVar("T")
EVERY_COIN_M = tuple(contract.symbol for contract in coin_m_contracts(None))
"""What the local exchange lists by default."""

Update = tuple[str, int]


def update(update_id: int, **changes: Any) -> dict[str, Any]:
    """A book ticker as Binance pushes it, of BTCUSD_PERP where nothing else is said."""
    return {
        "e": "bookTicker",
        "u": update_id,
        "s": "BTCUSD_PERP",
        "ps": "BTCUSD",
        "b": "83732.4",
        "B": "680",
        "a": "83732.5",
        "A": "2458",
        "T": 1790373637547,
        "E": 1790373637547,
        "st": 2,
        **changes,
    }


class Account:
    """Compares from the first to the last received update. Update ids of a symbol increase, and symbols mix.

    `pushed` is the list that the exchange appends to; what has been compared is taken out of it, so that hours of
    traffic need no memory. `symbols` are those that are listened to, where not all are. With `of_covered` each symbol
    counts from its first update that claims to be covered: contracts that are found one by one are followed from
    different moments on.

    `broken_promises` counts what was lost between two updates of a symbol that claim to be covered since the same
    moment.
    """

    def __init__(
        self, pushed: list[Update], *, symbols: Collection[str] | None = None, of_covered: bool = False
    ) -> None:
        self.received = 0
        self.twice = 0
        self.out_of_order = 0
        self.broken_promises = 0
        self._pushed = pushed
        self._symbols = symbols
        self._of_covered = of_covered
        self._position = 0  # of the next update to take from `pushed`
        self._expected: dict[str, deque[tuple[int, int]]] = defaultdict(deque)  # (position, update id)
        self._skipped: dict[str, set[int]] = defaultdict(set)
        self._newest: dict[str, int] = {}
        self._covered_since: dict[str, int | None] = {}
        self._last_position = -1
        self.counted: set[str] = set()  # symbols that count by now

    def receive(self, update: Update, covered_since: int | None = None) -> None:
        """Takes the next update that came out, with what it says of its cover. Fails where it was never pushed."""
        symbol, update_id = update
        first = not self.received
        self.received += 1
        if update_id <= self._newest.get(symbol, -1):
            if update_id in self._skipped[symbol]:
                self._skipped[symbol].remove(update_id)
                self.out_of_order += 1
            else:
                self.twice += 1
            return
        self._newest[symbol] = update_id
        self._take_pushed()
        skipped: list[int] = []
        expected = self._expected[symbol]
        while expected:
            position, pushed_id = expected.popleft()
            if pushed_id == update_id:
                break
            skipped.append(pushed_id)
        else:
            raise AssertionError(f"{symbol} {update_id} was never pushed")
        if covered_since is not None and self._covered_since.get(symbol) == covered_since:
            self.broken_promises += len(skipped)
        self._covered_since[symbol] = covered_since
        self._skip(symbol, skipped, first_position=position if first else None)
        if not self._of_covered or covered_since is not None:
            self.counted.add(symbol)
            self._last_position = max(self._last_position, position)

    @property
    def lost(self) -> int:
        """Pushed between the first and the last received update, and not received so far."""
        counted = self.counted if self._of_covered else self._expected.keys()
        waiting = [position for symbol in counted for position, _ in self._expected[symbol]]
        skipped = sum(map(len, self._skipped.values()))
        return skipped + sum(position < self._last_position for position in waiting)

    @property
    def sums(self) -> tuple[int, int, int, int]:
        """Lost, twice, out of order, promises broken: all zero where all is well."""
        return self.lost, self.twice, self.out_of_order, self.broken_promises

    def _skip(self, symbol: str, skipped: list[int], first_position: int | None) -> None:
        """Nobody listened before the first update, of all symbols or of each."""
        if self._of_covered:
            if symbol in self.counted:
                self._skipped[symbol].update(skipped)
        elif first_position is None:
            self._skipped[symbol].update(skipped)
        else:
            for expected in self._expected.values():
                while expected and expected[0][0] < first_position:
                    expected.popleft()

    def _take_pushed(self) -> None:
        count = len(self._pushed)
        for symbol, update_id in self._pushed[:count]:
            if self._symbols is None or symbol in self._symbols:
                self._expected[symbol].append((self._position, update_id))
                self._position += 1
        del self._pushed[:count]


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
        self._thread.join(DEADLINE)
        self.exit_code = self.running.process.wait(DEADLINE)
        assert self._fault_of_test is None, self._fault_of_test

    @property
    def gaps(self) -> list[tuple[float, str]]:
        """Seconds and cause of each gap that was reported."""
        found = [GAP.match(text) for level, text in self.logs if level == "WARN"]
        return [(float(match[1]), match[2]) for match in found if match]

    def wait_for(self, condition: Callable[[], T], seconds: float = DEADLINE) -> T:
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
