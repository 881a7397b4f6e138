"""The four commands of the protocol as a person, or Airbyte, types them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import orjson
import yaml

from local_exchange import LocalExchange

from .harness.connector import FULL_REFRESH, INCREMENTAL, ROOT, Connector, catalog, discovered
from .harness.warm import warm_command

DEAD = "http://127.0.0.1:9"
NO_WAY_THROUGH = f"The proxy {DEAD} did not let the connection through: it could not be reached"


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
    """Whatever the order in the catalog, and with --debug."""
    with LocalExchange(rate=500, sample_every=None) as exchange:
        options = {"listen_seconds": 60, "max_book_tickers": 100, "unheard_of": 1, "proxy_url": ""}
        config = {"environment": exchange.environment(), **options}
        output = connector.read(config, book_tickers=INCREMENTAL, symbol_prices=FULL_REFRESH, debug=True)
    assert output.exit_code == 0
    order = [record["stream"] for record in output.of_type("RECORD")]
    assert order == sorted(order, reverse=True)
    prices = output.records("symbol_prices")
    assert {row["symbol"]: (row["price"], row["time"]) for row in prices} == dict(exchange.prices)
    assert len(output.updates) == 100
    assert output.statuses("book_tickers") == output.statuses("symbol_prices") == ["STARTED", "RUNNING", "COMPLETE"]
    (warning,) = output.logs("WARN")
    assert "unheard_of" in warning


def test_without_a_network_production_is_reported_in_a_sentence(connector: Connector) -> None:
    """`{}` means production. A proxy that is not there stands for a machine without a network."""
    check = connector.run("check", {}, variables={"HTTPS_PROXY": DEAD})
    prices = connector.read({}, symbol_prices=FULL_REFRESH, variables={"HTTPS_PROXY": DEAD})
    running = connector.start_read({}, book_tickers=INCREMENTAL, variables={"HTTPS_PROXY": DEAD})
    running.wait_for_text(NO_WAY_THROUGH)
    running.process.terminate()
    listening = running.finish()
    status, sentence = check.status
    assert (status, check.exit_code, prices.exit_code, listening.exit_code) == ("FAILED", 0, 1, 0)
    assert sentence.startswith(NO_WAY_THROUGH)
    assert prices.errors[0]["message"].startswith(NO_WAY_THROUGH)
    assert {error["failure_type"] for error in prices.errors} == {"transient_error"}
    assert all(output.is_plain for output in (check, prices, listening))


def test_a_stream_that_is_not_there(connector: Connector) -> None:
    one = catalog(symbol_prices=FULL_REFRESH)
    one["streams"][0]["stream"] = {**one["streams"][0]["stream"], "name": "trades"}
    output = connector.run("read", {}, catalog=one)
    assert output.exit_code == 1
    assert "trades" in output.errors[0]["message"] + " ".join(output.logs("ERROR"))
    assert output.errors[0]["failure_type"] == "config_error"


def test_what_only_the_cdk_knows_or_knows_by_its_beginning(tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_bytes(b"{}")
    for options in (["--conf", str(config)], ["--config", str(config), "--manifest-path", "no-such-file"]):
        command = [*warm_command(), "discover", *options]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
        assert '"CATALOG"' in done.stdout


def test_help_and_refusals_take_no_time() -> None:
    """They come without what only the commands need."""

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-X", "importtime", "-m", "source_binance_futures", *arguments]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)

    helped, wrong = run("--help"), run("discover", "--cofig", "config")
    assert (helped.returncode, wrong.returncode, wrong.stdout) == (0, 2, "")
    assert "Binance Futures for Airbyte" in helped.stdout
    assert wrong.stderr.endswith(": error: discover has no option --cofig (did you mean --config?)\n")
    assert "airbyte_cdk" not in helped.stderr + wrong.stderr
