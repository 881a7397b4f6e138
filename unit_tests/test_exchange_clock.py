"""When what arrives was pushed, by the exchange's own clock."""

from __future__ import annotations

import pytest

from source_binance_futures.binance.market_stream.exchange_clock import BELIEVABLE, ExchangeClock

EPOCH = 1_790_000_000.0  # our wall clock minus our monotonic clock


def read(clock: ExchangeClock, at: float, ahead: float | None, *, line: int = 0) -> bool:
    """A read of which the frames are so many seconds ahead of our clock; whether it is believed."""
    pushed = None if ahead is None else EPOCH + at + ahead
    return clock.read(line, at, pushed, pushed) is not None


def settled(ahead: float = 0.0) -> ExchangeClock:
    """One that has heard two reads that agree, at 100 and 101."""
    clock = ExchangeClock(EPOCH)
    assert read(clock, 100.0, ahead)
    assert read(clock, 101.0, ahead)
    return clock


def ahead_of_ours(clock: ExchangeClock, at: float) -> float:
    return round(clock.now(at) - EPOCH - at, 6)


def test_without_event_times_the_wall_clock_counts_and_the_uncertainty_is_large() -> None:
    clock = ExchangeClock(EPOCH)
    assert not read(clock, 100.0, None)
    assert clock.ahead is None
    assert clock.now(100.0) == EPOCH + 100.0
    assert clock.uncertainty == 2.0


def test_the_fastest_frame_tells_how_far_the_clocks_are_apart() -> None:
    clock = settled(3.0)  # theirs is 3 s ahead, or more
    assert clock.read(0, 110.0, EPOCH + 107.0, EPOCH + 108.0) == (EPOCH + 107.0, EPOCH + 108.0)  # 5 s late
    assert ahead_of_ours(clock, 110.0) == 3.0
    assert read(clock, 120.0, 3.39)
    assert ahead_of_ours(clock, 120.0) == 3.39
    assert clock.uncertainty == 0.25


@pytest.mark.parametrize(("ahead", "is_believed"), [(86_400.0, True), (86_400.5, False), (-86_400.0, True)])
def test_our_clock_may_be_wrong_by_a_day(ahead: float, is_believed: bool) -> None:
    assert read(ExchangeClock(EPOCH), 10_000_000.0, ahead) is is_believed


@pytest.mark.parametrize("event_time", [0.0, -1.0, 1_618_000_000.0, EPOCH * 1000, EPOCH + 100 + BELIEVABLE + 1])
def test_times_that_cannot_be_meant_are_not_believed(event_time: float) -> None:
    clock = ExchangeClock(EPOCH)
    assert clock.read(0, 100.0, event_time, event_time) is None
    assert clock.ahead is None
    sound = EPOCH + 100.0
    assert clock.read(0, 100.0, *sorted([event_time, sound])) == (sound, sound), "the rest of the read counts"


@pytest.mark.parametrize("leap", [0.6, 3.0, 60.0, 600.0, 3600.0])
def test_a_time_that_leaps_ahead_moves_nothing(leap: float) -> None:
    clock = settled()
    assert not read(clock, 102.0, leap)
    assert clock.read(0, 103.0, EPOCH + 103.0, EPOCH + 103.0 + leap) == (EPOCH + 103.0, EPOCH + 103.0), "beside others"
    assert ahead_of_ours(clock, 103.0) == 0.0


IN_TIME = [(0, 100.0, 0.0, True, 0.0), (0, 101.0, 0.0, True, 0.0)]
# Of each read: its line, when it came, how far its frames are ahead of our clock, whether that is believed, and how far
# the exchange's clock is then taken to be ahead.
STORIES: dict[str, list[tuple[int, float, float, bool, float]]] = {
    "0.4 seconds may be how late all was before": [
        *IN_TIME,
        (0, 102.0, 0.39, True, 0.39),
        (0, 103.0, 0.8, False, 0.39),
    ],
    "a first read that was ahead gives way to all others": [
        (0, 100.0, 3.0, True, 3.0),
        *[(0, at, 0.0, True, 3.0) for at in (100.1, 100.6, 101.0)],
        (0, 101.1, -0.1, True, -0.1),
    ],
    "what is late after the first read does not count as in time": [
        (0, 100.0, 0.0, True, 0.0),
        *[(0, at, -40.0, True, 0.0) for at in range(140, 240)],
    ],
    "what is late after two that agree does not count as in time": [
        *IN_TIME,
        *[(0, at, -40.0, True, 0.0) for at in (102.0, 103.5)],
    ],
    "what leaps ahead is not believed either where only one read was before it": [
        (0, 100.0, 0.0, True, 0.0),
        (0, 101.0, 3.0, False, 0.0),
    ],
    "one push over two connections is one opinion": [
        (0, 100.0, 3.0, True, 3.0),
        (1, 100.1, 2.9, True, 3.0),
        *[(0, at, 0.0, True, 3.0) for at in (100.2, 101.1)],
        (0, 101.2, 0.0, True, 0.0),
    ],
    "times after that of the first read, between others, say nothing of it": [
        (0, 100.0, 3.0, True, 3.0),
        *[(0, at, ahead, True, 3.0) for at, ahead in ((100.1, 0.0), (100.6, 2.45), (101.2, 0.0))],
    ],
    "a first read that was late gives way after a while": [
        (0, 100.0, -40.0, True, -40.0),
        *[(0, at, 0.0, False, -40.0) for at in (100.5, 105.4)],
        (0, 105.5, 0.0, True, 0.0),
    ],
    "leaps are believed once a connection brings nothing else for a while": [
        *IN_TIME,
        (0, 102.0, 3600.0, False, 0.0),
        (0, 105.0, 0.0, True, 0.0),  # a sound one between them: all begins anew
        *[(0, at, 3600.0, False, 0.0) for at in (106.5, 111.4)],
        (0, 111.5, 3600.0, True, 3600.0),
    ],
    "a connection that is late from the first frame on hides no other": [
        *[(0, at, -40.0, True, -40.0) for at in (100.0, 101.0, 102.0)],
        *[(1, at, 0.0, False, -40.0) for at in (102.0, 103.0, 106.9)],
        (1, 107.0, 0.0, True, 0.0),
    ],
}


@pytest.mark.parametrize("name", STORIES)
def test_which_reads_set_the_clock(name: str) -> None:
    clock = ExchangeClock(EPOCH)
    for line, at, ahead, is_believed, ahead_then in STORIES[name]:
        assert read(clock, at, ahead, line=line) is is_believed
        assert ahead_of_ours(clock, at) == ahead_then


def test_the_fastest_of_the_last_minutes_counts() -> None:
    """The exchange's clock was set back, or one frame was half a second ahead."""
    clock = settled()
    moments = [at for at in range(102, 500) if read(clock, float(at), -3.0) and ahead_of_ours(clock, at) == -3.0]
    assert moments == list(range(400, 500)), "a period of 150 seconds and the one after it, since 100"


@pytest.mark.parametrize("ppm", [-50, 50])
def test_clocks_that_drift_apart_for_a_day(ppm: int) -> None:
    clock = ExchangeClock(EPOCH)
    farthest = 0.0
    for at in range(0, 86_400, 7):
        ahead = at * ppm / 1e6
        assert read(clock, float(at), ahead)
        farthest = max(farthest, abs(ahead_of_ours(clock, at) - ahead))
    assert farthest < 0.02
