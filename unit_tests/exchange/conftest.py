from __future__ import annotations

from collections.abc import Iterator

import pytest

from local_exchange import LocalExchange


@pytest.fixture
def exchange() -> Iterator[LocalExchange]:
    """An exchange that pushes only what the test pushes, at once, on the all-market stream as well."""
    with LocalExchange(rate=0, sample_every=None, own_stream_lag=0) as exchange:
        yield exchange
