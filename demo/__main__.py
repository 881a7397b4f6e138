"""`python -m demo local`, or `production`, or `testnet`: run by `make demo`. With a file after that: `make picture`."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.terminal_theme import DIMMED_MONOKAI

from .report import ROWS, show_coverage, show_latest_prices, show_rows, show_top_of_book
from .warehouse import LoadingFailed, Warehouse

ROOT = Path(__file__).resolve().parent.parent
BUILD = Path("build")
CONNECTOR_ENVIRONMENT = ROOT / ".venv" / "bin"
STOP_TIMEOUT = 5.0
CONFIGURATION = "Configuration:"
"""The line of the local exchange that tells how to reach it."""
SECONDS_BETWEEN_SIGNS = {True: 0.5, False: 2.5}
"""In a terminal one line is drawn again and again; in a file or a CI log every sign is a line of its own."""
PICTURE_WIDTH = 80  # columns, as a terminal has them
MONOSPACE = "ui-monospace, Menlo, Consolas, monospace"
LEFT_OUT = re.compile(r"@font-face \{.*?\}|<!--.*?-->|font-variant-east-asian: full-width;", re.DOTALL)

ENVIRONMENTS: dict[str, dict[str, Any]] = {
    "local": {"listen_seconds": 8},
    "production": {"listen_seconds": 15},
    "testnet": {"listen_seconds": 15, "environment": {"name": "testnet"}},
}


def main() -> int:
    environment, picture = sys.argv[1], Path(sys.argv[2]) if len(sys.argv) > 2 else None
    # Where the output is no terminal, COLUMNS may say how wide it is.
    width = PICTURE_WIDTH if picture else None
    console = Console(file=sys.stdout, highlight=False, width=width, record=picture is not None)
    if environment not in ENVIRONMENTS:
        console.print(f"make demo knows ENVIRONMENT={', '.join(ENVIRONMENTS)}, and not {environment}.", markup=False)
        return 2
    try:
        demonstrate(console, environment)
        if picture:
            save(console, picture, f"make demo, {environment}")
    except LoadingFailed as error:
        console.print(str(error), markup=False, soft_wrap=True)
        return 1
    except KeyboardInterrupt:
        console.print("Stopped.")
        return 130
    return 0


def demonstrate(console: Console, environment: str) -> None:
    database, logs = _fresh_files(environment)
    warehouse = Warehouse(database, logs)
    with _exchange(console, environment, logs) as config:
        seconds = config["listen_seconds"]
        with step(console, "Loading PyAirbyte"):
            warehouse.open(config, CONNECTOR_ENVIRONMENT / "source-binance-futures")
        with step(
            console, f"Checking the connection to {'the local exchange' if environment == 'local' else 'Binance'}"
        ):
            warehouse.check()
        syncs, times_us = [], [time.time_ns() // 1000]  # since 1970, UTC, as the rows have them
        listening = f"book_tickers, listening for {seconds} s"
        for number, streams in enumerate((("symbol_prices", "book_tickers"), ("book_tickers", "symbol_prices")), 1):
            for stream in streams:
                with step(console, f"Sync {number}: {listening if stream == 'book_tickers' else stream}"):
                    warehouse.load(stream)
                if stream == "book_tickers":
                    times_us.append(time.time_ns() // 1000)
            syncs += warehouse.query(ROWS)
        with step(console, f"A chain of two windows of {seconds} s, which overlap"):
            warehouse.load_chain(config, CONNECTOR_ENVIRONMENT / "python")
    console.print()
    show_rows(console, syncs)
    show_coverage(console, warehouse, *times_us)
    show_top_of_book(console, warehouse)
    show_latest_prices(console, warehouse)
    console.print(f"Both tables are in {database}:\nmain.book_tickers and main.symbol_prices.")


def _fresh_files(environment: str) -> tuple[Path, Path]:
    """The local exchange starts anew each time, and so does its file. From Binance the rows add up, run by run."""
    database = BUILD / f"demo-{environment}.duckdb"
    logs = (BUILD / "demo-logs").resolve()
    shutil.rmtree(logs, ignore_errors=True)
    logs.mkdir(parents=True)
    if environment == "local":
        for file in BUILD.glob(f"{database.name}*"):
            file.unlink()
    return database, logs


@contextmanager
def step(console: Console, text: str) -> Iterator[None]:
    """Show `text` and the seconds that it takes, then whether it succeeded. What an error says is the caller's."""
    ended = threading.Event()
    start = time.monotonic()

    def sign() -> str:
        return f"{text}: {time.monotonic() - start:.0f} s"

    def give_signs() -> None:
        while not ended.wait(SECONDS_BETWEEN_SIGNS[console.is_terminal]):
            if console.is_terminal:
                status.update(sign())
            elif not console.record:  # a picture shows what came of it
                console.print(f"  … {sign()}")

    status = console.status(text)
    if console.is_terminal:
        status.start()
    signs = threading.Thread(target=give_signs)
    signs.start()
    outcome = "[red]✗[/red]"
    try:
        yield
        outcome = "[green]✓[/green]"
    finally:
        ended.set()
        signs.join()
        status.stop()
        console.print(f"{outcome} {text} [dim]({time.monotonic() - start:.1f} s)[/dim]")


@contextmanager
def _exchange(console: Console, environment: str, logs: Path) -> Iterator[dict[str, Any]]:
    """The connector's configuration for Binance, or for the local exchange, which runs meanwhile on a free port."""
    config = ENVIRONMENTS[environment]
    if environment != "local":
        yield config
        return
    log = logs / "exchange.log"
    command = [str(CONNECTOR_ENVIRONMENT / "python"), "-m", "local_exchange", "--port", "0", "--samples", "off"]
    command += ["--rate", "500"]
    with ExitStack() as stack:
        with step(console, "Starting a local exchange, a Binance look-alike"):
            errors = stack.enter_context(log.open("wb"))
            exchange = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True)
            stack.callback(exchange.communicate, timeout=STOP_TIMEOUT)
            stack.callback(exchange.terminate)
            assert exchange.stdout is not None
            announced = next((line for line in exchange.stdout if line.startswith(CONFIGURATION)), None)
            if announced is None:
                raise LoadingFailed(f"The local exchange did not start; what it said is in {log}.")
        yield {**config, **json.loads(announced.removeprefix(CONFIGURATION))}


def save(console: Console, picture: Path, title: str) -> None:
    """Writes it as SVG. Rich's own form fetches a font from the web; here it is one that the reader has."""
    svg = console.export_svg(title=title, theme=DIMMED_MONOKAI, unique_id="demo")
    svg = LEFT_OUT.sub("", svg).replace("Fira Code, monospace", MONOSPACE)
    lines = [line.rstrip() for line in svg.splitlines()]
    picture.write_text("\n".join(line for line in lines if line) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
