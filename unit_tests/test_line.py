"""The clocks of a line and its backlog, with clocks handed in."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf

import pytest

from source_binance_futures.binance.market_stream.exchange_clock import ExchangeClock
from source_binance_futures.binance.market_stream.items import Batch
from source_binance_futures.binance.market_stream.line import Line, Timing
from source_binance_futures.binance.market_stream.messages import Read

EPOCH = 1_790_000_000.0
OPENED = 1000.0


def line(timing: Timing | None = None) -> Line:
    return Line(0, OPENED, timing or Timing(), ExchangeClock(EPOCH))


def update(
    now: float, pushed: float | None = None, *, first: float | None = None, drained: bool = True, update: bool = True
) -> Read:
    """One update, pushed at that moment of our clock; without one its frame carries no time."""
    first_time, last_time = (None if at is None else at + EPOCH for at in (pushed if first is None else first, pushed))
    return Read([b"x"], 200, round(now * 1e6), True, update, first_time, last_time, drained=drained)


def heard() -> Read:
    """A pong, say."""
    return Read([])


def received(made: Line, now: float, read: Read) -> Batch:
    batch = made.receive(now, read)
    assert batch is not None
    return batch


def test_the_defaults_are_what_binance_asks_for() -> None:
    timing = Timing()
    assert timing.rotate_after == 23 * 3600, "Binance cuts at 24 hours, and an hour is for the way over"
    assert (timing.connect, timing.ping_after, timing.pong_within) == (10, 20, 10)
    assert (timing.first_patience, timing.patience, timing.longest_patience) == (30, 30, 900)
    assert (timing.overlap, timing.takeover_after, timing.backlog) == (7, 2, 30)
    assert timing.backlog_bytes == 32 * 1024 * 1024


def test_a_line_that_was_just_opened() -> None:
    made = Line(7, OPENED, Timing(), ExchangeClock(EPOCH))
    assert (made.number, made.opened_at, made.lag) == (7, OPENED, 0.0)
    assert (made.answered, made.has_data, made.retiring, made.ended) == (False, False, False, False)
    assert (made.last_heard_at, made.pinged_at, made.alone_since, made.behind_since) == (OPENED, inf, inf, inf)
    made.receive(OPENED + 1, Read([], retiring=True, ended=True))
    made.receive(OPENED + 2, heard())
    assert made.outlived(OPENED + 2) == "the server announced its shutdown", "that is not taken back"
    assert made.ended


def test_a_line_that_is_old_will_end_soon() -> None:
    made = line(Timing(rotate_after=7200))
    assert made.outlived(OPENED + 7199.9) is None
    assert made.outlived(OPENED + 7200) == "it has been open for 2.0 hours"


def test_any_frame_is_a_sign_of_life_and_only_data_ends_silence() -> None:
    made = line()
    made.pinged_at = OPENED + 20
    made.receive(OPENED + 21, heard())
    assert (made.last_heard_at, made.pinged_at, made.answered) == (OPENED + 21, inf, True)
    assert made.silent_for(OPENED + 40) == 40
    assert made.is_silent(OPENED + 30)
    assert not made.is_silent(OPENED + 29.9)
    made.receive(OPENED + 41, update(OPENED + 41))
    assert not made.is_silent(OPENED + 70.9)
    assert made.is_silent(OPENED + 71)


def test_patience_after_the_handshake_is_its_own() -> None:
    made = line(Timing(first_patience=10))
    assert made.is_silent(OPENED + 10)
    made.receive(OPENED + 10, update(OPENED + 10))
    assert not made.is_silent(OPENED + 39.9)


def test_an_acknowledgement_proves_nothing_and_samples_are_data_but_cover_nothing() -> None:
    made = line()
    made.receive(OPENED + 1, Read([b'{"result":null,"id":1}'], 22))
    assert (made.has_data, made.covers_from, made.silent_for(OPENED + 5)) == (False, inf, 5)
    made.receive(OPENED + 1, update(OPENED + 1, update=False))
    assert (made.has_data, made.begins, made.reached) == (True, inf, -inf)


def test_what_it_brought_goes_by_when_it_was_pushed() -> None:
    made = line()
    made.receive(OPENED + 5, update(OPENED + 5, OPENED + 5, first=OPENED + 3))
    made.receive(OPENED + 6, update(OPENED + 6, OPENED + 6))
    made.receive(OPENED + 50, update(OPENED + 50, OPENED + 10))
    assert made.begins == EPOCH + OPENED + 3
    assert made.reached == EPOCH + OPENED + 10
    assert made.lag == 40


@pytest.mark.parametrize(("late_by", "behind"), [(0.9, False), (1.0, False), (1.1, True)])
def test_a_read_that_is_late_is_marked(late_by: float, behind: bool) -> None:
    made = line()
    made.receive(OPENED + 5, update(OPENED + 5, OPENED + 5))
    assert received(made, OPENED + 6, update(OPENED + 6, OPENED + 6 - late_by)).is_complete is not behind


def test_where_push_times_go_back_what_lies_between_may_still_be_under_way() -> None:
    """Contracts may be late, each as it likes: what is complete is known up to the oldest of the last seconds."""
    made = line()
    reached = []
    for at, first, last in ((5, 5, 5), (5.1, 1, 5.1), (6, 6, 6), (7.5, 7.5, 7.5), (9.5, 9.5, 9.5), (14, 14, 14)):
        made.receive(OPENED + at, update(OPENED + at, OPENED + last, first=OPENED + first))
        reached.append((round(made.reached - EPOCH - OPENED, 3), round(made.lag, 3)))
    assert reached == [(5, 0), (1, 4.1), (1.9, 4.1), (3.4, 4.1), (9.5, 0), (14, 0)]


def test_what_came_before_any_time_was_known_is_not_compared_with_times() -> None:
    """The exchange's clock is three seconds behind ours, and the first frames carry no time."""
    made = line()
    made.receive(OPENED + 1, update(OPENED + 1))
    made.receive(OPENED + 2, update(OPENED + 2, OPENED - 1))
    made.receive(OPENED + 3, update(OPENED + 3, OPENED))
    assert (made.lag, made.reached) == (0.0, EPOCH + OPENED)


def test_what_was_pushed_before_a_line_was_opened_proves_nothing() -> None:
    """Its contract is late; another one's updates of that time were never sent over it."""
    clock = ExchangeClock(EPOCH)
    clock.read(1, OPENED - 5, EPOCH + OPENED - 5, EPOCH + OPENED - 5)
    clock.read(1, OPENED - 4, EPOCH + OPENED - 4, EPOCH + OPENED - 4)
    made = Line(0, OPENED, Timing(), clock)
    made.receive(OPENED + 1, update(OPENED + 1, OPENED - 40))
    assert made.covers_from == EPOCH + OPENED


def test_without_times_a_pause_is_late_until_it_has_kept_up_for_a_second() -> None:
    made = line()
    made.receive(OPENED + 5, update(OPENED + 5))
    made.pause(OPENED + 6)
    reads = []
    for at, drained in ((20, False), (20.5, True), (21.4, True), (21.6, True)):
        batch = received(made, OPENED + at, update(OPENED + at, drained=drained))
        reads.append((not batch.is_complete, made.reached))
    assert [behind for behind, _ in reads] == [True, True, True, False]
    assert reads[2][1] == EPOCH + OPENED + 6, "all that arrived since the pause may have been cut off"
    assert reads[3][1] == EPOCH + OPENED + 21.6


def test_what_keeps_up_for_a_second_on_end_has_caught_up() -> None:
    made = line()
    made.receive(OPENED + 5, update(OPENED + 5))
    behind = []
    for at, drained in ((6, False), (7, True), (7.5, False), (7.75, True), (8.5, True), (8.75, True)):
        made.receive(OPENED + at, update(OPENED + at, drained=drained))
        behind.append(made.lag)
    assert behind == [0, 1, 1.5, 1.75, 2.5, 0], "seconds since not everything that had come was read"


def test_with_times_the_frames_say_how_late_they_are() -> None:
    made = line()
    made.receive(OPENED + 5, update(OPENED + 5, OPENED + 5))
    made.pause(OPENED + 6)
    made.receive(OPENED + 20, update(OPENED + 20, OPENED + 19.5, drained=False))
    assert made.reached == EPOCH + OPENED + 19.5


def kept(made: Line, moments: Sequence[float], delivered: float) -> list[float]:
    for at in moments:
        batch = received(made, OPENED + at, update(OPENED + at, OPENED + at))
        made.keep(batch, EPOCH + OPENED + delivered)
    return [batch.received_at_us / 1e6 - OPENED for batch in made.unwind()]


@pytest.mark.parametrize(
    ("moments", "delivered", "limit", "left", "covers_from"),
    [
        pytest.param(
            [1, 2, 40, 41, 80], 70.5, 9, [41, 80], 40, id="what the other line has not brought and 30 seconds"
        ),
        pytest.param([1, 2, 3], 32, 9, [2, 3], 1, id="to the moment"),
        pytest.param([1, 100, 200], 10, 9, [1, 100, 200], 1, id="all that a late line may still lack"),
        pytest.param([1, 2, 3, 4, 5], -inf, 3, [3, 4, 5], 2, id="as much as its limit in bytes"),
        pytest.param([1, 2, 3], -inf, 3 - 1 / 1000, [2, 3], 1, id="and no byte more"),
    ],
)
def test_what_the_backlog_holds(
    moments: list[float], delivered: float, limit: float, left: list[float], covers_from: float
) -> None:
    size = Batch([b"x"], 200, 0).size
    made = line(Timing(backlog_bytes=int(limit * size)))
    assert kept(made, moments, delivered) == left
    assert made.covers_from == EPOCH + OPENED + covers_from, "what was dropped is what it does not cover"
    assert made.unwind() == []
    assert kept(made, [201, 202, 203, 204], delivered) == [201, 202, 203, 204][-int(limit) :], "it begins anew"


def test_samples_are_dropped_from_the_backlog_like_the_updates_before_them() -> None:
    made = line()
    kept_batches = []
    for at, counts in ((1.0, True), (2.0, False), (3.0, True)):
        batch = received(made, OPENED + at, update(OPENED + at, OPENED + at if counts else None, update=counts))
        kept_batches.append(batch)
        made.keep(batch, EPOCH + OPENED + 32.5)
    assert made.unwind() == [kept_batches[2]]


def test_a_batch_is_marked_with_the_exchanges_clock_and_with_nothing_that_cannot_be_believed() -> None:
    made = line()
    late = received(made, OPENED + 1, update(OPENED + 1, OPENED + 0.4, first=OPENED + 0.1))
    assert (late.pushed_from, late.pushed_by) == (EPOCH + OPENED + 0.1, EPOCH + OPENED + 0.4)
    played = received(made, OPENED + 2, update(OPENED + 2, OPENED - 200_000, first=OPENED - 200_000))
    assert (played.pushed_from, played.pushed_by) == (None, EPOCH + OPENED + 1.4)


def test_a_batch_says_where_it_comes_from_and_when_it_was_read() -> None:
    made = Line(7, OPENED, Timing(), ExchangeClock(EPOCH), feed=3)
    batch = received(made, OPENED + 1, update(OPENED + 1))
    assert (batch.payloads, batch.characters, batch.received_at_us) == ([b"x"], 200, 1_001_000_000)
    assert (batch.feed, batch.line) == (3, 7)
    assert made.receive(OPENED + 2, heard()) is None
