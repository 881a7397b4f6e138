"""What was pushed against what was received: lost, twice, out of order, counted while both go on."""

from __future__ import annotations

from collections import defaultdict, deque

Update = tuple[str, int]


class Account:
    """Compares from the first to the last received update. Update ids of a symbol increase, and symbols mix.

    `pushed` is the list that the exchange appends to; what has been compared is taken out of it, so that hours of
    traffic need no memory.
    """

    def __init__(self, pushed: list[Update]) -> None:
        self.received = 0
        self.twice = 0
        self.out_of_order = 0
        self._pushed = pushed
        self._position = 0  # of the next update to take from `pushed`
        self._expected: dict[str, deque[tuple[int, int]]] = defaultdict(deque)  # (position, update id)
        self._skipped: dict[str, set[int]] = defaultdict(set)
        self._newest: dict[str, int] = {}
        self._last_position = -1

    def receive(self, update: Update) -> None:
        """Takes the next update that came out. Fails where it was never pushed."""
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
        expected = self._expected[symbol]
        while expected:
            position, pushed_id = expected.popleft()
            if pushed_id == update_id:
                break
            self._skipped[symbol].add(pushed_id)
        else:
            raise AssertionError(f"{symbol} {update_id} was never pushed")
        self._last_position = max(self._last_position, position)
        if first:
            self._forget_before(position)

    @property
    def lost(self) -> int:
        """Pushed between the first and the last received update, and not received so far."""
        waiting = [position for expected in self._expected.values() for position, _ in expected]
        skipped = sum(map(len, self._skipped.values()))
        return skipped + sum(position < self._last_position for position in waiting)

    def _take_pushed(self) -> None:
        count = len(self._pushed)
        for symbol, update_id in self._pushed[:count]:
            self._expected[symbol].append((self._position, update_id))
            self._position += 1
        del self._pushed[:count]

    def _forget_before(self, first: int) -> None:
        """Nobody listened before the first update."""
        self._skipped.clear()
        for expected in self._expected.values():
            while expected and expected[0][0] < first:
                expected.popleft()
