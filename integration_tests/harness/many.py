"""Hundreds of contracts of both markets over several connections, each with a standby, and one of them killed at times.

Shared by the test and by the endurance run.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from local_exchange import LocalExchange, made_up_coin_m, made_up_usds_m

from .connector import Connector, Output, state_message
from .driving import Driven
from .judging import Pushed, Verdict, judge, uncovered

STREAMS_A_CONNECTION = 200
SETTLED_AFTER = 1.0  # seconds after a new connection's first update


@dataclass
class Siege:
    """What became of it. `opened` handshakes were needed, `killed` connections taken away."""

    output: Output
    verdict: Verdict
    uncovered: list[Pushed]
    connections: int
    killed: int
    opened: int
    paths: list[str]
    longest_log_line: int
    seconds_to_first_state: float
    updates: int = 0
    control_messages: list[list[float]] = field(default_factory=list)


def besiege(
    connector: Connector,
    *,
    coin_m: int,
    usds_m: int,
    rate: float,
    seconds: float,
    kill_every: float,
    seed: int = 1,
    tell: Callable[[str], None] = lambda _: None,
) -> Siege:
    """Follows so many contracts of each market at `rate` updates a second, for `seconds` after all is settled."""
    names, other_names = made_up_coin_m(coin_m), made_up_usds_m(usds_m)
    rng = random.Random(seed)
    wanted = 2 * sum(-(-(count + 1) // STREAMS_A_CONNECTION) for count in (coin_m, usds_m))
    with LocalExchange(rate=rate, coin_m_symbols=names, usds_m_symbols=other_names) as exchange:
        known = {
            "environment": f"custom {exchange.market_stream_url}",
            "u": dict.fromkeys([*names, *other_names], 1),
            "newest_transaction_time": int(time.time() * 1000),
        }
        driven = Driven(
            connector,
            exchange,
            book_ticker_symbols=[],
            include_usds_margined=True,
            usds_margined=True,
            standby_connection=True,
            state=[state_message(known)],
        )

        def are_settled() -> bool:
            ready = [c for c in exchange.connections if c.frames_sent and _age(c.opened_at) > SETTLED_AFTER]
            return len(ready) == wanted == len(exchange.connections)

        driven.wait_for(are_settled)
        began, killed = time.monotonic(), 0
        since = time.time()
        while _age(began) < seconds:
            next_at = time.monotonic() + kill_every
            exchange.fault("rst", rng.choice(exchange.connections))
            killed += 1
            driven.wait_for(are_settled)
            driven.wait_for(lambda next_at=next_at: time.monotonic() >= next_at)  # type: ignore[misc]
            tell(f"{_age(began):4.0f} s: {driven.updates} updates written, {killed} connections killed")
        first_state_after = _seconds_to_state(driven)
        driven.wait_until_current(2.0)
        until = time.time() - 2.0  # ten connections are not left at the same update
        output = driven.stop(check_records=False)
        return Siege(
            output,
            # Rare contracts have their first own update later than `since`; one that a newer sample overtakes is known.
            judge(exchange, output, symbols=[*names, *other_names], since=since, until=until, each_from_its_own=True),
            uncovered(exchange, output),
            wanted,
            killed,
            len(exchange.handshakes),
            [path for _, path, _ in exchange.handshakes],
            max(map(len, output.logs())),
            first_state_after,
            len(output.updates),
            [[at for at, _ in connection.control_messages] for connection in exchange.every_connection],
        )


def _age(at: float) -> float:
    return time.monotonic() - at


def _seconds_to_state(driven: Driven) -> float:
    """By when the first STATE was there, in seconds after the first connection."""
    began = driven.exchange.every_connection[0].opened_at
    driven.wait_for_text('"type":"STATE"')
    return _age(began)
