"""Run by PyAirbyte's interpreter: the Python file given, twice, and a line from stdin awaited in between.

PyAirbyte takes longer to be imported than to sync, so both syncs share a process. They share what the source has told
of itself (`spec`, `discover`) for the same reason; the cache, with the state in it, is opened anew.
"""

from __future__ import annotations

import runpy
import sys
from pathlib import Path
from typing import Any

import airbyte


def main() -> None:
    program, done = sys.argv[1], Path(sys.argv[2])
    get_source = airbyte.get_source
    known: dict[str, Any] = {}

    def get_known_source(name: str, **options: Any) -> Any:
        return known.setdefault(name, get_source(name, **options))

    airbyte.get_source = get_known_source
    for number in (1, 2):
        runpy.run_path(program)
        with done.open("a") as file:
            file.write(f"{number}\n")
        if number == 1:
            sys.stdin.readline()


if __name__ == "__main__":
    main()
