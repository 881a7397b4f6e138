"""What was pushed against what was received: lost, twice, out of order, counted while both go on."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Collection

from local_exchange.contracts import coin_m_contracts

EVERY_COIN_M = tuple(contract.symbol for contract in coin_m_contracts(None))
"""What the local exchange lists by default."""

Update = tuple[str, int]


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
