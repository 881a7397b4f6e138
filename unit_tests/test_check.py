"""Which names of book tickers a check calls wrong, by what it has heard: pure."""

from __future__ import annotations

import pytest

from source_binance_futures.check import misspelt

LISTED = {"BTCUSDT", "ETHUSDT", "1000SATSUSDT"}
SHOWN = {"BTCUSD_PERP", "ETHUSD_PERP", "BTCUSDT"}


@pytest.mark.parametrize(
    ("symbol", "listed", "shown", "wrong", "says"),
    [
        ("BTCUSD", LISTED, SHOWN, True, "BTCUSD (did you mean BTCUSD_PERP?)"),
        ("BTCUSTD", LISTED, SHOWN, True, "BTCUSTD (did you mean BTCUSDT?)"),
        ("NOSUCH_PERP", LISTED, SHOWN, True, "NOSUCH_PERP"),
        ("BTTUSD_PERP", LISTED, SHOWN, False, "BTTUSD_PERP (did you mean BTCUSD_PERP?)"),
        ("ETHUSDT", LISTED, SHOWN, False, "ETHUSDT"),
        ("ETHUSD_PERP", (), SHOWN, False, "ETHUSD_PERP"),
        ("BTCUSTD", (), SHOWN, False, "BTCUSTD (did you mean BTCUSDT?)"),
        ("BTTUSD_PERP", LISTED, (), False, "BTTUSD_PERP"),
    ],
)
def test_a_silent_name_is_always_named(symbol: str, listed: set[str], shown: set[str], wrong: bool, says: str) -> None:
    unlisted, uncertain = misspelt([symbol], listed, shown)
    if wrong:
        assert unlisted == f"`book_ticker_symbols`: Binance does not list {says}. Correct or remove the names."
        assert uncertain is None
    else:
        assert unlisted is None
        assert uncertain is not None
        assert uncertain.startswith(f"`book_ticker_symbols`: No book ticker of {says} came; a quiet market looks")
    assert misspelt([], listed, shown) == (None, None), "where nothing is silent"
