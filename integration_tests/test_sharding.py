"""Scaling out: sources that share the symbols among them capture exactly what one source of all symbols does."""

from __future__ import annotations

import re
import signal
from itertools import chain
from typing import Any

from local_exchange import LocalExchange

from .harness.accounts import EVERY_COIN_M
from .harness.connector import DEADLINE, INCREMENTAL, ROOT, Connector, Output, state_message
from .harness.judging import own_records

SHARDS = (EVERY_COIN_M[::2], EVERY_COIN_M[1::2])
"""All that the local exchange lists of COIN-M, each once."""

RATE = 500.0
SHARED = 2000  # updates that are pushed while all of them listen


def test_two_shards_give_what_one_whole_does(connector: Connector) -> None:
    """The same exchange at the same time: the whole as by default, the shards with the streams of their symbols."""
    with LocalExchange(rate=RATE) as exchange:
        options: dict[str, Any] = {"environment": exchange.environment(), "listen_seconds": 600}
        # Its contracts are known from the sync before, so that it follows all of them from the first moment.
        state = state_message(
            {"environment": f"custom {exchange.market_stream_url}", "u": dict.fromkeys(EVERY_COIN_M, 1)}
        )
        started = [connector.start_read(options, book_tickers=INCREMENTAL, state=[state])]
        for symbols in SHARDS:
            config = {**options, "book_ticker_symbols": symbols}
            started.append(connector.start_read(config, book_tickers=INCREMENTAL))
        for running in started:
            running.wait_for_text("covered_since_us")
        enough = len(exchange.pushed) + SHARED
        exchange.wait_for(lambda: len(exchange.pushed) >= enough, DEADLINE)
        for running in started:
            running.process.send_signal(signal.SIGTERM)
        whole, *shards = [running.finish() for running in started]
        pushed = exchange.pushed
    position = {update: at for at, update in enumerate(pushed)}
    # Each by its first update of an own stream: a sample may be of what was traded before the connection was there.
    first = max(min(position[r["symbol"], r["u"]] for r in own_records(output)) for output in (whole, *shards))
    last = min(max(position[update] for update in output.updates) for output in (whole, *shards))
    coin_m = set(chain(*SHARDS))
    expected = [update for update in pushed[first : last + 1] if update[0] in coin_m]

    def of_window(output: Output) -> list[tuple[str, int]]:
        """The updates between the moment when the last of them had begun and the moment when the first ended."""
        return [update for update in output.updates if first <= position[update] <= last]

    came = set(whole.updates)
    assert len(expected) > SHARED / 3, "the windows share seconds"
    assert [(position[update] - first, update) for update in expected if update not in came] == []
    assert sorted(of_window(whole), key=position.__getitem__) == expected
    for symbol in EVERY_COIN_M:
        assert [update for update in of_window(whole) if update[0] == symbol] == [
            update for update in expected if update[0] == symbol
        ]
    assert sorted(chain(*map(of_window, shards)), key=position.__getitem__) == expected
    for shard, symbols in zip(shards, SHARDS, strict=True):
        assert {symbol for symbol, _ in shard.updates} == set(symbols)
        assert of_window(shard) == [update for update in expected if update[0] in symbols]
        assert set(shard.last_state["u"]) == set(symbols), "each shard keeps a state of its own symbols"
    _check_the_size_of_a_record(whole)


def _check_the_size_of_a_record(output: Output) -> None:
    """docs/scaling.md counts with it."""
    lines = [len(line.encode()) + 1 for line in output.stdout.splitlines() if line.startswith('{"type":"RECORD"')]
    told = re.search(
        r"\| a RECORD line .*\| (\d+) bytes \|", (ROOT / "docs" / "scaling.md").read_text(encoding="utf-8")
    )
    assert told is not None
    assert abs(sum(lines) / len(lines) - int(told[1])) < 10
