"""One run: the connector's own event loop, watched from both ends of each connection. It counts, and judges nothing."""

from __future__ import annotations

import uuid
from collections import Counter, deque
from collections.abc import Callable, Generator
from typing import Any, NamedTuple
from urllib.parse import unquote

from orjson import JSONDecodeError, dumps, loads

from ..binance.clock import Clock, Deadline, Stop
from ..binance.endpoints import Environment, Market, market_of
from ..binance.errors import BinanceError, HandshakeRefused, NoAnswer, Owner, RateLimited, UnexpectedFailure
from ..binance.market_stream.items import Failed, LogLine
from ..binance.market_stream.line import Timing
from ..binance.market_stream.reader import EventLoop, WakingSelector
from ..binance.market_stream.subscriptions import EndpointGroup
from ..binance.transport.address import host_of
from ..binance.transport.connection import LEFT, Connection, Dialler, Opening, open_in_background
from ..binance.transport.proxy import Route
from ..binance.websocket_api.client import ANSWER_TIMEOUT, CONNECT_TIMEOUT, MAX_MESSAGE_BYTES
from ..binance.websocket_api.prices import METHOD, MINUTE, fault_of_row, parse_answer, request, weight_of
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
PROBE_IDS = 1_000_000  # of their requests, above those of the connector
BOOKS, BOOK_EVERY = 5, 1.0  # how often ticker.book is asked for, and seconds between two
BOOK_TYPES = {"lastUpdateId": int, "bidPrice": str, "bidQty": str, "askPrice": str, "askQty": str, "time": int}
TICK = 0.1  # seconds


def chosen_after(seconds: float) -> float:
    """Return when one address of each market is chosen, and names are asked for that should stay silent."""
    return min(15.0, seconds / 3)


class EnoughConnections(BinanceError):
    owner = Owner.USER  # so that nothing tries again

    def __init__(self) -> None:
        super().__init__("No other connection is tried: Binance is asked for few.")


def bases_of(environment: Environment) -> dict[str, str]:
    """Return each base of either market, then fstream's plain and wrong ones, by what is expected of it."""
    public = environment.usds_m_bases[0]
    plain = public.removesuffix(CATEGORY)
    found = dict(zip(("coin_m_address", "coin_m_public"), environment.coin_m_bases, strict=False))
    found["usds_m_address"] = public
    return found if plain == public else found | {"plain_path": plain, "wrong_path": plain + WRONG_CATEGORY}


class Probe:
    """`report` gets a sentence where something happens that a person who waits may want to know."""

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
        self.errors: list[BinanceError] = []  # why connections did not come about
        self.reached = False  # whether any did
        self.stats = Stats(environment=environment.name)
        self._environment, self._stop, self._report = environment, stop, report
        self._opening = opening
        self._addresses: dict[str, Stats] = {}  # by their bases
        bases = bases_of(environment)
        for role, base in bases.items():
            markets = [market.value for market in Market if base in environment.bases(market)]
            label = OPTION[role] if environment.name == "custom" else base  # of the user's own none is shown
            self._addresses.setdefault(base, Stats(label=label, markets=markets or [Market.USDS_M.value]))
        self._dialled: Counter[str] = Counter()
        self._watched: list[tuple[Connection, Recorder]] = []
        self._selector = selector or WakingSelector()
        self._began = stop.clock.epoch()
        self._end = stop.clock.deadline(seconds)
        self._loop = EventLoop(
            [self._group(base) for base in self._addresses],
            route,
            stop.clock,
            standby=False,
            window_ends=self._end.moment,
            timing=Timing(overlap=min(12.0, seconds / 4)),
            selector=self._selector,
            opening=self._open,
        )
        dialler: Dialler[None] = Dialler(
            route, stop.clock, MAX_MESSAGE_BYTES, wake=self._selector.wake, opening=opening
        )
        self._asking = self._ask(Api(environment.websocket_api_url, dialler, stop.clock), seconds)
        self._is_asking = True
        self.stats["addresses"] = {role: self._addresses[base] for role, base in bases.items()}
        self.stats["started_ms"] = int(self._began * 1000)
        script = [(chosen_after(seconds), self._choose), (seconds * REPLACED_AFTER, self._replace)]
        script += [(FIRST_PING_AFTER + moment, self._ping) for moment in range(0, int(seconds) + 1, PING_EVERY)]
        self._script = deque(sorted(script, key=lambda step: step[0]))  # seconds after the beginning, and what is due

    def run(self) -> Stats:
        """Listen until the time is over, a stop is requested, or nothing can come any more."""
        self._loop.open()
        try:
            while not (self._end.expired or self._stop.requested) and (self._is_asking or self._listens):
                self._turn(self._stop.clock.epoch())
        finally:
            self.stats["stopped_early"] = not self._end.expired
            self._loop.end()
            self._asking.close()
            self._end_what_is_over()
        self.stats["seconds"] = round(self._stop.clock.epoch() - self._began, 1)
        conclude(self.stats, [recorder for _, recorder in self._watched if recorder.stats is self.stats])
        return self.stats

    @property
    def _listens(self) -> bool:
        """Whether the event loop goes on: as long as it has a connection, or tries to get one."""
        feeds = self._loop.feeds
        return any(feed.is_busy for feed in feeds) or all(feed.machine.failure is None for feed in feeds)

    def _turn(self, now: float) -> None:
        if self._listens:
            self._loop.turn()
        else:
            self._selector.select(TICK)
        while (item := self._loop.take(0)) is not None:
            if isinstance(item, Failed):
                raise item.error  # a fault of this connector's own: feeds that gave up are not turned any more
            if isinstance(item, LogLine) and item.level != "debug":
                self._report(item.text)
        self._is_asking = next(self._asking, False)
        self._end_what_is_over()
        while self._script and now >= self._began + self._script[0][0]:
            self._script.popleft()[1]()

    def _end_what_is_over(self) -> None:
        for connection, recorder in self._watched:
            loss = connection.loss
            if loss is not None and recorder.ended_at is None:
                recorder.end(None if str(loss) == LEFT else type(loss).__name__)

    def _ping(self) -> None:
        for connection, _ in self._watched:
            connection.ping()

    def failed(self, error: Exception) -> BinanceError:
        """Note why a connection did not come about."""
        self.errors.append(error if isinstance(error, BinanceError) else UnexpectedFailure(error))
        return self.errors[-1]

    # --- connections of the connector's own feeds ---

    def _group(self, base: str) -> EndpointGroup:
        """Return what is listened to at an address; contracts of COIN-M are followed as they appear, as by default."""
        markets = [Market(value) for value in self._addresses[base]["markets"]]
        symbols = tuple(symbol for market in markets for symbol in FIRST_CONTRACTS[market])
        is_coin_m = markets[0] is Market.COIN_M
        return EndpointGroup((base,), frozenset(markets[:1]), symbols, all_market=True, discovers=is_coin_m)

    def _open(
        self,
        url: str,
        route: Route,
        deadline: Deadline,
        max_message_bytes: int,
        hand_over: Callable[[Connection | Exception], None],
    ) -> None:
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
                now = outcome.clock.epoch
                is_ours = base in (*self._environment.coin_m_bases, *self._environment.usds_m_bases)
                recorder = Recorder(self.stats if is_ours else Stats(), address, unquote(streams).split("/"), now)
                outcome.observer = recorder
                self._watched.append((outcome, recorder))
            else:
                error = self.failed(outcome)
                address["failure"], address["status"] = type(error).__name__, _status(error)
            hand_over(outcome)

        self._dialled[base] += 1
        self.stats["connections"] += 1
        self._opening(url, route, deadline, max_message_bytes, watch)

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
        self._ask_for_odd_names(self._addresses[self._coin_m.group.bases[0]])

    def _ask_for_odd_names(self, address: Stats) -> None:
        """Ask COIN-M's host for streams of no contract of its own, each in a message of its own."""
        for connection, recorder in self._watched:
            for number, stream in enumerate(PROBED if recorder.address is address else ()):
                if PROBED[stream] != "cross" or address["markets"] == [Market.COIN_M.value]:
                    message = {"method": "SUBSCRIBE", "params": [stream], "id": PROBE_IDS + number}
                    connection.send_text(dumps(message).decode())

    def _ask(self, api: Api, seconds: float) -> Steps:
        """Ask the WebSocket API, the prices within one minute, since the weight is counted by that."""
        began, until_next_minute = self._began, MINUTE - self._began % MINUTE
        try:
            if until_next_minute < ASKING_TAKES < seconds - until_next_minute:
                yield from api.pause_until(began + until_next_minute)
            yield from ask_for_prices(api.ask, api.connect, self.stats, api.host)
            for number in range(BOOKS):  # when the contract's own stream has been followed for a while
                yield from api.pause_until(began + chosen_after(seconds) + number * BOOK_EVERY)
                book = yield from api.ask("ticker.book", LISTED)
                note_book(self.stats, book.frame.get("result"))
        except BinanceError as error:
            status = _status(self.failed(error))
            self.stats["price_failure"] = type(error).__name__ if status is None else f"HTTP status {status}"
        finally:
            self.stats["connections"] += api.attempts
            self.reached |= api.connection is not None
            api.close()

    def _replace(self) -> None:
        """Replace the connection to COIN-M as planned, as the connector does before Binance cuts it at 24 hours."""
        why, now = "to see whether it brings the same", self._stop.clock.monotonic()
        self._coin_m.do(self._coin_m.machine.request_reconnect(None, why, now))


class Answered(NamedTuple):
    """An answer as it came, and when."""

    request_id: str
    payload: bytes
    at: float

    @property
    def frame(self) -> dict[str, Any]:
        try:
            frame = loads(self.payload)
        except JSONDecodeError:
            return {}
        return frame if isinstance(frame, dict) else {}


Steps = Generator[bool, None, None]  # True each time, after which there may be something to do
Ask = Callable[[str, str | None], Generator[bool, None, Answered]]


class Api:
    """The WebSocket API, asked over one connection after the other, one request at a time."""

    def __init__(self, url: str, dialler: Dialler[None], clock: Clock) -> None:
        self.host, self.attempts = host_of(url), 0
        self._url, self._dialler, self._clock = url, dialler, clock
        self.connection: Connection | None = None

    def connect(self) -> Steps:
        """Open a connection, in place of the one before."""
        if self.connection is not None:
            self.connection.close()
        self.attempts += 1
        self._dialler.dial(self._url, CONNECT_TIMEOUT, None)
        while (outcome := self._dialler.outcome()) is None:
            yield True
        _, met = outcome
        if isinstance(met, BinanceError):
            raise met
        self.connection = met

    def ask(self, method: str, symbol: str | None) -> Generator[bool, None, Answered]:
        assert self.connection is not None
        request_id, deadline = uuid.uuid4().hex, self._clock.deadline(ANSWER_TIMEOUT)
        self.connection.send_text(request(request_id, symbol, method))
        while not (payloads := self.connection.receive().payloads):
            if self.connection.loss is not None:
                raise self.connection.loss
            if deadline.expired:
                raise NoAnswer(self.host, ANSWER_TIMEOUT)
            yield True
        return Answered(request_id, payloads[0], self._clock.epoch())

    def pause_until(self, moment: float) -> Steps:
        while self._clock.epoch() < moment:
            if self.connection is not None:
                self.connection.receive()  # which answers pings
            yield True

    def close(self) -> None:
        self._dialler.close()
        if self.connection is not None:
            self.connection.close()


def _status(error: BinanceError) -> int | None:
    """Return the status of HTTP that a handshake was refused with."""
    return error.status if isinstance(error, HandshakeRefused | RateLimited) else None


def ask_for_prices(ask: Ask, connect: Callable[[], Steps], stats: Stats, host: str) -> Steps:
    """Ask for one price, all, and one not listed, and for one twice over a second connection."""
    yield from connect()
    one = yield from ask(METHOD, LISTED)
    stats["one_answer"] = fault_of_answer(one, host, LISTED) or AS_DOCUMENTED
    every = yield from ask(METHOD, None)
    stats["all_answer"] = fault_of_answer(every, host, None) or AS_DOCUMENTED
    result = every.frame.get("result")
    rows = [row for row in result if isinstance(row, dict)] if isinstance(result, list) else []
    stats["rows"] = len(rows)
    stats["coin_m_rows"] = sum(market_of(str(row.get("symbol"))) is Market.COIN_M for row in rows)
    unknown = yield from ask(METHOD, UNLISTED)
    error = unknown.frame.get("error")
    code = error.get("code") if isinstance(error, dict) else None
    stats["unknown_answer"] = f"status {unknown.frame.get('status')}, code {code}"
    yield from connect()
    again = yield from ask(METHOD, LISTED)
    last = yield from ask(METHOD, LISTED)
    weights = [weight_of(each.frame.get("rateLimits")) for each in (one, every, unknown, again, last)]
    counts = [weight.count for weight in weights if weight is not None]
    if last.at // MINUTE == one.at // MINUTE and len(counts) == len(weights):
        # Differences only: how much other programs behind this address have used is nobody's business.
        first, second, third, fourth, fifth = counts
        stats["price_weights"] = fifth - fourth, second - first
        stats["handshake_weight"] = fourth - third - (fifth - fourth)
    if weights[0] is not None:
        stats["weight_limit"] = weights[0].limit


def note_book(stats: Stats, answer: Any) -> None:
    """Note the id in an answer to `ticker.book`, and what is wrong with the answer."""
    book = answer if isinstance(answer, dict) else {}
    faults = faults_of(book, BOOK_TYPES)
    for fault in faults:
        stats.count("book_faults", fault)
    if "lastUpdateId" not in " ".join(faults):
        stats.setdefault("books", []).append(book["lastUpdateId"])


def fault_of_answer(answer: Answered, host: str, symbol: str | None) -> str:
    """Return what the connector, and the schema, have against an answer; "" for nothing. Raises `RateLimited`."""
    try:
        parsed = parse_answer(answer.payload, answer.request_id, symbol, host, answer.at)
    except BinanceError as error:
        return type(error).__name__
    if parsed is None:
        return "another id"
    if isinstance(parsed.error, RateLimited):
        raise parsed.error
    if parsed.error is not None:
        return type(parsed.error).__name__
    if symbol is not None and isinstance(answer.frame.get("result"), list):
        return "a list for one symbol"
    for row in parsed.rows:
        odd = "a price that is no decimal" if not fault_of_row(row) and not DECIMAL.match(row["price"]) else ""
        fault = fault_of_row(row) or odd or ("" if type(row.get("time")) is int else "no time")
        if fault:
            return fault
    return ""
