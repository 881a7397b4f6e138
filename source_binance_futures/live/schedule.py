"""When what happens in a run, all as seconds from its beginning. Pure."""

from __future__ import annotations

from dataclasses import dataclass

MOST_CONNECTIONS = 9  # in the whole run, attempts counted


@dataclass(frozen=True)
class Schedule:
    """Of a run that lasts `seconds`; a short one does the same in less time."""

    seconds: float

    @property
    def choose_after(self) -> float:
        """An address later in the list is used only where those before it have brought nothing by then."""
        return min(6.0, self.seconds / 6)

    @property
    def address_patience(self) -> float:
        """How long an address that is not used is listened to."""
        return min(20.0, self.seconds / 3)

    @property
    def probe_after(self) -> float:
        """When names that should stay silent are subscribed; contracts have appeared by then."""
        return min(15.0, self.seconds / 4)

    @property
    def replace_after(self) -> float:
        """When the connection in use is replaced as planned."""
        return self.seconds * 0.55

    @property
    def overlap(self) -> float:
        """How long both are read then."""
        return min(12.0, self.seconds / 4)
