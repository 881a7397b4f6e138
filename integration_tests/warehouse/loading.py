"""The load: two syncs of both streams into each warehouse, by the code of the docs, while a local exchange pushes.

Among the updates it draws are some of our own, of which every value is known: with digits that only text keeps, an
update id near the end of int64, a Chinese symbol, and keys that are missing.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local_exchange import LocalExchange

from ..harness.connector import FIELDS, variables_without_proxies
from ..harness.local_command import ROOT, write
from ..harness.markdown import blocks_of
from ..harness.warm import pyairbyte_command, warm_command
from .databases import (
    DATABASE,
    DUCKDB,
    HOST,
    POSTGRES,
    USER,
    Warehouse,
    duckdb_warehouse,
    postgres_server,
    postgres_warehouse,
)

CACHES = {DUCKDB: "DuckDBCache", POSTGRES: "PostgresCache"}
RATE = 400.0
UPDATES = 1000  # of each sync
DEADLINE = 280.0  # seconds: importing PyAirbyte takes ten of a quiet machine, and many times that on a busy one

CHINESE, LEAN = "币安人生USDT_991231", "BTCUSD_991231"
FIRST_ID = 2**63 - 1_000_000
FIRST_PRICES = {"BTCUSDT": ("86000.10", 1_790_373_637_547), "龙虾USDT": ("0.00000100", 1_790_373_637_000)}
SECOND_PRICES = {"龙虾USDT": ("0.00000090", 1_790_373_700_001), "1000SATSUSDT": ("0.0000187", 1_790_373_700_002)}

Record = dict[str, Any]


@dataclass(frozen=True)
class Loaded:
    """What was pushed by the exchange, and where it went. `own`: the records of our own updates, by (symbol, u)."""

    warehouses: Mapping[str, Warehouse]
    pushed: list[tuple[str, int]]
    own: Mapping[tuple[str, int], Record]


@contextmanager
def load(python: Path, folder: Path) -> Iterator[Loaded]:
    """Loads both warehouses with `python`, PyAirbyte's interpreter; `folder` gets the files of all this."""
    with ExitStack() as stack:
        port = stack.enter_context(postgres_server())
        with LocalExchange(rate=RATE, sample_every=None) as exchange:
            own = _load_both(exchange, python, folder, port)
        warehouses = {
            DUCKDB: stack.enter_context(duckdb_warehouse(folder / DUCKDB / "market.duckdb")),
            POSTGRES: stack.enter_context(postgres_warehouse(port)),
        }
        yield Loaded(warehouses, exchange.pushed, own)


def _load_both(exchange: LocalExchange, python: Path, folder: Path, port: int) -> Mapping[tuple[str, int], Record]:
    """Both at once, each in its process: they wait most of the time."""
    write(
        folder / "bin",
        {
            "environment": exchange.environment(),
            "max_book_tickers": UPDATES,
            "include_usds_margined": True,
            "book_ticker_pace": "sampled",
        },
        warm_command(),
    )
    own: dict[tuple[str, int], Record] = {}
    for prices in (FIRST_PRICES, SECOND_PRICES):
        _set_prices(exchange, prices)
        with ExitStack() as stack:
            loads = [stack.enter_context(_loading(name, python, folder, port)) for name in CACHES]
            deadline = time.monotonic() + DEADLINE
            while any(load.poll() is None for load in loads):
                assert time.monotonic() < deadline, "".join(_written(folder, name) for name in CACHES)
                _push_own(exchange, own)
                time.sleep(0.1)  # the pace of our own updates
            for name, load in zip(CACHES, loads, strict=True):
                assert load.returncode == 0, _written(folder, name)
    return own


@contextmanager
def _loading(name: str, python: Path, folder: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """A process of PyAirbyte that runs the code of the docs for one warehouse, ended when this is left."""
    home = folder / name
    home.mkdir(exist_ok=True)
    variables = {
        "PATH": f"{folder / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}",
        "PGHOST": HOST,
        "PGPORT": str(port),
        "PGUSER": USER,
        "PGPASSWORD": "not asked for",
        "PGDATABASE": DATABASE,
    }
    with (home / "output").open("ab") as output:
        process = subprocess.Popen(
            pyairbyte_command(python, code_of_docs(name)),
            cwd=home,
            env=variables_without_proxies() | variables,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait(10)


def _written(folder: Path, name: str) -> str:
    return (folder / name / "output").read_text(encoding="utf-8", errors="replace")[-6000:]


def code_of_docs(name: str) -> str:
    """The Python block of docs/warehouse.md that loads this warehouse."""
    (code,) = [
        block.code
        for block in blocks_of(ROOT / "docs" / "warehouse.md")
        if block.language == "python" and CACHES[name] in block.code
    ]
    return code


def _set_prices(exchange: LocalExchange, prices: Mapping[str, tuple[str, int]]) -> None:
    exchange.prices.update(prices)
    for symbol in exchange.prices.keys() - prices.keys():
        del exchange.prices[symbol]


def _push_own(exchange: LocalExchange, own: dict[tuple[str, int], Record]) -> None:
    """The next pair of our own updates; what they become is noted before they are pushed."""
    u = FIRST_ID + len(own)
    sent: list[Record] = [
        {
            "e": "bookTicker",
            "u": u,
            "s": CHINESE,
            "ps": "币安人生USDT",
            "b": "0.00001870",
            "B": "9007199254740993.000",
            "a": "00.1000000000000000000000000001",
            "A": "0",
            "T": 1_790_373_637_547,
            "E": 1_790_373_637_548,
            "st": 1,
        },
        {"u": u, "s": LEAN, "b": "86135.40", "B": "680", "a": "86135.50", "A": "2458", "E": 0},
    ]
    for book_ticker in sent:
        own[book_ticker["s"], u] = {column: book_ticker.get(key) for column, key in FIELDS.items()}
    exchange.push_updates(sent)
