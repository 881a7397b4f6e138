"""Which update is new: the cursor of `book_tickers`, one update id per symbol. Pure: no clock, no I/O.

Nothing is compared across symbols. On one connection 10 % of neighbouring updates have a lower id than the one before
them, and `E` and `T` go backwards too [binance-facts 2.4]: a single watermark would drop real updates.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from ..binance.endpoints import is_expired
from ..binance.market_stream.messages import MAX_UPDATE_ID
from ..config import ConfigurationError

RESTART_AFTER_MS = 60_000
FORGOTTEN_AFTER = 7  # days after its delivery
EARLIEST_TIME = 1_546_300_800_000  # 2019-01-01 in ms, before Binance's futures; an earlier time is in another unit
LATEST_TIME = 4_102_444_800_000  # 2100-01-01 in ms
AHEAD_MS = 600_000  # a transaction time so much later than the exchange's clock is a mistake
MAX_SYMBOLS = 20_000  # Binance lists about 800; a server that invents names must not fill the memory and the state
VERSION = 1  # of the layout of the state; a state without it was written by 0.1.0


class UnreadableState(ConfigurationError):
    """A state that this connector did not write."""

    def __init__(self, fault: str) -> None:
        super().__init__(
            f"The state of book_tickers was not written by this connector: {fault}. "
            "Clear the stream's data in Airbyte, or remove the state file, and sync again."
        )


@dataclass
class _Lower:
    """Updates of a contract with lower ids than its newest one: duplicates, or of a counter that began anew."""

    is_only: bool = False  # the contract is of the state, and has brought nothing else in this sync
    count: int = 0
    span: tuple[int, int] | None = None  # the moments (ms) of the first and last that may be newer than all taken
    is_newer: bool = False  # as a transaction time says


class Cursor:
    """Knows the newest update id of each symbol, the newest transaction time (ms since 1970 UTC) and the newest read.

    An id decides what is new. A time only decides whether a *lower* id belongs to a counter that began anew, and only a
    believable time: neither in another unit nor later than the exchange's clock. Without one, the time of receipt
    decides.

    `known` and `listened_until`, its newest transaction time, are of the state that this sync continues; `seen` holds
    the ids of the symbols that have brought an update since. `restarts` are sentences about counters that began anew.
    `left_out` are newer updates that were left out because of their lower ids: the first and the last moment (ms) by
    symbol. Who reports these two clears them.
    """

    def __init__(
        self,
        environment: str,
        known: Mapping[str, int] | None = None,
        newest_transaction_time: int | None = None,
        newest_received_at_us: int | None = None,
    ) -> None:
        self.restarts: list[str] = []
        self.left_out: dict[str, tuple[int, int]] = {}
        self.symbols_refused = 0
        self.known = dict(known or {})
        self.listened_until = newest_transaction_time
        self.newest_received_at_us = self._known_received_at_us = newest_received_at_us
        self._environment = environment
        self._newest_time = max(newest_transaction_time or 0, EARLIEST_TIME - 1)
        self.seen: dict[str, int] = {}
        self._lower: dict[str, _Lower] = {}
        self._received_at_us = self._now = 0  # of the read under way: our clock; the exchange's, in ms
        self._latest_time = LATEST_TIME

    def begin_read(self, received_at_us: int, exchange_us: int) -> None:
        """Set when the next updates were read: by this machine's clock, and by the exchange's."""
        self._received_at_us = received_at_us
        self._now = exchange_us // 1000
        self._latest_time = min(self._now + AHEAD_MS, LATEST_TIME)
        if self._newest_time > self._latest_time:  # of a state; it would hide every restart until then
            self._newest_time = EARLIEST_TIME - 1

    def written(self, received_at_us: int) -> None:
        """Record that rows of a read are written: no covered interval of a later sync may begin before it."""
        self.newest_received_at_us = max(received_at_us, self.newest_received_at_us or 0)

    def advance(self, symbol: str, update_id: int, transaction_time: Any) -> bool:
        """Take the next update; return whether it is new.

        An equal id is a duplicate. A lower one is a duplicate too, unless the exchange's counter has restarted: its
        time is over a minute newer than the state's newest and the contract has brought nothing else in this sync, or
        only lower ids have come for a minute.
        """
        newest = self.seen.get(symbol)
        if newest is None:
            if not self._begin(symbol, update_id, transaction_time):
                return False
        elif update_id > newest:
            self.seen[symbol] = update_id
            if symbol in self._lower:
                lower = self._lower.pop(symbol)  # of no restart; what was newer has been left out
                if lower.is_newer:
                    self._leave_out(symbol, lower)
        elif not self._is_restart(symbol, newest, update_id, transaction_time):
            return False
        if type(transaction_time) is int and self._newest_time < transaction_time <= self._latest_time:
            self._newest_time = transaction_time
        return True

    def _begin(self, symbol: str, update_id: int, transaction_time: Any) -> bool:
        """Take the first update of a symbol in this sync."""
        known = self.known.get(symbol)
        if known is None:
            if len(self.known) + len(self.seen) >= MAX_SYMBOLS:  # what is in both counts twice
                self.symbols_refused += 1
                return False
        elif update_id <= known:
            self.seen[symbol] = known
            self._lower[symbol] = _Lower(is_only=True)
            return self._is_restart(symbol, known, update_id, transaction_time)
        self.seen[symbol] = update_id
        return True

    def _is_restart(self, symbol: str, newest: int, update_id: int, transaction_time: Any) -> bool:
        """Return whether an update whose id is not higher is the first to be taken after a restart."""
        lower = self._lower.setdefault(symbol, _Lower())
        if update_id == newest:
            lower.is_only = False
            if not lower.is_newer:
                del self._lower[symbol]  # the old counter goes on, so those were duplicates
            return False
        lower.count += 1
        is_believable = type(transaction_time) is int and EARLIEST_TIME <= transaction_time <= self._latest_time
        is_restart = lower.is_only and self._is_long_after_state(transaction_time if is_believable else None)
        moment = self._now
        if is_believable and self._newest_time >= EARLIEST_TIME:
            if transaction_time <= self._newest_time and not is_restart:
                return False  # a duplicate is never newer than everything taken
            moment, lower.is_newer = transaction_time, True
        since, until = lower.span or (moment, moment)
        if not is_restart and moment - since <= RESTART_AFTER_MS:
            lower.span = min(since, moment), max(until, moment)
            return False
        self._leave_out(symbol, lower)
        self.restarts.append(
            f"The exchange's counter of {symbol} has restarted: update id {update_id} after {newest}. "
            "Its updates are taken as new."
        )
        self.seen[symbol] = update_id
        del self._lower[symbol]
        return True

    def _is_long_after_state(self, time: int | None) -> bool:
        """Return whether an update is over a minute newer than the state, by its believable time or its receipt."""
        known, received = self.listened_until, self._known_received_at_us
        if time is not None and known is not None and EARLIEST_TIME <= known <= self._latest_time:
            return time - known > RESTART_AFTER_MS
        return received is not None and self._received_at_us - received > RESTART_AFTER_MS * 1000

    def _leave_out(self, symbol: str, lower: _Lower) -> None:
        if lower.span is not None:
            since, until = self.left_out.get(symbol, lower.span)
            self.left_out[symbol] = min(since, lower.span[0]), max(until, lower.span[1])

    def end(self) -> dict[str, int]:
        """Leave out what a minute has not decided yet, since no more updates will come.

        Return how many updates were left out of contracts that only brought lower ids than the state's, by contract.
        """
        for symbol, lower in self._lower.items():
            if lower.is_newer or lower.is_only:
                self._leave_out(symbol, lower)
        return {symbol: lower.count for symbol, lower in sorted(self._lower.items()) if lower.is_only}

    def state(self) -> dict[str, Any]:
        """Return the state for the next sync, with the ids of symbols that were silent this time."""
        return {
            "version": VERSION,
            "environment": self._environment,
            "u": self.known | self.seen,
            "newest_transaction_time": self._newest_time if self._newest_time >= EARLIEST_TIME else None,
            "newest_received_at_us": self.newest_received_at_us,
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any], environment: str, today: date) -> Cursor:
        """Return the cursor that a state describes, without ids if the state is of another environment.

        Contracts that were delivered more than a week ago are forgotten. Raises `UnreadableState`.

            {"version": 1, "environment": "production", "u": {"BTCUSD_PERP": 11660059839759},
             "newest_transaction_time": 1790373637547, "newest_received_at_us": 1790373637550123}
        """
        if not state:
            return cls(environment)
        written_by, update_ids, version = (state.get(key) for key in ("environment", "u", "version"))
        if not isinstance(written_by, str) or not isinstance(update_ids, Mapping):
            raise UnreadableState("it has no `environment` and `u` of each symbol")
        if version is not None and (type(version) is not int or version != VERSION):
            raise UnreadableState(f"its `version` is not {VERSION}, the only one that this release knows")
        for symbol, update_id in update_ids.items():
            if type(update_id) is not int or update_id > MAX_UPDATE_ID:
                raise UnreadableState(f"the update id of {symbol[:100]} is not a whole number up to {MAX_UPDATE_ID}")
        for key, latest in (("newest_transaction_time", LATEST_TIME), ("newest_received_at_us", LATEST_TIME * 1000)):
            time = state.get(key)
            if time is not None and (type(time) is not int or not 0 <= time <= latest):
                raise UnreadableState(f"`{key}` is not a whole number up to {latest}")
        newest, received_at_us = state.get("newest_transaction_time"), state.get("newest_received_at_us")
        if written_by != environment:
            return cls(environment, newest_received_at_us=received_at_us)  # of this machine's clock, not the exchange's
        known = {each: last for each, last in update_ids.items() if not is_expired(each, today, days=FORGOTTEN_AFTER)}
        return cls(environment, known, newest, received_at_us)
