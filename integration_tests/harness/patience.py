"""How much slower than its clocks a busy machine may be: one factor for every deadline of a test.

`TEST_PATIENCE=3 make test` waits three times as long for what must come, and allows three times as much where a test
holds the connector to a time. What a test waits for ends it at once, so patience costs nothing where all is well.
"""

from __future__ import annotations

import os

FACTOR = float(os.environ.get("TEST_PATIENCE", "1"))


def patient(seconds: float) -> float:
    """So many seconds on a machine with nothing else to do, more of them on a busy one."""
    return seconds * FACTOR


SOON = patient(30.0)  # seconds within which happens what is due at once
