"""From frames to counters: what one connection brings, counted rightly."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import orjson
import pytest

from source_binance_futures.binance.transport.framing import PING, PONG, TEXT, ControlFrame
from source_binance_futures.live.stats import (
    SETTLED_AFTER,
    Recorder,
    Stats,
    conclude,
    faults_of,
)

BEGIN = 1_790_373_630.0  # epoch seconds
ETH: dict[str, Any] = {"s": "ETHUSD_PERP", "ps": "ETHUSD"}
BTCUSDT: dict[str, Any] = {"s": "BTCUSDT", "ps": "BTCUSDT", "st": 1}
Moment = tuple[float, bytes]  # seconds after the connection was opened, and what comes


BOOK_TICKER = {"e": "bookTicker", "u": 11660059839759, "s": "BTCUSD_PERP", "ps": "BTCUSD", "st": 2} | {
    "b": "83732.4", "B": "680", "a": "83732.5", "A": "2458", "T": 1790373637547, "E": 1790373637547
}  # fmt: skip


def book_ticker(without: str = "", **changes: Any) -> dict[str, Any]:
    found = BOOK_TICKER | changes
    return {key: value for key, value in found.items() if key != without}


def own(without: str = "", **changes: Any) -> bytes:
    """Over the contract's own stream."""
    found = book_ticker(without, **changes)
    return orjson.dumps({"stream": f"{found['s'].lower()}@bookTicker", "data": found})


def sample(without: str = "", **changes: Any) -> bytes:
    """Over the all-market stream."""
    return orjson.dumps({"stream": "!bookTicker", "data": book_ticker(without, **changes)})


def recorded(
    stats: Stats,
    *frames: Moment,
    until: float | None = None,
    follow: Sequence[str] = ("btcusd_perp@bookTicker",),
    controls: Iterable[tuple[float, int, bytes]] = (),
    sent: Iterable[tuple[float, int, bytes]] = (),
    role: str = "coin_m_address",
    opened: float = 0.0,
    lost: str | None = None,
) -> Recorder:
    """The recorder of a connection that is over."""
    now = BEGIN + opened
    recorder = Recorder(stats, role, follow, lambda: now)
    passes: list[tuple[float, Callable[..., None], tuple[Any, ...]]]
    passes = [(at, recorder.received, ([payload], [])) for at, payload in frames]
    passes += [(at, recorder.received, ([], [ControlFrame(opcode, text)])) for at, opcode, text in controls]
    passes += [(at, recorder.sent, (opcode, text)) for at, opcode, text in sent]
    for at, happens, what in sorted(passes, key=lambda each: each[0]):
        now = BEGIN + at
        happens(*what)
    now = now if until is None else BEGIN + until
    recorder.end(lost)
    return recorder


def counted(*frames: Moment, books: Iterable[int] = (), **options: Any) -> Stats:
    """What is counted of frames that came so many seconds after the connection was opened."""
    stats = Stats(books=list(books))
    conclude(stats, [recorded(stats, *frames, **options)])
    return stats


def content(*payloads: bytes) -> Stats:
    return counted(*[(1.0, payload) for payload in payloads])


def test_frames_and_the_busiest_second() -> None:
    frames = [own(u=number) for number in range(1, 7)]
    found = counted(*zip((1.0, 1.5, 2.0, 2.1, 2.9, 3.0), frames, strict=True), until=10.06)
    assert (found["frames"], found["frames_in_the_busiest_second"]) == (6, 3)
    assert (found["seconds_listened"], found["seconds_silent"]) == (10.1, 7.1)
    assert (found["connections_used"], found["lost"]) == (1, 0)


def test_what_an_address_brings() -> None:
    stats = Stats(environment="testnet", coin_m_public_seconds=4.0)
    frames = ((1.0, sample()), (2.0, sample(**BTCUSDT)), (3.0, sample()), (3.5, own()))
    of_another = Stats()
    recorders = [
        recorded(stats, *frames, until=10.06, lost="ClosedByExchange"),
        recorded(stats, (7.0, sample()), until=8.0),
        recorded(of_another, (7.0, sample()), until=7.0, role="plain_path"),
        recorded(stats, until=9.0, role="usds_m_address"),
    ]
    conclude(stats, recorders)
    assert stats["lost"] == {"ClosedByExchange": 1}
    assert (stats["coin_m_address_frames"], stats["coin_m_address_seconds"]) == (5, 10.1)
    assert (stats["plain_path_frames"], stats["testnet_seconds"], stats["sample_updates"]) == (1, 7.0, 4)


@pytest.mark.parametrize(
    ("frames", "until", "sampled", "lone"),
    [
        ([(1.0, sample()), (2.0, sample(**BTCUSDT))], 3.0, 1, 0),
        ([(1.0, sample()), (5.0, own())], 14.0, 0, 0),  # the silence at the end does not count
        ([(4.0, sample(**BTCUSDT)), (9.0, own())], 15.0, 0, 0),
        ([(5.0, sample(**BTCUSDT)), (10.0, own())], 15.0, 1, {"USDⓈ-M at coin_m_address": 1}),
        ([(5.0, own()), (10.0, own())], 15.0, 0, 0),
    ],
)
def test_one_market_alone_says_something_once_every_contract_must_have_been_sampled(
    frames: list[Moment], until: float, sampled: int, lone: object
) -> None:
    found = counted(*frames, until=until)
    assert (found["sampled_connections"], found["lone_markets"]) == (sampled, lone)


@pytest.mark.parametrize(
    ("moments", "until", "silence"),
    [((5.0, 6.0), 8.0, 5.0), ((1.0, 4.5), 5.0, 3.5), ((1.0,), 9.0, 8.0), ((), 7.0, 0.0)],
)
def test_the_wait_for_the_first_frame_and_the_end_is_silence(
    moments: list[float], until: float, silence: float
) -> None:
    assert counted(*[(at, own()) for at in moments], until=until)["seconds_silent"] == silence


def test_sound_book_tickers_are_nothing_odd() -> None:
    frames = [own(u=1), sample(), own(u=2), own(u=3, A="1" * 5000)]
    found = content(*frames)
    assert (found["frames"], found["bytes_a_frame"]) == (4, round(sum(map(len, frames)) / 4))
    assert content(frames[0])["bytes_a_frame"] == len(frames[0])
    kinds = ("wrong_types", "unknown_keys", "other_frames", "other_streams")
    assert not any(found[each] for each in (*kinds, "odd_books", "ps_missing", "odd_symbol_types"))


CONTENT: list[tuple[dict[str, Any], str, Any]] = [
    ({"b": 83732.4}, "wrong_types", {"b: number": 1}),
    ({"A": None}, "wrong_types", {"A: missing": 1}),
    ({"T": "1790373637547"}, "wrong_types", {"T: decimal": 1}),
    ({"without": "E"}, "wrong_types", {"E: missing": 1}),
    ({"B": "6e2"}, "wrong_types", {"B: string": 1}),
    ({"ps": 1}, "wrong_types", {"ps: integer": 1}),
    ({"st": True}, "wrong_types", {"st: boolean": 1}),
    ({"a": {}}, "wrong_types", {"a: object": 1}),
    ({"x": 1, "y": 3}, "unknown_keys", {"x": 1, "y": 1}),
    ({"without": "ps"}, "ps_missing", 1),
    ({"without": "st"}, "odd_symbol_types", 1),
    ({"without": "st"}, "wrong_types", 0),
    ({"st": 1}, "odd_symbol_types", 1),
    ({"st": 3}, "odd_symbol_types", 1),
    ({"st": 2, "s": "BTCUSDT"}, "odd_symbol_types", 1),
    ({"st": 1, "s": "BTCUSDT_260626"}, "odd_symbol_types", 0),
    ({"st": 2, "s": "BTCUSD_260626"}, "odd_symbol_types", 0),
    ({"b": "83732.5"}, "odd_books", 1),
    ({"b": "83733"}, "odd_books", 1),
    ({"b": "0"}, "odd_books", 1),
    ({"A": "0.000"}, "odd_books", 1),
    ({"a": ""}, "wrong_types", {"a: string": 1}),
]


@pytest.mark.parametrize(("changes", "counter", "counts"), CONTENT)
def test_what_a_book_ticker_holds_is_counted(changes: dict[str, Any], counter: str, counts: object) -> None:
    assert content(own(**changes), own())[counter] == counts


def test_of_odd_kinds_only_so_many_are_reported_apart_by_their_beginning() -> None:
    found = content(*[own("", **{f"{number:>70}": 1, "x" * 70: 1}) for number in range(100)])
    assert found["unknown_keys"] == {" " * 60: 100, "x" * 60: 100}
    assert len(content(*[own("", **{f"key{number}": 1}) for number in range(100)])["unknown_keys"]) == 30


def test_frames_of_other_kinds_and_streams() -> None:
    info = {"e": "contractInfo", "s": "NEWUSDT", "ot": 1, "dt": 2, "cs": "TRADING"}
    found = content(
        b'{"stream":"!serverShutdown","data":{"e":"serverShutdown","E":1770123456789}}',
        b'{"result":null,"id":1}',
        b"[1]",
        b"not JSON",
        orjson.dumps(book_ticker()),
        orjson.dumps({"stream": "BTCUSD_PERP@bookTicker", "data": book_ticker()}),
        orjson.dumps({"stream": "!contractInfo", "data": info}),
        orjson.dumps({"stream": "!contractInfo", "data": {**info, "dt": "2100"}}),
        own(),
    )
    assert found["other_frames"] == {"serverShutdown": 1, "keys id, result": 1}
    assert found["other_streams"] == {"no wrapper": 1, "BTCUSD_PERP@bookTicker": 1}
    assert (found["unreadable_frames"], found["frames"]) == (2, 3)
    assert faults_of(1, {}) == ["no object"]
    assert (found["contract_infos"], found["contract_info_faults"]) == (2, {"dt: decimal": 1})


def test_the_order_of_ids_and_times_within_and_across_contracts() -> None:
    found = content(
        own(u=10, E=1000, T=1000),
        own(u=12, E=1500, T=1400, **ETH),
        own(u=11, E=1421, T=1000),  # a smaller id than its neighbour's, and 79 ms behind its time
        own(u=11, E=1420, T=999),  # a repeat, and both times go back
        own(u=9, E=1600, T=1600),  # a step back
        sample(u=9, E=100, T=100),  # samples are another stream, with an order of their own
        sample(u=9, E=100, T=100),
        sample(u=9, E=100, T=100),
        sample(u=8, E=100, T=100),
    )
    kinds = ("own_updates", "sample_updates", "own_steps_back", "own_repeats", "sample_steps_back")
    assert [found[kind] for kind in kinds] == [5, 4, 1, 1, 1]
    assert (found["event_times_back"], found["transaction_times_back"]) == (1, 1)
    assert (found["steps_back_across"], found["ms_back_at_most"]) == (2, 80)
    same = content(own(u=10), own(u=11), own(u=11, **ETH), own("E", u=12), own("T", u=13))
    assert (same["event_times_back"], same["transaction_times_back"], same["ms_back_at_most"]) == (0, 0, 0)
    assert same["steps_back_across"] == 0


def test_the_lag_is_receipt_minus_event_time_of_own_updates() -> None:
    pushed = int(BEGIN * 1000)
    frames = [(1.0, own(u=number, E=pushed + 1000 - number)) for number in range(1, 102)]
    found = counted(*frames, (1.0, sample(u=9, E=1)))
    assert (found["median_lag_ms"], found["timed_updates"]) == (51, 101)
    assert counted((1.0, sample(u=9)), (1.0, own(E="1")))["timed_updates"] == 0


def test_the_lag_is_that_of_the_worst_connection() -> None:
    stats = Stats()
    for lag in (0.2, -3.0, 1.0):
        recorded(stats, (1.0, own(E=int((BEGIN + 1 - lag) * 1000))))
    assert stats["median_lag_ms"] == -3000


def test_the_pace_of_samples_and_of_own_updates() -> None:
    frames = [(at, payload(u=int(at))) for at in (5.0, 10.123, 15.247) for payload in (own, sample)]
    found = counted(*frames, *((at, own(u=int(at), **ETH)) for at in (1.0, 2.0, 3.5)))
    assert (found["sample_distances"], found["seconds_between_samples"]) == (2, 5.12)
    assert (found["updates_in_real_time"], found["updates_like_samples"]) == (1, 0)


@pytest.mark.parametrize(
    ("updates", "samples", "like_samples"), [(10, 9, 0), (10, 10, 10), (12, 11, 12), (13, 11, 0), (9, 11, 0)]
)
def test_own_streams_that_bring_no_more_than_samples_show(updates: int, samples: int, like_samples: int) -> None:
    frames = [(5.0 * number, own(u=number)) for number in range(1, updates + 1)]
    frames += [(5.0 * number + 0.1, sample(u=number)) for number in range(1, samples + 1)]
    assert counted(*frames)["updates_like_samples"] == like_samples
    at_once = [(5.5, own(u=1, **ETH)), (6.5, own(u=2, **ETH))]
    assert counted(*frames, *at_once)["updates_like_samples"] == 0


def test_an_own_stream_is_silent_where_samples_changed_more_than_once() -> None:
    changing = [(at, sample(u=int(at))) for at in (1.0, 5.0, 10.0, 15.0)]
    assert counted(*changing)["silent_own_streams"] == {"BTCUSD_PERP": 1}
    assert counted(*changing[:3])["silent_own_streams"] == 0  # the first one came before it was settled
    assert counted(*[(at, sample(u=7)) for at in (5.0, 10.0, 15.0, 20.0)])["silent_own_streams"] == 0
    assert counted(*changing, (16.0, own(u=16)))["silent_own_streams"] == 0
    assert counted(*changing, follow=["ethusd_perp@bookTicker"])["silent_own_streams"] == 0


# --- samples, looked for among the updates of the contract's own stream ---

SETTLED = SETTLED_AFTER + 0.1
FIRST = ((0.0, own(u=1)), (SETTLED, sample(u=1)))  # an own stream that has settled, and its first sample
COMPARED: list[tuple[str, list[tuple[float, bytes]], tuple[int, int, int, int]]] = [
    ("brought before", [(4.0, own(u=5)), (4.25, sample(u=5))], (1, 0, 0, -250)),
    ("ahead", [(4.0, sample(u=5)), (4.5, own(u=4)), (5.5, own(u=5))], (1, 0, 0, 1500)),
    ("gone past", [(4.0, sample(u=5)), (4.5, own(u=6))], (1, 1, 0, 0)),
    ("gone past before", [(4.5, own(u=6)), (4.6, own(u=9)), (5.0, sample(u=8))], (1, 1, 0, 0)),
    ("not overdue yet", [(20.1, sample(u=5))], (0, 0, 0, 0)),
    ("overdue", [(20.0, sample(u=5))], (1, 0, 1, 0)),
    ("no change", [(9.0, sample(u=1))], (0, 0, 0, 0)),
    ("a change once", [(10.0, own(u=2)), (10.5, sample(u=2)), (11.0, own(u=2)), (15.5, sample(u=2))], (1, 0, 0, -500)),
    ("never spoken", [(4.0, sample(u=5, **ETH)), (9.0, sample(u=6, **ETH))], (0, 0, 0, 0)),
]


@pytest.mark.parametrize(("frames", "expected"), [row[1:] for row in COMPARED], ids=[row[0] for row in COMPARED])
def test_samples_are_compared(frames: list[tuple[float, bytes]], expected: tuple[int, int, int, int]) -> None:
    found = counted(*FIRST, *frames, until=30.0)
    kinds = ("samples_compared", "samples_missing", "samples_overdue")
    assert (*(found[kind] for kind in kinds), found["ms_ahead_at_most"]) == expected


def test_pings_of_the_server_and_answers_to_ours() -> None:
    def stamped(at: float, ahead_ms: int) -> tuple[float, int, bytes]:
        return at, PING, str(int((BEGIN + at) * 1000) + ahead_ms).encode()

    pings = [stamped(1.0, 5001), stamped(181.0, -5000), (361.0, PING, b"abc"), stamped(541.0, 5001)]
    pongs = [(10.4, PONG, b"1"), (34.0, PONG, b"2")]
    sent = [(10.0, PING, b"1"), (24.0, PING, b"2"), (590.0, PING, b"3"), (590.1, PING, b"4")]
    found = counted(controls=[*pings, *pongs], sent=sent, until=600.0)
    assert (found["pings"], found["odd_pings"]) == (4, 3)
    assert (found["ping_intervals"], found["seconds_between_pings"]) == (3, 180.0)
    # The last was not due yet.
    kinds = ("asked", "acknowledged", "unanswered")
    assert [found[f"client_pings_{kind}"] for kind in kinds] == [3, 1, 2]


def test_control_messages_are_answered_refused_or_neither() -> None:
    eth, unknown, upper, cross = (
        f"{name}@bookTicker" for name in ("ethusd_perp", "nosuchusd_perp", "BTCUSD_PERP", "btcusdt")
    )
    asked = {
        1.0: [eth],
        2.0: [unknown],
        3.0: ["late"],
        3.5: [cross],
        3.6: [upper],
        3.8: ["!contractInfo"],
        4.5: ["too late"],
    }
    sent = [(at, TEXT, orjson.dumps({"params": streams, "id": int(at * 10)})) for at, streams in asked.items()]
    sent.append((3.2, PING, b"not due yet"))
    frames = [
        (1.25, b'{"result":null,"id":10}'),
        (2.5, b'{"error":{"code":4,"msg":"no"}}'),  # without an id it answers the newest
        (2.6, b'{"result":null,"id":20}'),
        (2.7, b'{"result":null,"id":99}'),
        (4.0, own(u=2, **BTCUSDT)),
        (4.1, orjson.dumps({"stream": upper, "data": book_ticker()})),
        *[(at, sample(u=int(at * 10), **ETH)) for at in (4.2, 4.3, 4.4)],
    ]
    found = counted(*frames, sent=sent, until=9.44)
    kinds = ("asked", "acknowledged", "refused", "unanswered")
    assert [found[f"contracts_{kind}"] for kind in kinds] == [2, 1, 0, 1]
    kinds = ("refused", "unanswered", "seconds", "frames")
    assert [found[f"unknown_{kind}"] for kind in kinds] == [1, 1, 7.4, 1]
    assert (found["cross_frames"], found["cross_seconds"], found["cross_unanswered"]) == (1, 5.9, 1)
    assert found["info_unanswered"] == 1
    assert found["changes_sampled"] == 1  # of a contract that is listened to since the answer


def test_ids_of_books_are_looked_for_among_those_of_the_own_stream() -> None:
    frames = [(1.0, own(u=number, **BTCUSDT)) for number in (10, 20, 30)]
    found = counted(*frames, books=[5, 10, 15, 30, 31])  # 5 and 31 were not listened to
    assert (found["books_compared"], found["books_missing"]) == (3, 1)


# --- what two connections brought while both were open ---


Key = tuple[str, int]  # symbol, and the number of an update, of which there is one in 100 ms


def pushed(begin: int, end: int) -> list[Key]:
    return [(f"C{number % 3}USDT", number) for number in range(begin, end)]


def overlap(
    first: list[Key], second: list[Key], *, opened: float = 0.0, follow: Sequence[int] = (0, 1, 2), role: str = "a"
) -> tuple[int, int, int]:
    """What is found of two connections to an address, the second of which was opened so late."""
    stats, recorders = Stats(), []
    for keys, since, numbers, of in ((first, 0.0, range(3), "a"), (second, opened, follow, role)):
        frames = [(number / 10, own(s=symbol, u=number + 1, E=number * 100)) for symbol, number in keys]
        streams = [f"c{number}usdt@bookTicker" for number in numbers]
        recorders.append(recorded(stats, *frames, role=of, follow=streams, opened=since))
    conclude(stats, recorders)
    return stats["over_both"], stats["only_over_first"], stats["only_over_second"]


def test_two_connections_are_compared_over_what_both_were_open_for_by_event_time() -> None:
    assert overlap(pushed(0, 80), pushed(40, 120)) == (20, 0, 0)
    first, second = pushed(0, 100), pushed(0, 100)
    del first[50]
    del second[60:63]
    assert overlap(first, second) == (76, 3, 1)
    assert overlap(pushed(0, 100), pushed(0, 100), opened=5.0) == (30, 0, 0)
    assert overlap(pushed(0, 100), pushed(0, 100), role="b") == (0, 0, 0)
    assert overlap(pushed(0, 10), []) == overlap(pushed(0, 50), pushed(60, 99)) == (0, 0, 0)
    without = [key for key in pushed(0, 100) if key[0] != "C1USDT"]
    assert overlap(pushed(0, 100), without, follow=(0, 2))[1:] == (0, 0)  # it was not asked for C1USDT
