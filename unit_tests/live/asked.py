"""A whole run in virtual time: the probe that ships, against the local exchange, over a network in memory."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from local_exchange.connection import ExchangeConnection
from local_exchange.market_stream import MarketOptions
from local_exchange.streams import SILENT_PREFIXES
from source_binance_futures.binance.clock import Stop
from source_binance_futures.binance.endpoints import Environment
from source_binance_futures.binance.transport.proxy import Route
from source_binance_futures.live.expectations import Judged, Verdict, judge
from source_binance_futures.live.probe import Probe
from source_binance_futures.live.stats import Stats

from ..simulation.exchange import HOST, USDS_MARGINED, SimulatedExchange
from ..simulation.network import VirtualSelector
from ..virtual_time import VirtualTime

CONTRACTS = ("BTCUSD_PERP", "ETHUSD_PERP", "SOLUSD_PERP")
USDS_M = ("BTCUSDT", "ETHUSDT")
TWO_HOSTS = Environment("custom", (HOST,), (USDS_MARGINED,), f"{HOST}/ws-fapi/v1")
AS_THE_TESTNET = Environment("testnet", (HOST, f"{HOST}/public"), (USDS_MARGINED, f"{HOST}/usds"), f"{HOST}/ws-fapi/v1")


@dataclass(frozen=True)
class Asked:
    stats: Stats
    judged: list[Judged]
    exchange: SimulatedExchange
    reports: list[str]

    def seen(self, verdict: Verdict) -> dict[str, str]:
        """What was seen of the expectations with this verdict."""
        return {each.expectation.name: each.seen for each in self.judged if each.verdict is verdict}


class Scene(SimulatedExchange):
    """The exchange, with what a script needs: moments, and the connections that it is about."""

    def __init__(self, **options: Any) -> None:
        market: dict[str, Any] = {"sample_every": 5.0, "own_stream_lag": 0.005, "cross_market": False}
        market |= {"silent_prefixes": SILENT_PREFIXES, "keep_pushed": True, "tick": 0.1}
        chosen: dict[str, Any] = {"coin_m": CONTRACTS, "usds_m": USDS_M, "rate": 50, "ping_interval": 180.0}
        chosen |= {name: value for name, value in options.items() if name not in market}
        market |= {name: value for name, value in options.items() if name in market}
        super().__init__(VirtualTime(), random.Random(1), tick=0.1, options=MarketOptions(**market), **chosen)

    def at(self, seconds: float, act: Callable[[], object]) -> None:
        """Do something so many seconds after the beginning."""
        self.loop.call_later(seconds, act)

    def every(self, moments: Iterable[float], act: Callable[[], object]) -> None:
        for moment in moments:
            self.at(moment, act)

    def coin_m(self, number: int = 0) -> ExchangeConnection:
        """The `number`-th connection to COIN-M's plain address."""
        return [each for each in self.market.every_connection if each.path.startswith("/stream")][number]

    def usds_m(self, number: int = 0) -> ExchangeConnection:
        return [each for each in self.market.every_connection if each.path.startswith("/usds/public/")][number]


def ask(
    seconds: float,
    script: Callable[[Scene], object] = lambda _: None,
    *,
    environment: Environment = TWO_HOSTS,
    **options: Any,
) -> Asked:
    """Ask the exchange for so many seconds while a script goes on."""
    scene, reports = Scene(**options), list[str]()
    script(scene)
    selector = VirtualSelector(scene.loop)
    stop = Stop(scene.time.clock())
    scene.at(1e9, lambda: None)
    probe = Probe(
        environment, Route(), stop, seconds, report=reports.append, opening=scene.opening(selector), selector=selector
    )
    try:
        stats = probe.run()
    finally:
        scene.loop.run_until(scene.time.now + 5.0)  # until all that was left has ended for the exchange too
        scene.close()
    return Asked(stats, judge(stats), scene, reports)
