"""A machine that starts no more threads: what is connected goes on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from local_exchange import LocalExchange

from .harness.connector import Connector
from .harness.driving import Driven


@pytest.fixture
def exchange() -> Iterator[LocalExchange]:
    with LocalExchange(rate=1500, mix_usds_margined=False) as exchange:
        yield exchange


NO_THREADS = """
import threading
from source_binance_futures import cli
start, started = threading.Thread.start, []
def scarce(thread):
    if thread.name.startswith({name!r}):
        if started:
            raise RuntimeError("can't start new thread")
        started.append(thread)
    start(thread)
threading.Thread.start = scarce
cli.run()
"""


@pytest.mark.parametrize("name", ["connect to", "resolve"])
def test_a_machine_that_starts_no_more_threads_ends_nothing(exchange: LocalExchange, tmp_path: Path, name: str) -> None:
    with Connector(tmp_path, NO_THREADS.format(name=name)) as connector:
        driven = Driven(connector, exchange, standby_connection=True)
        driven.wait_for_text("this machine starts no more threads")
        driven.wait_for_updates()
        output = driven.stop()
    assert output.exit_code == 0
    assert output.is_plain
    assert [
        line for line in output.logs("WARN") if line.startswith("The standby connection is missing (attempt 1 in a")
    ]
