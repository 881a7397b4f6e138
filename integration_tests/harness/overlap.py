"""Two sources with the same contracts, each in windows one after the other, half a window apart: the overlap recipe.

They start as two cron schedules start them, at fixed moments, and where a window is not over by then, as soon as it is.
Each window is a process of its own, forked where everything is imported: `python -m integration_tests.harness.overlap`
does that for one source. So a busy machine needs no seconds for a start, and windows may be short.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from local_exchange import LocalExchange

from .connector import INCREMENTAL, PROXY_VARIABLES, ROOT, Output, catalog, check_against_schema, check_messages

EVEN, ODD = "even", "odd"
LONGEST_END = 60  # seconds after its window, when a process is given up
READY = b"ready\n"


@dataclass(frozen=True)
class Recipe:
    """`windows` of each source, `listen_seconds` long, one each `period` seconds; the odd ones half a period later."""

    windows: int
    listen_seconds: int
    period: float
    contracts: Sequence[str]


@dataclass(frozen=True)
class Windows:
    """What the windows of each source gave, in their order, and when each was started (epoch seconds)."""

    outputs: Mapping[str, list[Output]]
    started: Mapping[str, list[float]]

    def records(self, *sources: str) -> list[dict[str, Any]]:
        """The rows that these sources loaded."""
        return [r for source in sources for output in self.outputs[source] for r in output.records("book_tickers")]

    def updates(self, *sources: str) -> list[tuple[str, int]]:
        return [(record["symbol"], record["u"]) for record in self.records(*sources)]


def follow(recipe: Recipe, exchange: LocalExchange, folder: Path) -> Windows:
    """Runs all windows of both sources against `exchange`; each hands its last state to the next."""
    catalog(INCREMENTAL)  # asked for now, since it starts a process of its own
    config = {
        "environment": exchange.environment(),
        "listen_seconds": recipe.listen_seconds,
        "book_ticker_symbols": list(recipe.contracts),
    }
    started: dict[str, list[float]] = {EVEN: [], ODD: []}

    def run(source: Source, name: str, first_at: float) -> list[Output]:
        outputs: list[Output] = []
        for number in range(recipe.windows):
            time.sleep(max(first_at + number * recipe.period - time.monotonic(), 0))
            started[name].append(time.time())
            outputs.append(source.read(config, outputs[-1].states[-1:] if outputs else None))
        return outputs

    with _source(folder / EVEN) as even, _source(folder / ODD) as odd, ThreadPoolExecutor(2) as pool:
        now = time.monotonic()
        futures = {
            EVEN: pool.submit(run, even, EVEN, now),
            ODD: pool.submit(run, odd, ODD, now + recipe.period / 2),
        }
        outputs = {name: future.result() for name, future in futures.items()}
    for output in (*outputs[EVEN], *outputs[ODD]):
        check_messages(output.messages)
        check_against_schema(output.of_type("RECORD"))
    return Windows(outputs, started)


class Source:
    """The process that forks one for each window."""

    def __init__(self, process: subprocess.Popen[bytes], folder: Path) -> None:
        self._process = process
        self._folder = folder
        self._windows = 0

    def read(self, config: Mapping[str, Any], states: list[dict[str, Any]] | None) -> Output:
        """One window to its end, whichever it is."""
        self._windows += 1
        window = self._folder / str(self._windows)
        window.mkdir()
        arguments = ["read"]
        for option, content in (("config", config), ("catalog", catalog(INCREMENTAL)), ("state", states)):
            if content is not None:
                (window / option).write_bytes(orjson.dumps(content))
                arguments += [f"--{option}", str(window / option)]
        began = time.monotonic()
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        job = {"arguments": arguments, "folder": str(window), "seconds": config["listen_seconds"] + LONGEST_END}
        self._process.stdin.write(orjson.dumps(job) + b"\n")
        self._process.stdin.flush()
        code = int(self._process.stdout.readline())
        stdout, stderr = ((window / name).read_text("utf-8") for name in ("stdout", "stderr"))
        messages = [orjson.loads(line) for line in stdout.splitlines()]
        return Output(code, messages, stdout, stderr, time.monotonic() - began)


@contextmanager
def _source(folder: Path) -> Iterator[Source]:
    """Ready to start windows at once."""
    folder.mkdir(parents=True)
    variables = {name: value for name, value in os.environ.items() if name.upper() not in PROXY_VARIABLES}
    command = [sys.executable, "-m", "integration_tests.harness.overlap"]
    with subprocess.Popen(command, cwd=ROOT, env=variables, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == READY
            yield Source(process, folder)
        finally:
            process.kill()


def main() -> None:
    """Forks a process for each job, a line of JSON, and answers with its exit code."""
    from source_binance_futures import entrypoint
    from source_binance_futures.run import run

    assert entrypoint.__name__
    answers = os.fdopen(os.dup(1), "wb", buffering=0)
    answers.write(READY)
    for line in sys.stdin.buffer:
        job = orjson.loads(line)
        child = os.fork()
        if not child:
            for descriptor, name in ((1, "stdout"), (2, "stderr")):
                os.dup2(os.open(Path(job["folder"]) / name, os.O_CREAT | os.O_WRONLY), descriptor)
            signal.alarm(job["seconds"])
            run(job["arguments"])
            sys.exit()
        answers.write(b"%d\n" % os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))


if __name__ == "__main__":
    main()
