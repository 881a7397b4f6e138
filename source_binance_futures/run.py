"""The console script: stop signals, a deadline for the process, and the CDK's entry point in between."""

from __future__ import annotations

import contextlib
import gc
import io
import logging
import os
import select
import signal
import sys
import threading
import time
from types import FrameType

import orjson
from airbyte_cdk.models import (
    AirbyteConnectionStatus,
    AirbyteMessage,
    AirbyteMessageSerializer,
    FailureType,
    Status,
    Type,
)
from airbyte_cdk.utils.traced_exception import AirbyteTracedException

from .binance.stop import Stop
from .entrypoint import Entrypoint
from .failures import ReportedFailure, WithoutStackTrace
from .output import Output
from .source import SourceBinanceFutures

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)
WRITE_OUT_WITHIN = 60.0  # seconds after the window for what waits in memory


def run(args: list[str] | None = None) -> None:
    """Runs one command of the Airbyte protocol: spec, check, discover or read."""
    args = (sys.argv[1:] if args is None else args) or ["--help"]
    output = Output(1)
    _write_to(output)
    _collect_garbage_less()
    stop = Stop()
    command = next((arg for arg in args if not arg.startswith("-")), "")
    if command == "read":
        _stop_on_signals(stop)
        threading.Thread(target=_end_with_window, args=(stop,), name="deadline", daemon=True).start()
    for handler in logging.getLogger().handlers:
        handler.addFilter(WithoutStackTrace())
    try:
        Entrypoint(SourceBinanceFutures(stop, blocks=True), output).launch(args)
    except AirbyteTracedException as failure:
        if failure.failure_type is FailureType.system_error:
            raise
        if command != "check":
            raise ReportedFailure(str(failure), failure.failure_type) from None
        _print_failed_check(str(failure))
    except BrokenPipeError:
        # Nobody reads any more, as with `read | head`. What Python still wants to flush goes nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.__stdout__.fileno() if sys.__stdout__ else 1)
        sys.exit(1)


def _collect_garbage_less() -> None:
    """Leaves what the imports made out of garbage collection, and collects less often: 7 % of a read.

    Records hold no cycles, so counting references frees them.
    """
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)


def _write_to(output: Output) -> None:
    """Puts `output` under stdout, whatever lay there; with PYTHONUNBUFFERED=1, which many images set, no buffer did.

    An unbuffered stream drops the rest of a write that a stop signal interrupts: the records of a tenth of a second,
    which the state would then vouch for.
    """
    text = io.TextIOWrapper(io.BufferedWriter(output), encoding="utf-8", errors="backslashreplace")
    sys.stdout = sys.__stdout__ = text  # type: ignore[misc]


def _stop_on_signals(stop: Stop) -> None:
    """The first signal asks for an end in good order; a second one, of either kind, ends the process at once."""

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        for number in STOP_SIGNALS:
            signal.signal(number, signal.SIG_DFL)
        stop.request()

    for number in STOP_SIGNALS:
        signal.signal(number, on_signal)


def _end_with_window(stop: Stop) -> None:
    """Ends the process where its output stays blocked after the window: nobody may be there to end it.

    It writes to the file descriptor itself, since whatever is above it may be what is blocked.
    """
    while True:
        time.sleep(1)
        over = [moment for moment in (stop.window_ends, stop.requested_at) if moment is not None]
        if over and time.monotonic() > min(over) + WRITE_OUT_WITHIN:
            text = f"The output was not read for {WRITE_OUT_WITHIN:g} seconds after the end of the sync. Ending it now."
            with contextlib.suppress(OSError, ValueError):  # stderr may be closed, or the same blocked pipe
                if select.select([], [2], [], 0)[1]:
                    os.write(2, orjson.dumps({"type": "LOG", "log": {"level": "FATAL", "message": text}}) + b"\n")
            os._exit(1)


def _print_failed_check(sentence: str) -> None:
    status = AirbyteConnectionStatus(status=Status.FAILED, message=sentence)
    message = AirbyteMessage(type=Type.CONNECTION_STATUS, connectionStatus=status)
    print(orjson.dumps(AirbyteMessageSerializer.dump(message)).decode(), flush=True)
