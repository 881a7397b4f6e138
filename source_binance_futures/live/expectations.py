"""What this connector expects of Binance, as rows of a table, each judged by what a run has counted.

Then what was found: lines for a terminal, a page for an issue, a file for a program. Pure.
"""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

from ..binance.market_stream.coverage import LATE_AFTER_US
from ..binance.market_stream.exchange_clock import UNCERTAINTY_BY_EVENT_TIME
from ..binance.market_stream.line import BEHIND_AFTER, Timing
from ..binance.market_stream.subscriptions import ANSWER_WITHIN
from ..binance.text import utc
from ..binance.websocket_api.prices import ALL_SYMBOLS_WEIGHT, HANDSHAKE_WEIGHT, INVALID_SYMBOL, ONE_SYMBOL_WEIGHT
from .stats import ENOUGH, PONG_WITHIN, Stats

HOLDS, UNSEEN, DIFFERS = VERDICTS = ("holds", "unseen", "differs")  # what differs is shown last, nearest to the eye
DEFAULT_MINUTES, LONG = 3, 10
SILENT_FROM = 4.0  # seconds of listening after which what brought nothing is called silent
UNKNOWN_ANSWER = f"status 400 and code {INVALID_SYMBOL}"
MOST_A_SECOND = 10_000  # frames, what a sync takes with room to spare: docs/decisions.md, Measured
LATE_AFTER, PATIENCE, BACK_MS = LATE_AFTER_US // 1_000_000, Timing().patience, UNCERTAINTY_BY_EVENT_TIME * 1000
ANY = float("inf")
NONE, SOME = (0, 0), (1, ANY)
DOCUMENTATION = "https://developers.binance.com/en/docs/products/derivatives-trading-usds-futures"


class Expectation(NamedTuple):
    """Each of `counters` (names with spaces between) is `within` two bounds, in `enough` of what `of` counts.

    Where none is expected any contradicts it, in however little. `promise` is what this connector could not keep if it
    were wrong; None where the connector works either way. `minutes` is how long a run must be to see it.
    """

    name: str
    says: str
    counters: str
    of: str
    promise: str | None = None
    enough: float = 1
    within: tuple[float, float] = NONE
    minutes: int = DEFAULT_MINUTES


class Judged(NamedTuple):
    """An expectation as report.json has it. It `matters` where it differs, and a promise depends on it."""

    name: str
    expectation: str
    seen: str
    verdict: str
    matters: bool
    promise: str | None
    minutes: int


def judge(stats: Stats) -> list[Judged]:
    """Judge each expectation; one that needs a longer run says so where it could not be seen."""
    judged = []
    for name, says, counters, of, promise, enough, (low, high), minutes in EXPECTATIONS:
        found = {counter: stats[counter] for counter in counters.split()}
        seen = f"{', '.join(map(counted, found.values(), found))} in {counted(stats[of], of)}"
        why = stats.get("failures", {}).get(of)
        amounts = [len(each) if isinstance(each, Counter) else each for each in found.values()]
        verdict = HOLDS if all(low <= amount <= high for amount in amounts) else DIFFERS
        if stats[of] < enough and (verdict is HOLDS or high):
            verdict = UNSEEN
            too_short = stats["seconds"] < minutes * 60 and minutes > DEFAULT_MINUTES
            why = f"it takes MINUTES={minutes}" if too_short else why or "too few"
        matters = verdict is DIFFERS and promise is not None
        judged.append(Judged(name, says, f"{seen}: {why}" if why else seen, verdict, matters, promise, minutes))
    return judged


def counted(found: Any, things: str) -> str:
    """Return `1 frame`, `12,345 own updates`, `x (4), y (3) among unknown keys`; `things` is the name of a counter."""
    words = things.replace("_", " ")
    if not isinstance(found, Counter):
        return f"{found:,} {words.removesuffix('s') if found == 1 else words}"
    named = ", ".join(f"{kind} ({count:,})" for kind, count in found.most_common(3))
    return f"{named}{f' and {len(found) - 3} more' if len(found) > 3 else ''} among {words}"


ONCE = "An update leaves once, and none is taken for an old one."
COMPARED = "Two connections are compared by E, so that replacing one loses nothing."
WEIGHT = "A sync waits before it would break Binance's limit."

# fmt: off
EXPECTATIONS = (
    # which address brings which contracts
    Expectation("coin_m_address", "COIN-M's streams come at dstream, with a plain path",
        "coin_m_address_frames", "coin_m_address_seconds",
        "A sync hears of every contract from its first seconds; at a silent address it loses 30 seconds first.",
        enough=SILENT_FROM, within=SOME),
    Expectation("coin_m_public", "dstream brings the same at /public",
        "coin_m_public_frames", "coin_m_public_seconds", enough=SILENT_FROM, within=SOME),
    Expectation("usds_m_address", "USDⓈ-M's streams come at fstream/public",
        "usds_m_address_frames", "usds_m_address_seconds", "Contracts of USDⓈ-M are followed by their own streams.",
        enough=SILENT_FROM, within=SOME),
    Expectation("plain_path", "fstream without /public still brings book tickers",
        "plain_path_frames", "plain_path_seconds", enough=SILENT_FROM, within=SOME),
    Expectation("wrong_path", "fstream/market, the path of other streams, shakes hands and stays silent",
        "wrong_path_frames wrong_path_refused", "wrong_path_seconds", enough=SILENT_FROM),
    Expectation("both_routes", "The testnet's fstream brings data at /public and without",
        "usds_m_address_frames plain_path_frames", "testnet_seconds", enough=SILENT_FROM, within=SOME),
    Expectation("cross_host", "A USDⓈ-M contract's own stream stays silent on COIN-M's host",
        "cross_frames", "cross_seconds", enough=SILENT_FROM),
    Expectation("merged", "The all-market stream carries both markets, on either host",
        "lone_markets", "sampled_connections"),
    # how often, and in which order
    Expectation("sample_pace", "The all-market stream is a sample of each contract about every 5 seconds",
        "seconds_between_samples", "sample_distances", "`sampled` means about one row in 5 seconds of each contract.",
        enough=5, within=(4.0, 6.0)),
    Expectation("own_pace", "A contract's own stream brings every change, in real time",
        "silent_own_streams updates_like_samples", "updates_in_real_time", "Every change is captured.", enough=ENOUGH),
    Expectation("samples_found", "Every sample's u is one that the own stream brings too",
        "samples_missing samples_overdue", "samples_compared",
        "Own streams are complete, and a dead one is found by its samples.", enough=5),
    Expectation("samples_ahead", f"A sample runs ahead of its own stream by less than {LATE_AFTER} seconds",
        "ms_ahead_at_most", "samples_found", "An own stream that is only late is not taken for dead.", enough=5,
        within=(-ANY, LATE_AFTER * 1000 - 1)),
    Expectation("ids_rise", "u rises strictly within a contract's own stream; no frame comes twice",
        "own_steps_back own_repeats", "own_updates", ONCE, enough=ENOUGH),
    Expectation("sample_ids", "u never goes back within a contract's samples",
        "sample_steps_back", "sample_updates", ONCE, enough=ENOUGH),
    Expectation("times_rise", "E and T never go back within a contract",
        "event_times_back transaction_times_back", "frames", COMPARED, enough=ENOUGH),
    Expectation("ids_across", "u goes back across contracts, even on one connection",
        "steps_back_across", "own_updates", enough=100, within=SOME),
    Expectation("times_across", f"E goes back across contracts by {BACK_MS:.0f} ms at most",
        "ms_back_at_most", "own_updates", COMPARED, enough=100, within=(0, BACK_MS)),
    # what the frames hold
    Expectation("field_types", "e s b B a A are strings, prices and quantities decimals; u T E integers",
        "wrong_types unreadable_frames", "frames", "Records hold what was sent, and fit the schema."),
    Expectation("unknown_keys", "A book ticker has the eleven known keys and no other",
        "unknown_keys", "frames"),
    Expectation("other_frames", "Nothing but book tickers and answers comes",
        "other_frames", "frames"),
    Expectation("wrapper", "/stream says of each frame whether the contract's own stream or !bookTicker brought it",
        "other_streams", "frames", "Samples are kept apart from changes."),
    Expectation("symbol_type", "st is 1 for USDⓈ-M and 2 for COIN-M, in every frame, as the symbol's shape says",
        "odd_symbol_types", "frames", "Contracts of the other market are left out by it."),
    Expectation("pair", "ps is in every frame", "ps_missing", "frames"),
    Expectation("sound_books", "No book is crossed, empty or zero",
        "odd_books", "frames"),
    Expectation("frame_size", "A book ticker has 160 to 310 bytes, with what is wrapped around it",
        "bytes_a_frame", "frames", within=(160, 310)),
    Expectation("frame_rate", f"One connection brings fewer than {MOST_A_SECOND:,} frames in a second",
        "frames_in_the_busiest_second", "frames", "A sync keeps up with what comes.", within=(0, MOST_A_SECOND - 1)),
    Expectation("contract_info", "!contractInfo brings new contracts: symbol, status, onboard and delivery date",
        "contract_info_faults", "contract_infos", minutes=LONG),
    # how connections live, answer and end
    Expectation("ping_interval", "The server pings about every 3 minutes",
        "seconds_between_pings", "seconds_listened", enough=480.0, within=(120.0, 240.0), minutes=LONG),
    Expectation("ping_payload", "A ping carries the time in milliseconds",
        "odd_pings", "pings", minutes=LONG),
    Expectation("client_ping", f"A ping of ours is answered within {PONG_WITHIN:.0f} seconds",
        "client_pings_unanswered", "client_pings_asked", "A quiet connection and a dead one differ by it."),
    Expectation("acknowledged", f"SUBSCRIBE is acknowledged within {ANSWER_WITHIN:.0f} seconds",
        "contracts_refused contracts_unanswered", "contracts_asked",
        "Contracts that appear later are followed over the open connection."),
    Expectation("unknown_name", "An unknown or uppercase name is acknowledged and stays silent",
        "unknown_refused unknown_unanswered unknown_frames", "unknown_seconds", enough=SILENT_FROM),
    Expectation("longest_silence", f"A connection is never silent for {PATIENCE:.0f} seconds",
        "seconds_silent", "seconds_listened",
        "No connection is replaced, and no row loses its coverage, for want of news.", enough=PATIENCE,
        within=(0, PATIENCE - 0.1)),
    Expectation("connections_last", "A connection lasts until it is left",
        "lost", "connections_used"),
    Expectation("replacement", "Two connections with the same streams bring the same",
        "only_over_first only_over_second", "over_both",
        "A planned reconnect loses nothing, and a standby fills a gap.", enough=20),
    Expectation("lag", f"Updates arrive within {BEHIND_AFTER:.0f} second of E, and the clocks agree as well",
        "median_lag_ms", "timed_updates",
        "received_at_us may stand beside event_time, and a connection that is on time counts as such.",
        within=(-BEHIND_AFTER * 1000, BEHIND_AFTER * 1000)),
    # the WebSocket API
    Expectation("one_symbol", "ticker.price with a symbol answers one row: symbol, price as a decimal string, time",
        "one_symbol_faults", "answers", "symbol_prices holds what was sent."),
    Expectation("all_symbols", "ticker.price without one answers a list of such rows",
        "all_symbols_faults", "answers", "symbol_prices holds what was sent, of every symbol.", enough=2),
    Expectation("unknown_symbol", f"An unknown symbol is answered with {UNKNOWN_ANSWER}",
        "unknown_symbol_faults", "answers", "A mistyped symbol is named in a sentence.", enough=3),
    Expectation("only_usds_m", "ticker.price lists no COIN-M contracts",
        "coin_m_rows", "rows", "symbol_prices is USDⓈ-M's alone, as the documents say."),
    Expectation("handshake_weight",
        f"A handshake costs a weight of {HANDSHAKE_WEIGHT} (other programs on this address blur it)",
        "handshake_weight", "weights", WEIGHT, within=(HANDSHAKE_WEIGHT, HANDSHAKE_WEIGHT)),
    Expectation("price_weight", f"ticker.price costs {ONE_SYMBOL_WEIGHT} with a symbol, {ALL_SYMBOLS_WEIGHT} without",
        "other_price_weights", "weights", WEIGHT),
    Expectation("weight_limit", "The limit is a weight of 2,400 a minute",
        "weight_limit", "answers", enough=5, within=(2400, 2400)),
    Expectation("book_ids", "ticker.book answers lastUpdateId, one that the contract's own stream brings",
        "books_missing book_faults", "books_compared"),
)
# fmt: on


# --- what was found ---


def lines(judged: Sequence[Judged]) -> str:
    """Write each expectation with what was seen below it, in 80 columns, and what the differences put at risk.

    `!` marks a difference on which a promise depends.
    """
    found = []
    for verdict in VERDICTS:
        for each in judged:
            if each.verdict == verdict:
                mark = "!" if each.matters else " "
                found += _wrapped(f"{mark} {verdict:<8}", each.expectation) + _wrapped(" " * 12, each.seen)
    holds, unseen, differs = (sum(each.verdict == verdict for each in judged) for verdict in VERDICTS)
    found += ["", f"Of {len(judged)} expectations {holds} hold, {differs} differ, and {unseen} could not be seen."]
    at_risk = [line for each in judged if each.matters for line in _wrapped("! ", f"{each.name}: {each.promise}")]
    found += ["A promise of this connector hangs on these:", *at_risk] if at_risk else []
    return "\n".join(found)


def _wrapped(begin: str, text: str) -> list[str]:
    return textwrap.wrap(text, 80, initial_indent=begin, subsequent_indent=" " * len(begin))


def page(stats: Stats, judged: Sequence[Judged], version: str) -> str:
    """Write a page that can be pasted into an issue."""
    return (
        f"# The exchange itself, asked\n\nEnvironment `{stats['environment']}`, "
        f"{utc(stats['started_ms'] / 1000, 'seconds')}, listened for {stats['seconds']:.0f} seconds"
        f"{', stopped early' if stats['stopped_early'] else ''}, {stats['connections']} connections, "
        f"connector {version}. Binance's documentation: {DOCUMENTATION}.\n\n```text\n{lines(judged)}\n```\n"
    )


def document(stats: Stats, judged: Sequence[Judged], version: str) -> dict[str, Any]:
    """Return all of it for a program: the verdicts, and the counters that they rest on."""
    return {"connector": version, "expectations": [each._asdict() for each in judged], "stats": stats}
