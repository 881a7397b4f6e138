"""A server that breaks the protocol: it is left with the right code, named, and costs no memory."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from typing import Any

import psutil
import pytest

from local_exchange import ExchangeConnection, LocalExchange
from source_binance_futures.binance.clock import Clock, Stop
from source_binance_futures.binance.errors import ProtocolViolation
from source_binance_futures.binance.transport.proxy import Route
from source_binance_futures.binance.websocket_api.client import WebSocketApi
from source_binance_futures.binance.websocket_api.prices import WeightBudget

from .harness.capturing import Capture
from .harness.connector import DEADLINE, Connector
from .harness.listening import listen_to

MIB = 2**20
FRAGMENT = b"\x01\x7f" + (512 * 1024).to_bytes(8, "big") + b"x" * 512 * 1024
MORE = b"\x00" + FRAGMENT[1:]
HOSTILE = {  # how each violation is named is in unit_tests/test_framing.py
    "a frame of 1 MiB and one byte": (b"\x81\x7f" + (MIB + 1).to_bytes(8, "big"), 1009, "a frame of 1048577 bytes"),
    "masked": (b"\x81\x82\x01\x02\x03\x04hi", 1002, "a masked frame"),
}


@pytest.fixture
def exchange() -> Iterator[LocalExchange]:
    with LocalExchange(rate=1500, mix_usds_margined=False, sample_every=0.5) as exchange:
        yield exchange


@pytest.mark.parametrize("name", HOSTILE)
def test_it_is_left_with_the_right_code_and_the_capture_goes_on(exchange: LocalExchange, name: str) -> None:
    data, code, words = HOSTILE[name]
    with listen_to(exchange) as listener:
        listener.wait_for_updates(50)
        hostile = exchange.fault("raw", data=data)
        exchange.wait_for(lambda: not hostile.is_open, DEADLINE)
        listener.wait_for(lambda: listener.gaps)
        listener.wait_for_updates(50)
    assert hostile.close_code == code
    assert len(exchange.handshakes) == 2
    assert f"the server broke the WebSocket protocol: {words}" in listener.gaps[0].cause
    assert f"closed with code {code}" in listener.gaps[0].cause
    assert listener.account.out_of_order == 0


def test_headers_without_end_are_cut_off_and_named(exchange: LocalExchange) -> None:
    exchange.endless_handshake_headers()
    with listen_to(exchange) as listener:
        listener.wait_for_updates(50)
    assert "its headers are longer than 65536 bytes" in listener.warnings[0]


def api(exchange: LocalExchange) -> WebSocketApi:
    return WebSocketApi(
        exchange.websocket_api_url,
        Route(),
        Stop(Clock()),
        window=0,
        logger=logging.getLogger("test"),
        budget=WeightBudget(),
    )


def test_an_answer_of_more_than_16_mib_is_refused(exchange: LocalExchange) -> None:
    asked: list[ExchangeConnection] = []

    def answer(_request: Any) -> bytes:
        asked.extend(exchange.api_connections)
        return b"x" * (16 * MIB + 1)

    exchange.script_answer(answer)
    with pytest.raises(ProtocolViolation, match=f"a frame of {16 * MIB + 1} bytes, more than {16 * MIB}") as raised:
        api(exchange).latest_prices(())
    assert raised.value.close_code == 1009
    assert exchange.wait_for(lambda: asked[0].close_code, DEADLINE) == 1009


def test_an_answer_of_16_mib_is_read(exchange: LocalExchange) -> None:
    row = '{"symbol":"BTCUSDT","price":"1","time":1}'
    exchange.script_answer(lambda request: f'{{"id":"{request["id"]}","status":200,"result":[{row}]}}'.ljust(16 * MIB))
    assert api(exchange).latest_prices(()) == [{"symbol": "BTCUSDT", "price": "1", "time": 1}]


def test_the_memory_of_the_process_stays_bounded(cold_connector: Connector, exchange: LocalExchange) -> None:
    """Some hundred MiB are thrown at it: half frames, fragments, announced sizes, headers."""
    with Capture(cold_connector, exchange, standby=False) as capture:
        capture.wait_until_all_are_followed()
        process = psutil.Process(capture.running.process.pid)
        before = highest = process.memory_info().rss
        over = threading.Event()

        def watch() -> None:
            nonlocal highest
            while not over.wait(0.01):
                highest = max(highest, process.memory_info().rss)

        watcher = threading.Thread(target=watch)
        watcher.start()
        barrage = [
            b"\x81\x7f" + (2**40).to_bytes(8, "big") + b"x" * 48 * MIB,
            FRAGMENT + MORE * 96,
            b"\x01\x00" + b"\x00\x00" * 8 * MIB,
            b"\x89\x00" * 100_000,
        ]
        for position, data in enumerate(barrage):
            connection = exchange.wait_for(lambda: exchange.connections, DEADLINE)[0]
            if position == 0:
                exchange.endless_handshake_headers()
            exchange.fault("raw", connection, data=data)
            if position < 3:  # pings break nothing
                capture.wait_for(lambda: len(capture.gaps) > position)  # noqa: B023  # called at once
            capture.wait_for_updates(500)
        over.set()
        watcher.join()
    assert highest - before < 48 * MIB
    assert (capture.exit_code, *capture.account.sums[1:]) == (0, 0, 0, 0)
