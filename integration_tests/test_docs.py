"""What the documents show works: every block of commands, SQL or Python is run by a test, or says what it needs.

The comment above a block says which, see `markdown.py`. Blocks marked `here` run in this module, those of a document in
order and in one folder, with `source-binance-futures` reading a local exchange for a second. Files that a block writes
to are there and not empty afterwards.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from local_exchange import LocalExchange
from source_binance_futures.config import Config, unknown_options
from source_binance_futures.streams.cursor import Cursor

from .harness.connector import FULL_REFRESH, INCREMENTAL, PROXY_VARIABLES, ROOT, Connector, catalog, discovered
from .harness.local_command import write
from .harness.markdown import Block, blocks_of
from .harness.patience import patient
from .harness.warm import pyairbyte_command
from .warehouse.databases import pyairbyte_python

DOCUMENTS = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md")),
    *sorted((ROOT / "docs").glob("*.md")),
]
TRANSLATION = ROOT / "README.zh-CN.md"
CODE = ("bash", "sh", "shell", "console", "sql", "python")
NEEDS = ("docker", "internet")
BLOCKS = [block for document in DOCUMENTS for block in blocks_of(document)]
CODE_BLOCKS = [block for block in BLOCKS if block.language in CODE]
RUN_HERE = [block for block in CODE_BLOCKS if block.marker == ("tested", "here")]
DEADLINE = patient(240.0)  # seconds: importing PyAirbyte takes ten of a quiet machine, many times that of a busy one

pytestmark = pytest.mark.timeout(patient(300))


@pytest.mark.parametrize("block", CODE_BLOCKS, ids=lambda block: block.name)
def test_it_says_who_runs_it(block: Block) -> None:
    assert block.marker is not None, "put `<!-- tested: ... -->` or `<!-- needs: docker|internet -->` above the block"
    kind, value = block.marker
    if kind == "needs":
        assert value in NEEDS
    elif value == "here":
        assert block.language in ("bash", "sh", "python")
    else:
        path, _, name = value.partition("::")
        assert (ROOT / path).is_file(), f"no test {path}"
        assert not name or re.search(rf"^def {name}\(", (ROOT / path).read_text(encoding="utf-8"), re.MULTILINE)


@pytest.mark.parametrize("block", [block for block in BLOCKS if block.language == "sql"], ids=lambda block: block.name)
def test_sql_is_that_of_the_files(block: Block) -> None:
    """The files are what runs in the warehouses; test_warehouses.py has a test for each."""
    assert block.code in [path.read_text(encoding="utf-8") for path in (ROOT / "docs" / "sql").rglob("*.sql")]


@pytest.mark.parametrize("block", [block for block in BLOCKS if block.language == "json"], ids=lambda block: block.name)
def test_json_is_valid(block: Block) -> None:
    """A configuration and a state are such as the connector takes, a record has the fields that it declares."""
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


def test_the_translation_shows_the_same_commands() -> None:
    original, translated = (
        [(block.language, block.code, block.marker) for block in blocks_of(path) if block.language in CODE]
        for path in (ROOT / "README.md", TRANSLATION)
    )
    assert translated == original


def test_links_to_our_own_files_lead_somewhere() -> None:
    for document in (*DOCUMENTS, TRANSLATION):
        for target in re.findall(r"\]\((?!\w+:|#)([^)#\s]+)[^)]*\)", document.read_text(encoding="utf-8")):
            assert (document.parent / target).exists(), f"{document.name}: {target}"


def test_the_example_of_contributing(connector: Connector) -> None:
    (block,) = [block for block in CODE_BLOCKS if block.path.name == "CONTRIBUTING.md" and block.language == "python"]
    names: dict[str, Any] = {"Connector": Connector, "LocalExchange": LocalExchange, "INCREMENTAL": INCREMENTAL}

    exec(block.code, names)
    names["test_something"](connector)


# --- blocks that are run here ---


@pytest.fixture(scope="module")
def exchange() -> Iterator[LocalExchange]:
    with LocalExchange(rate=200.0, sample_every=1.0) as exchange:
        yield exchange


@pytest.fixture(scope="module")
def runner(exchange: LocalExchange, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runner]:
    base = tmp_path_factory.mktemp("docs")
    write(
        base / "bin",
        {"environment": exchange.environment(), "listen_seconds": 1, "book_ticker_symbols": [], "price_symbols": []},
    )
    with ThreadPoolExecutor() as pool:
        yield Runner(base, pool)


class Runner:
    """Runs blocks, each document's in a folder of its own with what a user has there: a configuration and a catalog.

    Those in Python begin at once, side by side with the others: PyAirbyte alone takes half a minute.
    """

    def __init__(self, base: Path, pool: ThreadPoolExecutor) -> None:
        self._variables = {name: value for name, value in os.environ.items() if name.upper() not in PROXY_VARIABLES}
        self._variables |= {
            "PATH": f"{base / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}",
            "AIRBYTE_OFFLINE_MODE": "1",
            "DO_NOT_TRACK": "1",
        }
        self._folders = {}
        for document in {block.path for block in RUN_HERE}:
            folder = self._folders[document] = base / document.stem
            folder.mkdir()
            (folder / "config.json").write_text("{}")
            (folder / "catalog.json").write_text(json.dumps(catalog(INCREMENTAL, FULL_REFRESH)))
        in_python = [block for block in RUN_HERE if block.language == "python" and pyairbyte_python().exists()]
        self._begun = {block: pool.submit(self._run, block) for block in in_python}

    def run(self, block: Block) -> subprocess.CompletedProcess[str]:
        return self._begun[block].result() if block in self._begun else self._run(block)

    def written(self, block: Block) -> list[Path]:
        """The files that a block writes to by redirection or `tee`."""
        return [self._folders[block.path] / name for name in re.findall(r"(?:>|\btee) ([\w.-]+)", block.code)]

    def _run(self, block: Block) -> subprocess.CompletedProcess[str]:
        if block.language == "python":
            words = pyairbyte_command(pyairbyte_python(), block.code)
        else:
            words = ("bash", "-euo", "pipefail", "-c", block.code)
        return subprocess.run(
            words,
            cwd=self._folders[block.path],
            env=self._variables,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=DEADLINE,
            check=False,
        )


@pytest.mark.parametrize("block", RUN_HERE, ids=lambda block: block.name)
def test_it_runs(block: Block, runner: Runner) -> None:
    if block.language == "python" and not pyairbyte_python().exists():
        pytest.skip("PyAirbyte's environment is missing: it needs Python 3.10, 3.11 or 3.12. `make test` sets it up.")
    if "jq" in block.code and shutil.which("jq") is None:
        pytest.skip("jq is not installed, and this block uses it.")

    done = runner.run(block)

    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    written = runner.written(block)
    assert done.stdout.strip() or written, "it shows nothing"
    assert [path.name for path in written if not path.exists() or not path.stat().st_size] == []
