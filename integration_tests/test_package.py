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

from .harness.connector import FULL_REFRESH, INCREMENTAL, ROOT, Connector, Output

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
    to this checkout that lies there has no effect; `test_it_runs_from_the_wheel` holds that.
    """
    environment = tmp_path_factory.mktemp("environment")
    venv.create(environment, with_pip=False, symlinks=True)
    python = environment / "bin" / "python"
    run(sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--no-deps", str(built.wheel))
    (packages,) = environment.glob("lib/python*/site-packages")
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    return environment / "bin"


@pytest.fixture(scope="module")
def outputs(installed: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Output]:
    """All four commands of the protocol, run by the installed console script against the local exchange."""
    command = [str(installed / NAME)]
    with (
        LocalExchange(rate=200, sample_every=None) as exchange,
        Connector(tmp_path_factory.mktemp("runs"), command) as connector,
    ):
        config = {"environment": exchange.environment(), "listen_seconds": 2}
        running = {
            "spec": connector.start("spec"),
            "check": connector.start("check", config),
            "discover": connector.start("discover", config),
            "read": connector.start_read(config, book_tickers=INCREMENTAL, symbol_prices=FULL_REFRESH),
        }
        return {name: process.finish() for name, process in running.items()}


def run(*command: str, cwd: Path | None = None) -> str:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_wheel_holds_the_package_and_nothing_else(built: Built) -> None:
    files = (file for file in (ROOT / PACKAGE).rglob("*") if file.is_file() and "__pycache__" not in file.parts)
    schemas = {f"{PACKAGE}/schemas/{file.name}" for file in (ROOT / "schemas").iterdir()}

    assert built.names() == {str(file.relative_to(ROOT)) for file in files} | schemas


@pytest.mark.parametrize(
    "name", ["spec.yaml", "py.typed", "cli.py", "schemas/book_tickers.json", "schemas/symbol_prices.json"]
)
def test_the_wheel_holds(built: Built, name: str) -> None:
    source = ROOT / name if name.startswith("schemas/") else ROOT / PACKAGE / name

    assert built.read(f"{PACKAGE}/{name}") == source.read_bytes()


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


def test_it_runs_from_the_wheel(installed: Path, tmp_path: Path) -> None:
    where = run(str(installed / "python"), "-c", f"import {PACKAGE}; print({PACKAGE}.__file__)", cwd=tmp_path)

    assert Path(where.strip()).is_relative_to(installed.parent)


def test_every_command_of_the_installed_package_succeeds(outputs: dict[str, Output]) -> None:
    assert {name: output.exit_code for name, output in outputs.items()} == {
        "spec": 0,
        "check": 0,
        "discover": 0,
        "read": 0,
    }


def test_spec_and_check_answer(outputs: dict[str, Output]) -> None:
    (spec,) = outputs["spec"].of_type("SPEC")

    assert "listen_seconds" in spec["connectionSpecification"]["properties"]
    assert outputs["check"].status[0] == "SUCCEEDED"


def test_discover_declares_both_streams_with_their_fields(outputs: dict[str, Output]) -> None:
    (catalog,) = outputs["discover"].of_type("CATALOG")

    fields = {stream["name"]: set(stream["json_schema"]["properties"]) for stream in catalog["streams"]}
    assert fields.keys() == {"book_tickers", "symbol_prices"}
    assert {"symbol", "u", "best_bid_price"} <= fields["book_tickers"]
    assert fields["symbol_prices"] == {"symbol", "price", "time"}


def test_read_gives_records_of_both_streams_and_a_state(outputs: dict[str, Output]) -> None:
    assert outputs["read"].records("book_tickers")
    assert outputs["read"].records("symbol_prices")
    assert outputs["read"].states
