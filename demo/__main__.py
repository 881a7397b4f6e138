"""`python -m demo local`, or `production`, or `testnet`: run by `make demo`. With a file after that: `make picture`."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console

from .coverage import show_coverage
from .exchange import ExchangeDidNotStart, local_exchange
from .picture import PICTURE_WIDTH, save
from .progress import step
from .report import Rows, show_latest_prices, show_rows, show_top_of_book
from .warehouse import LoadingFailed, Warehouse

ROOT = Path(__file__).resolve().parent.parent
BUILD = Path("build")
CONNECTOR_ENVIRONMENT = ROOT / ".venv" / "bin"

ENVIRONMENTS: dict[str, dict[str, Any]] = {
    "local": {"listen_seconds": 5},
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
    except (ExchangeDidNotStart, LoadingFailed) as error:
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
        syncs, times_us = [], [_now_us()]
        for number in (1, 2):
            with step(console, f"Sync {number}: symbol_prices"):
                warehouse.load_symbol_prices()
            with step(console, f"Sync {number}: book_tickers, listening for {seconds} s"):
                warehouse.load_book_tickers()
            syncs.append(Rows.of(warehouse))
            times_us.append(_now_us())
    console.print()
    show_rows(console, syncs)
    began_us, between_us, _ = times_us
    show_coverage(console, warehouse, began_us, between_us)
    show_top_of_book(console, warehouse)
    show_latest_prices(console, warehouse)
    console.print(f"Both tables are in {database}:\nmain.book_tickers and main.symbol_prices.")


def _now_us() -> int:
    """Microseconds since 1970, UTC, as the rows have them."""
    return time.time_ns() // 1000


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
def _exchange(console: Console, environment: str, logs: Path) -> Iterator[dict[str, Any]]:
    config = ENVIRONMENTS[environment]
    if environment != "local":
        yield config
        return
    with ExitStack() as stack:
        with step(console, "Starting a local exchange, a Binance look-alike"):
            log = logs / "exchange.log"
            addresses = stack.enter_context(local_exchange(CONNECTOR_ENVIRONMENT / "python", log))
        yield {**config, **addresses}


if __name__ == "__main__":
    sys.exit(main())
