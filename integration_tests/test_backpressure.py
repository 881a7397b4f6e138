"""A stop signal while nobody reads stdout. What comes of a destination that reads slowly is judged in virtual time."""

from __future__ import annotations

import signal

from local_exchange import LocalExchange

from .harness.capturing import Capture
from .harness.connector import Connector


def test_a_stop_signal_in_the_middle_of_a_blocked_write_cuts_nothing_off(cold_connector: Connector) -> None:
    """What the state covers has been written. Python without buffers drops the rest of an interrupted write."""
    with LocalExchange(rate=3000, mix_usds_margined=False) as exchange:
        capture = Capture(cold_connector, exchange, standby=False, variables={"PYTHONUNBUFFERED": "1"})
        capture.wait_for(capture.running.is_blocked)
        capture.running.process.send_signal(signal.SIGTERM)
        capture.begin_to_read()
        capture.end()
    assert capture.account.received > 100
    assert capture.account.sums == (0, 0, 0, 0)
    assert capture.last_state["u"] == capture.newest
    assert capture.exit_code == 0
