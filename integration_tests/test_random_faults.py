"""What the rows vouch for is there, whatever happens: twenty seeds through the process, and two with three losses each.

A seed draws two syncs, with or without a standby, found or named contracts, a destination that takes nothing for a
while, and what befalls the connections. The simulation does the same with thousands, without sockets.
"""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial

import pytest

from local_exchange import LocalExchange
from local_exchange.faults import FaultKind

from .harness.connector import ROOT, Connector, Output, side_by_side
from .harness.driving import LISTED, Driven, in_a_hurry
from .harness.judging import Pushed, are_stretches, judge, own_records, pushes, stretches_of, uncovered
from .harness.patience import patient
from .harness.warm import warm

SEEDS = 20
RATE = 200.0
KINDS: tuple[FaultKind, ...] = ("rst", "fin", "close", "cut", "mute", "silence", "shutdown")
SLACK = 0.02  # seconds
LOSSES = 3
HURRY = in_a_hurry(high_water=128 * 1024, patience=2.0, first_patience=2.0, ping_after=0.7, pong_within=1.0)

pytestmark = pytest.mark.timeout(patient(300))


@dataclass(frozen=True)
class Story:
    """What became of it: the syncs, what was promised and is not there, what befell it, and all that was pushed."""

    outputs: list[Output]
    broken: list[Pushed]
    untold: list[Pushed]
    befell: list[str]
    pushed: list[Pushed]

    @property
    def lost(self) -> int:
        """Pushed between the first and the last update that came, and not in the output."""
        came = {update for output in self.outputs for update in output.updates}
        numbers = [number for number, update in enumerate(self.pushed) if update[:2] in came]
        return numbers[-1] - numbers[0] + 1 - len(numbers)


def of(exchange: LocalExchange, outputs: list[Output], befell: list[str]) -> Story:
    broken = [
        update
        for output in outputs
        for update in uncovered(exchange, output, under_way=longest_way(exchange, output) + SLACK)
    ]
    # A sync that was struck before its first update has nothing to be judged.
    judged = [judge(exchange, output, each_from_its_own=True) for output in outputs if output.updates]
    untold = [update for verdict in judged for update in verdict.untold]
    return Story(outputs, broken, untold, befell, pushes(exchange))


def longest_way(exchange: LocalExchange, output: Output) -> float:
    """The most seconds from a push to its receipt, of all rows that vouch.

    A row that was read so late vouches for what was pushed until then, and not for what came over a connection that
    ended in between: milliseconds, but for a machine on which a process waits for its turn.
    """
    pushed_at = {update[:2]: update.at for update in pushes(exchange)}
    ways = [record["received_at_us"] / 1e6 - pushed_at[record["symbol"], record["u"]] for record in own_records(output)]
    return max(ways, default=0.0)


def by_chance(connector: Connector, seed: int) -> Story:
    rng = random.Random(seed)
    named, standby = rng.random() < 0.5, seed % 2 == 0
    outputs: list[Output] = []
    befell: list[str] = []
    with LocalExchange(
        rate=RATE, mix_usds_margined=False, sample_every=None if named else 1.0, ping_interval=0.5, seed=seed + 1
    ) as exchange:
        for _ in range(2):
            blocked = rng.random() < 0.4
            driven = Driven(
                connector,
                exchange,
                blocked=blocked,
                state=outputs[-1].states[-1:] if outputs else None,
                standby_connection=standby,
                book_ticker_symbols=LISTED if named else [],
            )
            driven.wait_for(lambda: exchange.connections)
            for strike in range(rng.randint(3, 6)):
                time.sleep(rng.uniform(0.2, 1.6))
                befell.append(befall(exchange, rng))
                if blocked and strike == 1:
                    driven.begin_to_read()
                    befell.append("the destination takes again")
            time.sleep(rng.uniform(0.2, 1.6))
            outputs.append(driven.stop())
        return of(exchange, outputs, befell)


def befall(exchange: LocalExchange, rng: random.Random) -> str:
    """Lets something happen to a connection, or to the next ones."""
    if rng.random() < 0.2:
        times = rng.randint(1, 2)
        exchange.refuse(503, times=times)
        return f"{times} refused"
    connections = exchange.connections
    kind = rng.choice(KINDS)
    if connections:
        exchange.fault(kind, rng.choice(connections))
    return kind if connections else "nothing, since nobody is connected"


def three_losses(connector: Connector, *, standby: bool) -> Story:
    """The connection in use is lost three times, and the first attempt at another refused."""
    with LocalExchange(rate=RATE, mix_usds_margined=False, sample_every=None) as exchange:
        driven = Driven(connector, exchange, standby_connection=standby)

        def go_on() -> None:
            newest = max(connection.opened_at for connection in driven.wait_for_connections(1 + standby))
            # What a standby has only just begun to follow is promised anew.
            driven.wait_for(lambda: time.monotonic() - newest > 1.5)
            driven.wait_for_updates(round(RATE * 2.5))

        for _ in range(LOSSES):
            go_on()
            exchange.refuse(503)
            exchange.fault("rst", exchange.connections[0])
        go_on()
        return of(exchange, [driven.stop()], ["rst"] * LOSSES)


Tell = Callable[[Connector], Story]
NAMES = [f"seed {seed}" for seed in range(SEEDS)]


@pytest.fixture(scope="module")
def stories(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Future[Story]]]:
    folder = tmp_path_factory.mktemp("seeds")

    def forked(tell: Tell, command: tuple[str, ...]) -> Tell:
        def told(connector: Connector) -> Story:
            with Connector(connector.folder, command) as other:
                return tell(other)

        return told

    with warm(folder / "hurried", HURRY) as hurried, warm(folder / "plain") as plain:
        jobs: dict[str, Tell] = {
            "single": forked(partial(three_losses, standby=False), plain),
            "standby": forked(partial(three_losses, standby=True), plain),
        }
        for seed, name in enumerate(NAMES):
            jobs[name] = forked(partial(by_chance, seed=seed), hurried)
        with side_by_side(folder, jobs, at_once=8) as futures:
            yield futures


@pytest.mark.parametrize("name", [*NAMES, "single", "standby"])
def test_nothing_is_missing_that_the_rows_vouch_for(name: str, stories: dict[str, Future[Story]]) -> None:
    story = stories[name].result(patient(280))
    assert story.broken == [], story.befell
    assert story.untold == [], story.befell
    updates = [update for output in story.outputs for update in output.updates]
    assert len(updates) == len(set(updates)), "across both syncs, too"
    assert [output.exit_code for output in story.outputs] == [0] * len(story.outputs)


def test_the_seeds_are_worth_their_name(stories: dict[str, Future[Story]]) -> None:
    """Everything befell, much was lost, and yet most rows vouch."""
    told = [stories[name].result(patient(280)) for name in NAMES]
    befell = {what for story in told for what in story.befell}
    assert {*KINDS, "1 refused", "2 refused", "the destination takes again"} <= befell
    assert sum(story.lost > 0 for story in told) >= SEEDS / 2
    outputs = [output for story in told for output in story.outputs]
    assert sum(len(own_records(output)) for output in outputs) > sum(len(output.updates) for output in outputs) / 2
    assert sum(len(since) for output in outputs for since in stretches_of(output).values()) > 2 * SEEDS * len(LISTED)


def test_the_lines_to_alert_on_are_logged_at_the_level_that_the_docs_tell(stories: dict[str, Future[Story]]) -> None:
    """docs/operating.md quotes them; what twenty seeds bring about is there, and never at another level."""
    outputs = [output for name in [*NAMES, "single"] for output in stories[name].result(patient(280)).outputs]
    logged = [(log["level"], log["message"]) for output in outputs for log in output.of_type("LOG")]
    quoted = re.findall(r"^\| (\w+) \| `([^`]+)` \|", (ROOT / "docs" / "operating.md").read_text("utf-8"), re.MULTILINE)
    found = set()
    for level, line in quoted:
        pattern = re.compile(re.escape(line).replace("…", ".*?").replace(r"\ seconds", r"(?: seconds)?"))
        levels = {told for told, message in logged if pattern.search(message)}
        assert levels <= {level}, line
        if levels:
            found.add(line.strip("… ").split(" …")[0])
    assert {
        "Gap of",
        "is missing (attempt",
        "Connecting failed (attempt",
        "MiB of updates wait for the destination, which reads too slowly.",
        "The state ends with an update of",
        "Captured",
    } <= found


def test_three_losses_leave_at_least_half_vouched_for(stories: dict[str, Future[Story]]) -> None:
    story = stories["single"].result(patient(280))
    (output,) = story.outputs
    assert sum("Gap of" in line for line in output.logs("WARN")) == LOSSES
    until: dict[tuple[str, int], int] = {}
    for record in own_records(output):
        until[record["symbol"], record["covered_since_us"]] = record["received_at_us"]
    first, last = (moment(own["received_at_us"] for own in own_records(output)) / 1e6 for moment in (min, max))
    in_window = [update for update in story.pushed if first <= update.at <= last]
    vouched_for = [
        update
        for update in in_window
        if any(symbol == update.symbol and since <= update.at * 1e6 <= end for (symbol, since), end in until.items())
    ]
    assert len(in_window) > RATE * 2.5 * (LOSSES + 1)
    assert story.lost > 20, "otherwise nothing was proven"
    assert len(vouched_for) >= len(in_window) / 2


def test_with_a_standby_each_contract_has_one_unbroken_stretch(stories: dict[str, Future[Story]]) -> None:
    story = stories["standby"].result(patient(280))
    (output,) = story.outputs
    assert are_stretches(output, dict.fromkeys(LISTED, 1))
    assert sum("took over without a gap" in line for line in output.logs("INFO")) == LOSSES
    assert story.lost == 0
