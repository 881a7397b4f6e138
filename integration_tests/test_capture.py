"""`book_tickers` through the real process: each update once, a state that can be trusted, an end in good order."""

from __future__ import annotations

import signal
from typing import Any

import orjson
import pytest

from local_exchange import LocalExchange
from source_binance_futures.binance.endpoints import own_stream

from .harness.capturing import EVERY_COIN_M, Account, follows_all, update
from .harness.connector import DEADLINE, FULL_REFRESH, INCREMENTAL, Connector, Output, state_message

OTHER: list[bytes] = [
    b'{"result":null,"id":1}',
    b'{"error":{"code":4,"msg":"Too many subscriptions"}}',
    b'{"e":"aggTrade","E":1,"s":"BTCUSD_PERP","u":1}',
]
MALFORMED: list[bytes] = [
    b"",
    b"not JSON " * 40,
    b'{"e":"bookTicker","u":1,"s":"BTC\xffUSD"}',
    b"null",
    b'{"stream":"!bookTicker","data":null}',
    b'{"e":"bookTicker","u":"7","s":"BTCUSD_PERP"}',
    b'{"e":"bookTicker","u":1e400,"s":"BTCUSD_PERP"}',
    b'{"e":"bookTicker","u":5,"s":"' + b"X" * 1000 + b'"}',
    b"[" * 50_000,
    b'{"e":"bookTicker","u":5,"s":"BTCUSD_PERP","b":' + b"[" * 1010 + b"]" * 1010 + b"}",
    b'{"x":"' + b"y" * 900_000 + b'"}'[:-1],
]


def stopped(connector: Connector, exchange: LocalExchange, mode: str, number: int, state: Any = None) -> Output:
    """A sync of all COIN-M contracts, which a signal ends once each is followed by its own stream."""
    config = {"environment": exchange.environment(), "listen_seconds": 3600}
    running = connector.start_read(config, book_tickers=mode, state=state)
    running.wait_for(lambda: exchange.connections and follows_all(exchange.connections[0]))
    records = running.count('"type":"RECORD"')
    running.wait_for(lambda: running.count('"type":"RECORD"') > records + 300)
    running.process.send_signal(number)
    output = running.finish()
    assert output.exit_code == 0
    assert output.statuses("book_tickers")[-1] == "COMPLETE"
    assert not output.errors + output.logs("WARN")
    assert output.is_plain
    assert not exchange.connections
    assert sum(output.record_counts) == len(output.updates)
    account = Account(list(exchange.pushed), of_covered=True)
    for record in output.records("book_tickers"):
        account.receive((record["symbol"], record["u"]), record.get("covered_since_us"))
    assert account.sums == (0, 0, 0, 0)
    assert account.counted == set(EVERY_COIN_M)
    return output


def test_syncs_in_a_chain_each_ended_by_a_stop_signal(connector: Connector) -> None:
    """The second goes on where the first ended; to the third, a full refresh, a state means nothing."""
    with LocalExchange(rate=500, sample_every=0.5) as exchange:
        first = stopped(connector, exchange, INCREMENTAL, signal.SIGTERM)
        second = stopped(connector, exchange, INCREMENTAL, signal.SIGINT, first.states[-1:])
        known = {**first.last_state, "u": dict.fromkeys(["BTCUSD_PERP", "SILENTUSD_PERP"], 2**62)}
        third = stopped(connector, exchange, FULL_REFRESH, signal.SIGTERM, [state_message(known)])
    last_of_first, first_of_second = dict(first.updates), dict(reversed(second.updates))
    assert all(first_of_second[symbol] > last_of_first[symbol] for symbol in EVERY_COIN_M)
    assert [output.last_state["u"] for output in (first, second, third)] == [
        dict(output.updates) for output in (first, second, third)
    ]
    times = [record["transaction_time"] for record in second.records("book_tickers")]
    assert second.last_state["newest_transaction_time"] == max(times)
    # What the state knows stands in the address, so that it is listened to from the first moment.
    paths = [path for _, path, _ in exchange.handshakes]
    assert paths[0] == paths[2] == "/stream?streams=!bookTicker"
    assert sorted(paths[1].partition("=")[2].split("/")) == sorted(["!bookTicker", *map(own_stream, EVERY_COIN_M)])


@pytest.mark.parametrize(
    "options",
    [{"book_ticker_pace": "sampled"}, {"book_ticker_symbols": ["BTCUSD_PERP"]}],
    ids=["all-market stream", "own streams"],
)
def test_unsound_frames_among_good_neighbours(connector: Connector, options: dict[str, Any]) -> None:
    """None stops the capture or costs a neighbour its update, and a person learns of them."""
    frames = [*OTHER, *MALFORMED]
    with LocalExchange(rate=0, sample_every=None) as quiet:
        config = {"environment": quiet.environment(), "listen_seconds": 60, "max_book_tickers": len(frames) + 2}
        running = connector.start_read(config | options, book_tickers=INCREMENTAL)
        quiet.wait_for(lambda: quiet.connections, DEADLINE)
        for number, frame in enumerate(frames, 1):
            quiet.push(frame)
            quiet.push_updates([update(number)])
        # What is missing or new in a sound book ticker costs nothing either, and another type is reported.
        quiet.push(b'{"u":1000,"s":"BTCUSD_PERP"}')
        quiet.push(orjson.dumps(update(1001, new={"deep": [1]}, b=None, A=7)))
        output = running.finish(check_records=False)
    assert output.exit_code == 0
    assert [update_id for _, update_id in output.updates] == [*range(1, len(frames) + 1), 1000, 1001]
    bare, strange = output.records("book_tickers")[-2:]
    assert bare.keys() - {"received_at_us", "covered_since_us"} == {"symbol", "u"}
    assert "best_bid_price" not in strange
    assert "new" not in strange
    (summary,) = [line for line in output.logs("INFO") if line.startswith("Captured")]
    assert f"{len(OTHER)} other frames. Malformed: {len(MALFORMED)}." in summary
    warnings = output.logs("WARN")
    assert [line for line in warnings if "not a book ticker" in line and OTHER[0].decode() in line]
    quoted = [line for line in warnings if line.startswith("A malformed frame was left out")]
    assert 1 <= len(quoted) < len(MALFORMED)
    assert ("not JSON " * 40)[:200] in quoted[1]
    assert ("not JSON " * 40)[:201] not in quoted[1]
    assert max(map(len, warnings)) < 300
    assert not output.errors
    assert output.is_plain


def test_a_window_of_malformed_frames_that_was_cut_short_may_have_gone_well(connector: Connector) -> None:
    with LocalExchange(rate=0, sample_every=None) as quiet:
        running = connector.start_read({"environment": quiet.environment()}, book_tickers=INCREMENTAL)
        quiet.wait_for(lambda: quiet.connections, DEADLINE)
        quiet.push(b"no JSON")
        running.wait_for_text("A malformed frame was left out")
        running.process.send_signal(signal.SIGTERM)
        output = running.finish()
    assert (output.exit_code, output.statuses("book_tickers"), output.errors) == (0, ["STARTED", "COMPLETE"], [])
