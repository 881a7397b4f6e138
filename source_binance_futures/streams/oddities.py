"""The frames of a capture that are no book tickers: counted, and the first few quoted."""

from __future__ import annotations

import logging

from ..binance.text import quoted

QUOTED_OF_EACH_KIND = 3


class Oddities:
    """Counts frames that are sound but something else (`other`), and frames that are not sound (`malformed`)."""

    def __init__(self, logger: logging.Logger) -> None:
        self.other = 0
        self.malformed = 0
        self._logger = logger

    def count_other(self, payload: bytes) -> None:
        self.other += 1
        if self.other <= QUOTED_OF_EACH_KIND:
            self._logger.warning(f"A frame that is not a book ticker was left out: {quoted(payload)}")

    def count_malformed(self, payload: bytes, why: str) -> None:
        self.malformed += 1
        if self.malformed <= QUOTED_OF_EACH_KIND:
            self._logger.warning(f"A malformed frame was left out ({why}): {quoted(payload)}")
