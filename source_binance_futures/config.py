"""The user's configuration: parsed once, or refused in a sentence that names the option."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .binance.endpoints import PRODUCTION, TESTNET, Environment
from .binance.errors import ProxyUnusable
from .binance.transport.address import fault_of_address, normalized_address
from .binance.transport.proxy import Proxy, Route

DAY = 86400  # seconds
DEFAULT_LISTEN_SECONDS = 60
SHOWN = 100  # characters of a value in a sentence
MAX_BOOK_TICKER_SYMBOLS = 1000  # more than both markets list
EVERY_CHANGE, SAMPLED = "every_change", "sampled"
ENVIRONMENTS = {each.name: each for each in (PRODUCTION, TESTNET)}
CUSTOM = "custom"
IN_NO_SYMBOL = frozenset(" ,;/@?&#")
SYMBOL_EXAMPLES = {"book_ticker_symbols": "BTCUSD_PERP", "price_symbols": "BTCUSDT"}
CUSTOM_ADDRESSES = ("market_stream_url", "websocket_api_url", "usds_margined_stream_url")  # the last one is optional


class ConfigurationError(ValueError):
    """A setting that the user must change; `str()` names the option and the remedy."""


@dataclass(frozen=True)
class Config:
    """The options of a user. Symbols are in upper case, each once."""

    listen_seconds: int = DEFAULT_LISTEN_SECONDS
    max_book_tickers: int | None = None
    book_ticker_symbols: tuple[str, ...] = ()
    include_usds_margined: bool = False
    book_ticker_pace: str = EVERY_CHANGE
    price_symbols: tuple[str, ...] = ()
    standby_connection: bool = False
    environment: Environment = PRODUCTION
    proxy_url: str | None = field(default=None, repr=False)  # it may hold a password

    @property
    def route(self) -> Route:
        """The proxy, and whether private addresses may be reached: not on Airbyte Cloud, which is shared."""
        return Route(self.proxy_url, public_only=os.environ.get("DEPLOYMENT_MODE", "").lower() == "cloud")

    def as_mapping(self) -> dict[str, Any]:
        """Return the configuration as a user could have written it, without spaces, duplicates and unknown options."""
        environment: dict[str, Any] = {"name": self.environment.name}
        if self.environment.name == CUSTOM:
            found = self.environment
            addresses = (found.coin_m_bases[0], found.websocket_api_url, found.usds_m_bases[0])
            environment |= dict(zip(CUSTOM_ADDRESSES, addresses, strict=True))
        options = {option: value for option, value in vars(self).items() if value is not None}
        symbols = {option: list(options[option]) for option in SYMBOL_EXAMPLES}
        return {**options, **symbols, "environment": environment}

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, Any]) -> Config:
        """Parse a user's configuration. Raises `ConfigurationError` for the first option that makes no sense.

        Unknown options are ignored; `unknown_options` names them.
        """
        given = {option: mapping[option] for option in PARSERS if mapping.get(option) is not None}
        return cls(**{option: PARSERS[option](option, value) for option, value in given.items()})


def unknown_options(mapping: Mapping[str, Any]) -> list[str]:
    """Return the options of a configuration that this connector does not have, as `name` or `environment.name`."""
    unknown = [option for option in mapping if option not in PARSERS and not option.startswith("__")]
    environment = mapping.get("environment")
    if isinstance(environment, Mapping):
        unknown += [f"environment.{key}" for key in environment if key not in ("name", *CUSTOM_ADDRESSES)]
    return unknown


def _wrong(option: str, value: Any, remedy: str) -> ConfigurationError:
    return ConfigurationError(f"`{option}` is {_shown(value)}; {remedy}.")


def _whole_number(option: str, value: Any, most: int | None = None) -> int:
    is_whole = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
    if isinstance(value, bool) or not is_whole or value < 1 or (most is not None and value > most):
        bounds = f"from 1 to {most}" if most else "of 1 or more"
        raise _wrong(option, value, f"write a whole number {bounds}, without quotes")
    return int(value)


def _switch(option: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise _wrong(option, value, "write true or false, without quotes")
    return value


def _choice(option: str, value: Any, choices: Sequence[str]) -> str:
    if value not in choices:
        raise _wrong(option, value, f"write {', '.join(choices[:-1])} or {choices[-1]}")
    return str(value)


def _symbols(option: str, value: Any, most: int | None = None) -> tuple[str, ...]:
    """Return the symbols of a list in upper case, in their order, each once."""
    example = SYMBOL_EXAMPLES[option]
    if not isinstance(value, (list, tuple)):
        raise _wrong(option, value, f'write a list of symbols, such as ["{example}"]')
    symbols: dict[str, None] = {}
    for item in value:
        symbol = item.strip().upper() if isinstance(item, str) else ""
        if not symbol or not symbol.isprintable() or not IN_NO_SYMBOL.isdisjoint(symbol):
            raise ConfigurationError(
                f"`{option}` contains {_shown(item)}; each entry is one symbol, such as {example}."
            )
        symbols[symbol] = None
    if most is not None and len(symbols) > most:
        raise ConfigurationError(
            f"`{option}` has {len(symbols)} symbols; it takes {most}. "
            "Leave the list empty to capture all COIN-M contracts, or share the symbols among several sources."
        )
    return tuple(symbols)


def _environment(option: str, value: Any) -> Environment:
    if not isinstance(value, Mapping):
        raise _wrong(option, value, 'write an object, such as {"name": "production"}')
    name = _choice("environment.name", value.get("name", PRODUCTION.name), (*ENVIRONMENTS, CUSTOM))
    if name != CUSTOM:
        return ENVIRONMENTS[name]
    coin_m, api = value.get("market_stream_url"), value.get("websocket_api_url")
    addresses = coin_m, api, value.get("usds_margined_stream_url") or coin_m
    coin_m, api, usds_m = map(_address, CUSTOM_ADDRESSES, addresses)
    return Environment(CUSTOM, (coin_m,), (usds_m,), api)


def _address(option: str, value: Any) -> str:
    """Return an address of a custom environment: that of the WebSocket API as it is, of the others their beginning."""
    address = normalized_address(value) if isinstance(value, str) else ""
    is_beginning = option != "websocket_api_url"
    fault = fault_of_address(address)
    if value is None or value == "":
        fault = "is missing; a custom environment needs both `market_stream_url` and `websocket_api_url`"
    elif fault is None and is_beginning and "?" in address:
        fault = "has a ? part; write only its beginning, such as wss://host, since /stream?... is appended"
    if fault is not None:
        raise ConfigurationError(f"`environment.{option}` {fault}.")
    return address.rstrip("/") if is_beginning else address


def _proxy_url(option: str, value: Any) -> str | None:
    """Return the proxy, None where there is none. No message shows the value, which may hold a password."""
    proxy_url = value.strip() if isinstance(value, str) else "no text"
    try:
        if proxy_url:
            Proxy.parse(proxy_url, f"`{option}`")
    except ProxyUnusable as error:
        raise ConfigurationError(str(error)) from error
    return proxy_url or None


def _shown(value: Any) -> str:
    """Return the value as it was written, without the `user:password@` of an address, and cut short."""
    try:
        text = str(value).lower() if isinstance(value, bool) else repr(value)
    except (ValueError, RecursionError):  # Python writes no integer of more than 4300 digits
        return "too long or nested too deeply"
    before, at, host = text.rpartition("@")
    return (f"…{at}{host}" if ":" in before else text)[:SHOWN]


# In the order in which faults are reported.
PARSERS: Mapping[str, Callable[[str, Any], Any]] = {
    "book_ticker_symbols": functools.partial(_symbols, most=MAX_BOOK_TICKER_SYMBOLS),
    "listen_seconds": functools.partial(_whole_number, most=DAY),
    "max_book_tickers": _whole_number,
    "include_usds_margined": _switch,
    "book_ticker_pace": functools.partial(_choice, choices=(EVERY_CHANGE, SAMPLED)),
    "price_symbols": _symbols,
    "standby_connection": _switch,
    "environment": _environment,
    "proxy_url": _proxy_url,
}
