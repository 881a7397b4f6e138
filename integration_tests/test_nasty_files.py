"""Files that no person would write by intention: each is answered with a sentence, in every command that reads it."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from itertools import cycle
from pathlib import Path
from typing import Any

import orjson
import pytest

from .harness.connector import INCREMENTAL, Connector, Output, catalog, environment_at, side_by_side, state_message
from .harness.warm import CONNECTOR

COMMANDS = ("check", "read", "discover")
DEPTH = 100_000
PASSWORD = "hunter2"
NOWHERE = {"listen_seconds": 1, "environment": environment_at()}
HALF = rb"\ud800"
IS_HALF = 'it contains "\\ud800", which is half of a character'
IS_DEEP = "it is nested too deeply"


def deep(depth: int = DEPTH) -> bytes:
    return b"[" * depth + b"]" * depth


def deep_objects(depth: int = DEPTH) -> bytes:
    return b'{"a":' * depth + b"1" + b"}" * depth


# What is in the configuration, and what the answer says of it.
CONFIGS: dict[str, tuple[bytes, str]] = {
    "deep": (deep(), IS_DEEP),
    "deep, in an unknown option": (b'{"unheard_of":' + deep_objects() + b"}", IS_DEEP),
    "somewhat deep": (b'{"price_symbols":' + deep(500) + b"}", IS_DEEP),
    "half a character in a symbol": (b'{"book_ticker_symbols":["BTC' + HALF + b'"]}', IS_HALF),
    "half a character in an option's name": (b'{"listen' + HALF + b'":1}', IS_HALF),
    "half a character beside a password": (
        b'{"proxy_url":"http://user:' + PASSWORD.encode() + HALF + b'@proxy:3128"}',
        IS_HALF,
    ),
    "half a character, the other half": (rb'{"unheard_of":"\udfff"}', r'"\udfff", which is half of a character'),
    "empty": (b"", "it is not JSON (line 1, column 1"),
    "a null byte": (b"\0", "it is not JSON"),
    "a list": (b"[]", "it is not an object"),
    "null": (b"null", "it is not an object"),
    "a byte that is no text": (b'{"proxy_url":"\xff"}', "it is not text in UTF-8"),
    "infinity": (b'{"listen_seconds":1e999}', "`listen_seconds` is inf; write a whole number from 1 to 86400"),
    "a control character in a symbol": (rb'{"price_symbols":["BTC\u0007"]}', r"contains 'BTC\x07'; each entry is one"),
    "a long symbol": (b'{"price_symbols":["' + b"X" * 99_999 + b' "," "]}', "`price_symbols` contains ' '"),
    "a number of too many digits": (b'{"listen_seconds": 1' + b"0" * 4400 + b"}", "a number of too many digits"),
    "another kind of proxy": (
        b'{"proxy_url": "ftp://user:' + PASSWORD.encode() + b'@proxy:3128"}',
        "write it like http://host:3128, socks5://host:1080 or socks5h://host:1080",
    ),
}
CATALOGS: dict[str, tuple[bytes, str]] = {
    "deep": (b'{"streams":' + deep() + b"}", IS_DEEP),
    "deep objects": (deep_objects(), IS_DEEP),
    "half a character": (b'{"streams":[{"stream":{"name":"' + HALF + b'"}}]}', IS_HALF),
    "a stream that is a number": (b'{"streams":[{"stream":1}]}', "cannot be used"),
    "a mode that is none": (
        orjson.dumps(catalog(INCREMENTAL)).replace(b'"incremental"', b'"sometimes"'),
        "cannot be used",
    ),
    "properties that are text": (
        b'{"streams":[{"stream":{"name":"book_tickers","json_schema":{"properties":"u"},'
        b'"supported_sync_modes":["incremental"]},"sync_mode":"incremental","destination_sync_mode":"append"}]}',
        'the "properties" of a "json_schema" are no object',
    ),
    "streams that are text": (b'{"streams":"book_tickers"}', "it is not a configured catalog"),
}
STATES: dict[str, tuple[bytes, str]] = {
    "deep": (deep(), IS_DEEP),
    "deep, in a state": (
        b'[{"type":"STREAM","stream":{"stream_descriptor":{"name":"book_tickers"},"stream_state":'
        + deep_objects()
        + b"}}]",
        IS_DEEP,
    ),
    "half a character": (
        b'[{"type":"STREAM","stream":{"stream_descriptor":{"name":"book_tickers"},"stream_state":{"'
        + HALF
        + b'":1}}}]',
        IS_HALF,
    ),
    "global": (
        orjson.dumps(
            [
                {
                    "type": "GLOBAL",
                    "global": {
                        "shared_state": {"a": 1},
                        "stream_states": [{"stream_descriptor": {"name": "book_tickers"}, "stream_state": {}}],
                    },
                }
            ]
        ),
        "(GLOBAL) is not taken",
    ),
    "global, as a message": (b'{"type":"STATE","state":{"type":"GLOBAL"}}', "(GLOBAL)"),
    "legacy": (b'[{"type":"LEGACY","data":{"u":1}}]', "it is not a list of states"),
    "numbers": (b"[1, 2]", "it is not a list of states"),
    "without a name": (b'[{"type":"STREAM","stream":{"stream_state":{}}}]', "cannot be used"),
    "a type that is none": (orjson.dumps([{**state_message({}), "type": "SOMETIMES"}]), "cannot be used"),
    "of another connector": (orjson.dumps([state_message({"offset": 5})]), "was not written by this connector"),
    "with a text for an id": (
        orjson.dumps([state_message({"environment": "production", "u": {"BTCUSD_PERP": "11"}})]),
        "the update id of BTCUSD_PERP is not a whole number",
    ),
    "not JSON": (b"{", "cannot be used: it is not JSON"),
    "of another type": (
        b'[{"stream":{"stream_descriptor":{"name":"book_tickers"},"stream_state":[1]}}]',
        "cannot be used",
    ),
    "without its type": (
        b'[{"stream":{"stream_descriptor":{"name":"book_tickers"},"stream_state":{"offset":5}}}]',
        "was not written by this connector",
    ),
    "an id that is infinite": (
        b'[{"type":"STREAM","stream":{"stream_descriptor":{"name":"book_tickers"},'
        b'"stream_state":{"environment":"production","u":{"X":1e999}}}}]',
        "the update id of X is not a whole number",
    ),
    "a time that is none": (
        b'[{"type":"STREAM","stream":{"stream_descriptor":{"name":"book_tickers"},'
        b'"stream_state":{"environment":"production","u":{},"newest_transaction_time":1e999}}}]',
        "`newest_transaction_time` is not a whole number up to",
    ),
}
MISSING = Path("no-such-file.json")
CASES: dict[str, tuple[str, Mapping[str, Any], str]] = {
    # what is tried -> command, its files, what the answer says
    **{
        f"{command}, config {name}": (command, {"config": content}, said)
        for (name, (content, said)), by_turns in zip(CONFIGS.items(), cycle(COMMANDS), strict=False)
        for command in (COMMANDS if name in ("deep", "another kind of proxy") else (by_turns,))
    },
    **{f"catalog {name}": ("read", {"catalog": content}, said) for name, (content, said) in CATALOGS.items()},
    **{f"state {name}": ("read", {"state": content}, said) for name, (content, said) in STATES.items()},
    "no configuration": ("read", {"config": MISSING}, "There is no configuration file no-such-file.json."),
    "no state": ("read", {"state": MISSING}, "There is no state file no-such-file.json."),
    "bytes that are no text": ("check", {"config": Path("no-\udcff")}, r"There is no configuration file no-\udcff."),
    "a folder": ("discover", {"config": Path("/")}, "cannot be used: is a directory"),
}


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Future[Output]]]:
    def job(name: str, connector: Connector) -> Output:
        command, files, _ = CASES[name]
        usual = {"config": NOWHERE, "catalog": catalog(INCREMENTAL)} if command == "read" else {}
        return connector.run(command, debug="proxy" in name, **{**usual, **files})

    jobs = {name: functools.partial(job, name) for name in CASES}
    with side_by_side(tmp_path_factory.mktemp("nasty"), jobs) as futures:
        yield futures


@pytest.mark.parametrize("name", CASES)
def test_a_sentence_and_nothing_else(name: str, outputs: dict[str, Future[Output]]) -> None:
    output = outputs[name].result()
    command, _, said = CASES[name]
    if command == "check":
        status, sentence = output.status
        assert (status, output.exit_code) == ("FAILED", 0)
    else:
        assert output.exit_code == 1
        assert {error["failure_type"] for error in output.errors} == {"config_error"}
        sentence = output.errors[0]["message"]
    assert said in sentence
    assert len(sentence) < 500
    assert PASSWORD not in output.stdout
    assert output.is_plain or "proxy" in name  # there `--debug` names the places of the causes
    assert output.stderr == ""
    assert not output.of_type("RECORD") + output.of_type("CATALOG")
    # What could not be read is not replaced by something empty.
    assert not [state for state in output.states if not state["stream"]["stream_state"].get("u")]


def test_what_is_long_is_reported_shortly(connector: Connector) -> None:
    many = {f"unheard_of_{number}": 1 for number in range(5000)}
    (warning,) = connector.run("discover", many).logs("WARN")
    assert "unheard_of_0, " in warning
    assert "and 4990 more" in warning
    (warning,) = connector.run("discover", {"unheard_of" + "f" * 100_000: 1}).logs("WARN")
    assert "unheard_offff" in warning
    assert len(warning) < 300
    state = [state_message({"environment": "e" * 100_000, "u": {}})]
    lines = connector.read(NOWHERE, book_tickers=INCREMENTAL, state=state).logs("WARN")
    belongs = next(line for line in lines if line.startswith("The state belongs to environment 'eee"))
    assert len(belongs) < 400


def test_a_scheme_in_capitals_is_understood(connector: Connector) -> None:
    assert connector.run("discover", orjson.dumps(NOWHERE).replace(b"ws://", b"WS://")).of_type("CATALOG")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_files_as_windows_writes_them(connector: Connector, encoding: str) -> None:
    """With a byte order mark or without one; PowerShell's `>` writes UTF-16."""
    contents = {"config": NOWHERE, "catalog": catalog(INCREMENTAL), "state": [state_message({"u": {}})]}
    written: dict[str, Any] = {
        name: orjson.dumps(content).decode().encode(encoding) for name, content in contents.items()
    }
    output = connector.run("read", **written)
    assert "cannot be used" not in output.stdout
    assert output.statuses("book_tickers")[0] == "STARTED"


@pytest.mark.parametrize("command", ["spec", *COMMANDS])
def test_no_temporary_folder(tmp_path: Path, command: str) -> None:
    """A container with a read-only file system; here no folder for such files can be made within TMPDIR."""
    script = f"import tempfile; tempfile.tempdir = '/proc/none'; {CONNECTOR}"
    files: dict[str, Any] = {"catalog": catalog(INCREMENTAL)} if command == "read" else {}
    with Connector(tmp_path, script) as connector:
        config = None if command == "spec" else NOWHERE
        output = connector.run(command, config, variables={"TMPDIR": "/proc/none"}, **files)
    if command == "check":
        assert output.exit_code == 0
        status, sentence = output.status
        assert status == "FAILED"
    else:
        assert output.exit_code == 1
        (error,) = output.errors
        assert error["failure_type"] == "config_error"
        sentence = error["message"]
    assert sentence.startswith("No temporary folder can be made: ")
    assert "TMPDIR names /proc/none" in sentence
    assert output.is_plain
