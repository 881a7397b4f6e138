"""The pure modules, the unit tests that cover each, and the mutants that no test can notice.

Without the simulation, which takes too long for hundreds of mutants; `unit_tests.mutation.lines` has lines for it.
"""

from __future__ import annotations

from collections.abc import Mapping

PACKAGE = "source_binance_futures"

FOLDERS: Mapping[str, tuple[str, ...]] = {
    ".": ("config",),
    "binance": ("endpoints", "errors", "text"),
    "binance/transport": ("address", "framing", "handshake"),
    "binance/websocket_api": ("prices",),
    "binance/market_stream": (
        *("backoff", "coverage", "exchange_clock", "failover"),
        *("items", "line", "messages", "subscriptions"),
    ),
    "live": ("expectations", "stats"),
    "streams": ("cursor", "selection", "summary"),
}
MODULES = tuple(f"{folder}/{name}".removeprefix("./") for folder, names in FOLDERS.items() for name in names)

NEVER = "nothing is due before any moment that the monotonic clock tells"
UNREAD = "never read before it is set anew"
MICROSECOND = "a microsecond of 1970"
TOO_DEEP = "what is too deep has at least 508 bytes"
NO_FEED = "nothing looks at the feed of this gap"

# Of a module: on the line that holds the first text, the second may become any of the others; nothing that is promised
# changes, for the reason at the end.
EXCUSED: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "binance/market_stream/backoff": (
        ("_second_not_before = 0.0", "0.0", "-1.0", NEVER),
        ("listens_again_at or 0.0", "0.0", "1.0", "-1.0", NEVER),
        ("MAX_ATTEMPTS else 0.0", "0.0", "-1.0", NEVER),
        ("if alive else 0.0", "0.0", "-1.0", NEVER),
        ("self._unproven + 1, 16", "16", "17", "15", "the longest pause is reached after 6"),
    ),
    "binance/market_stream/exchange_clock": (
        (
            "self._fastest = self._fastest_before",
            "self._fastest = self._fastest_before = float('-inf')",
            "pass",
            UNREAD,
        ),
        ("_period_began = 0.0", "self._period_began = 0.0", "pass", UNREAD),
        ("_period_began = 0.0", "0.0", "1.0", "-1.0", UNREAD),
        ("_first: float | None = 0.0", "0.0", "1.0", "-1.0", UNREAD),
    ),
    "binance/market_stream/items": (
        ("PAYLOAD_OVERHEAD = ", "64", "65", "63", "an estimate"),
        ("BATCH_OVERHEAD = ", "256", "257", "255", "an estimate"),
        ("block=seconds > 0", "seconds > 0", "seconds >= 0", "waiting for no time is not waiting"),
    ),
    "binance/market_stream/coverage": (
        ("newest: int = 0", "0", "-1", "update ids are positive"),
        ("line: int = -1", "1", "2", "no line has either number"),
        ("contract.line, contract.waits_for = -1, NO_ID", "1", "2", "no line has either number"),
        ("first_at: int = 0", "0", "1", "-1", UNREAD),
        ("rest_until: int = 0", "0", "1", "-1", MICROSECOND),
        ("current_us: int = 0", "0", "1", "-1", MICROSECOND),
        ("rows_until_us: int = 0", "0", "1", "-1", MICROSECOND),
        ("max(self._rows_until_us", "0", "1", "-1", MICROSECOND),
        ("self._newest_rows_us.get(", "0", "1", "-1", MICROSECOND),
    ),
    "binance/endpoints": (('safe="@_!"', "'@_!'", "'XX@_!'", "letters are safe anyway"),),
    "binance/text": (("QUOTED * 4", "4", "5", "four bytes are the longest character; the text is cut again"),),
    "binance/transport/framing": (
        ("_needed = SHORTEST_HEADER  # bytes", "self._needed = SHORTEST_HEADER", "pass", UNREAD),
        ("_fragments_size = 0", "self._fragments_size = 0", "pass", UNREAD),
        ("_fragments_size = 0", "0", "1", "-1", UNREAD),
        ("elif length > LENGTH_16", "length > LENGTH_16", "length >= LENGTH_16", "that length came before"),
    ),
    "binance/websocket_api/prices": (("self._minute = 0.0", "0.0", "1.0", "-1.0", UNREAD),),
    "binance/market_stream/messages": (
        ("WIRE_KEYS = ", "'u'", "'XXu'", "what is parsed has it, so no null stands in for it"),
        ("WIRE_KEYS = ", "'s'", "'XXs'", "what is parsed has it, so no null stands in for it"),
        ("MAY_BE_DEEP = ", "500", "501", "499", TOO_DEEP),
        ("> MAY_BE_DEEP", "len(payload) > MAY_BE_DEEP", "len(payload) >= MAY_BE_DEEP", TOO_DEEP),
    ),
    "config": (
        ("addresses = (found", "0", "-1", "a custom environment has one address for each"),
        ("zip(CUSTOM_ADDRESSES, addresses", "True", "False", "both have three"),
    ),
    "streams/selection": (
        ("NO_FEED = -1", "NO_FEED = -1", "NO_FEED = None", NO_FEED),
        ("NO_FEED = -1", "-1", "+1", NO_FEED),
        ("NO_FEED = -1", "1", "2", "0", NO_FEED),
        ("max(ahead_us, default=0)", "0", "1", "-1", MICROSECOND),
    ),
    "streams/summary": (("newest_read_us: int = 0", "0", "1", "-1", MICROSECOND),),
    "streams/cursor": (
        (
            "is int and self._newest_time",
            "self._newest_time < transaction_time <= self._latest_time",
            "self._newest_time <= transaction_time <= self._latest_time",
            "the newest time becomes what it is",
        ),
    ),
}


def name_of(module: str) -> str:
    """As Python imports it."""
    return f"{PACKAGE}/{module}".replace("/", ".")


def file_of_tests(module: str) -> str:
    """As pytest takes them, from the root of the project."""
    folder, _, name = module.rpartition("/")
    return f"unit_tests/{'live/' if folder == 'live' else ''}test_{name}.py"


def excuse(module: str, line: str, before: str, after: str) -> str | None:
    """The reason why nobody can notice that `before` becomes `after` on this line, if there is one."""
    for on, excused, *afters, reason in EXCUSED.get(module, ()):
        if excused == before and after in afters and on in line:
            return reason
    return None
