"""Lines that are easily lost, each broken in a copy of the tree, to see that the test beside it fails.

    python -m unit_tests.mutation.lines [text ...]

They are of modules with sockets, clocks and processes, which `make mutants` leaves alone, and of what the simulation
must notice. With a text only the lines whose module or test contain it. Ends with code 1 if a test passes although its
line is broken.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
DEADLINE = 400.0  # seconds for one of them


class Line(NamedTuple):
    """In `module`, what stands `before` once becomes `after`, and `test` fails."""

    module: str
    before: str
    after: str
    test: str


SIMULATION = "simulation"

# By module and by the test that notices: what stands there once, and what it becomes.
BROKEN: Mapping[str, Mapping[str, Sequence[tuple[str, str]]]] = {
    "output.py": {
        "watchdog::a_stderr_that_is_the_same_blocked_pipe_does_not_hold_it": [
            ("if _takes_bytes(STDERR, 0):", "if True:")
        ]
    },
    "streams/symbol_prices.py": {
        "watchdog::prices_that_nobody_takes_end_after_a_while": [
            ("self._stop.window_ends = self._stop.clock.monotonic() + self._stop.listening_to_come", "pass")
        ],
        "prices::after_a_stop_nothing_is_asked": [("if self._stop.requested:", "if False:")],
    },
    "streams/book_tickers.py": {
        SIMULATION: [
            ("yield from self._take_the_rest(self.stop.window_ends + WRITE_AFTER_WINDOW)", "pass"),
            ("self.stop.requested_at + WRITE_AFTER_STOP", "until"),
            ("self.stop.window_ends + WRITE_AFTER_WINDOW", "1e12"),
            ("if selection.tally.not_written:", "if False:"),
            ("if silent and not selection.has_enough:", "if silent:"),
            ("(CHECKPOINT_EVERY if fresh else SIGN_OF_LIFE_EVERY)", "CHECKPOINT_EVERY and fresh"),
            ("SIGN_OF_LIFE_EVERY = 900.0", "SIGN_OF_LIFE_EVERY = 901.0"),
        ],
        "capture::a_window_of_malformed_frames_that_was_cut_short_may_have_gone_well": [
            ("is not None and not self.stop.requested:", "is not None:")
        ],
        "endings::the_state_before_an_unknown_error_is_what_was_written": [
            ("except Exception:\n            yield self._checkpoint()", "except Exception:")
        ],
    },
    "streams/selection.py": {
        SIMULATION: [
            ("if self.cursor.listened_until is not None:", "if False:"),
            ("if refused:", "if False:"),
        ]
    },
    "binance/transport/connection.py": {
        "prices::a_stop_while_prices_connect_is_heard": [
            ("while not (stop.requested or patience.expired):", "while not patience.expired:")
        ],
        "connection::what_was_opened_and_never_met_is_left": [("if self._is_closed:", "if False:")],
        "connection::a_peer_that_does_not_read_is_given_up_after_five_seconds": [
            ("SEND_TIMEOUT = 5.0", "SEND_TIMEOUT = 60.0"),
            ("self.clock.deadline(SEND_TIMEOUT)", "self.clock.deadline(60)"),
        ],
        "connection::the_code_of_a_close_frame_is_echoed": [
            ("code if code != NO_STATUS else NORMAL_CLOSURE", "NORMAL_CLOSURE")
        ],
    },
    "binance/transport/sockets.py": {
        "byte_stream::all_of_it_is_sent_however_slowly_it_is_read": [
            ("self._socket.sendall(data)", "self._socket.send(data)")
        ]
    },
    "binance/transport/handshake.py": {"handshake::the_request": [('["User-Agent: source-binance-futures"]', "[]")]},
    "binance/websocket_api/client.py": {
        "prices::an_address_near_its_limit_waits_for_the_next_minute": [("self.budget.spend(cost)", "pass")]
    },
    "binance/market_stream/failover.py": {
        SIMULATION: [
            ("self.watermark = max(self._floor, line.reached)", "pass"),
            ("            self._report_until(line.covers_from)", "            pass"),
            ("self.watermark - self.standby.covers_from >= self._clock.uncertainty", "True"),
            ("since = until - self._clock.uncertainty", "since = until"),
            ("now - line.pinged_at >= self._timing.pong_within", "False"),
            ("line.pinged_at == inf and unheard >= self._timing.ping_after", "False"),
            ("elif line.behind_since == inf:", "elif False:"),
            ("now - other.last_data_at >= IN_STEP", "True"),
            ("line.alone_since = min(line.alone_since, now)", "pass"),
            ("elif now - standby.behind_since >= behind_after:", "elif False:"),
            ("self.standby.outlived(now) is not None", "True"),
            ('return "the window ended while reading paused"', "return None"),
            ("self._may_miss(Missing.OUTAGE, cause)\n        self.replacing = None", "self.replacing = None"),
            ("for batch in standby.unwind():", "for batch in standby.unwind()[:0]:"),
            ("            self._may_miss(missing, cause)\n        elif", "            pass\n        elif"),
            ('self._do(Command("close", line.number))', "pass"),
            ("self._backoff.attempted(now)", "pass"),
            ("if cause is None and is_quiet and self.missing is Missing.NOTHING:", "if False:"),
            ("self._report_until(self._clock.now(now))", "pass"),
            ("line.keep(batch, self.watermark)", "pass"),
            ("self.primary.pause(now)", "pass"),
            ("if self.paused and line is self.primary:\n                continue", "pass"),
            ("batch if self.missing is Missing.NOTHING else batch._replace(is_complete=False)", "batch"),
        ],
        "failover::with_a_standby_that_has_the_rest_it_is": [("other_has_rest=has_rest", "other_has_rest=True")],
        "failover::a_standby_that_brings_nothing_is_replaced": [
            ("elif now - primary.alone_since >= alone_after and", "elif False and")
        ],
        "failover::data_ends_the_wish_for_a_fresh_connection_and_an_unwanted_one_is_left": [
            ("if not self._keeps_standby:", "if False:")
        ],
    },
    "binance/market_stream/line.py": {
        SIMULATION: [
            ("self._dropped_until = pushed", "pass"),
            ("return max(self.begins, self._dropped_until) if", "return self.begins if"),
            ("self.begins = self._clock.now(now) if times is None else max(times[0], opened)", "self.begins = 0.0"),
            ("back = self._newest - earliest\n        if", "back = 0.0\n        if"),
            ("self.lag = self._clock.now(now) - self._newest + max(self._back, self._back_before)", "self.lag = 0.0"),
            ("return batches", "return batches[:-1]"),
            ("not (read.has_data and self.lag > BEHIND_AFTER) and", "True and"),
        ]
    },
    "binance/market_stream/exchange_clock.py": {
        SIMULATION: [("self._fastest = max(self._fastest, ahead)", "self._fastest = ahead")],
        "exchange_clock::which_reads_set_the_clock": [
            ("if at - self._leaps_since.setdefault(line, at) < LEAP_LASTS:", "if False:")
        ],
    },
    "binance/market_stream/backoff.py": {
        SIMULATION: [("self._not_before = now + max(FIRST_PAUSE,", "self._not_before = now + min(0.0,")]
    },
    "binance/market_stream/feed.py": {
        SIMULATION: [
            ("message = connection.subscriptions.message(now)", "message = None"),
            ("self._subscription_failed(number, fault, now)", "pass"),
            ("self.do(self.machine.lost(number, str(loss), now))", "pass"),
            ("self.outbox.put(action._replace(late=_symbols(late)))", "pass"),
            ("if primary is not None and not primary.has_data:", "if False:"),
            ("self.selector.unregister(connection.descriptor)\n        else:", "pass\n        else:"),
            ("connection.websocket.close()", "pass"),
            ("self.group.discover(read.samples, self.dialler.clock.today())", "pass"),
        ]
    },
    "binance/market_stream/reader.py": {
        SIMULATION: [
            ("feed.end(self.clock.monotonic())", "pass"),
            ("feed.do(feed.machine.pause_or_resume(now, full=is_full))", "pass"),
            ("feed.meet_new_connections(now)", "pass"),
            ("if own_stream(alarm.symbol) in feed.streams), shown_by)", "), shown_by)"),
        ],
        "reader::what_a_feed_does_not_take_is_followed_over_one_more": [
            ("            self.open()\n            appeared", "            appeared")
        ],
    },
    "binance/market_stream/coverage.py": {
        SIMULATION: [
            ("return self.since[symbol] if self.since[symbol] <= received_at_us else None", "return self.since[symbol]")
        ]
    },
}


def path_of(test: str) -> str:
    """As pytest takes it, from the root of the project: a folder of unit tests, or `file::name` in either folder."""
    file, _, name = test.partition("::")
    if not name:
        return f"unit_tests/{file}"
    paths = [f"{folder}/test_{file}.py" for folder in ("unit_tests", "integration_tests")]
    defined = f"def test_{name.partition('[')[0]}("
    (path,) = [path for path in paths if (ROOT / path).exists() and defined in (ROOT / path).read_text("utf-8")]
    return f"{path}::test_{name}"


def lines() -> list[Line]:
    """All of them; a test that is not there is an error."""
    return [
        Line(module, before, after, path_of(test))
        for module, tests in BROKEN.items()
        for test, rows in tests.items()
        for before, after in rows
    ]


def is_noticed(line: Line) -> bool:
    """Whether the test fails, or never ends, where the line is broken."""
    with tempfile.TemporaryDirectory() as parent:
        folder = Path(parent) / "tree"
        shutil.copytree(ROOT, folder, symlinks=True, ignore=shutil.ignore_patterns(".*", "__pycache__", "build"))
        path = folder / "source_binance_futures" / line.module
        text = path.read_text(encoding="utf-8")
        assert text.count(line.before) == 1, f"{line.module} has {line.before!r} {text.count(line.before)} times"
        path.write_text(text.replace(line.before, line.after), encoding="utf-8")
        slow_too = ["-m", ""] if "::" in line.test else []
        command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *slow_too, line.test]
        environment = os.environ | {"PYTHONPATH": str(folder)}
        try:
            done = subprocess.run(
                command, cwd=folder, env=environment, capture_output=True, text=True, timeout=DEADLINE, check=False
            )
        except subprocess.TimeoutExpired:
            return True
        if done.returncode not in (0, 1):
            sys.exit(f"{line.test}: pytest ended with code {done.returncode}\n{done.stdout}{done.stderr}")
        return done.returncode == 1


def main(texts: list[str]) -> int:
    wanted = [line for line in lines() if not texts or any(text in line.module + line.test for text in texts)]
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
