"""A recording is played frame by frame, at its pace."""

from __future__ import annotations

import json

from local_exchange import LocalExchange
from local_exchange.engine import Recording, read_recording

from .clients import ALL, ROOT, WAIT, connect

RECORDING = ROOT / "local_exchange" / "recordings" / "coin_m_20210417.jsonl"


def test_every_frame_comes_in_order_and_byte_for_byte() -> None:
    recorded = [json.loads(line)["frame"] for line in RECORDING.read_text().splitlines()]
    payloads = [frame[frame.index('"data":') + 7 : -1] for frame in recorded]
    with (
        LocalExchange(recording=RECORDING, speed=30, sample_every=None) as exchange,
        connect(exchange.market_stream_url + ALL) as raw,
        connect(exchange.market_stream_url + "/stream?streams=!bookTicker") as wrapped,
    ):
        assert exchange.finished.wait(WAIT)
        exchange.push("the end")
        frames = list(iter(lambda: str(raw.recv(WAIT)), "the end"))
        wrapped_frames = list(iter(lambda: str(wrapped.recv(WAIT)), "the end"))
    coin_m = [frame for frame in frames if '"ps":' in frame and '"st":' not in frame]
    assert coin_m == payloads
    assert wrapped_frames == ['{"stream":"!bookTicker","data":' + frame + "}" for frame in frames]
    mixed_in = [json.loads(frame) for frame in set(frames) - set(payloads)]
    assert len(mixed_in) > 300
    assert {frame.get("st") for frame in mixed_in} == {1, None}
    assert len(exchange.pushed) == len(frames)


def test_own_streams_bring_their_contract_and_are_done_when_it_is_over() -> None:
    path = "/ws/btcusd_perp@bookTicker"
    with (
        LocalExchange(recording=RECORDING, speed=30, own_stream_lag=0.5) as exchange,
        connect(exchange.market_stream_url + path) as client,
    ):
        assert exchange.finished.wait(WAIT)
        expected = [update_id for symbol, update_id in exchange.pushed if symbol == "BTCUSD_PERP"]
        assert exchange.connections[0].frames_sent == len(expected) > 100
        assert [json.loads(client.recv(WAIT))["u"] for _ in expected] == expected


def test_it_keeps_the_pace_and_can_be_left_pure() -> None:
    recording = Recording(RECORDING, speed=5, usds_m=None, seed=1)
    assert recording.due(100.0) == []  # it waits until somebody listens
    recording.is_started = True

    played = [update for _ in range(10) for update in recording.due(0.1)]

    assert played == [update for offset, update in read_recording(RECORDING) if offset <= 10 * 0.1 * 5]
    assert not recording.is_over
    recording.due(2.0)
    assert recording.is_over
