"""Which update is new: the cursor of `book_tickers`, one update id per symbol. Pure: no clock, no I/O.

Nothing is compared across symbols. On one connection 10 % of neighbouring updates have a lower id than the one before
them, and `E` and `T` go backwards too [binance-facts 2.4]: a single watermark would drop real updates.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from ..binance.endpoints import is_expired
from ..binance.market_stream.messages import MAX_UPDATE_ID

RESTART_AFTER_MS = 60_000
FORGOTTEN_AFTER = 7  # days after its delivery
LATEST_TIME = 4_102_444_800_000  # 2100-01-01 in ms; a later time is in another unit, and would hide every restart
MAX_SYMBOLS = 20_000  # Binance lists about 800; a server that invents names must not fill the memory and the state
ENVIRONMENT, UPDATE_IDS, NEWEST_TRANSACTION_TIME = "environment", "u", "newest_transaction_time"


class UnreadableState(ValueError):
    """A state that this connector did not write."""


@dataclass(frozen=True)
class Restart:
    """A counter of the exchange that began anew for `symbol`: `after` came where `before` was the newest id.

    `since` is None between two syncs. Within a sync it took a minute to be sure: what was pushed since then (ms since
    1970, a transaction time) was left out.
    """

    symbol: str
    before: int
    after: int
    since: int | None = None
    until: int | None = None


class Cursor:
    """The newest update id of each symbol, and the newest transaction time (ms since 1970 UTC)."""

    def __init__(
        self, environment: str, inherited: Mapping[str, int] | None = None, newest_transaction_time: int | None = None
    ) -> None:
        self.restarts: list[Restart] = []
        self.symbols_refused = 0
        self._environment = environment
        self._inherited = dict(inherited or {})
        self._inherited_time = newest_transaction_time
        self._newest_time = newest_transaction_time or 0
        self._seen: dict[str, int] = {}
        self._lower: dict[str, tuple[int, int]] = {}  # whose ids have all been lower: oldest and newest time
        self._lapses: dict[str, tuple[int, int]] = {}
        self._symbols = len(self._inherited)  # inherited or seen

    def advance(self, symbol: str, update_id: int, transaction_time: Any) -> bool:
        """Takes the next update of a capture; True if it is new, False if it was there before.

        A lower or equal id is a duplicate, or the exchange's counter has restarted. The first update of a symbol in a
        sync is a restart where its transaction time is over a minute newer than the state's newest; later it is one
        where for a minute of transaction times nothing but lower ids has come.
        """
        newest = self._seen.get(symbol)
        if newest is None:
            if not self._begin(symbol, update_id, transaction_time):
                return False
        elif update_id <= newest:
            if update_id == newest or not self._has_been_lower(symbol, update_id, transaction_time):
                return False
        else:
            self._seen[symbol] = update_id
            if symbol in self._lower:
                self._lapse(symbol)
        if type(transaction_time) is int and self._newest_time < transaction_time <= LATEST_TIME:
            self._newest_time = transaction_time
        return True

    def _begin(self, symbol: str, update_id: int, transaction_time: Any) -> bool:
        """The first update of a symbol in this sync."""
        known = self._inherited.get(symbol)
        if known is None:
            if self._symbols >= MAX_SYMBOLS:
                self.symbols_refused += 1
                return False
            self._symbols += 1
        if known is not None and update_id <= known:
            if not self._is_restart(transaction_time):
                self._seen[symbol] = known
                if update_id < known:
                    self._has_been_lower(symbol, update_id, transaction_time)  # now it may have begun to be
                return False
            self.restarts.append(Restart(symbol, known, update_id))
        self._seen[symbol] = update_id
        return True

    def _has_been_lower(self, symbol: str, update_id: int, transaction_time: Any) -> bool:
        """Whether this lower id is the first that is taken after a restart.

        What is heard twice is never newer than all that was taken.
        """
        if type(transaction_time) is not int or not self._newest_time < transaction_time <= LATEST_TIME:
            return False
        since, until = self._lower.get(symbol, (transaction_time, transaction_time))
        if transaction_time - since <= RESTART_AFTER_MS:
            self._lower[symbol] = min(since, transaction_time), max(until, transaction_time)
            return False
        self.restarts.append(Restart(symbol, self._seen[symbol], update_id, since, transaction_time))
        self._seen[symbol] = update_id
        del self._lower[symbol]
        return True

    def _lapse(self, symbol: str) -> None:
        """No restart came of these lower ids, and yet they were never heard before: they were newer than all."""
        since, until = self._lower.pop(symbol)
        self._lapses[symbol] = self._lapses.get(symbol, (since,))[0], until

    @property
    def lapsed(self) -> Collection[str]:
        """The symbols of the lapses that were not taken yet."""
        return self._lapses.keys()

    def take_lapses(self, *, at_end: bool = False) -> dict[str, tuple[int, int]]:
        """What was left out because its ids were lower: oldest and newest transaction time (ms) by symbol, each once.

        `at_end`: also where a minute has not passed yet, and nothing more will come.
        """
        for symbol in list(self._lower) if at_end else ():
            self._lapse(symbol)
        lapses, self._lapses = self._lapses, {}
        return lapses

    def _is_restart(self, transaction_time: Any) -> bool:
        if type(transaction_time) is not int or self._inherited_time is None:
            return False
        return transaction_time - self._inherited_time > RESTART_AFTER_MS

    @property
    def listened_until(self) -> int | None:
        """The newest transaction time of the state that this cursor continues; None where there is none."""
        return self._inherited_time

    @property
    def symbols_seen(self) -> frozenset[str]:
        """The symbols of which this sync had an update, new or not."""
        return frozenset(self._seen)

    def state(self) -> dict[str, Any]:
        """What the next sync needs: also the ids of symbols that were silent this time."""
        return {
            ENVIRONMENT: self._environment,
            UPDATE_IDS: {**self._inherited, **self._seen},
            NEWEST_TRANSACTION_TIME: self._newest_time or None,
        }

    @property
    def known_symbols(self) -> list[str]:
        """The symbols of the state that this cursor continues."""
        return list(self._inherited)

    @classmethod
    def from_state(cls, state: Mapping[str, Any], environment: str, today: date) -> Cursor:
        """The cursor that a state describes; a fresh one where the state is empty or of another environment.

        Contracts that were delivered more than a week ago are forgotten.

            {"environment": "production", "u": {"BTCUSD_PERP": 11660059839759},
             "newest_transaction_time": 1790373637547}

        Raises `UnreadableState`.
        """
        if not state:
            return cls(environment)
        written_by, update_ids, newest = (state.get(key) for key in (ENVIRONMENT, UPDATE_IDS, NEWEST_TRANSACTION_TIME))
        if not isinstance(written_by, str) or not isinstance(update_ids, Mapping):
            raise UnreadableState(f"it has no `{ENVIRONMENT}` and `{UPDATE_IDS}` of each symbol")
        for symbol, update_id in update_ids.items():
            if type(update_id) is not int:
                raise UnreadableState(f"the update id of {symbol[:100]} is not a whole number")
            if update_id > MAX_UPDATE_ID:
                raise UnreadableState(f"the update id of {symbol[:100]} is larger than any that was ever taken")
        if newest is not None and (type(newest) is not int or not 0 <= newest <= LATEST_TIME):
            raise UnreadableState(f"`{NEWEST_TRANSACTION_TIME}` is not a time in milliseconds")
        if written_by != environment:
            return cls(environment)
        listed = {
            symbol: last for symbol, last in update_ids.items() if not is_expired(symbol, today, days=FORGOTTEN_AFTER)
        }
        return cls(environment, listed, newest)


def is_of_other_environment(state: Mapping[str, Any], environment: str) -> bool:
    """Whether a readable state belongs to another exchange, whose update ids mean nothing here."""
    return bool(state) and state.get(ENVIRONMENT) != environment
