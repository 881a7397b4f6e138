"""The pure modules, and the unit tests that cover each.

Without the simulation, which takes too long for hundreds of mutants; `unit_tests.mutation.lines` has lines for it.
"""

from __future__ import annotations

from collections.abc import Mapping

PACKAGE = "source_binance_futures"


# Below the package, in the folder of the tests; `.py` is left out.
TESTS: Mapping[str, tuple[str, ...]] = {
    "config": ("test_config",),
    "binance/endpoints": ("test_endpoints",),
    "binance/errors": ("test_refusals", "test_errors", "test_failures"),
    "binance/text": ("test_text",),
    "binance/transport/address": ("test_address",),
    "binance/transport/framing": ("test_framing",),
    "binance/transport/handshake": ("test_http_head", "test_handshake"),
    "binance/websocket_api/prices": ("test_prices", "test_weight"),
    "binance/market_stream/backoff": ("test_backoff",),
    "binance/market_stream/contracts": ("test_contracts",),
    "binance/market_stream/coverage": ("test_coverage",),
    "binance/market_stream/exchange_clock": ("test_exchange_clock",),
    "binance/market_stream/failover": ("test_failover",),
    "binance/market_stream/items": ("test_items",),
    "binance/market_stream/line": ("test_line",),
    "binance/market_stream/messages": ("test_messages", "test_scan"),
    "binance/market_stream/samples": ("test_own_and_samples",),
    "binance/market_stream/subscriptions": ("test_subscriptions", "test_scan"),
    "live/expectations": ("live/test_expectations",),
    "live/report": ("live/test_report",),
    "live/stats": ("live/test_stats",),
    "streams/cursor": ("test_cursor",),
    "streams/progress": ("test_progress",),
    "streams/selection": ("test_selection",),
    "streams/tally": ("test_tally",),
}


def name_of(module: str) -> str:
    """As Python imports it."""
    return f"{PACKAGE}/{module}".replace("/", ".")


def files_of_tests(module: str) -> list[str]:
    """As pytest takes them, from the root of the project."""
    return [f"unit_tests/{test}.py" for test in TESTS[module]]
