"""One run: the connector's own event loop, watched from both ends of each connection. It counts, and judges nothing."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable
from typing import Any, NamedTuple
from urllib.parse import unquote

from orjson import JSONDecodeError, dumps, loads

from ..binance.clock import Deadline, Stop
from ..binance.endpoints import Environment, Market, market_of
from ..binance.errors import BinanceError, NoAnswer, Owner, RateLimited, UnexpectedFailure
from ..binance.market_stream.items import Failed, LogLine
from ..binance.market_stream.line import Timing
from ..binance.market_stream.reader import MarketStream, WakingSelector
from ..binance.market_stream.subscriptions import EndpointGroup
from ..binance.transport.address import host_of
from ..binance.transport.connection import LEFT, Connection, Dialler, HandOver, Opening, open_in_background
from ..binance.transport.proxy import Route
from ..binance.websocket_api.client import ANSWER_TIMEOUT, CONNECT_TIMEOUT, MAX_MESSAGE_BYTES
from ..binance.websocket_api.prices import METHOD, MINUTE, parse_answer, request, weight_of
from .expectations import AS_DOCUMENTED
from .stats import DECIMAL, LISTED, PROBED, Recorder, Stats, conclude, faults_of

FIRST_CONTRACTS = {Market.COIN_M: ("BTCUSD_PERP", "ETHUSD_PERP"), Market.USDS_M: (LISTED, "ETHUSDT")}
UNLISTED = "NOSUCHUSDT"
CATEGORY, WRONG_CATEGORY = "/public", "/market"  # the parts of fstream with book tickers, and with other streams
OPTION = {  # of a custom environment, in place of its addresses, by what it is asked for
    "coin_m_address": "market_stream_url",
    "usds_m_address": "usds_margined_stream_url",
    "plain_path": f"usds_margined_stream_url without {CATEGORY}",
    "wrong_path": f"usds_margined_stream_url with {WRONG_CATEGORY}",
}
MOST_CONNECTIONS = 9  # in the whole run, attempts counted
API_CONNECTIONS = 2
MOST_TO_ONE = 3  # connections to one address; an attempt where none comes about
ASKING_TAKES = 10.0  # seconds, for prices
REPLACED_AFTER = 0.55  # of the run
FIRST_PING_AFTER, PING_EVERY = 1.0, 20  # seconds
REQUEST_ID = "live"  # of each request to the WebSocket API, where one is under way at a time
PROBE_IDS = 1_000_000  # of control messages, above those of the connector
BOOKS, BOOK_EVERY = 5, 1.0  # how often ticker.book is asked for, and seconds between two
BOOK_TYPES = {"lastUpdateId": int, "time": int} | dict.fromkeys(("bidPrice", "bidQty", "askPrice", "askQty"), DECIMAL)
PRICE_TYPES = {"symbol": str, "price": DECIMAL, "time": int}
TICK = 0.1  # seconds


class EnoughConnections(BinanceError):
    owner = Owner.USER  # so that nothing tries again
    message = "No other connection is tried: Binance is asked for few."


class _Over(Exception):
    """The time is over, or a stop was requested."""


def bases_of(environment: Environment) -> dict[str, str]:
    """Return each base of either market, then fstream's plain and wrong ones, by what is expected of it."""
    public = environment.usds_m_bases[0]
    plain = public.removesuffix(CATEGORY)
    found = dict(zip(("coin_m_address", "coin_m_public"), environment.coin_m_bases, strict=False))
    found["usds_m_address"] = public
    return found if plain == public else found | {"plain_path": plain, "wrong_path": plain + WRONG_CATEGORY}


class Probe:
    """`report` gets a sentence where something happens that a person who waits may want to know.

    `errors` are why connections did not come about; `reached` says whether any did.
    """

    def __init__(
        self,
        environment: Environment,
        route: Route,
        stop: Stop,
        seconds: float,
        *,
        report: Callable[[str], None],
        opening: Opening = open_in_background,
        selector: WakingSelector | None = None,
    ) -> None:
        self.errors: list[BinanceError] = []
        self.reached = False
        self._environment, self._stop, self._report, self._opening = environment, stop, report, opening
        self._began, self._end = stop.clock.epoch(), stop.clock.deadline(seconds)
        self.stats = Stats(environment=environment.name, started_ms=int(self._began * 1000), addresses={})
        self._addresses: dict[str, Stats] = {}  # by their bases
        for role, base in bases_of(environment).items():
            label = OPTION[role] if environment.name == "custom" else base  # of the user's own none is shown
            self.stats["addresses"][role] = self._addresses.setdefault(base, Stats(label=label))
        self._dialled: Counter[str] = Counter()
        self._watched: list[tuple[Connection, Recorder]] = []
        self._selector = selector or WakingSelector()
        self._loop = MarketStream(
            [self._group(base) for base in self._addresses],
            route,
            stop.clock,
            standby=False,
            window_ends=self._end.moment,
            timing=Timing(overlap=min(12.0, seconds / 4)),
            selector=self._selector,
            opening=self._open,
        )
        self._dialler = Dialler[None](route, stop.clock, MAX_MESSAGE_BYTES, wake=self._selector.wake, opening=opening)
        self._api: Connection | None = None
        # When one address of each market is chosen, and names are asked for that should stay silent.
        self._chosen_at = self._began + min(15.0, seconds / 3)
        script = [(self._chosen_at, self._choose), (self._began + seconds * REPLACED_AFTER, self._replace)]
        pings = range(0, int(seconds) + 1, PING_EVERY)
        script += [(self._began + FIRST_PING_AFTER + moment, self._ping) for moment in pings]
        self._script = sorted(script, key=lambda step: step[0])  # what is due when

    def run(self) -> Stats:
        """Listen until the time is over, a stop is requested, or nothing can come any more."""
        self._loop.open()
        try:
            with contextlib.suppress(_Over):
                self._ask_api()
                while self._listens():
                    self._turn()
        finally:
            self.stats["stopped_early"] = not self._end.expired
            self._loop.end()
            self._dialler.close()
            self._leave_api()
            self._end_what_is_over()
        self.stats["seconds"] = round(self._stop.clock.epoch() - self._began, 1)
        conclude(self.stats, [recorder for _, recorder in self._watched if recorder.stats is self.stats])
        return self.stats

    def _listens(self) -> bool:
        """Whether the event loop goes on: as long as it has a connection, or tries to get one."""
        feeds = self._loop.feeds
        return any(feed.is_busy for feed in feeds) or all(feed.machine.failure is None for feed in feeds)

    def _turn(self) -> None:
        """Listen for a moment, and do what is due. Raises `_Over`."""
        if self._end.expired or self._stop.requested:
            raise _Over
        if self._listens():
            self._loop.turn()
        else:
            self._selector.select(TICK)
        while (item := self._loop.take(0)) is not None:
            if isinstance(item, Failed):
                raise item.error  # a fault of this connector's own: feeds that gave up are not turned any more
            if isinstance(item, LogLine) and item.level != "debug":
                self._report(item.text)
        self._end_what_is_over()
        while self._script and self._script[0][0] <= self._stop.clock.epoch():
            self._script.pop(0)[1]()

    def _end_what_is_over(self) -> None:
        for connection, recorder in self._watched:
            loss = connection.loss
            if loss is not None and recorder.ended_at is None:
                recorder.end(None if str(loss) == LEFT else type(loss).__name__)

    def _failed(self, error: Exception) -> str:
        """Note why a connection did not come about, and return it without a word of the user's."""
        self.errors.append(error if isinstance(error, BinanceError) else UnexpectedFailure(error))
        status = getattr(error, "status", None)
        return type(error).__name__ if status is None else f"HTTP status {status}"

    # --- connections of the connector's own feeds ---

    def _group(self, base: str) -> EndpointGroup:
        """Return what is listened to at an address; contracts of COIN-M are followed as they appear, as by default."""
        markets = [market for market in Market if base in self._environment.bases(market)] or [Market.USDS_M]
        symbols = tuple(symbol for market in markets for symbol in FIRST_CONTRACTS[market])
        is_coin_m = markets[0] is Market.COIN_M
        return EndpointGroup((base,), frozenset(markets[:1]), symbols, all_market=True, discovers=is_coin_m)

    def _open(self, url: str, route: Route, deadline: Deadline, max_message_bytes: int, hand_over: HandOver) -> None:
        """Open a connection for a feed, as long as there are few, and watch it."""
        beginning, _, streams = url.partition("/stream?streams=")
        base = next(base for base in self._addresses if base.rstrip("/") == beginning)
        address = self._addresses[base]
        most = MOST_TO_ONE if address["opened"] else 1
        if self._dialled[base] >= most or self._dialled.total() >= MOST_CONNECTIONS - API_CONNECTIONS:
            hand_over(EnoughConnections())
            return

        def watch(outcome: Connection | Exception) -> None:
            if isinstance(outcome, Connection):
                self.reached = address["opened"] = True
                is_ours = base in (*self._environment.coin_m_bases, *self._environment.usds_m_bases)
                stats = self.stats if is_ours else Stats()
                recorder = outcome.observer = Recorder(stats, address, unquote(streams).split("/"), outcome.clock.epoch)
                self._watched.append((outcome, recorder))
            else:
                address["failure"], address["refused"] = self._failed(outcome), hasattr(outcome, "status")
            hand_over(outcome)

        self._dialled[base] += 1
        self.stats["connections"] += 1
        self._opening(url, route, deadline, max_message_bytes, watch)

    def _ping(self) -> None:
        for connection, _ in self._watched:
            connection.ping()

    def _choose(self) -> None:
        """Keep of each market the first address that brings data, and leave the others."""
        kept = []
        for market in Market:
            feeds = [feed for feed in self._loop.feeds if feed.group.bases[0] in self._environment.bases(market)]
            kept.append(next((feed for feed in feeds if feed.brought_data), feeds[0]))
        for feed in self._loop.feeds:
            if feed.group.bases not in [each.group.bases for each in kept]:
                feed.end(self._stop.clock.monotonic())
        self._coin_m = kept[0]
        self._ask_for_odd_names(self._coin_m.group.bases[0])

    def _ask_for_odd_names(self, base: str) -> None:
        """Ask COIN-M's host for streams of no contract of its own, each in a message of its own."""
        is_alone = base not in self._environment.usds_m_bases
        for connection, recorder in self._watched:
            for number, stream in enumerate(PROBED if recorder.address is self._addresses[base] else ()):
                if is_alone or PROBED[stream] != "cross":
                    message = {"method": "SUBSCRIBE", "params": [stream], "id": PROBE_IDS + number}
                    connection.send_text(dumps(message).decode())

    def _replace(self) -> None:
        """Replace the connection to COIN-M as planned, as the connector does before Binance cuts it at 24 hours."""
        why, now = "to see whether it brings the same", self._stop.clock.monotonic()
        self._coin_m.do(self._coin_m.machine.request_reconnect(None, why, now))

    # --- the WebSocket API, asked for one thing at a time while the feeds go on ---

    def _ask_api(self) -> None:
        """Ask for prices within one minute, since the weight is counted by that, and for some books."""
        until_next_minute = MINUTE - self._began % MINUTE
        try:
            if until_next_minute < ASKING_TAKES < self._end.remaining() - until_next_minute:
                self._pause_until(self._began + until_next_minute)
            ask_for_prices(self._ask, self._connect, self.stats, host_of(self._environment.websocket_api_url))
            for number in range(BOOKS):  # when the contract's own stream has been followed for a while
                self._pause_until(self._chosen_at + number * BOOK_EVERY)
                note_book(self.stats, self._ask("ticker.book", LISTED).frame.get("result"))
        except BinanceError as error:
            self.stats["price_failure"] = self._failed(error)

    def _connect(self) -> None:
        """Open a connection, in place of the one before."""
        self._leave_api()
        self.stats["connections"] += 1
        self._dialler.dial(self._environment.websocket_api_url, CONNECT_TIMEOUT, None)
        while (outcome := self._dialler.outcome()) is None:
            self._turn()
        if isinstance(outcome[1], BinanceError):
            raise outcome[1]
        self._api, self.reached = outcome[1], True

    def _ask(self, method: str, symbol: str | None) -> Answered:
        assert self._api is not None
        deadline = self._stop.clock.deadline(ANSWER_TIMEOUT)
        self._api.send_text(request(REQUEST_ID, symbol, method))
        while not (payloads := self._api.receive().payloads):
            if self._api.loss is not None:
                raise self._api.loss
            if deadline.expired:
                raise NoAnswer(host_of(self._environment.websocket_api_url), ANSWER_TIMEOUT)
            self._turn()
        return Answered(payloads[0], self._stop.clock.epoch())

    def _pause_until(self, moment: float) -> None:
        while self._stop.clock.epoch() < moment:
            if self._api is not None:
                self._api.receive()  # which answers pings
            self._turn()

    def _leave_api(self) -> None:
        if self._api is not None:
            self._api.close()


class Answered(NamedTuple):
    """An answer as it came, and when."""

    payload: bytes
    at: float

    @property
    def frame(self) -> dict[str, Any]:
        try:
            frame = loads(self.payload)
        except JSONDecodeError:
            return {}
        return frame if isinstance(frame, dict) else {}


Ask = Callable[[str, str | None], Answered]


def ask_for_prices(ask: Ask, connect: Callable[[], None], stats: Stats, host: str) -> None:
    """Ask for one price, all, and one not listed, and for one twice over a second connection."""
    connect()
    one = ask(METHOD, LISTED)
    stats["one_answer"] = fault_of_answer(one, host, LISTED) or AS_DOCUMENTED
    every = ask(METHOD, None)
    stats["all_answer"] = fault_of_answer(every, host, None) or AS_DOCUMENTED
    result = every.frame.get("result")
    rows = [row for row in result if isinstance(row, dict)] if isinstance(result, list) else []
    stats["rows"] = len(rows)
    stats["coin_m_rows"] = sum(market_of(str(row.get("symbol"))) is Market.COIN_M for row in rows)
    unknown = ask(METHOD, UNLISTED)
    error = unknown.frame.get("error")
    code = error.get("code") if isinstance(error, dict) else None
    stats["unknown_answer"] = f"status {unknown.frame.get('status')}, code {code}"
    connect()
    again, last = ask(METHOD, LISTED), ask(METHOD, LISTED)
    weights = [weight_of(each.frame.get("rateLimits")) for each in (one, every, unknown, again, last)]
    counts = [weight.count for weight in weights if weight is not None]
    if last.at // MINUTE == one.at // MINUTE and len(counts) == len(weights):
        # Differences only: how much other programs behind this address have used is nobody's business.
        first, second, third, fourth, fifth = counts
        stats["price_weights"] = f"{fifth - fourth} and {second - first}"
        stats["handshake_weight"] = fourth - third - (fifth - fourth)
    if weights[0] is not None:
        stats["weight_limit"] = weights[0].limit


def note_book(stats: Stats, answer: Any) -> None:
    """Note the id in an answer to `ticker.book`, and what is wrong with the answer."""
    book = answer if isinstance(answer, dict) else {}
    for fault in faults_of(book, BOOK_TYPES):
        stats.count("book_faults", fault)
    if type(book.get("lastUpdateId")) is int:
        stats.setdefault("books", []).append(book["lastUpdateId"])


def fault_of_answer(answer: Answered, host: str, symbol: str | None) -> str:
    """Return what the connector, and the schema, have against an answer; "" for nothing. Raises `RateLimited`."""
    try:
        parsed = parse_answer(answer.payload, REQUEST_ID, symbol, host, answer.at)
        if parsed is not None and parsed.error is not None:
            raise parsed.error
    except RateLimited:
        raise
    except BinanceError as error:
        return type(error).__name__
    if parsed is None:
        return "another id"
    if symbol is not None and isinstance(answer.frame.get("result"), list):
        return "a list for one symbol"
    faults = (faults_of(row if isinstance(row, dict) else {}, PRICE_TYPES) for row in parsed.rows)
    return next((found[0] for found in faults if found), "")
