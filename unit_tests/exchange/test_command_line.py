"""`python -m local_exchange`, as a person starts it."""

from __future__ import annotations

import contextlib
import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from .clients import ALL, ROOT, WAIT, ask_for_websocket, connect, read_to_the_end

COMMAND = [sys.executable, "-m", "local_exchange"]


@contextlib.contextmanager
def started(*options: str) -> Iterator[tuple[subprocess.Popen[str], dict[str, str]]]:
    """The process, and what it printed before the configuration and in it: titles and addresses."""
    command = [*COMMAND, "--port", "0", *options]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            lines = [process.stdout.readline().strip() for _ in range(5)]
            said = {title: rest.strip() for title, _, rest in (line.partition(":") for line in lines)}
            yield process, said | json.loads(said["Configuration"])["environment"]
        finally:
            process.kill()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_runs_until_it_is_ended(number: signal.Signals) -> None:
    with started("--rate", "100", "--samples", "off") as (process, said):
        assert said["COIN-M"] == said["market_stream_url"] + ALL
        own = ("market_stream_url", "btcusd_perp"), ("usds_margined_stream_url", "btcusdt")
        for url in (said["COIN-M"], said["USDⓈ-M"], *(f"{said[base]}/ws/{name}@bookTicker" for base, name in own)):
            with connect(url) as client:
                assert json.loads(client.recv(WAIT))["e"] == "bookTicker"
        with connect(said["WebSocket API"]) as client:
            client.send('{"id":1,"method":"ticker.price","params":{"symbol":"BTCUSDT"}}')
            assert json.loads(client.recv(WAIT))["result"]["symbol"] == "BTCUSDT"
        process.send_signal(number)
        output, _ = process.communicate(timeout=WAIT)
    assert output == "The exchange is closed.\n"
    assert process.returncode == 0


def test_contracts_and_samples() -> None:
    options = ("--rate", "1000", "--coin-m", "2", "--usds-m", "1", "--samples", "0.5")
    with started(*options) as (_, said), connect(said["COIN-M"]) as client:
        frames = [json.loads(client.recv(WAIT)) for _ in range(9)]
    assert {frame["s"] for frame in frames[-3:]} == {frame["s"] for frame in frames}
    assert [frame["st"] for frame in frames[-3:]].count(2) == 2


def test_pings() -> None:
    with started("--pings", "0.1") as (_, said):
        address = ("127.0.0.1", urlsplit(said["COIN-M"]).port or 0)
        with socket.create_connection(address, timeout=WAIT) as client:
            ask_for_websocket(client, "/ws")
            received = b""
            while b"\x89\x0d1" not in received:
                received += client.recv(1000)


def test_faults_in_turn() -> None:
    """Whether somebody was there in the first half second is up to the machine."""
    with started("--rate", "100", "--fault", "rst", "--fault", "lag", "--every", "0.5") as (process, said):
        assert process.stdout is not None
        with connect(said["COIN-M"]) as client:
            read_to_the_end(client)
        lines = [process.stdout.readline().split(" ", 1)[1]]
        while "rst: a TCP reset; it met /ws/!bookTicker\n" not in lines:
            lines.append(process.stdout.readline().split(" ", 1)[1])
        lines.append(process.stdout.readline().split(" ", 1)[1])
    assert {line.partition(":")[0] for line in lines[::2]} == {"rst"}
    assert {line.partition(":")[0] for line in lines[1::2]} == {"lag"}


@pytest.mark.parametrize(
    ("options", "code", "says"),
    [
        ("--every 5", 2, "--every needs a --fault"),
        ("--samples 0", 2, "--samples: must be more than 0"),
        ("--rate many", 2, "--rate: must be a number from 0 on"),
        ("--coin-m -1", 2, "--coin-m: must be a whole number from 0 on"),
        ("--fault earthquake", 2, "invalid choice: 'earthquake'"),
        ("--port 0 --recording no-such-file", 1, "The exchange cannot open: [Errno 2] No such file or directory: 'no-"),
        ("--help", 0, "kill-stream           one contract's own stream dies"),
    ],
)
def test_what_makes_no_sense_or_cannot_be_opened_is_reported_and_help_names_every_fault(
    options: str, code: int, says: str
) -> None:
    command = [*COMMAND, *options.split()]
    process = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=30, check=False)
    assert process.returncode == code
    assert says in (process.stderr if code else process.stdout)
    assert "Traceback" not in process.stderr
