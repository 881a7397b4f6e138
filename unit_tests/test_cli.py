"""The console script: help, what is said of a wrong call, and which of several stop signals does what."""

from __future__ import annotations

import re
import signal

import pytest

from source_binance_futures import cli
from source_binance_futures.binance.clock import Clock
from source_binance_futures.cli import COMMANDS, parse

READ = ["read", "--config", "a", "--catalog", "b"]


def refused(args: list[str], code: int, capsys: pytest.CaptureFixture[str]) -> str:
    """What is written of a call that `parse` answers itself."""
    with pytest.raises(SystemExit) as ended:
        parse(args)
    assert (ended.value.code or 0) == code
    written = capsys.readouterr()
    return written.err if code else written.out


@pytest.mark.parametrize("args", [[], ["--help"], ["-h"]])
def test_help_names_all_there_is(args: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    text = refused(args, 0, capsys)
    assert all(command in text and what_for in text for command, (what_for, _) in COMMANDS.items())
    for word in ("--version", "README.md", "Example:", "book_tickers", "read --help"):
        assert word in text
    assert max(map(len, text.splitlines())) <= 80


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_a_command(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    text = refused([command, "--debug", "--help"], 0, capsys)
    what_for, options = COMMANDS[command]
    assert text.startswith(f"usage: source-binance-futures {command} ")
    assert f"{command}: {what_for}." in text
    assert set(re.findall(r"^  (--\w+)", text, re.MULTILINE)) == {*options, "--debug"}


def test_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert re.fullmatch(r"source-binance-futures \d\S+\n", refused(["--version"], 0, capsys))


@pytest.mark.parametrize(
    ("args", "files"),
    [
        (["spec"], {}),
        (["spec", "--debug"], {}),
        (["check", "--config", "a"], {"config": "a"}),
        (["check", "--debug", "--conf=a"], {"config": "a"}),
        (["check", "--config", "a", "--config=b=c"], {"config": "b=c"}),
        (["discover", "--config", "a", "--manifest-path", "b", "--components-path=c"], {"config": "a"}),
        (READ, {"config": "a", "catalog": "b", "state": None}),
        ([*READ, "--state", "c", "--debug"], {"config": "a", "catalog": "b", "state": "c"}),
    ],
)
def test_what_airbyte_calls_goes_on(args: list[str], files: dict[str, str | None]) -> None:
    typed = vars(parse(args))
    assert {name: typed[name] for name in ("config", "catalog", "state") if name in typed} == files


@pytest.mark.parametrize(
    ("args", "sentence"),
    [
        (["raed"], "raed is no command (did you mean read?); write one of spec, check, discover, read first"),
        (["--config", "a", "read"], "--config is no command; write one of"),
        (["read"], "the following arguments are required: --config, --catalog"),
        (["read", "--config", "a"], "the following arguments are required: --catalog"),
        (["check", "--config"], "argument --config: expected one argument"),
        (["read", "--config", "--catalog", "b"], "argument --config: expected one argument"),
        # A wrong option is named, not what is missing in its place.
        (["read", "--confg", "a", "--catalog", "b"], "read has no option --confg (did you mean --config?)"),
        (["check", "--catalog", "b"], "check has no option --catalog"),
        ([*READ, "-c"], "read has no option -c"),
        ([*READ, "more"], "unrecognized arguments: more"),
        (["spec", "--debug=1"], "argument --debug: ignored explicit argument '1'"),
    ],
)
def test_what_is_wrong_is_named(args: list[str], sentence: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert f": error: {sentence}" in refused(args, 2, capsys)


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
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    now = [0.0]
    signals = cli.StopSignals(Clock(steady=lambda: now[0]), seen.append)
    for number, now[0] in enumerate(moments, 1):
        signals(number, None)
    assert (seen, ended) == (acted, ended_by)
    assert cli.STOP_SIGNALS == (signal.SIGINT, signal.SIGTERM, signal.SIGHUP), "a closed terminal is a stop"
