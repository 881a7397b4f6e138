"""Both markets, and the connection of USDⓈ-M is lost: its gap is told, and COIN-M's promise goes on."""

from __future__ import annotations

import pytest

from local_exchange import LocalExchange

from .harness.connector import Connector, Output
from .harness.driving import Driven
from .harness.judging import Verdict, are_stretches, judge, uncovered

COIN_M, USDS_M = ("BTCUSD_PERP", "ETHUSD_PERP"), ("BTCUSDT", "ETHUSDT")
PREFIX = "/usds/public"


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> tuple[Output, list[Verdict], int]:
    """What came out, what is wrong with it in each market, and how many updates were promised and are not there."""
    with (
        LocalExchange(rate=500, sample_every=None) as exchange,
        Connector(tmp_path_factory.mktemp("markets")) as connector,
    ):
        driven = Driven(connector, exchange, usds_margined=True, book_ticker_symbols=[*COIN_M, *USDS_M])
        connections = driven.wait_for_connections(2)
        driven.wait_for_updates(200)
        (lost,) = [connection for connection in connections if connection.address.prefix == PREFIX]
        exchange.fault("rst", lost)
        driven.wait_for_text("Gap of")
        driven.wait_for_updates(200)
        output = driven.stop()
        verdicts = [judge(exchange, output, symbols=market, each_from_its_own=True) for market in (COIN_M, USDS_M)]
        return output, verdicts, len(uncovered(exchange, output))


def test_the_gap_is_told_and_explains_what_is_missing(story: tuple[Output, list[Verdict], int]) -> None:
    output, verdicts, _ = story
    assert output.exit_code == 0
    assert [verdict.faults for verdict in verdicts] == [(0, 0, 0)] * 2
    (gap,) = verdicts[0].gaps
    assert "Connection 2 of 2" in gap.cause


def test_only_the_rows_of_that_market_begin_anew(story: tuple[Output, list[Verdict], int]) -> None:
    output, _, broken = story
    assert broken == 0
    assert are_stretches(output, {**dict.fromkeys(COIN_M, 1), **dict.fromkeys(USDS_M, 2)})
