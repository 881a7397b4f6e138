"""`metadata.yaml` is what Airbyte's registry reads; its own models say what may stand there."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, cast
from xml.etree import ElementTree

import pytest
import yaml
from pydantic import ValidationError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

from urllib.parse import urlsplit

from source_binance_futures.binance.endpoints import PRODUCTION, TESTNET

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def metadata() -> dict[str, Any]:
    return cast("dict[str, Any]", yaml.safe_load((ROOT / "metadata.yaml").read_text(encoding="utf-8")))


@pytest.fixture
def project() -> dict[str, Any]:
    return cast("dict[str, Any]", tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"])


@pytest.fixture
def airbytes_model() -> Any:
    """Its package needs Python below 3.13."""
    module = "airbyte_connector_models.metadata.v0.connector_metadata_definition_v0"
    return pytest.importorskip(module).ConnectorMetadataDefinitionV0


def test_airbytes_model_accepts_it(metadata: dict[str, Any], airbytes_model: Any) -> None:
    assert airbytes_model.model_validate(metadata).data.connector_type.value == "source"


def test_airbytes_model_would_refuse_an_unknown_key(metadata: dict[str, Any], airbytes_model: Any) -> None:
    metadata["data"]["licence"] = "MIT"

    with pytest.raises(ValidationError, match="licence"):
        airbytes_model.model_validate(metadata)


def test_names_are_the_packages(metadata: dict[str, Any], project: dict[str, Any]) -> None:
    data = metadata["data"]

    assert data["dockerRepository"].split("/")[-1] == project["name"]
    assert data["remoteRegistries"]["pypi"]["packageName"] == project["name"]
    assert data["license"] == project["license"]


def test_the_image_is_built_on_the_base_image_it_names(metadata: dict[str, Any]) -> None:
    dockerfile = (ROOT / "Dockerfile").read_text(encoding="utf-8")

    assert f"ARG BASE_IMAGE={metadata['data']['connectorBuildOptions']['baseImage']}\n" in dockerfile


def test_allowed_hosts_hold_every_environment(metadata: dict[str, Any]) -> None:
    hosts = metadata["data"]["allowedHosts"]["hosts"]

    addresses = [
        address
        for environment in (PRODUCTION, TESTNET)
        for address in (*environment.coin_m_bases, *environment.usds_m_bases, environment.websocket_api_url)
    ]
    assert {host for host in hosts if not host.startswith("$")} == {urlsplit(address).hostname for address in addresses}


def test_allowed_hosts_take_those_of_a_custom_environment_from_options_of_the_form(metadata: dict[str, Any]) -> None:
    """The platform replaces `${a.b}` by the host in the option b of the object a, and drops what it does not find."""
    hosts = metadata["data"]["allowedHosts"]["hosts"]
    spec = yaml.safe_load((ROOT / "source_binance_futures" / "spec.yaml").read_text(encoding="utf-8"))
    environments = spec["connectionSpecification"]["properties"]["environment"]["oneOf"]
    options = {name for environment in environments for name in environment["properties"]}

    from_options = {host[len("${environment.") : -1] for host in hosts if host.startswith("${environment.")}
    assert from_options == {"market_stream_url", "websocket_api_url", "usds_margined_stream_url"}
    assert from_options <= options


def test_the_icon_is_a_drawing_without_outside_references(metadata: dict[str, Any]) -> None:
    text = (ROOT / metadata["data"]["icon"]).read_text(encoding="utf-8")

    assert ElementTree.fromstring(text).tag == "{http://www.w3.org/2000/svg}svg"
    assert "href" not in text
