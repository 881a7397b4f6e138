"""The user's configuration: read once, understood or answered in a sentence that names the option."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .binance.endpoints import PRODUCTION, TESTNET, Environment
from .binance.market_stream.subscriptions import ContractFilter
from .binance.transport.address import fault_of_address, normalized_address
from .binance.transport.proxy import Route, fault_of_proxy

DAY = 86400  # seconds
DEFAULT_LISTEN_SECONDS = 60
SHOWN = 100  # characters of a value in a sentence
MAX_BOOK_TICKER_SYMBOLS = 1000  # more than both markets list
EVERY_CHANGE, SAMPLED = "every_change", "sampled"
SYMBOL_EXAMPLES = {"book_ticker_symbols": "BTCUSD_PERP", "price_symbols": "BTCUSDT"}
CUSTOM_ADDRESSES = ("market_stream_url", "websocket_api_url", "usds_margined_stream_url")


class ConfigurationError(ValueError):
    """A setting that the user must change; `str()` names the option and the mend."""


@dataclass(frozen=True)
class Config:
    """What a user asked for. Symbols are in upper case, each once."""

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
        """How addresses are reached; on Airbyte Cloud, a shared place, private ones are not."""
        return Route(self.proxy_url, public_only=os.environ.get("DEPLOYMENT_MODE", "").lower() == "cloud")

    @property
    def contract_filter(self) -> ContractFilter:
        """What is wanted of the market stream."""
        return ContractFilter(
            self.book_ticker_symbols, self.include_usds_margined, self.book_ticker_pace == EVERY_CHANGE
        )

    def as_mapping(self) -> dict[str, Any]:
        """The configuration as a user could have written it, cleaned of spaces, duplicates and unknown options."""
        environment: dict[str, Any] = {"name": self.environment.name}
        if self.environment.name == "custom":
            found = self.environment
            addresses = (found.coin_m_bases[0], found.websocket_api_url, found.usds_m_bases[0])
            environment |= dict(zip(CUSTOM_ADDRESSES, addresses, strict=True))
        mapping = {
            "listen_seconds": self.listen_seconds,
            "max_book_tickers": self.max_book_tickers,
            "book_ticker_symbols": list(self.book_ticker_symbols),
            "include_usds_margined": self.include_usds_margined,
            "book_ticker_pace": self.book_ticker_pace,
            "price_symbols": list(self.price_symbols),
            "standby_connection": self.standby_connection,
            "environment": environment,
            "proxy_url": self.proxy_url,
        }
        return {option: value for option, value in mapping.items() if value is not None}

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, Any]) -> Config:
        """Reads a user's configuration. Raises `ConfigurationError` for the first option that makes no sense.

        Unknown options are left out; `unknown_options` names them.
        """
        symbols = _symbols(mapping, "book_ticker_symbols")
        if len(symbols) > MAX_BOOK_TICKER_SYMBOLS:
            raise ConfigurationError(
                f"`book_ticker_symbols` has {len(symbols)} symbols; it takes {MAX_BOOK_TICKER_SYMBOLS}. "
                "Leave the list empty to capture all COIN-M contracts, or share the symbols among several sources."
            )
        return cls(
            listen_seconds=_whole_number(mapping, "listen_seconds", DAY) or DEFAULT_LISTEN_SECONDS,
            max_book_tickers=_whole_number(mapping, "max_book_tickers", None),
            book_ticker_symbols=symbols,
            include_usds_margined=_switch(mapping, "include_usds_margined"),
            book_ticker_pace=_pace(mapping.get("book_ticker_pace")),
            price_symbols=_symbols(mapping, "price_symbols"),
            standby_connection=_switch(mapping, "standby_connection"),
            environment=_environment(mapping.get("environment")),
            proxy_url=_proxy_url(mapping.get("proxy_url")),
        )


def unknown_options(mapping: Mapping[str, Any]) -> list[str]:
    """The options of a configuration that this connector does not have, as `name` or `environment.name`."""
    known = Config.__dataclass_fields__
    unknown = [option for option in mapping if option not in known and not option.startswith("__")]
    environment = mapping.get("environment")
    if isinstance(environment, Mapping):
        unknown += [f"environment.{key}" for key in environment if key not in ("name", *CUSTOM_ADDRESSES)]
    return unknown


def _whole_number(mapping: Mapping[str, Any], option: str, most: int | None) -> int | None:
    value = mapping.get(option)
    if value is None:
        return None
    bounds = f"a whole number from 1 to {most}" if most else "a whole number of 1 or more"
    whole = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
    if isinstance(value, bool) or not whole:
        raise ConfigurationError(f"`{option}` is {_shown(value)}; write {bounds}{_unquoted(value)}.")
    if value < 1 or (most is not None and value > most):
        raise ConfigurationError(f"`{option}` is {_shown(value)}; it must be {bounds}.")
    return int(value)


def _switch(mapping: Mapping[str, Any], option: str) -> bool:
    value = mapping.get(option)
    if value is None:
        return False
    if not isinstance(value, bool):
        raise ConfigurationError(f"`{option}` is {_shown(value)}; write true or false{_unquoted(value)}.")
    return value


def _pace(value: Any) -> str:
    if value is None:
        return EVERY_CHANGE
    if value not in (EVERY_CHANGE, SAMPLED):
        raise ConfigurationError(f"`book_ticker_pace` is {_shown(value)}; write {EVERY_CHANGE} or {SAMPLED}.")
    return str(value)


def _symbols(mapping: Mapping[str, Any], option: str) -> tuple[str, ...]:
    """The symbols of a list in upper case, in their order, each once."""
    value, example = mapping.get(option), SYMBOL_EXAMPLES[option]
    if value is None:
        return ()
    if not isinstance(value, (list, tuple)):
        raise ConfigurationError(f'`{option}` is {_shown(value)}; write a list of symbols, such as ["{example}"].')
    symbols: dict[str, None] = {}
    for item in value:
        symbol = item.strip().upper() if isinstance(item, str) else ""
        is_name = symbol.isprintable() and not any(each.isspace() or each in ",;/@?&#" for each in symbol)
        if not symbol or not is_name:
            raise ConfigurationError(
                f"`{option}` contains {_shown(item)}; each entry is one symbol, such as {example}."
            )
        symbols[symbol] = None
    return tuple(symbols)


def _environment(value: Any) -> Environment:
    if value is None:
        return PRODUCTION
    if not isinstance(value, Mapping):
        raise ConfigurationError(
            f'`environment` is {_shown(value)}; write an object, such as {{"name": "production"}}.'
        )
    name = value.get("name", PRODUCTION.name)
    if name == PRODUCTION.name:
        return PRODUCTION
    if name == TESTNET.name:
        return TESTNET
    if name != "custom":
        raise ConfigurationError(f"`environment.name` is {_shown(name)}; write production, testnet or custom.")
    market_stream = _address(value, "market_stream_url", is_beginning=True)
    api = _address(value, "websocket_api_url")
    usds_margined = _address(value, "usds_margined_stream_url", is_beginning=True, needed=False)
    if market_stream is None or api is None:
        missing = "market_stream_url" if market_stream is None else "websocket_api_url"
        raise ConfigurationError(
            f"`environment.{missing}` is missing; a custom environment needs both `market_stream_url` and "
            "`websocket_api_url`."
        )
    return Environment("custom", (market_stream,), (usds_margined or market_stream,), api)


def _address(
    environment: Mapping[str, Any], option: str, *, is_beginning: bool = False, needed: bool = True
) -> str | None:
    """An address of a custom environment, None where there is none."""
    value = environment.get(option)
    if not isinstance(value, str) or not value.strip():
        if value is None or value == "" or needed:
            return None
        raise ConfigurationError(f"`environment.{option}` is {_shown(value)}; write wss://host, or leave it out.")
    address = normalized_address(value)
    fault = fault_of_address(address)
    if fault:
        raise ConfigurationError(f"`environment.{option}` {fault}.")
    if is_beginning and "?" in address:
        raise ConfigurationError(
            f"`environment.{option}` has a ? part; write only its beginning, such as wss://host, "
            "since /stream?... is appended."
        )
    return address.rstrip("/") if is_beginning else address


def _proxy_url(value: object) -> str | None:
    """The value may hold a password, so no message shows it."""
    if value is None:
        return None
    if not isinstance(value, str):
        raise ConfigurationError("`proxy_url` must be text; write it like http://user:password@host:3128.")
    value = value.strip()
    if not value:
        return None
    fault = fault_of_proxy(value)
    if fault:
        raise ConfigurationError(f"`proxy_url` {fault}.")
    return value


def _unquoted(value: Any) -> str:
    return ", without quotes" if isinstance(value, str) else ""


def _shown(value: Any) -> str:
    """The value as it was written, as far as it belongs in a sentence: `user:password@` of an address does not."""
    try:
        text = str(value).lower() if isinstance(value, bool) else repr(value)
    except ValueError:  # Python writes no integer of more than 4300 digits
        return "a number of too many digits"
    except RecursionError:
        return "nested too deeply"
    before, at, host = text.rpartition("@")
    return (f"…{at}{host}" if ":" in before else text)[:SHOWN]
