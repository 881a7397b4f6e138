"""The local exchange itself, seen by clients over real sockets: what other tests rely on must hold."""

from __future__ import annotations

import contextlib
import json
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, ConnectionClosedError, InvalidStatus
from websockets.sync.client import ClientConnection
from websockets.sync.client import connect as connect_websocket

from local_exchange import (
    CloseConnection,
    Delayed,
    DropConnection,
    Fragmented,
    LocalExchange,
    NoAnswer,
    connection,
)
from local_exchange.contracts import coin_m_contracts
from local_exchange.engine import Engine

ROOT = Path(__file__).parent.parent
RECORDING = ROOT.parent / "shared" / "recordings" / "coin_m_20210417.jsonl"
ALL = "/ws/!bookTicker"
WAIT = 5.0
BOOK_TICKER = {
    "e": "bookTicker",
    "u": 11660059839759,
    "s": "BTCUSD_PERP",
    "ps": "BTCUSD",
    "b": "83732.4",
    "B": "680",
    "a": "83732.5",
    "A": "2458",
    "T": 1790373637547,
    "E": 1790373637547,
    "st": 2,
}


@pytest.fixture
def exchange() -> Iterator[LocalExchange]:
    """An exchange that pushes only what the test pushes."""
    with LocalExchange(rate=0) as exchange:
        yield exchange


@contextlib.contextmanager
def connect(url: str, **options: Any) -> Iterator[ClientConnection]:
    with connect_websocket(url, compression=None, proxy=None, open_timeout=WAIT, max_queue=None, **options) as client:
        yield client


@contextlib.contextmanager
def listening(exchange: LocalExchange, path: str = ALL, **options: Any) -> Iterator[ClientConnection]:
    """A client of the market stream, which the exchange already counts among its connections."""
    before = set(exchange.connections)
    with connect(exchange.market_stream_url + path, **options) as client:
        exchange.wait_for(lambda: set(exchange.connections) - before, WAIT)
        yield client


@contextlib.contextmanager
def listening_raw(exchange: LocalExchange, path: str = ALL) -> Iterator[socket.socket]:
    """The same below WebSocket: a socket after its handshake, to see each byte."""
    with socket.create_connection(("127.0.0.1", exchange.port), timeout=WAIT) as client:
        ask_for_websocket(client, path)
        answer = b""
        while not answer.endswith(b"\r\n\r\n"):
            answer += client.recv(1)
        assert answer.startswith(b"HTTP/1.1 101 ")
        exchange.wait_for(lambda: exchange.connections, WAIT)
        yield client


def ask_for_websocket(client: socket.socket, path: str) -> None:
    client.sendall(
        f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n".encode()
    )


def ask(client: ClientConnection, request: Any) -> Any:
    client.send(request if isinstance(request, str) else json.dumps(request))
    return json.loads(client.recv(WAIT))


def read_to_the_end(client: ClientConnection) -> tuple[list[str], ConnectionClosed]:
    """What still comes, and how the connection ended."""
    frames = []
    try:
        while True:
            frames.append(str(client.recv(WAIT)))
    except ConnectionClosed as end:
        return frames, end


def update(symbol: str, update_id: int) -> dict[str, Any]:
    return BOOK_TICKER | {"s": symbol, "u": update_id}


class TestMarketStream:
    @pytest.mark.parametrize(
        ("path", "streams"),
        [
            ("/ws/!bookTicker", [None, None, None]),
            ("/ws/%21bookTicker", [None, None, None]),
            ("/ws/ethusd_perp@bookTicker", [None]),
            ("/ws/ETHUSD_PERP@bookTicker", []),
            ("/ws", []),
            ("/stream?streams=!bookTicker", ["!bookTicker"] * 3),
            ("/stream?streams=%21bookTicker", ["!bookTicker"] * 3),
            (
                "/stream?streams=btcusd_perp@bookTicker/btcusdt@bookTicker",
                ["btcusd_perp@bookTicker", "btcusdt@bookTicker"],
            ),
            ("/stream?streams=no_such_stream", []),
        ],
    )
    def test_each_path_gets_its_streams(self, exchange: LocalExchange, path: str, streams: list[str | None]) -> None:
        updates = [update("BTCUSD_PERP", 3), update("ETHUSD_PERP", 1), update("BTCUSDT", 2)]
        with listening(exchange, path) as client:
            exchange.push_updates(updates)
            exchange.push("the end")
            frames = [str(client.recv(WAIT)) for _ in range(len(streams) + 1)]
        assert frames.pop() == "the end"
        assert [json.loads(frame).get("stream") for frame in frames] == streams
        payloads = [json.loads(frame).get("data", json.loads(frame)) for frame in frames]
        assert all(payload in updates for payload in payloads)
        assert exchange.pushed == [("BTCUSD_PERP", 3), ("ETHUSD_PERP", 1), ("BTCUSDT", 2)]

    def test_a_payload_keeps_its_bytes_raw_and_wrapped(self, exchange: LocalExchange) -> None:
        text = json.dumps(BOOK_TICKER, separators=(",", ":"))
        with listening(exchange) as raw, listening(exchange, "/stream?streams=!bookTicker") as wrapped:
            exchange.push_updates([BOOK_TICKER])
            assert raw.recv(WAIT) == text
            assert wrapped.recv(WAIT) == '{"stream":"!bookTicker","data":' + text + "}"

    def test_an_unknown_path_is_not_found(self, exchange: LocalExchange) -> None:
        with pytest.raises(InvalidStatus) as refused, connect(exchange.market_stream_url + "/nowhere"):
            pass
        assert refused.value.response.status_code == 404
        assert [(path, status) for _, path, status in exchange.handshakes] == [("/nowhere", 404)]

    def test_it_broadcasts_and_never_replays(self, exchange: LocalExchange) -> None:
        exchange.push_updates([update("BTCUSD_PERP", 1)])
        with listening(exchange) as first:
            exchange.push_updates([update("BTCUSD_PERP", 2)])
            with listening(exchange) as second:
                exchange.push_updates([update("BTCUSD_PERP", 3)])
                assert [json.loads(first.recv(WAIT))["u"] for _ in range(2)] == [2, 3]
                assert json.loads(second.recv(WAIT))["u"] == 3
                assert [c.frames_sent for c in exchange.connections] == [2, 1]

    def test_any_text_frame_can_be_pushed(self, exchange: LocalExchange) -> None:
        with listening_raw(exchange) as client:
            exchange.push(b"\xff\xfe")
            assert client.recv(100) == b"\x81\x02\xff\xfe"

    def test_a_slow_reader_is_cut(self) -> None:
        with LocalExchange(rate=0, unsent_limit=2**20) as exchange, listening_raw(exchange) as client:
            pushed = received = 0
            while exchange.connections:
                exchange.push("x" * 2**20)
                pushed += 2**20
                assert pushed < 64 * 2**20
            while chunk := client.recv(2**20):
                received += len(chunk)
            assert received < pushed

    def test_pings_carry_the_time_and_pongs_are_kept(self) -> None:
        with LocalExchange(rate=0, ping_interval=0.05) as exchange, listening(exchange) as client:
            (server_side,) = exchange.connections
            exchange.wait_for(lambda: len(server_side.pongs) > 2, WAIT)
            sent_at = int(server_side.pongs[-1])
            assert abs(sent_at - time.time() * 1000) < 5000
            assert client.ping("hello").wait(WAIT)
            exchange.wait_for(lambda: server_side.pings_received == 1, WAIT)

    def test_a_client_that_never_pongs_is_cut(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(connection, "PONG_TIMEOUT", 0.1)
        with LocalExchange(rate=0, ping_interval=0.05) as exchange, listening_raw(exchange):
            exchange.wait_for(lambda: not exchange.connections, WAIT)


class TestTraffic:
    def test_it_looks_like_the_merged_stream(self) -> None:
        with LocalExchange(rate=5000) as exchange, listening(exchange) as client:
            frames = [json.loads(client.recv(WAIT)) for _ in range(5000)]
            exchange.pause()
        ids = [(frame["s"], frame["u"]) for frame in frames]
        start = exchange.pushed.index(ids[0])
        assert exchange.pushed[start : start + 5000] == ids

        decreasing = sum(after < before for (_, before), (_, after) in pairwise(ids)) / len(ids)
        assert 0.05 < decreasing < 0.20
        assert 1.1e13 < ids[0][1] < 1.9e13

        by_symbol = defaultdict(list)
        for frame in frames:
            by_symbol[frame["s"]].append(frame)
            assert float(frame["b"]) < float(frame["a"])
            assert abs(frame["E"] - time.time() * 1000) < 60_000
        for updates in by_symbol.values():
            assert all(earlier["u"] < later["u"] for earlier, later in pairwise(updates))
            for key in ("E", "T"):
                assert all(earlier[key] <= later[key] for earlier, later in pairwise(updates))

        coin_m = {frame["s"] for frame in frames if frame["st"] == 2}
        usds_m = {frame["s"] for frame in frames if frame["st"] == 1}
        assert len(coin_m) == 10
        assert {"BTCUSD_PERP", "BTCUSD_260626"} <= coin_m
        assert {"1000SATSUSDT", "币安人生USDT", "BTCUSDT_260626"} <= usds_m
        assert all(frame["B"].isdigit() for frame in frames if frame["st"] == 2)
        assert len(by_symbol["BTCUSDT"][0]["b"].partition(".")[2]) == 2

    def test_without_usds_margined_contracts(self) -> None:
        with LocalExchange(rate=2000, mix_usds_margined=False, coin_m_symbols=["A_PERP", "B_PERP"]) as exchange:
            exchange.wait_for(lambda: len(exchange.pushed) > 100, WAIT)
            assert {symbol for symbol, _ in exchange.pushed} == {"A_PERP", "B_PERP"}

    def test_it_keeps_its_rate(self) -> None:
        with LocalExchange(rate=5000) as exchange, listening(exchange, "/stream?streams=!bookTicker"):
            before, started = len(exchange.pushed), time.monotonic()
            exchange.wait_for(lambda: len(exchange.pushed) >= before + 5000, WAIT)
            # A busy machine may make the last tick late, but never early.
            assert 0.95 < time.monotonic() - started < 2.0

    @pytest.mark.parametrize("rate", [6, 1234.5, 5000])
    def test_what_is_due_follows_the_time_that_has_passed(self, rate: float) -> None:
        engine = Engine(coin_m_contracts(None), rate=rate, seed=1, first_update_id=None)
        due = sum(len(engine.due(0.013)) for _ in range(1000))
        assert due == pytest.approx(13 * rate, abs=1)

    def test_pause_resume_and_another_rate(self) -> None:
        with LocalExchange(rate=2000) as exchange:
            exchange.wait_for(lambda: exchange.pushed, WAIT)
            exchange.pause()
            count = len(exchange.pushed)
            time.sleep(0.1)
            assert len(exchange.pushed) == count
            exchange.set_rate(0)
            exchange.resume()
            time.sleep(0.1)
            assert len(exchange.pushed) == count
            exchange.set_rate(1000)
            exchange.wait_for(lambda: len(exchange.pushed) > count, WAIT)

    def test_the_seed_decides_all_but_the_time(self) -> None:
        def pushed(seed: int) -> list[tuple[str, int]]:
            with LocalExchange(rate=5000, seed=seed, first_update_id=1000) as exchange:
                exchange.wait_for(lambda: len(exchange.pushed) >= 300, WAIT)
            return exchange.pushed[:300]

        assert pushed(1) == pushed(1) != pushed(2)
        assert min(update_id for _, update_id in pushed(1)) == 1000

    def test_a_later_exchange_continues_the_update_ids(self) -> None:
        ids: list[list[int]] = []
        for _ in range(2):
            with LocalExchange(rate=5000) as exchange:
                exchange.wait_for(lambda exchange=exchange: len(exchange.pushed) > 1000, WAIT)  # type: ignore[misc]
            ids.append([update_id for _, update_id in exchange.pushed])
        assert max(ids[0]) < min(ids[1])


class TestControlMessages:
    def test_subscriptions_change_what_comes(self, exchange: LocalExchange) -> None:
        with listening(exchange, "/ws") as client:
            names = ["btcusd_perp@bookTicker", "NONSENSE"]
            assert ask(client, {"method": "SUBSCRIBE", "params": names, "id": 1}) == {"result": None, "id": 1}
            assert ask(client, {"method": "LIST_SUBSCRIPTIONS", "id": 2}) == {"result": sorted(names), "id": 2}
            exchange.push_updates([update("ETHUSD_PERP", 1), update("BTCUSD_PERP", 2)])
            assert json.loads(client.recv(WAIT))["u"] == 2
            assert ask(client, {"method": "UNSUBSCRIBE", "params": names, "id": 3}) == {"result": None, "id": 3}
            exchange.push_updates([update("BTCUSD_PERP", 3)])
            assert ask(client, {"method": "LIST_SUBSCRIPTIONS", "id": 4}) == {"result": [], "id": 4}

    @pytest.mark.parametrize(
        ("message", "code", "text"),
        [
            (
                '{"method":"SUBSCRIBE","params":[],"id":"x"}',
                2,
                "Invalid request: request ID must be an unsigned integer",
            ),
            (
                '{"method":"SUBSCRIBE","params":[],"id":-1}',
                2,
                "Invalid request: request ID must be an unsigned integer",
            ),
            ('{"method":"SUBSCRIBE","params":"a","id":1}', 2, "Invalid request: params must be"),
            ('{"method":"JUMP","id":1}', 2, "Invalid request: unknown variant"),
            ("[]", 2, "Invalid request"),
            ("{", 3, "Invalid JSON"),
        ],
    )
    def test_invalid_ones_are_told(self, exchange: LocalExchange, message: str, code: int, text: str) -> None:
        with listening(exchange) as client:
            answer = ask(client, message)
            assert answer["code"] == code
            assert answer["msg"].startswith(text)

    def test_too_many_streams(self, exchange: LocalExchange) -> None:
        with listening(exchange) as client:
            request = {"method": "SUBSCRIBE", "params": [f"s{i}@bookTicker" for i in range(1024)], "id": 1}
            assert ask(client, request)["error"]["code"] == 4

    def test_more_than_ten_in_a_second_close_the_connection(self, exchange: LocalExchange) -> None:
        with listening(exchange) as client:
            for number in range(11):
                client.send(json.dumps({"method": "LIST_SUBSCRIPTIONS", "id": number}))
            frames, end = read_to_the_end(client)
        assert len(frames) == 10
        assert end.rcvd is not None
        assert (end.rcvd.code, end.rcvd.reason) == (1008, "Too many requests")


class TestWebSocketApi:
    @pytest.fixture
    def api(self, exchange: LocalExchange) -> Iterator[ClientConnection]:
        with connect(exchange.websocket_api_url) as client:
            exchange.wait_for(lambda: exchange.api_connections, WAIT)
            yield client

    def test_one_symbol_is_an_object(self, exchange: LocalExchange, api: ClientConnection) -> None:
        exchange.prices["BTCUSDT"] = ("6000.0100", 1589437530011)
        answer = ask(api, {"id": "a", "method": "ticker.price", "params": {"symbol": "BTCUSDT"}})
        assert answer["result"] == {"symbol": "BTCUSDT", "price": "6000.0100", "time": 1589437530011}
        assert (answer["id"], answer["status"]) == ("a", 200)
        (limit,) = answer["rateLimits"]
        assert limit["limit"] == 2400
        assert exchange.weight_spent == 5 + 1

    def test_all_symbols_are_an_array(self, exchange: LocalExchange, api: ClientConnection) -> None:
        rows = ask(api, {"id": 7, "method": "ticker.price"})["result"]
        assert {row["symbol"]: (row["price"], row["time"]) for row in rows} == exchange.prices
        assert {"1000SATSUSDT", "币安人生USDT", "BTCUSDT_260626"} <= {row["symbol"] for row in rows}
        assert min(row["time"] for row in rows) < time.time() * 1000 - 60 * 86_400_000
        assert exchange.requests == [{"id": 7, "method": "ticker.price"}]
        assert exchange.weight_spent == 5 + 2

    @pytest.mark.parametrize(
        ("request_", "code"),
        [
            ({"id": 1, "method": "ticker.price", "params": {"symbol": "NOPE"}}, -1121),
            ({"id": 1, "method": "ticker.price", "params": {"symbols": ["BTCUSDT"]}}, -1101),
            ({"id": 1, "method": "ping"}, -1020),
            ("{", -1135),
        ],
    )
    def test_wrong_requests(self, api: ClientConnection, request_: Any, code: int) -> None:
        answer = ask(api, request_)
        assert (answer["status"], answer["error"]["code"]) == (400, code)
        assert answer["id"] == (None if request_ == "{" else 1)

    def test_the_weight_of_the_minute(self, exchange: LocalExchange, api: ClientConnection) -> None:
        exchange.wait_for(lambda: time.time() % 60 < 58, 3.0)
        exchange.used_weight = 2397
        assert ask(api, {"method": "ticker.price"})["rateLimits"][0]["count"] == 2399
        refused = ask(api, {"method": "ticker.price"})
        assert (refused["status"], refused["error"]["code"]) == (429, -1003)
        assert 0 < refused["error"]["data"]["retryAfter"] - time.time() * 1000 <= 60_000

    def test_scripted_answers_come_in_turn_and_then_the_truth(
        self, exchange: LocalExchange, api: ClientConnection
    ) -> None:
        exchange.script_answer(
            {"status": 503},
            {"id": None, "status": 401},
            '{"odd":1}',
            lambda request: {"echo": request["method"]},
            [{"event": {}}, {"id": "other"}, {"status": 200}],
            Fragmented({"text": "币安人生" * 100}, pieces=7),
            Delayed({"late": True}, 0.2),
        )
        price = {"id": 1, "method": "ticker.price", "params": {"symbol": "BTCUSDT"}}
        assert ask(api, price) == {"id": 1, "status": 503}
        assert ask(api, price) == {"id": None, "status": 401}
        assert ask(api, price) == {"odd": 1}
        assert ask(api, price) == {"id": 1, "echo": "ticker.price"}
        assert [ask(api, price), json.loads(api.recv(WAIT)), json.loads(api.recv(WAIT))] == [
            {"id": 1, "event": {}},
            {"id": "other"},
            {"id": 1, "status": 200},
        ]
        api.send(json.dumps(price))
        pieces = list(api.recv_streaming(decode=False))
        assert len(pieces) >= 7
        assert json.loads(b"".join(pieces)) == {"id": 1, "text": "币安人生" * 100}
        started = time.monotonic()
        assert ask(api, price) == {"id": 1, "late": True}
        assert time.monotonic() - started >= 0.2
        assert ask(api, price)["result"]["symbol"] == "BTCUSDT"
        assert len(exchange.requests) == 8

    def test_no_answer(self, exchange: LocalExchange, api: ClientConnection) -> None:
        exchange.script_answer(NoAnswer)
        api.send('{"id":1,"method":"ticker.price"}')
        assert ask(api, {"id": 2, "method": "ticker.price"})["id"] == 2

    def test_drop_and_close(self, exchange: LocalExchange, api: ClientConnection) -> None:
        exchange.script_answer(DropConnection, CloseConnection(1008, "Too many requests"))
        api.send('{"method":"ticker.price"}')
        _, end = read_to_the_end(api)
        assert isinstance(end.__cause__, ConnectionResetError)
        with connect(exchange.websocket_api_url) as other:
            other.send('{"method":"ticker.price"}')
            _, end = read_to_the_end(other)
        assert end.rcvd is not None
        assert (end.rcvd.code, end.rcvd.reason) == (1008, "Too many requests")


class TestHandshakes:
    def test_refusals_end_after_their_times(self, exchange: LocalExchange) -> None:
        exchange.refuse(418, {"Retry-After": "120"}, "banned", times=2, endpoint="market")
        for _ in range(2):
            with pytest.raises(InvalidStatus) as refused, connect(exchange.market_stream_url + ALL):
                pass
            assert refused.value.response.status_code == 418
            assert refused.value.response.headers["Retry-After"] == "120"
            assert refused.value.response.body == b"banned"
            with connect(exchange.websocket_api_url):
                pass
        with connect(exchange.market_stream_url + ALL):
            pass
        assert [status for _, path, status in exchange.handshakes if path == ALL] == [418, 418, 101]

    def test_refusals_without_end_until_accepted_again(self, exchange: LocalExchange) -> None:
        exchange.refuse(451, times=None)
        for _ in range(3):
            with pytest.raises(InvalidStatus), connect(exchange.market_stream_url + ALL):
                pass
        exchange.accept_handshakes()
        with connect(exchange.market_stream_url + ALL):
            pass

    def test_slow_handshake(self, exchange: LocalExchange) -> None:
        exchange.slow_handshake(0.3)
        started = time.monotonic()
        with connect(exchange.market_stream_url + ALL):
            assert time.monotonic() - started >= 0.3

    def test_an_exchange_closes_although_a_handshake_waits(self) -> None:
        with contextlib.ExitStack() as clients:
            with LocalExchange(rate=0) as exchange:
                exchange.slow_handshake(60)
                client = clients.enter_context(socket.create_connection(("127.0.0.1", exchange.port)))
                ask_for_websocket(client, ALL)
                time.sleep(0.1)
                started = time.monotonic()
            assert time.monotonic() - started < 3

    def test_endless_headers(self, exchange: LocalExchange) -> None:
        exchange.endless_handshake_headers()
        with socket.create_connection(("127.0.0.1", exchange.port), timeout=WAIT) as client:
            ask_for_websocket(client, ALL)
            received = b""
            while len(received) < 2**20:
                received += client.recv(2**16)
            assert received.startswith(b"HTTP/1.1 101 ")
            assert b"\r\n\r\n" not in received
        with connect(exchange.market_stream_url + ALL):
            pass


class TestFaults:
    def test_reset_and_end_of_stream(self, exchange: LocalExchange) -> None:
        with listening(exchange) as reset, listening(exchange) as finished:
            exchange.push("last")
            assert exchange.fault("rst").path == ALL
            exchange.fault("fin")
            frames, end = read_to_the_end(reset)
            assert (frames, end.rcvd) == (["last"], None)
            assert isinstance(end.__cause__, ConnectionResetError)
            frames, end = read_to_the_end(finished)
            assert (frames, end.rcvd) == (["last"], None)
            assert not isinstance(end.__cause__, ConnectionResetError)
            exchange.wait_for(lambda: not exchange.connections, WAIT)

    def test_close_frame(self, exchange: LocalExchange) -> None:
        with listening(exchange) as client:
            exchange.fault("close", code=1008, reason="Too many requests")
            _, end = read_to_the_end(client)
        assert end.rcvd is not None
        assert (end.rcvd.code, end.rcvd.reason) == (1008, "Too many requests")

    def test_cut_in_a_frame(self, exchange: LocalExchange) -> None:
        with listening_raw(exchange) as client:
            exchange.fault("cut")
            received = client.recv(1000)
            assert received[:2] == b"\x81\x7e"
            assert len(received) < int.from_bytes(received[2:4], "big")
            with pytest.raises(ConnectionResetError):
                client.recv(1000)

    def test_silence(self) -> None:
        with (
            LocalExchange(rate=0, ping_interval=0.05) as exchange,
            listening(exchange, close_timeout=0.1, ping_interval=None) as client,
        ):
            server_side = exchange.fault("silence")
            exchange.push("nothing")
            pongs = len(server_side.pongs)
            assert not client.ping().wait(0.3)
            assert len(server_side.pongs) == pongs
            with pytest.raises(TimeoutError):
                client.recv(0)
            assert exchange.connections == [server_side]

    def test_mute(self, exchange: LocalExchange) -> None:
        with listening(exchange) as client:
            exchange.fault("mute")
            exchange.push("nothing")
            client.send('{"method":"LIST_SUBSCRIPTIONS","id":1}')
            assert client.ping().wait(WAIT)
            with pytest.raises(TimeoutError):
                client.recv(0.1)

    def test_shutdown_is_announced_and_the_next_fault_meets_another_connection(self, exchange: LocalExchange) -> None:
        with listening(exchange) as raw, listening(exchange, "/stream?streams=!bookTicker") as wrapped:
            first = exchange.fault("shutdown", after=0.2)
            second = exchange.fault("shutdown", after=0.2)
            assert first is not second
            exchange.push("still")
            (announced, *rest), end = read_to_the_end(raw)
            assert (json.loads(announced)["e"], rest) == ("serverShutdown", ["still"])
            assert end.rcvd is not None
            assert end.rcvd.code == 1001
            (announced, *rest), _ = read_to_the_end(wrapped)
            assert json.loads(announced)["stream"] == "!serverShutdown"
            assert json.loads(announced)["data"].keys() == {"e", "E"}

    def test_raw_bytes(self, exchange: LocalExchange) -> None:
        masked = b"\x81\x81\x00\x00\x00\x00x"
        with listening(exchange) as client:
            exchange.fault("raw", data=masked)
            _, end = read_to_the_end(client)
        assert isinstance(end, ConnectionClosedError)
        assert end.sent is not None
        assert end.sent.code == 1002

    def test_nobody_to_fault(self, exchange: LocalExchange) -> None:
        with pytest.raises(LookupError):
            exchange.fault("rst")


@pytest.mark.skipif(not RECORDING.exists(), reason="the recording is not beside this checkout: ../shared/recordings")
class TestRecording:
    def test_every_frame_comes_in_order_and_byte_for_byte(self) -> None:
        recorded = [json.loads(line)["frame"] for line in RECORDING.read_text().splitlines()]
        payloads = [frame[frame.index('"data":') + 7 : -1] for frame in recorded]
        with (
            LocalExchange(recording=RECORDING, speed=30) as exchange,
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
        assert len(mixed_in) > 1000
        assert {frame.get("st") for frame in mixed_in} == {1, None}
        assert len(exchange.pushed) == len(frames)

    def test_it_keeps_the_pace_and_can_be_left_pure(self) -> None:
        with LocalExchange(recording=RECORDING, speed=5, mix_usds_margined=False) as exchange, listening(exchange):
            time.sleep(1.0)
            exchange.pause()
            # Five of thirty seconds, on a machine that may be busy: between two and eight.
            expected = [json.loads(line)["received"] for line in RECORDING.read_text().splitlines()]
            played = expected[len(exchange.pushed)] - expected[0]
            assert 2 < played < 8
            count = len(exchange.pushed)
            time.sleep(0.1)
            assert len(exchange.pushed) == count
            assert {symbol for symbol, _ in exchange.pushed} <= {"BTCUSD_PERP", "EGLDUSD_PERP"} | {
                f"{pair}_{expiry}"
                for pair in ("BCHUSD", "BTCUSD", "DOTUSD", "ETHUSD", "LINKUSD", "XRPUSD")
                for expiry in ("210625", "210924")
            }


class TestItself:
    def test_environment(self, exchange: LocalExchange) -> None:
        assert exchange.environment() == {
            "name": "custom",
            "market_stream_url": f"ws://127.0.0.1:{exchange.port}",
            "websocket_api_url": f"ws://127.0.0.1:{exchange.port}/ws-fapi/v1",
        }

    def test_tls(self) -> None:
        import trustme

        authority = trustme.CA()
        server_side, client_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
        authority.issue_cert("localhost").configure_cert(server_side)
        authority.configure_trust(client_side)
        with LocalExchange(rate=0, ssl_context=server_side) as exchange:
            assert exchange.market_stream_url == f"wss://localhost:{exchange.port}"
            with listening(exchange, ssl=client_side) as client:
                exchange.push("over TLS")
                assert client.recv(WAIT) == "over TLS"
                exchange.fault("fin")
                read_to_the_end(client)
            with listening(exchange, ssl=client_side) as client:
                exchange.fault("rst")
                read_to_the_end(client)

    def test_wait_for_has_a_deadline(self, exchange: LocalExchange) -> None:
        assert exchange.wait_for(lambda: "yes", WAIT) == "yes"
        with pytest.raises(TimeoutError):
            exchange.wait_for(lambda: False, 0.05)

    def test_a_port_that_is_taken(self, exchange: LocalExchange) -> None:
        with pytest.raises(OSError, match="in use"), LocalExchange(port=exchange.port):
            pass

    def test_an_error_while_pushing_reaches_the_test(self, monkeypatch: pytest.MonkeyPatch) -> None:
        exchange = LocalExchange(rate=0)
        monkeypatch.setattr(exchange._engine, "_weights", [])
        thread = exchange._thread._thread
        exchange.__enter__()
        exchange.set_rate(1000)
        thread.join(WAIT)
        assert not thread.is_alive()
        with pytest.raises(ValueError, match="weights"):
            exchange.__exit__(None, None, None)

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
    def test_the_command_line(self, number: signal.Signals) -> None:
        command = [sys.executable, "-m", "local_exchange", "--port", "0", "--rate", "100"]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            lines = [process.stdout.readline() for _ in range(4)]
            environment = json.loads(lines[3].partition("Configuration:")[2])["environment"]
            with connect(environment["market_stream_url"] + ALL) as client:
                assert json.loads(client.recv(WAIT))["e"] == "bookTicker"
            process.send_signal(number)
            output, _ = process.communicate(timeout=WAIT)
        assert output == "The exchange is closed.\n"
        assert process.returncode == 0

    def test_the_command_line_says_what_it_cannot_open(self) -> None:
        command = [sys.executable, "-m", "local_exchange", "--port", "0", "--recording", "no-such-file"]
        process = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=WAIT, check=False)
        assert process.returncode == 1
        assert process.stderr.startswith("The exchange cannot open: ")
        assert "no-such-file" in process.stderr
        assert "Traceback" not in process.stderr
