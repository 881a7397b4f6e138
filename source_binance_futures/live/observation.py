"""One run: connects as the connector does, listens, asks, and leaves. What it learns are facts; it judges nothing."""

from __future__ import annotations

from collections.abc import Callable

from ..binance.clock import Deadline, Stop
from ..binance.endpoints import Environment, Market, own_stream
from ..binance.errors import BinanceError, HandshakeRefused, RateLimited
from ..binance.transport.connection import wait_for_any
from ..binance.transport.route import Route
from .addresses import FIRST_CONTRACTS, Address, addresses_of
from .dialler import Dialler, Failed
from .facts import AddressFacts, Facts, PriceFacts
from .line import Line
from .prices import CONNECTIONS as PRICE_CONNECTIONS
from .prices import PriceAsking
from .schedule import MOST_CONNECTIONS, Schedule
from .succession import Succession

TICK = 0.1  # seconds
REDIAL_AFTER = 3.0  # seconds from a loss to the next attempt
LAST_ANSWER_WITHIN = 3.0  # seconds that the API has beyond the end
UNKNOWN_STREAM = "nosuchusd_perp@bookTicker"
UPPERCASE_STREAM = "BTCUSD_PERP@bookTicker"  # of a contract whose stream in lower case brings data


class Observation:
    """`tell` gets a sentence where something happens that a person who waits may want to know."""

    def __init__(
        self, environment: Environment, route: Route, stop: Stop, seconds: float, tell: Callable[[str], None]
    ) -> None:
        self._failed: list[BinanceError] = []
        self._environment = environment
        self._stop = stop
        self._tell = tell
        self._schedule = Schedule(seconds)
        self._addresses = addresses_of(environment)
        self._dialler = Dialler(route, stop.clock, most=MOST_CONNECTIONS, made=PRICE_CONNECTIONS)
        self._failures: dict[str, BinanceError] = {}  # by base
        self._lines: list[Line] = []
        self._used: dict[Market, Line] = {}
        self._succession: Succession | None = None
        self._probes = [("unknown", UNKNOWN_STREAM), ("uppercase", UPPERCASE_STREAM)]
        if not set(environment.coin_m_bases) & set(environment.usds_m_bases):
            self._probes.append(("cross", own_stream(FIRST_CONTRACTS[Market.USDS_M][0])))
        self._redial: list[tuple[float, Line]] = []
        self._prices = PriceAsking(environment.websocket_api_url, route, stop)
        self._began = 0.0
        self._offset = 0.0

    @property
    def errors(self) -> list[BinanceError]:
        """Why connections did not come about."""
        return self._failed + ([] if self._prices.error is None else [self._prices.error])

    @property
    def reached(self) -> bool:
        """Whether any connection came about, of the streams or the API."""
        return bool(self._lines) or (self._prices.facts is not None and self._prices.facts.one_fault is not None)

    def run(self) -> Facts:
        """Until the time is over, a stop is requested, or nothing can come any more."""
        self._began = self._stop.clock.monotonic()
        self._offset = self._stop.clock.epoch_offset
        end = Deadline(self._stop.clock, self._began + self._schedule.seconds)
        self._prices.start(end)
        for address in self._addresses:
            self._dialler.dial(address, address.symbols)
        try:
            while not (end.expired or self._stop.requested or self._is_hopeless):
                self._step(self._stop.clock.monotonic())
                self._wait(min(end.remaining(), TICK))
        finally:
            early, seconds = not end.expired, self._stop.clock.monotonic() - self._began
            self._dialler.close()
            for line in self._lines:
                line.leave()
        self._prices.meet(LAST_ANSWER_WITHIN)
        return Facts(
            self._environment.name,
            int((self._began + self._offset) * 1000),
            round(seconds, 1),
            self._dialler.made,
            early,
            tuple(map(self._address_facts, self._addresses)),
            tuple(line.facts() for line in self._lines if not line.address.wrong_path),
            None if self._succession is None else self._succession.facts(),
            self._prices.facts or PriceFacts(failure="NoAnswer"),
        )

    @property
    def _is_hopeless(self) -> bool:
        """Whether nothing is open, and nothing can be any more."""
        is_waiting = self._dialler.under_way or self._prices.facts is None or self._redial
        return not (is_waiting or any(line.is_open for line in self._lines))

    def _step(self, now: float) -> None:
        self._prices.meet(0)
        self._meet_connections(now)
        for line in self._lines:
            if line.is_open:
                line.tick(now)
                line.read(now)
        elapsed = now - self._began
        self._choose(elapsed)
        self._leave_the_others(now)
        self._follow(now)
        self._probe(elapsed)
        self._succeed(elapsed, now)
        self._reconnect(now)

    def _wait(self, seconds: float) -> None:
        connections = [line.connection for line in self._lines if line.is_open]
        if connections:
            wait_for_any(connections, seconds)
        else:
            self._stop.clock.sleep(max(seconds, 0))

    def _meet_connections(self, now: float) -> None:
        while (outcome := self._dialler.outcome()) is not None:
            succeeds, ended = outcome
            if isinstance(ended, Failed):
                self._failed.append(ended.error)
                self._failures.setdefault(ended.address.base, ended.error)
                self._tell(f"No connection to {ended.address.label} ({type(ended.error).__name__}).")
                if succeeds and self._succession is not None:
                    self._succession.failed()
                continue
            line = Line(ended, self._offset)
            self._lines.append(line)
            self._tell(f"Connected to {ended.address.label}.")
            if succeeds and self._succession is not None:
                self._succession.opened(line, now)

    # --- which connections are used ---

    def _choose(self, elapsed: float) -> None:
        """Of each market the first address that brings data."""
        for market in Market:
            if market not in self._used:
                line = self._first_that_brings(market, elapsed)
                if line is not None:
                    self._used[market] = line

    def _first_that_brings(self, market: Market, elapsed: float) -> Line | None:
        for base in self._environment.bases(market):
            for line in self._lines:
                if line.address.base == base and line.is_open and (line.tape.own_frames or line.tape.samples_frames):
                    return line
            if base not in self._failures and elapsed < self._schedule.choose_after:
                return None
        return None

    def _leave_the_others(self, now: float) -> None:
        """An address that is not used is listened to until it has brought both kinds of streams, or long enough."""
        fresh = self._succession.fresh if self._succession is not None else None
        for line in self._lines:
            if line.is_open and line is not fresh and line not in self._used.values():
                heard_both = line.tape.own_frames and line.tape.samples_frames
                long_enough = now - line.connection.opened_at >= self._schedule.address_patience
                if long_enough or (heard_both and line.address.markets[0] in self._used):
                    line.leave()

    def _reconnect(self, now: float) -> None:
        """A connection that was lost while it was used is opened again, as long as there may be more."""
        for market, line in list(self._used.items()):
            if line.is_lost:
                del self._used[market]
                if line not in [waiting for _, waiting in self._redial]:
                    self._tell(f"The connection to {line.address.label} was lost.")
                    self._redial.append((now + REDIAL_AFTER, line))
        while self._redial and self._redial[0][0] <= now:
            _, line = self._redial.pop(0)
            self._dialler.dial(line.address, tuple(line.symbols))

    # --- what is asked of them ---

    def _follow(self, now: float) -> None:
        """What appears in the all-market stream of COIN-M's host is followed by its own stream, as by default."""
        line = self._used.get(Market.COIN_M)
        if line is not None and line.is_open:
            newcomers, line.tape.newcomers = line.tape.newcomers, []
            for symbol, market in newcomers:
                if market is Market.COIN_M:
                    line.follow(symbol, now)

    def _probe(self, elapsed: float) -> None:
        """Names that are to be acknowledged and stay silent, each in a message of its own."""
        line = self._used.get(Market.COIN_M)
        if line is None or not line.is_open or line.is_asking or elapsed < self._schedule.probe_after:
            return
        if self._probes:
            line.probe(*self._probes.pop(0))

    def _succeed(self, elapsed: float, now: float) -> None:
        """The planned replacement of the connection to COIN-M."""
        used = self._used.get(Market.COIN_M)
        if self._succession is not None:
            successor = self._succession.step(now)
            if successor is not None:
                self._used = {
                    market: successor if line is self._succession.used else line for market, line in self._used.items()
                }
        elif used is not None and used.is_open and elapsed >= self._schedule.replace_after:
            self._succession = Succession(used, self._schedule)
            if not self._dialler.dial(used.address, tuple(used.symbols), succeeds=True):
                self._succession.failed()

    # --- what is known of an address ---

    def _address_facts(self, address: Address) -> AddressFacts:
        markets = tuple(market.value for market in address.markets)
        line = next((line for line in self._lines if line.address.base == address.base), None)
        if line is not None:
            seconds = line.facts().seconds
            return AddressFacts(
                address.label,
                markets,
                address.wrong_path,
                opened=True,
                seconds=seconds,
                samples=line.tape.samples_frames,
                own=line.tape.own_frames,
            )
        error = self._failures.get(address.base)
        status = error.status if isinstance(error, HandshakeRefused | RateLimited) else None
        return AddressFacts(
            address.label,
            markets,
            address.wrong_path,
            failure=type(error).__name__ if error is not None else None,
            status=status,
        )
