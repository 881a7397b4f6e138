"""The connector as a process, as Airbyte runs it: files in, checked messages out, every wait with a deadline.

    def test_something(connector: Connector) -> None:
        with LocalExchange() as exchange:
            config = {"environment": exchange.environment(), "max_book_tickers": 20}
            output = connector.read(config, book_tickers=INCREMENTAL)
        assert output.exit_code == 0
        assert output.records("book_tickers")

`start` gives the running process instead, for signals and for output that nobody reads.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import os
import select
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

import jsonschema
import orjson
from airbyte_cdk.models import AirbyteMessageSerializer

from .warm import CONNECTOR, warm_command

ROOT = Path(__file__).resolve().parents[2]
FULL_REFRESH, INCREMENTAL = "full_refresh", "incremental"
DEADLINE = 60.0  # seconds for a process, its start on a busy machine included
COMMAND = (sys.executable, "-m", "source_binance_futures")
"""Where the start is the point, or the number of the process. Else it is started warm."""
FIELDS = {
    "event_type": "e",
    "u": "u",
    "symbol": "s",
    "pair": "ps",
    "best_bid_price": "b",
    "best_bid_qty": "B",
    "best_ask_price": "a",
    "best_ask_qty": "A",
    "transaction_time": "T",
    "event_time": "E",
    "symbol_type": "st",
}
"""The keys of a book ticker as Binance sends it, by their fields in the record."""
PROXY_VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")

Message = dict[str, Any]
T = TypeVar("T")


@dataclass(frozen=True)
class Output:
    """What a process has said, message by message, in order."""

    exit_code: int
    messages: list[Message]
    stdout: str
    stderr: str
    seconds: float

    def of_type(self, kind: str) -> list[Message]:
        """The contents of the messages of one type, such as `RECORD`."""
        return [message[KEYS[kind]] for message in self.messages if message["type"] == kind]

    def records(self, stream: str) -> list[dict[str, Any]]:
        return [record["data"] for record in self.of_type("RECORD") if record["stream"] == stream]

    @property
    def updates(self) -> list[tuple[str, int]]:
        """The book tickers as (symbol, update id), to be compared with what an exchange has pushed."""
        return [(record["symbol"], record["u"]) for record in self.records("book_tickers")]

    @property
    def states(self) -> list[Message]:
        """The states of `book_tickers`, as the next sync gets them."""
        return [
            state for state in self.of_type("STATE") if state["stream"]["stream_descriptor"]["name"] == "book_tickers"
        ]

    @property
    def last_state(self) -> dict[str, Any]:
        """What the last state says."""
        state: dict[str, Any] = self.states[-1]["stream"]["stream_state"]
        return state

    @property
    def record_counts(self) -> list[int]:
        """The number of book tickers that each STATE covers."""
        return [int(state["sourceStats"]["recordCount"]) for state in self.states]

    def logs(self, *levels: str) -> list[str]:
        """The log lines of these levels (`WARN`, `INFO`, ...), or all."""
        return [log["message"] for log in self.of_type("LOG") if not levels or log["level"] in levels]

    @property
    def errors(self) -> list[Message]:
        """The errors of the TRACE messages: `message`, `internal_message`, `failure_type`, `stack_trace`."""
        return [trace["error"] for trace in self.of_type("TRACE") if trace["type"] == "ERROR"]

    def statuses(self, stream: str) -> list[str]:
        """STARTED, RUNNING, then COMPLETE or INCOMPLETE."""
        statuses = [trace["stream_status"] for trace in self.of_type("TRACE") if trace["type"] == "STREAM_STATUS"]
        return [status["status"] for status in statuses if status["stream_descriptor"]["name"] == stream]

    @property
    def is_plain(self) -> bool:
        """Whether a person reads no stack trace anywhere."""
        return not any(sign in self.stdout + self.stderr for sign in ("Traceback", 'File \\"', 'File "', ".py"))

    @property
    def status(self) -> tuple[str, str]:
        """What `check` answered: SUCCEEDED or FAILED, and its sentence."""
        (answer,) = self.of_type("CONNECTION_STATUS")
        return answer["status"], answer.get("message", "")


KEYS = {
    "CATALOG": "catalog",
    "CONNECTION_STATUS": "connectionStatus",
    "CONTROL": "control",
    "LOG": "log",
    "RECORD": "record",
    "SPEC": "spec",
    "STATE": "state",
    "TRACE": "trace",
}


class Running:
    """A process under way. Its stdout is a file, or with `blocked=True` a pipe that nobody reads."""

    def __init__(self, command: Sequence[str], folder: Path, variables: Mapping[str, str], *, blocked: bool) -> None:
        self._files = {name: folder / name for name in ("stdout", "stderr")}
        self._began = time.monotonic()
        with self._files["stdout"].open("wb") as stdout, self._files["stderr"].open("wb") as stderr:
            self.process = subprocess.Popen(
                command,
                cwd=ROOT,
                env=variables,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE if blocked else stdout,
                stderr=stderr,
            )

    def count(self, text: str) -> int:
        """How often `text` stands in what it has written so far."""
        return self._files["stdout"].read_bytes().count(text.encode())

    def is_blocked(self) -> bool:
        """Whether the pipe that is its stdout takes nothing more."""
        stdout = os.open(f"/proc/{self.process.pid}/fd/1", os.O_WRONLY | os.O_NONBLOCK)
        try:
            return not select.select([], [stdout], [], 0)[1]
        finally:
            os.close(stdout)

    def wait_for(self, condition: Callable[[], T], seconds: float = DEADLINE) -> T:
        """Waits until the condition holds and returns its value. Fails where the process ends before."""
        deadline = time.monotonic() + seconds
        while not (value := condition()):
            assert self.process.poll() is None, f"it ended: {self._output().stdout}"
            assert time.monotonic() < deadline, f"not within {seconds} seconds: {self._output().stdout[-2000:]}"
            time.sleep(0.02)
        return value

    def wait_for_text(self, text: str, seconds: float = DEADLINE) -> None:
        """Waits until the process has written `text` to stdout."""
        self.wait_for(lambda: self.count(text), seconds)

    def finish(self, seconds: float = DEADLINE, *, check_records: bool = True) -> Output:
        """Waits for its end, and checks every message that it wrote, records also against the discovered schema."""
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"still running after {seconds} seconds: {self._output().stdout[-2000:]}") from None
        output = self._output()
        check_messages(output.messages)
        if check_records:
            check_against_schema(output.of_type("RECORD"))
        return output

    def kill(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(10)
        if self.process.stdout:
            self.process.stdout.close()

    def _output(self) -> Output:
        stdout, stderr = (self._files[name].read_text() for name in ("stdout", "stderr"))
        messages = [orjson.loads(line) for line in stdout.splitlines() if line.endswith("}")]
        if self.process.returncode is not None and self.process.returncode >= 0:
            assert len(messages) == len(stdout.splitlines()), f"not only messages on stdout: {stdout[-2000:]}"
        # With --debug the CDK writes lines of a type that its own protocol does not have; no platform asks for them.
        messages = [message for message in messages if message["type"] != "DEBUG"]
        exit_code = -1 if self.process.returncode is None else self.process.returncode
        return Output(exit_code, messages, stdout, stderr, time.monotonic() - self._began)


class Connector:
    """Starts the connector. `folder` gets what is written for it and by it; leaving ends what still runs.

    `command` is a script that is run warm, without the seconds of its imports, or the words of a command line.
    """

    def __init__(self, folder: Path, command: Sequence[str] | str = CONNECTOR) -> None:
        self.folder = folder
        self._command = command
        self._numbers = itertools.count()
        self._started: list[Running] = []

    def __enter__(self) -> Connector:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for running in self._started:
            running.kill()

    def start(
        self,
        command: str,
        config: Any = None,
        *,
        catalog: Any = None,
        state: Any = None,
        debug: bool = False,
        blocked: bool = False,
        variables: Mapping[str, str] | None = None,
    ) -> Running:
        """Starts one command. `config`, `catalog` and `state` become files; a `Path` is taken as it is.

        `variables` are added to this process' environment, of which the proxies are left out.
        """
        folder = self.folder / f"{next(self._numbers)}-{command}"
        folder.mkdir(parents=True)
        words = warm_command(self._command) if isinstance(self._command, str) else self._command
        arguments = [*words, command]
        for option, content in (("config", config), ("catalog", catalog), ("state", state)):
            if content is not None:
                arguments += [f"--{option}", str(_file(folder / f"{option}.json", content))]
        if debug:
            arguments.append("--debug")
        running = Running(arguments, folder, variables_without_proxies() | dict(variables or {}), blocked=blocked)
        self._started.append(running)
        return running

    def run(self, command: str, config: Any = None, *, seconds: float = DEADLINE, **options: Any) -> Output:
        """Runs one command to its end; the options are those of `start`."""
        return self.start(command, config, **options).finish(seconds)

    def start_read(self, config: Any, *, book_tickers: str = "", symbol_prices: str = "", **options: Any) -> Running:
        """Starts a sync of these streams, each in the mode given."""
        return self.start("read", config, catalog=catalog(book_tickers, symbol_prices), **options)

    def read(self, config: Any, *, seconds: float = DEADLINE, **options: Any) -> Output:
        """Runs a sync to its end; the options are those of `start_read`."""
        return self.start_read(config, **options).finish(seconds)


@contextlib.contextmanager
def side_by_side(
    folder: Path,
    jobs: Mapping[str, Callable[[Connector], T]],
    at_once: int = 3,
    command: Sequence[str] | str = CONNECTOR,
) -> Iterator[dict[str, Future[T]]]:
    """Begins all jobs, some at a time, each with a connector of its own: most of a run is a start, or a wait."""

    def run(number: int, job: Callable[[Connector], T]) -> T:
        with Connector(folder / str(number), command) as connector:
            return job(connector)

    pool = ThreadPoolExecutor(at_once)
    try:
        yield {name: pool.submit(run, number, job) for number, (name, job) in enumerate(jobs.items())}
    finally:
        pool.shutdown(cancel_futures=True)


def catalog(book_tickers: str = "", symbol_prices: str = "") -> dict[str, Any]:
    """A configured catalog of the streams for which a sync mode is given."""
    modes = {"book_tickers": book_tickers, "symbol_prices": symbol_prices}
    return {
        "streams": [
            {"stream": discovered()[name], "sync_mode": mode, "destination_sync_mode": "append"}
            for name, mode in modes.items()
            if mode
        ]
    }


def variables_without_proxies() -> dict[str, str]:
    """Those of this process, one by one: pytest takes a variable of its own away, in another thread."""
    found = {name: os.environ.get(name) for name in list(os.environ) if name.upper() not in PROXY_VARIABLES}
    return {name: value for name, value in found.items() if value is not None}


def environment_at(port: int = 9) -> dict[str, str]:
    """A custom environment at a port of loopback, by default one where nobody listens."""
    url = f"ws://127.0.0.1:{port}"
    return {"name": "custom", "market_stream_url": url, "websocket_api_url": f"{url}/ws-fapi/v1"}


def state_message(stream_state: Mapping[str, Any]) -> Message:
    """A state of `book_tickers` as Airbyte hands it over; `--state` takes a list of them."""
    stream = {"stream_descriptor": {"name": "book_tickers"}, "stream_state": stream_state}
    return {"type": "STREAM", "stream": stream}


@functools.cache
def discovered() -> dict[str, dict[str, Any]]:
    """What `discover` declares of each stream; asked once."""
    with tempfile.TemporaryDirectory() as folder, Connector(Path(folder)) as connector:
        running = connector.start("discover", {})
        assert running.process.wait(DEADLINE) == 0
        messages = map(orjson.loads, (Path(folder) / "0-discover" / "stdout").read_bytes().splitlines())
        (found,) = [message["catalog"]["streams"] for message in messages if message["type"] == "CATALOG"]
    return {stream["name"]: stream for stream in found}


@functools.cache
def _validator(stream: str) -> Any:
    return jsonschema.Draft7Validator(discovered()[stream]["json_schema"])


def check_messages(messages: Iterable[Message]) -> None:
    """Every message is one of Airbyte's protocol, with nothing beside it."""
    for message in messages:
        assert AirbyteMessageSerializer.dump(AirbyteMessageSerializer.load(message)) == message


def check_against_schema(records: Iterable[Message]) -> None:
    """Every record has declared fields only, of the declared types. The CDK leaves out what is null when it writes."""
    for record in records:
        assert record["data"].keys() <= discovered()[record["stream"]]["json_schema"]["properties"].keys()
        fault = next(_validator(record["stream"]).iter_errors(record["data"]), None)
        assert fault is None, f"{fault} in {record}"


def _file(path: Path, content: Any) -> Path:
    if isinstance(content, Path):
        return content
    path.write_bytes(content if isinstance(content, bytes) else orjson.dumps(content))
    return path
