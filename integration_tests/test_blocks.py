"""Blocks of records through our entry point: the same bytes as single messages through the CDK's own."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import orjson

from local_exchange import LocalExchange

from .harness.capturing import update
from .harness.connector import DEADLINE, FULL_REFRESH, INCREMENTAL, Connector, Running, state_message

# Checkpoints come sooner, so that several fit into some seconds.
OURS = """
import sys
from source_binance_futures.streams import book_tickers
from source_binance_futures.cli import run
book_tickers.CHECKPOINT_EVERY = 1.0
run(sys.argv[1:])
"""
THE_CDKS = """
import sys
from airbyte_cdk.entrypoint import launch
from source_binance_futures import SourceBinanceFutures
from source_binance_futures.streams import book_tickers
book_tickers.CHECKPOINT_EVERY = 1.0
launch(SourceBinanceFutures(), sys.argv[1:])
"""
ODD = '币安"\\},{USD_PERP'
VARYING = (
    re.compile(rb'(?<="emitted_at":)[\d.]+'),
    re.compile(rb'(?<="received_at_us":)\d+'),
    re.compile(rb"(?<=in )\d+\.\d(?= seconds)"),
    re.compile(rb"\d+ a second, \d+(?= seconds left)"),
    re.compile(rb"(?<=Longest pause: )[\d.]+"),
    re.compile(rb"\d:\d\d:\d\d\.\d+"),
    re.compile(rb"\d+(?= of 2400)"),  # the weight used: both ask the same exchange
)
OWN_STATE = b'"stream_descriptor":{"name":"book_tickers"},"stream_state"'
PROGRESS = b" seconds left."
NUMBER = re.compile(rb"\d[\d,.]*")


def frames_of_all_kinds(first_id: int) -> list[bytes]:
    """More than one block of sound updates, with what else may come in between."""
    frames = [orjson.dumps(update(first_id + number, E=None if number == 40 else 1)) for number in range(200)]
    without_type = update(first_id, s="ETHUSD_PERP")
    del without_type["st"]
    frames[50:50] = [
        b"no JSON",
        orjson.dumps({"result": None, "id": 1}),
        orjson.dumps(without_type),
        orjson.dumps(without_type),  # a duplicate
        orjson.dumps(update(first_id + 1, s="BTCUSDT", st=1)),
        orjson.dumps(update(first_id, s=ODD, b={"x": None}, B=[{"y": 1}, {"z": ":null"}], a=1.5)),
        orjson.dumps(update(first_id, s=ODD)),
    ]
    return frames


def all_on_one_connection(exchange: LocalExchange, **options: Any) -> dict[str, Any]:
    """A configuration; the exchange must be one whose all-market stream is in real time."""
    return {"environment": exchange.environment(), "book_ticker_pace": "sampled", **options}


def without_what_varies(stdout: str) -> list[bytes]:
    text = stdout.encode()
    for pattern in VARYING:
        text = pattern.sub(b"*", text)
    return text.splitlines(keepends=True)


def test_the_whole_output_is_that_of_the_cdks_own_entry_point(tmp_path: Path) -> None:
    with LocalExchange(rate=0, sample_every=None) as exchange:
        config = all_on_one_connection(exchange, listen_seconds=3600, max_book_tickers=4 * 202, unheard_of=1)
        state = [state_message({"environment": f"custom {exchange.market_stream_url}", "u": {"BTCUSD_PERP": 10}})]
        with (
            Connector(tmp_path / "ours", OURS) as ours,
            Connector(tmp_path / "the CDK's", THE_CDKS) as the_cdks,
        ):
            both: list[Running] = [
                connector.start_read(config, symbol_prices=FULL_REFRESH, book_tickers=INCREMENTAL, state=state)
                for connector in (ours, the_cdks)
            ]
            exchange.wait_for(lambda: len(exchange.connections) == 2, DEADLINE)
            for number in range(4):
                exchange.push(
                    *frames_of_all_kinds(1000 * (number + 1))
                )  # at once: a STATE in between would depend on time
                if number < 3:
                    for running in both:
                        # The prices have a state of their own.
                        running.wait_for(lambda: running.count('"type":"STATE"') >= number + 2)  # noqa: B023  # now
            outputs = [running.finish(check_records=False) for running in both]
    both_said = [without_what_varies(output.stdout) for output in outputs]
    # Both come by time: a process that a busy machine lets wait writes one more, in the middle of a push.
    progress = {NUMBER.sub(b"*", line) for said in both_said for line in said if PROGRESS in line}
    assert len(progress) <= 1, "of one form, if there is any"
    ours_said, the_cdks_said = (
        [line for line in said if OWN_STATE not in line and PROGRESS not in line] for said in both_said
    )
    for ours_line, line in zip(ours_said, the_cdks_said, strict=False):
        assert ours_line == line
    assert len(ours_said) == len(the_cdks_said)
    states = [{**output.last_state, "newest_received_at_us": None} for output in outputs]
    assert states[0] == states[1]
    for output in outputs:
        assert output.exit_code == 0
        assert (sum(output.record_counts), min(output.record_counts[:-1]) > 0) == (808, True)
        assert len(output.states) >= 4
        assert "Read 808 records from book_tickers stream" in output.logs("INFO")
        assert output.statuses("book_tickers") == output.statuses("symbol_prices") == ["STARTED", "RUNNING", "COMPLETE"]


def test_the_memory_is_looked_at_by_the_number_of_records(tmp_path: Path) -> None:
    """The CDK ends a sync that is about to be killed for its memory; it counts messages to know when to look."""
    command = """
import sys
from airbyte_cdk.utils import memory_monitor
from source_binance_futures.cli import run
memory_monitor.MemoryMonitor._probe_cgroup = lambda self: setattr(self, "_cgroup_version", 2)
memory_monitor.MemoryMonitor._read_memory = lambda self: (96, 100)
memory_monitor.MemoryMonitor._read_anon_bytes = lambda self: (95, "test")
memory_monitor.MemoryMonitor.__init__.__defaults__ = (50,)  # looks for one at the memory, in place of 5,000
run(sys.argv[1:])
"""
    with (
        LocalExchange(rate=0, sample_every=None) as exchange,
        Connector(tmp_path, command) as connector,
    ):
        config = all_on_one_connection(exchange, listen_seconds=3600)
        running = connector.start_read(config, book_tickers=INCREMENTAL)
        exchange.wait_for(lambda: exchange.connections, DEADLINE)
        exchange.push_updates([update(number) for number in range(1, 1001)])
        output = running.finish(check_records=False)
    assert output.exit_code == 1
    assert "Source memory usage exceeded critical threshold" in output.errors[-1]["message"]
