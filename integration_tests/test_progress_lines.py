"""What a sync says while the exchange lets nobody in: the rate of the moment, and for how long nothing is connected."""

from __future__ import annotations

import re

from local_exchange import LocalExchange

from .harness.connector import Connector
from .harness.driving import Driven

PROGRESS = re.compile(
    r"(\d+) updates of 10 symbols, (\d+) a second, (\d+) seconds left\.(?: Not connected for ([\d.]+) seconds\.)?$"
)
SECONDS = 23


def test_a_dead_stream_is_told_in_every_line(connector: Connector) -> None:
    with LocalExchange(rate=200.0, mix_usds_margined=False, sample_every=None) as exchange:
        driven = Driven(connector, exchange, seconds=SECONDS)
        driven.wait_for_updates(600)  # three seconds of them
        exchange.refuse(503, times=None)
        exchange.fault("rst")
        output = driven.end()
    lines = [match for line in output.logs("INFO") if (match := PROGRESS.match(line))]
    assert len(lines) == 2, output.logs("INFO")
    (at_ten, at_twenty) = lines
    assert at_ten[1] == at_twenty[1], "nothing came any more"
    assert (int(at_ten[2]) > 0, at_twenty[2]) == (True, "0")
    for_ten, for_twenty = float(at_ten[4]), float(at_twenty[4])
    between = int(at_ten[3]) - int(at_twenty[3])
    assert 0 < for_ten < SECONDS - int(at_ten[3]) - 2
    assert abs(for_twenty - for_ten - between) <= 1.1, "rounded to a second"
    assert output.exit_code == 0
