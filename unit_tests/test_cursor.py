"""The cursor's rules, over arbitrary interleavings of symbols, overlaps, duplicates and restarts of the connector."""

from __future__ import annotations

import json
from datetime import date
from typing import Any, NamedTuple

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from source_binance_futures.streams import cursor as module
from source_binance_futures.streams.cursor import Cursor, Restart, UnreadableState, is_of_other_environment

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


class Window(NamedTuple):
    """What one connection hears of what is pushed: from `begin` to before `end`, then `echoes`, heard once more."""

    begin: int
    end: int
    echoes: list[int]
    connector_restarts: bool


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
def captures(draw: st.DrawFn) -> tuple[list[Update], list[Window]]:
    """Pushed updates, and the connections that hear them: with overlaps, with gaps, with repetitions."""
    pushed = draw(pushes())
    windows = []
    begin = end = 0
    while end < len(pushed):
        begin = draw(st.integers(begin, len(pushed) - 1))
        end = draw(st.integers(max(begin + 1, end), len(pushed)))
        echoes = draw(st.lists(st.integers(begin, end - 1), max_size=5))
        windows.append(Window(begin, end, echoes, draw(st.booleans())))
    return pushed, windows


def restarted(cursor: Cursor, environment: str = "production") -> Cursor:
    """The cursor of the next sync: its state went through Airbyte as JSON."""
    return Cursor.from_state(json.loads(json.dumps(cursor.state())), environment, TODAY)


@several
@given(captures())
def test_every_update_that_was_heard_leaves_once_and_in_order(capture: tuple[list[Update], list[Window]]) -> None:
    pushed, windows = capture
    cursor = Cursor("production")
    emitted: list[int] = []
    for window in windows:
        heard = (*range(window.begin, window.end), *window.echoes)
        emitted += [position for position in heard if cursor.advance(*pushed[position])]
        if window.connector_restarts:
            assert not cursor.restarts
            cursor = restarted(cursor)
    assert emitted == sorted({position for window in windows for position in range(window.begin, window.end)})
    assert not cursor.restarts


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
    newest, told = dict(newest), 0
    for symbol, update_id, time in updates:
        if not cursor.advance(symbol, update_id, None if time is None else NOW + time):
            continue
        if len(cursor.restarts) > told:
            told += 1
            restart = cursor.restarts[-1]
            assert (restart.symbol, restart.before, restart.after) == (symbol, newest[symbol], update_id)
        else:
            assert update_id > newest.get(symbol, 0)
        newest[symbol] = update_id
    assert len(cursor.restarts) == told
    assert cursor.state()["u"] == newest
    # What is known comes again, and is no newer than all that was taken. Of a contract that brought nothing but lower
    # ids, a time long after the state is a restart.
    latest = cursor.state()["newest_transaction_time"]
    undecided = set(cursor.only_lower)
    known = [update for update in updates if update[1] <= newest[update[0]] and update[0] not in undecided]
    assert not any(cursor.advance(symbol, update_id, latest) for symbol, update_id, _ in known)


@several
@given(pushes(), st.sampled_from(SYMBOLS))
def test_a_symbol_is_judged_as_if_it_were_alone(pushed: list[Update], symbol: str) -> None:
    together, alone = Cursor("production"), Cursor("production")
    verdicts = [(update, together.advance(*update)) for update in pushed]
    assert [verdict for update, verdict in verdicts if update.symbol == symbol] == [
        alone.advance(*update) for update in pushed if update.symbol == symbol
    ]


@pytest.mark.parametrize(
    ("update_id", "transaction_time", "is_new"),
    [
        (900, NOW + MINUTE + 1, True),
        (900, NOW + MINUTE, False),  # a minute, not more
        (1000, NOW + 2 * MINUTE, False),  # an equal id is known, whenever it comes
        (1000, NOW + 10**9, False),
        (900, NOW, False),
        (900, None, False),
        (900, True, False),
        (900, str(NOW + 2 * MINUTE), False),
        (1001, NOW - 2 * MINUTE, True),  # no restart, just newer
    ],
)
def test_a_counter_that_restarted_between_syncs(update_id: int, transaction_time: Any, is_new: bool) -> None:
    cursor = Cursor("production", {"BTCUSD_PERP": 1000, "ETHUSD_PERP": 5}, NOW)
    assert cursor.advance("BTCUSD_PERP", update_id, transaction_time) is is_new
    expected = [Restart("BTCUSD_PERP", 1000, update_id)] if is_new and update_id <= 1000 else []
    assert cursor.restarts == expected
    assert cursor.state()["u"] == {"BTCUSD_PERP": update_id if is_new else 1000, "ETHUSD_PERP": 5}


def test_within_a_sync_a_minute_of_lower_ids_that_are_newer_is_a_restart() -> None:
    cursor = Cursor("production", {"BTCUSD_PERP": 1000}, NOW)
    assert cursor.advance("BTCUSD_PERP", 1001, NOW)
    later = [NOW + 1, NOW + MINUTE, NOW + 1 + MINUTE]
    assert [cursor.advance("BTCUSD_PERP", 7 + number, at) for number, at in enumerate(later)] == [False] * 3
    assert cursor.advance("BTCUSD_PERP", 10, NOW + 2 + MINUTE)
    assert cursor.restarts == [Restart("BTCUSD_PERP", 1001, 10, NOW + 1, NOW + 2 + MINUTE)]
    assert not cursor.advance("BTCUSD_PERP", 9, NOW + 3 + MINUTE)
    assert cursor.advance("BTCUSD_PERP", 11, NOW + 3 + MINUTE)


def test_a_higher_id_in_between_ends_the_suspicion() -> None:
    cursor = Cursor("production")
    assert cursor.advance("BTCUSD_PERP", 1000, NOW)
    assert not cursor.advance("BTCUSD_PERP", 7, NOW + 1)
    assert cursor.advance("BTCUSD_PERP", 1001, NOW + 2)
    assert not cursor.advance("BTCUSD_PERP", 8, NOW + 2 * MINUTE)
    assert not cursor.restarts


def test_lower_ids_that_were_newer_and_came_to_no_restart_are_told_once() -> None:
    cursor = Cursor("production", {"BTCUSD_PERP": 1000}, NOW)
    for number, at in enumerate([NOW + 10, NOW + 5, NOW + 12, NOW + 11]):
        assert not cursor.advance("BTCUSD_PERP", 7 + number, at)
    assert cursor.advance("ETHUSD_PERP", 1, NOW)
    assert not cursor.lapsed
    assert cursor.take_lapses() == {}
    assert cursor.advance("BTCUSD_PERP", 1001, NOW + 20)
    assert set(cursor.lapsed) == {"BTCUSD_PERP"}
    assert cursor.take_lapses() == {"BTCUSD_PERP": (NOW + 5, NOW + 12)}
    assert not cursor.lapsed
    assert cursor.take_lapses(at_end=True) == {}


def test_a_lower_first_id_that_came_to_no_restart_is_told() -> None:
    cursor = Cursor("production", {"BTCUSD_PERP": 1000}, NOW)
    assert not cursor.advance("BTCUSD_PERP", 7, NOW + 1)
    assert cursor.advance("BTCUSD_PERP", 1001, NOW + 2)
    assert cursor.take_lapses() == {"BTCUSD_PERP": (NOW + 1, NOW + 1)}


def test_two_lapses_that_nobody_took_are_told_as_one() -> None:
    cursor = Cursor("production")
    for update_id, at in [(1000, 0), (7, 1), (8, 3), (1001, 4), (9, 5), (10, 8), (1002, 9)]:
        cursor.advance("BTCUSD_PERP", update_id, NOW + at)
    assert cursor.take_lapses() == {"BTCUSD_PERP": (NOW + 1, NOW + 8)}


def test_at_the_end_what_may_have_become_a_restart_is_told() -> None:
    cursor = Cursor("production")
    for update_id, at in [(1000, 0), (7, 1), (8, 2)]:
        cursor.advance("BTCUSD_PERP", update_id, NOW + at)
    assert cursor.take_lapses() == {}
    assert cursor.take_lapses(at_end=True) == {"BTCUSD_PERP": (NOW + 1, NOW + 2)}
    assert cursor.take_lapses(at_end=True) == {}


def test_the_id_of_the_state_heard_again_is_no_lower_one() -> None:
    cursor = Cursor("production", {"BTCUSD_PERP": 1000}, NOW)
    assert not cursor.advance("BTCUSD_PERP", 1000, NOW + 1)
    assert cursor.take_lapses(at_end=True) == {}


@pytest.mark.parametrize("transaction_time", [NOW, NOW - 5, None, True, str(NOW + 1), NOW * 1000])
def test_what_is_heard_twice_is_no_restart_whenever_it_comes(transaction_time: Any) -> None:
    """It is never newer than all that was taken, and one without a usable time says nothing."""
    cursor = Cursor("production")
    assert cursor.advance("BTCUSD_PERP", 1000, NOW)
    assert not cursor.advance("BTCUSD_PERP", 7, NOW - 10 * MINUTE)
    assert not cursor.advance("BTCUSD_PERP", 8, transaction_time)
    assert not cursor.restarts


def test_what_is_as_old_as_the_newest_begins_no_suspicion() -> None:
    cursor = Cursor("production")
    assert cursor.advance("BTCUSD_PERP", 1000, NOW)
    assert not cursor.advance("BTCUSD_PERP", 7, NOW)
    assert not cursor.advance("BTCUSD_PERP", 8, NOW + MINUTE + 1)
    assert not cursor.restarts


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
    state = {"environment": "production", "u": {}, "newest_transaction_time": transaction_time}
    if is_believed:
        assert Cursor.from_state(state, "production", TODAY).listened_until == transaction_time
    else:
        with pytest.raises(UnreadableState):
            Cursor.from_state(state, "production", TODAY)


def test_delivered_contracts_leave_the_state_after_a_week() -> None:
    state = {"environment": "production", "u": {"BTCUSD_260626": 5, "BTCUSD_PERP": 6}, "newest_transaction_time": NOW}
    kept = {day: Cursor.from_state(state, "production", date(2026, 7, day)).state()["u"].keys() for day in (3, 4)}
    assert kept == {3: {"BTCUSD_260626", "BTCUSD_PERP"}, 4: {"BTCUSD_PERP"}}
    assert Cursor.from_state(state, "production", date(2026, 7, 4)).known_symbols == ["BTCUSD_PERP"]


@pytest.mark.parametrize("first", [900, 1000, 1001])
def test_the_minute_since_the_state_proves_a_restart_while_nothing_but_lower_ids_has_come(first: int) -> None:
    cursor = Cursor("production", {"BTCUSD_PERP": 1000}, NOW)
    cursor.advance("BTCUSD_PERP", first, NOW)
    assert cursor.advance("BTCUSD_PERP", 7, NOW + 2 * MINUTE) is (first == 900)
    assert cursor.restarts == ([Restart("BTCUSD_PERP", 1000, 7)] if first == 900 else [])


def test_an_equal_id_is_known_also_after_a_minute_of_lower_ones() -> None:
    cursor = Cursor("production")
    for update_id, at in ((1000, 0), (7, 1), (1000, 2 * MINUTE)):
        cursor.advance("BTCUSD_PERP", update_id, NOW + at)
    assert not cursor.restarts


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
    assert [hear(cursor, second, 7 + second, transaction_time) for second in (0, 30, 60, 61, 62)] == [
        False,
        False,
        False,
        True,
        True,
    ]
    assert cursor.restarts == [Restart("BTCUSD_PERP", 1000, 68, NOW, NOW + 61_000)]


@pytest.mark.parametrize("in_between", [1000, 1001])
def test_without_a_time_what_the_old_counter_follows_was_heard_twice(in_between: int) -> None:
    cursor = Cursor("production")
    assert hear(cursor, 0, 1000, None)
    for second, update_id in ((1, 7), (40, in_between), (62, 8)):
        hear(cursor, second, update_id, None)
    assert not cursor.restarts
    assert cursor.take_lapses(at_end=True) == {}


@pytest.mark.parametrize("absurd", [NOW + 20 * MINUTE, LATEST])
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
    assert cursor.only_lower == {"BTCUSD_PERP": 4}
    expected = {"BTCUSD_PERP": (NOW, NOW + 3000)} if transaction_time is None else {}
    assert cursor.take_lapses(at_end=True) == expected, "what may be newer is missing, what is older is not"
    assert cursor.advance("BTCUSD_PERP", 1001, NOW)
    assert cursor.only_lower == {}
    assert cursor.take_lapses(at_end=True) == {}


def test_the_newest_read_that_gave_rows_stays_in_the_state() -> None:
    cursor = Cursor.from_state({"environment": "production", "u": {}}, "production", TODAY)
    assert cursor.state()["newest_received_at_us"] is None
    for received_at_us in (5_000, 4_000, 7_000):
        cursor.written(received_at_us)
    assert restarted(cursor).newest_received_at_us == 7_000
    assert restarted(cursor, "testnet").newest_received_at_us == 7_000, "the machine's clock is the same"


def test_after_a_restart_the_new_counter_counts() -> None:
    cursor = Cursor("production", {"BTCUSD_PERP": 1000}, NOW)
    later = NOW + 2 * MINUTE
    assert [cursor.advance("BTCUSD_PERP", update_id, later) for update_id in (5, 5, 4, 6)] == [True, False, False, True]
    following = restarted(cursor)
    assert [following.advance("BTCUSD_PERP", update_id, later) for update_id in (6, 7)] == [False, True]


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
        if symbol not in cursor.symbols_seen:
            assert state["u"][symbol] == update_id
    assert state["newest_transaction_time"] == max(taken, default=NOW - MINUTE)


def test_a_time_that_goes_back_across_symbols_does_not_lower_the_newest() -> None:
    cursor = Cursor("production")
    for symbol, transaction_time in (("A", NOW), ("B", NOW - 192), ("C", None), ("D", str(NOW + 5))):
        assert cursor.advance(symbol, 1, transaction_time)
    assert cursor.state()["newest_transaction_time"] == NOW


@several
@given(pushes())
def test_the_state_of_another_environment_is_not_applied(pushed: list[Update]) -> None:
    state = {"environment": "testnet", "u": dict.fromkeys(SYMBOLS, 2**60), "newest_transaction_time": NOW}
    assert is_of_other_environment(state, "production")
    cursor = Cursor.from_state(state, "production", TODAY)
    assert all(cursor.advance(*update) for update in pushed)
    assert cursor.state()["environment"] == "production"
    assert cursor.state()["u"] == {update.symbol: update.update_id for update in pushed}


def test_the_largest_id_of_an_integer_column_is_one() -> None:
    state = {"environment": "production", "u": {"BTCUSD_PERP": 2**63 - 1}, "newest_transaction_time": NOW}
    expected = {"version": 1, **state, "newest_received_at_us": None}
    assert Cursor.from_state(state, "production", TODAY).state() == expected, "one without a version is read"


def test_a_time_of_1970_is_one() -> None:
    state = {"environment": "production", "u": {}, "newest_transaction_time": 0}
    assert Cursor.from_state(state, "production", TODAY).listened_until == 0


def test_no_state_is_a_fresh_start() -> None:
    assert not is_of_other_environment({}, "production")
    assert Cursor.from_state({}, "production", TODAY).state() == {
        "version": 1,
        "environment": "production",
        "u": {},
        "newest_transaction_time": None,
        "newest_received_at_us": None,
    }


@pytest.mark.parametrize(
    ("state", "named"),
    [
        ({"u": {"A": 1}}, "environment"),
        ({"environment": "production"}, "`u`"),
        ({"environment": 1, "u": {}}, "environment"),
        ({"environment": None, "u": {}}, "environment"),
        ({"environment": "production", "u": None}, "`u`"),
        ({"environment": "production", "u": [["A", 1]]}, "`u`"),
        ({"environment": "production", "u": 11660059839759}, "`u`"),
        ({"environment": "production", "u": {"BTCUSD_PERP": "11660059839759"}}, "BTCUSD_PERP"),
        ({"environment": "production", "u": {"BTCUSD_PERP": 1.5}}, "BTCUSD_PERP"),
        ({"environment": "production", "u": {"BTCUSD_PERP": True}}, "BTCUSD_PERP"),
        ({"environment": "production", "u": {"BTCUSD_PERP": 2**63}}, "BTCUSD_PERP"),  # no JSON of ours could hold it
        ({"environment": "production", "u": {"BTCUSD_PERP": None}}, "BTCUSD_PERP"),
        ({"environment": "production", "u": {"BTCUSD_PERP": {"u": 1}}}, "BTCUSD_PERP"),
        ({"environment": "testnet", "u": {"BTCUSD_PERP": "1"}}, "BTCUSD_PERP"),
        ({"environment": "production", "u": {}, "newest_transaction_time": "now"}, "newest_transaction_time"),
        ({"environment": "production", "u": {}, "newest_transaction_time": True}, "newest_transaction_time"),
        ({"environment": "production", "u": {}, "newest_transaction_time": -1}, "newest_transaction_time"),
        ({"environment": "production", "u": {}, "newest_received_at_us": "now"}, "newest_received_at_us"),
        ({"environment": "production", "u": {}, "newest_received_at_us": LATEST * 1000 + 1}, "newest_received_at_us"),
        ({"environment": "production", "u": {}, "version": 2}, "`version` is not 1"),
        ({"environment": "production", "u": {}, "version": True}, "`version`"),
        ({"environment": "production", "u": {}, "version": "1"}, "`version`"),
        ({"offset": 5}, "environment"),  # another connector's
        ({"__ab_no_cursor_state_message": True}, "environment"),
    ],
)
def test_an_unreadable_state_is_named(state: dict[str, Any], named: str) -> None:
    with pytest.raises(UnreadableState) as refused:
        Cursor.from_state(state, "production", TODAY)
    assert named in str(refused.value)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=60, deadline=None)
@example({"environment": "production", "u": {"A" * 10_000: "x"}, "newest_transaction_time": None})
@given(
    st.fixed_dictionaries(
        {},
        optional={
            "environment": json_values | st.just("production"),
            "u": json_values,
            "newest_transaction_time": json_values,
            "newest_received_at_us": json_values,
            "version": json_values | st.just(1),
            "other": json_values,
        },
    )
)
def test_any_state_is_applied_or_refused_in_a_short_sentence(state: dict[str, Any]) -> None:
    try:
        cursor = Cursor.from_state(state, "production", TODAY)
    except UnreadableState as refused:
        sentence = str(refused)
    else:
        sentence = ""
        assert cursor.state()["u"] == (state.get("u", {}) if state.get("environment") == "production" else {})
    assert len(sentence) < 200


def test_ever_more_symbols_are_refused_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_SYMBOLS", 3)
    cursor = Cursor("production")
    assert [cursor.advance(f"X{number}USD_PERP", 1, NOW) for number in range(5)] == [True, True, True, False, False]
    assert cursor.advance("X0USD_PERP", 2, NOW)
    assert cursor.symbols_refused == 2
    assert len(cursor.state()["u"]) == 3
    assert not Cursor.from_state(cursor.state(), "production", TODAY).advance("X9USD_PERP", 1, NOW)


def test_twenty_thousand_symbols_are_more_than_any_exchange_lists() -> None:
    cursor = Cursor("production", {f"X{number}": 1 for number in range(19_999)})
    assert [cursor.advance(symbol, 1, NOW) for symbol in ("A", "B")] == [True, False]


def test_a_time_in_another_unit_does_not_become_the_newest() -> None:
    cursor = Cursor("production")
    assert cursor.advance("BTCUSD_PERP", 1, NOW)
    assert cursor.advance("BTCUSD_PERP", 2, NOW * 1000)
    assert cursor.state()["newest_transaction_time"] == NOW
