"""Beliefs: which addresses bring which contracts. Pure."""

from __future__ import annotations

from collections import Counter

from ..binance.endpoints import Market
from .belief import Belief, Finding, counted, holds_if, unseen
from .facts import AddressFacts, Facts

SILENT_FROM = 4.0  # seconds of listening after which an address that brought nothing is called silent
ALL_SAMPLED_WITHIN = 10.0  # seconds: twice the distance between two samples of a contract
BOTH = 2


def _of(facts: Facts, market: Market) -> list[AddressFacts]:
    return [each for each in facts.addresses if market.value in each.markets and not each.wrong_path]


def _seen(address: AddressFacts) -> str:
    if not address.opened:
        return f"{address.label}: {_refusal(address)}"
    return (
        f"{address.label}: {counted(address.samples, 'sample')}, {counted(address.own, 'own update')} "
        f"in {address.seconds:.0f} s"
    )


def _refusal(address: AddressFacts) -> str:
    return f"HTTP status {address.status}" if address.status is not None else f"no connection ({address.failure})"


def _brings(address: AddressFacts) -> Finding:
    if not address.opened:
        return holds_if(False, _seen(address)) if address.status is not None else unseen(_seen(address))
    if not address.brought and address.seconds < SILENT_FROM:
        return unseen(_seen(address))
    return holds_if(address.brought > 0, _seen(address))


def coin_m_address(facts: Facts) -> Finding:
    addresses = _of(facts, Market.COIN_M)
    return _brings(addresses[0]) if addresses else unseen("not asked")


def coin_m_public(facts: Facts) -> Finding:
    addresses = _of(facts, Market.COIN_M)
    return _brings(addresses[1]) if len(addresses) >= BOTH else unseen("this environment names one address only")


def usds_m_address(facts: Facts) -> Finding:
    addresses = _of(facts, Market.USDS_M)
    return _brings(addresses[0]) if addresses else unseen("not asked")


def wrong_path(facts: Facts) -> Finding:
    """Where fstream without /public is an address of the environment, it is asked all the same."""
    others = [each for each in facts.addresses if each.wrong_path] or _of(facts, Market.USDS_M)[1:]
    if not others:
        return unseen("this environment names one address only")
    address = others[0]
    if not address.opened:
        return holds_if(False, _seen(address)) if address.status is not None else unseen(_seen(address))
    if not address.brought and address.seconds < SILENT_FROM:
        return unseen(_seen(address))
    return holds_if(not address.brought, _seen(address))


def cross_host(facts: Facts) -> Finding:
    asked = [each for line in facts.lines for each in line.subscriptions if each.kind == "cross"]
    if not asked:
        return unseen("not asked")
    frames = sum(each.frames for each in asked)
    listened = max(each.listened for each in asked)
    if not frames and listened < SILENT_FROM:
        return unseen(f"listened for {listened:.0f} s only")
    return holds_if(not frames, f"{counted(frames, 'frame')} in {listened:.0f} s")


def merged(facts: Facts) -> Finding:
    """One market alone says something once every contract must have been sampled, over a line that was not silent."""
    hosts: dict[str, Counter[str]] = {}
    longest: dict[str, float] = {}
    for line in facts.lines:
        if line.all_market.frames:
            hosts.setdefault(line.market, Counter()).update(line.all_market.by_market)
            longest[line.market] = max(longest.get(line.market, 0.0), line.seconds - line.longest_silence)
    lone = [host for host, markets in hosts.items() if len(markets) < BOTH]
    seen = "; ".join(
        f"{host} host: " + ", ".join(f"{count:,} of {market}" for market, count in sorted(markets.items()))
        for host, markets in sorted(hosts.items())
    )
    if not hosts or (lone and not any(longest[host] >= ALL_SAMPLED_WITHIN for host in lone)):
        return unseen(f"too few frames of the all-market stream{': ' if seen else ''}{seen}")
    return holds_if(not lone, seen)


BELIEFS = (
    Belief(
        "coin_m_address",
        "COIN-M's streams come at dstream, with a plain path",
        "1.1",
        coin_m_address,
        "A sync hears of every contract from its first seconds; at a silent address it loses 30 seconds first.",
    ),
    Belief("coin_m_public", "dstream brings the same at /public", "1.1", coin_m_public),
    Belief(
        "usds_m_address",
        "USDⓈ-M's streams come at fstream/public",
        "1.1",
        usds_m_address,
        "Contracts of USDⓈ-M are followed by their own streams.",
    ),
    Belief("wrong_path", "fstream without /public shakes hands and stays silent", "1.1", wrong_path),
    Belief("cross_host", "A USDⓈ-M contract's own stream stays silent on COIN-M's host", "1.1", cross_host),
    Belief("merged", "The all-market stream carries both markets, on either host", "2.2", merged),
)
