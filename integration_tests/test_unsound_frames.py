"""Frames that are not sound: none stops the capture or costs a neighbour its update, and a person learns of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson
import pytest

from local_exchange import LocalExchange

from .harness.connector import DEADLINE, INCREMENTAL, Connector
from .harness.driving import Driven
from .test_capture import ONE_CONNECTION, config_for, line_of, update

OTHER: list[bytes] = [
    b'{"result":null,"id":1}',
    b'{"id":1,"result":null}',
    b'{"error":{"code":4,"msg":"Too many subscriptions"}}',
    b'{"code":2,"msg":"Invalid request: request ID must be an unsigned integer"}',
    b'{"e":"aggTrade","E":1,"s":"BTCUSD_PERP","u":1}',
    b"{}",
]
MALFORMED: list[bytes] = [
    b"",
    b"not JSON " * 40,
    b'{"e":"bookTicker","u":1,"s":"BTC\xffUSD"}',
    b'{"e":"bookTicker","u":5',
    b"null",
    b"[1,2]",
    b'{"stream":"!bookTicker","data":null}',
    b'{"e":"bookTicker","s":"BTCUSD_PERP"}',
    b'{"e":"bookTicker","u":0,"s":"BTCUSD_PERP"}',
    b'{"e":"bookTicker","u":null,"s":"BTCUSD_PERP"}',
    b'{"e":"bookTicker","u":"7","s":"BTCUSD_PERP"}',
    b'{"e":"bookTicker","u":1e400,"s":"BTCUSD_PERP"}',
    b'{"e":"bookTicker","u":99999999999999999999,"s":"BTCUSD_PERP"}',
    b'{"e":"bookTicker","u":5}',
    b'{"e":"bookTicker","u":5,"s":""}',
    b'{"e":"bookTicker","u":5,"s":["BTCUSD_PERP"]}',
    b'{"e":"bookTicker","u":5,"s":"' + b"X" * 1000 + b'"}',
    b"[" * 50_000,
    b'{"e":"bookTicker","u":5,"s":"BTCUSD_PERP","b":' + b"[" * 1010 + b"]" * 1010 + b"}",
    b'{"u":5,"s":"BTCUSD_PERP","b":' + b"[" * 260 + b"]" * 260 + b"}",
    b'{"x":"' + b"y" * 900_000 + b'"}'[:-1],
]


@pytest.fixture
def quiet() -> Iterator[LocalExchange]:
    with LocalExchange(rate=0, sample_every=None) as exchange:
        yield exchange


@ONE_CONNECTION
def test_every_kind_among_good_neighbours(connector: Connector, quiet: LocalExchange, options: dict[str, Any]) -> None:
    frames = [*OTHER, *MALFORMED]
    config = config_for(quiet, listen_seconds=60, max_book_tickers=len(frames) + 2, **options)
    running = connector.start_read(config, book_tickers=INCREMENTAL)
    quiet.wait_for(lambda: quiet.connections, DEADLINE)
    for number, frame in enumerate(frames, 1):
        quiet.push(frame)
        quiet.push_updates([update("BTCUSD_PERP", number)])
    # What is missing or new in a sound book ticker costs nothing either.
    quiet.push(b'{"u":1000,"s":"BTCUSD_PERP"}')
    quiet.push(orjson.dumps(update("BTCUSD_PERP", 1001, new={"deep": [1]}, b=None)))
    output = running.finish()
    assert output.exit_code == 0
    assert [update_id for _, update_id in output.updates] == [*range(1, len(frames) + 1), 1000, 1001]
    of_our_own = {"received_at_us", "covered_since_us"}
    bare, strange = output.records("book_tickers")[-2:]
    assert {field: bare[field] for field in bare.keys() - of_our_own} == {"symbol": "BTCUSD_PERP", "u": 1000}
    assert "best_bid_price" not in strange
    assert "new" not in strange
    assert f"{len(OTHER)} other frames. Malformed: {len(MALFORMED)}." in line_of(output, "Captured")
    warnings = output.logs("WARN")
    assert [line for line in warnings if "not a book ticker" in line and OTHER[0].decode() in line]
    quoted = [line for line in warnings if line.startswith("A malformed frame was left out")]
    assert 1 <= len(quoted) < len(MALFORMED)
    assert ("not JSON " * 40)[:200] in quoted[1]
    assert ("not JSON " * 40)[:201] not in quoted[1]
    assert max(map(len, warnings)) < 300


def test_a_refusal_nested_too_deeply_ends_nothing(connector: Connector) -> None:
    """Python, before 3.12, cannot show what orjson has read."""
    with LocalExchange(rate=200, sample_every=0.3, mix_usds_margined=False) as exchange:
        exchange.ignore_subscriptions(None)
        driven = Driven(connector, exchange, book_ticker_symbols=[])
        driven.wait_for_updates()

        def told() -> bool:
            exchange.push(b'{"id":1,"error":' + b"[" * 1000 + b"]" * 1000 + b"}")
            return driven.said("the exchange refused a subscription") > 0

        driven.wait_for(told)
        exchange.accept_subscriptions()
        driven.wait_for_updates()
        output = driven.stop()
    assert output.exit_code == 0
    assert output.is_plain


@ONE_CONNECTION
def test_only_malformed_frames_fail_the_sync(
    connector: Connector, quiet: LocalExchange, options: dict[str, Any]
) -> None:
    running = connector.start_read(config_for(quiet, listen_seconds=2, **options), book_tickers=INCREMENTAL)
    quiet.wait_for(lambda: quiet.connections, DEADLINE)
    for frame in MALFORMED:
        quiet.push(frame)
    output = running.finish()
    assert output.exit_code == 1
    assert output.statuses("book_tickers")[-1] == "INCOMPLETE"
    assert output.errors[0]["failure_type"] == "transient_error"
    assert f"sent {len(MALFORMED)} frames and not one of them was a sound book ticker" in output.errors[0]["message"]
    assert output.states  # one before an error is raised
    assert output.is_plain


@ONE_CONNECTION
def test_a_value_of_another_type_is_reported_as_drift(
    connector: Connector, quiet: LocalExchange, options: dict[str, Any]
) -> None:
    """Here the record no longer fits what `discover` declares, so the harness does not check it against that."""
    config = config_for(quiet, listen_seconds=60, max_book_tickers=2, **options)
    running = connector.start_read(config, book_tickers=INCREMENTAL)
    quiet.wait_for(lambda: quiet.connections, DEADLINE)
    quiet.push_updates([update("BTCUSD_PERP", 1, b=83732.4, A=7, ps=None), update("BTCUSD_PERP", 2, b=1)])
    output = running.finish(check_records=False)
    assert output.exit_code == 0
    drift = [line for line in output.logs("WARN") if "no longer fit the declared schema" in line]
    assert len(drift) == 2  # of the first record of a sync only
    assert "`best_bid_price`: 83732.4 is not of type" in drift[0]
    assert "`best_ask_qty`: 7 is not of type" in drift[1]
    assert output.updates == [("BTCUSD_PERP", 1), ("BTCUSD_PERP", 2)]
