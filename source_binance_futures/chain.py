"""`python -m source_binance_futures.chain`: windows without a hole, each `read` in a process and a file of its own.

The next window starts some seconds before the last one ends, and the last one is asked to stop once the next one
listens. Rows of both are the same by `(symbol, u)`.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from .binance.clock import LOOK_EVERY, Clock, Stop
from .binance.errors import Interrupted
from .cli import StopSignals
from .config import Config, ConfigurationError
from .files import read_config, read_state

EARLY = 30.0  # seconds before the end of a window at which the next one starts: time to connect, on a bad day too
OVERLAP = 8.0  # seconds that both listen once the next one is connected: a contract that is new has a sample in them
LONGEST_PAUSE = 60.0  # seconds between two attempts to open a window
LONGEST_END = 70.0  # seconds for a window to end after a stop; its own watchdog takes 60
HOLE = "The state ends with an update of "  # the line about a hole, of which there is none while both listen
COMMAND = (sys.executable, "-m", "source_binance_futures")
INTERRUPTED = str(Interrupted())  # in the log of a window that is asked to stop before its prices have come


class Window:
    """One `read`. `states` are the last that it has written, by stream; moments are of the steady clock."""

    def __init__(self, options: argparse.Namespace, clock: Clock, before: Window | None) -> None:
        self.began = clock.monotonic()
        self.connected_at: float | None = None
        self.states: dict[str, dict[str, Any]] = {}
        self.asked_to_end = False
        self._read_until = 0
        self._before = before  # the window that is to listen until this one does
        if before is not None:
            before._before = None  # or a chain would remember all its windows
        name = datetime.fromtimestamp(clock.epoch(), timezone.utc).strftime("%Y-%m-%dT%H-%M-%S.%f")[:-3]
        self.file: Path = options.into / f"window-{name}.jsonl"
        state = ["--state", str(options.state)] if options.state.exists() else []
        command = [*options.command, "read", "--config", options.config, "--catalog", options.catalog, *state]
        with self.file.open("xb") as output:
            # In a session of its own: Ctrl-C reaches the chain alone, since a window takes a second signal for haste.
            self.process = subprocess.Popen(command, stdout=output, start_new_session=True)

    def read(self, now: float) -> None:
        """Read the lines that it has written since the last time: states and log."""
        with self.file.open("rb") as file:
            file.seek(self._read_until)
            for line in file:
                if not line.endswith(b"\n"):
                    return  # it is being written
                self._read_until += len(line)
                if line.startswith(b'{"type":"STATE"'):
                    state = json.loads(line)["state"]
                    self.states[_stream_of(state)] = state
                elif line.startswith(b'{"type":"LOG"'):
                    log = json.loads(line)["log"]
                    self._pass_on(log["level"], log["message"], now)

    def _pass_on(self, level: str, text: str, now: float) -> None:
        if self.asked_to_end and INTERRUPTED in text:
            level = "INFO"  # an error only where nobody has asked for it
        before = self._before
        is_joined = before is not None and (before.asked_to_end or before.process.poll() is None)
        if not (is_joined and text.startswith(HOLE)):
            print(f"{self.file.name}: {level} {text}", file=sys.stderr)
        if self.connected_at is None and "Connected to " in text:
            self.connected_at = now

    def end(self) -> None:
        """Ask it to write its last rows and its state, and to exit."""
        if not self.asked_to_end:
            self.asked_to_end = True
            self.process.terminate()


class Chain:
    """Windows one after the other until a stop; at most two at a time."""

    def __init__(self, options: argparse.Namespace, states: Sequence[dict[str, Any]], stop: Stop) -> None:
        self._options = options
        self._states = {_stream_of(state): state for state in states}
        self._stop = stop
        self._windows: list[Window] = []  # the older one first
        self._opened = 0
        self._next_at = self._stop.clock.monotonic()
        self._failures = 0  # in a row
        self._has_listened = False

    def run(self) -> int:
        """Return the exit code: 0 after a stop or the last window, that of the first window if it never listened."""
        code = None
        try:
            while code is None and not self._stop.requested:
                code = self._turn(self._stop.clock.monotonic())
                self._stop.clock.sleep(LOOK_EVERY)
        finally:
            self._end()
        return code or 0

    def _turn(self, now: float) -> int | None:
        windows = self._windows
        ended = [window for window in windows if window.process.poll() is not None]
        self._read(now)
        for window in ended:
            windows.remove(window)
            if code := window.process.returncode:
                self._failures += 1
                self._next_at = now + min(2**self._failures, LONGEST_PAUSE)
                print(f"{window.file.name} failed with exit code {code}; its last lines say why.", file=sys.stderr)
                if not self._has_listened:
                    return code  # the next one would fail as well
        before = windows[0] if windows else None
        if len(windows) > 1:
            listening_since = windows[1].connected_at
            if listening_since is not None and now >= listening_since + self._options.overlap:
                windows[0].end()
        elif self._opened >= self._options.windows:
            return 0 if before is None else None
        # Only a state names the contracts: without one the next window would have to find them, one by one.
        elif now >= self._next_at and (
            before is None or (now >= before.began + self._options.lasts and "book_tickers" in self._states)
        ):
            windows.append(Window(self._options, self._stop.clock, before))
            self._opened += 1
        return None

    def _read(self, now: float) -> None:
        # A later window's state continues an earlier one's; a window without one replaces nothing.
        states = dict(self._states)
        for window in self._windows:
            window.read(now)
            states |= window.states
            if window.connected_at is not None:
                self._has_listened = True
                self._failures = 0
        if states != self._states:
            save(self._options.state, list(states.values()))
            self._states = states

    def _end(self) -> None:
        for window in self._windows:
            window.end()
        deadline = self._stop.clock.deadline(LONGEST_END)
        for window in self._windows:
            with suppress(subprocess.TimeoutExpired):
                window.process.wait(deadline.remaining())
            window.process.kill()  # which does nothing to one that has ended
            window.process.wait()
        self._read(self._stop.clock.monotonic())


def _stream_of(state: Any) -> str:
    try:
        return str(state["stream"]["stream_descriptor"]["name"])
    except (LookupError, TypeError):  # of a file that a user wrote; the connector reports it
        return ""


def save(file: Path, states: list[dict[str, Any]]) -> None:
    """Replace a state file atomically: a machine that goes down meanwhile leaves the old one or the new one."""
    fresh = file.with_name(f"{file.name}.new")
    with fresh.open("w", encoding="utf-8") as output:
        json.dump(states, output)
        output.flush()
        os.fsync(output.fileno())
    fresh.replace(file)


def main(args: Sequence[str] | None = None, command: Sequence[str] = COMMAND) -> int:
    """Run a chain. Return the exit code of the process."""
    parser = argparse.ArgumentParser(prog="python -m source_binance_futures.chain", description=(__doc__ or "").strip())
    parser.add_argument("--config", required=True)
    parser.add_argument("--catalog", required=True)
    parser.add_argument("--state", type=Path, required=True, help="read if it is there, replaced by each STATE")
    parser.add_argument("--into", type=Path, default=Path(), help="the folder for window-<UTC>.jsonl")
    parser.add_argument("--windows", type=int, default=math.inf, help="end after so many; default: on a stop signal")
    parser.add_argument("--early", type=float, help="seconds that a window starts early; default: 30, or half of it")
    parser.add_argument("--overlap", type=float, default=OVERLAP, help="seconds that both listen")
    options = parser.parse_args(args)
    options.command = command
    clock = Clock()
    stop = Stop(clock)
    StopSignals(clock, lambda _: stop.request())
    try:
        listen_seconds = Config.from_mapping(read_config(options.config)).listen_seconds
        states = read_state(str(options.state)) if options.state.exists() else []
    except ConfigurationError as error:
        parser.exit(1, f"{error}\n")
    early = min(EARLY, listen_seconds / 2) if options.early is None else options.early
    options.lasts = listen_seconds - early
    options.into.mkdir(parents=True, exist_ok=True)
    return Chain(options, states, stop).run()


if __name__ == "__main__":
    sys.exit(main())
