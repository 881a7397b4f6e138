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
EARLIEST_TIME = 1_546_300_800_000  # 2019-01-01 in ms, before Binance's futures; an earlier time is in another unit
LATEST_TIME = 4_102_444_800_000  # 2100-01-01 in ms
AHEAD_MS = 600_000  # a transaction time so much later than the exchange's clock is a mistake
MAX_SYMBOLS = 20_000  # Binance lists about 800; a server that invents names must not fill the memory and the state
VERSION = 1  # of the layout of the state; one without it is of the time before there was any
VERSION_KEY, ENVIRONMENT, UPDATE_IDS = "version", "environment", "u"
NEWEST_TRANSACTION_TIME, NEWEST_RECEIVED_AT = "newest_transaction_time", "newest_received_at_us"


class UnreadableState(ValueError):
    """A state that this connector did not write."""


@dataclass(frozen=True)
class Restart:
    """A counter of the exchange that began anew for `symbol`: `after` came where `before` was the newest id.

    What was pushed from `since` to `until` (ms since 1970, the exchange's clock) was left out, until the restart was
    certain; None where nothing was.
    """

    symbol: str
    before: int
    after: int
    since: int | None = None
    until: int | None = None


@dataclass
class _Lower:
    """Updates of a contract whose ids are lower than its newest one: heard twice, or of a counter that began anew.

    `since` and `until` are of those that may be newer than all that was taken (ms, the exchange's clock), None without
    any. `is_newer` where a transaction time says that they are.
    """

    count: int = 0
    since: int | None = None
    until: int | None = None
    is_newer: bool = False


class Cursor:
    """The newest update id of each symbol, the newest transaction time (ms since 1970 UTC) and the newest read.

    An id decides what is new. A time only ever decides whether a *lower* id is of a counter that began anew, and only a
    believable one: neither in another unit nor later than the exchange's clock. Where there is none, the time of
    receipt stands in its place.
    """

    def __init__(
        self,
        environment: str,
        inherited: Mapping[str, int] | None = None,
        newest_transaction_time: int | None = None,
        newest_received_at_us: int | None = None,
    ) -> None:
        self.restarts: list[Restart] = []
        self.symbols_refused = 0
        self.newest_received_at_us = newest_received_at_us
        self._environment = environment
        self._inherited = dict(inherited or {})
        self._inherited_time = newest_transaction_time
        self._inherited_received_at_us = newest_received_at_us
        self._newest_time = max(newest_transaction_time or 0, EARLIEST_TIME - 1)
        self._seen: dict[str, int] = {}
        self._lower: dict[str, _Lower] = {}
        self._only_lower: set[str] = set()  # contracts of the state that have brought nothing else in this sync
        self._lapses: dict[str, tuple[int, int]] = {}
        self._symbols = len(self._inherited)  # inherited or seen
        self._received_at_us = self._now = 0  # of the read under way: our clock; the exchange's, in ms
        self._latest_time = LATEST_TIME

    def begin_read(self, received_at_us: int, exchange_us: int) -> None:
        """Take note of when the updates to come were read: by our clock, and what the exchange's clock showed then."""
        self._received_at_us = received_at_us
        self._now = exchange_us // 1000
        self._latest_time = min(self._now + AHEAD_MS, LATEST_TIME)
        if self._newest_time > self._latest_time:  # a state's, which would hide every restart until then
            self._newest_time = EARLIEST_TIME - 1

    def written(self, received_at_us: int) -> None:
        """Rows of a read are handed over. No covered interval of a later sync may begin before it."""
        self.newest_received_at_us = max(received_at_us, self.newest_received_at_us or 0)

    def advance(self, symbol: str, update_id: int, transaction_time: Any) -> bool:
        """Take the next update of a capture; return True if it is new, False if it was there before.

        An equal id was there before. A lower one is a duplicate, or the exchange's counter has restarted: where its
        time is over a minute newer than the state's newest and the contract has brought nothing else in this sync, or
        where for a minute nothing but lower ids has come.
        """
        newest = self._seen.get(symbol)
        if newest is None:
            if not self._begin(symbol, update_id, transaction_time):
                return False
        elif update_id > newest:
            self._seen[symbol] = update_id
            if symbol in self._lower:
                self._pass_over(symbol)
        elif not self._is_restart(symbol, newest, update_id, transaction_time):
            return False
        if type(transaction_time) is int and self._newest_time < transaction_time <= self._latest_time:
            self._newest_time = transaction_time
        return True

    def _begin(self, symbol: str, update_id: int, transaction_time: Any) -> bool:
        """Take the first update of a symbol in this sync."""
        known = self._inherited.get(symbol)
        if known is None:
            if self._symbols >= MAX_SYMBOLS:
                self.symbols_refused += 1
                return False
            self._symbols += 1
        elif update_id <= known:
            self._seen[symbol] = known
            if update_id < known:
                self._only_lower.add(symbol)
            return self._is_restart(symbol, known, update_id, transaction_time)
        self._seen[symbol] = update_id
        return True

    def _is_restart(self, symbol: str, newest: int, update_id: int, transaction_time: Any) -> bool:
        """Return whether an update whose id is not higher is the first to be taken after a restart."""
        if update_id == newest:
            self._only_lower.discard(symbol)
            if symbol in self._lower and not self._lower[symbol].is_newer:
                del self._lower[symbol]  # the old counter goes on, so those were heard twice
            return False
        lower = self._lower.setdefault(symbol, _Lower())
        lower.count += 1
        is_believable = type(transaction_time) is int and EARLIEST_TIME <= transaction_time <= self._latest_time
        moment = self._now
        is_restart = symbol in self._only_lower and self._is_long_after_state(transaction_time, is_believable)
        if is_believable and self._newest_time >= EARLIEST_TIME:
            if transaction_time <= self._newest_time and not is_restart:
                return False  # what is heard twice is never newer than all that was taken
            moment, lower.is_newer = transaction_time, True
        began, ended = lower.since, lower.until
        lower.since = moment if began is None else min(began, moment)
        lower.until = moment if ended is None else max(ended, moment)
        if not is_restart and moment - lower.since <= RESTART_AFTER_MS:
            return False
        self.restarts.append(Restart(symbol, newest, update_id, began, None if began is None else lower.until))
        self._seen[symbol] = update_id
        self._only_lower.discard(symbol)
        del self._lower[symbol]
        return True

    def _is_long_after_state(self, transaction_time: Any, is_believable: bool) -> bool:
        """Return whether an update came over a minute after the state, by its own time or else by that of receipt."""
        inherited, received = self._inherited_time, self._inherited_received_at_us
        if is_believable and inherited is not None and EARLIEST_TIME <= inherited <= self._latest_time:
            return bool(transaction_time - inherited > RESTART_AFTER_MS)
        return received is not None and self._received_at_us - received > RESTART_AFTER_MS * 1000

    def _pass_over(self, symbol: str) -> None:
        """A higher id came, so the lower ones were of no restart. Where they were newer, they had never been heard."""
        self._only_lower.discard(symbol)
        lower = self._lower.pop(symbol)
        if lower.is_newer:
            self._lapse(symbol, lower)

    def _lapse(self, symbol: str, lower: _Lower) -> None:
        if lower.since is not None and lower.until is not None:
            since, until = self._lapses.get(symbol, (lower.since, lower.until))
            self._lapses[symbol] = min(since, lower.since), max(until, lower.until)

    @property
    def lapsed(self) -> Collection[str]:
        """The symbols of the lapses that were not taken yet."""
        return self._lapses.keys()

    def take_lapses(self, *, at_end: bool = False) -> dict[str, tuple[int, int]]:
        """Return what was left out because its ids were lower: first and last moment (ms) by symbol, each once.

        `at_end`: also where a minute has not passed yet, and nothing more will come.
        """
        for symbol, lower in self._lower.items() if at_end else ():
            if lower.is_newer or symbol in self._only_lower:
                self._lapse(symbol, lower)
                lower.since = lower.until = None
        lapses, self._lapses = self._lapses, {}
        return lapses

    @property
    def only_lower(self) -> dict[str, int]:
        """How many updates were left out of contracts that brought nothing but lower ids than the state's."""
        return {symbol: self._lower[symbol].count for symbol in sorted(self._only_lower)}

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
        newest_time = self._newest_time if self._newest_time >= EARLIEST_TIME else None
        return {
            VERSION_KEY: VERSION,
            ENVIRONMENT: self._environment,
            UPDATE_IDS: {**self._inherited, **self._seen},
            NEWEST_TRANSACTION_TIME: newest_time,
            NEWEST_RECEIVED_AT: self.newest_received_at_us,
        }

    @property
    def known_symbols(self) -> list[str]:
        """The symbols of the state that this cursor continues."""
        return list(self._inherited)

    @classmethod
    def from_state(cls, state: Mapping[str, Any], environment: str, today: date) -> Cursor:
        """Return the cursor that a state describes; one that knows no ids where it is of another environment.

        Contracts that were delivered more than a week ago are forgotten.

            {"version": 1, "environment": "production", "u": {"BTCUSD_PERP": 11660059839759},
             "newest_transaction_time": 1790373637547, "newest_received_at_us": 1790373637550123}

        Raises `UnreadableState`.
        """
        if not state:
            return cls(environment)
        written_by, update_ids, version = (state.get(key) for key in (ENVIRONMENT, UPDATE_IDS, VERSION_KEY))
        if not isinstance(written_by, str) or not isinstance(update_ids, Mapping):
            raise UnreadableState(f"it has no `{ENVIRONMENT}` and `{UPDATE_IDS}` of each symbol")
        if version is not None and (type(version) is not int or version != VERSION):
            raise UnreadableState(f"its `{VERSION_KEY}` is not {VERSION}, the only one that this release knows")
        for symbol, update_id in update_ids.items():
            if type(update_id) is not int:
                raise UnreadableState(f"the update id of {symbol[:100]} is not a whole number")
            if update_id > MAX_UPDATE_ID:
                raise UnreadableState(f"the update id of {symbol[:100]} is larger than any that was ever taken")
        newest = _time_in(state, NEWEST_TRANSACTION_TIME, LATEST_TIME, "milliseconds")
        received_at_us = _time_in(state, NEWEST_RECEIVED_AT, LATEST_TIME * 1000, "microseconds")
        if written_by != environment:
            return cls(environment, newest_received_at_us=received_at_us)  # of this machine's clock, not the exchange's
        listed = {
            symbol: last for symbol, last in update_ids.items() if not is_expired(symbol, today, days=FORGOTTEN_AFTER)
        }
        return cls(environment, listed, newest, received_at_us)


def _time_in(state: Mapping[str, Any], key: str, latest: int, unit: str) -> int | None:
    moment = state.get(key)
    if moment is None or (type(moment) is int and 0 <= moment <= latest):
        return moment
    raise UnreadableState(f"`{key}` is not a time in {unit}")


def is_of_other_environment(state: Mapping[str, Any], environment: str) -> bool:
    """Whether a readable state belongs to another exchange, whose update ids mean nothing here."""
    return bool(state) and state.get(ENVIRONMENT) != environment
