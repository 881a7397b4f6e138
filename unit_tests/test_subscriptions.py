"""Which contracts are followed over which feed, and what one connection listens to."""

from __future__ import annotations

from datetime import date
from typing import Any

import orjson
import pytest

from source_binance_futures.binance.endpoints import Environment, Market
from source_binance_futures.binance.market_stream.subscriptions import (
    EndpointGroup,
    Subscriptions,
    control_answer,
)
from source_binance_futures.config import Config
from source_binance_futures.streams.listening import endpoint_groups

from .test_messages import frame

TODAY = date(2026, 11, 24)
COIN, USDS = ("wss://coin",), ("wss://usds",)
TWO_HOSTS = Environment("custom", COIN, USDS, "wss://api")
ONE_HOST = Environment("custom", COIN, COIN, "wss://api")
COIN_M, USDS_M, BOTH = frozenset([Market.COIN_M]), frozenset([Market.USDS_M]), frozenset(Market)


ALL: Any = {"all_market": True, "discovers": True}
NAMED = ("BTCUSD_PERP", "BTCUSDT", "BNBUSD_PERP")
KNOWN = ("ETHUSD_PERP", "BTCUSDT", "BTCUSD_261123")
GROUPS: dict[str, tuple[dict[str, Any], list[EndpointGroup]]] = {
    "the sampled pace takes the all-market stream as it comes": (
        {"include_usds_margined": True, "book_ticker_pace": "sampled"},
        [EndpointGroup(COIN, BOTH, follows=False, all_market=True)],
    ),
    "the sampled pace of one market": (
        {"book_ticker_pace": "sampled"},
        [EndpointGroup(COIN, COIN_M, follows=False, all_market=True)],
    ),
    "the sampled pace of named contracts": (
        {"book_ticker_symbols": NAMED, "book_ticker_pace": "sampled"},
        [EndpointGroup(COIN, BOTH, NAMED, follows=False, all_market=True)],
    ),
    "all of one market are found through its all-market stream": ({}, [EndpointGroup(COIN, COIN_M, KNOWN[::2], **ALL)]),
    "both markets at two hosts": (
        {"include_usds_margined": True},
        [EndpointGroup(COIN, COIN_M, KNOWN[::2], **ALL), EndpointGroup(USDS, USDS_M, KNOWN[1:2], **ALL)],
    ),
    "both markets at one host": ({"include_usds_margined": True}, [EndpointGroup(COIN, BOTH, KNOWN, **ALL)]),
    "named contracts need no all-market stream": (
        {"book_ticker_symbols": NAMED},
        [EndpointGroup(COIN, COIN_M, NAMED[::2]), EndpointGroup(USDS, USDS_M, NAMED[1:2])],
    ),
    "named contracts of one market": (
        {"book_ticker_symbols": NAMED[:1], "include_usds_margined": True},
        [EndpointGroup(COIN, COIN_M, NAMED[:1])],
    ),
    "named contracts at one host": ({"book_ticker_symbols": NAMED}, [EndpointGroup(COIN, BOTH, NAMED)]),
}


@pytest.mark.parametrize("name", GROUPS)
def test_which_contracts_are_asked_for_at_which_host(name: str) -> None:
    options, expected = GROUPS[name]
    config = Config(environment=ONE_HOST if name.endswith("one host") else TWO_HOSTS, **options)
    assert endpoint_groups(config, [*KNOWN, "BTCUSD_261122"], TODAY) == expected


def test_a_state_of_ever_more_contracts_is_not_followed_whole() -> None:
    known = [f"X{number}USD_PERP" for number in range(3000)]
    (group,) = endpoint_groups(Config(), known, TODAY)
    assert group.symbols == tuple(known[:2000])


@pytest.mark.parametrize(
    ("group", "wanted"),
    [
        (EndpointGroup(COIN, COIN_M, ("ETHUSD_PERP",), **ALL), {"BTCUSD_PERP"}),
        (EndpointGroup(COIN, BOTH, follows=False), {"BTCUSD_PERP", "BTCUSDT"}),
        (EndpointGroup(COIN, BOTH, ("BTCUSDT",)), {"BTCUSDT"}),
        (EndpointGroup(COIN, COIN_M, ("BTCUSDT",)), set()),
    ],
)
def test_what_is_wanted_of_the_all_market_stream(group: EndpointGroup, wanted: set[str]) -> None:
    seen = {"BTCUSD_PERP": Market.COIN_M, "BTCUSDT": Market.USDS_M}
    assert {symbol for symbol, market in seen.items() if group.wants(symbol, market)} == wanted


def test_contracts_fill_feeds_of_two_hundred_streams() -> None:
    symbols = tuple(f"X{number}USD_PERP" for number in range(450))
    group = EndpointGroup(COIN, COIN_M, symbols, **ALL)
    assert [len(streams) for streams in group.feeds] == [200, 200, 51]
    assert group.feeds[0][:2] == ["!bookTicker", "x0usd_perp@bookTicker"]


def shown(group: EndpointGroup, *symbols: str) -> list[str]:
    """Return those that are followed from here on."""
    group.appeared.clear()
    group.discover([frame({"stream": "!bookTicker", "data": {"s": symbol, "u": 1}}) for symbol in symbols], TODAY)
    return group.appeared


def test_named_contracts_are_followed_each_once_and_no_others() -> None:
    group = EndpointGroup(COIN, COIN_M, ("BTCUSD_PERP", "BTCUSD_PERP"))
    assert group.feeds == [["btcusd_perp@bookTicker"]]
    assert not shown(group, "ETHUSD_PERP")


def test_a_contract_that_appears_is_followed_from_then_on() -> None:
    group = EndpointGroup(COIN, COIN_M, ("BTCUSD_PERP",), **ALL)
    assert shown(group, "ETHUSD_PERP", "ETHUSD_PERP") == ["ETHUSD_PERP"]
    assert not shown(group, "ETHUSD_PERP", "BTCUSD_PERP"), "they were known"
    assert not shown(group, "BTCUSDT"), "of the other market"
    assert not shown(group, "BTCUSD_261122"), "delivered before yesterday"
    group.discover([b"no JSON"], TODAY)
    assert shown(group, "BTCUSD_261123")
    assert group.feeds == [
        ["!bookTicker", "btcusd_perp@bookTicker", "ethusd_perp@bookTicker", "btcusd_261123@bookTicker"]
    ]


def test_a_server_that_invents_names_is_not_followed_without_end() -> None:
    group = EndpointGroup(COIN, COIN_M, **ALL)
    symbols = [f"X{number}USD_PERP" for number in range(2002)]
    assert shown(group, *symbols) == symbols[:2000]
    assert sum(map(len, group.feeds)) == 2001


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


DATA = frame({"stream": "s0", "data": {"s": "X", "u": 1}})


def accepted(request: object) -> bytes:
    return frame({"result": None, "id": request})


def test_messages_of_a_hundred_names_wait_for_no_answer() -> None:
    subscriptions, streams = made(212, named=2)
    assert asked(subscriptions, NOW) == (102, streams[2:102])
    assert asked(subscriptions, NOW + 0.25) == (202, streams[102:202])
    assert subscriptions.take_answers([DATA, accepted(102), DATA], NOW + 1) == [DATA, DATA]
    assert asked(subscriptions, NOW + 1) == (212, streams[202:])
    assert asked(subscriptions, NOW + 2) is None
    assert subscriptions.take_answers([accepted(212), accepted(202)], NOW + 3) == []
    assert subscriptions.take_answers([accepted(212)], NOW + 100) == [accepted(212)], "nothing waits for it"
    streams.append("new")
    assert asked(subscriptions, NOW + 100) == (213, ["new"])


def test_an_answer_confirms_what_was_asked_before_the_oldest_that_still_waits() -> None:
    subscriptions, streams = made(250, named=2)
    for times in range(3):
        assert asked(subscriptions, NOW + times)
    assert subscriptions.unconfirmed(NOW + 3, 30) == streams[2:]
    subscriptions.take_answers([accepted(202)], NOW + 3)
    assert subscriptions.unconfirmed(NOW + 40, 30) == streams[2:], "the first is not answered"
    subscriptions.take_answers([accepted(102)], NOW + 4)
    assert subscriptions.unconfirmed(NOW + 40, 30) == streams[202:]
    subscriptions.take_answers([accepted(250)], NOW + 5)
    assert subscriptions.unconfirmed(NOW + 34.9, 30) == streams[2:], "not for so long yet"
    assert subscriptions.unconfirmed(NOW + 35, 30) == []


def test_an_answer_to_nothing_confirms_nothing() -> None:
    subscriptions, streams = made(3)
    assert asked(subscriptions, NOW)
    assert subscriptions.take_answers([accepted(None), accepted(0), accepted(7)], NOW + 1) == [
        accepted(None),
        accepted(0),
    ]
    assert subscriptions.unconfirmed(NOW + 100, 30) == streams[1:]
    assert subscriptions.fault(NOW + 5), "it still waits"


def test_what_is_not_answered_in_time_is_reported_once() -> None:
    subscriptions, streams = made(201)
    assert asked(subscriptions, NOW)
    assert asked(subscriptions, NOW + 1)
    assert subscriptions.fault(NOW + 4.9) is None
    assert subscriptions.fault(NOW + 5) == "a subscription was not acknowledged within 5 seconds"
    assert subscriptions.fault(NOW + 5.9) is None
    assert subscriptions.failed == streams[1:101]
    assert subscriptions.fault(NOW + 6)
    assert subscriptions.failed == subscriptions.unconfirmed(NOW + 6, 30) == streams[1:]
    assert subscriptions.fault(NOW + 100) is None


@pytest.mark.parametrize("request_id", [101, 201, None])
def test_a_refusal_is_of_the_message_that_it_names_or_of_the_newest(request_id: int | None) -> None:
    subscriptions, streams = made(201)
    assert asked(subscriptions, NOW)
    assert asked(subscriptions, NOW + 1)
    refusal = frame({"error": {"msg": "Too many subscriptions"}, "id": request_id})
    assert subscriptions.take_answers([refusal], NOW + 2) == []
    assert subscriptions.fault(NOW + 2) == "the exchange refused a subscription (Too many subscriptions)"
    assert subscriptions.fault(NOW + 2) is None
    expected = streams[1:101] if request_id == 101 else streams[101:]
    assert subscriptions.failed == expected
    assert set(expected) <= set(subscriptions.unconfirmed(NOW + 100, 30))
    assert subscriptions.fault(NOW + 6), "the other one still waits"


def test_a_refusal_of_nothing_that_was_asked_fails_nothing() -> None:
    subscriptions, _ = made(3)
    assert asked(subscriptions, NOW)
    subscriptions.take_answers([frame({"error": "Invalid request", "id": 9})], NOW)
    assert subscriptions.fault(NOW) == "the exchange refused a subscription (Invalid request)"
    assert subscriptions.failed == []


@pytest.mark.parametrize(
    ("payload", "answer"),
    [
        (b'{"result":null,"id":1}', (1, None)),
        (b'{"error":{"code":4,"msg":"Too many subscriptions"}}', (0, "Too many subscriptions")),
        (b'{"error":{"code":4,"msg":"Too many"},"id":3}', (3, "Too many")),
        (b'{"error":{"code":4},"id":3}', (3, "None")),
        (b'{"error":"no","id":3}', (3, "no")),
        (b'{"code":2,"msg":"Invalid request","id":"x"}', (0, "Invalid request")),
        (b'{"msg":"' + b"x" * 300 + b'"}', (0, "x" * 200)),
        *[
            (payload, None)
            for payload in (b'{"result":null}', b'{"result":null,"id":true}', b'{"id":1}', b"[1]", b"no")
        ],
        *[(b'{"%b":"x","result":null,"id":1}' % key, None) for key in (b"e", b"s", b"stream")],
    ],
)
def test_what_answers_a_control_message(payload: bytes, answer: tuple[int, str | None] | None) -> None:
    assert control_answer(payload) == answer


def test_a_refusal_that_python_cannot_show_is_one_all_the_same() -> None:
    """Before 3.12 it shows fewer lists inside each other than orjson reads."""
    answer = control_answer(b'{"id":1,"error":' + b"[" * 1000 + b"]" * 1000 + b"}")
    assert answer
    assert answer[0] == 1
    assert 0 < len(answer[1] or "") <= 200
