"""Which contracts the local exchange lists, with prices, tick sizes and decimals in the manner of September 2026.

`made_up_coin_m` and `made_up_usds_m` give names in any number, for tests with many contracts.

Tick sizes are often coarser than the printed decimals ("85999.90" moves in steps of 0.10), which is why Binance's
prices carry padding zeros: a reader that turns them into numbers and back loses them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import count, islice, product

_Terms = tuple[str, str, int]
"""Price, tick size and decimals of quantities."""

USDS_MARGINED = 1
COIN_MARGINED = 2
"""The values of `st`, the symbol type that frames carry since 2026-06."""


@dataclass(frozen=True)
class Contract:
    """One listed contract.

    `price` is where its random walk starts, as printed, so that it also gives the number of decimals, which `tick_size`
    has too. `quantity_decimals` is 0 for COIN-M, whose quantities count contracts.
    """

    symbol: str
    price: str
    tick_size: str
    quantity_decimals: int
    symbol_type: int

    @property
    def pair(self) -> str:
        """`ps`: the symbol without its expiry, BTCUSD for BTCUSD_PERP and BTCUSDT for BTCUSDT_261225."""
        return self.symbol.partition("_")[0]


_COIN_M = {
    "BTCUSD_PERP": ("86135.4", "0.1", 0),
    "BTCUSD_{near}": ("86704.2", "0.1", 0),
    "BTCUSD_{far}": ("87310.5", "0.1", 0),
    "ETHUSD_PERP": ("3142.17", "0.01", 0),
    "ETHUSD_{near}": ("3166.40", "0.01", 0),
    "BNBUSD_PERP": ("901.350", "0.010", 0),
    "SOLUSD_PERP": ("141.920", "0.010", 0),
    "XRPUSD_PERP": ("2.0311", "0.0001", 0),
    "LINKUSD_PERP": ("13.846", "0.001", 0),
    "DOGEUSD_PERP": ("0.142310", "0.000010", 0),
}

_USDS_M = {
    "BTCUSDT": ("85999.90", "0.10", 3),
    "BTCUSDT_{near}": ("86590.2", "0.1", 3),
    "BTCUSDC": ("86004.1", "0.1", 3),
    "ETHUSDT": ("3139.26", "0.01", 3),
    "ETHUSDC": ("3139.40", "0.01", 3),
    "BNBUSDT": ("900.640", "0.010", 2),
    "SOLUSDT": ("141.7800", "0.0100", 2),
    "XRPUSDT": ("2.0297", "0.0001", 1),
    "DOGEUSDT": ("0.142180", "0.000010", 0),
    "ADAUSDT": ("0.41830", "0.00010", 0),
    "LINKUSDT": ("13.836", "0.001", 2),
    "LTCUSDT": ("84.71", "0.01", 3),
    "BCHUSDT": ("541.83", "0.01", 3),
    "DOTUSDT": ("2.317", "0.001", 1),
    "AVAXUSDT": ("13.4210", "0.0010", 0),
    "TRXUSDT": ("0.27640", "0.00001", 0),
    "NEARUSDT": ("1.8420", "0.0010", 0),
    "AAVEUSDT": ("172.840", "0.010", 1),
    "UNIUSDT": ("6.1230", "0.0010", 0),
    "1000SATSUSDT": ("0.0000187", "0.0000001", 0),
    "1000PEPEUSDT": ("0.0046130", "0.0000010", 0),
    "1000SHIBUSDT": ("0.008012", "0.000001", 0),
    "币安人生USDT": ("0.13270", "0.00010", 0),
    "1INCHUSDT": ("0.1846000", "0.0001000", 0),
    "WIFUSDT": ("0.3721000", "0.0001000", 1),
}

DELISTED_PRICES = {
    "LUNAUSDT": "2.0210",
    "SRMUSDT": "0.16400000",
    "BTCUSDT_260327": "81234.5",
    "BTCUSDT_260626": "86590.2",
}
"""USDⓈ-M symbols that no longer trade but stay in the answer of `ticker.price`, with a `time` months old."""

_KNOWN = (
    "BTC ETH SOL XRP BNB DOGE ADA LINK LTC BCH DOT AVAX TRX NEAR AAVE UNI FIL ETC ATOM SUI "
    "1000SATS 1000PEPE 1INCH 币安人生 WIF"
)
_SYLLABLES = ("BA", "CO", "DI", "FU", "GE", "KO", "LU", "MI", "NA", "PO", "RI", "SU", "TA", "VO", "ZE")
_WITH_EXPIRIES = 5
"""How many of the first coins trade with a delivery date too."""


def coin_m_contracts(symbols: Iterable[str] | None) -> list[Contract]:
    """The COIN-M contracts of the given symbols, or the ten that are listed by default."""
    return _contracts(_COIN_M, symbols, ("10.000", "0.001", 0), COIN_MARGINED)


def usds_m_contracts(symbols: Iterable[str] | None) -> list[Contract]:
    """The USDⓈ-M contracts of the given symbols, or the 25 that are listed by default."""
    return _contracts(_USDS_M, symbols, ("10.0000", "0.0010", 0), USDS_MARGINED)


def _contracts(
    listed: Mapping[str, _Terms], symbols: Iterable[str] | None, otherwise: _Terms, market: int
) -> list[Contract]:
    """With the expiries of today: a contract that has expired is none that a reader of the real exchange would see."""
    near, far = quarterly_expiries(date.today())
    terms = {symbol.format(near=near, far=far): of_symbol for symbol, of_symbol in listed.items()}
    chosen = terms if symbols is None else symbols
    return [Contract(symbol, *terms.get(symbol, otherwise), market) for symbol in chosen]


def quarterly_expiries(today: date) -> tuple[str, str]:
    """The two that trade on a day: the last Fridays of March, June, September and December, later than that day.

    >>> quarterly_expiries(date(2026, 11, 24))
    ('261225', '270326')
    """
    quarters = [(year, month) for year in (today.year, today.year + 1) for month in (3, 6, 9, 12)]
    fridays = [_last_friday(year, month) for year, month in quarters]
    near, far = [friday for friday in fridays if friday > today][:2]
    return f"{near:%y%m%d}", f"{far:%y%m%d}"


def _last_friday(year: int, month: int) -> date:
    last_day = date(year + month // 12, month % 12 + 1, 1) - timedelta(days=1)
    return last_day - timedelta(days=(last_day.weekday() - 4) % 7)


def made_up_coin_m(number: int) -> list[str]:
    """So many COIN-M symbols: perpetual ones, and of the first five coins the two quarterly ones beside each.

    >>> made_up_coin_m(16)[::15]
    ['BTCUSD_PERP', 'DOGEUSD_PERP']
    """
    near, far = quarterly_expiries(date.today())
    return _made_up(number, "{}USD_PERP", (f"{{}}USD_{near}", f"{{}}USD_{far}"))


def made_up_usds_m(number: int) -> list[str]:
    """So many USDⓈ-M symbols: against USDT, and of the first five coins against USDC and with a quarterly one.

    >>> made_up_usds_m(17)[::16]
    ['BTCUSDT', 'ADAUSDT']
    """
    near, _ = quarterly_expiries(date.today())
    return _made_up(number, "{}USDT", ("{}USDC", f"{{}}USDT_{near}"))


def _made_up(number: int, usual: str, more: Sequence[str]) -> list[str]:
    def names() -> Iterator[str]:
        for position, coin in enumerate(_coins()):
            yield usual.format(coin)
            if position < _WITH_EXPIRIES:
                yield from (name.format(coin) for name in more)

    return list(islice(names(), number))


def _coins() -> Iterator[str]:
    """Known ones first, then ever longer ones that nobody has heard of."""
    yield from _KNOWN.split()
    for length in count(3):
        yield from map("".join, product(_SYLLABLES, repeat=length))
