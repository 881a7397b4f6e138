"""Which of several stop signals does what, by the seconds between them: in virtual time."""

from __future__ import annotations

import signal

import pytest

from source_binance_futures import cli
from source_binance_futures.binance.clock import Clock


@pytest.mark.parametrize(
    ("moments", "acted", "ended_by"),
    [
        ([5.0], [1], []),
        ([5.0, 5.003], [1], []),
        ([5.0, 5.003, 5.9], [1], []),
        ([5.0, 6.0], [1], [2]),
        ([5.0, 5.5, 6.5], [1], [3]),
        ([0.0, 0.5], [1], []),
    ],
)
def test_only_a_later_signal_ends_it_at_once(
    moments: list[float], acted: list[int], ended_by: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    ended: list[int] = []
    monkeypatch.setattr(cli, "end_by", ended.append)
    now = [0.0]
    signals = cli.StopSignals(Clock(steady=lambda: now[0]), seen.append)
    for number, now[0] in enumerate(moments, 1):
        signals(number, None)
    assert (seen, ended) == (acted, ended_by)


def test_a_closed_terminal_is_a_stop() -> None:
    assert cli.STOP_SIGNALS == (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
