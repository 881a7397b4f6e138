"""`spec.yaml` is the form in Airbyte's UI: each rule of what that form can and cannot do."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import jsonschema
import pytest
import yaml
from airbyte_cdk.models import ConnectorSpecificationSerializer

import source_binance_futures
from source_binance_futures.config import (
    DAY,
    DEFAULT_LISTEN_SECONDS,
    EVERY_CHANGE,
    SAMPLED,
    Config,
    ConfigurationError,
)

Schema = dict[str, Any]

OPTIONS = {
    "listen_seconds": ("integer", 60),
    "max_book_tickers": ("integer", None),
    "book_ticker_symbols": ("array", None),
    "book_ticker_pace": ("string", "every_change"),
    "include_usds_margined": ("boolean", False),
    "price_symbols": ("array", None),
    "environment": ("object", None),
    "standby_connection": ("boolean", False),
    "proxy_url": ("string", None),
}
"""Type and default of each option: users' configurations depend on the names."""

STORED_SECRET = "**********"
"""What Airbyte's form holds in place of a secret that was saved before."""


def load() -> Schema:
    text = (Path(source_binance_futures.__file__).parent / "spec.yaml").read_text(encoding="utf-8")
    return cast("Schema", yaml.safe_load(text))


SPEC: Schema = load()["connectionSpecification"]
PROPERTIES: dict[str, Schema] = SPEC["properties"]


def nodes(schema: Any, path: str = "") -> Iterator[tuple[str, Schema]]:
    """Every schema in the form with its path, from the whole down to the items of a list."""
    if not isinstance(schema, Mapping):
        return
    yield path, cast("Schema", schema)
    for name, part in schema.get("properties", {}).items():
        yield from nodes(part, f"{path}.{name}".lstrip("."))
    for number, option in enumerate(schema.get("oneOf", ())):
        yield from nodes(option, f"{path}[{number}]")
    yield from nodes(schema.get("items"), f"{path}[]")


NODES = dict(nodes(SPEC))
FIELDS = {path: node for path, node in NODES.items() if path and not path.endswith("]") and "const" not in node}
"""What a person sees as a field: options, and what stands below one of them."""


def having(*keywords: str) -> dict[str, Schema]:
    return {path: node for path, node in NODES.items() if any(keyword in node for keyword in keywords)}


# --- what the options are ---


def test_airbytes_model_knows_all_of_it_and_it_is_a_schema_of_draft_7() -> None:
    known = ConnectorSpecificationSerializer.dump(ConnectorSpecificationSerializer.load(load()))
    assert load().items() <= known.items()
    jsonschema.Draft7Validator.check_schema(SPEC)


def test_the_options_have_their_names_types_and_defaults() -> None:
    assert {name: (node["type"], node.get("default")) for name, node in PROPERTIES.items()} == OPTIONS


def test_the_connector_knows_the_same_options_defaults_and_bounds() -> None:
    """And an untouched form is a working source."""
    assert set(Config.__dataclass_fields__) == set(PROPERTIES)
    defaults = {name: node["default"] for name, node in PROPERTIES.items() if "default" in node}
    assert Config.from_mapping(defaults) == Config.from_mapping({}) == Config()
    jsonschema.validate({}, SPEC)
    assert SPEC["required"] == []
    listening, most = PROPERTIES["listen_seconds"], PROPERTIES["max_book_tickers"]
    assert (listening["minimum"], listening["maximum"], listening["default"]) == (1, DAY, DEFAULT_LISTEN_SECONDS)
    assert (most["minimum"], most.get("maximum")) == (1, None)
    assert PROPERTIES["book_ticker_pace"]["enum"] == [EVERY_CHANGE, SAMPLED]


def test_every_example_is_valid() -> None:
    for path, node in having("examples").items():
        items = node.get("items", node)
        for example in node["examples"]:
            jsonschema.validate(example, items if not isinstance(example, list) else node)
            assert re.search(items.get("pattern", ""), str(example)), path


# --- what the form cannot do ---


def test_a_stored_secret_can_be_edited_again() -> None:
    """A pattern would refuse the asterisks that stand for it, and the source could never be saved again."""
    secrets = {path: node for path, node in NODES.items() if node.get("airbyte_secret")}

    assert set(secrets) == {"proxy_url"}
    for path, node in secrets.items():
        refusing = {"pattern", "format", "minLength", "maxLength", "const", "enum", "default", "examples"}
        assert not refusing & node.keys(), path
        jsonschema.validate({path: STORED_SECRET}, SPEC)


IGNORED_OR_ANSWERED_WITH_A_DUMP = {"uniqueItems", "multipleOf", "anyOf", "allOf", "$ref", "format", "minLength"}


@pytest.mark.parametrize("path", NODES, ids=lambda path: path or "the whole")
def test_the_form_can_show_it(path: str) -> None:
    node = NODES[path]
    assert not node.keys() & IGNORED_OR_ANSWERED_WITH_A_DUMP
    assert isinstance(node.get("type", "" if path not in FIELDS else None), str), "or an unchecked box sends strings"
    assert not isinstance(node.get("default"), (list, dict)), "an empty list means none, an object is ignored"
    assert "Ⓢ" not in node.get("title", ""), "the sign falls out of the form's font"
    assert len(node.get("title", "")) <= 40
    assert not re.search(r"`|\*\*|\]\(", node.get("description", "")), "the form shows the signs as they are"
    assert "pattern" not in node or node["pattern_descriptor"], "users would read the regular expression"
    if node.get("type") == "integer":
        assert "whole number" in node["description"].lower(), "a fraction passes the form's box"
        assert node["pattern_descriptor"].startswith("whole number, "), "the hint beside the title"
    if path in FIELDS:
        assert node["title"]
        assert node["description"].endswith(".")
        assert isinstance(node["order"], int)
        assert ("group" in node) is ("." not in path), "options stand in a group, what is below them does not"


# --- how it is laid out ---


def test_groups_are_ours_and_in_order() -> None:
    assert [group["id"] for group in SPEC["groups"]] == ["capture", "connection"]  # `advanced` is Airbyte's own
    assert all(group["title"] for group in SPEC["groups"])
    assert {node["group"] for node in PROPERTIES.values()} == {group["id"] for group in SPEC["groups"]}


def test_every_order_is_given_once() -> None:
    for path, node in NODES.items():
        orders = [part["order"] for part in node.get("properties", {}).values() if "order" in part]
        assert len(orders) == len(set(orders)), path
    assert [node["order"] for node in PROPERTIES.values()] == list(range(len(PROPERTIES)))


@pytest.mark.parametrize("name", PROPERTIES)
def test_an_option_says_what_leaving_it_does_and_is_not_folded_away_where_the_form_can_refuse_it(name: str) -> None:
    node = PROPERTIES[name]
    filled = node["type"] == "integer" and "default" in node
    assert filled or re.search(r"\bLeave (empty|it (off|on)|as it is)\b", node["description"])
    checked = {**node, **node.get("items", {})}.keys() & {"minimum", "maximum", "pattern", "enum"}
    assert node.get("always_show", False) is bool(checked), "a red dot is all that would show"


@pytest.mark.parametrize("address", ["wss://host?x", "wss://host#x", "wss://user:password@host", "host", "http://host"])
@pytest.mark.parametrize("option", ["market_stream_url", "usds_margined_stream_url"])
def test_the_form_refuses_addresses_that_the_connector_refuses(option: str, address: str) -> None:
    custom = {"name": "custom", "market_stream_url": "wss://h", "websocket_api_url": "wss://h/api", option: address}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"environment": custom}, SPEC)
    with pytest.raises(ConfigurationError):
        Config.from_mapping({"environment": custom})


def test_choices_have_a_first_one_that_is_the_default_and_one_discriminator() -> None:
    (node,) = [node for node in NODES.values() if "oneOf" in node]
    for option in node["oneOf"]:
        assert option["title"]
        assert option["description"].endswith(".")
        discriminator = option["properties"]["name"]
        assert discriminator["const"] == discriminator["default"]
        assert set(option["properties"]) - set(option["required"]) <= {"usds_margined_stream_url"}
    names = [option["properties"]["name"]["const"] for option in node["oneOf"]]
    assert names == ["production", "testnet", "custom"]
    assert "default" not in node
    assert Config().environment.name == names[0]


SYMBOLS = ["BTCUSD_PERP", "btcusd_perp", "BTCUSD_260626", "1000SATSUSDT", "币安人生USDT"]
SEVERAL = ["A,B", "A;B", "A B", "A\tB", "", "BTC/USDT", "a@bookTicker", "A?", "A&B", "#A"]


@pytest.mark.parametrize("option", ["book_ticker_symbols", "price_symbols"])
def test_the_form_takes_every_kind_of_symbol_and_refuses_several_in_one(option: str) -> None:
    jsonschema.validate({option: SYMBOLS}, SPEC)
    for symbols in SEVERAL:
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({option: [symbols]}, SPEC)
