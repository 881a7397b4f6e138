"""In which order the frames of one kind of stream come over one connection. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from .contents import market_name
from .facts import OrderFacts

MOST_CONTRACTS = 5000  # Binance lists about 800; a server that invents names must not fill the memory


class _Contract:
    __slots__ = ("event_time", "transaction_time", "update_id")

    def __init__(self) -> None:
        self.update_id = -1
        self.event_time = -1
        self.transaction_time = -1


class Order:
    """Takes book tickers one by one."""

    def __init__(self) -> None:
        self._contracts: dict[str, _Contract] = {}
        self._by_market: Counter[str] = Counter()
        self._frames = self._steps_back = self._repeats = 0
        self._event_times_back = self._transaction_times_back = 0
        self._neighbours = self._neighbours_back = 0
        self._farthest_back_ms = 0
        self._latest_event_time = -1
        self._last: tuple[str, int] | None = None

    def take(self, found: Mapping[str, Any]) -> None:
        symbol, update_id = found["s"], found["u"]
        contract = self._contracts.get(symbol)
        if contract is None:
            if len(self._contracts) >= MOST_CONTRACTS:
                return
            contract = self._contracts[symbol] = _Contract()
        self._frames += 1
        self._by_market[market_name(found)] += 1
        self._steps_back += update_id < contract.update_id
        self._repeats += update_id == contract.update_id
        contract.update_id = update_id
        self._times(contract, found.get("E"), found.get("T"))
        if self._last is not None and self._last[0] != symbol:
            self._neighbours += 1
            self._neighbours_back += update_id < self._last[1]
        self._last = symbol, update_id

    def _times(self, contract: _Contract, event_time: object, transaction_time: object) -> None:
        if type(event_time) is int:
            self._event_times_back += event_time < contract.event_time
            contract.event_time = event_time
            self._latest_event_time = max(self._latest_event_time, event_time)
            self._farthest_back_ms = max(self._farthest_back_ms, self._latest_event_time - event_time)
        if type(transaction_time) is int:
            self._transaction_times_back += transaction_time < contract.transaction_time
            contract.transaction_time = transaction_time

    def facts(self) -> OrderFacts:
        return OrderFacts(
            self._frames,
            len(self._contracts),
            dict(self._by_market),
            self._steps_back,
            self._repeats,
            self._event_times_back,
            self._transaction_times_back,
            self._neighbours,
            self._neighbours_back,
            self._farthest_back_ms,
        )
