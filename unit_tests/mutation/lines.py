"""Lines that are easily lost, each broken in a copy of the tree, to see that the test beside it fails.

    python -m unit_tests.mutation.lines [text ...]

They are of modules with sockets, clocks and processes, which `make mutants` leaves alone. With a text only the lines
whose module or test contain it. Ends with code 1 if a test passes although its line is broken.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
PARTS = ("source_binance_futures", "local_exchange", "unit_tests", "integration_tests", "schemas")
DEADLINE = 400.0  # seconds for one of them


class Line(NamedTuple):
    """In `module`, what stands `before` once becomes `after`, and `test` fails."""

    module: str
    before: str
    after: str
    test: str


SIMULATION = "unit_tests/simulation"
WATCHDOG = "integration_tests/test_watchdog.py::test_"
LATE = "integration_tests/test_late_output.py::test_"
TOLD = "integration_tests/test_told.py::test_"
PRICES = "integration_tests/test_prices.py::test_"
ENDINGS = "integration_tests/test_endings.py::test_"
FAILOVER = "unit_tests/test_failover.py::test_"
CONNECTION = "unit_tests/test_connection.py::test_"

LINES = (
    # the watchdog
    Line(
        "streams/symbol_prices.py",
        "self._stop.window_ends = self._stop.clock.monotonic() + self._stop.listening_to_come",
        "pass",
        f"{WATCHDOG}prices_that_nobody_takes_end_after_a_while",
    ),
    Line(
        "output.py",
        "and _takes_bytes(STDERR, 0)",
        "",
        f"{WATCHDOG}a_stderr_that_is_the_same_blocked_pipe_does_not_hold_it",
    ),
    # the end of a window
    Line(
        "streams/capture.py",
        "yield from self._take_the_rest()",
        "pass",
        f"{LATE}what_was_received_is_written_once_the_destination_reads",
    ),
    Line(
        "streams/capture.py",
        "self._stop.requested_at + WRITE_AFTER_STOP",
        "until",
        f"{LATE}what_it_is_too_late_to_write_is_counted_and_told[long_after_a_stop]",
    ),
    Line(
        "streams/capture.py",
        "self._stop.window_ends + WRITE_AFTER_WINDOW",
        "1e12",
        f"{LATE}what_it_is_too_late_to_write_is_counted_and_told[long_after_the_window]",
    ),
    Line(
        "streams/capture.py",
        "if self._tally.not_written:",
        "if False:",
        f"{LATE}what_it_is_too_late_to_write_is_counted_and_told[long_after_a_stop]",
    ),
    Line(
        "streams/capture.py",
        "if self._tally.only_malformed and not self._stop.requested:",
        "if self._tally.only_malformed:",
        f"{ENDINGS}a_stop_among_malformed_frames_is_a_good_end",
    ),
    Line(
        "streams/capture.py",
        "if silent and not self._selection.has_enough:",
        "if silent:",
        f"{TOLD}where_enough_came_no_symbol_was_silent",
    ),
    Line(
        "streams/capture.py",
        "if self._cursor.symbols_refused:",
        "if False:",
        f"{TOLD}updates_of_ever_more_symbols_are_left_out_and_told",
    ),
    # states
    Line(
        "streams/book_tickers.py",
        "(CHECKPOINT_EVERY if fresh else SIGN_OF_LIFE_EVERY)",
        "CHECKPOINT_EVERY and fresh",
        f"{TOLD}a_sync_of_which_nothing_comes_gives_a_sign_of_life",
    ),
    Line(
        "streams/book_tickers.py",
        "SIGN_OF_LIFE_EVERY = 900.0",
        "SIGN_OF_LIFE_EVERY = 901.0",
        f"{TOLD}a_sync_of_which_nothing_comes_gives_a_sign_of_life",
    ),
    Line(
        "streams/book_tickers.py",
        "except Exception:\n            yield self._checkpoint()",
        "except Exception:",
        f"{ENDINGS}the_state_before_an_unknown_error_is_what_was_written",
    ),
    Line(
        "streams/selection.py",
        "if self._cursor.listened_until is not None:\n",
        "if False:\n",
        f"{TOLD}a_sync_that_continues_says_since_when_nothing_was_listened_to",
    ),
    Line(
        "binance/market_stream/reader.py",
        "failures = [self._end_feed(feed) for feed in self.feeds]",
        "failures = []",
        f"{TOLD}the_gap_before_an_error_is_told_and_then_the_state",
    ),
    # stops
    Line(
        "streams/symbol_prices.py",
        "if self._stop.requested:",
        "if False:",
        f"{PRICES}after_a_stop_nothing_is_asked",
    ),
    Line(
        "binance/transport/connection.py",
        "while not (stop.requested or patience.expired):",
        "while not patience.expired:",
        f"{PRICES}a_stop_while_prices_connect_is_heard",
    ),
    # the failover
    Line(
        "binance/market_stream/failover.py",
        "if not is_connected and self._backoff.banned is not None:",
        "if False:",
        f"{FAILOVER}a_ban_that_a_standby_heard_of_is_remembered_when_the_connection_in_use_is_lost",
    ),
    Line(
        "binance/market_stream/failover.py",
        "(standby.retiring or standby.age",
        "(standby.age",
        f"{FAILOVER}a_standby_that_ages_or_is_shut_down_is_left_for_another",
    ),
    Line(
        "binance/market_stream/failover.py",
        "self._do(Close(number))",
        "pass",
        f"{FAILOVER}data_ends_the_wish_for_a_fresh_connection_and_an_unwanted_one_is_left",
    ),
    Line(
        "binance/market_stream/failover.py",
        "if self.paused and line is self.primary:\n                continue",
        "pass",
        f"{FAILOVER}a_pause_leaves_the_line_unread_until_it_ends",
    ),
    Line(
        "binance/transport/connection.py",
        "if self._is_closed:",
        "if False:",
        "unit_tests/test_dialler.py::test_what_was_opened_and_never_met_is_left",
    ),
    # the wire
    Line(
        "binance/transport/connection.py",
        "SEND_TIMEOUT = 5.0",
        "SEND_TIMEOUT = 60.0",
        f"{CONNECTION}the_patience_of_sending",
    ),
    Line(
        "binance/transport/connection.py",
        "self.clock.deadline(SEND_TIMEOUT)",
        "self.clock.deadline(60)",
        f"{CONNECTION}a_peer_that_does_not_read_is_given_up",
    ),
    Line(
        "binance/transport/connection.py",
        "code if code != NO_STATUS else NORMAL_CLOSURE",
        "NORMAL_CLOSURE",
        f"{CONNECTION}the_code_of_a_close_frame_is_echoed",
    ),
    Line(
        "binance/transport/sockets.py",
        "self._socket.sendall(data)",
        "self._socket.send(data)",
        "unit_tests/test_byte_stream.py::test_all_of_it_is_sent_however_slowly_it_is_read",
    ),
    Line(
        "binance/transport/handshake.py",
        'header=[f"User-Agent: {USER_AGENT}"],',
        "",
        "unit_tests/test_handshake.py::test_the_request",
    ),
    Line(
        "binance/errors.py",
        "return max(moment.timestamp() - now, 0.0)",
        "return DEFAULT_PAUSE",
        "unit_tests/test_refusals.py::test_retry_after_as_a_date",
    ),
    # the weight
    Line(
        "binance/websocket_api/prices.py",
        "cost if connected else cost + HANDSHAKE_WEIGHT",
        "cost",
        "unit_tests/test_weight.py::test_what_a_request_costs",
    ),
    Line(
        "binance/websocket_api/client.py",
        "connected=self._connection is not None",
        "connected=True",
        f"{PRICES}the_weight_of_a_handshake_is_minded_too",
    ),
    Line(
        "binance/websocket_api/prices.py",
        "self._used if _minute(self._told_at) == _minute(now) else None",
        "self._used",
        "unit_tests/test_weight.py::test_the_weight_of_another_minute_is_forgotten",
    ),
    # what loses, repeats or covers updates
    *(
        Line(f"binance/market_stream/{module}", before, after, SIMULATION)
        for module, before, after in (
            (
                "failover.py",
                "self.watermark = line.reached if self._floor is None else max(self._floor, line.reached)",
                "pass",
            ),
            ("failover.py", "        self._report_until(line.covers_from)", "        pass"),
            ("failover.py", "self.watermark - begins >= self._clock.uncertainty", "True"),
            ("failover.py", "since = since if until - since >= SHORTEST_GAP", "since = until if True"),
            ("line.py", "self._dropped_until = pushed", "pass"),
            ("line.py", "return max(self.begins, self._dropped_until)", "return self.begins"),
            (
                "line.py",
                "self.begins = self._clock.now(now) if times is None else max(times[0], opened)",
                "self.begins = 0.0",
            ),
            ("line.py", "back = max(self._newest or newest, newest) - earliest", "back = 0.0"),
            ("exchange_clock.py", "if self._is_supported and at - since < LEAP_LASTS:", "if False:"),
            (
                "line.py",
                "self.lag = self._clock.now(now) - self._newest + max(self._back, self._back_before)",
                "self.lag = 0.0",
            ),
            ("line.py", "now - self._pinged_at < self._timing.pong_within", "True"),
            ("line.py", "self._pinged_at is None and now - self.last_heard_at >= self._timing.ping_after", "False"),
            ("line.py", "return batches", "return batches[:-1]"),
            ("failover.py", "elif self._behind is not line:", "elif False:"),
            ("failover.py", "elif both.is_behind(standby, now):", "elif False:"),
            ("failover.py", "now - other.last_data_at >= IN_STEP", "True"),
            ("failover.py", "self._alone, self._alone_since = line, now", "pass"),
            ("failover.py", "elif both.is_alone(primary, now) and (standby.has_data or", "elif False and (False or"),
            ("failover.py", "elif not self._wants_standby:", "elif False:"),
            ("failover.py", "standby.retiring or standby.age(now) >= self._timing.rotate_after", "True"),
            ("failover.py", 'return "the window ended while reading paused"', "return None"),
            (
                "failover.py",
                "self._may_miss(Missing.OUTAGE, cause)\n        self._stop_replacing()",
                "self._stop_replacing()",
            ),
            ("failover.py", "for batch in line.unwind():", "for batch in line.unwind()[:0]:"),
            ("failover.py", 'self._may_miss(Missing.SILENCE, "a fresh connection was silent too")', "pass"),
            ("failover.py", "self._do(Close(line.number))", "pass"),
            ("failover.py", "self._backoff.attempted(now)", "pass"),
            ("failover.py", "elif self._is_quiet(now) and self.missing is Missing.NOTHING:", "elif False:"),
            ("failover.py", "self._report_until(self._clock.now(now))", "pass"),
            ("failover.py", "line.keep(batch, self.watermark)", "pass"),
            ("failover.py", "self.primary.pause(now)", "pass"),
            ("failover.py", "if self.paused and line is self.primary:\n                continue", "pass"),
            ("exchange_clock.py", "self._fastest = max(self._fastest, ahead)", "self._fastest = ahead"),
            ("backoff.py", "self._not_before = now + max(FIRST_PAUSE,", "self._not_before = now + min(0.0,"),
            ("failover.py", "batch if self.missing is Missing.NOTHING else batch._replace(is_complete=False)", "batch"),
            ("failover.py", "other_has_rest=line is self.primary and self._standby_has_rest", "other_has_rest=True"),
            ("line.py", "not (read.has_data and self.lag > BEHIND_AFTER) and", "True and"),
            ("feed.py", "message = wire.subscriptions.message(now)", "message = None"),
            ("feed.py", "self._subscription_failed(number, fault, now)", "pass"),
            ("feed.py", "self._do(self.machine.lost(number, read.lost, now), now)", "pass"),
            ("feed.py", "self._reset_unproven(action.line, now)", "pass"),
            ("feed.py", "is_dumb = primary is not None and not primary.has_data", "is_dumb = False"),
            ("feed.py", "selector.unregister(wire.descriptor)\n        else:", "pass\n        else:"),
            ("feed.py", "wire.connection.close()", "pass"),
            ("feed.py", "return own_stream(symbol) in self.plan.streams", "return self.number == 0"),
            ("reader.py", "feed.mind_the_outbox(full=is_full, now=now)", "pass"),
            ("reader.py", "feed.meet_new_connections(now)", "pass"),
            ("reader.py", "            self._open_feeds()\n\n    def _tell", "            pass\n\n    def _tell"),
            (
                "coverage.py",
                "return self.since[symbol] if self.since[symbol] <= received_at_us else None",
                "return self.since[symbol]",
            ),
        )
    ),
    # the deadlines of a feed
    *(
        Line(
            "binance/market_stream/line.py",
            f"{name}: float = {value}",
            f"{name}: float = 1 + {value}",
            "unit_tests/test_line.py::test_the_defaults_are_what_binance_asks_for",
        )
        for name, value in (
            ("connect", "10.0"),
            ("ping_after", "20.0"),
            ("pong_within", "10.0"),
            ("first_patience", "30.0"),
            ("    patience", "30.0"),
            ("longest_patience", "900.0"),
            ("rotate_after", "23 * 3600.0"),
            ("overlap", "2.0"),
            ("takeover_after", "2.0"),
            ("backlog", "30.0"),
        )
    ),
)


def is_noticed(line: Line) -> bool:
    """Whether the test fails, or never ends, where the line is broken."""
    with tempfile.TemporaryDirectory() as folder:
        for part in PARTS:
            shutil.copytree(
                ROOT / part, Path(folder) / part, symlinks=True, ignore=shutil.ignore_patterns("__pycache__")
            )
        shutil.copy(ROOT / "pyproject.toml", folder)
        path = Path(folder) / "source_binance_futures" / line.module
        text = path.read_text(encoding="utf-8")
        assert text.count(line.before) == 1, f"{line.module} has {line.before!r} {text.count(line.before)} times"
        path.write_text(text.replace(line.before, line.after), encoding="utf-8")
        command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", line.test]
        try:
            done = subprocess.run(
                command,
                cwd=folder,
                env=os.environ | {"PYTHONPATH": folder},
                capture_output=True,
                text=True,
                timeout=DEADLINE,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return True
        if done.returncode not in (0, 1):
            sys.exit(f"{line.test}: pytest ended with code {done.returncode}\n{done.stdout}{done.stderr}")
        return done.returncode == 1


def main(texts: list[str]) -> int:
    wanted = [line for line in LINES if not texts or any(text in line.module + line.test for text in texts)]
    missed = 0
    for line in wanted:
        noticed = is_noticed(line)
        missed += not noticed
        what = f"{line.module}: {line.before} -> {line.after or 'nothing'}"
        print(f"{'noticed' if noticed else 'MISSED':8} {' '.join(what.split())} ({line.test})", flush=True)
    print(f"{len(wanted) - missed} of {len(wanted)} noticed.")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
