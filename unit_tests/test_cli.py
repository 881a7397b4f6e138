"""The console script: help, what is said of a wrong call, and which of several stop signals does what."""

from __future__ import annotations

import signal

import pytest

from source_binance_futures import cli
from source_binance_futures.binance.clock import Clock
from source_binance_futures.cli import COMMANDS, WrongUsage, files_of, help_asked_for, usage

READ = ["read", "--config", "a", "--catalog", "b"]


@pytest.mark.parametrize("args", [[], ["--help"], ["-h"], ["raed", "--help"]])
def test_help_names_all_there_is(args: list[str]) -> None:
    text = help_asked_for(args)
    assert text is not None
    assert all(usage(command) in text for command in COMMANDS)
    for word in ("--config", "--catalog", "--state", "--debug", "--version", "README.md", "Example:", "book_tickers"):
        assert word in text
    assert "--manifest-path" not in text
    assert max(map(len, text.splitlines())) <= 80


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_a_command(command: str) -> None:
    text = str(help_asked_for([command, "--config", "a", "--help"]))
    assert text.startswith(f"{usage(command)}\n")
    assert COMMANDS[command].what_for in text


def test_the_version() -> None:
    name, version = str(help_asked_for(["--version"])).split()
    assert name == "source-binance-futures"
    assert version[0].isdigit()


@pytest.mark.parametrize(
    ("args", "files"),
    [
        (["spec"], {}),
        (["spec", "--debug"], {}),
        (["check", "--config", "a"], {"--config": "a"}),
        (["check", "--debug", "--config=a"], {"--config": "a"}),
        (["check", "--config", "a", "--config=b=c"], {"--config": "b=c"}),
        (
            ["discover", "--config", "a", "--manifest-path", "b", "--components-path=c"],
            {"--config": "a", "--manifest-path": "b", "--components-path": "c"},
        ),
        (READ, {"--config": "a", "--catalog": "b"}),
        ([*READ, "--state", "c", "--debug"], {"--config": "a", "--catalog": "b", "--state": "c"}),
    ],
)
def test_what_airbyte_calls_goes_on(args: list[str], files: dict[str, str]) -> None:
    assert help_asked_for(args) is None
    assert files_of(args) == files


@pytest.mark.parametrize(
    ("args", "sentence", "certain"),
    [
        (
            ["raed"],
            "there is no command raed (did you mean read?); write one of spec, check, discover, read first",
            True,
        ),
        (["--config", "a", "read"], "--config comes before the command; write one of", True),
        (["read"], "read needs --config and --catalog", True),
        (["read", "--config", "a"], "read needs --catalog", True),
        (["check"], "check needs --config", True),
        (["check", "--config"], "--config needs the name of a file after it", True),
        (["read", "--config", "--catalog", "b"], "--config needs the name of a file after it", True),
        # A wrong option is named, not what is missing in its place.
        (["read", "--confg", "a", "--catalog", "b"], "read has no option --confg (did you mean --config?)", False),
        (["check", "--catalog", "b"], "check has no option --catalog", False),
        ([*READ, "--xyz"], "read has no option --xyz", False),
        ([*READ, "-c"], "read has no option -c", True),
        ([*READ, "more"], "read has no use for more", True),
        (["spec", "--debug=1"], "spec has no option --debug=1", False),
    ],
)
def test_what_is_wrong_is_named(args: list[str], sentence: str, certain: bool) -> None:
    wrong = files_of(args)
    assert isinstance(wrong, WrongUsage)
    assert wrong.sentence.startswith(sentence)
    assert wrong.certain is certain


@pytest.mark.parametrize(
    ("moments", "acted", "ended_by"),
    [
        ([5.0], [1], []),
        ([5.0, 5.003], [1], []),
        ([5.0, 5.003, 5.9], [1], []),
        ([5.0, 6.0], [1], [2]),
        ([5.0, 5.5, 6.5], [1], [3]),
        ([0.0, 0.5], [1], []),
    ],
)
def test_only_a_later_signal_ends_it_at_once(
    moments: list[float], acted: list[int], ended_by: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    ended: list[int] = []
    monkeypatch.setattr(cli, "end_by", ended.append)
    now = [0.0]
    signals = cli.StopSignals(Clock(steady=lambda: now[0]), seen.append)
    for number, now[0] in enumerate(moments, 1):
        signals(number, None)
    assert (seen, ended) == (acted, ended_by)
    assert cli.STOP_SIGNALS == (signal.SIGINT, signal.SIGTERM, signal.SIGHUP), "a closed terminal is a stop"
