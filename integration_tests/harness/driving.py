"""A sync that a test drives: what it has written is looked at meanwhile, it may be left unread, it ends on a signal."""

from __future__ import annotations

import dataclasses
import signal
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import orjson

from local_exchange import LocalExchange
from local_exchange.contracts import coin_m_contracts

from .connector import INCREMENTAL, Connector, Message, Output, check_against_schema, check_messages

T = TypeVar("T")
LISTED = [contract.symbol for contract in coin_m_contracts(None)]
RECORD = b'{"type":"RECORD"'
PATIENCE = 90.0  # seconds that a busy machine may take for what is due at once, or after half a minute


class Driven:
    """A running sync of `book_tickers`. With `blocked` nobody reads what it writes until `begin_to_read`.

    It listens for `seconds`, by default until `stop`. Without other `options` it follows the contracts that the
    exchange lists by default, by name.
    """

    def __init__(
        self,
        connector: Connector,
        exchange: LocalExchange,
        *,
        seconds: int = 600,
        state: Any = None,
        blocked: bool = False,
        usds_margined: bool = False,
        variables: Mapping[str, str] | None = None,
        debug: bool = False,
        **options: Any,
    ) -> None:
        options = {"book_ticker_symbols": LISTED, **options}
        config = {"environment": exchange.environment(usds_margined=usds_margined), "listen_seconds": seconds}
        self.exchange = exchange
        self.running = connector.start_read(
            config | options,
            book_tickers=INCREMENTAL,
            state=state,
            blocked=blocked,
            variables=variables,
            debug=debug,
        )
        self.updates = 0  # written so far
        self._blocked = blocked
        self._said: list[bytes] = []  # every line that is no record
        self._lines: list[bytes] = []  # and every one, of a blocked process
        self._rest = b""
        self._file = self.running._files["stdout"].open("rb")
        self._thread = threading.Thread(target=self._read, name="destination", daemon=True)

    # --- while it runs ---

    def wait_for(self, condition: Callable[[], T], seconds: float = PATIENCE) -> T:
        """Waits until the condition holds and returns its value. Fails where the process ends before."""
        deadline = time.monotonic() + seconds
        while True:
            self._look()
            value = condition()
            if value:
                return value
            assert self.running.process.poll() is None, f"it ended: {self._said[-20:]}"
            assert time.monotonic() < deadline, f"not within {seconds} seconds: {self._said[-20:]}"
            time.sleep(0.02)

    def said(self, text: str) -> int:
        """How many lines so far, records aside, contain this."""
        self._look()
        return sum(text.encode() in line for line in list(self._said))

    def wait_for_text(self, text: str, seconds: float = PATIENCE) -> None:
        self.wait_for(lambda: self.said(text), seconds)

    def wait_for_updates(self, more: int = 100) -> None:
        self._look()
        enough = self.updates + more
        self.wait_for(lambda: self.updates >= enough)

    def begin_to_read(self) -> None:
        self._thread.start()

    # --- its end ---

    def stop(self, *, check_records: bool = True) -> Output:
        """Sends a stop signal, and waits for the end."""
        self.running.process.send_signal(signal.SIGTERM)
        return self.end(check_records=check_records)

    def end(self, seconds: float = PATIENCE, *, check_records: bool = True) -> Output:
        """Waits for the end, and checks every message."""
        self._file.close()
        if not self._blocked:
            return self.running.finish(seconds, check_records=check_records)
        if self._thread.ident is None:
            self._thread.start()
        self._thread.join(seconds)
        output = self.running.finish(seconds)
        messages: list[Message] = [orjson.loads(line) for line in self._lines]
        check_messages(messages)
        output = dataclasses.replace(output, messages=messages, stdout=b"".join(self._lines).decode())
        check_against_schema(output.of_type("RECORD"))
        return output

    def _read(self) -> None:
        stdout = self.running.process.stdout
        assert stdout is not None
        for line in stdout:
            self._lines.append(line)
            self._sort(line)

    def _look(self) -> None:
        """Takes note of what was written to the file since the last look."""
        if not self._blocked:
            *lines, self._rest = (self._rest + self._file.read()).split(b"\n")
            for line in lines:
                self._sort(line)

    def _sort(self, line: bytes) -> None:
        if line.startswith(RECORD):
            self.updates += 1
        else:
            self._said.append(line)
