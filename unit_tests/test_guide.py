"""docs/binance-futures.md is what Airbyte shows beside the form: what its panel can show, and what the form says."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent
GUIDE = (ROOT / "docs" / "binance-futures.md").read_text(encoding="utf-8")
PROPERTIES: dict[str, dict[str, Any]] = yaml.safe_load(
    (ROOT / "source_binance_futures" / "spec.yaml").read_text(encoding="utf-8")
)["connectionSpecification"]["properties"]
FORM = {
    option: title
    for title, option in re.findall(r"^\| ([^|]+) \| `(\w+)` \| [^|]+ \|$", GUIDE, re.MULTILINE)
    if option in PROPERTIES
}
OLD_PAGES = "developers.binance.com/docs/"
"""Where Binance's documentation was until 2026; it has moved to /en/docs/products/."""


def test_links_stay_on_the_page_or_lead_to_the_web() -> None:
    """The panel turns all others into dead ones."""
    targets = re.findall(r"\]\(([^)\s]+)\)", GUIDE)
    assert targets
    assert [target for target in targets if not target.startswith(("https://", "#"))] == []


def test_no_number_ends_a_sentence() -> None:
    """The panel puts an invisible character before it, which whoever copies the number would take along."""
    sentences = re.sub(r"`[^`]*`", "", GUIDE)
    assert re.findall(r"^.*\w+ \d+\.(?:\s.*)?$", sentences, re.MULTILINE) == []


def test_the_fields_are_those_of_the_form_in_their_order() -> None:
    titles = [node["title"] for node in PROPERTIES.values()]
    assert [title.removesuffix(" (folded)") for title in FORM.values()] == titles
    assert list(FORM) == list(PROPERTIES)


@pytest.mark.parametrize("option", PROPERTIES)
def test_folded_fields_are_said_to_be(option: str) -> None:
    """Within a group the form shows those with `always_show` and choices, and folds the rest."""
    node = PROPERTIES[option]
    is_shown = node.get("always_show", False) or "oneOf" in node
    assert FORM[option].endswith(" (folded)") is not is_shown


def test_every_field_of_a_record_is_told() -> None:
    for schema in (ROOT / "schemas").glob("*.json"):
        for field in yaml.safe_load(schema.read_text(encoding="utf-8"))["properties"]:
            assert f"`{field}`" in GUIDE, f"{schema.stem}: {field}"


def test_every_host_is_told() -> None:
    metadata = yaml.safe_load((ROOT / "metadata.yaml").read_text(encoding="utf-8"))
    hosts = [host for host in metadata["data"]["allowedHosts"]["hosts"] if not host.startswith("$")]
    connecting = (ROOT / "docs" / "connecting.md").read_text(encoding="utf-8")
    assert [host for host in hosts if f"`{host}`" not in GUIDE or f"`{host}`" not in connecting] == []


@pytest.mark.parametrize(
    "file", ["docs/binance-futures.md", "metadata.yaml", "source_binance_futures/cli.py", "README.md"]
)
def test_binances_pages_are_those_of_today(file: str) -> None:
    assert OLD_PAGES not in (ROOT / file).read_text(encoding="utf-8")
