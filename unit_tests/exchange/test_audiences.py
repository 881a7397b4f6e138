"""A frame is built once for all who want it, and not at all where nobody does."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest

from local_exchange import LocalExchange, made_up_coin_m, streams

from .clients import heard, listening, update

SYMBOLS = made_up_coin_m(40)
BTC, ETH = "btcusd_perp@bookTicker", "ethusd_perp@bookTicker"


@pytest.fixture
def exchange() -> Iterator[LocalExchange]:
    with LocalExchange(rate=0, sample_every=None, own_stream_lag=0) as exchange:
        yield exchange


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch) -> Counter[bytes]:
    """The payloads that frames were built of, and how often."""
    counted: Counter[bytes] = Counter()

    build = streams.text_frame

    def counting(payload: bytes) -> bytes:
        counted[payload] += 1
        return build(payload)

    monkeypatch.setattr(streams, "text_frame", counting)
    return counted


def push(exchange: LocalExchange, number: int) -> None:
    exchange.push_updates([update(symbol, number) for symbol in SYMBOLS])


def test_nobody_listens(exchange: LocalExchange, built: Counter[bytes]) -> None:
    push(exchange, 1)
    with listening(exchange, "/ws"):
        push(exchange, 2)
    assert not built


def test_each_form_once_and_only_what_is_wanted(exchange: LocalExchange, built: Counter[bytes]) -> None:
    paths = [f"/stream?streams={BTC}", f"/stream?streams={BTC}", f"/stream?streams={ETH}/{BTC}", f"/ws/{BTC}"]
    with (
        listening(exchange, paths[0]) as first,
        listening(exchange, paths[1]) as standby,
        listening(exchange, paths[2]) as two,
        listening(exchange, paths[3]) as raw,
    ):
        push(exchange, 1)
        assert [len(heard(client)) for client in (first, standby, two, raw)] == [1, 1, 2, 1]
    assert sorted(payload.startswith(b'{"stream"') for payload in built) == [False, True, True]
    assert set(built.values()) == {1}


def test_who_comes_and_goes_is_noticed(exchange: LocalExchange) -> None:
    with listening(exchange, f"/stream?streams={BTC}") as first:
        push(exchange, 1)
        with listening(exchange, f"/stream?streams={BTC}") as second:
            push(exchange, 2)
            assert [message["data"]["u"] for message in heard(second)] == [2]
        push(exchange, 3)
        assert [message["data"]["u"] for message in heard(first)] == [1, 2, 3]
