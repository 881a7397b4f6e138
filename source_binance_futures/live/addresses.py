"""Which addresses of an environment are asked, and under which names they are reported. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from ..binance.endpoints import Environment, Market

CATEGORY = "/public"  # the part of fstream that book tickers belong to [binance-facts 1.1]
FIRST_CONTRACTS = {Market.COIN_M: ("BTCUSD_PERP", "ETHUSD_PERP"), Market.USDS_M: ("BTCUSDT", "ETHUSDT")}


@dataclass(frozen=True)
class Address:
    """One base to be asked for `symbols` of `markets`. `label` names it without telling anything of the user.

    With `wrong_path` it is no address of the connector: a stream of the other category, which is to stay silent.
    """

    base: str
    label: str
    markets: tuple[Market, ...]
    wrong_path: bool = False

    @property
    def symbols(self) -> tuple[str, ...]:
        """The contracts by whose own streams it is tried, beside the all-market stream."""
        return tuple(symbol for market in self.markets for symbol in FIRST_CONTRACTS[market])


def addresses_of(environment: Environment) -> list[Address]:
    """Each base of either market once, in the connector's order, and fstream's plain one where that is none of them."""
    markets: dict[str, list[Market]] = {}
    for market in Market:
        for base in environment.bases(market):
            markets.setdefault(base, []).append(market)
    named = environment.name != "custom"
    found = [Address(base, base if named else _label(base, environment), tuple(of)) for base, of in markets.items()]
    plain = environment.usds_m_bases[0].removesuffix(CATEGORY)
    if plain not in markets:
        label = plain if named else f"usds_margined_stream_url without {CATEGORY}"
        found.append(Address(plain, label, (Market.USDS_M,), wrong_path=True))
    return found


def _label(base: str, environment: Environment) -> str:
    """A custom address belongs to the user, so the option that holds it stands for it."""
    option = "market_stream_url" if base in environment.coin_m_bases else "usds_margined_stream_url"
    bases = environment.coin_m_bases if base in environment.coin_m_bases else environment.usds_m_bases
    return option if bases.index(base) == 0 else f"{option} with {CATEGORY}"
