"""The failover of one feed, event by event: what it asks for, in order, and the moments at which it does."""

from __future__ import annotations

from collections import deque
from functools import partial
from typing import Any, NamedTuple

import pytest

from source_binance_futures.binance.market_stream.backoff import Backoff, Refusal
from source_binance_futures.binance.market_stream.exchange_clock import ExchangeClock
from source_binance_futures.binance.market_stream.failover import Action, Command, Failover
from source_binance_futures.binance.market_stream.items import Batch, ConnectivityChanged, Gap, LogLine, Takeover
from source_binance_futures.binance.market_stream.line import Timing
from source_binance_futures.binance.market_stream.messages import Read

BEGAN = 1000.0
WINDOW_ENDS = 100_000.0
HOUR = 3600.0
dial, close, ping = Command("dial"), partial(Command, "close"), partial(Command, "ping")
pause, resume = partial(Command, "pause"), partial(Command, "resume")
silence = partial(Gap, is_silence=True)
info, warning = partial(LogLine, "info"), partial(LogLine, "warning")
REFUSED = Refusal(ConnectionRefusedError("nobody knows MEXX."))


class Emit(NamedTuple):
    """A batch that counts: the read of this line at this moment."""

    line: int
    at: float


class Machine:
    """Its exchange has our clock: what is pushed at a moment comes at that moment, if not said otherwise."""

    def __init__(self, *, standby: bool = False) -> None:
        self.backoff = Backoff(lambda: 0.0, deque(maxlen=250), WINDOW_ENDS)
        self.it = Failover(Timing(), ExchangeClock(0.0), self.backoff, standby=standby, began=BEGAN)
        self.trace: list[str] = []  # the transitions
        self.connected: list[float | None] = []  # since when it was not, as the consumer knows it
        self.batches: list[Batch] = []

    def said(self, actions: list[Action]) -> list[Action | Emit]:
        """The actions, but for transitions and connectivity, which are kept; a batch as the read that it is of."""
        said: list[Action | Emit] = []
        for action in actions:
            if isinstance(action, Batch):
                self.batches.append(action)
                said.append(Emit(action.line, action.received_at_us / 1e6))
            elif isinstance(action, ConnectivityChanged):
                self.connected.append(action.lost_at)
            elif isinstance(action, LogLine) and action.level == "debug":
                self.trace.append(action.text)
            else:
                said.append(action)
        return said

    @property
    def state(self) -> str:
        return self.it.state.value

    @property
    def missing(self) -> str:
        return self.it.missing.value

    def tick(self, now: float) -> list[Action | Emit]:
        return self.said(self.it.tick(now))

    def opened(self, number: int, now: float) -> list[Action | Emit]:
        return self.said(self.it.opened(number, now))

    def refused(self, now: float, refusal: Refusal = REFUSED) -> list[Action | Emit]:
        return self.said(self.it.refused(refusal, now))

    def lost(self, number: int, now: float, cause: str = "reset") -> list[Action | Emit]:
        return self.said(self.it.lost(number, cause, now))

    def request_reconnect(self, number: int, now: float) -> list[Action | Emit]:
        return self.said(self.it.request_reconnect(number, "a dead stream", now))

    def full(self, now: float) -> list[Action | Emit]:
        return self.said(self.it.pause_or_resume(now, full=True))

    def free(self, now: float) -> list[Action | Emit]:
        return self.said(self.it.pause_or_resume(now, full=False))

    def ended(self, now: float) -> list[Action | Emit]:
        return self.said(self.it.window_ended(now))

    def heard(self, number: int, now: float) -> list[Action | Emit]:
        """A pong, say."""
        return self.said(self.it.received(number, Read([]), now))

    def update(self, number: int, now: float, *, late: float = 0.0, **differs: Any) -> tuple[Emit, list[Action | Emit]]:
        pushed = now - late
        said = {"has_data": True, "has_update": True, "earliest": pushed, "newest": pushed, **differs}
        read = Read([b"x"], 1, round(now * 1e6), **said)
        return Emit(number, now), self.said(self.it.received(number, read, now))

    def both(self, first: float, last: float, step: float = 1.0) -> None:
        """Updates over both lines, in step."""
        while first <= last:
            self.update(0, first)
            self.update(1, first)
            first += step


def single() -> Machine:
    """One line that brought an update at the beginning."""
    machine = Machine()
    machine.tick(BEGAN)
    machine.opened(0, BEGAN)
    machine.update(0, BEGAN)
    return machine


def covered() -> Machine:
    """And a standby that has brought all since then."""
    machine = Machine(standby=True)
    machine.tick(BEGAN)
    machine.opened(0, BEGAN)
    machine.update(0, BEGAN)
    machine.tick(BEGAN + 1)
    machine.opened(1, BEGAN + 1)
    machine.both(BEGAN + 1, BEGAN + 3)
    return machine


# --- what a read proves ---


def test_with_a_standby_that_has_the_rest_it_is() -> None:
    machine = covered()
    machine.update(0, BEGAN + 4, ended=True)
    assert machine.batches[-1].is_complete
    machine = covered()
    machine.lost(1, BEGAN + 4)
    machine.update(0, BEGAN + 5, ended=True)
    assert not machine.batches[-1].is_complete
    machine = covered()
    machine.update(1, BEGAN + 4, ended=True)
    machine.update(0, BEGAN + 4, ended=True)
    assert not machine.batches[-1].is_complete, "it has ended too"
    machine = covered()
    machine.update(1, BEGAN + 4, ended=True)
    machine.lost(0, BEGAN + 4)
    assert [batch.is_complete for batch in machine.batches[-4:]] == [True, True, True, False]


# --- the first connection ---


def test_the_first_tick_asks_for_a_connection_and_the_next_ones_wait_for_it() -> None:
    machine = Machine()
    assert machine.tick(BEGAN) == [dial]
    assert machine.tick(BEGAN + 100) == []
    assert machine.opened(0, BEGAN + 100) == []
    assert machine.tick(BEGAN + 101) == [], "one is enough"
    assert machine.trace == ["connecting -> unproven"]
    assert machine.connected == [BEGAN, None]
    batch, actions = machine.update(0, BEGAN + 101)
    assert actions == [batch]
    assert machine.trace == ["connecting -> unproven", "unproven -> single"]
    assert machine.it.watermark == BEGAN + 101


def test_failures_are_reported_ever_more_rarely_and_are_an_outage_until_a_connection_ends_their_row() -> None:
    machine = Machine()
    said = []
    now = BEGAN
    for _ in range(9):
        now += 30
        assert dial in machine.tick(now)
        said += machine.refused(now)
    expected = [
        warning(f"Connecting failed (attempt {number} in a row): nobody knows MEXX.") for number in (1, 2, 4, 8)
    ]
    assert said == expected
    assert machine.trace == ["nothing missing -> outage (nobody knows MEXX)"]
    machine.tick(now + 30)
    machine.opened(0, now + 30)
    batch, actions = machine.update(0, now + 31)
    assert actions == [Gap(0, BEGAN, now + 31, "nobody knows MEXX"), batch]
    machine.lost(0, now + 32)
    assert machine.refused(now + 32) == [warning("Connecting failed (attempt 1 in a row): nobody knows MEXX.")]


def test_what_is_refused_for_good_is_given_up() -> None:
    machine = Machine()
    machine.it.name = "One of two"
    machine.tick(BEGAN)
    refusal = Refusal(PermissionError("forbidden."), for_good=True)
    assert machine.refused(BEGAN, refusal) == [
        warning("One of two: Connecting failed (attempt 1 in a row): forbidden."),
        warning("One of two: forbidden. Whatever else is connected goes on until the end."),
    ]
    assert machine.it.failure is refusal.error
    assert machine.tick(BEGAN + 1000) == []


def test_a_ban_that_a_standby_heard_of_is_remembered_when_the_connection_in_use_is_lost() -> None:
    machine = Machine(standby=True)
    machine.tick(BEGAN)
    machine.opened(0, BEGAN)
    machine.update(0, BEGAN)
    assert machine.tick(BEGAN + 1) == [dial]
    ban = Refusal(OSError("banned"), listens_again_at=WINDOW_ENDS)
    assert machine.refused(BEGAN + 1, ban) == [
        warning("The standby connection is missing (attempt 1 in a row): banned")
    ]
    assert machine.tick(BEGAN + 2) == []
    before = machine.it.failure
    assert machine.lost(0, BEGAN + 3) == [close(0), info("The connection was lost: reset. Connecting again.")]
    assert (before, machine.it.failure) == (None, ban.error)
    assert machine.tick(WINDOW_ENDS + 1) == []


# --- a connection is lost ---


def test_what_a_loss_costs_is_reported_with_the_first_update_after_it() -> None:
    machine = single()
    machine.update(0, BEGAN + 10)
    assert machine.lost(0, BEGAN + 12) == [close(0), info("The connection was lost: reset. Connecting again."), dial]
    assert machine.lost(0, BEGAN + 12) == machine.update(0, BEGAN + 12)[1] == [], "it is gone"
    assert machine.it.losses == 1
    assert machine.opened(1, BEGAN + 13) == []
    assert machine.heard(1, BEGAN + 13) == []
    batch, actions = machine.update(1, BEGAN + 14)
    assert actions == [Gap(0, BEGAN + 10, BEGAN + 14, "reset"), batch]
    assert machine.trace[-5:] == [
        "nothing missing -> outage (reset)",
        "single -> connecting",
        "connecting -> unproven",
        "outage -> nothing missing",
        "unproven -> single",
    ]
    assert machine.connected == [BEGAN, None, BEGAN + 12, None]
    assert machine.update(1, BEGAN + 15)[1][1:] == []


def test_only_an_update_makes_the_next_attempt_immediate() -> None:
    machine = Machine()
    now = BEGAN
    for number in range(8):
        while machine.tick(now) == []:
            now += 0.1
        machine.opened(number, now)
        machine.heard(number, now)
        machine.lost(number, now)
    machine.tick(now + 100)
    machine.opened(9, now + 100)
    machine.update(9, now + 101, has_update=False)
    assert dial not in machine.lost(9, now + 101), "samples prove nothing"
    machine.tick(now + 200)
    machine.opened(10, now + 200)
    machine.update(10, now + 201)
    assert dial in machine.lost(10, now + 201)


def test_it_is_proven_once_and_not_by_each_update() -> None:
    machine = single()
    machine.request_reconnect(0, BEGAN + 1)
    for _ in range(4):
        machine.backoff.attempted(BEGAN + 10)
    later = machine.backoff.next_attempt_at(alive=True)
    machine.update(0, BEGAN + 11)
    assert machine.backoff.next_attempt_at(alive=True) == later > BEGAN + 10.5


# --- a standby ---


def test_a_standby_is_opened_beside_the_first_and_covers_it_once_it_has_all() -> None:
    machine = Machine(standby=True)
    machine.tick(BEGAN)
    machine.opened(0, BEGAN)
    machine.update(0, BEGAN)
    assert machine.tick(BEGAN + 0.49) == []
    assert machine.tick(BEGAN + 0.5) == [dial]
    machine.opened(1, BEGAN + 1)
    assert machine.tick(BEGAN + 30) == [ping(0), ping(1)], "no third"
    machine.update(0, BEGAN + 30)
    assert machine.update(1, BEGAN + 30)[1] == [], "kept"
    assert machine.state == "single"
    machine.update(0, BEGAN + 30.25)
    assert machine.state == "covered"


def test_a_standby_takes_over_without_a_gap_with_what_it_kept() -> None:
    machine = covered()
    machine.update(1, BEGAN + 4)
    actions = machine.lost(0, BEGAN + 4)
    assert actions[:3] == [close(0), Takeover(0, 1, BEGAN + 1.25), info("Another connection took over: reset.")]
    assert actions[3:7] == [Emit(1, BEGAN + seconds) for seconds in (1, 2, 3, 4)]
    assert actions[7:] == [dial]
    assert machine.it.watermark == BEGAN + 4
    assert machine.it.losses == 1


def test_a_standby_that_ages_or_is_shut_down_is_left_for_another() -> None:
    machine = covered()
    assert machine.update(1, BEGAN + 4, retiring=True)[1] == [close(1), dial]
    machine = covered()
    assert machine.it.standby is not None
    machine.it.standby.opened_at = BEGAN + 4 - 23 * HOUR
    assert machine.tick(BEGAN + 3.9) == []
    assert machine.tick(BEGAN + 4) == [close(1), dial]


def test_two_lines_in_silence_are_replaced_by_a_fresh_one() -> None:
    """As silent as the other, the standby cannot tell whether there is anything to hear."""
    machine = covered()
    for at in (10, 20, 30):
        machine.heard(0, BEGAN + at)
        machine.heard(1, BEGAN + at)
    assert machine.tick(BEGAN + 33) == [
        close(1),
        warning("A fresh connection replaces the one in use: no update came for 30 seconds."),
        dial,
    ]


def test_a_standby_that_brings_nothing_is_replaced() -> None:
    machine = covered()
    machine.update(0, BEGAN + 4)
    assert machine.tick(BEGAN + 5.5) == [
        close(1),
        warning("The standby connection is missing, another is being opened. Cause: it was silent for 2.5 seconds."),
        dial,
    ]


# --- silence ---


def test_a_line_that_is_not_heard_is_pinged_and_lost_without_an_answer() -> None:
    machine = single()
    assert machine.tick(BEGAN + 19.9) == []
    assert machine.tick(BEGAN + 20) == [ping(0)]
    assert machine.tick(BEGAN + 29.9) == []
    why = "nothing was heard for 30 seconds and a ping was not answered"
    assert machine.tick(BEGAN + 30) == [close(0), info(f"The connection was lost: {why}. Connecting again."), dial]


def silent() -> Machine:
    """Nothing came for 30 seconds, and a fresh connection is wanted."""
    machine = single()
    machine.heard(0, BEGAN + 15)
    machine.heard(0, BEGAN + 29)
    assert machine.tick(BEGAN + 29.9) == []
    assert machine.tick(BEGAN + 30) == [
        warning("A fresh connection replaces the one in use: no update came for 30 seconds."),
        dial,
    ]
    return machine


def test_a_fresh_connection_that_is_silent_too_is_kept_and_the_silence_reported_later() -> None:
    machine = silent()
    machine.opened(1, BEGAN + 31)
    for at in (45, 60):
        machine.heard(0, BEGAN + at)
        machine.heard(1, BEGAN + at)
    assert machine.tick(BEGAN + 60.9) == []
    assert machine.tick(BEGAN + 61) == [
        warning("The fresh connection is silent too, so there may be nothing to send. Staying on it."),
        close(0),
    ]
    assert (machine.state, machine.missing) == ("unproven", "silence")
    batch, actions = machine.update(1, BEGAN + 70)
    assert actions == [silence(0, BEGAN, BEGAN + 70, "a fresh connection was silent too"), batch]
    assert machine.state == "single"


def test_each_silence_makes_it_more_patient_up_to_a_quarter_of_an_hour() -> None:
    machine = silent()
    moments = []
    now, number = BEGAN + 30, 1
    machine.opened(1, now)
    while number < 9:
        now += 1
        actions: list[Action | Emit] = []
        for line in machine.it.lines:
            actions += machine.heard(line.number, now)
        if dial in actions:
            moments.append(now)
            number += 1
            machine.opened(number, now)
    # Doubled each time: 60 after 30 for the fresh one to prove silent as well, and so on.
    waits = [later - earlier for earlier, later in zip([BEGAN + 30, *moments], moments, strict=False)]
    assert waits == [60, 120, 240, 480, 900, 900, 900, 900]


@pytest.mark.parametrize("is_open", [False, True])
def test_data_ends_the_wish_for_a_fresh_connection_and_an_unwanted_one_is_left(is_open: bool) -> None:
    machine = silent()
    machine.update(0, BEGAN + 31, has_data=False, has_update=False)
    assert machine.it.replacing == "no update came for 30 seconds", "an acknowledgement does not"
    left: list[Action | Emit] = [] if not is_open else [close(1)]
    said = machine.opened(1, BEGAN + 31) if is_open else []
    batch, actions = machine.update(0, BEGAN + 32)
    assert [*said, *actions] == [batch, *left]
    assert not machine.it.replacing
    if not is_open:
        assert machine.opened(1, BEGAN + 32) == [close(1)]
    assert machine.tick(BEGAN + 33) == []


def test_a_fresh_connection_that_brings_data_shows_that_the_old_one_was_dead() -> None:
    machine = silent()
    machine.opened(1, BEGAN + 31)
    batch, actions = machine.update(1, BEGAN + 32)
    assert actions == []
    machine.update(1, BEGAN + 33.4)
    _, actions = machine.update(1, BEGAN + 33.5)
    assert actions[:2] == [close(0), Gap(0, BEGAN, BEGAN + 32, "the connection in use was silent for 33.5 seconds")]
    assert actions[2] == batch
    assert machine.it.losses == 1


# --- replacing in good order ---


@pytest.mark.parametrize("why", ["shutdown", "age", "contents"])
def test_a_line_is_replaced_before_it_is_left(why: str) -> None:
    machine = single()
    now = BEGAN + 5
    if why == "shutdown":
        said: LogLine = info("A fresh connection replaces the one in use: the server announced its shutdown.")
        _, actions = machine.update(0, now, retiring=True)
        actions = actions[1:]
    elif why == "age":
        said = info("A fresh connection replaces the one in use: it has been open for 23.0 hours.")
        now = BEGAN + 23 * HOUR
        assert machine.update(0, now - 1)[1][1:] == []
        _, actions = machine.update(0, now)
        actions = actions[1:]
    else:
        said = warning("A fresh connection replaces the one in use: a dead stream.")
        actions = machine.request_reconnect(0, now)
    assert actions == [said, dial]
    cause = machine.it.replacing
    assert said.text.endswith(f": {cause}.")
    machine.opened(1, now)
    machine.both(now + 0.25, now + 7)
    assert machine.it.primary is not None
    assert machine.it.primary.number == 0
    _, actions = machine.update(0, now + 7.25)
    _, actions = machine.update(1, now + 7.25)
    assert actions[:3] == [close(0), Takeover(0, 1, now + 0.5), info(f"Another connection took over: {cause}.")]
    assert all(isinstance(action, Emit) for action in actions[3:])
    assert machine.it.losses == 0
    assert machine.it.lines == [machine.it.primary]
    assert machine.tick(now + 8) == []


def test_a_fresh_connection_that_is_missing_is_called_by_its_name() -> None:
    machine = single()
    machine.request_reconnect(0, BEGAN + 5)
    assert machine.refused(BEGAN + 6) == [
        warning("The fresh connection is missing (attempt 1 in a row): nobody knows MEXX."),
        dial,
    ]
    assert machine.opened(1, BEGAN + 8) == []
    assert machine.lost(1, BEGAN + 9)[:2] == [
        close(1),
        warning("The fresh connection is missing, another is being opened. Cause: reset."),
    ]


def test_where_the_old_one_is_lost_first_the_wish_is_over() -> None:
    machine = single()
    machine.request_reconnect(0, BEGAN + 5)
    machine.lost(0, BEGAN + 6)
    assert (machine.it.replacing, machine.missing) == (None, "outage")
    machine.opened(1, BEGAN + 7)
    machine.update(1, BEGAN + 8)
    assert machine.state == "single"
    assert machine.tick(BEGAN + 9) == []


def test_a_reconnect_is_of_the_line_in_use_and_asked_for_once() -> None:
    machine = covered()
    assert machine.request_reconnect(1, BEGAN + 4) == []
    assert machine.request_reconnect(7, BEGAN + 4) == []
    actions = machine.request_reconnect(0, BEGAN + 4)
    assert actions[0] == warning("A fresh connection replaces the one in use: a dead stream.")
    assert machine.request_reconnect(0, BEGAN + 4) == []
    assert Machine().request_reconnect(0, BEGAN) == [dial], "of no line"


# --- a destination that is too slow ---


def test_what_comes_after_a_pause_is_behind_until_it_has_caught_up() -> None:
    """Where frames do not say when they were pushed."""
    machine = Machine()
    machine.tick(BEGAN)
    machine.opened(0, BEGAN)
    machine.full(BEGAN + 1)
    machine.free(BEGAN + 10)
    machine.update(0, BEGAN + 10, earliest=None, newest=None)
    assert not machine.batches[-1].is_complete
    assert machine.it.watermark == BEGAN + 1


def test_a_line_that_is_lost_in_a_pause_ends_it() -> None:
    machine = single()
    machine.full(BEGAN + 1)
    assert machine.lost(0, BEGAN + 2)[0] == close(0)
    assert (machine.state, machine.missing) == ("connecting", "outage")
    assert machine.full(BEGAN + 2) == machine.free(BEGAN + 2) == [], "there is nothing to pause"
    assert not machine.it.paused
    machine.opened(1, BEGAN + 3)
    assert machine.full(BEGAN + 3) == [pause(1)]


def test_a_standby_is_looked_after_in_a_pause_and_not_compared() -> None:
    machine = covered()
    machine.full(BEGAN + 4)
    assert machine.tick(BEGAN + 23) == [ping(1)]
    machine.update(1, BEGAN + 24)
    machine.update(1, BEGAN + 30)
    assert machine.it.primary is not None
    assert machine.it.primary.number == 0
    assert machine.free(BEGAN + 31) == [resume(0)]
    assert machine.tick(BEGAN + 31.1) == []


# --- the end ---


def test_an_end_in_full_flow_leaves_every_line_and_tells_nothing() -> None:
    machine = covered()
    assert machine.ended(BEGAN + 3.5) == [close(0), close(1)]
    assert machine.tick(BEGAN + 4) == []
    assert machine.opened(2, BEGAN + 4) == [close(2)]
    assert machine.refused(BEGAN + 4) == []
    assert machine.ended(BEGAN + 40) == [], "once"


@pytest.mark.parametrize(("seconds", "said"), [(5.9, False), (6.0, True)])
def test_silence_or_an_outage_before_the_end_is_reported(seconds: float, said: bool) -> None:
    machine = single()
    end = BEGAN + seconds
    expected = [silence(0, BEGAN, end, "the window ended in silence")] if said else []
    assert machine.ended(end) == [*expected, close(0)]
    machine = single()
    machine.lost(0, BEGAN + 1)
    assert machine.ended(end) == [Gap(0, BEGAN, end, "reset")]


@pytest.mark.parametrize(("silent", "is_outage"), [(5.9, False), (6.0, True)])
def test_a_standby_that_fell_silent_while_the_other_was_unread_is_an_outage(silent: float, is_outage: bool) -> None:
    """Nobody read what could have shown whether anything was pushed."""
    machine = covered()
    machine.update(0, BEGAN + 4)
    machine.update(1, BEGAN + 4)
    machine.full(BEGAN + 4)
    actions = machine.ended(BEGAN + 4 + silent)
    gap = Gap(0, BEGAN + 4, BEGAN + 4 + silent, "the window ended while reading paused")
    assert [each for each in actions if isinstance(each, Gap)] == [gap][: int(is_outage)]


@pytest.mark.parametrize(("silent", "swapped"), [(1.9, False), (2.1, True)])
def test_what_a_spare_alone_has_brought_is_emitted_at_the_end(silent: float, swapped: bool) -> None:
    """The line in use has been mute for a while, and the window ends before that was sure."""
    machine = covered()
    batch, _ = machine.update(1, BEGAN + 3 + silent)
    actions = machine.ended(BEGAN + 3 + silent)
    assert (batch in actions) is swapped
    assert (Takeover(0, 1, BEGAN + 1.25) in actions) is swapped


def test_an_end_that_comes_late_is_an_outage() -> None:
    machine = single()
    machine.update(0, BEGAN + 5, late=1.5)
    why = "the connection was 1.5 seconds behind when the window ended"
    assert machine.ended(BEGAN + 5) == [Gap(0, BEGAN + 3.5, BEGAN + 5, why), close(0)]


@pytest.mark.parametrize("is_late", [False, True])
def test_a_standby_may_have_what_the_late_line_lacks_at_the_end(is_late: bool) -> None:
    machine = covered()
    machine.update(0, BEGAN + 5, late=1.5)
    machine.update(1, BEGAN + 5, late=1.2 if is_late else 0.0)
    actions = machine.ended(BEGAN + 5)
    why = "the connection was 1.5 seconds behind when the window ended"
    assert actions[:3] == [close(0), Takeover(0, 1, BEGAN + 1.25), info(f"Another connection took over: {why}.")]
    if is_late:
        why = "the connection was 1.2 seconds behind when the window ended"
        assert actions[-2:] == [Gap(0, BEGAN + 3.8, BEGAN + 5, why), close(1)]
    else:
        assert actions[-1] == close(1)
        assert not any(isinstance(action, Gap) for action in actions)


# --- event times that are wrong, or late ---


def test_rows_cover_nothing_until_it_is_known_since_when_a_new_connection_brings_everything() -> None:
    """The exchange's clock was set while there was no connection: its times are believed after five seconds."""
    machine = single()
    machine.update(0, BEGAN + 1)
    machine.lost(0, BEGAN + 2)
    machine.opened(1, BEGAN + 3)
    said = [action for half in range(8, 19) for action in machine.update(1, BEGAN + half / 2, late=-20)[1]]
    assert Gap(0, BEGAN + 1, BEGAN + 29, "reset") in said
    assert [batch.is_complete for batch in machine.batches[2:]] == [False] * 10 + [True]


def late_by_contract() -> Machine:
    """Of the primary one contract is in time, and all others are 40 seconds late; of the standby all are in time."""
    machine = covered()
    machine.both(BEGAN + 4, BEGAN + 43)
    for at in (44, 44.5, 45):
        machine.update(0, BEGAN + at, earliest=BEGAN + at - 40)
        machine.update(1, BEGAN + at)
    return machine


def test_contracts_that_are_late_hold_the_watermark_back() -> None:
    machine = late_by_contract()
    assert not machine.batches[-1].is_complete
    assert machine.it.watermark == BEGAN + 5
    assert machine.state == "single", "the standby keeps half a minute before what was brought"
    assert Gap(0, BEGAN + 5, BEGAN + 12, "reset") in machine.lost(0, BEGAN + 45)


def test_once_the_standby_reaches_back_that_far_it_takes_over_without_a_gap() -> None:
    machine = late_by_contract()
    at, said = 45.0, []
    while machine.it.losses == 0:
        at += 0.5
        said = machine.update(0, BEGAN + at, earliest=BEGAN + at - 40)[1] + machine.update(1, BEGAN + at)[1]
    assert at == 52.5
    assert any(isinstance(each, Takeover) for each in said)
    assert machine.it.watermark == BEGAN + at


def test_what_the_line_before_has_brought_is_not_missing_where_the_next_one_is_late() -> None:
    machine = covered()
    machine.update(1, BEGAN + 3.25)
    machine.lost(0, BEGAN + 3.5)
    machine.update(1, BEGAN + 4, earliest=BEGAN + 0.5)
    assert machine.it.watermark == BEGAN + 3
    assert Gap(0, BEGAN + 3, BEGAN + 6, "reset") in [
        *machine.lost(1, BEGAN + 5),
        *machine.opened(2, BEGAN + 5.5),
        *machine.update(2, BEGAN + 6)[1],
    ]


# --- silence at a busy time ---


def busy(seconds: int, every: float = 0.25) -> tuple[Machine, float]:
    """Updates at this pace for so long, and the moment of the last one."""
    machine = single()
    at = BEGAN
    while at < BEGAN + seconds:
        at += every
        machine.update(0, at)
    return machine, at


def test_silence_at_a_busy_time_before_the_end_is_a_gap() -> None:
    machine, last = busy(90)
    machine.heard(0, last + 10)
    why = (
        "nothing came in the last 12.0 seconds, after 237 updates in the 60 seconds before, 60 of which brought some: "
        "by chance that happens less than once in a million times"
    )
    assert machine.ended(last + 12)[0] == Gap(0, last, last + 12, why)


@pytest.mark.parametrize(("every", "silent", "stays"), [(5.0, 12.0, True), (5.0, 70.0, False), (1.9, 12.0, True)])
def test_at_a_quiet_time_it_stays_a_silence(every: float, silent: float, stays: bool) -> None:
    machine, last = busy(60, every)
    gap = machine.ended(last + silent)[0]
    assert isinstance(gap, Gap)
    assert gap.is_silence is stays
