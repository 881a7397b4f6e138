"""When the next connection may be tried."""

from __future__ import annotations

import pytest

from source_binance_futures.binance.market_stream.backoff import ATTEMPTS_WINDOW, LONGEST_PAUSE, MAX_ATTEMPTS, Redial


def pauses(redial: Redial, count: int) -> list[float]:
    """The pauses between attempts that are made as early as they may be, from moment 1000 on."""
    now = 1000.0
    found = []
    for _ in range(count):
        redial.attempted(now)
        found.append(redial.next_attempt_at() - now)
        now = redial.next_attempt_at()
    return found


@pytest.mark.parametrize(
    ("chance", "expected"),
    [(0.0, [0.5, 0.5, 1, 2, 4, 8, 15, 15]), (0.999999, [0.5, 1, 2, 4, 8, 16, 30, 30])],
)
def test_ever_longer_pauses_with_a_share_of_chance(chance: float, expected: list[float]) -> None:
    assert pauses(Redial(lambda: chance), len(expected)) == pytest.approx(expected, rel=1e-4)


def test_only_a_message_makes_the_pauses_short_again() -> None:
    redial = Redial(lambda: 0.5)
    assert redial.next_attempt_at() == 0
    pauses(redial, 10)
    redial.attempted(5000.0)
    redial.proven()
    assert redial.next_attempt_at() == 5000.5, "at once, but a server that cuts after each message is not hammered"
    assert pauses(redial, 1) == [0.5]


def test_the_moment_that_the_exchange_names_is_kept() -> None:
    redial = Redial(lambda: 0.5)
    redial.attempted(1000.0)
    redial.wait_until(5000.0)
    redial.wait_until(2000.0)
    assert redial.next_attempt_at() == 5000.0


def test_never_more_than_binance_takes() -> None:
    redial = Redial(lambda: 0.0)
    moments = []
    now = 1000.0
    for _ in range(3 * MAX_ATTEMPTS):  # a server that sends one message and cuts
        moments.append(now)
        redial.attempted(now)
        redial.proven()
        now = max(now + 0.01, redial.next_attempt_at())
    for earlier, later in zip(moments, moments[MAX_ATTEMPTS:], strict=False):
        assert later - earlier >= ATTEMPTS_WINDOW


def test_long_outages_overflow_nothing() -> None:
    assert max(pauses(Redial(lambda: 0.999), 5000)[:200]) <= LONGEST_PAUSE
