"""Configuration errors through the real process: in check, discover and read, each names the option and the mend."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from concurrent.futures import Future
from typing import Any

import pytest

from .harness.connector import INCREMENTAL, Connector, Output, catalog, side_by_side, state_message

# Which sentence each fault gets is in unit_tests/test_config.py; here, that every command says it, and nothing else.
WRONG = {"proxy_url": "ftp://user:hunter2@proxy:3128"}
COMMANDS = ("check", "discover", "read")
A_LONG_NUMBER = b'{"listen_seconds": 1' + b"0" * 4400 + b"}"

STATES: dict[str, tuple[Any, str]] = {
    "of another connector": ([state_message({"offset": 5})], "was not written by this connector"),
    "with a text for an id": (
        [state_message({"environment": "production", "u": {"BTCUSD_PERP": "11"}})],
        "the update id of BTCUSD_PERP is not a whole number",
    ),
    "not JSON": (b"{", "cannot be used: it is not JSON"),
}


def run(command: str, connector: Connector) -> Output:
    return connector.run(command, WRONG, catalog=catalog(INCREMENTAL) if command == "read" else None, debug=True)


def read_with_state(name: str, connector: Connector) -> Output:
    return connector.read({"listen_seconds": 1}, book_tickers=INCREMENTAL, state=STATES[name][0])


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Future[Output]]]:
    jobs = {command: functools.partial(run, command) for command in COMMANDS}
    jobs |= {name: functools.partial(read_with_state, name) for name in STATES}
    with side_by_side(tmp_path_factory.mktemp("errors"), jobs) as futures:
        yield futures


@pytest.mark.parametrize("command", COMMANDS)
def test_an_error_names_the_option_and_the_mend(command: str, outputs: dict[str, Future[Output]]) -> None:
    output = outputs[command].result(180)
    if command == "check":
        status, sentence = output.status
        assert (status, output.exit_code) == ("FAILED", 0)
    else:
        (error,) = output.errors
        sentence = error["message"]
        assert (error["failure_type"], output.exit_code) == ("config_error", 1)
    assert sentence.startswith("`proxy_url`")
    assert "socks5h://host:1080" in sentence
    assert "hunter2" not in output.stdout + output.stderr
    assert output.is_plain
    assert not output.of_type("RECORD")
    assert not output.of_type("CATALOG")


def test_an_unreadable_configuration(connector: Connector) -> None:
    output = connector.run("check", A_LONG_NUMBER)
    assert "it contains a number of too many digits" in output.status[1]
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
