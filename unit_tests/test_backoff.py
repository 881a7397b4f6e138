"""When the next connection may be tried."""

from __future__ import annotations

import itertools
from collections import deque

import pytest

from source_binance_futures.binance.market_stream.backoff import (
    ATTEMPTS_WINDOW,
    LONGEST_PAUSE,
    MAX_ATTEMPTS,
    Backoff,
    Refusal,
)

REFUSED = Refusal(ConnectionRefusedError("it was refused"))
FOR_GOOD = Refusal(PermissionError("forbidden"), for_good=True)
ENDS = 10_000.0


def backoff(chance: float = 0.5, attempts: deque[float] | None = None) -> Backoff:
    return Backoff(lambda: chance, deque(maxlen=MAX_ATTEMPTS) if attempts is None else attempts, ENDS)


def next_at(made: Backoff, *, alive: bool = False) -> float:
    return made.next_attempt_at(alive=alive)


def pauses(made: Backoff, count: int) -> list[float]:
    """The pauses between attempts that are made as early as they may be, from moment 1000 on."""
    now = 1000.0
    found = []
    for _ in range(count):
        made.attempted(now)
        found.append(next_at(made) - now)
        now = next_at(made)
    return found


@pytest.mark.parametrize(
    ("chance", "expected"), [(0.0, [0.5, 0.5, 1, 2, 4, 8, 15, 15]), (0.999999, [0.5, 1, 2, 4, 8, 16, 30, 30])]
)
def test_ever_longer_pauses_with_a_share_of_chance(chance: float, expected: list[float]) -> None:
    assert pauses(backoff(chance), len(expected)) == pytest.approx(expected, rel=1e-4)


def test_before_any_attempt_there_is_nothing_to_wait_for() -> None:
    made = backoff()
    assert next_at(made) == next_at(made, alive=True) == 0
    made.proven()
    assert next_at(made) == 0


def test_only_a_message_makes_the_pauses_short_again() -> None:
    made = backoff(0.999999)
    pauses(made, 10)
    made.attempted(5000.0)
    made.opened()
    assert next_at(made) > 5010, "a mere handshake proves nothing"
    made.proven()
    assert next_at(made) == 5000.5, "at once, but a server that cuts after each message is not hammered"
    assert pauses(made, 3) == pytest.approx([0.5, 1, 2], rel=1e-4), "and they grow from the first one again"


def test_the_moment_that_the_exchange_names_is_kept_whatever_comes() -> None:
    made = backoff()
    made.attempted(1000.0)
    assert not made.refused(1000.0, Refusal(OSError(), listens_again_at=5000.0))
    made.refused(1001.0, Refusal(OSError(), listens_again_at=2000.0))
    made.proven()
    assert next_at(made) == 5000.0


def test_a_ban_beyond_the_window_is_remembered_until_a_connection_opens() -> None:
    made = backoff()
    banned = Refusal(OSError("banned"), listens_again_at=ENDS)
    assert made.refused(1000.0, banned)
    remembered = [made.banned]
    made.opened()
    remembered.append(made.banned)
    made.refused(1000.0, banned)
    remembered.append(made.banned)
    assert not made.refused(1000.0, REFUSED), "another refusal says nothing of a ban"
    assert [*remembered, made.banned] == [banned.error, None, banned.error, None]
    assert not backoff().refused(1000.0, Refusal(OSError(), listens_again_at=ENDS - 0.1))


def test_what_is_refused_for_good_is_tried_again_only_much_later_beside_a_living_connection() -> None:
    made = backoff()
    made.attempted(1000.0)
    assert made.refused(1000.2, FOR_GOOD)
    assert made.banned is None
    assert next_at(made, alive=True) == 1000.2 + 300
    assert next_at(made, alive=False) < 1001
    assert not made.refused(1001.0, REFUSED)


def test_failures_are_counted_in_a_row() -> None:
    made = backoff()
    for _ in range(3):
        made.refused(1000.0, REFUSED)
    assert made.failures == 3
    made.opened()
    assert made.failures == 0


def test_never_more_than_binance_takes_over_all_feeds() -> None:
    attempts: deque[float] = deque(maxlen=MAX_ATTEMPTS)
    feeds = itertools.cycle([backoff(0.0, attempts) for _ in range(8)])
    moments = []
    now = 1000.0
    for made in itertools.islice(feeds, 3 * MAX_ATTEMPTS):  # servers that send one message and cut
        now = max(now + 0.01, next_at(made))
        moments.append(now)
        made.attempted(now)
        made.proven()
    assert MAX_ATTEMPTS <= 300
    for earlier, later in zip(moments, moments[MAX_ATTEMPTS:], strict=False):
        assert later - earlier >= ATTEMPTS_WINDOW


def test_the_ceiling_is_binances_with_a_fifth_to_spare() -> None:
    attempts = deque([1000.0 + number for number in range(249)], maxlen=MAX_ATTEMPTS)
    assert next_at(backoff(attempts=attempts)) == 0
    attempts.append(2000.0)
    assert next_at(backoff(attempts=attempts)) == 1000.0 + 300
    attempts.append(2001.0)
    assert next_at(backoff(attempts=attempts)) == 1001.0 + 300


def test_long_outages_overflow_nothing() -> None:
    assert max(pauses(backoff(0.999), 5000)[:200]) <= LONGEST_PAUSE
