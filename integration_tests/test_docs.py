"""What the documents show works: every block of commands, SQL or Python is run by a test, or says what it needs.

The comment above a block says which, see `markdown.py`. Blocks marked `here` run in this module, those of a document in
order and in one folder, with `source-binance-futures` reading a local exchange for a second.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from local_exchange import LocalExchange
from source_binance_futures.config import Config, unknown_options
from source_binance_futures.streams.cursor import Cursor

from .harness.connector import (
    FULL_REFRESH,
    INCREMENTAL,
    ROOT,
    Connector,
    catalog,
    discovered,
    variables_without_proxies,
)
from .harness.local_command import write
from .harness.markdown import blocks_of
from .harness.warm import pyairbyte_command, warm_command
from .warehouse.databases import pyairbyte_python

DOCUMENTS = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md")),
    *sorted((ROOT / "docs").glob("*.md")),
]
CODE = ("bash", "sh", "shell", "console", "sql", "python")
NEEDS = ("docker", "internet", "matplotlib")
HERE = {path: [b.code for b in blocks_of(path) if b.marker == ("tested", "here")] for path in reversed(DOCUMENTS)}
RUN_HERE = list({str(codes): path for path, codes in HERE.items() if codes}.values())  # a translation has the same
DEADLINE = 240.0  # seconds: importing PyAirbyte takes ten of a quiet machine, many times that of a busy one

pytestmark = pytest.mark.timeout(300)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_its_blocks_say_who_runs_them_and_are_sound(document: Path) -> None:
    """Commands name a test that is there, or what they need; SQL is that of the files; JSON is what is taken."""
    for block in blocks_of(document):
        if block.language in CODE:
            assert block.marker is not None, f"{block.name}: put `<!-- tested: … -->` or `<!-- needs: … -->` above it"
            kind, value = block.marker
            path, _, name = value.partition("::")
            if kind == "needs":
                assert value in NEEDS, block.name
                chart = (ROOT / "docs" / "chart.py").read_text(encoding="utf-8")
                assert value != "matplotlib" or block.code == chart, "`make chart` runs that file"
            elif value == "here":
                assert block.language in ("bash", "sh", "python"), block.name
            else:
                assert (ROOT / path).is_file(), f"{block.name}: no test {path}"
                tests = (ROOT / path).read_text(encoding="utf-8")
                assert not name or re.search(rf"^def {name}\(", tests, re.MULTILINE), block.name
        if block.language == "sql":
            assert block.code in [path.read_text(encoding="utf-8") for path in (ROOT / "docs/sql").rglob("*.sql")]
        if block.language == "json":
            try:
                values = [json.loads(block.code)]
            except ValueError:
                values = [json.loads(line) for line in block.code.splitlines()]
            for value in values:
                if isinstance(value, dict):
                    _check_object(value)


def _check_object(value: dict[str, Any]) -> None:
    if value.keys() == Cursor("production").state().keys():
        Cursor.from_state(value, "production", date.today())
    elif value.keys() & Config.__dataclass_fields__.keys():
        Config.from_mapping(value)
        assert unknown_options(value) == []
    for stream, key in (("book_tickers", "best_bid_price"), ("symbol_prices", "price")):
        if key in value:
            assert list(value) == list(discovered()[stream]["json_schema"]["properties"])


def test_the_example_of_contributing(connector: Connector) -> None:
    (block,) = [block for block in blocks_of(ROOT / "CONTRIBUTING.md") if block.language == "python"]
    names: dict[str, Any] = {"Connector": Connector, "LocalExchange": LocalExchange, "INCREMENTAL": INCREMENTAL}

    exec(block.code, names)
    names["test_something"](connector)


# --- blocks that are run here ---


@pytest.fixture(scope="module")
def exchange() -> Iterator[LocalExchange]:
    with LocalExchange(rate=200.0, sample_every=1.0) as exchange:
        yield exchange


def run(code: Sequence[str], folder: Path) -> str:
    """Run one block in `folder`; what it has printed. It ends with 0, or the test fails with what it has said."""
    variables = variables_without_proxies() | {
        "PATH": f"{folder / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}",
        "AIRBYTE_OFFLINE_MODE": "1",
        "DO_NOT_TRACK": "1",
    }
    done = subprocess.run(
        code,
        cwd=folder,
        env=variables,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
    )
    assert done.returncode == 0, f"{code[-1]}\n{done.stdout[-3000:]}{done.stderr[-3000:]}"
    return done.stdout


def folder_of(exchange: LocalExchange, tmp_path: Path) -> Path:
    """What a user has: the command, which reads a hundred updates of the local exchange, a configuration, a catalog."""
    options = {"environment": exchange.environment(), "listen_seconds": 60, "max_book_tickers": 100}
    write(tmp_path / "bin", options | {"book_ticker_symbols": [], "price_symbols": []}, warm_command())
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "catalog.json").write_text(json.dumps(catalog(INCREMENTAL, FULL_REFRESH)))
    return tmp_path


@pytest.mark.parametrize("language", ["bash", "python"])
@pytest.mark.parametrize("document", RUN_HERE, ids=lambda path: path.name)
def test_its_blocks_run_in_order(document: Path, language: str, exchange: LocalExchange, tmp_path: Path) -> None:
    """Those in one language, as they stand, in one folder. What they write to is there and not empty."""
    if language == "python" and not pyairbyte_python().exists():
        pytest.skip("PyAirbyte's environment is missing: it needs Python 3.10, 3.11 or 3.12. `make test` sets it up.")
    if language == "bash" and shutil.which("jq") is None:
        pytest.skip("jq is not installed.")
    folder = folder_of(exchange, tmp_path)

    for block in blocks_of(document):
        if block.marker == ("tested", "here") and block.language == language:
            bash = ("bash", "-euo", "pipefail", "-c", block.code)
            said = run(bash if language == "bash" else pyairbyte_command(pyairbyte_python(), block.code), folder)
            names = re.findall(r"(?:>|\btee) ([\w.-]+)", block.code) if language == "bash" else []
            names += re.findall(r"\w+\.duckdb", block.code)
            assert said.strip() or names, f"{block.name} shows nothing"
            assert [name for name in names if not (folder / name).stat().st_size] == []


@pytest.mark.slow
def test_make_demo_draws_two_syncs_the_hole_between_them_and_a_chain_without_one(tmp_path: Path) -> None:
    """The windows and the time between them are real."""
    if not pyairbyte_python().exists():
        pytest.skip("PyAirbyte's environment is missing. `make test` sets it up.")
    demo = pyairbyte_command(pyairbyte_python(), "from demo.__main__ import main; assert main() == 0")
    _, _, coverage = run([*demo, "local"], tmp_path).partition("Coverage by docs/sql/coverage.sql")
    lines = re.findall(r"^ *([A-Z]+USD_\w+) +([━·]+) +([\d.]+) s *$", coverage, flags=re.MULTILINE)
    assert len(lines) >= 5
    # An interval that is shorter than a cell is not drawn, and a busy machine has such ones.
    assert sum(bool(re.search("━·+━+·+━", drawing)) for _, drawing, _ in lines) >= 3, coverage
    words = re.search(r"The hole between the two syncs: ([\d.]+) to ([\d.]+) seconds", coverage)
    assert words is not None
    assert all(float(words[1]) <= float(seconds) <= float(words[2]) for *_, seconds in lines)
    whole = re.search(r"no hole in\s+(\d+) of (\d+) contracts", coverage)
    assert whole is not None
    assert whole[1] == whole[2], coverage
