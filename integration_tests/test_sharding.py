"""Scaling out: sources that share the symbols among them capture exactly what one source of all symbols does."""

from __future__ import annotations

import re
from itertools import chain

from local_exchange import LocalExchange
from local_exchange.contracts import coin_m_contracts

from .harness.connector import INCREMENTAL, ROOT, Connector, Output

LISTED = [contract.symbol for contract in coin_m_contracts(None)]
SHARDS = (LISTED[::2], LISTED[1::2])
"""All that the local exchange lists of COIN-M, each once."""

RATE = 500.0
LISTEN_SECONDS = 5


def test_two_shards_give_what_one_whole_does(connector: Connector) -> None:
    """The same exchange at the same time: the whole on the all-market stream, the shards on those of their symbols."""
    with LocalExchange(rate=RATE, sample_every=None, own_stream_lag=0.0) as exchange:
        options = {"environment": exchange.environment(), "listen_seconds": LISTEN_SECONDS}
        started = [
            connector.start_read(options | more, book_tickers=INCREMENTAL)
            for more in ({"book_ticker_pace": "sampled"}, *({"book_ticker_symbols": shard} for shard in SHARDS))
        ]
        whole, *shards = [running.finish() for running in started]
        pushed = exchange.pushed
    position = {update: at for at, update in enumerate(pushed)}
    first = max(min(position[update] for update in output.updates) for output in (whole, *shards))
    last = min(max(position[update] for update in output.updates) for output in (whole, *shards))
    coin_m = set(chain(*SHARDS))
    expected = [update for update in pushed[first : last + 1] if update[0] in coin_m]

    def of_window(output: Output) -> list[tuple[str, int]]:
        """The updates between the moment when the last of them had begun and the moment when the first ended."""
        return [update for update in output.updates if first <= position[update] <= last]

    assert len(expected) > RATE, "the windows share seconds"
    assert of_window(whole) == expected
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
