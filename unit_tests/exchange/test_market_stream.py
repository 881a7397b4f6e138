"""The market stream: which address brings what, broadcast, frames built once, pings, samples and own streams."""

from __future__ import annotations

import json
from collections import Counter
from itertools import pairwise

import pytest

from local_exchange import LocalExchange, connection, made_up_coin_m, streams
from local_exchange.market_stream import Samples
from local_exchange.streams import Address, Update, address_of, market_of, update_from

from .clients import ALL, WAIT, connect, heard, listening, listening_raw, refusal, update


def test_a_slow_reader_is_cut() -> None:
    with LocalExchange(rate=0, unsent_limit=2**20) as exchange, listening_raw(exchange) as client:
        pushed = received = 0
        while exchange.connections:
            exchange.push("x" * 2**20)
            pushed += 2**20
            assert pushed < 64 * 2**20
        while chunk := client.recv(2**20):
            received += len(chunk)
        assert received < pushed


def test_a_client_that_never_pongs_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "PONG_TIMEOUT", 0.1)
    with LocalExchange(rate=0, ping_interval=0.05) as exchange, listening_raw(exchange):
        exchange.wait_for(lambda: not exchange.connections, WAIT)


OWN_BTC, OWN_ETH = "btcusd_perp@bookTicker", "ethusd_perp@bookTicker"


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


def test_each_form_once_and_only_what_is_wanted(exchange: LocalExchange, built: Counter[bytes]) -> None:
    paths = [
        f"/stream?streams={OWN_BTC}",
        f"/stream?streams={OWN_BTC}",
        f"/stream?streams={OWN_ETH}/{OWN_BTC}",
        f"/ws/{OWN_BTC}",
    ]
    with (
        listening(exchange, paths[0]) as first,
        listening(exchange, paths[1]) as standby,
        listening(exchange, paths[2]) as two,
        listening(exchange, paths[3]) as raw,
    ):
        exchange.push_updates([update(symbol, 1) for symbol in made_up_coin_m(40)])
        assert [len(heard(client)) for client in (first, standby, two, raw)] == [1, 1, 2, 1]
    assert sorted(payload.startswith(b'{"stream"') for payload in built) == [False, True, True]
    assert set(built.values()) == {1}


BTC, ETH = "BTCUSD_PERP", "ETHUSD_PERP"
BOTH = f"/stream?streams=!bookTicker/{BTC.lower()}@bookTicker"


def updates_of(count: int, update_id: int) -> list[Update]:
    return [update_from(update(f"COIN{number}USD_PERP", update_id)) for number in range(count)]


def taken(samples: Samples, began: float, ended: float) -> list[tuple[float, Update]]:
    """Every sample due from one time to the other, asked for in steps of 10 ms, with the time when it was had."""
    times = [*(began + step / 100 for step in range(round((ended - began) * 100))), ended - 1e-6]
    return [(now, sample) for now in times for sample in samples.due(now)]


@pytest.mark.parametrize("count", [1, 2, 30, 800])
def test_each_contract_once_in_five_seconds_spread_over_them(count: int) -> None:
    samples = Samples(5.0)
    assert samples.due(99.0) == []
    samples.note(updates_of(count, 1), 100.0)
    first = taken(samples, 100.0, 105.0)
    assert sorted(sample.symbol for _, sample in first) == sorted(sample.symbol for sample in updates_of(count, 1))
    if count >= 30:
        assert max(later - earlier for (earlier, _), (later, _) in pairwise(first)) < 3 * 5.0 / count + 0.02
    assert {sample.update_id for _, sample in first} == {1}

    samples.note(updates_of(count, 2), 105.0)
    samples.note(updates_of(count, 3), 105.0)
    second = taken(samples, 105.0, 110.0)
    assert [sample.symbol for _, sample in second] == [sample.symbol for _, sample in first]
    for (earlier, _), (later, _) in zip(first, second, strict=True):
        assert later - earlier == pytest.approx(5.0, abs=0.011)
    assert {sample.update_id for _, sample in second} == {3}, "what lay between is skipped"
    assert {sample.update_id for _, sample in taken(samples, 110.0, 115.0)} == {3}, "what stands is sent again"


def test_samples_that_were_not_asked_for_in_time_come_once() -> None:
    samples = Samples(5.0)
    samples.note(updates_of(10, 1), 0.0)
    on_time = [sample.symbol for _, sample in taken(samples, 0.0, 5.0)]
    assert len(samples.due(52.5)) == 10
    late = [sample.symbol for _, sample in taken(samples, 52.5, 57.5)]
    assert late[5:] + late[:5] == on_time, "each at its own time in the period, as before"


def test_a_sample_shows_the_book_as_it_stands() -> None:
    with LocalExchange(rate=0, sample_every=0.1) as exchange, listening(exchange, ALL) as client:

        def sampled() -> tuple[str, int]:
            frame = json.loads(client.recv(WAIT))
            return frame["s"], frame["u"]

        exchange.push_updates([update(BTC, 1), update(ETH, 2), update(BTC, 3)])
        assert {sampled() for _ in range(7)} == {(BTC, 3), (ETH, 2)}
        exchange.push_updates([update(ETH, 4)])
        while sampled() != (ETH, 4):
            pass
        assert exchange.pushed == [(BTC, 1), (ETH, 2), (BTC, 3), (ETH, 4)]


def test_a_text_frame_comes_after_what_was_pushed_before() -> None:
    with (
        LocalExchange(rate=0, sample_every=3600.0, own_stream_lag=30.0) as exchange,
        listening(exchange, BOTH) as client,
    ):
        exchange.push_updates([update(ETH, 1), update(BTC, 2), update(BTC, 3)])
        exchange.push("[]")
        frames = list(iter(lambda: json.loads(client.recv(WAIT)), []))
        own = [frame["data"]["u"] for frame in frames if frame["stream"] != "!bookTicker"]  # a sample may come any time
        assert own == [2, 3]


def test_in_real_time_every_update_is_on_the_all_market_stream_too() -> None:
    with LocalExchange(rate=0, sample_every=None, own_stream_lag=0.2) as exchange, listening(exchange, BOTH) as client:
        exchange.push_updates([update(BTC, 1)])
        exchange.push_updates([update(BTC, 2)])
        frames = [json.loads(client.recv(WAIT)) for _ in range(4)]
        assert [frame["data"]["u"] for frame in frames] == [1, 2, 1, 2]
        assert [frame["stream"] == "!bookTicker" for frame in frames] == [True, True, False, False]


COIN_M, USDS_M = update("BTCUSD_PERP", 1), update("BTCUSDT", 2)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/ws/btcusd_perp@bookTicker/btcusdt@bookTicker", [COIN_M]),
        ("/public/ws/btcusd_perp@bookTicker/btcusdt@bookTicker", [COIN_M]),
        ("/usds/public/ws/btcusd_perp@bookTicker/btcusdt@bookTicker", [USDS_M]),
        ("/ws/!bookTicker", [COIN_M, USDS_M]),
        ("/public/ws/!bookTicker", [COIN_M, USDS_M]),
        ("/usds/public/ws/!bookTicker", [COIN_M, USDS_M]),
        ("/market/ws/!bookTicker/btcusd_perp@bookTicker", []),
        ("/usds/ws/btcusd_perp@bookTicker/btcusdt@bookTicker", [USDS_M]),
        ("/usds/market/ws/!bookTicker/btcusdt@bookTicker", []),
        ("/ws/BTCUSD_PERP@bookTicker", []),
        ("/stream?streams=no_such_stream", []),
    ],
)
def test_an_address_brings_its_market(exchange: LocalExchange, path: str, expected: list[object]) -> None:
    with listening(exchange, path) as client:
        exchange.push_updates([COIN_M, USDS_M])
        assert heard(client) == expected
        assert client.ping().wait(WAIT), "silent or not, it is alive"


def test_addresses_may_move() -> None:
    """Plain dstream shakes hands and stays silent, plain fstream works; the rest of the addresses is gone."""
    with LocalExchange(
        rate=0,
        sample_every=None,
        own_stream_lag=0,
        silent_prefixes=[""],
        missing_prefixes=["/market", "/usds/public"],
    ) as exchange:
        expected = {"": [], "/public": [COIN_M], "/usds": [USDS_M]}
        for prefix, messages in expected.items():
            with listening(exchange, f"{prefix}/ws/btcusd_perp@bookTicker/btcusdt@bookTicker") as client:
                exchange.push_updates([COIN_M, USDS_M])
                exchange.push('"text"')
                assert heard(client) == [*messages, *(["text"] if messages else [])]
        for prefix in ("/market", "/usds/public", "/elsewhere"):
            assert refusal(f"{exchange.market_stream_url}{prefix}/ws/!bookTicker").status_code == 404


def test_one_market_can_be_refused_alone(exchange: LocalExchange) -> None:
    exchange.refuse(503, times=None, endpoint="usds_m")
    assert refusal(exchange.usds_margined_stream_url + ALL).status_code == 503
    with listening(exchange), connect(exchange.websocket_api_url):
        pass
    exchange.refuse(503, times=None, endpoint="coin_m")
    assert refusal(exchange.market_stream_url + ALL).status_code == 503
    with connect(exchange.websocket_api_url):
        pass


@pytest.mark.parametrize(
    ("path", "address"),
    [
        ("/ws", Address("", 2, (), wrapped=False)),
        ("/ws/", Address("", 2, (), wrapped=False)),
        ("/stream", Address("", 2, (), wrapped=True)),
        ("/usds/public/ws/%E5%B8%81USDT@bookTicker", Address("/usds/public", 1, ("币USDT@bookTicker",), wrapped=False)),
        ("/public/stream?streams=%21a/b%40c", Address("/public", 2, ("!a", "b@c"), wrapped=True)),
        ("/stream/a", None),
        ("/public", None),
        ("/private/ws", None),
        ("/ws-fapi/v1", None),
        ("/", None),
    ],
)
def test_paths(path: str, address: Address | None) -> None:
    assert address_of(path) == address


@pytest.mark.parametrize(
    ("symbol", "market"),
    [
        ("BTCUSD_PERP", 2),
        ("BTCUSD_261225", 2),
        ("BTCUSDT", 1),
        ("BTCUSDT_261225", 1),
        ("BTCUSDC", 1),
        ("币USD_PERP", 2),
    ],
)
def test_the_market_of_a_symbol(symbol: str, market: int) -> None:
    assert market_of(symbol) == market
    assert update_from({"s": symbol, "u": 1}).market == market
    assert update_from({"s": symbol, "u": 1, "st": "?"}).market == market
    assert update_from({"s": symbol, "u": 1, "st": 3 - market}).market == 3 - market
