"""The cursor's rules, over arbitrary interleavings of symbols, overlaps, duplicates and restarts of the connector."""

from __future__ import annotations

import json
from datetime import date
from typing import Any, NamedTuple

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from source_binance_futures.streams import cursor as module
from source_binance_futures.streams.cursor import Cursor, UnreadableState

from .test_fuzz import values

SYMBOLS = ["BTCUSD_PERP", "ETHUSD_PERP", "BTCUSD_260626", "币安人生USD_PERP"]
TODAY = date(2026, 6, 1)
NOW = 1790373637547  # a transaction time
MINUTE = 60_000
LATEST = 4_102_444_800_000  # the year 2100

several = settings(max_examples=150, deadline=None)


class Update(NamedTuple):
    symbol: str
    update_id: int
    transaction_time: int


@st.composite
def pushes(draw: st.DrawFn) -> list[Update]:
    """What an exchange pushes: ids and times rise within a symbol; across symbols they go to and fro."""
    symbols = draw(st.lists(st.sampled_from(SYMBOLS), max_size=40))
    ids = {symbol: draw(st.integers(1, 2**40)) for symbol in SYMBOLS}
    times = {symbol: NOW + draw(st.integers(0, 200)) for symbol in SYMBOLS}
    pushed = []
    for symbol in symbols:
        ids[symbol] += draw(st.integers(1, 3000))
        times[symbol] += draw(st.sampled_from([0, 1, 90_000]))
        pushed.append(Update(symbol, ids[symbol], times[symbol]))
    return pushed


@st.composite
def captures(draw: st.DrawFn) -> tuple[list[Update], list[tuple[list[int], bool]]]:
    """Pushed updates; what each connection hears of them, with overlaps, gaps and echoes; and if a new sync follows."""
    pushed = draw(pushes())
    windows = []
    begin = end = 0
    while end < len(pushed):
        begin = draw(st.integers(begin, len(pushed) - 1))
        end = draw(st.integers(max(begin + 1, end), len(pushed)))
        echoes = draw(st.lists(st.integers(begin, end - 1), max_size=5))
        windows.append(([*range(begin, end), *echoes], draw(st.booleans())))
    return pushed, windows


def restarted(cursor: Cursor, environment: str = "production") -> Cursor:
    """The cursor of the next sync: its state went through Airbyte as JSON."""
    return Cursor.from_state(json.loads(json.dumps(cursor.state())), environment, TODAY)


def restart(before: int, after: int, symbol: str = "BTCUSD_PERP") -> str:
    return (
        f"The exchange's counter of {symbol} has restarted: update id {after} after {before}. "
        "Its updates are taken as new."
    )


@several
@given(captures())
def test_every_update_that_was_heard_leaves_once_and_in_order(
    capture: tuple[list[Update], list[tuple[list[int], bool]]],
) -> None:
    pushed, windows = capture
    cursor = Cursor("production")
    emitted: list[int] = []
    for heard, sync_ends in windows:
        emitted += [position for position in heard if cursor.advance(*pushed[position])]
        assert not cursor.restarts
        cursor = restarted(cursor) if sync_ends else cursor
    assert emitted == sorted({position for heard, _ in windows for position in heard})


@several
@given(st.lists(st.tuples(st.sampled_from(SYMBOLS), st.integers(1, 50), st.none() | st.integers(0, 10**6))))
@example([("BTCUSD_PERP", 2, 500_001), ("BTCUSD_PERP", 1, 560_002)])
@example([("BTCUSD_PERP", 1, None), ("ETHUSD_PERP", 1, 560_001)])
@example([("BTCUSD_PERP", 26, None), ("BTCUSD_PERP", 1, 500_001), ("BTCUSD_PERP", 1, 560_002)])
def test_whatever_comes_ids_rise_within_a_symbol_until_its_counter_restarts(
    updates: list[tuple[str, int, int | None]],
) -> None:
    newest = {SYMBOLS[0]: 25, SYMBOLS[1]: 10}
    cursor = Cursor("production", newest, newest_transaction_time=NOW + 500_000)
    newest, restarts = dict(newest), 0
    for symbol, update_id, time in updates:
        if not cursor.advance(symbol, update_id, None if time is None else NOW + time):
            continue
        if len(cursor.restarts) > restarts:
            restarts += 1
            assert cursor.restarts[-1] == restart(newest[symbol], update_id, symbol)
        else:
            assert update_id > newest.get(symbol, 0)
        newest[symbol] = update_id
    assert len(cursor.restarts) == restarts
    assert cursor.state()["u"] == newest
    # What is known comes again, and is no newer than all that was taken. Of a contract that brought nothing but lower
    # ids, a time long after the state is a restart.
    latest = cursor.state()["newest_transaction_time"]
    undecided = cursor.end()
    known = [update for update in updates if update[1] <= newest[update[0]] and update[0] not in undecided]
    assert not any(cursor.advance(symbol, update_id, latest) for symbol, update_id, _ in known)


class Story(NamedTuple):
    """Updates of one contract: what its cursor makes of them."""

    heard: list[tuple[int, Any]]  # update id, and the transaction time in ms after NOW, or as it is sent
    taken: list[int]
    known: int | None = None  # the state's id, with NOW as its time
    restart: tuple[int, int] | None = None  # `before`, `after`
    left_out: tuple[int, int] | None = None  # from when to when something was that was newer, in ms after NOW
    at_end: tuple[int, int] | None = None  # and what may have become a restart


STORIES = {
    "over a minute after the state a lower id is a restart": Story(
        [(900, MINUTE + 1)], [900], known=1000, restart=(1000, 900)
    ),
    "a minute, not more": Story([(900, MINUTE)], [], known=1000, at_end=(MINUTE, MINUTE)),
    "an equal id is known, whenever it comes": Story([(1000, 2 * MINUTE), (1000, 10**9)], [], known=1000),
    "of the time of the state": Story([(900, 0)], [], known=1000),
    "no restart, just newer": Story([(1001, -2 * MINUTE)], [1001], known=1000),
    "without a usable time": Story(
        [(900, None), (900, True), (900, f"{NOW + 2 * MINUTE}")], [], 1000, at_end=(-NOW, -NOW)
    ),
    "after a restart the new counter counts": Story(
        [(5, 2 * MINUTE), (5, 2 * MINUTE), (4, 2 * MINUTE), (6, 2 * MINUTE)], [5, 6], known=1000, restart=(1000, 5)
    ),
    "nothing but lower ids has come since the state": Story(
        [(900, 0), (7, 2 * MINUTE)], [7], known=1000, restart=(1000, 7)
    ),
    "the state's own id came before the lower one": Story(
        [(1000, 0), (7, 2 * MINUTE)], [], known=1000, at_end=(2 * MINUTE, 2 * MINUTE)
    ),
    "a higher id came before the lower one": Story(
        [(1001, 0), (7, 2 * MINUTE)], [1001], known=1000, at_end=(2 * MINUTE, 2 * MINUTE)
    ),
    "within a sync a minute of lower ids that are newer is a restart": Story(
        [(1001, 0), (7, 1), (8, MINUTE), (9, 1 + MINUTE), (10, 2 + MINUTE), (9, 3 + MINUTE), (11, 3 + MINUTE)],
        [1001, 10, 11],
        known=1000,
        restart=(1001, 10),
        left_out=(1, 3 + MINUTE),
    ),
    "a higher id in between ends the suspicion": Story(
        [(1000, 0), (7, 1), (1001, 2), (8, 2 * MINUTE)], [1000, 1001], left_out=(1, 1), at_end=(2 * MINUTE, 2 * MINUTE)
    ),
    "an equal id in between does not": Story([(1000, 0), (7, 1), (1000, 2 * MINUTE)], [1000], at_end=(1, 1)),
    "lower ids that were newer and came to no restart": Story(
        [(7, 10), (8, 5), (9, 12), (10, 11), (1001, 20)], [1001], known=1000, left_out=(5, 12)
    ),
    "two spans that nobody took are one": Story(
        [(1000, 0), (7, 1), (8, 3), (1001, 4), (9, 5), (10, 8), (1002, 9)], [1000, 1001, 1002], left_out=(1, 8)
    ),
    "what may have become a restart": Story([(1000, 0), (7, 1), (8, 2)], [1000], at_end=(1, 2)),
    "the id of the state is no lower one": Story([(1000, 1)], [], known=1000),
    "as old as the newest begins no suspicion": Story(
        [(1000, 0), (7, 0), (8, MINUTE + 1)], [1000], at_end=(MINUTE + 1, MINUTE + 1)
    ),
    **{
        f"heard twice, {time!r} after": Story([(1000, 0), (7, -10 * MINUTE), (8, time)], [1000])
        for time in (0, -5, None, True, f"{NOW + 1}", NOW * 1000)
    },
}


def at(moment: Any) -> Any:
    return NOW + moment if type(moment) is int else moment


@pytest.mark.parametrize("name", STORIES)
def test_which_lower_ids_are_of_a_counter_that_began_anew(name: str) -> None:
    story = STORIES[name]
    known = {} if story.known is None else {"BTCUSD_PERP": story.known, "ETHUSD_PERP": 5}
    cursor = Cursor("production", known, NOW if known else None)
    taken = [update_id for update_id, moment in story.heard if cursor.advance("BTCUSD_PERP", update_id, at(moment))]
    assert taken == story.taken
    assert cursor.restarts == ([restart(*story.restart)] if story.restart else [])
    assert cursor.state()["u"] == {**known, "BTCUSD_PERP": [story.known, *story.taken][-1]}
    for expected in (story.left_out, story.at_end):
        assert cursor.left_out == ({} if expected is None else {"BTCUSD_PERP": tuple(map(at, expected))})
        cursor.left_out.clear()
        cursor.end()


@pytest.mark.parametrize(("transaction_time", "is_believed"), [(LATEST, True), (LATEST + 1, False)])
def test_a_time_is_believed_up_to_the_year_2100(transaction_time: int, is_believed: bool) -> None:
    """In another unit it would be later, become the newest, and hide every restart."""
    cursor = Cursor("production")
    cursor.advance("BTCUSD_PERP", 1, NOW)
    cursor.advance("BTCUSD_PERP", 2, transaction_time)
    assert cursor.state()["newest_transaction_time"] == (transaction_time if is_believed else NOW)
    cursor = Cursor("production")
    cursor.advance("BTCUSD_PERP", 1000, LATEST - MINUTE - 2)
    cursor.advance("BTCUSD_PERP", 7, LATEST - MINUTE - 1)
    assert cursor.advance("BTCUSD_PERP", 8, transaction_time) is is_believed
    if is_believed:
        state = {"environment": "production", "u": {}, "newest_transaction_time": transaction_time}
        assert Cursor.from_state(state, "production", TODAY).listened_until == transaction_time


def test_delivered_contracts_leave_the_state_after_a_week() -> None:
    state = {"environment": "production", "u": {"BTCUSD_260626": 5, "BTCUSD_PERP": 6}, "newest_transaction_time": NOW}
    kept = {day: Cursor.from_state(state, "production", date(2026, 7, day)).state()["u"].keys() for day in (3, 4)}
    assert kept == {3: {"BTCUSD_260626", "BTCUSD_PERP"}, 4: {"BTCUSD_PERP"}}
    assert Cursor.from_state(state, "production", date(2026, 7, 4)).known == {"BTCUSD_PERP": 6}


UNBELIEVABLE = [None, 0, 1, True, "1790373637547", NOW // 1000, NOW * 1000, NOW * 10**6, NOW + 20 * MINUTE, -NOW]


def hear(cursor: Cursor, second: float, update_id: int, transaction_time: Any) -> bool:
    """An update that was read so many seconds after NOW, by a machine whose clock is an hour behind."""
    now = NOW * 1000 + round(second * 1e6)
    cursor.begin_read(now - 3_600_000_000, now)
    return cursor.advance("BTCUSD_PERP", update_id, transaction_time)


@pytest.mark.parametrize("transaction_time", UNBELIEVABLE)
def test_where_a_time_proves_nothing_receipt_counts(transaction_time: Any) -> None:
    received = NOW * 1000 - 3_600_000_000
    for seconds, is_restart in ((60, False), (60.001, True)):
        cursor = Cursor("production", {"BTCUSD_PERP": 1000}, NOW, received)
        assert hear(cursor, seconds, 7, transaction_time) is is_restart, "since the state"
        assert not hear(cursor, seconds, 1000 if not is_restart else 7, transaction_time)
    cursor = Cursor("production", {"BTCUSD_PERP": 1000}, NOW)  # a state that knows of no receipt
    taken = [hear(cursor, second, 7 + second, transaction_time) for second in (0, 30, 60, 61, 62)]
    assert taken == [False, False, False, True, True]
    assert cursor.restarts == [restart(1000, 68)]
    assert cursor.left_out == {"BTCUSD_PERP": (NOW, NOW + 60_000)}


@pytest.mark.parametrize("in_between", [1000, 1001])
def test_without_a_time_what_the_old_counter_follows_was_heard_twice(in_between: int) -> None:
    cursor = Cursor("production")
    assert hear(cursor, 0, 1000, None)
    for second, update_id in ((1, 7), (40, in_between), (62, 8)):
        hear(cursor, second, update_id, None)
    cursor.end()
    assert not cursor.restarts
    assert not cursor.left_out


@pytest.mark.parametrize("absurd", [NOW + 1_000 + 10 * MINUTE + 1, LATEST])
def test_a_time_that_is_ahead_of_the_exchanges_clock_hides_no_restart(absurd: int) -> None:
    cursor = Cursor("production")
    assert hear(cursor, 0, 1000, NOW)
    assert hear(cursor, 1, 1001, absurd)
    assert cursor.state()["newest_transaction_time"] == NOW
    following = Cursor("production", {"BTCUSD_PERP": 1000}, absurd, NOW * 1000)  # as an older release may have left it
    assert [hear(following, second, second, NOW + second * 1000) for second in (1, 62)] == [False, True]
    assert following.state()["newest_transaction_time"] == NOW + 62_000


@pytest.mark.parametrize("transaction_time", [NOW - 1, None])
def test_a_contract_with_nothing_but_lower_ids_in_a_whole_sync_is_counted(transaction_time: int | None) -> None:
    cursor = Cursor("production", {"BTCUSD_PERP": 1000, "ETHUSD_PERP": 5}, NOW)
    for second in range(4):
        assert not hear(cursor, second, 7 + second, transaction_time)
    assert not cursor.advance("ETHUSD_PERP", 5, transaction_time)
    assert cursor.end() == {"BTCUSD_PERP": 4}
    expected = {"BTCUSD_PERP": (NOW, NOW + 3000)} if transaction_time is None else {}
    assert cursor.left_out == expected, "what may be newer is missing, what is older is not"
    assert cursor.advance("BTCUSD_PERP", 1001, NOW)
    assert cursor.end() == {}


def test_the_newest_read_that_gave_rows_stays_in_the_state() -> None:
    cursor = Cursor.from_state({"environment": "production", "u": {}}, "production", TODAY)
    assert cursor.state()["newest_received_at_us"] is None
    for received_at_us in (5_000, 4_000, 7_000):
        cursor.written(received_at_us)
    assert restarted(cursor).newest_received_at_us == 7_000
    assert restarted(cursor, "testnet").newest_received_at_us == 7_000, "the machine's clock is the same"


@several
@example(pushed=[Update("BTCUSD_PERP", 2, NOW)], known={"BTCUSD_PERP": 2})
@given(pushed=pushes(), known=st.dictionaries(st.sampled_from([*SYMBOLS, "SILENTUSD_PERP"]), st.integers(1, 2**40)))
def test_the_state_keeps_silent_symbols_and_the_newest_time(pushed: list[Update], known: dict[str, int]) -> None:
    cursor = Cursor("production", known, NOW - MINUTE)
    taken = [update.transaction_time for update in pushed if cursor.advance(*update)]
    state = restarted(cursor).state()
    assert state["environment"] == "production"
    assert state["u"].keys() == known.keys() | {update.symbol for update in pushed}
    for symbol, update_id in known.items():
        if symbol not in cursor.seen:
            assert state["u"][symbol] == update_id
    assert state["newest_transaction_time"] == max(taken, default=NOW - MINUTE)


FRESH: dict[str, Any] = {"environment": "production", "u": {}} | dict.fromkeys(
    ["newest_transaction_time", "newest_received_at_us"]
)


@pytest.mark.parametrize(
    "state",
    [
        pytest.param({}, id="none: a fresh start"),
        pytest.param({**FRESH, "u": {"BTCUSD_PERP": 2**63 - 1}}, id="the largest id of an integer column, no version"),
        pytest.param({**FRESH, "newest_received_at_us": 0, "version": 1}, id="a time of 1970"),
    ],
)
def test_a_state_that_is_read(state: dict[str, Any]) -> None:
    assert Cursor.from_state(state, "production", TODAY).state() == {**FRESH, **state, "version": 1}
    early = {**FRESH, "newest_transaction_time": 0}
    assert Cursor.from_state(early, "production", TODAY).listened_until == 0


@pytest.mark.parametrize(
    ("state", "named"),
    [
        ({"u": {"A": 1}}, "environment"),
        ({"environment": "production"}, "`u`"),
        ({"offset": 5}, "environment"),  # another connector's
        ({"__ab_no_cursor_state_message": True}, "environment"),
        *[({**FRESH, "environment": value}, "environment") for value in (1, None)],
        *[({**FRESH, "u": value}, "`u`") for value in (None, [["A", 1]], 11660059839759)],
        *[
            ({**FRESH, "environment": environment, "u": {"BTCUSD_PERP": value}}, "BTCUSD_PERP")
            for environment in ("production", "testnet")
            for value in ("11660059839759", 1.5, True, 2**63, None, {"u": 1})  # no JSON of ours could hold 2**63
        ],
        *[
            ({**FRESH, key: value}, key)
            for key, late in (("newest_transaction_time", LATEST + 1), ("newest_received_at_us", LATEST * 1000 + 1))
            for value in ("now", True, -1, late)
        ],
        *[({**FRESH, "version": value}, "`version` is not 1") for value in (2, True, "1")],
    ],
)
def test_an_unreadable_state_is_named(state: dict[str, Any], named: str) -> None:
    with pytest.raises(UnreadableState) as refused:
        Cursor.from_state(state, "production", TODAY)
    assert named in str(refused.value)


KEYS = ("environment", "u", "newest_transaction_time", "newest_received_at_us", "version", "other")


@settings(max_examples=60, deadline=None)
@example({"environment": "production", "u": {"A" * 10_000: "x"}, "newest_transaction_time": None})
@given(st.fixed_dictionaries({}, optional={key: values | st.sampled_from(["production", 1]) for key in KEYS}))
def test_any_state_is_applied_or_refused_in_a_short_sentence(state: dict[str, Any]) -> None:
    try:
        cursor = Cursor.from_state(state, "production", TODAY)
    except UnreadableState as refused:
        sentence = str(refused)
    else:
        sentence = ""
        assert cursor.state()["u"] == (state.get("u", {}) if state.get("environment") == "production" else {})
    assert len(sentence) < 400


def test_ever_more_symbols_are_refused_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    cursor = Cursor("production", {f"X{number}": 1 for number in range(19_999)})
    assert [cursor.advance(symbol, 1, NOW) for symbol in ("A", "B")] == [True, False], "as many as no exchange lists"
    monkeypatch.setattr(module, "MAX_SYMBOLS", 3)
    cursor = Cursor("production")
    assert [cursor.advance(f"X{number}USD_PERP", 1, NOW) for number in range(5)] == [True, True, True, False, False]
    assert cursor.advance("X0USD_PERP", 2, NOW)
    assert cursor.symbols_refused == 2
    assert len(cursor.state()["u"]) == 3
    assert not Cursor.from_state(cursor.state(), "production", TODAY).advance("X9USD_PERP", 1, NOW)
