"""The code that ships, in virtual time: bytes of frames in; rows, STATEs and log lines out; one thread, one seed.

The exchange is the local exchange itself on a virtual clock. `make simulate SEEDS=10000` runs many chains of syncs,
`make simulate SEED=7` replays one with everything that happens.
"""

from __future__ import annotations

from .chain import Outcome, simulate

__all__ = ["Outcome", "simulate"]
