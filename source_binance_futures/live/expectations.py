"""What this connector expects of Binance, as rows of a table, each judged by what a run has counted.

Then what was found: lines for a terminal, a page for an issue, a file for a program. Pure.
"""

from __future__ import annotations

import re
import textwrap
from collections import Counter
from collections.abc import Callable, Sequence
from enum import Enum
from typing import Any, NamedTuple

from ..binance.endpoints import TESTNET
from ..binance.market_stream.coverage import LATE_AFTER_US
from ..binance.market_stream.exchange_clock import UNCERTAINTY_BY_EVENT_TIME
from ..binance.market_stream.line import BEHIND_AFTER, Timing
from ..binance.market_stream.subscriptions import ANSWER_WITHIN
from ..binance.text import utc
from ..binance.websocket_api.prices import ALL_SYMBOLS_WEIGHT, HANDSHAKE_WEIGHT, INVALID_SYMBOL, ONE_SYMBOL_WEIGHT
from .stats import Stats

BOTH_MARKETS = 2
DEFAULT_MINUTES, LONG = 3, 10
SILENT_FROM = 4.0  # seconds of listening after which what brought nothing is called silent
ALL_SAMPLED_WITHIN = 10.0  # seconds: twice the distance between two samples of a contract
SAMPLED = (4.0, 6.0)  # seconds between two samples of a contract; 5.04 were measured
REAL_TIME = 1.0  # seconds between two updates of the fastest contract, at most
ENOUGH = 10
AS_MANY = 1.2  # own updates for each change that samples show: then the own stream is no more than they are
PING_INTERVAL = (120.0, 240.0)  # seconds; "about every 3 minutes"
MOST_A_SECOND = 10_000  # frames, what a sync takes with room to spare: docs/decisions.md, Measured
AS_DOCUMENTED = "as documented"
ONE = re.compile(r"\b1 (\w{3,})s\b")  # of a thing
LATE_AFTER, PATIENCE = LATE_AFTER_US // 1_000_000, Timing().patience

COLUMNS = 80
MARK = "!"
INDENT = " " * 10
DOCUMENTATION = "https://developers.binance.com/en/docs/products/derivatives-trading-"
PAGES = (
    f"[COIN-M streams]({DOCUMENTATION}coin-futures/websocket-market-streams/Connect), "
    f"[USDⓈ-M streams]({DOCUMENTATION}usds-futures/websocket-market-streams/Connect), "
    f"[WebSocket API]({DOCUMENTATION}usds-futures/websocket-api-general-info)"
)


class Verdict(Enum):
    HOLDS = "holds"
    DIFFERS = "differs"
    UNSEEN = "could not be seen"


Finding = tuple[Verdict, str]  # and in a few words what was seen, or why nothing was
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
    """An expectation with its finding. It matters where it differs, and a promise depends on it."""

    expectation: Expectation
    verdict: Verdict
    seen: str
    matters: bool


def judge(stats: Stats) -> list[Judged]:
    """Judge each expectation; one that needs a longer run says so where it could not be seen."""
    judged = []
    for each in EXPECTATIONS:
        verdict, seen = each.judge(stats)
        if verdict is Verdict.UNSEEN and stats["seconds"] < each.minutes * 60 and each.minutes > DEFAULT_MINUTES:
            seen += f" (it takes MINUTES={each.minutes})"
        judged.append(Judged(each, verdict, seen, verdict is Verdict.DIFFERS and each.promise is not None))
    return judged


def holds_if(condition: bool, seen: str) -> Finding:
    return Verdict.HOLDS if condition else Verdict.DIFFERS, seen


def unseen(why: str) -> Finding:
    return Verdict.UNSEEN, why


def counted(number: int, things: str) -> str:
    """Return `1 frame`, `12,345 own updates`; `things` is the name of a counter."""
    words = things.replace("_", " ")
    return f"{number:,} {words.removesuffix('s') if number == 1 else words}"


def first_three(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


# --- what most of them are: nothing odd, a value between bounds, an answer, an address ---


def none_of(count: str, *, of: str, enough: float = 1, seen: str = "") -> Judge:
    """Expect that none of the counters in `count` (names with spaces between) has counted anything.

    `seen` is a template of what is shown in place of the counters.
    """

    def judged(stats: Stats) -> Finding:
        total, shown = counted(stats[of], of), ONE.sub(r"1 \1", seen.format_map(stats))
        odd = [f"{_kinds(stats[each])} {each.replace('_', ' ')}" for each in count.split() if stats[each]]
        if odd:
            return holds_if(False, shown or f"{', '.join(odd)}; {total} in all")
        if stats[of] < enough:
            return unseen(shown or f"{total}: too few")
        return holds_if(True, shown or f"none in {total}")

    return judged


def _kinds(found: Any) -> str:
    if not isinstance(found, Counter):
        return f"{found:,}"
    return first_three([f"{kind} ({count:,})" for kind, count in found.most_common()]) + " among"


def within(value: str, low: float, high: float, *, of: str, enough: int = 1, seen: str) -> Judge:
    """Expect a value between two bounds, which count as inside; `seen` is a template of what is shown."""

    def judged(stats: Stats) -> Finding:
        if stats[of] < enough or stats.get(value) is None:
            return unseen(f"{counted(stats[of], of)}: too few")
        return holds_if(low <= stats[value] <= high, seen.format_map(stats))

    return judged


def equals(value: str, expected: Any) -> Judge:
    """Expect an answer of the WebSocket API."""

    def judged(stats: Stats) -> Finding:
        found = stats.get(value)
        if found is None:
            return unseen(f"the API: {stats['price_failure']}" if stats["price_failure"] else "not learned")
        each = found if isinstance(found, tuple) else (found,)
        return holds_if(found == expected, " and ".join(f"{one:,}" if isinstance(one, int) else one for one in each))

    return judged


def brings(role: str, *, is_silent: bool = False) -> Judge:
    """Expect that the address with this role brings data, or that it is silent."""

    def judged(stats: Stats) -> Finding:
        address = (stats["addresses"] or {}).get(role)
        return unseen("this environment has no such address") if address is None else _brings(address, is_silent)

    return judged


def _brings(address: Stats, is_silent: bool = False) -> Finding:
    label, samples, own, seconds = (address[each] for each in ("label", "samples", "own_updates", "seconds"))
    if not address["opened"] and not address["status"]:
        return unseen(f"{label}: no connection ({address['failure']})")
    if not address["opened"]:
        return holds_if(False, f"{label}: HTTP status {address['status']}")
    seen = f"{label}: {counted(samples, 'samples')}, {counted(own, 'own_updates')} in {seconds:.0f} s"
    return (
        unseen(seen)
        if not samples + own and seconds < SILENT_FROM
        else holds_if(bool(samples + own) != is_silent, seen)
    )


# --- where no kind of row fits ---


def both_routes(stats: Stats) -> Finding:
    routes = ("usds_m_address", "plain_path")
    findings = [_brings(address) for role, address in (stats["addresses"] or {}).items() if role in routes]
    if stats["environment"] != TESTNET.name or not findings:
        return unseen("this is not the testnet")
    worst = next(one for one in (Verdict.DIFFERS, Verdict.UNSEEN, Verdict.HOLDS) if one in dict(findings))
    return worst, "; ".join(seen for _, seen in findings)


def acknowledged(stats: Stats) -> Finding:
    found, slowest = stats["contracts_acknowledged"], stats["contracts_slowest"]
    asked = found + stats["contracts_refused"] + stats["contracts_unanswered"]
    if not asked:
        return unseen("no contract had to be subscribed by a message")
    seen = f"{found} of {counted(asked, 'messages')} acknowledged"
    seen += f", the slowest in {slowest:.2f} s" if found else ""
    return holds_if(found == asked and slowest <= ANSWER_WITHIN, seen)


def merged(stats: Stats) -> Finding:
    """One market alone says something once every contract must have been sampled, on a connection not silent."""
    hosts = sorted((stats["markets"] or {}).items())
    lone = [host for host, markets in hosts if len(markets) < BOTH_MARKETS]
    seen = "; ".join(
        f"{host} host: " + ", ".join(f"{count:,} of {market}" for market, count in sorted(markets.items()))
        for host, markets in hosts
    )
    if not hosts or (lone and max(stats["sampled_for"].get(host, 0.0) for host in lone) < ALL_SAMPLED_WITHIN):
        return unseen(f"too few samples{': ' if seen else ''}{seen}")
    return holds_if(not lone, seen)


def own_pace(stats: Stats) -> Finding:
    own, changes, fastest = stats["own_updates"], stats["changes_sampled"], stats.get("fastest_own_distance")
    if stats["silent_own"]:
        named = first_three(stats["silent_own"])
        return holds_if(False, f"samples changed and the own stream brought nothing: {named}")
    if fastest is None or own < ENOUGH:
        return unseen(f"{counted(own, 'own_updates')}: too few")
    seen = f"{counted(own, 'own_updates')}, {changes:,} changes shown by samples; "
    seen += f"fastest contract every {fastest:.2f} s"
    is_sampled = changes >= ENOUGH and own <= AS_MANY * changes and fastest >= SAMPLED[0]
    if fastest <= REAL_TIME or is_sampled:
        return holds_if(fastest <= REAL_TIME, seen)
    return unseen(f"the market is too quiet: {seen}")


def ping_interval(stats: Stats) -> Finding:
    (low, high), median = PING_INTERVAL, stats.get("median_ping_interval")
    if median is None:
        seen = f"no two pings over one connection, the longest open for {stats['longest_listened']:,.0f} s"
        return holds_if(False, seen) if stats["longest_listened"] > 2 * high else unseen(seen)
    return holds_if(low <= median <= high, f"median {median:,.1f} s in {counted(stats['ping_intervals'], 'intervals')}")


def longest_silence(stats: Stats) -> Finding:
    silence, listened = stats["longest_silence"], stats["longest_listened"]
    seen = f"{silence:.1f} s in {listened:,.0f} s"
    return holds_if(silence < PATIENCE, seen) if max(silence, listened) >= PATIENCE else unseen(seen)


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
        none_of("cross_frames", of="cross_listened", enough=SILENT_FROM,
            seen="{cross_frames:,} frames in {cross_listened:.0f} s")),
    Expectation("merged", "The all-market stream carries both markets, on either host", merged),
    # how often, and in which order
    Expectation("sample_pace", "The all-market stream is a sample of each contract about every 5 seconds",
        within("median_sample_distance", *SAMPLED, of="sample_distances", enough=5,
            seen="median of {sample_distances:,} distances {median_sample_distance:.2f} s"),
        "`sampled` means about one row in 5 seconds of each contract."),
    Expectation("own_pace", "A contract's own stream brings every change, in real time", own_pace,
        "Every change is captured."),
    Expectation("samples_found", "Every sample's u is one that the own stream brings too",
        none_of("samples_missing samples_overdue", of="samples_compared", enough=5),
        "Own streams are complete, and a dead one is found by its samples."),
    Expectation("samples_ahead", f"A sample runs ahead of its own stream by less than {LATE_AFTER} seconds",
        within("furthest_ahead_ms", float("-inf"), LATE_AFTER * 1000 - 1, of="samples_compared", enough=5,
            seen="at most {furthest_ahead_ms:,} ms ahead, median {median_ahead_ms:,} ms"),
        "An own stream that is only late is not taken for dead."),
    Expectation("ids_rise", "u rises strictly within a contract's own stream; no frame comes twice",
        none_of("steps_back repeats", of="own_updates", enough=ENOUGH), ONCE),
    Expectation("sample_ids", "u never goes back within a contract's samples",
        none_of("sample_steps_back", of="samples", enough=ENOUGH), ONCE),
    Expectation("times_rise", "E and T never go back within a contract",
        none_of("event_times_back transaction_times_back", of="frames", enough=ENOUGH), COMPARED),
    Expectation("ids_across", "u goes back across contracts, even on one connection",
        within("neighbours_back", 1, float("inf"), of="neighbours", enough=100,
            seen="{neighbours_back:,} of {neighbours:,} neighbours")),
    Expectation("times_across", f"E goes back across contracts by {UNCERTAINTY_BY_EVENT_TIME * 1000:.0f} ms at most",
        within("farthest_back_ms", 0, UNCERTAINTY_BY_EVENT_TIME * 1000, of="neighbours", enough=100,
            seen="by up to {farthest_back_ms:,} ms"),
        COMPARED),
    # what the frames hold
    Expectation("field_types", "e s b B a A are strings, prices and quantities decimals; u T E integers",
        none_of("wrong_types unreadable_frames", of="frames"), "Records hold what was sent, and fit the schema."),
    Expectation("unknown_keys", "A book ticker has the eleven known keys and no other",
        none_of("unknown_keys", of="frames")),
    Expectation("other_frames", "Nothing but book tickers and answers comes", none_of("other_frames", of="frames")),
    Expectation("wrapper", "/stream says of each frame whether the contract's own stream or !bookTicker brought it",
        none_of("other_streams", of="frames"), "Samples are told from changes."),
    Expectation("symbol_type", "st is 1 for USDⓈ-M and 2 for COIN-M, in every frame, as the symbol's shape says",
        none_of("frames_without_st contradicting_st", of="frames"),
        "Contracts of the other market are left out by it."),
    Expectation("pair", "ps is in every frame", none_of("frames_without_ps", of="frames")),
    Expectation("sound_books", "No book is crossed, empty or zero", none_of("odd_books", of="frames")),
    Expectation("frame_size", "A book ticker has 130 to 260 bytes",
        within("median_bytes", 130, 260, of="frames",
            seen="median {median_bytes:,} bytes, the largest {largest_bytes:,}")),
    Expectation("frame_rate", f"One connection brings fewer than {MOST_A_SECOND:,} frames in a second",
        within("busiest_second", 0, MOST_A_SECOND - 1, of="frames",
            seen="{busiest_second:,} in the worst second; {frames_a_second:,.0f} a second, {kilobytes_a_second:,.0f} kB"
        ), "A sync keeps up with what comes."),
    Expectation("contract_info", "!contractInfo brings new contracts: symbol, status, onboard and delivery date",
        none_of("contract_info_faults", of="contract_infos"), minutes=LONG),
    # how connections live, answer and end
    Expectation("ping_interval", "The server pings about every 3 minutes", ping_interval, minutes=LONG),
    Expectation("ping_payload", "A ping carries the time in milliseconds", none_of("odd_pings", of="pings"),
        minutes=LONG),
    Expectation("client_ping", "A ping of ours is answered within 10 seconds",
        none_of("unanswered_pings", of="pings_sent"), "A quiet connection is told from a dead one by it."),
    Expectation("acknowledged", f"SUBSCRIBE is acknowledged within {ANSWER_WITHIN:.0f} seconds", acknowledged,
        "Contracts that appear later are followed over the open connection."),
    Expectation("unknown_name", "An unknown or uppercase name is acknowledged and stays silent",
        none_of("unknown_refused unknown_unanswered unknown_frames", of="unknown_listened", enough=SILENT_FROM,
            seen="{unknown_refused} refused, {unknown_unanswered} unanswered, {unknown_frames:,} frames in "
            "{unknown_listened:.0f} s")),
    Expectation("longest_silence", f"A connection is never silent for {PATIENCE:.0f} seconds", longest_silence,
        "No connection is replaced, and no row loses its coverage, for want of news."),
    Expectation("connections_last", "A connection lasts until it is left", none_of("lost", of="connections_used")),
    Expectation("replacement", "Two connections with the same streams bring the same",
        none_of("only_over_first only_over_second", of="over_both", enough=20),
        "A planned reconnect loses nothing, and a standby fills a gap."),
    Expectation("lag", f"Updates arrive within {BEHIND_AFTER:.0f} second of E, and the clocks agree as well",
        within("median_lag_ms", -BEHIND_AFTER * 1000, BEHIND_AFTER * 1000, of="own_updates",
            seen="receipt minus E: least {lags_ms[0]:,} ms, median {lags_ms[1]:,} ms, 99 % below {lags_ms[2]:,} ms"),
        "received_at_us may stand beside event_time, and a connection that is on time counts as such."),
    # the WebSocket API
    Expectation("one_symbol", "ticker.price with a symbol answers one row: symbol, price as a decimal string, time",
        equals("one_answer", AS_DOCUMENTED), "symbol_prices holds what was sent."),
    Expectation("all_symbols", "ticker.price without one answers a list of such rows",
        equals("all_answer", AS_DOCUMENTED), "symbol_prices holds what was sent, of every symbol."),
    Expectation("unknown_symbol", f"An unknown symbol is answered with status 400 and code {INVALID_SYMBOL}",
        equals("unknown_answer", f"status 400, code {INVALID_SYMBOL}"), "A mistyped symbol is named in a sentence."),
    Expectation("only_usds_m", "ticker.price lists no COIN-M contracts", none_of("coin_m_rows", of="rows"),
        "symbol_prices is USDⓈ-M's alone, as the documents say."),
    Expectation("handshake_weight",
        f"A handshake costs a weight of {HANDSHAKE_WEIGHT} (other programs on this address blur it)",
        equals("handshake_weight", HANDSHAKE_WEIGHT), WEIGHT),
    Expectation("price_weight", f"ticker.price costs {ONE_SYMBOL_WEIGHT} with a symbol, {ALL_SYMBOLS_WEIGHT} without",
        equals("price_weights", (ONE_SYMBOL_WEIGHT, ALL_SYMBOLS_WEIGHT)), WEIGHT),
    Expectation("weight_limit", "The limit is a weight of 2,400 a minute", equals("weight_limit", 2400)),
    Expectation("book_ids", "ticker.book answers lastUpdateId, one that the contract's own stream brings",
        none_of("books_missing book_faults", of="books_compared")),
)
# fmt: on


# --- what was found ---

WORDS = {Verdict.HOLDS: "holds", Verdict.UNSEEN: "unseen", Verdict.DIFFERS: "differs"}


def table(judged: Sequence[Judged]) -> str:
    """Write each expectation with what was seen below it, in 80 columns; what differs comes last, nearest to the eye.

    `!` marks a difference on which a promise depends.
    """
    lines = []
    for verdict, word in WORDS.items():
        for each in judged:
            if each.verdict is verdict:
                first = f"{MARK if each.matters else ' '} {word:<8}"
                lines += textwrap.wrap(each.expectation.says, COLUMNS, initial_indent=first, subsequent_indent=INDENT)
                lines += textwrap.wrap(
                    each.seen, COLUMNS, initial_indent=f"{INDENT}  ", subsequent_indent=f"{INDENT}  "
                )
    return "\n".join(lines)


def summary(judged: Sequence[Judged]) -> str:
    """Say how many hold, and what the differences that matter put at risk."""
    count = {verdict: sum(each.verdict is verdict for each in judged) for verdict in Verdict}
    lines = [
        f"Of {len(judged)} expectations {count[Verdict.HOLDS]} hold, {count[Verdict.DIFFERS]} differ, and "
        f"{count[Verdict.UNSEEN]} could not be seen."
    ]
    at_risk = [f"{MARK} {each.expectation.name}: {each.expectation.promise}" for each in judged if each.matters]
    return "\n".join([*lines, *(["A promise of this connector hangs on these:"] if at_risk else []), *at_risk])


def markdown(stats: Stats, judged: Sequence[Judged], version: str) -> str:
    """Write a page that can be pasted into an issue."""
    lines = [
        "# The exchange itself, asked",
        "",
        f"Environment `{stats['environment']}`, {utc(stats['started_ms'] / 1000, 'seconds')}, listened for "
        f"{stats['seconds']:.0f} seconds{', stopped early' if stats['stopped_early'] else ''}, {stats['connections']} "
        f"connections, connector {version}. Binance's documentation: {PAGES}.",
        "",
        *(f"- {line}" if line.startswith(MARK) else f"{line}\n" for line in summary(judged).split("\n")),
        "",
        "| | expectation | seen | verdict |",
        "|---|---|---|---|",
    ]
    for each in judged:
        verdict = each.verdict.value
        bold = f"**{verdict}**" if each.verdict is Verdict.DIFFERS else verdict
        cells = (f"**{MARK}**" if each.matters else "", each.expectation.says, each.seen, bold)
        lines.append("| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def document(stats: Stats, judged: Sequence[Judged], version: str) -> dict[str, Any]:
    """Return all of it for a program: the verdicts, and the counters that they rest on."""
    return {
        "connector": version,
        "started": utc(stats["started_ms"] / 1000, "seconds"),
        "expectations": [
            {
                "name": each.expectation.name,
                "expectation": each.expectation.says,
                "seen": each.seen,
                "verdict": each.verdict.value,
                "matters": each.matters,
                "promise": each.expectation.promise,
                "minutes": each.expectation.minutes,
            }
            for each in judged
        ],
        "stats": stats,
    }
