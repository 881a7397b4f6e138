"""The throughput figures as one bar chart."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

import pygal  # type: ignore[import-untyped]


def draw(medians: Mapping[str, float]) -> str:
    """An SVG of every figure in updates a second."""
    chart = pygal.HorizontalBar(
        title="Updates a second, medians of one run", show_legend=False, print_values=True, height=480, js=[]
    )
    rates = {name: value for name, value in medians.items() if name.endswith("/s)")}
    chart.x_labels = [name.rpartition(" (")[0] for name in rates]
    chart.add("", [round(value) for value in rates.values()])
    chart.value_formatter = "{:,.0f}".format
    return cast(str, chart.render(is_unicode=True))
