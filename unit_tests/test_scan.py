"""The cheap look at unparsed frames, and what answers a control message."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import orjson
import pytest

from source_binance_futures.binance.market_stream.messages import contracts_in, scan
from source_binance_futures.binance.market_stream.subscriptions import ControlAnswer, control_answer

ACKNOWLEDGEMENT = b'{"result":null,"id":1}'
NOTICE = b'{"stream":"!serverShutdown","data":{"e":"serverShutdown","E":1770123456789}}'


def frame(stream: str, event_time: int | None = 1_790_373_637_547, **more: object) -> bytes:
    data = {"e": "bookTicker", "u": 7, "s": "BTCUSD_PERP", **({} if event_time is None else {"E": event_time}), **more}
    return orjson.dumps({"stream": stream, "data": data})


def own(event_time: int | None = 1_790_373_637_547) -> bytes:
    return frame("btcusd_perp@bookTicker", event_time)


SAMPLE = frame("!bookTicker", 1_790_000_000_000)


class Seen(NamedTuple):
    has_data: bool
    has_update: bool
    earliest: float | None = None
    newest: float | None = None
    samples: Sequence[bytes] = ()
    retiring: bool = False


def look(*payloads: bytes, own_streams: bool = True) -> Seen:
    read = scan(list(payloads), own_streams=own_streams)
    assert (read.payloads, read.characters) == (list(payloads), sum(map(len, payloads)))
    return Seen(*(getattr(read, name) for name in Seen._fields))._replace(samples=tuple(read.samples))


def test_nothing_but_what_is_no_data() -> None:
    for own_streams in (True, False):
        assert look(ACKNOWLEDGEMENT, b'{"u"', b'{"s"', own_streams=own_streams) == Seen(
            False, False, None, None, (), False
        )


def test_updates_of_own_streams_say_when_they_were_pushed() -> None:
    for some in ([], [ACKNOWLEDGEMENT], [NOTICE.replace(b"!serverShutdown", b"else").replace(b"erverS", b"")]):
        assert look(*some, own(1_000_500), own(9_000_250), own(2_000_000), *some) == Seen(True, True, 1000.5, 9000.25)
    assert look(own(1_000_500)) == Seen(True, True, 1000.5, 1000.5, (), False)
    assert look(own(None), own(2_000_000)) == Seen(True, True, 2000.0, 2000.0)


def test_the_oldest_of_very_many_counts_where_it_is_looked_at() -> None:
    payloads = [own(2_000_000 + count) for count in range(1000)]
    assert look(*payloads)[2:4] == (2000.0, 2000.999)
    late = [own(1_000_000) if count % 31 == 3 else payload for count, payload in enumerate(payloads)]
    assert look(*late)[2:4] == (1000.0, 2000.999)


def test_samples_beside_own_streams_are_data_and_no_update() -> None:
    assert look(SAMPLE) == Seen(True, False, None, None, (SAMPLE,), False)
    assert look(SAMPLE, own(1_000_500), SAMPLE) == Seen(True, True, 1000.5, 1000.5, (SAMPLE, SAMPLE), False)


def test_where_none_is_followed_a_sample_is_an_update_and_its_time_says_nothing() -> None:
    assert look(ACKNOWLEDGEMENT, SAMPLE, own_streams=False) == Seen(True, True, None, None, (), False)


@pytest.mark.parametrize("own_streams", [True, False])
def test_a_server_that_announces_its_end(own_streams: bool) -> None:
    assert look(NOTICE, own_streams=own_streams) == Seen(False, False, None, None, (), True)
    assert look(own(), NOTICE, SAMPLE, own_streams=own_streams).retiring
    assert not look(b'{"note":"serverShutdown"}', own_streams=own_streams).retiring, "mentioned, not announced"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        (b'"E": 1500', 1.5),
        (b'"E":9999999999999999', 9999999999999.999),
        (b'"E":"1500"', None),
        (b'"E":-1', None),
        (b'"T":1500', None),
    ],
)
def test_event_times(text: bytes, seconds: float | None) -> None:
    payload = b'{"u":1,"s":"X",' + text + b"}"
    assert look(payload) == Seen(True, True, seconds, seconds, (), False)


def test_contracts_of_samples_are_those_that_can_be_read() -> None:
    found = contracts_in([SAMPLE, b"no JSON", ACKNOWLEDGEMENT, frame("!bookTicker", s="ETHUSD_PERP")])
    assert [book_ticker["s"] for book_ticker in found] == ["BTCUSD_PERP", "ETHUSD_PERP"]


@pytest.mark.parametrize(
    ("payload", "answer"),
    [
        (b'{"result":null,"id":1}', ControlAnswer(1, None)),
        (b'{"error":{"code":4,"msg":"Too many subscriptions"}}', ControlAnswer(None, "Too many subscriptions")),
        (b'{"error":{"code":4,"msg":"Too many"},"id":3}', ControlAnswer(3, "Too many")),
        (b'{"error":{"code":4},"id":3}', ControlAnswer(3, "None")),
        (b'{"error":"no","id":3}', ControlAnswer(3, "no")),
        (b'{"code":2,"msg":"Invalid request","id":"x"}', ControlAnswer(None, "Invalid request")),
        (b'{"msg":"' + b"x" * 300 + b'"}', ControlAnswer(None, "x" * 200)),
        (b'{"result":null}', None),
        (b'{"result":null,"id":true}', None),
        (b'{"id":1}', None),
        (b'{"e":"bookTicker","result":null,"id":1}', None),
        (b'{"stream":"x","result":null,"id":1}', None),
        (b"[1]", None),
        (b"no JSON", None),
    ],
)
def test_what_answers_a_control_message(payload: bytes, answer: ControlAnswer | None) -> None:
    assert control_answer(payload) == answer


def test_a_refusal_that_python_cannot_show_is_one_all_the_same() -> None:
    """Before 3.12 it shows fewer lists inside each other than orjson reads."""
    answer = control_answer(b'{"id":1,"error":' + b"[" * 1000 + b"]" * 1000 + b"}")
    assert answer is not None
    assert answer.request_id == 1
    assert 0 < len(answer.error or "") <= 200
