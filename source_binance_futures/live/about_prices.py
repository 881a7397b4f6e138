"""Beliefs: what `ticker.price` of the WebSocket API answers, and what it costs. Pure."""

from __future__ import annotations

from .belief import Belief, Finding, holds_if, unseen
from .facts import Facts

HANDSHAKE, ONE, ALL, LIMIT = 5, 1, 2, 2400  # weight; the client reckons with the same (websocket_api/weight.py)
INVALID_SYMBOL = -1121  # as in websocket_api/prices.py
BAD_REQUEST = 400


def _why(facts: Facts) -> str:
    prices = facts.prices
    if prices.status is not None:
        return f"HTTP status {prices.status}"
    return f"the API did not answer ({prices.failure})" if prices.failure else "not learned"


def one_symbol(facts: Facts) -> Finding:
    fault = facts.prices.one_fault
    if fault is None:
        return unseen(_why(facts))
    return holds_if(not fault, fault or "one row, as documented")


def all_symbols(facts: Facts) -> Finding:
    fault = facts.prices.all_fault
    if fault is None:
        return unseen(_why(facts))
    return holds_if(not fault, fault or f"{facts.prices.rows:,} rows, as documented")


def unknown_symbol(facts: Facts) -> Finding:
    prices = facts.prices
    if prices.unknown_status is None:
        return unseen(_why(facts))
    seen = f"status {prices.unknown_status}, code {prices.unknown_code}"
    return holds_if((prices.unknown_status, prices.unknown_code) == (BAD_REQUEST, INVALID_SYMBOL), seen)


def only_usds_m(facts: Facts) -> Finding:
    prices = facts.prices
    if prices.all_fault is None or not prices.rows:
        return unseen(_why(facts))
    return holds_if(not prices.coin_m_rows, f"{prices.coin_m_rows:,} of {prices.rows:,} rows are COIN-M's")


def handshake_weight(facts: Facts) -> Finding:
    weight = facts.prices.weight_handshake
    return unseen(_why(facts)) if weight is None else holds_if(weight == HANDSHAKE, f"{weight}")


def price_weight(facts: Facts) -> Finding:
    one, every = facts.prices.weight_one, facts.prices.weight_all
    if one is None or every is None:
        return unseen(_why(facts))
    return holds_if((one, every) == (ONE, ALL), f"{one} for one symbol, {every} for all")


def weight_limit(facts: Facts) -> Finding:
    limit = facts.prices.weight_limit
    return unseen(_why(facts)) if limit is None else holds_if(limit == LIMIT, f"{limit:,}")


BELIEFS = (
    Belief(
        "one_symbol",
        "ticker.price with a symbol answers one row: symbol, price as a decimal string, time",
        "3",
        one_symbol,
        "symbol_prices holds what was sent.",
    ),
    Belief(
        "all_symbols",
        "ticker.price without one answers a list of such rows",
        "3",
        all_symbols,
        "symbol_prices holds what was sent, of every symbol.",
    ),
    Belief(
        "unknown_symbol",
        "An unknown symbol is answered with status 400 and code -1121",
        "3",
        unknown_symbol,
        "A mistyped symbol is named in a sentence.",
    ),
    Belief(
        "only_usds_m",
        "ticker.price lists no COIN-M contracts",
        "3",
        only_usds_m,
        "symbol_prices is USDⓈ-M's alone, as the documents say.",
    ),
    Belief(
        "handshake_weight",
        f"A handshake costs a weight of {HANDSHAKE} (other programs on this address blur it)",
        "1, 3",
        handshake_weight,
        "A sync waits before it would break Binance's limit.",
    ),
    Belief(
        "price_weight",
        f"ticker.price costs {ONE} with a symbol, {ALL} without",
        "1, 3",
        price_weight,
        "A sync waits before it would break Binance's limit.",
    ),
    Belief("weight_limit", f"The limit is a weight of {LIMIT:,} a minute", "1, 3", weight_limit),
)
