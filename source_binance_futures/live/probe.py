"""One run: connects as the connector does, listens, asks, and leaves. It counts, and judges nothing."""

from __future__ import annotations

import selectors
import uuid
from collections.abc import Callable, Generator, Sequence
from functools import partial
from typing import Any, NamedTuple

from orjson import JSONDecodeError, dumps, loads

from ..binance.clock import Clock, Stop
from ..binance.endpoints import ALL_MARKET_STREAM, Environment, Market, market_of, own_stream, stream_address
from ..binance.errors import BinanceError, HandshakeRefused, NoAnswer, RateLimited
from ..binance.market_stream.reader import WakingSelector
from ..binance.market_stream.subscriptions import MOST_STREAMS, Subscriptions, control_answer
from ..binance.transport.address import host_of
from ..binance.transport.connection import Connection, Dialler, Opening, open_in_background
from ..binance.transport.proxy import Route
from ..binance.websocket_api.client import MAX_MESSAGE_BYTES as MAX_ANSWER_BYTES
from ..binance.websocket_api.prices import METHOD, MINUTE, fault_of_row, parse_answer
from .expectations import AS_DOCUMENTED
from .stats import (
    CONTRACT_INFO_STREAM,
    DECIMAL,
    LISTED,
    AddressStats,
    MessageStats,
    Recorder,
    Stats,
    compare,
    conclude,
    faults_of,
)

FIRST_CONTRACTS = {Market.COIN_M: ("BTCUSD_PERP", "ETHUSD_PERP"), Market.USDS_M: (LISTED, "ETHUSDT")}
UNLISTED = "NOSUCHUSDT"
CATEGORY, WRONG_CATEGORY = "/public", "/market"  # the parts of fstream with book tickers, and with other streams
MOST_CONNECTIONS = 9  # in the whole run, attempts counted
API_CONNECTIONS = 2
MOST_FOLLOWED = MOST_STREAMS - 10  # streams that are probed, and the all-market stream, need room too
CONNECT_WITHIN = ANSWER_WITHIN = 10.0  # seconds
ASKING_TAKES = 10.0  # seconds; all of it belongs into one minute, since the weight is counted by that
FIRST_DATA_WITHIN = 20.0  # seconds, over the connection that replaces another
REDIAL_AFTER = 3.0  # seconds from a loss to the next attempt
FIRST_PING_AFTER, PING_EVERY = 1.0, 20.0  # seconds
BOOKS, BOOK_EVERY = 5, 1.0  # how often ticker.book is asked for, and seconds between two
BOOK_TYPES = {"lastUpdateId": int, "bidPrice": str, "bidQty": str, "askPrice": str, "askQty": str, "time": int}
TICK = 0.1  # seconds

Met = Callable[[Connection | BinanceError], None]


def ask_after(seconds: float) -> float:
    """Return when streams are asked for that should stay silent; contracts have appeared by then."""
    return min(15.0, seconds / 4)


class Question(NamedTuple):
    """One request of the WebSocket API, over a fresh connection or the one before, not before a moment."""

    method: str
    symbol: str | None
    fresh: bool = False
    not_before: float = 0.0


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


class Address(NamedTuple):
    """One base that is asked for `symbols`."""

    base: str
    stats: AddressStats
    symbols: tuple[str, ...]


def addresses_of(environment: Environment) -> list[Address]:
    """Return each base of either market once, in the connector's order, then fstream's plain and wrong ones.

    An address of the user's own is named by its option.
    """
    asked: dict[str, list[Market]] = {}
    for market in Market:
        for base in environment.bases(market):
            asked.setdefault(base, []).append(market)
    ours, public = len(asked), environment.usds_m_bases[0]
    plain = public.removesuffix(CATEGORY)
    routes = {plain: "plain", plain + WRONG_CATEGORY: "market"} if plain != public else {}
    for base in routes:
        asked.setdefault(base, [Market.USDS_M])
    found = []
    for number, (base, markets) in enumerate(asked.items()):
        label = base
        if environment.name == "custom":
            coin_m = environment.coin_m_bases[0]
            option, first = (
                ("usds_margined_stream_url", plain)
                if base.startswith(plain) and plain != coin_m
                else ("market_stream_url", coin_m)
            )
            if base in environment.coin_m_bases:
                option, first = "market_stream_url", coin_m
            rest = base.removeprefix(first)
            label = (
                option
                if base in (coin_m, public)
                else f"{option} with {rest}"
                if rest
                else f"{option} without {CATEGORY}"
            )
        symbols = tuple(symbol for market in markets for symbol in FIRST_CONTRACTS[market])
        stats = AddressStats(label, tuple(market.value for market in markets), routes.get(base, ""), number < ours)
        found.append(Address(base, stats, symbols))
    return found


class Line:
    """One connection to the market streams. Moments are seconds since 1970."""

    def __init__(self, connection: Connection, address: Address, symbols: Sequence[str], stats: Stats) -> None:
        now = connection.clock.epoch()
        self.connection = connection
        self.address = address
        self.recorder = Recorder(stats, address.stats.markets[0], now)
        self.symbols: list[str] = []  # the contracts that are followed
        self.streams = [ALL_MARKET_STREAM, *map(own_stream, symbols)]
        named = stream_address(address.base, self.streams)[1]
        self.named = frozenset(self.streams[:named])  # in the address
        self.confirmed = set(self.named)  # by the address, or by an answer
        self.is_open, self.lost = True, False
        self._subscriptions = Subscriptions(self.streams, named)
        self._messages: dict[int, tuple[MessageStats, list[str], float]] = {}  # with its streams, and when it was sent
        self._kinds: dict[str, str] = {}  # of streams that are no contract's
        self._next_ping_at = now + FIRST_PING_AFTER
        connection.observer = lambda controls: self.recorder.controls(controls, connection.clock.epoch())
        for symbol in symbols:
            self.follow(symbol, now, own_stream(symbol) in self.named)

    @property
    def is_asking(self) -> bool:
        """Whether some streams are still to be subscribed."""
        return sum(len(streams) for _, streams, _ in self._messages.values()) + len(self.named) < len(self.streams)

    def follow(self, symbol: str, now: float, listens: bool = False) -> None:
        """Listen to a contract's own stream, as long as there is room."""
        if symbol not in self.symbols and len(self.symbols) < MOST_FOLLOWED:
            self.symbols.append(symbol)
            if own_stream(symbol) not in self.streams:
                self.streams.append(own_stream(symbol))
            if listens:
                self.recorder.follow(symbol, now)

    def ask(self, kind: str, stream: str) -> None:
        """Subscribe a stream that is no contract's of this host; in a message of its own, where nothing else is due."""
        self._kinds[stream] = kind
        self.streams.append(stream)

    def turn(self, now: float) -> None:
        """Send what is due, and take what has arrived."""
        message = self._subscriptions.message(now)
        if message is not None:
            request = loads(message)
            kind = self._kinds.get(request["params"][0], "contracts")
            self._messages[request["id"]] = MessageStats(kind), request["params"], now
            self.recorder.stats.messages.append(self._messages[request["id"]][0])
            self.connection.send_text(message)
        if now >= self._next_ping_at:
            self._next_ping_at = now + PING_EVERY
            self.recorder.pinged(now)
            self.connection.ping()
        payloads = self.connection.receive().payloads
        if self._messages:
            payloads = [payload for payload in payloads if not self._is_answer(payload, now)]
        self.recorder.take(payloads, now)
        if self.connection.loss is not None:
            self.lost = True
            self.leave()

    def _is_answer(self, payload: bytes, now: float) -> bool:
        answer = control_answer(payload) if b'"s"' not in payload else None
        if answer is None:
            return False
        message, streams, sent_at = self._messages.get(answer.request_id or max(self._messages), (None, [], 0.0))
        if message is not None and message.answered_after is None:
            message.answered_after, message.error = round(now - sent_at, 3), answer.error is not None
            self.confirmed.update([] if message.error else streams)
            for symbol in self.symbols:
                if own_stream(symbol) in self.confirmed:
                    self.recorder.follow(symbol, now)
        return True

    def leave(self) -> None:
        """Close it, and count what is known at its end."""
        if not self.is_open:
            return
        self.is_open, now = False, self.connection.clock.epoch()
        loss = self.connection.loss
        self.connection.close()
        self.recorder.end(now, type(loss).__name__ if loss is not None else None)
        for message, streams, sent_at in self._messages.values():
            message.listened = round(now - sent_at, 1)
            message.frames = sum(self.recorder.streams[stream] for stream in streams)
        address = self.address.stats
        address.seconds = max(address.seconds, round(now - self.recorder.opened_at, 1))
        address.samples += self.recorder.samples
        address.own_updates += self.recorder.own_updates


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
        self.stats = Stats(environment.name)
        self._environment, self.stop, self.seconds = environment, stop, seconds
        self._clock: Clock = stop.clock
        self._report = report
        self._selector = selector or WakingSelector()
        self._dialler: Dialler[Met] = Dialler(
            route, stop.clock, MAX_ANSWER_BYTES, wake=self._selector.wake, opening=opening
        )
        self._registered: set[int] = set()
        self._addresses = addresses_of(environment)
        self.stats.addresses = [each.stats for each in self._addresses]
        self._lines: list[Line] = []
        self._used: dict[Market, Line] = {}
        self._fresh: Line | None = None  # the connection that replaces the one in use, while both are read
        self._old: Line | None = None
        self._replaced = False
        self._leave_old_at = float("inf")
        self._to_ask = [("unknown", "nosuchusd_perp@bookTicker"), ("uppercase", "BTCUSD_PERP@bookTicker")]
        if not set(environment.coin_m_bases) & set(environment.usds_m_bases):
            self._to_ask.append(("cross", own_stream(LISTED)))
        self._to_ask.append(("info", CONTRACT_INFO_STREAM))
        self._redial: list[tuple[float, Line]] = []
        self._began = self._clock.epoch()
        self._asking = Asking(self, environment.websocket_api_url)

    def run(self) -> Stats:
        """Listen until the time is over, a stop is requested, or nothing can come any more."""
        end = self._clock.deadline(self.seconds)
        self.stats.started_ms = int(self._began * 1000)
        for address in self._addresses:
            self._dial_address(address, address.symbols)
        try:
            while not (end.expired or self.stop.requested or self._is_hopeless):
                self._turn(self._clock.epoch())
                self._wait(min(end.remaining(), TICK))
        finally:
            self.stats.stopped_early = not end.expired
            self._dialler.close()
            for line in self._lines:
                line.leave()
            self._asking.leave()
            self._selector.close()
        self.stats.seconds = round(self._clock.epoch() - self._began, 1)
        conclude(self.stats, [line.recorder for line in self._lines if line.recorder.stats is self.stats])
        return self.stats

    def dial(self, url: str, met: Met) -> None:
        """Begin an attempt; `met` is called by this thread with what comes of it."""
        self.stats.connections += 1
        self._dialler.dial(url, CONNECT_WITHIN, met)

    @property
    def _is_hopeless(self) -> bool:
        is_waiting = self._dialler.under_way or self._redial or not self._asking.is_over
        return not (is_waiting or any(line.is_open for line in self._lines))

    def _turn(self, now: float) -> None:
        self._meet()
        if not self._asking.is_over:
            self._asking.turn(now)
        for line in self._lines:
            if line.is_open:
                line.turn(now)
        elapsed = now - self._began
        self._choose(now, elapsed)
        used = self._used.get(Market.COIN_M)
        if used is not None and used.is_open:
            newcomers, used.recorder.newcomers = used.recorder.newcomers, []
            for symbol, market in newcomers:  # as by default: COIN-M's contracts are followed as they appear
                if market is Market.COIN_M:
                    used.follow(symbol, now)
            if self._to_ask and not used.is_asking and elapsed >= ask_after(self.seconds):
                used.ask(*self._to_ask.pop(0))
            self._replace(used, now, elapsed)
        self._reconnect(now)

    def _wait(self, seconds: float) -> None:
        """Wait until something can be read, somebody hands over a connection, or so many seconds are over."""
        connections = [line.connection for line in self._lines if line.is_open]
        if self._asking.connection is not None:
            connections.append(self._asking.connection)
        wanted = {connection.fileno() for connection in connections}
        for descriptor in self._registered - wanted:
            self._selector.unregister(descriptor)
        for descriptor in wanted - self._registered:
            self._selector.register(descriptor, selectors.EVENT_READ)
        self._registered = wanted
        held = any(connection.has_decrypted_bytes() for connection in connections)
        self._selector.select(0 if held else seconds)

    def _meet(self) -> None:
        while (outcome := self._dialler.outcome()) is not None:
            met, ended = outcome
            if isinstance(ended, BinanceError):
                self.errors.append(ended)
            else:
                self.reached = True
            met(ended)

    def _dial_address(self, address: Address, symbols: Sequence[str], *, replaces: bool = False) -> None:
        if self.stats.connections - self._asking.dialled + API_CONNECTIONS < MOST_CONNECTIONS:
            url, _ = stream_address(address.base, [ALL_MARKET_STREAM, *map(own_stream, symbols)])
            self.dial(url, partial(self._met, address, symbols, replaces))

    def _met(
        self, address: Address, symbols: Sequence[str], replaces: bool, outcome: Connection | BinanceError
    ) -> None:
        if isinstance(outcome, BinanceError):
            if not address.stats.opened:
                address.stats.failure, address.stats.status = type(outcome).__name__, _status(outcome)
            self._report(f"No connection to {address.stats.label} ({type(outcome).__name__}).")
            return
        address.stats.opened, address.stats.failure, address.stats.status = True, None, None
        line = Line(outcome, address, symbols, self.stats if address.stats.is_ours else Stats())
        self._lines.append(line)
        self._report(f"Connected to {address.stats.label}.")
        if replaces and self._old is not None:
            self._fresh, line.recorder.keys = line, []
            self._leave_old_at = line.recorder.opened_at + FIRST_DATA_WITHIN

    # --- which connections are used ---

    def _choose(self, now: float, elapsed: float) -> None:
        """Use of each market the first address that brings data, and leave the others after a while."""
        for market in Market:
            if market in self._used:
                continue
            for base in self._environment.bases(market):
                of_base = [line for line in self._lines if line.address.base == base and line.is_open]
                bring = [line for line in of_base if line.recorder.data and line is not self._fresh]
                if bring:
                    self._used[market] = bring[0]
                address = next(each for each in self._addresses if each.base == base)
                if bring or (address.stats.failure is None and elapsed < min(6.0, self.seconds / 6)):
                    break
        for line in self._lines:
            if line.is_open and line is not self._fresh and line not in self._used.values():
                recorder = line.recorder
                heard_both = (
                    recorder.own_updates and recorder.samples and Market(line.address.stats.markets[0]) in self._used
                )
                if heard_both or now - recorder.opened_at >= min(20.0, self.seconds / 3):
                    line.leave()

    def _reconnect(self, now: float) -> None:
        for market, line in list(self._used.items()):
            if line.lost:
                del self._used[market]
                if line not in [waiting for _, waiting in self._redial]:
                    self._report(f"The connection to {line.address.stats.label} was lost.")
                    self._redial.append((now + REDIAL_AFTER, line))
        while self._redial and self._redial[0][0] <= now:
            _, line = self._redial.pop(0)
            self._dial_address(line.address, line.symbols)

    def _replace(self, used: Line, now: float, elapsed: float) -> None:
        """Replace the connection to COIN-M as planned, as the connector does before Binance cuts it at 24 hours."""
        if not self._replaced and elapsed >= self.seconds * 0.55:
            self._replaced, self._old, used.recorder.keys = True, used, []
            self._dial_address(used.address, used.symbols, replaces=True)
        old, fresh = self._old, self._fresh
        if old is None or fresh is None:
            return
        first_data_at = fresh.recorder.first_own_at
        if first_data_at is not None and first_data_at >= 0:
            self._leave_old_at = min(12.0, self.seconds / 4) + first_data_at
        if not (fresh.is_open and old.is_open) or now >= self._leave_old_at:
            followed = fresh.named & old.confirmed
            compare(
                self.stats,
                *([key for key in line.recorder.keys or () if own_stream(key[0]) in followed] for line in (old, fresh)),
            )
            keep = fresh if fresh.is_open and first_data_at is not None else old
            self._old = self._fresh = None
            if keep.is_open:
                (old if keep is fresh else fresh).leave()
                self._used = {market: keep if line is old else line for market, line in self._used.items()}


class Asking:
    """The WebSocket API, asked by `questions` over connections of its own, one request at a time."""

    def __init__(self, probe: Probe, url: str) -> None:
        self.connection: Connection | None = None
        self.dialled = 0
        self.is_over = False
        self._probe, self._url, self._host, self._clock = probe, url, host_of(url), probe.stop.clock
        self._questions = questions(probe.stats, self._host, self._clock.epoch(), probe.seconds)
        self._question = next(self._questions)
        self._is_dialling = False
        self._request: tuple[str, float] | None = None  # its id, and when it was sent

    def turn(self, now: float) -> None:
        """Connect, ask or take an answer, whatever is due."""
        try:
            if self.connection is None:
                if now >= self._question.not_before and not self._is_dialling:
                    self._is_dialling = True
                    self.dialled += 1
                    self._probe.dial(self._url, self._met)
            else:
                self._take(self.connection, now)
            if self.connection is not None and self._request is None and now >= self._question.not_before:
                self._request = uuid.uuid4().hex, now
                params = {} if self._question.symbol is None else {"params": {"symbol": self._question.symbol}}
                question = {"id": self._request[0], "method": self._question.method, **params}
                self.connection.send_text(dumps(question).decode())
        except BinanceError as error:
            self._probe.errors.append(error)
            self._fail(error)
        except StopIteration:
            self.leave()

    def leave(self) -> None:
        """Ask no more."""
        self.is_over = True
        if self.connection is not None:
            self.connection.close()
            self.connection = None

    def _met(self, outcome: Connection | BinanceError) -> None:
        self._is_dialling = False
        if isinstance(outcome, BinanceError):
            self._fail(outcome)
        else:
            self.connection = outcome

    def _take(self, connection: Connection, now: float) -> None:
        """Read, between two questions too: pings are answered on the way."""
        payloads = connection.receive().payloads
        if payloads and self._request is not None:
            (request_id, _), self._request = self._request, None
            self._question = self._questions.send(Answered(request_id, payloads[0], now))
            if self._question.fresh:
                connection.close()
                self.connection = None
                return
        if connection.loss is not None:
            raise connection.loss
        if self._request is not None and now - self._request[1] >= ANSWER_WITHIN:
            raise NoAnswer(self._host, ANSWER_WITHIN)

    def _fail(self, error: BinanceError) -> None:
        self.leave()
        status = _status(error)
        self._probe.stats.price_failure = type(error).__name__ if status is None else f"HTTP status {status}"


def _status(error: BinanceError) -> int | None:
    """Return the status of HTTP that a handshake was refused with."""
    return error.status if isinstance(error, HandshakeRefused | RateLimited) else None


def questions(stats: Stats, host: str, now: float, seconds: float) -> Generator[Question, Answered, None]:
    """Ask for one price, all, and one not listed, for one twice over a second connection, then for books.

    A weight of 26 with the handshakes. The prices are asked within one minute, since the weight is counted by that.
    """
    until_next_minute = MINUTE - now % MINUTE
    waits = until_next_minute < ASKING_TAKES < seconds - until_next_minute
    one = yield Question(METHOD, LISTED, not_before=now + until_next_minute if waits else now)
    stats.one_answer = fault_of_answer(one, host, LISTED) or AS_DOCUMENTED
    every = yield Question(METHOD, None)
    stats.all_answer = fault_of_answer(every, host, None) or AS_DOCUMENTED
    result = every.frame.get("result")
    rows = [row for row in result if isinstance(row, dict)] if isinstance(result, list) else []
    stats.rows = len(rows)
    stats.coin_m_rows = sum(market_of(str(row.get("symbol"))) is Market.COIN_M for row in rows)
    unknown = yield Question(METHOD, UNLISTED)
    error = unknown.frame.get("error")
    code = error.get("code") if isinstance(error, dict) else None
    stats.unknown_answer = f"status {unknown.frame.get('status')}, code {code}"
    again = yield Question(METHOD, LISTED, fresh=True)
    last = yield Question(METHOD, LISTED)
    counts = [_limit(each).get("count") for each in (one, every, unknown, again, last)]
    known = [count for count in counts if type(count) is int]
    if last.at // MINUTE == one.at // MINUTE and len(known) == len(counts):
        # Differences only: how much other programs behind this address have used is nobody's business.
        first, second, third, fourth, fifth = known
        stats.price_weights = fifth - fourth, second - first
        stats.handshake_weight = fourth - third - (fifth - fourth)
    stats.weight_limit = _limit(one).get("limit")
    for number in range(BOOKS):  # when the contract's own stream has been followed for a while
        book = yield Question("ticker.book", LISTED, not_before=now + ask_after(seconds) + number * BOOK_EVERY)
        answer = book.frame.get("result")
        for fault in faults_of(answer if isinstance(answer, dict) else {}, BOOK_TYPES):
            stats.book_faults[fault] += 1
        if isinstance(answer, dict) and type(answer.get("lastUpdateId")) is int:
            stats.books.append(answer["lastUpdateId"])


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


def _limit(answer: Answered) -> dict[str, Any]:
    limits = answer.frame.get("rateLimits")
    for limit in limits if isinstance(limits, list) else []:
        if isinstance(limit, dict) and limit.get("rateLimitType") == "REQUEST_WEIGHT":
            return limit
    return {}
