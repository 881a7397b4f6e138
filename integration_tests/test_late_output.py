"""A destination that begins to read when the sync should be over: what is written then, and what is told as lost."""

from __future__ import annotations

import re
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass

import pytest

from local_exchange import LocalExchange

from .harness.connector import Connector, Output, side_by_side
from .harness.driving import Driven
from .harness.patience import patient
from .harness.warm import CONNECTOR

RATE = 3000.0
WINDOW = 3  # seconds
IN_THE_PIPE = 1500  # records that are written before anybody reads, and what one read brought; a pipe holds 64 KiB
NOT_WRITTEN = re.compile(r"The sync ended before (\d+) received frames could be written; they are lost\. ")


def with_time(option: str, seconds: float) -> str:
    """The connector with other seconds for writing, so that no machine is too slow or too fast for a story."""
    return f"from source_binance_futures.streams import capture; capture.{option} = {seconds}; {CONNECTOR}"


@dataclass(frozen=True)
class Story:
    output: Output
    received: int  # frames that had been sent by then
    seconds: float  # from the first byte that was read to the end

    @property
    def lost(self) -> list[int]:
        """What the sync tells of frames that could not be written."""
        found = [NOT_WRITTEN.match(line) for line in self.output.logs("WARN")]
        return [int(match[1]) for match in found if match]


def blocked_until_it_is_over(connector: Connector, *, by_signal: bool) -> Story:
    with LocalExchange(rate=RATE, mix_usds_margined=False, sample_every=None, ping_interval=None) as exchange:
        driven = Driven(connector, exchange, blocked=True, seconds=600 if by_signal else WINDOW)
        connection = driven.wait_for(lambda: exchange.connections)[0]
        driven.wait_for(lambda: connection.frames_sent > 2 * RATE)
        if by_signal:
            driven.running.process.send_signal(signal.SIGTERM)
        time.sleep(1.5 if by_signal else WINDOW + 1.0)
        received = connection.frames_sent
        began = time.monotonic()
        driven.begin_to_read()
        output = driven.end()
        return Story(output, received, time.monotonic() - began)


def after_a_stop(connector: Connector) -> Story:
    return blocked_until_it_is_over(connector, by_signal=True)


def long_after_a_stop(connector: Connector) -> Story:
    """The real eight seconds are half a second here."""
    return blocked_until_it_is_over(connector, by_signal=True)


def after_the_window(connector: Connector) -> Story:
    return blocked_until_it_is_over(connector, by_signal=False)


def long_after_the_window(connector: Connector) -> Story:
    """The real 45 seconds are half a second here."""
    return blocked_until_it_is_over(connector, by_signal=False)


STORIES: dict[str, tuple[Callable[[Connector], Story], str]] = {
    story.__name__: (story, command)
    for story, command in (
        (after_a_stop, with_time("WRITE_AFTER_STOP", 3600)),
        (long_after_a_stop, with_time("WRITE_AFTER_STOP", 0.5)),
        (after_the_window, with_time("WRITE_AFTER_WINDOW", 3600)),
        (long_after_the_window, with_time("WRITE_AFTER_WINDOW", 0.5)),
    )
}


def with_command(story: Callable[[Connector], Story], command: str) -> Callable[[Connector], Story]:
    def tell(connector: Connector) -> Story:
        with Connector(connector.folder, command) as other:
            return story(other)

    return tell


@pytest.fixture(scope="module")
def stories(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Future[Story]]]:
    jobs = {name: with_command(story, command) for name, (story, command) in STORIES.items()}
    with side_by_side(tmp_path_factory.mktemp("late"), jobs, at_once=2) as futures:
        yield futures


@pytest.mark.parametrize("name", STORIES)
def test_it_ends_in_good_order_and_the_state_vouches_for_what_was_written(
    name: str, stories: dict[str, Future[Story]]
) -> None:
    output = stories[name].result(patient(110)).output
    assert output.exit_code == 0
    assert output.statuses("book_tickers")[-1] == "COMPLETE"
    assert output.last_state["u"] == dict(output.updates)
    assert sum(output.record_counts) == len(output.updates)


@pytest.mark.parametrize("name", ["after_a_stop", "after_the_window"])
def test_what_was_received_is_written_once_the_destination_reads(name: str, stories: dict[str, Future[Story]]) -> None:
    story = stories[name].result(patient(110))
    assert story.lost == []
    assert len(story.output.updates) >= story.received - IN_THE_PIPE > 3 * IN_THE_PIPE


@pytest.mark.parametrize("name", ["long_after_a_stop", "long_after_the_window"])
def test_what_it_is_too_late_to_write_is_counted_and_told(name: str, stories: dict[str, Future[Story]]) -> None:
    story = stories[name].result(patient(110))
    (lost,) = story.lost
    assert len(story.output.updates) < IN_THE_PIPE
    assert lost > story.received - 2 * IN_THE_PIPE
