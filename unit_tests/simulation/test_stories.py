"""What is promised about losses, coverage, standby, samples, markets and time, one story each, in virtual time.

Each is judged by every rule of the simulation as well: see `tell`.
"""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from local_exchange.contracts import coin_m_contracts, made_up_coin_m
from local_exchange.streams import Update
from source_binance_futures.failures import ReportedFailure
from source_binance_futures.streams import cursor

from ..virtual_time import BEGAN
from .exchange import LONGEST_LATENCY
from .schedule import COIN_M, USDS_M, Fault, Kind
from .story import connection, known, tell

STANDBY = {"standby_connection": True}
BTC, ETH, ADA = COIN_M[:3]
ROOT = Path(__file__).resolve().parents[2]
TOOK_OVER = "took over: "

# --- one connection ---


@pytest.mark.parametrize(
    ("kind", "cause"),
    [
        ("rst", "the connection broke (connection reset by peer)"),
        ("cut", "the connection broke (connection reset by peer)"),
        ("fin", "the connection ended without a close frame"),
        ("close", "the exchange closed the connection with code 1001"),
        ("silence", "nothing was heard for 30 seconds and a ping was not answered"),
        ("mute", "the connection in use was silent for 3"),
    ],
)
def test_a_loss_is_one_gap_from_the_last_update_to_the_first_over_a_fresh_connection(kind: Kind, cause: str) -> None:
    story = tell(Fault(20, kind))
    (gap,) = story.gaps
    assert gap.text.startswith("Gap of ")
    assert cause in gap.text
    lost = story.lost()
    assert story.pushed_at(gap.since) <= lost[0] <= lost[-1] <= story.pushed_at(gap.until)
    assert story.pushed_at(gap.since) == pytest.approx(20, abs=0.3)
    assert set(story.intervals.values()) == {2}
    assert "Gaps: 1, " in story.summary
    assert "Reconnects: 1. " in story.summary


@pytest.mark.parametrize("kind", ["shutdown", "lag"])
def test_what_can_be_replaced_before_it_is_left_is_no_gap(kind: Kind) -> None:
    story = tell(Fault(20, kind, 20.0)) if kind == "shutdown" else tell(rotate_after=20.0)
    assert not story.gaps
    assert not story.lost()
    assert story.logged(TOOK_OVER)
    assert set(story.intervals.values()) == {1}


def test_after_a_loss_it_is_back_at_once_and_then_ever_later() -> None:
    story = tell((20, lambda chain: chain.exchange.refuse(503, times=7)), Fault(20.1, "rst"), windows=[120])
    attempts = [moment for moment in story.attempts if moment > 20]
    pauses = [after - before for before, after in pairwise(attempts)]
    assert attempts[0] < 20.5
    assert len(attempts) == 8
    for number, pause in enumerate(pauses):
        assert min(0.5, 0.25 * 2**number) <= pause <= min(0.5 * 2**number + 0.5, 30.5)
    assert len(story.logged("Connecting failed (attempt")) == 3  # the 1st, 2nd and 4th
    assert len(story.gaps) == 1


def test_a_server_that_accepts_and_closes_is_not_hammered() -> None:
    story = tell(Fault(0, "close at once", times=1000), windows=[60], breaks=True)
    assert 3 < len(story.attempts) < 14
    assert "before its first update" in str(story.sync.failure)


def test_a_window_without_any_update_fails_and_its_gap_is_reported_before_the_state() -> None:
    story = tell((0, lambda chain: chain.exchange.refuse(503, times=None)), windows=[20], breaks=True)
    assert story.sync.failure is not None
    assert len(story.gaps) == 1
    assert len(story.sync.states) == 1


def test_a_quiet_market_is_no_gap_however_often_it_is_asked_about() -> None:
    story = tell(rate=0.0, windows=[200], options={"book_ticker_symbols": [BTC]})
    assert not story.gaps
    assert story.sync.failure is None
    assert 2 <= len(story.attempts) <= 8


def test_samples_every_five_seconds_are_no_silence() -> None:
    story = tell(options={**STANDBY, "book_ticker_pace": "sampled"}, rate=5.0)
    assert not story.gaps
    assert not story.silences
    assert len(story.attempts) == 2
    assert {row["covered_since_us"] for row in story.rows} == {None}
    assert len({row["u"] for row in story.rows}) < len(story.exchange.pushed)


# --- a standby ---


@pytest.mark.parametrize("kind", ["rst", "cut", "fin", "close", "silence", "mute", "shutdown", "lag", "slow down"])
@pytest.mark.parametrize("target", [0, 1])
def test_with_a_standby_one_fault_loses_nothing(kind: Kind, target: int) -> None:
    story = tell(Fault(15, kind, 12.0, target=target), options=STANDBY, windows=[90])
    assert not story.gaps
    assert not story.lost()
    assert bool(story.logged(TOOK_OVER)) == (target == 0)
    if kind in ("lag", "slow down"):
        assert len(story.attempts) == 3  # the late one was replaced
    else:
        assert set(story.intervals.values()) == {1}


def test_losing_both_at_once_is_one_gap_and_two_new_connections() -> None:
    story = tell(Fault(20, "rst", target=2), options=STANDBY)
    assert len(story.gaps) == 1
    assert len(story.attempts) == 4


def test_two_silent_connections_are_one_gap_from_the_first_silence_on() -> None:
    story = tell(Fault(20, "silence", target=2), options=STANDBY, windows=[90])
    (gap,) = story.gaps
    assert story.pushed_at(gap.since) == pytest.approx(20, abs=0.3)


def test_both_connections_age_and_nothing_is_lost() -> None:
    story = tell(options=STANDBY, rotate_after=20.0, windows=[100])
    assert not story.gaps
    assert len(story.attempts) >= 6
    assert set(story.intervals.values()) == {1}


def test_a_refusal_for_good_of_the_standby_does_not_end_the_capture() -> None:
    story = tell((0.5, lambda chain: chain.exchange.refuse(451)), Fault(0.6, "rst", target=1), options=STANDBY)
    assert story.sync.failure is None
    assert not story.gaps


def test_retry_after_of_the_standby_is_kept() -> None:
    story = tell(
        (5, lambda chain: chain.exchange.refuse(429, {"Retry-After": "30"})),
        Fault(5.1, "rst", target=1),
        options=STANDBY,
    )
    asked = [moment for moment in story.attempts if moment > 5]
    assert asked[1] - asked[0] == pytest.approx(30, abs=1)
    assert not story.gaps


def test_the_gap_of_a_late_standby_begins_with_the_loss() -> None:
    story = tell(Fault(15, "lag", 1.5, target=1), Fault(20, "rst"), options=STANDBY)
    lost = story.lost()
    assert not lost or story.pushed_at(story.gaps[0].since) <= lost[0]
    assert all(story.pushed_at(gap.since) >= 19.7 for gap in story.gaps)


def test_what_a_standby_may_have_subscribed_to_too_late_is_covered_anew() -> None:
    late = (14.9, lambda chain: chain.exchange.late_subscriptions(8.0))
    story = tell(late, Fault(15, "rst", target=1), Fault(19, "rst"), options=STANDBY, breaks=True)
    lost = story.lost()
    assert lost
    offset = story.sync.clock.epoch_offset + BEGAN
    for row in story.rows:
        since = row["covered_since_us"]
        assert since is None or not any(since / 1e6 - offset < at < row["received_at_us"] / 1e6 - offset for at in lost)


# --- a destination that reads slowly ---


def test_receipt_follows_the_push_however_long_the_destination_is_blocked() -> None:
    story = tell(Fault(20, "stall", 25.0))
    times = {push.update.update_id: push.at for push in story.exchange.pushed}
    offset = story.sync.clock.epoch_offset
    late = [row["received_at_us"] / 1e6 - offset - times[row["u"]] for row in story.rows if row["covered_since_us"]]
    assert max(late) < LONGEST_LATENCY + 0.01
    assert not story.lost()
    assert set(story.intervals.values()) == {1}


def test_at_its_limit_reading_pauses_says_so_and_goes_on() -> None:
    story = tell(Fault(20, "stall", 25.0), outbox=(20_000, 10_000), rate=60.0)
    assert len(story.logged("Reading from the exchange pauses")) == 1
    assert not story.gaps
    assert not story.lost()


def test_a_standby_does_not_take_over_because_nobody_reads() -> None:
    story = tell(Fault(20, "stall", 25.0), outbox=(20_000, 10_000), rate=60.0, options=STANDBY)
    assert not story.logged(TOOK_OVER)
    assert not story.gaps


@pytest.mark.parametrize("kind", ["rst", "fin", "close"])
def test_the_gap_of_a_cut_during_a_pause_begins_where_the_data_ends(kind: Kind) -> None:
    story = tell(Fault(20, "stall", 20.0), Fault(30, kind), outbox=(5_000, 2_000), rate=30.0)
    (gap,) = story.gaps
    assert story.pushed_at(gap.since) <= story.lost()[0]
    assert story.pushed_at(gap.since) == pytest.approx(30, abs=0.5)


def test_a_window_that_ends_during_a_pause_tells_what_was_left() -> None:
    story = tell(Fault(45, "stall", 30.0), outbox=(5_000, 2_000), rate=30.0)
    (gap,) = story.gaps
    assert "the window ended while reading paused" in gap.text


def test_a_slow_reader_that_is_cut_tells_the_gap() -> None:
    story = tell(Fault(20, "stall", 30.0), outbox=(5_000, 2_000), rate=60.0, unsent_limit=20_000)
    assert len(story.gaps) == 1
    assert story.lost()


@pytest.mark.parametrize(("stop", "reads_again"), [([Fault(30, "stop")], 35), ([], 80)], ids=["stop", "window"])
def test_a_destination_that_reads_again_soon_after_the_end_gets_all(stop: list[Fault], reads_again: float) -> None:
    story = tell(Fault(20, "stall", reads_again - 20.0), *stop)
    assert not story.logged("they are lost")
    last = story.rows[-1]["received_at_us"] / 1e6 - story.sync.clock.epoch_offset - BEGAN
    assert last == pytest.approx(reads_again, abs=1)


@pytest.mark.parametrize(("stop", "reads_again"), [([Fault(30, "stop")], 40), ([], 110)], ids=["stop", "window"])
def test_what_it_is_too_late_to_write_is_counted_and_reported(stop: list[Fault], reads_again: float) -> None:
    story = tell(Fault(20, "stall", reads_again - 20.0), *stop, breaks=True)
    (line,) = story.logged("received frames could be written; they are lost")
    assert int(line.split()[4]) >= len(story.exchange.pushed) - len(story.rows) > 0
    assert story.sync.states[-1][2] == len(story.rows)


# --- clocks ---


@pytest.mark.parametrize("seconds", [3.0, 60.0, 590.0, 4 * 3600.0])
def test_one_event_time_that_is_ahead_shortens_no_gap(seconds: float) -> None:
    story = tell(Fault(10, "one leap", seconds), Fault(30, "rst"), options={"standby_connection": False})
    lost = story.lost()
    assert any(story.pushed_at(gap.since) <= lost[0] and lost[-1] <= story.pushed_at(gap.until) for gap in story.gaps)


def test_rows_stay_in_order_whatever_is_done_to_the_machines_clock() -> None:
    story = tell(Fault(20, "our clock", 3600.0, times=2), Fault(30, "rst"), Fault(40, "our clock", 7200.0))
    received = [row["received_at_us"] for row in story.rows]
    assert received == sorted(received)
    assert len(story.gaps) == 1


# --- samples beside the contracts' own streams ---


def test_a_first_sync_follows_every_contract_and_samples_run_ahead_of_nothing() -> None:
    story = tell(state={}, coin_m=COIN_M)
    assert set(story.intervals) == set(COIN_M)
    assert not story.lost()
    (only,) = [stream.server.protocol for stream in story.exchange.streams]
    assert len(only.control_messages) <= len(COIN_M)
    samples = [row for row in story.rows if row["covered_since_us"] is None]
    first_own = {row["symbol"]: row["u"] for row in reversed(story.rows) if row["covered_since_us"] is not None}
    assert all(row["u"] < first_own[row["symbol"]] for row in samples)
    assert "Samples confirmed: " in story.summary


def test_an_own_stream_that_dies_is_reported_and_its_connection_replaced() -> None:
    story = tell((20, lambda chain: chain.exchange.kill_stream(ETH, connection(chain))), windows=[60])
    reported = [gap for gap in story.gaps if f"{ETH} only: " in gap.text]
    assert reported
    assert len(story.attempts) == 2
    lost = story.lost(ETH)
    assert story.pushed_at(reported[0].since) <= lost[0]
    assert lost[-1] <= max(story.pushed_at(gap.until) for gap in reported)
    assert story.intervals == {BTC: 1, ETH: 2, ADA: 1}


def test_a_stream_that_never_lives_is_reported_and_not_asked_for_without_end() -> None:
    def kill(chain: Any) -> None:
        for each in chain.exchange.market.open_connections:
            if not each.dead_streams:
                chain.exchange.kill_stream(ETH, each)

    story = tell(*((0.01 + number / 4, kill) for number in range(1400)), windows=[350])
    assert any(f"{ETH} only: " in gap.text for gap in story.gaps)
    assert len(story.attempts) <= 5


def test_one_that_dies_on_another_connection_is_replaced_there() -> None:
    many = tuple(made_up_coin_m(205))

    def kill(chain: Any) -> None:
        (second,) = [each for each in chain.exchange.market.open_connections if "!bookTicker" not in each.streams]
        chain.exchange.kill_stream(many[-1], second)

    of_last = {"e": "bookTicker", "s": many[-1], "st": 2}
    story = tell((15, kill), coin_m=many, rate=800.0, windows=[45])
    assert f"{many[-1]} only: " in story.gaps[0].text
    assert len(story.attempts) == 3
    assert story.logged("Connection 2 of 2")[-1].endswith(f"has not brought what the all-market stream shows{'.'}")
    assert of_last["s"] in story.intervals


def test_a_quiet_contract_has_its_row_from_a_sample_that_covers_nothing() -> None:
    def push(chain: Any) -> None:
        chain.exchange.market.push(chain.exchange.engine.next(1))

    story = tell((0.01, push), rate=0.0, coin_m=COIN_M[:1], windows=[20], state={})
    (row,) = story.rows
    assert row["covered_since_us"] is None
    assert row["symbol"] == BTC


def test_a_subscription_that_fails_again_and_again_is_reported() -> None:
    def list_more(chain: Any) -> None:
        number = sum(len(each.streams) for each in chain.exchange.market.open_connections)
        (contract,) = coin_m_contracts([f"NEW{number}{round(chain.exchange.time.now)}USD_PERP"])
        chain.exchange.market.push([chain.exchange.engine.list_contract(contract)])

    never = (5, lambda chain: chain.exchange.ignore_subscriptions(None))
    story = tell(never, *((float(at), list_more) for at in range(6, 40, 3)), windows=[60], breaks=True)
    assert story.logged("are not followed")
    assert len(story.attempts) <= 4


def test_a_new_listing_is_followed_from_its_first_sample_on() -> None:
    def list_contract(chain: Any) -> None:
        (contract,) = coin_m_contracts(["NEWUSD_PERP"])
        chain.exchange.market.push([chain.exchange.engine.list_contract(contract)])

    story = tell((15, list_contract))
    assert "NEWUSD_PERP" in story.intervals
    assert not story.lost()


@pytest.mark.parametrize("own_lag", [0.005, 1.0])
def test_a_sample_that_runs_ahead_of_its_own_stream_drops_nothing(own_lag: float) -> None:
    """Under one cursor for both each sample would make what is under way look old."""
    story = tell(own_lag=own_lag, windows=[40])
    assert set(story.intervals.values()) == {1}
    assert not story.gaps


@pytest.mark.parametrize("kind", ["ignore subscription", "refuse subscription"])
def test_a_subscription_that_fails_replaces_the_connection(kind: Kind) -> None:
    story = tell(Fault(0, kind), state={}, windows=[60])
    assert set(story.intervals) == set(COIN_M[:3])
    assert len(story.attempts) == 2
    assert not story.lost()


# --- two markets ---

BOTH: dict[str, Any] = {"usds_m": USDS_M[:2]}


def test_each_market_is_asked_for_at_its_own_address() -> None:
    story = tell(options={"include_usds_margined": True}, **BOTH)
    assert set(story.intervals) == {*COIN_M[:3], *USDS_M[:2]}
    assert sorted(story.logged("Connected to")) == [f"Connection {n} of 2: Connected to 127.0.0.1:1." for n in (1, 2)]
    for stream in story.exchange.streams:
        listening = stream.server.protocol
        assert {name.endswith("usdt@bookTicker") for name in listening.streams if name != "!bookTicker"} == {
            listening.address.market == 1
        }
    assert not story.lost()


@pytest.mark.parametrize("symbols", [[], [BTC]])
@pytest.mark.parametrize("moved", ["missing", "silent"])
def test_where_an_address_has_moved_the_next_one_is_used(moved: str, symbols: list[str]) -> None:
    prefixes: dict[str, Any] = {moved: ("",)}
    story = tell(options={"book_ticker_symbols": symbols}, bases=("", "/public"), **prefixes, breaks=True)
    assert story.rows
    assert story.logged("ws://127.0.0.1:1/public brings data, and is used from now on.")


def test_a_quiet_market_is_heard_at_either_address() -> None:
    begin = (35.0, lambda chain: setattr(chain.exchange.engine, "rate", 20.0))
    story = tell(begin, rate=0.0, bases=("", "/public"), breaks=True)
    assert not story.lost()
    assert not story.gaps


def test_where_the_known_address_brings_data_no_other_is_tried() -> None:
    story = tell(Fault(20, "rst"))
    assert {stream.server.protocol.address.prefix for stream in story.exchange.streams} == {""}
    assert not story.logged("brings data, and is used")


@pytest.mark.parametrize(("named", "expected"), [((ADA, USDS_M[0]), (ADA, USDS_M[0])), ((), COIN_M[:3])])
def test_what_is_named_comes_and_else_nothing_of_the_other_market(
    named: tuple[str, ...], expected: tuple[str, ...]
) -> None:
    story = tell(options={"book_ticker_symbols": list(named)}, **BOTH)
    assert set(story.intervals) == {row["symbol"] for row in story.rows} == set(expected)
    assert len(story.attempts) == (2 if named else 1)


def test_the_loss_of_one_market_moves_no_coverage_of_the_other() -> None:
    def cut(chain: Any) -> None:
        (of_usds_m,) = [each for each in chain.exchange.market.open_connections if each.address.market == 1]
        chain.exchange.fault("rst", of_usds_m)

    story = tell((20, cut), options={"include_usds_margined": True}, **BOTH)
    (gap,) = story.gaps
    assert "Connection " in gap.text
    assert story.intervals == dict.fromkeys(COIN_M[:3], 1) | dict.fromkeys(USDS_M[:2], 2)


# --- time ---


def test_checkpoints_come_by_time_and_the_last_covers_everything() -> None:
    story = tell(windows=[100])
    moments = [moment for moment, _, _ in story.sync.states]
    assert len(moments) == 10
    assert story.sync.states[-1][2] == len(story.rows)


def test_a_silent_sync_gives_a_sign_of_life_every_quarter_of_an_hour() -> None:
    story = tell(rate=0.0, windows=[2000], options={"book_ticker_symbols": [BTC]})
    assert [round(moment - story.sync.began) for moment, _, _ in story.sync.states] == [900, 1800, 2000]


def test_progress_is_reported_every_ten_seconds_and_after_a_minute_every_minute() -> None:
    story = tell(windows=[200])
    moments = [round(moment) for moment in story.at("a second, ")]
    assert moments == [10, 20, 30, 40, 50, 60, 120, 180]


def test_progress_tells_what_is_not_connected() -> None:
    story = tell((20, lambda chain: chain.exchange.refuse(503, times=None)), Fault(20.1, "rst"), breaks=True)
    lines = story.logged("a second, ")
    assert all("Not connected for" in line for line in lines[2:])
    assert not any("Not connected" in line for line in lines[:2])


def test_the_lines_to_alert_on_are_logged_at_the_level_that_the_docs_tell() -> None:
    quoted = re.findall(r"^\| (\w+) \| `([^`]+)` \|", (ROOT / "docs" / "operating.md").read_text("utf-8"), re.MULTILINE)
    refused = (20, lambda chain: chain.exchange.refuse(503, times=3))
    stories = [
        tell(refused, Fault(20.1, "rst", target=2), options=STANDBY, windows=[40, 10]),
        tell(Fault(20, "stall", 25.0), outbox=(20_000, 10_000), rate=60.0),
        tell(refused, Fault(20.1, "rst", target=1), options=STANDBY),
    ]
    logged = [(level, line) for story in stories for sync in story.syncs for _, level, line in sync.log]
    found = set()
    for level, line in quoted:
        pattern = re.compile(re.escape(line).replace("…", ".*?").replace(r"\ seconds", r"(?: seconds)?"))
        levels = {level_of for level_of, message in logged if pattern.search(message)}
        assert levels <= {level.replace("WARN", "WARNING").replace("WARNINGING", "WARNING")}, line
        found |= {line.strip("… ").split(" …")[0]} if levels else set()
    assert {"Gap of", "is missing (attempt", "Connecting failed (attempt", "Captured"} <= found


def test_a_window_ends_in_time_whatever_hangs() -> None:
    for events in ([Fault(0, "slow handshake", 100.0, times=9)], [Fault(20, "silence")], [Fault(20, "mute")]):
        story = tell(*events, windows=[40], breaks=True)
        assert story.sync.ended - story.sync.began <= 41


def test_a_stop_ends_it_at_once_with_a_state_for_every_row() -> None:
    story = tell(Fault(20, "stop"))
    assert story.sync.ended - story.sync.began <= 20.5
    assert story.sync.failure is None
    assert story.sync.states[-1][2] == len(story.rows)


def test_a_chain_goes_on_where_it_ended_and_repeats_nothing() -> None:
    story = tell(windows=[20, 20, 20])
    keys = [(row["symbol"], row["u"]) for sync in story.syncs for row in sync.rows]
    assert len(keys) == len(set(keys))
    assert all(set(sync.states[-1][1]["u"]) == set(COIN_M[:3]) for sync in story.syncs)


def test_a_sync_says_since_when_nothing_was_listened_to() -> None:
    story = tell(state=known(BTC) | {"newest_transaction_time": 1789999000123}, options={"book_ticker_symbols": [BTC]})
    assert story.logged("The state ends with an update of 2026-09-21 13:56:40.123 UTC: a hole of 1000 seconds until ")
    assert story.logged("What Binance pushed since then, while nothing listened, cannot be had any more.")
    assert not tell(state=known(BTC)).logged("The state ends with")


def test_updates_of_ever_more_symbols_are_left_out_and_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cursor, "MAX_SYMBOLS", 2)
    story = tell(state={}, options={"book_ticker_symbols": [BTC, ETH, ADA]}, breaks=True)
    assert len({row["symbol"] for row in story.rows}) == 2
    (line,) = story.logged(" updates of ever more symbols were left out; no exchange lists so many.")
    assert int(line.split()[0]) > 0


def test_where_enough_came_no_symbol_was_silent() -> None:
    named = {"book_ticker_symbols": [BTC, "NOSUCHUSD_PERP"]}
    assert not tell(options=named | {"max_book_tickers": 20}).logged("Check the spelling")
    assert "no update came for NOSUCHUSD_PERP" in tell(options=named).logged("Check the spelling")[0]


def test_the_gap_before_an_error_is_reported_and_then_the_state() -> None:
    story = tell((20, lambda chain: chain.exchange.refuse(451, times=None)), Fault(20.1, "rst"), breaks=True)
    (gap,) = story.gaps
    assert "connection reset by peer" in gap.text
    assert isinstance(story.sync.failure, ReportedFailure)
    assert story.sync.ended - BEGAN < 60
    assert story.sync.states[-1][2] == len(story.rows)
    assert "Gaps: 1, " in story.summary


def test_a_window_of_nothing_but_malformed_frames_fails_with_a_state() -> None:
    malformed = Update(BTC, 1, b"no JSON", 2)
    named = {"book_ticker_symbols": [BTC]}
    story = tell((5, lambda chain: chain.exchange.market.push([malformed])), rate=0.0, options=named, breaks=True)
    assert "sent 1 frames and not one of them was a sound book ticker" in str(story.sync.failure)
    assert len(story.sync.states) == 1


def test_a_read_that_is_cut_short_is_covered_by_nothing() -> None:
    story = tell(options={"max_book_tickers": 101}, rate=60.0)
    assert len(story.rows) == 101
    assert story.rows[-1]["covered_since_us"] is None


def test_a_state_of_another_environment_is_not_applied() -> None:
    story = tell(state={**known(BTC), "environment": "production", "u": {BTC: 2**40}})
    assert story.logged("The state belongs to environment 'production'")
    assert {row["symbol"] for row in story.rows} == set(COIN_M[:3])


def test_what_expired_is_not_asked_for() -> None:
    story = tell(state=known(*COIN_M[:3], "BTCUSD_260327"))
    (only,) = [stream.server.protocol for stream in story.exchange.streams]
    assert "btcusd_260327@bookTicker" not in only.streams
    assert "BTCUSD_260327" not in story.sync.states[-1][1]["u"]


# --- a read listens first: while it imports and asks for prices, nobody takes what comes ---


@pytest.mark.parametrize("seconds", [5.0, 70.0], ids=["within the window", "longer than the window"])
def test_what_is_pushed_before_anything_is_taken_is_in_the_rows(seconds: float) -> None:
    story = tell(takes_after=seconds, breaks=seconds > 60)  # the one rule that this breaks: it ends late
    pushed = [push.at - BEGAN for push in story.exchange.pushed if push.at - BEGAN < seconds]
    held = {(row["symbol"], row["u"]) for row in story.rows}
    of_rows = [push for push in story.exchange.pushed if (push.update.symbol, push.update.update_id) in held]
    assert min(push.at - BEGAN for push in of_rows) < 1.0
    assert len([push for push in of_rows if push.at - BEGAN < seconds]) > len(pushed) * 0.9
    assert not story.lost()
    assert story.summary.startswith(f"Captured {len(story.rows)} updates")
    assert f" in {max(seconds, 60):.1f} seconds" in story.summary


def test_the_window_counts_from_when_it_listens() -> None:
    assert tell(takes_after=20.0).sync.ended - BEGAN == pytest.approx(60, abs=1)


def test_what_is_refused_for_good_ends_nothing_that_is_being_connected_again() -> None:
    """At one host nothing is found; over the other the connection is lost, and the first attempts after it fail."""
    refused = Fault(19.9, "refuse", times=3)
    story = tell(
        refused,
        Fault(20, "fin"),
        options={"include_usds_margined": True},
        usds_m=("BTCUSDT",),
        missing=("/usds/public",),
        breaks=True,
    )
    assert story.rows[-1]["received_at_us"] > story.rows[0]["received_at_us"] + 50_000_000
