"""What one connection listens to: which messages are sent when, and what an answer, or none, says."""

from __future__ import annotations

import orjson
import pytest

from source_binance_futures.binance.market_stream.subscriptions import ControlAnswer, Subscriptions

NOW = 1000.0


def made(count: int, named: int = 1) -> tuple[Subscriptions, list[str]]:
    streams = [f"s{number}" for number in range(count)]
    return Subscriptions(streams, named), streams


def asked(subscriptions: Subscriptions, now: float) -> tuple[int, list[str]] | None:
    message = subscriptions.message(now)
    if message is None:
        return None
    content = orjson.loads(message)
    assert content["method"] == "SUBSCRIBE"
    assert content.keys() == {"method", "params", "id"}
    return content["id"], content["params"]


def test_what_the_address_names_needs_no_message() -> None:
    subscriptions, _ = made(3, named=3)
    assert subscriptions.message(NOW) is None
    assert not subscriptions.expects_answer
    assert subscriptions.failed == []


def test_the_first_message_waits_for_nothing() -> None:
    assert made(2)[0].message(0.0)


def test_messages_of_a_hundred_names_with_a_pause_between_them() -> None:
    subscriptions, streams = made(212, named=2)
    assert asked(subscriptions, NOW) == (1, streams[2:102])
    assert asked(subscriptions, NOW + 0.29) is None, "Binance takes 10 control messages a second"
    assert asked(subscriptions, NOW + 0.3) == (2, streams[102:202])
    assert asked(subscriptions, NOW + 0.6) == (3, streams[202:])
    assert asked(subscriptions, NOW + 100) is None
    streams.append("new")
    assert asked(subscriptions, NOW + 100) == (4, ["new"])


def test_an_answer_confirms_what_was_asked_before_the_oldest_that_still_waits() -> None:
    subscriptions, streams = made(250, named=2)
    for times in range(3):
        assert subscriptions.message(NOW + times)
    assert subscriptions.unconfirmed(NOW + 3, 30) == streams[2:]
    assert subscriptions.answered(ControlAnswer(2, None), NOW + 3) is None
    assert subscriptions.unconfirmed(NOW + 40, 30) == streams[2:], "the first is not answered"
    assert subscriptions.answered(ControlAnswer(1, None), NOW + 4) is None
    assert subscriptions.unconfirmed(NOW + 40, 30) == streams[202:]
    assert subscriptions.answered(ControlAnswer(3, None), NOW + 5) is None
    assert not subscriptions.expects_answer
    assert subscriptions.unconfirmed(NOW + 34.9, 30) == streams[2:], "not for so long yet"
    assert subscriptions.unconfirmed(NOW + 35, 30) == []


def test_an_answer_to_nothing_confirms_nothing() -> None:
    subscriptions, streams = made(3)
    subscriptions.message(NOW)
    for request in (None, 0, 7):
        assert subscriptions.answered(ControlAnswer(request, None), NOW + 1) is None
    assert subscriptions.unconfirmed(NOW + 100, 30) == streams[1:]
    assert subscriptions.fault(NOW + 5), "it still waits"


def test_what_is_not_answered_in_time_is_told_once() -> None:
    subscriptions, streams = made(201)
    subscriptions.message(NOW)
    subscriptions.message(NOW + 1)
    assert subscriptions.fault(NOW + 4.9) is None
    assert subscriptions.fault(NOW + 5) == "a subscription was not acknowledged within 5 seconds"
    assert subscriptions.fault(NOW + 5.9) is None
    assert subscriptions.failed == streams[1:101]
    assert subscriptions.fault(NOW + 6)
    assert subscriptions.failed == streams[1:]
    assert subscriptions.fault(NOW + 100) is None
    assert not subscriptions.expects_answer


@pytest.mark.parametrize("request_id", [1, 2, None])
def test_a_refusal_is_of_the_message_that_it_names_or_of_the_newest(request_id: int | None) -> None:
    subscriptions, streams = made(201)
    subscriptions.message(NOW)
    subscriptions.message(NOW + 1)
    told = subscriptions.answered(ControlAnswer(request_id, "Too many subscriptions"), NOW + 2)
    assert told == "the exchange refused a subscription (Too many subscriptions)"
    expected = streams[1:101] if request_id == 1 else streams[101:]
    assert subscriptions.failed == expected
    assert subscriptions.expects_answer, "the other one"
    assert set(expected) <= set(subscriptions.unconfirmed(NOW + 100, 30))


def test_a_refusal_of_nothing_that_was_asked_fails_nothing() -> None:
    subscriptions, _ = made(3)
    subscriptions.message(NOW)
    assert subscriptions.answered(ControlAnswer(9, "Invalid request"), NOW) is not None
    assert subscriptions.failed == []


def test_failed_streams_are_unconfirmed_each_once_whatever_came_later() -> None:
    subscriptions, streams = made(201)
    subscriptions.message(NOW)
    subscriptions.message(NOW + 1)
    subscriptions.answered(ControlAnswer(1, "refused"), NOW + 2)
    assert sorted(subscriptions.unconfirmed(NOW + 2, 30)) == sorted(streams[1:])
    subscriptions.answered(ControlAnswer(2, None), NOW + 2)
    assert subscriptions.unconfirmed(NOW + 100, 30) == streams[1:101]


def test_what_has_failed_is_a_copy() -> None:
    subscriptions, _ = made(3)
    subscriptions.failed.append("s1")
    assert subscriptions.failed == []
