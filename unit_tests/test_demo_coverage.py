"""How `make demo` draws what its rows vouch for."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from demo.report import CELLS, SYMBOLS_SHOWN, drawing, drawn, hole_at, in_words

S = 1_000_000


@pytest.mark.parametrize(
    ("stretches", "moment", "seconds"),
    [
        pytest.param([(0, 4), (9, 12)], 5, 5, id="between two"),
        pytest.param([(0, 4), (9, 12)], 9, 5, id="the second begins there"),
        pytest.param([(0, 1), (2, 4), (9, 10), (11, 12)], 5, 5, id="gaps within the syncs do not count"),
        pytest.param([(0, 4)], 5, None, id="nothing after it"),
        pytest.param([(9, 12)], 5, None, id="nothing before it"),
        pytest.param([], 5, None, id="none"),
    ],
)
def test_the_hole_between_the_syncs(stretches: list[tuple[float, float]], moment: float, seconds: float | None) -> None:
    assert hole_at([(round(a * S), round(b * S)) for a, b in stretches], round(moment * S)) == seconds


def test_a_cell_is_covered_where_all_of_it_is() -> None:
    assert drawn([(0, CELLS)], 0, CELLS) == "━" * CELLS
    assert drawn([(1, 3), (4, 6)], 0, CELLS) == "·━━·━━".ljust(CELLS, "·")
    assert drawn([(10, 25)], 0, 10 * CELLS) == "·━".ljust(CELLS, "·")
    assert drawn([(7, 7)], 7, 7) == "·" * CELLS


def test_it_fits_into_80_columns_and_shows_as_many_contracts_as_one_reads() -> None:
    symbols = [f"BTCUSD_{260600 + number}" for number in range(SYMBOLS_SHOWN + 5)]
    of_symbol = {symbol: [(0, 6 * S), (20 * S, 90 * S)] for symbol in symbols}
    output = io.StringIO()
    Console(file=output, width=80).print(drawing(of_symbol, 10 * S))
    lines = output.getvalue().splitlines()
    assert max(map(len, lines)) <= 80
    assert len(lines) == 2 + SYMBOLS_SHOWN
    assert "90 seconds" in lines[0]
    assert lines[2].split() == [symbols[0], drawn(of_symbol[symbols[0]], 0, 90 * S), "14.0", "s"]


def test_the_sentence_has_the_shortest_and_the_longest() -> None:
    said = in_words([5.24, None, 6.81, 6.0])
    assert said.startswith("The hole between the syncs: 5.2 to 6.8 seconds, by contract.")
    assert max(map(len, in_words([1234.5, 2345.6]).splitlines())) <= 80
    assert in_words([None]) == "No contract was covered by both syncs."
