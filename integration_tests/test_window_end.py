"""A sync ends when its window does, whatever the exchange does; and a shutdown that it announces is no news."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator
from concurrent.futures import Future

import pytest

from local_exchange import LocalExchange

from .harness.connector import INCREMENTAL, Connector, Output, side_by_side
from .harness.driving import Driven
from .harness.patience import patient

WINDOW = 4  # seconds
LATE = 8.0  # seconds; what has arrived is written after the window, and the machine may be busy


def floods(exchange: LocalExchange) -> None:
    exchange.set_rate(5000)


def falls_silent(exchange: LocalExchange) -> None:
    exchange.set_rate(0)


def never_answers_a_handshake(exchange: LocalExchange) -> None:
    exchange.slow_handshake(3600, times=None)


def refuses(exchange: LocalExchange) -> None:
    exchange.refuse(503, times=None)


def asks_to_wait_for_an_hour(exchange: LocalExchange) -> None:
    exchange.refuse(429, times=None, headers={"Retry-After": "3600"})


EXCHANGES: dict[Callable[[LocalExchange], None], int] = {
    floods: 0,
    falls_silent: 0,
    never_answers_a_handshake: 1,
    refuses: 1,
    asks_to_wait_for_an_hour: 1,
}
"""What the exchange does, and the exit code of a sync then."""


def sync(arrange: Callable[[LocalExchange], None], connector: Connector) -> Output:
    with LocalExchange(rate=500) as exchange:
        arrange(exchange)
        config = {"environment": exchange.environment(), "listen_seconds": WINDOW}
        return connector.read(config, book_tickers=INCREMENTAL)


@pytest.fixture(scope="module")
def syncs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Future[Output]]]:
    jobs = {arrange.__name__: functools.partial(sync, arrange) for arrange in EXCHANGES}
    with side_by_side(tmp_path_factory.mktemp("windows"), jobs) as futures:
        yield futures


@pytest.mark.parametrize("arrange", EXCHANGES)
def test_a_window_ends_in_time(arrange: Callable[[LocalExchange], None], syncs: dict[str, Future[Output]]) -> None:
    output = syncs[arrange.__name__].result(patient(120))
    assert output.exit_code == EXCHANGES[arrange], output.errors
    captured_in = [
        float(found[1]) for line in output.logs() if (found := re.search(r"^Captured .* in ([\d.]+) s", line))
    ]
    assert len(captured_in) == 1
    assert captured_in[0] < WINDOW + patient(LATE)
    assert output.is_plain


def test_an_announced_shutdown_is_understood(connector: Connector) -> None:
    """Nothing of it is called a frame that is no book ticker, and what both connections brought is the overlap."""
    with LocalExchange(rate=500, mix_usds_margined=False, sample_every=1.0) as exchange:
        driven = Driven(connector, exchange, book_ticker_symbols=[])
        driven.wait_for_updates(300)
        exchange.fault("shutdown", after=5)
        driven.wait_for_text("took over without a gap: the server announced its shutdown")
        driven.wait_for_updates(300)
        output = driven.stop()
    assert output.exit_code == 0
    assert not [line for line in output.logs() if "not a book ticker" in line]
    assert not output.logs("WARN")
    (summary,) = [line for line in output.logs("INFO") if line.startswith("Captured ")]
    assert "Gaps: none." in summary
    assert " 0 other frames, 0 malformed." in summary
    known = re.search(r"Left out: (\d+) known already \(the overlap of connections and syncs\)", summary)
    assert known is not None
    assert int(known[1]) > 0, "both connections were read for a while"
