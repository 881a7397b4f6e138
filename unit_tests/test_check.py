"""Which names of book tickers a check calls wrong, by what it has heard: pure."""

from __future__ import annotations

import pytest

from source_binance_futures.check import misspelt

LISTED = {"BTCUSDT", "ETHUSDT", "1000SATSUSDT"}
SHOWN = {"BTCUSD_PERP", "ETHUSD_PERP", "BTCUSDT"}


@pytest.mark.parametrize(
    ("symbol", "says"),
    [
        ("BTCUSD", "BTCUSD (did you mean BTCUSD_PERP?)"),
        ("BTCUSTD", "BTCUSTD (did you mean BTCUSDT?)"),
        ("NOSUCH_PERP", "NOSUCH_PERP"),
    ],
)
def test_a_name_that_binance_does_not_list_is_wrong(symbol: str, says: str) -> None:
    wrong, doubtful = misspelt([symbol], LISTED, SHOWN)
    assert wrong == f"`book_ticker_symbols`: Binance does not list {says}. Correct or remove the names."
    assert doubtful is None
    assert misspelt([], LISTED, SHOWN) == (None, None), "where nothing is silent"


@pytest.mark.parametrize(
    ("symbol", "listed", "shown", "says"),
    [
        ("BTTUSD_PERP", LISTED, SHOWN, "BTTUSD_PERP (did you mean BTCUSD_PERP?)"),
        ("ETHUSDT", LISTED, SHOWN, "ETHUSDT"),
        ("ETHUSD_PERP", (), SHOWN, "ETHUSD_PERP"),
        ("BTCUSTD", (), SHOWN, "BTCUSTD (did you mean BTCUSDT?)"),
        ("BTTUSD_PERP", LISTED, (), "BTTUSD_PERP"),
    ],
)
def test_a_silent_name_is_always_named(symbol: str, listed: set[str], shown: set[str], says: str) -> None:
    wrong, doubtful = misspelt([symbol], listed, shown)
    assert wrong is None
    assert doubtful is not None
    assert doubtful.startswith(f"`book_ticker_symbols`: No book ticker of {says} came; a quiet market looks the same")
