"""Mutants that no test can notice, since nothing that is promised changes, each with its reason."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Excused(NamedTuple):
    """`before` becomes `after` on the line that holds `on`."""

    on: str
    before: str
    after: str


NEVER = "nothing is due before any moment that the monotonic clock tells"
UNREAD = "never read before it is set anew"

EXCUSED: Mapping[str, Mapping[Excused, str]] = {
    "binance/market_stream/backoff": {
        Excused("_not_before = 0.0", "0.0", "-1.0"): NEVER,
        Excused("_asked_to_wait_until = 0.0", "0.0", "-1.0"): NEVER,
        Excused("_second_not_before = 0.0", "0.0", "-1.0"): NEVER,
        Excused("self._not_before = 0.0 if", "0.0", "-1.0"): NEVER,
        Excused("self._unproven + 1, 16", "16", "17"): "the longest pause is reached after 6",
        Excused("self._unproven + 1, 16", "16", "15"): "the longest pause is reached after 6",
    },
    "binance/market_stream/failover": {
        Excused("_alone_since = 0.0", "self._alone_since = 0.0", "pass"): UNREAD,
        Excused("_alone_since = 0.0", "0.0", "1.0"): UNREAD,
        Excused("_alone_since = 0.0", "0.0", "-1.0"): UNREAD,
        Excused("_behind_since = 0.0", "self._behind_since = 0.0", "pass"): UNREAD,
        Excused("_behind_since = 0.0", "0.0", "1.0"): UNREAD,
        Excused("_behind_since = 0.0", "0.0", "-1.0"): UNREAD,
    },
    "binance/market_stream/items": {
        Excused("if seconds > 0 else", "seconds > 0", "seconds >= 0"): "waiting for no time is not waiting",
    },
    "binance/market_stream/samples": {
        Excused("self.newest = -1", "1", "2"): "update ids are positive",
        Excused("self.newest = -1", "1", "0"): "update ids are positive",
        Excused("self.line = -1", "1", "2"): "no line has either number",
        Excused("contract.line, contract.waits_for = -1", "1", "2"): "no line has either number",
        Excused("self.first_at = 0", "self.first_at = 0", "pass"): UNREAD,
        Excused("self.first_at = 0", "0", "1"): UNREAD,
        Excused("self.first_at = 0", "0", "-1"): UNREAD,
        Excused("self.rest_until = 0", "0", "1"): "a microsecond of 1970",
        Excused("self.rest_until = 0", "0", "-1"): "a microsecond of 1970",
        Excused("contract.alarms + 1, 5", "5", "6"): "the longest rest is reached after 5",
    },
    "binance/endpoints": {
        Excused('safe="@_!"', "'@_!'", "'XX@_!'"): "letters are safe anyway",
    },
    "binance/text": {
        Excused("QUOTED * 4", "4", "5"): "four bytes are the longest character; the text is cut again",
    },
    "binance/transport/framing": {
        Excused("_needed = SHORTEST_HEADER  # bytes", "self._needed = SHORTEST_HEADER", "pass"): UNREAD,
        Excused("_fragments_size = 0", "self._fragments_size = 0", "pass"): UNREAD,
        Excused("_fragments_size = 0", "0", "1"): UNREAD,
        Excused("_fragments_size = 0", "0", "-1"): UNREAD,
        Excused(
            "if position < len(data)",
            "position < len(data) and self.violation is None",
            "position < len(data) or self.violation is None",
        ): "what is held of a stream that broke the protocol is never cut",
        Excused("if position < len(data)", "position < len(data)", "position <= len(data)"): "nothing more is held",
        Excused("elif length > LENGTH_16", "length > LENGTH_16", "length >= LENGTH_16"): "that length came before",
    },
    "binance/websocket_api/prices": {
        Excused("self._told_at = 0.0", "0.0", "1.0"): UNREAD,
        Excused("self._told_at = 0.0", "0.0", "-1.0"): UNREAD,
    },
    "binance/market_stream/messages": {
        Excused("WIRE_KEYS = ", "'u'", "'XXu'"): "what is parsed has it, so no null stands in for it",
        Excused("WIRE_KEYS = ", "'s'", "'XXs'"): "what is parsed has it, so no null stands in for it",
        Excused("MAY_BE_DEEP = ", "500", "501"): "what is too deep has at least 508 bytes",
        Excused("MAY_BE_DEEP = ", "500", "499"): "what is too deep has at least 508 bytes",
        Excused("> MAY_BE_DEEP", "len(payload) > MAY_BE_DEEP", "len(payload) >= MAY_BE_DEEP"): (
            "what is too deep has at least 508 bytes"
        ),
    },
    "config": {
        Excused("addresses = (found", "0", "-1"): "a custom environment has one address for each",
        Excused("zip(CUSTOM_ADDRESSES, addresses", "True", "False"): "both have three",
    },
    "streams/selection": {
        Excused("NO_FEED = -1", "NO_FEED = -1", "NO_FEED = None"): "nothing looks at the feed of this gap",
        Excused("NO_FEED = -1", "-1", "+1"): "nothing looks at the feed of this gap",
        Excused("NO_FEED = -1", "1", "2"): "nothing looks at the feed of this gap",
        Excused("NO_FEED = -1", "1", "0"): "nothing looks at the feed of this gap",
        Excused(
            "restart.since is not None and",
            "restart.since is not None and restart.until is not None",
            "restart.since is not None or restart.until is not None",
        ): "a restart has both or neither",
        Excused("max(self._exchange_ahead_us", "0", "1"): "a microsecond",
        Excused("max(self._exchange_ahead_us", "0", "-1"): "a microsecond",
    },
    "streams/progress": {
        Excused('return ""', "return ''", "return None"): "both are left out of the line",
    },
    "streams/tally": {
        Excused("self.heard_at_us or 0", "0", "1"): "a microsecond of 1970",
        Excused("self.heard_at_us or 0", "0", "-1"): "a microsecond of 1970",
    },
    "streams/cursor": {
        Excused(
            "is int and self._newest_time",
            "self._newest_time < transaction_time <= self._latest_time",
            "self._newest_time <= transaction_time <= self._latest_time",
        ): "the newest time becomes what it is",
    },
    "binance/market_stream/subscriptions": {
        Excused("_next_message_at = 0.0", "0.0", "-1.0"): NEVER,
        Excused("request_id or 0", "0", "-1"): "no request has either number",
        Excused("self._waiting.pop(request", "0.0", "1.0"): "nothing looks at the moment",
        Excused("self._waiting.pop(request", "0.0", "-1.0"): "nothing looks at the moment",
    },
}
