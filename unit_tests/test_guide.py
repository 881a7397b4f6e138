"""docs/binance-futures.md is what Airbyte shows beside the form: what its panel can show, and what the form says."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parent.parent
GUIDE = (ROOT / "docs" / "binance-futures.md").read_text(encoding="utf-8")


def test_the_panel_can_show_it() -> None:
    """It turns links to other pages of ours into dead ones, and puts an invisible character before a number that ends
    a sentence, which whoever copies the number would take along.
    """
    targets = re.findall(r"\]\(([^)\s]+)\)", GUIDE)
    assert targets
    assert [target for target in targets if not target.startswith(("https://", "#"))] == []
    sentences = re.sub(r"`[^`]*`", "", GUIDE)
    assert re.findall(r"^.*\w+ \d+\.(?:\s.*)?$", sentences, re.MULTILINE) == []


def test_it_tells_every_field_of_the_form_of_the_records_and_every_host() -> None:
    """Fields in their order; within a group the form shows those with `always_show` and choices, and folds the rest."""
    spec = yaml.safe_load((ROOT / "source_binance_futures" / "spec.yaml").read_text(encoding="utf-8"))
    properties = spec["connectionSpecification"]["properties"]
    rows = re.findall(r"^\| ([^|]+) \| `(\w+)` \| [^|]+ \|$", GUIDE, re.MULTILINE)
    assert [(title, option) for title, option in rows if option in properties] == [
        (node["title"] + ("" if node.get("always_show") or "oneOf" in node else " (folded)"), option)
        for option, node in properties.items()
    ]
    for schema in (ROOT / "schemas").glob("*.json"):
        for field in yaml.safe_load(schema.read_text(encoding="utf-8"))["properties"]:
            assert f"`{field}`" in GUIDE, f"{schema.stem}: {field}"
    hosts = yaml.safe_load((ROOT / "metadata.yaml").read_text(encoding="utf-8"))["data"]["allowedHosts"]["hosts"]
    connecting = (ROOT / "docs" / "connecting.md").read_text(encoding="utf-8")
    for host in hosts:
        assert host.startswith("$") or (f"`{host}`" in GUIDE and f"`{host}`" in connecting), host
