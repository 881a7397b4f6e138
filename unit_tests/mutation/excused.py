"""Mutants that no test can notice, since nothing that is promised changes, each with its reason."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Excused(NamedTuple):
    """`before` becomes `after` on the line that holds `on`."""

    on: str
    before: str
    after: str


EXCUSED: Mapping[str, Mapping[Excused, str]] = {}
