"""What this connector expects of Binance, as rows of a table, each judged by what a run has counted.

Then what was found: lines for a terminal, a page for an issue, a file for a program. Pure.
"""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from ..binance.endpoints import TESTNET
from ..binance.market_stream.coverage import LATE_AFTER_US
from ..binance.market_stream.exchange_clock import UNCERTAINTY_BY_EVENT_TIME
from ..binance.market_stream.line import BEHIND_AFTER, Timing
from ..binance.market_stream.subscriptions import ANSWER_WITHIN
from ..binance.text import utc
from ..binance.websocket_api.prices import ALL_SYMBOLS_WEIGHT, HANDSHAKE_WEIGHT, INVALID_SYMBOL, ONE_SYMBOL_WEIGHT
from .stats import ENOUGH, PONG_WITHIN, Stats

AS_DOCUMENTED = "as documented"
DEFAULT_MINUTES, LONG = 3, 10
SILENT_FROM = 4.0  # seconds of listening after which what brought nothing is called silent
MOST_A_SECOND = 10_000  # frames, what a sync takes with room to spare: docs/decisions.md, Measured
LATE_AFTER, PATIENCE = LATE_AFTER_US // 1_000_000, Timing().patience  # seconds
ANY = float("inf")
COLUMNS = 80
VERDICTS = {True: "holds", None: "unseen", False: "differs"}  # what differs is shown last, nearest to the eye
DOCUMENTATION = "https://developers.binance.com/en/docs/products/derivatives-trading-"
PAGES = (
    f"[COIN-M streams]({DOCUMENTATION}coin-futures/websocket-market-streams/Connect), "
    f"[USDⓈ-M streams]({DOCUMENTATION}usds-futures/websocket-market-streams/Connect), "
    f"[WebSocket API]({DOCUMENTATION}usds-futures/websocket-api-general-info)"
)

Finding = tuple[bool | None, str]  # whether it holds, None where that could not be seen; and what was seen, or why not
Judge = Callable[[Stats], Finding]


class Expectation(NamedTuple):
    """`promise` is what this connector could not keep if it were wrong; None where the connector works either way.

    `minutes` is how long a run must be to see it.
    """

    name: str
    says: str
    judge: Judge
    promise: str | None = None
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
    for name, says, find, promise, minutes in EXPECTATIONS:
        holds, seen = find(stats)
        if holds is None and stats["seconds"] < minutes * 60 and minutes > DEFAULT_MINUTES:
            seen += f" (it takes MINUTES={minutes})"
        matters = holds is False and promise is not None
        judged.append(Judged(name, says, seen, VERDICTS[holds], matters, promise, minutes))
    return judged


# --- what a row may expect: nothing odd, a value between bounds, an answer, an address ---


def counted(found: Any, things: str) -> str:
    """Return `1 frame`, `12,345 own updates`, `x (4), y (3) among unknown keys`; `things` is the name of a counter."""
    words = things.replace("_", " ")
    if not isinstance(found, Counter):
        return f"{found:,} {words.removesuffix('s') if found == 1 else words}"
    named = ", ".join(f"{kind} ({count:,})" for kind, count in found.most_common(3))
    return f"{named}{f' and {len(found) - 3} more' if len(found) > 3 else ''} among {words}"


def expect(counters: str, low: float = 0, high: float = 0, *, of: str, enough: float = 1) -> Judge:
    """Expect each of `counters` (names with spaces between) within two bounds, in `enough` of what `of` counts.

    Where nothing is expected, anything differs, in however little.
    """

    def find(stats: Stats) -> Finding:
        found = {name: stats[name] for name in counters.split()}
        seen = f"{', '.join(map(counted, found.values(), found))} in {counted(stats[of], of)}"
        amounts = [len(each) if isinstance(each, Counter) else each for each in found.values()]
        holds = all(low <= amount <= high for amount in amounts)
        if stats[of] < enough and (holds or high):
            return None, f"{seen}: too few"
        return holds, seen

    return find


def answers(value: str, expected: Any) -> Judge:
    """Expect an answer of the WebSocket API."""

    def find(stats: Stats) -> Finding:
        found = stats.get(value)
        if found is None:
            return None, f"the API: {stats['price_failure'] or 'not learned'}"
        return found == expected, str(found)

    return find


def brings(role: str, *, is_silent: bool = False) -> Judge:
    """Expect that the address with this role brings data, or that it is silent."""

    def find(stats: Stats) -> Finding:
        address = stats.get("addresses", {}).get(role)
        if address is None:
            return None, "this environment has no such address"
        label, samples, own = address["label"], address["samples"], address["own_updates"]
        if not address["opened"]:
            return False if address["refused"] else None, f"{label}: no connection ({address['failure']})"
        seen = f"{label}: {counted(samples, 'samples')}, {counted(own, 'own_updates')} in {address['seconds']:.0f} s"
        if not samples + own and address["seconds"] < SILENT_FROM:
            return None, seen
        return bool(samples + own) != is_silent, seen

    return find


def both_routes(stats: Stats) -> Finding:
    if stats["environment"] != TESTNET.name:
        return None, "this is not the testnet"
    findings = [brings(role)(stats) for role in ("usds_m_address", "plain_path")]
    worst = next(holds for holds in (False, None, True) if holds in dict(findings))
    return worst, "; ".join(seen for _, seen in findings)


ONCE = "An update leaves once, and none is taken for an old one."
COMPARED = "Two connections are compared by E, so that replacing one loses nothing."
WEIGHT = "A sync waits before it would break Binance's limit."

# fmt: off
EXPECTATIONS = (
    # which address brings which contracts
    Expectation("coin_m_address", "COIN-M's streams come at dstream, with a plain path", brings("coin_m_address"),
        "A sync hears of every contract from its first seconds; at a silent address it loses 30 seconds first."),
    Expectation("coin_m_public", "dstream brings the same at /public", brings("coin_m_public")),
    Expectation("usds_m_address", "USDⓈ-M's streams come at fstream/public", brings("usds_m_address"),
        "Contracts of USDⓈ-M are followed by their own streams."),
    Expectation("plain_path", "fstream without /public still brings book tickers", brings("plain_path")),
    Expectation("wrong_path", "fstream/market, the path of other streams, shakes hands and stays silent",
        brings("wrong_path", is_silent=True)),
    Expectation("both_routes", "The testnet's fstream brings data at /public and without", both_routes),
    Expectation("cross_host", "A USDⓈ-M contract's own stream stays silent on COIN-M's host",
        expect("cross_frames", of="cross_seconds", enough=SILENT_FROM)),
    Expectation("merged", "The all-market stream carries both markets, on either host",
        expect("lone_markets", of="sampled_connections")),
    # how often, and in which order
    Expectation("sample_pace", "The all-market stream is a sample of each contract about every 5 seconds",
        expect("seconds_between_samples", 4.0, 6.0, of="sample_distances", enough=5),
        "`sampled` means about one row in 5 seconds of each contract."),
    Expectation("own_pace", "A contract's own stream brings every change, in real time",
        expect("silent_own_streams updates_like_samples", of="updates_in_real_time", enough=ENOUGH),
        "Every change is captured."),
    Expectation("samples_found", "Every sample's u is one that the own stream brings too",
        expect("samples_missing samples_overdue", of="samples_compared", enough=5),
        "Own streams are complete, and a dead one is found by its samples."),
    Expectation("samples_ahead", f"A sample runs ahead of its own stream by less than {LATE_AFTER} seconds",
        expect("ms_ahead_at_most", -ANY, LATE_AFTER * 1000 - 1, of="samples_found", enough=5),
        "An own stream that is only late is not taken for dead."),
    Expectation("ids_rise", "u rises strictly within a contract's own stream; no frame comes twice",
        expect("own_steps_back own_repeats", of="own_updates", enough=ENOUGH), ONCE),
    Expectation("sample_ids", "u never goes back within a contract's samples",
        expect("sample_steps_back", of="sample_updates", enough=ENOUGH), ONCE),
    Expectation("times_rise", "E and T never go back within a contract",
        expect("event_times_back transaction_times_back", of="frames", enough=ENOUGH), COMPARED),
    Expectation("ids_across", "u goes back across contracts, even on one connection",
        expect("neighbours_back", 1, ANY, of="neighbours", enough=100)),
    Expectation("times_across", f"E goes back across contracts by {UNCERTAINTY_BY_EVENT_TIME * 1000:.0f} ms at most",
        expect("ms_back_at_most", 0, UNCERTAINTY_BY_EVENT_TIME * 1000, of="neighbours", enough=100), COMPARED),
    # what the frames hold
    Expectation("field_types", "e s b B a A are strings, prices and quantities decimals; u T E integers",
        expect("wrong_types unreadable_frames", of="frames"), "Records hold what was sent, and fit the schema."),
    Expectation("unknown_keys", "A book ticker has the eleven known keys and no other",
        expect("unknown_keys", of="frames")),
    Expectation("other_frames", "Nothing but book tickers and answers comes", expect("other_frames", of="frames")),
    Expectation("wrapper", "/stream says of each frame whether the contract's own stream or !bookTicker brought it",
        expect("other_streams", of="frames"), "Samples are told from changes."),
    Expectation("symbol_type", "st is 1 for USDⓈ-M and 2 for COIN-M, in every frame, as the symbol's shape says",
        expect("st_missing st_contradicting", of="frames"), "Contracts of the other market are left out by it."),
    Expectation("pair", "ps is in every frame", expect("ps_missing", of="frames")),
    Expectation("sound_books", "No book is crossed, empty or zero", expect("odd_books", of="frames")),
    Expectation("frame_size", "A book ticker has 160 to 310 bytes, with what is wrapped around it",
        expect("median_bytes", 160, 310, of="frames")),
    Expectation("frame_rate", f"One connection brings fewer than {MOST_A_SECOND:,} frames in a second",
        expect("frames_in_the_busiest_second", 0, MOST_A_SECOND - 1, of="frames"),
        "A sync keeps up with what comes."),
    Expectation("contract_info", "!contractInfo brings new contracts: symbol, status, onboard and delivery date",
        expect("contract_info_faults", of="contract_infos"), minutes=LONG),
    # how connections live, answer and end
    Expectation("ping_interval", "The server pings about every 3 minutes",
        expect("seconds_between_pings", 120.0, 240.0, of="ping_intervals"), minutes=LONG),
    Expectation("ping_payload", "A ping carries the time in milliseconds", expect("odd_pings", of="pings"),
        minutes=LONG),
    Expectation("client_ping", f"A ping of ours is answered within {PONG_WITHIN:.0f} seconds",
        expect("client_pings_unanswered", of="client_pings_asked"),
        "A quiet connection is told from a dead one by it."),
    Expectation("acknowledged", f"SUBSCRIBE is acknowledged within {ANSWER_WITHIN:.0f} seconds",
        expect("contracts_refused contracts_unanswered", of="contracts_asked"),
        "Contracts that appear later are followed over the open connection."),
    Expectation("unknown_name", "An unknown or uppercase name is acknowledged and stays silent",
        expect("unknown_refused unknown_unanswered unknown_frames", of="unknown_seconds", enough=SILENT_FROM)),
    Expectation("longest_silence", f"A connection is never silent for {PATIENCE:.0f} seconds",
        expect("seconds_silent", 0, PATIENCE - 0.1, of="seconds_listened", enough=PATIENCE),
        "No connection is replaced, and no row loses its coverage, for want of news."),
    Expectation("connections_last", "A connection lasts until it is left", expect("lost", of="connections_used")),
    Expectation("replacement", "Two connections with the same streams bring the same",
        expect("only_over_first only_over_second", of="over_both", enough=20),
        "A planned reconnect loses nothing, and a standby fills a gap."),
    Expectation("lag", f"Updates arrive within {BEHIND_AFTER:.0f} second of E, and the clocks agree as well",
        expect("median_lag_ms", -BEHIND_AFTER * 1000, BEHIND_AFTER * 1000, of="timed_updates"),
        "received_at_us may stand beside event_time, and a connection that is on time counts as such."),
    # the WebSocket API
    Expectation("one_symbol", "ticker.price with a symbol answers one row: symbol, price as a decimal string, time",
        answers("one_answer", AS_DOCUMENTED), "symbol_prices holds what was sent."),
    Expectation("all_symbols", "ticker.price without one answers a list of such rows",
        answers("all_answer", AS_DOCUMENTED), "symbol_prices holds what was sent, of every symbol."),
    Expectation("unknown_symbol", f"An unknown symbol is answered with status 400 and code {INVALID_SYMBOL}",
        answers("unknown_answer", f"status 400, code {INVALID_SYMBOL}"), "A mistyped symbol is named in a sentence."),
    Expectation("only_usds_m", "ticker.price lists no COIN-M contracts", expect("coin_m_rows", of="rows"),
        "symbol_prices is USDⓈ-M's alone, as the documents say."),
    Expectation("handshake_weight",
        f"A handshake costs a weight of {HANDSHAKE_WEIGHT} (other programs on this address blur it)",
        answers("handshake_weight", HANDSHAKE_WEIGHT), WEIGHT),
    Expectation("price_weight", f"ticker.price costs {ONE_SYMBOL_WEIGHT} with a symbol, {ALL_SYMBOLS_WEIGHT} without",
        answers("price_weights", f"{ONE_SYMBOL_WEIGHT} and {ALL_SYMBOLS_WEIGHT}"), WEIGHT),
    Expectation("weight_limit", "The limit is a weight of 2,400 a minute", answers("weight_limit", 2400)),
    Expectation("book_ids", "ticker.book answers lastUpdateId, one that the contract's own stream brings",
        expect("books_missing book_faults", of="books_compared")),
)
# fmt: on


# --- what was found ---


def lines(judged: Sequence[Judged]) -> str:
    """Write each expectation with what was seen below it, in 80 columns, and what the differences put at risk.

    `!` marks a difference on which a promise depends.
    """
    found = []
    for verdict in VERDICTS.values():
        for each in judged:
            if each.verdict == verdict:
                mark = "!" if each.matters else " "
                found += _wrapped(f"{mark} {verdict:<8}", each.expectation) + _wrapped(" " * 12, each.seen)
    holds, unseen, differs = (sum(each.verdict == verdict for each in judged) for verdict in VERDICTS.values())
    found += ["", f"Of {len(judged)} expectations {holds} hold, {differs} differ, and {unseen} could not be seen."]
    at_risk = [f"{each.name}: {each.promise}" for each in judged if each.matters]
    found += ["A promise of this connector hangs on these:"] if at_risk else []
    for each_promise in at_risk:
        found += _wrapped("! ", each_promise)
    return "\n".join(found)


def _wrapped(begin: str, text: str) -> list[str]:
    return textwrap.wrap(text, COLUMNS, initial_indent=begin, subsequent_indent=" " * len(begin))


def page(stats: Stats, judged: Sequence[Judged], version: str) -> str:
    """Write a page that can be pasted into an issue."""
    return "\n".join(
        (
            "# The exchange itself, asked",
            "",
            f"Environment `{stats['environment']}`, {utc(stats['started_ms'] / 1000, 'seconds')}, listened for "
            f"{stats['seconds']:.0f} seconds{', stopped early' if stats['stopped_early'] else ''}, "
            f"{stats['connections']} connections, connector {version}. Binance's documentation: {PAGES}.",
            "",
            f"```text\n{lines(judged)}\n```\n",
        )
    )


def document(stats: Stats, judged: Sequence[Judged], version: str) -> dict[str, Any]:
    """Return all of it for a program: the verdicts, and the counters that they rest on."""
    return {
        "connector": version,
        "started": utc(stats["started_ms"] / 1000, "seconds"),
        "expectations": [each._asdict() for each in judged],
        "stats": stats,
    }
