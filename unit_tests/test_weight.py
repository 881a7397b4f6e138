"""How much weight a request costs, and when it has to wait for the next minute."""

from __future__ import annotations

import pytest

from source_binance_futures.binance.websocket_api.prices import WeightBudget, WeightUsed, cost_of

MINUTE_BEGINS = 1795293300.0  # a multiple of 60


@pytest.mark.parametrize(
    ("symbol", "connected", "cost"),
    [("BTCUSDT", True, 1), (None, True, 2), ("BTCUSDT", False, 6), (None, False, 7)],
)
def test_what_a_request_costs(symbol: str | None, connected: bool, cost: int) -> None:
    assert cost_of(symbol, connected=connected) == cost


def watch(count: int, limit: int = 2400, told_after: float = 10.0) -> WeightBudget:
    found = WeightBudget()
    found.told(WeightUsed(count, limit), MINUTE_BEGINS + told_after)
    return found


@pytest.mark.parametrize(
    ("count", "cost", "wait"),
    [
        (0, 7, 0),
        (2158, 2, 0),
        (2159, 2, 45),
        (2153, 7, 0),
        (2154, 7, 45),
        (5000, 1, 45),
    ],
)
def test_it_waits_where_nine_tenths_of_the_limit_would_be_passed(count: int, cost: int, wait: float) -> None:
    assert watch(count).seconds_to_wait(cost, MINUTE_BEGINS + 15) == wait


def test_the_limit_is_the_one_that_binance_says() -> None:
    assert watch(90, limit=100).seconds_to_wait(1, MINUTE_BEGINS + 15) == 45
    assert watch(89, limit=100).seconds_to_wait(1, MINUTE_BEGINS + 15) == 0


def test_before_anything_is_known_nothing_is_waited_for() -> None:
    assert WeightBudget().seconds_to_wait(7, MINUTE_BEGINS) == 0
    assert WeightBudget().used(0.0) is None


@pytest.mark.parametrize(("told", "asked"), [(59.9, 60.0), (10, 130), (0, -0.1)])
def test_the_weight_of_another_minute_is_forgotten(told: float, asked: float) -> None:
    of_another = watch(2400, told_after=told)
    assert of_another.used(MINUTE_BEGINS + asked) is None
    assert of_another.seconds_to_wait(2, MINUTE_BEGINS + asked) == 0


def test_the_newest_word_counts() -> None:
    found = watch(2400)
    found.told(WeightUsed(7, 2400), MINUTE_BEGINS + 20)
    assert found.used(MINUTE_BEGINS + 59.9) == WeightUsed(7, 2400)
    assert found.seconds_to_wait(2, MINUTE_BEGINS + 59.9) == 0


def test_what_was_asked_since_counts_though_nothing_was_answered() -> None:
    found = watch(2150)
    assert found.seconds_to_wait(7, MINUTE_BEGINS + 20) == 0
    found.spent(7, MINUTE_BEGINS + 20)
    assert found.used(MINUTE_BEGINS + 21) == WeightUsed(2157, 2400)
    assert found.seconds_to_wait(7, MINUTE_BEGINS + 20) == 40
