"""Configuration errors through the real process: in check, discover and read, each names the option and the mend."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from concurrent.futures import Future
from typing import Any

import pytest

from .harness.connector import INCREMENTAL, Connector, Output, catalog, side_by_side, state_message

CUSTOM = {"name": "custom", "market_stream_url": "ws://127.0.0.1:1", "websocket_api_url": "ws://127.0.0.1:1/ws-fapi/v1"}
EVERYWHERE = ("check", "discover", "read")

# What is wrong, with which commands it is tried, and what the sentence says besides the option.
FAULTS: dict[str, tuple[dict[str, Any], tuple[str, ...], str]] = {
    "listen_seconds": ({"listen_seconds": 0}, EVERYWHERE, "from 1 to 86400"),
    "max_book_tickers": (
        {"max_book_tickers": "60"},
        ("read",),
        "is '60'; write a whole number of 1 or more, without quotes.",
    ),
    "book_ticker_symbols": (
        {"book_ticker_symbols": [f"X{number}USD_PERP" for number in range(1001)]},
        ("check",),
        "Leave the list empty to capture all COIN-M contracts",
    ),
    "price_symbols": ({"price_symbols": ["BTCUSDT,ETHUSDT"]}, ("discover",), "each entry is one symbol"),
    "include_usds_margined": ({"include_usds_margined": "true"}, ("check",), "write true or false, without quotes."),
    "standby_connection": ({"standby_connection": 1}, ("discover",), "true or false"),
    "environment": ({"environment": "testnet"}, ("read",), '{"name": "production"}'),
    "environment.name": ({"environment": {"name": "mainnet"}}, ("check",), "production, testnet or custom"),
    "environment.market_stream_url": (
        {"environment": {**CUSTOM, "market_stream_url": "ws://dstream.binance.com"}},
        ("discover",),
        "wss://",
    ),
    "environment.websocket_api_url": (
        {"environment": {"name": "custom", **CUSTOM, "websocket_api_url": ""}},
        ("read",),
        "both",
    ),
    "proxy_url": ({"proxy_url": "ftp://user:hunter2@proxy:3128"}, ("read",), "socks5h://host:1080"),
}
RUNS = [(option, command) for option, (_, commands, _) in FAULTS.items() for command in commands]


# Configurations that are no object of options, as they stand in the file.
FILES: dict[str, tuple[bytes, str]] = {
    "a long number": (b'{"listen_seconds": 1' + b"0" * 4400 + b"}", "it contains a number of too many digits"),
}

STATES: dict[str, tuple[Any, str]] = {
    "of another connector": ([state_message({"offset": 5})], "was not written by this connector"),
    "with a text for an id": (
        [state_message({"environment": "production", "u": {"BTCUSD_PERP": "11"}})],
        "the update id of BTCUSD_PERP is not a whole number",
    ),
    "not JSON": (b"{", "cannot be used: it is not JSON"),
}


def run(option: str, command: str, connector: Connector) -> Output:
    mapping, _, _ = FAULTS[option]
    chosen = catalog(INCREMENTAL) if command == "read" else None
    return connector.run(command, mapping, catalog=chosen, debug=True)


def check_file(name: str, connector: Connector) -> Output:
    return connector.run("check", FILES[name][0])


def read_with_state(name: str, connector: Connector) -> Output:
    return connector.read({"listen_seconds": 1}, book_tickers=INCREMENTAL, state=STATES[name][0])


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Future[Output]]]:
    jobs = {f"{option} {command}": functools.partial(run, option, command) for option, command in RUNS}
    jobs |= {name: functools.partial(check_file, name) for name in FILES}
    jobs |= {name: functools.partial(read_with_state, name) for name in STATES}
    with side_by_side(tmp_path_factory.mktemp("errors"), jobs) as futures:
        yield futures


@pytest.mark.parametrize(("option", "command"), RUNS)
def test_an_error_names_the_option_and_the_mend(option: str, command: str, outputs: dict[str, Future[Output]]) -> None:
    output = outputs[f"{option} {command}"].result(180)
    if command == "check":
        status, sentence = output.status
        assert (status, output.exit_code) == ("FAILED", 0)
    else:
        (error,) = output.errors
        sentence = error["message"]
        assert (error["failure_type"], output.exit_code) == ("config_error", 1)
    assert sentence.startswith(f"`{option}`")
    assert FAULTS[option][2] in sentence
    assert "hunter2" not in output.stdout + output.stderr
    assert output.is_plain
    assert not output.of_type("RECORD")
    assert not output.of_type("CATALOG")


@pytest.mark.parametrize("name", FILES)
def test_an_unreadable_configuration(name: str, outputs: dict[str, Future[Output]]) -> None:
    output = outputs[name].result(180)
    sentences = [error["message"] for error in output.errors] + [
        answer["message"] for answer in output.of_type("CONNECTION_STATUS")
    ]
    assert any(FILES[name][1] in sentence for sentence in sentences), output.stdout
    assert output.is_plain


@pytest.mark.parametrize("name", STATES)
def test_an_unreadable_state(name: str, outputs: dict[str, Future[Output]]) -> None:
    output = outputs[name].result(180)
    assert output.exit_code == 1
    assert {error["failure_type"] for error in output.errors} == {"config_error"}
    assert STATES[name][1] in output.errors[0]["message"]
    assert output.is_plain
    # What could not be read is not replaced by something empty.
    assert not [state for state in output.states if not state["stream"]["stream_state"].get("u")]
