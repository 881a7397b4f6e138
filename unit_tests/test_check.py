"""Which names of book tickers a check calls wrong, by what it has heard: pure."""

from __future__ import annotations

import pytest

from source_binance_futures.check import misspelt

LISTED = {"BTCUSDT", "ETHUSDT", "1000SATSUSDT"}
SHOWN = {"BTCUSD_PERP", "ETHUSD_PERP", "BTCUSDT"}


@pytest.mark.parametrize(
    ("symbol", "says"),
    [
        ("BTCUSD", "BTCUSD is not listed. Did you mean BTCUSD_PERP?"),
        ("BTCUSTD", "BTCUSTD is not listed. Did you mean BTCUSDT?"),
        ("NOSUCH_PERP", "NOSUCH_PERP is not listed."),
    ],
)
def test_a_name_that_binance_does_not_list_is_wrong(symbol: str, says: str) -> None:
    wrong, doubtful = misspelt([symbol], LISTED, SHOWN)
    assert wrong == f"`book_ticker_symbols`: {says} Correct or remove the names."
    assert doubtful is None
    assert misspelt([], LISTED, SHOWN) == (None, None), "where nothing is silent"


@pytest.mark.parametrize(
    ("symbol", "listed", "shown", "says"),
    [
        ("BTTUSD_PERP", LISTED, SHOWN, "The all-market stream has not shown BTTUSD_PERP. Did you mean BTCUSD_PERP?"),
        ("ETHUSDT", LISTED, SHOWN, "No book ticker of ETHUSDT came; a quiet market looks the same as a wrong name."),
        ("ETHUSD_PERP", (), SHOWN, "No book ticker of ETHUSD_PERP came; a quiet market"),
        ("BTCUSTD", (), SHOWN, "No book ticker of BTCUSTD came; a quiet market"),
        ("BTTUSD_PERP", LISTED, (), "No book ticker of BTTUSD_PERP came; a quiet market"),
    ],
)
def test_a_silent_name_is_always_named(symbol: str, listed: set[str], shown: set[str], says: str) -> None:
    wrong, doubtful = misspelt([symbol], listed, shown)
    assert wrong is None
    assert doubtful is not None
    assert doubtful.startswith(f"`book_ticker_symbols`: {says}")
