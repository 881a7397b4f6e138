"""The four commands of the protocol as a person, or Airbyte, types them."""

from __future__ import annotations

import functools
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml

from local_exchange import LocalExchange

from .harness.connector import (
    COMMAND,
    FULL_REFRESH,
    INCREMENTAL,
    ROOT,
    Connector,
    Output,
    catalog,
    discovered,
    side_by_side,
)
from .harness.forked import run_all


def test_spec(connector: Connector) -> None:
    output = connector.run("spec")
    assert output.exit_code == 0
    (spec,) = output.of_type("SPEC")
    written = yaml.safe_load((ROOT / "source_binance_futures" / "spec.yaml").read_text())
    assert spec["connectionSpecification"] == written["connectionSpecification"]


def test_what_discover_declares() -> None:
    streams = discovered()
    assert streams.keys() == {"book_tickers", "symbol_prices"}
    book_tickers, symbol_prices = streams["book_tickers"], streams["symbol_prices"]
    assert sorted(book_tickers["supported_sync_modes"]) == ["full_refresh", "incremental"]
    assert book_tickers["source_defined_cursor"] is True
    assert book_tickers["default_cursor_field"] == ["u"]
    assert book_tickers["source_defined_primary_key"] == [["symbol"], ["u"]]
    assert symbol_prices["supported_sync_modes"] == ["full_refresh"]
    assert symbol_prices["source_defined_primary_key"] == [["symbol"]]
    assert "default_cursor_field" not in symbol_prices
    for name, stream in streams.items():
        assert stream["json_schema"] == orjson.loads((ROOT / "schemas" / f"{name}.json").read_bytes())
        assert stream["json_schema"]["additionalProperties"] is True
        for field in stream["json_schema"]["properties"].values():
            assert field["type"] in (["null", "string"], ["null", "integer"])  # decimals stay strings
            assert field["description"]


def test_both_streams_prices_first(connector: Connector) -> None:
    """Whatever the order in the catalog, and with --debug, which shows no secret."""
    with LocalExchange(rate=500, sample_every=None) as exchange:
        config = {"environment": exchange.environment(), "listen_seconds": 2, "unheard_of": 1, "proxy_url": ""}
        output = connector.read(config, book_tickers=INCREMENTAL, symbol_prices=FULL_REFRESH, debug=True)
    assert output.exit_code == 0
    order = [record["stream"] for record in output.of_type("RECORD")]
    assert order == sorted(order, reverse=True)
    assert len(output.records("symbol_prices")) == len(exchange.prices)
    assert len(output.updates) > 100
    assert output.statuses("book_tickers") == output.statuses("symbol_prices") == ["STARTED", "RUNNING", "COMPLETE"]
    (warning,) = output.logs("WARN")
    assert "unheard_of" in warning


def test_debug_shows_no_secret(connector: Connector) -> None:
    config = {"proxy_url": "http://user:hunter2@127.0.0.1:9", "listen_seconds": 1}
    output = connector.read(config, book_tickers=INCREMENTAL, debug=True)
    assert output.exit_code == 1
    assert '"DEBUG"' in output.stdout
    assert "The proxy http://127.0.0.1:9 did not let the connection through" in output.errors[0]["message"]
    assert "hunter2" not in output.stdout + output.stderr


def test_without_a_network_production_is_told_in_a_sentence(tmp_path: Path) -> None:
    """`{}` means production. A proxy that is not there stands for a machine without a network."""
    none = {"HTTPS_PROXY": "http://127.0.0.1:9"}
    jobs: dict[str, Callable[[Connector], Output]] = {
        "check": lambda connector: connector.run("check", {}, variables=none),
        "prices": lambda connector: connector.read({}, symbol_prices=FULL_REFRESH, variables=none),
        "listen": lambda connector: connector.read({"listen_seconds": 1}, book_tickers=INCREMENTAL, variables=none),
    }
    with side_by_side(tmp_path, jobs) as outputs:
        check, prices, listen = (outputs[name].result(120) for name in jobs)
    status, sentence = check.status
    assert (status, check.exit_code) == ("FAILED", 0)
    told = "The proxy http://127.0.0.1:9 did not let the connection through: it could not be reached"
    assert sentence.startswith(told)
    assert prices.errors[0]["message"].startswith(told)
    assert listen.errors[0]["message"].startswith(
        "No connection came about, in the whole listening window of 1 seconds"
    )
    assert told in listen.errors[0]["message"]
    for output in (prices, listen):
        assert output.exit_code == 1
        assert output.errors[0]["failure_type"] == "transient_error"
        assert output.is_plain
    assert check.is_plain


MISSING = Path("no-such-file.json")
FILES: dict[str, tuple[dict[str, Any], str]] = {
    "no configuration": ({"config": MISSING, "catalog": {}}, "There is no configuration file no-such-file.json."),
    "no state": ({"config": {}, "state": MISSING}, "There is no state file no-such-file.json."),
    "a configuration that is no JSON": ({"config": b"{", "catalog": {}}, "The configuration file"),
    "a catalog without streams": ({"config": {}, "catalog": {"a": 1}}, "The catalog file"),
    "a stream that is not there": (
        {
            "config": {},
            "catalog": {
                "streams": [
                    {
                        "stream": {
                            "name": "trades",
                            "json_schema": {"type": "object"},
                            "supported_sync_modes": ["full_refresh"],
                        },
                        "sync_mode": "full_refresh",
                        "destination_sync_mode": "append",
                    }
                ]
            },
        },
        "trades",
    ),
}


def read_files(name: str, connector: Connector) -> Output:
    return connector.run("read", **{"catalog": catalog(INCREMENTAL), **FILES[name][0]})


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Future[Output]]]:
    jobs = {name: functools.partial(read_files, name) for name in FILES}
    with side_by_side(tmp_path_factory.mktemp("files"), jobs) as futures:
        yield futures


@pytest.mark.parametrize("name", FILES)
def test_files_that_a_person_wrote(name: str, outputs: dict[str, Future[Output]]) -> None:
    output = outputs[name].result(120)
    assert output.exit_code == 1
    assert FILES[name][1] in output.errors[0]["message"] + " ".join(output.logs("ERROR"))
    assert output.errors[0]["failure_type"] == "config_error"
    # The CDK hangs a stack trace of its own on a stream that is not there.
    assert output.is_plain or name == "a stream that is not there"
    assert not output.of_type("RECORD")


def test_nobody_reads_any_more(tmp_path: Path) -> None:
    """`read | head -1` ends soon, with a sentence."""
    with LocalExchange(rate=3000, sample_every=None) as exchange:
        for name, content in (
            ("config", {"environment": exchange.environment(), "listen_seconds": 60}),
            ("catalog", catalog(INCREMENTAL)),
        ):
            (tmp_path / name).write_bytes(orjson.dumps(content))
        arguments = [*COMMAND, "read", "--config", str(tmp_path / "config"), "--catalog", str(tmp_path / "catalog")]
        process = subprocess.Popen(arguments, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert process.stdout
        assert process.stdout.readline().startswith(b"{")
        process.stdout.close()
        try:
            _, stderr = process.communicate(timeout=40)
        finally:
            process.kill()
    assert process.returncode == 1
    assert stderr == b"source-binance-futures: The output cannot be written: nobody reads it any more. Ending here.\n"


def test_help_and_wrong_usage(tmp_path: Path) -> None:
    """In the words of a command line; an option that only the CDK knows, or knows by its beginning, is taken."""
    config = tmp_path / "config"
    config.write_bytes(b"{}")
    helped, wrong, abbreviated, of_the_cdk = run_all(
        tmp_path / "runs",
        [
            ["--help"],
            ["discover", "--cofig", str(config)],
            ["discover", "--conf", str(config)],
            ["discover", "--config", str(config), "--manifest-path", "no-such-file"],
        ],
        messages=False,
    )
    assert helped.exit_code == 0
    assert helped.stdout.startswith("source-binance-futures: Binance Futures for Airbyte")
    assert (wrong.exit_code, wrong.stdout) == (2, "")
    assert wrong.stderr == (
        "source-binance-futures: discover has no option --cofig (did you mean --config?).\n"
        "Write it like: source-binance-futures discover --config FILE\n"
        "Help: source-binance-futures --help\n"
    )
    for output in (abbreviated, of_the_cdk):
        assert output.exit_code == 0
        assert '"CATALOG"' in output.stdout


def test_help_takes_no_time() -> None:
    """It comes without what only the commands need."""
    code = "import sys; from source_binance_futures.cli import run; run([]); print('airbyte_cdk' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.endswith("\nFalse\n")
