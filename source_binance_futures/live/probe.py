"""One run: the connector's own event loop, watched from both ends of each connection. It counts, and judges nothing."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass, field
from typing import Any
from urllib.parse import unquote

from orjson import JSONDecodeError, dumps, loads

from ..binance.clock import Deadline, Stop
from ..binance.endpoints import Environment, Market, market_of
from ..binance.errors import RATE_LIMIT_STATUSES, BinanceError, NoAnswer, Owner, RateLimited, UnexpectedFailure
from ..binance.market_stream.items import Failed, LogLine
from ..binance.market_stream.line import Timing
from ..binance.market_stream.reader import MarketStream, WakingSelector
from ..binance.market_stream.subscriptions import EndpointGroup
from ..binance.transport.address import host_of
from ..binance.transport.connection import LEFT, Connection, Dialler, HandOver, Opening, open_in_background
from ..binance.transport.proxy import Route
from ..binance.websocket_api import prices
from ..binance.websocket_api.client import ANSWER_TIMEOUT, CONNECT_TIMEOUT, MAX_MESSAGE_BYTES
from .expectations import SILENT_FROM, UNKNOWN_ANSWER
from .stats import LISTED, PROBED, Recorder, Stats, conclude, faults_of

FIRST_CONTRACTS = {Market.COIN_M: ("BTCUSD_PERP", "ETHUSD_PERP"), Market.USDS_M: (LISTED, "ETHUSDT")}
MOST_CONNECTIONS = 9  # in the whole run, attempts counted
API_CONNECTIONS = 2
MOST_TO_ONE = 3  # connections to one address; an attempt where none comes about
REPLACED_AFTER = 0.55  # of the run
PING_EVERY = 20  # seconds
REQUEST_ID = "live"  # of each request to the WebSocket API, where one is under way at a time
PROBE_IDS = 1_000_000  # of control messages, above those of the connector
BOOKS, BOOK_EVERY = 5, 1.0  # how often ticker.book is asked for, and seconds between two
BOOK = {"lastUpdateId": "integer", "time": "integer"}
BOOK |= dict.fromkeys(("bidPrice", "bidQty", "askPrice", "askQty"), "decimal")
PRICE = {"symbol": "string", "price": "decimal", "time": "integer"}


class EnoughConnections(BinanceError):
    owner = Owner.USER  # so that nothing tries again
    message = "No other connection is tried: Binance is asked for few."


class _Over(Exception):
    """The time is over, or a stop was requested."""


def roles_of(environment: Environment) -> dict[str, str]:
    """Return what is expected of each base of either market, and of fstream's plain and wrong paths."""
    public = environment.usds_m_bases[0]
    plain = public.removesuffix("/public")
    found = {} if plain == public else {plain: "plain_path", f"{plain}/market": "wrong_path"}
    found[public] = "usds_m_address"
    return found | dict(zip(environment.coin_m_bases, ("coin_m_address", "coin_m_public"), strict=False))


@dataclass
class Probe:
    """One run of so many `seconds`; `report` gets a sentence where something happens that a person may want to know.

    `watched` and `api` are the connections that came about, `errors` why others did not.
    """

    environment: Environment
    route: Route
    stop: Stop
    seconds: float
    _: KW_ONLY
    report: Callable[[str], None]
    opening: Opening = open_in_background
    selector: WakingSelector = field(default_factory=WakingSelector)

    def __post_init__(self) -> None:
        clock, environment = self.stop.clock, self.environment
        self.errors: list[BinanceError] = []
        self._began, self._end = clock.epoch(), clock.deadline(self.seconds)
        self.stats = Stats(environment=environment.name, started_ms=int(self._began * 1000), failures={})
        self._roles = roles_of(environment)
        self._dialled: Counter[str] = Counter()
        self.watched: list[tuple[Connection, Recorder]] = []
        self._loop = MarketStream(
            [self._group(base) for base in self._roles],
            self.route,
            clock,
            standby=False,
            window_ends=self._end.moment,
            timing=Timing(overlap=min(12.0, self.seconds / 4)),
            selector=self.selector,
            opening=self._open,
        )
        self._dialler = Dialler[None](self.route, clock, MAX_MESSAGE_BYTES, opening=self.opening)
        self.api: list[Connection] = []
        script = [(min(15.0, self.seconds / 3), self._choose), (self.seconds * REPLACED_AFTER, self._replace)]
        script += [(seconds, self._ping) for seconds in range(1, int(self.seconds) + 1, PING_EVERY)]
        self._script = sorted(script, key=lambda step: step[0])  # what is due, and how many seconds after the beginning

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
            self._end_what_is_over()
        self.stats["seconds"] = round(self.stop.clock.epoch() - self._began, 1)
        conclude(self.stats, [recorder for _, recorder in self.watched])
        return self.stats

    def _listens(self) -> bool:
        """Whether the event loop goes on: as long as it has a connection, or tries to get one."""
        feeds = self._loop.feeds
        return any(feed.is_busy for feed in feeds) or all(feed.machine.failure is None for feed in feeds)

    def _turn(self) -> None:
        """Listen for a moment, and do what is due. Raises `_Over`."""
        if self._end.expired or self.stop.requested:
            raise _Over
        if self._listens():
            self._loop.turn()
        else:
            self.selector.select(0.1)
        while (item := self._loop.take(0)) is not None:
            if isinstance(item, Failed):
                raise item.error  # a fault of this connector's own: feeds that gave up are not turned any more
            if isinstance(item, LogLine) and item.level != "debug":
                self.report(item.text)
        self._end_what_is_over()
        while self._script and self._script[0][0] <= self.stop.clock.epoch() - self._began:
            self._script.pop(0)[1]()

    def _end_what_is_over(self) -> None:
        for connection, recorder in self.watched:
            if connection.loss is not None and recorder.seconds is None:
                recorder.end(None if str(connection.loss) == LEFT else type(connection.loss).__name__)

    def _failed(self, counter: str, error: Exception) -> None:
        """Note why a connection did not come about, and without a word of the user's why nothing was counted."""
        self.errors.append(error if isinstance(error, BinanceError) else UnexpectedFailure(error))
        status = getattr(error, "status", None)
        self.stats["failures"][counter] = f"HTTP status {status}" if status else type(error).__name__

    # --- connections of the connector's own feeds ---

    def _group(self, base: str) -> EndpointGroup:
        """Return what is listened to at an address; contracts of COIN-M are followed as they appear, as by default."""
        markets = [market for market in Market if base in self.environment.bases(market)] or [Market.USDS_M]
        symbols = tuple(symbol for market in markets for symbol in FIRST_CONTRACTS[market])
        is_coin_m = markets[0] is Market.COIN_M
        return EndpointGroup((base,), frozenset(markets[:1]), symbols, all_market=True, discovers=is_coin_m)

    def _open(self, url: str, route: Route, deadline: Deadline, max_message_bytes: int, hand_over: HandOver) -> None:
        """Open a connection for a feed, as long as there are few, and watch it."""
        beginning, _, streams = url.partition("/stream?streams=")
        base, role = next(each for each in self._roles.items() if each[0].rstrip("/") == beginning)
        most = MOST_TO_ONE if any(recorder.role == role for _, recorder in self.watched) else 1
        if self._dialled[base] >= most or self._dialled.total() >= MOST_CONNECTIONS - API_CONNECTIONS:
            hand_over(EnoughConnections())
            return

        def watch(outcome: Connection | Exception) -> None:
            if isinstance(outcome, Connection):
                is_ours = base in (*self.environment.coin_m_bases, *self.environment.usds_m_bases)
                stats = self.stats if is_ours else Stats()
                recorder = outcome.observer = Recorder(stats, role, unquote(streams).split("/"), outcome.clock.epoch)
                self.watched.append((outcome, recorder))
            else:
                self._failed(f"{role}_seconds", outcome)
                if hasattr(outcome, "status"):  # nothing will come, however long one waits
                    self.stats[f"{role}_refused"], self.stats[f"{role}_seconds"] = 1, SILENT_FROM
            hand_over(outcome)

        self._dialled[base] += 1
        self.stats["connections"] += 1
        self.opening(url, route, deadline, max_message_bytes, watch)

    def _ping(self) -> None:
        for connection, _ in self.watched:
            connection.ping()

    def _choose(self) -> None:
        """Keep of each market the first address that brings data, and ask that of COIN-M for odd names one by one."""
        kept = []
        for market in Market:
            feeds = [feed for feed in self._loop.feeds if feed.group.bases[0] in self.environment.bases(market)]
            kept.append(next((feed for feed in feeds if feed.brought_data), feeds[0]))
        for feed in self._loop.feeds:
            if feed.group.bases not in [each.group.bases for each in kept]:
                feed.end(self.stop.clock.monotonic())
        self._coin_m = kept[0]
        base = self._coin_m.group.bases[0]
        for connection, recorder in self.watched:
            for number, stream in enumerate(PROBED if recorder.role == self._roles[base] else ()):
                if PROBED[stream] != "cross" or base not in self.environment.usds_m_bases:
                    message = {"method": "SUBSCRIBE", "params": [stream], "id": PROBE_IDS + number}
                    connection.send_text(dumps(message).decode())

    def _replace(self) -> None:
        """Replace the connection to COIN-M as planned, as the connector does before Binance cuts it at 24 hours."""
        why, now = "to see whether it brings the same", self.stop.clock.monotonic()
        self._coin_m.do(self._coin_m.machine.request_reconnect(None, why, now))

    # --- the WebSocket API, asked for one thing at a time while the feeds go on ---

    def _ask_api(self) -> None:
        try:
            ask_for_prices(self._ask, self._connect, self.stats, self.stop.clock.epoch)
            for _ in range(BOOKS):
                pause = self.stop.clock.deadline(BOOK_EVERY)
                while not pause.expired:
                    self._turn()
                note_book(self.stats, self._ask("ticker.book", LISTED).get("result"))
        except BinanceError as error:
            self._failed("answers", error)
        finally:
            for connection in self.api:
                connection.close()

    def _connect(self) -> None:
        self.stats["connections"] += 1
        self._dialler.dial(self.environment.websocket_api_url, CONNECT_TIMEOUT, None)
        while (outcome := self._dialler.outcome()) is None:
            self._turn()
        if isinstance(outcome[1], BinanceError):
            raise outcome[1]
        self.api.append(outcome[1])

    def _ask(self, method: str, symbol: str | None) -> dict[str, Any]:
        """Return the answer, asked for over the newest connection."""
        clock, host, connection = self.stop.clock, host_of(self.environment.websocket_api_url), self.api[-1]
        deadline = clock.deadline(ANSWER_TIMEOUT)
        connection.send_text(prices.request(REQUEST_ID, symbol, method))
        while not deadline.expired:
            for payload in connection.receive().payloads:
                with contextlib.suppress(JSONDecodeError, AttributeError):  # what is no JSON, or no object
                    frame: dict[str, Any] = loads(payload)
                    if frame.get("status") in RATE_LIMIT_STATUSES:
                        raise RateLimited(host, frame["status"], clock.epoch(), clock.epoch())
                    if frame.get("id") == REQUEST_ID:
                        self.stats["answers"] += 1
                        return frame
            if connection.loss is not None:
                raise connection.loss
            self._turn()
        raise NoAnswer(host, ANSWER_TIMEOUT)


Ask = Callable[[str, str | None], dict[str, Any]]


def ask_for_prices(ask: Ask, connect: Callable[[], None], stats: Stats, now: Callable[[], float]) -> None:
    """Ask for one price, all, and one not listed, and for one twice over a second connection."""
    connect()
    began, one = now(), ask(prices.METHOD, LISTED)
    stats.count("one_symbol_faults", *faults_of(one.get("result"), PRICE))
    every = ask(prices.METHOD, None)
    rows: list[Any] = every["result"] if isinstance(every.get("result"), list) else [None]
    for row in rows:
        stats["rows"] += 1
        faults = faults_of(row, PRICE)
        stats.count("all_symbols_faults", *faults)
        stats["coin_m_rows"] += not faults and market_of(row["symbol"]) is Market.COIN_M
    unknown = ask(prices.METHOD, "NOSUCHUSDT")
    error = unknown.get("error")
    said = f"status {unknown.get('status')} and code {error.get('code') if isinstance(error, dict) else None}"
    stats.count("unknown_symbol_faults", *({said} - {UNKNOWN_ANSWER}))
    connect()
    again, last = ask(prices.METHOD, LISTED), ask(prices.METHOD, LISTED)
    weights = [prices.weight_of(each.get("rateLimits")) for each in (one, every, unknown, again, last)]
    counts = [weight.count for weight in weights if weight is not None]
    stats["weight_limit"] = weights[0].limit if weights[0] is not None else 0
    if now() // prices.MINUTE == began // prices.MINUTE and len(counts) == len(weights):
        # Differences only: how much other programs behind this address have used is nobody's business.
        first, second, third, fourth, fifth = counts
        stats["weights"] = 1
        stats["handshake_weight"] = fourth - third - (fifth - fourth)
        if (fifth - fourth, second - first) != (prices.ONE_SYMBOL_WEIGHT, prices.ALL_SYMBOLS_WEIGHT):
            stats.count("other_price_weights", f"{fifth - fourth} and {second - first}")


def note_book(stats: Stats, book: Any) -> None:
    """Note the id in an answer to `ticker.book`, or what is wrong with it."""
    faults = faults_of(book, BOOK)
    stats.count("book_faults", *faults)
    if not faults:
        stats.setdefault("books", []).append(book["lastUpdateId"])
