"""What users install: the wheel, as it is published, in an environment that knows nothing of this folder.

Every other test runs the connector from this folder, where a file missing from the package would not be missed.
"""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from email import message_from_bytes
from pathlib import Path
from typing import NamedTuple

import pytest

from local_exchange import LocalExchange

from .harness.connector import FULL_REFRESH, INCREMENTAL, ROOT, Connector

NAME = "source-binance-futures"
PACKAGE = "source_binance_futures"


class Built(NamedTuple):
    sdist: Path
    wheel: Path

    def names(self) -> set[str]:
        """What the wheel holds of the package itself."""
        with zipfile.ZipFile(self.wheel) as wheel:
            return {name for name in wheel.namelist() if ".dist-info/" not in name}

    def read(self, name: str) -> bytes:
        with zipfile.ZipFile(self.wheel) as wheel:
            (path,) = [path for path in wheel.namelist() if path.endswith(name)]
            return wheel.read(path)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """The source distribution, and the wheel built from it and not from this folder, as for a release."""
    folder = tmp_path_factory.mktemp("dist")
    # Without isolation: the build tool is one of the development requirements, and nothing is downloaded.
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(ROOT))
    (sdist,), (wheel,) = folder.glob("*.tar.gz"), folder.glob("*.whl")
    return Built(sdist, wheel)


@pytest.fixture(scope="module")
def installed(built: Built, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bin folder of a new environment into which the wheel was installed.

    The connector comes from the wheel alone; its dependencies come from the environment of the tests, as a folder on
    the path, which spares installing a hundred packages again. Python reads no .pth file in such a folder, so the link
    to this checkout that lies there has no effect; a test holds that.
    """
    environment = tmp_path_factory.mktemp("environment")
    venv.create(environment, with_pip=False, symlinks=True)
    python = environment / "bin" / "python"
    run(sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--no-deps", str(built.wheel))
    (packages,) = environment.glob("lib/python*/site-packages")
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    return environment / "bin"


def run(*command: str, cwd: Path | None = None) -> str:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_wheel_holds_the_package_and_nothing_else(built: Built) -> None:
    files = [file for file in (ROOT / PACKAGE).rglob("*") if file.is_file() and "__pycache__" not in file.parts]
    expected = {str(file.relative_to(ROOT)): file.read_bytes() for file in files}
    expected |= {f"{PACKAGE}/schemas/{file.name}": file.read_bytes() for file in (ROOT / "schemas").iterdir()}

    assert {f"{PACKAGE}/{name}" for name in ("spec.yaml", "py.typed", "cli.py", "schemas/book_tickers.json")} < set(
        expected
    )
    assert {name: built.read(name) for name in built.names()} == expected


def test_its_metadata_name_the_command_the_licence_and_the_pythons(built: Built) -> None:
    metadata = message_from_bytes(built.read(".dist-info/METADATA"))

    assert metadata["Name"] == NAME
    assert metadata["License-Expression"] == "MIT"
    assert metadata["Requires-Python"] == "<3.14,>=3.10"
    assert any(line.startswith("airbyte-cdk<8,>=7") for line in metadata.get_all("Requires-Dist", []))
    assert f"{NAME} = {PACKAGE}.cli:run" in built.read("entry_points.txt").decode()


def test_the_source_distribution_holds_no_tests_and_no_links(built: Built) -> None:
    with tarfile.open(built.sdist) as sdist:
        members = sdist.getmembers()

    assert not [member.name for member in members if "test" in member.name]
    assert not [member.name for member in members if member.issym() or member.islnk()]


def test_the_installed_command_reads_both_streams(installed: Path, tmp_path: Path) -> None:
    where = run(str(installed / "python"), "-c", f"import {PACKAGE}; print({PACKAGE}.__file__)", cwd=tmp_path)
    assert Path(where.strip()).is_relative_to(installed.parent)
    with (
        LocalExchange(rate=200, sample_every=None) as exchange,
        Connector(tmp_path, [str(installed / NAME)]) as connector,
    ):
        config = {"environment": exchange.environment(), "listen_seconds": 60, "max_book_tickers": 10}
        output = connector.read(config, book_tickers=INCREMENTAL, symbol_prices=FULL_REFRESH)
    assert output.exit_code == 0
    assert len(output.records("book_tickers")) == 10
    assert output.records("symbol_prices")
    assert output.states
